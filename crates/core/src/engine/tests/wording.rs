//! The words of reasons and holds that scripts search for, each by itself.

use crate::engine::Hold;
use crate::engine::state::Reasons;
use crate::model::{ManifestName, TargetId, TriggerReason};

fn asked(by: &[TriggerReason]) -> Reasons {
    Reasons {
        triggers: by.iter().copied().collect(),
        ..Reasons::default()
    }
}

#[test]
fn each_reason_of_an_update_has_its_words() {
    let none = Reasons::default;
    let rows = [
        Reasons {
            files: true,
            ..none()
        },
        Reasons {
            config: true,
            ..none()
        },
        Reasons { args: true, ..none() },
        Reasons {
            dependencies: true,
            ..none()
        },
        Reasons {
            files: true,
            config: true,
            args: true,
            dependencies: true,
            ..none()
        },
        Reasons {
            init: true,
            files: true,
            config: true,
            ..none()
        },
        asked(&[TriggerReason::Web]),
        asked(&[TriggerReason::Cli]),
        asked(&[TriggerReason::Hud]),
        asked(&[TriggerReason::Unknown]),
        Reasons {
            init: true,
            files: true,
            ..asked(&[TriggerReason::Unknown, TriggerReason::Cli, TriggerReason::Web])
        },
    ];
    let words: Vec<String> = rows.iter().map(Reasons::text).collect();
    insta::assert_snapshot!(words.join("\n"), @"
    Changed Files
    Config Changed
    Tilt Args
    Dependency Updated
    Changed Files | Config Changed | Tilt Args | Dependency Updated
    Initial Build
    Web Trigger
    CLI Trigger
    HUD Trigger
    Unknown Trigger
    Web Trigger | CLI Trigger | Unknown Trigger
    ");
}

#[test]
fn each_hold_has_its_word_and_names_what_it_waits_for() {
    let name = ManifestName::from;
    let rows = [
        Hold::TiltfileReload,
        Hold::WaitingForLocal(name("codegen")),
        Hold::IsUnparallelizableLocal,
        Hold::WaitingForUncategorized,
        Hold::BuildingComponent(vec![TargetId::image("base"), TargetId::k8s(&name("web"))]),
        Hold::WaitingForDep(vec![name("db"), name("queue")]),
        Hold::WaitingForDefinition(vec![name("crds")]),
        Hold::WaitingForCluster,
        Hold::WaitingForDeletion(vec!["Deployment/web".to_owned()]),
        Hold::WaitingForRetry,
        Hold::WaitingForQuiet,
    ];
    let words: Vec<String> = rows
        .iter()
        .map(|hold| format!("{} {:?}", hold.reason(), hold.on()))
        .collect();
    insta::assert_snapshot!(words.join("\n"), @r#"
    tiltfile-reload ["(Tiltfile)"]
    waiting-for-local ["codegen"]
    is-unparallelizable-local []
    waiting-for-uncategorized ["uncategorized"]
    building-component ["image:base", "k8s:web"]
    waiting-for-dep ["db", "queue"]
    waiting-for-dep ["crds"]
    waiting-for-cluster ["default"]
    waiting-for-deletion ["Deployment/web"]
    waiting-for-retry []
    waiting-for-quiet []
    "#);
}
