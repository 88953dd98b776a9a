//! When the cluster is connected, and what is looked out for.

use std::time::Duration;

use super::script::*;
use crate::engine::{ClusterStatus, Event, Mode, Transient, UpdateOutcome};

fn failed() -> Event {
    Event::ClusterChanged(ClusterStatus::Failed("refused".to_owned()))
}

fn connected() -> Event {
    Event::ClusterChanged(ClusterStatus::Connected)
}

const CONNECT: &str = "connect the cluster";

fn connects(effects: &str) -> bool {
    effects.lines().any(|effect| effect == CONNECT)
}

#[test]
fn only_what_is_deployed_there_connects_the_cluster_and_only_once() {
    let mut script = Script::new(Mode::Up);
    script.send(Event::Started);
    assert!(!connects(&script.load(vec![local("job", "make", "")])));
    script.edit_tiltfile();
    assert!(connects(&script.load(vec![manifest("web")])));
    script.edit_tiltfile();
    assert!(!connects(&script.load(vec![manifest("web"), manifest("db")])));
    script.send(connected());
    script.edit_tiltfile();
    assert!(!connects(&script.load(vec![manifest("web")])));
}

#[test]
fn a_session_that_stays_goes_on_trying_with_pauses_that_grow() {
    let mut script = Script::new(Mode::Up);
    script.send(Event::Started);
    script.load(vec![manifest("web")]);
    for pause in [250, 500, 1_000, 1_000] {
        script.send(failed());
        let pause = Duration::from_millis(pause);
        assert_eq!(script.wakes_in(), Some(pause));
        assert!(connects(&script.pass(pause)));
    }
    let began = script.send(connected());
    assert!(began.contains("start build:1"), "{began}");
    assert!(!connects(&script.send(failed())), "it is the cluster that is ill");
    assert_eq!(script.wakes_in(), None);
}

#[test]
fn who_has_no_cluster_or_does_not_stay_tries_once() {
    let ci = Mode::Ci {
        timeout_override: None,
        fail_fast: false,
    };
    for (mode, has_cluster) in [(Mode::Up, false), (ci, true)] {
        let mut script = Script::with(mode, |config| config.has_cluster = has_cluster);
        script.send(Event::Started);
        assert!(connects(&script.load(vec![manifest("web")])));
        script.send(failed());
        assert!(!connects(&script.pass(Duration::from_secs(60))), "{mode:?}");
    }
}

#[test]
fn it_is_looked_out_as_long_as_a_resource_waits() {
    let mut script = Script::up(vec![manifest("web"), manifest("db")]);
    let unreachable = || UpdateOutcome {
        error: Some("refused".to_owned()),
        transient: Some(Transient::Unreachable),
        ..UpdateOutcome::default()
    };
    let looks = |effects: &str| {
        effects
            .lines()
            .find(|effect| effect.starts_with("look"))
            .map(str::to_owned)
    };
    let well = |name| deployed(&[], &[object("Deployment", name)]);
    assert_eq!(
        looks(&script.finish(1, unreachable())).as_deref(),
        Some("look out")
    );
    assert_eq!(
        looks(&script.finish(2, well("db"))),
        None,
        "it may need nothing of it"
    );
    script.send(Event::CameBack);
    assert_eq!(
        looks(&script.finish(3, well("web"))).as_deref(),
        Some("look out no more")
    );
}
