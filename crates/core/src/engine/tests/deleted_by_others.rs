//! What somebody else deletes beside a session.

use super::script::*;
use crate::engine::{AppliedObject, Event};
use crate::model::RuntimeStatus;
use crate::model::{CiSettings, ObjectUid, Pod, PodPhase};

fn gone(script: &mut Script, uid: &str) -> String {
    script.send(Event::ObjectGone(uid.into()))
}

fn deployed_web(objects: &[AppliedObject]) -> Script {
    let mut script = Script::up(vec![manifest("web")]);
    script.finish(1, deployed(&[], objects));
    script
}

#[test]
fn what_is_deleted_is_told_once_with_how_to_bring_it_back() {
    let mut script = deployed_web(&[object("ConfigMap", "cm"), object("Deployment", "web")]);
    script.see(pod("web", "web-1", 1));
    insta::assert_snapshot!(gone(&mut script, "configmap-cm"), @r#"Warn events:web "ConfigMap/cm was deleted, and not by this session; it does not come back by itself\nhint: an update brings it back: `tilt trigger web`, or save one of its files\n""#);
    assert_eq!(script.resource("web").runtime_status, RuntimeStatus::Ok);
    assert_eq!(gone(&mut script, "configmap-cm"), "");
    assert!(gone(&mut script, "deployment-web").contains("Deployment/web was deleted"));
    let shown = script.resource("web");
    assert_eq!(shown.runtime_status, RuntimeStatus::Pending);
    assert_eq!(shown.unwell.as_deref(), Some("Deployment/web was deleted"));
    assert_eq!(gone(&mut script, "somebody-elses"), "");
}

#[test]
fn what_an_update_deletes_to_make_it_anew_is_not_told_and_what_stays_away_is() {
    for (uid, told) in [("deployment-web-2", false), ("deployment-web", true)] {
        let mut script = deployed_web(&[object("Deployment", "web")]);
        script.edit_tiltfile();
        script.load(vec![k8s(manifest("web"), |k8s| {
            k8s.entities[0] = entity("Deployment", "web", "2");
        })]);
        assert!(!gone(&mut script, "deployment-web").contains("was deleted"));
        let again = AppliedObject {
            uid: ObjectUid::new(uid),
            ..object("Deployment", "web")
        };
        let ended = script.finish(2, deployed(&[], &[again]));
        assert_eq!(ended.contains("was deleted"), told, "{uid}: {ended}");
    }
}

#[test]
fn what_is_brought_back_may_be_told_again() {
    let mut script = deployed_web(&[object("Deployment", "web")]);
    gone(&mut script, "deployment-web");
    script.edit_tiltfile();
    script.load(vec![k8s(manifest("web"), |k8s| {
        k8s.entities[0] = entity("Deployment", "web", "2");
    })]);
    let again = AppliedObject {
        uid: "second".into(),
        ..object("Deployment", "web")
    };
    assert!(!script.finish(2, deployed(&[], &[again])).contains("was deleted"));
    assert!(gone(&mut script, "second").contains("was deleted"));
}

#[test]
fn a_job_or_a_pod_that_is_over_may_go_and_a_pod_that_runs_may_not() {
    let mut script = deployed_web(&[in_state("Job", "web", COMPLETE)]);
    assert_eq!(gone(&mut script, "job-web"), "");
    assert_eq!(script.resource("web").runtime_status, RuntimeStatus::Ok);
    for (phase, told) in [(PodPhase::Succeeded, false), (PodPhase::Running, true)] {
        let mut script = deployed_web(&[object("Pod", "web")]);
        script.see(Pod {
            phase,
            owners: Vec::new(),
            ..pod("x", "web", 1)
        });
        let ended = script.send(Event::PodGone("pod-web".into()));
        assert_eq!(ended.contains("Pod/web was deleted"), told, "{phase:?}: {ended}");
    }
}

#[test]
fn a_run_that_ends_by_itself_speaks_of_health_and_not_of_how_to_go_on() {
    let mut script = Script::ci(CiSettings::default(), vec![manifest("web")]);
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    assert_eq!(gone(&mut script, "deployment-web"), "");
    assert!(!script.see(pod("web", "web-1", 1)).contains("exit"));
}
