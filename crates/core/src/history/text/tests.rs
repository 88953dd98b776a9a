//! An update with everything that can be told of one, in words.

use super::super::{LogRange, Outcome, WaitReason};
use super::lines::WIDTH;
use super::*;

fn at(millis: i64) -> Timestamp {
    Timestamp(1_000_000_000 + millis * 1_000)
}

fn stage(kind: StageKind, from: i64, until: i64) -> Stage {
    Stage {
        kind,
        name: String::new(),
        from: at(from),
        until: Some(at(until)),
        facts: Facts::default(),
        parts: Vec::new(),
    }
}

fn record() -> UpdateRecord {
    let mut images = stage(StageKind::Images, 1_220, 4_220);
    let mut build = stage(StageKind::Build, 1_220, 3_900);
    build.name = "shop/web".to_owned();
    build.facts = Facts {
        steps_built: Some(3),
        steps_cached: Some(4),
        first_built_step: Some("[5/7] RUN npm ci".to_owned()),
        context_bytes: Some(1_234),
        ..Facts::default()
    };
    images.parts.push(build);
    let mut apply = stage(StageKind::Apply, 4_220, 4_300);
    apply.facts.changed = vec!["Deployment/web".to_owned()];
    apply.facts.unchanged = vec!["Service/web".to_owned()];
    UpdateRecord {
        resource: "web".into(),
        number: 12,
        kind: UpdateKind::Full,
        causes: vec![
            Cause::Files {
                files: vec![FileCause {
                    path: "/src/web/package.json".to_owned(),
                    rule: Rule::StopPath {
                        path: "/src/web/package.json".to_owned(),
                    },
                    target: "image:shop_web".to_owned(),
                    at: Some(at(0)),
                }],
            },
            Cause::FallBack {
                reason: "UpdateStopped".to_owned(),
                message:
                    "Detected change to stop file \"/src/web/package.json\"; fall_back_on: [package.json]"
                        .to_owned(),
            },
        ],
        wanted: at(0),
        started: at(1_220),
        ended: Some(at(6_000)),
        waits: vec![Wait {
            reason: WaitReason::WaitingForSlot,
            on: Vec::new(),
            from: at(20),
            until: Some(at(1_220)),
        }],
        stages: vec![
            stage(StageKind::Batch, 0, 20),
            images,
            apply,
            stage(StageKind::Rollout, 4_300, 6_000),
        ],
        outcome: Outcome {
            result: Result::Failed,
            reason: Some("CrashLoopBackOff".to_owned()),
            message: Some("it exited with 1".to_owned()),
        },
        logs: vec![LogRange {
            span: "build:12".into(),
            from: 1,
            until: Some(9),
        }],
    }
}

#[test]
fn an_update_is_told_with_its_causes_its_times_and_what_would_be_shorter() {
    let look = Look {
        now: at(9_000),
        cwd: LocalPath::new("/src"),
        has_colour: false,
    };
    let history = ResourceHistory {
        resource: "web".into(),
        waiting: vec![Wait {
            reason: WaitReason::WaitingForDep,
            on: vec!["db".to_owned()],
            from: at(8_000),
            until: None,
        }],
        updates: vec![record()],
    };
    let text = why(&history, 1, &look);
    assert!(text.lines().all(|line| line.chars().count() <= WIDTH), "{text}");
    insta::assert_snapshot!(text, @r#"
    web waits, for 1.00s now
      for     a dependency that was never ready: db
      until   db is ready; see `tilt why db`

    web: update 12, failed after 6.00s, 3.00s ago
      because web/package.json changed: stop path web/package.json
      because no live update: UpdateStopped: Detected change to stop file
              "/src/web/package.json"; fall_back_on: [package.json]
      time    changes gathered                              0.02s
      waited  a free slot (max_parallel_updates)            1.20s  ███
              images                                        3.00s  ████████
                build shop/web (7 steps, 4 cached, 1.2k…    2.68s  ███████
              apply (1 changed, 1 unchanged)                0.08s
              until ready                                   1.70s  █████
      error   CrashLoopBackOff: it exited with 1
      hint    shop/web: not cached from step [5/7] RUN npm ci on, since this
              changed: web/package.json
"#);
}

#[test]
fn a_caret_stays_below_what_it_points_at() {
    let mut out = String::new();
    tell(
        &mut out,
        "error",
        "Tiltfile:3:5: undefined: x\n  |\n3 | y = x\n  |     ^",
    );
    assert_eq!(
        out,
        "  error   Tiltfile:3:5: undefined: x\n            |\n          3 | y = x\n            |     ^\n"
    );
}
