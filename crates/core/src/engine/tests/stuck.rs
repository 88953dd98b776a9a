//! What will not become well by itself: who waits for it is told so.

use std::time::Duration;

use super::script::*;
use crate::engine::Event;
use crate::model::{ContainerState, Pod, PodPhase};

fn secs(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

fn deploy(script: &mut Script, build: u64) {
    script.finish(build, deployed(&[], &[object("Deployment", "web")]));
}

fn unscheduled(name: &str) -> Pod {
    let why = ("Unschedulable", "0/1 nodes are available: 1 Insufficient cpu.");
    Pod {
        conditions: vec![condition("PodScheduled", "False", why, 1)],
        containers: Vec::new(),
        status: "Pending".to_owned(),
        phase: PodPhase::Pending,
        ..pod("web", name, 1)
    }
}

fn running(name: &str, ready: bool) -> Pod {
    Pod {
        containers: vec![container("main", ContainerState::Running, ready)],
        phase: PodPhase::Running,
        ..pod("web", name, 1)
    }
}

/// Returns what `await` answers of the resource, once it does.
fn answer(script: &Script) -> Option<(String, String)> {
    let (view, names) = (script.view(), [].into());
    if !crate::view::has_settled(&view, &names) {
        return None;
    }
    let answer = crate::view::awaited(&view, &names, script.time());
    let told = answer.resources.into_iter().find(|told| told.name == "web")?;
    Some((told.result, told.reason))
}

#[test]
fn a_pod_that_cannot_be_scheduled_is_waited_for_only_so_long() {
    let mut script = Script::up(vec![manifest("web")]);
    deploy(&mut script, 1);
    script.see(unscheduled("web-1"));
    script.pass(secs(39));
    assert_eq!(answer(&script), None, "there may be room in a moment");
    assert_eq!(script.wakes_in(), Some(secs(1)));
    script.pass(secs(1));
    let why = "Unschedulable: 0/1 nodes are available: 1 Insufficient cpu.";
    assert_eq!(answer(&script), Some(("failed".to_owned(), why.to_owned())));
    script.see(running("web-1", false));
    assert_eq!(answer(&script), None, "now it has room");
    script.see(running("web-1", true));
    assert_eq!(answer(&script), Some(("ok".to_owned(), String::new())));
}

#[test]
fn an_edit_of_what_is_stuck_is_waited_for_anew() {
    let mut script = Script::up(vec![manifest("web")]);
    deploy(&mut script, 1);
    script.see(unscheduled("web-1"));
    script.pass(secs(60));
    assert!(answer(&script).is_some());
    script.send(Event::Triggered {
        manifest: "web".into(),
        reason: crate::model::TriggerReason::Web,
    });
    assert_eq!(answer(&script), None, "it is being deployed");
    script.pass(secs(5));
    deploy(&mut script, 2);
    assert_eq!(answer(&script), None, "the new one may be smaller");
    script.pass(secs(40));
    assert_eq!(
        answer(&script).map(|(result, _)| result).as_deref(),
        Some("failed")
    );
}

#[test]
fn what_runs_without_being_ready_is_waited_for_as_long_as_a_run_of_ci_would() {
    let mut script = Script::up(vec![manifest("web")]);
    deploy(&mut script, 1);
    script.see(running("web-1", false));
    script.pass(secs(299));
    assert_eq!(answer(&script), None);
    script.pass(secs(1));
    let why = "not ready for 5m0s: NotReady: container main is not ready";
    assert_eq!(answer(&script), Some(("failed".to_owned(), why.to_owned())));
}
