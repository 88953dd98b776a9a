//! Events of the cluster: which are shown, where, and how often.

use super::script::*;
use crate::engine::Event;
use crate::model::ClusterEvent;
use crate::model::{ObjectUid, Timestamp};

fn send(script: &mut Script, event: ClusterEvent) -> String {
    script.send(Event::ClusterEventSeen(Box::new(event)))
}

fn deployed_web() -> Script {
    let mut script = Script::up(vec![manifest("web")]);
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    script
}

#[test]
fn an_event_is_shown_under_the_resource_that_owns_its_object() {
    let mut script = deployed_web();
    insta::assert_snapshot!(send(&mut script, warning(&pod("web", "web-1", 1), 1)), @r#"Info events:web "[event: pod web-1] it hurts\n""#);
    let mut elsewhere = warning(&pod("web", "web-2", 1), 1);
    elsewhere.about.1 = "shop".to_owned();
    insta::assert_snapshot!(send(&mut script, elsewhere), @r#"Info events:web "[event: pod shop/web-2] it hurts\n""#);
}

#[test]
fn only_what_is_worth_it_is_shown() {
    let rows = [
        ("Normal", "Scheduled", false),
        ("Normal", "Pulling", true),
        ("Normal", "Pulled", true),
        ("Odd", "X", true),
    ];
    for (kind, reason, is_shown) in rows {
        let mut script = deployed_web();
        let event = warning(&pod("web", "web-1", 1), 1);
        let event = ClusterEvent {
            kind: kind.to_owned(),
            reason: reason.to_owned(),
            ..event
        };
        assert_eq!(!send(&mut script, event).is_empty(), is_shown, "{kind} {reason}");
    }
}

#[test]
fn an_event_from_before_the_session_is_not_news_and_one_of_its_first_second_is() {
    for (second, is_shown) in [(-1, false), (0, true)] {
        let mut script = deployed_web();
        let last_seen = Timestamp::from_secs(STARTED + second);
        let event = ClusterEvent {
            last_seen,
            ..warning(&pod("web", "web-1", 1), 1)
        };
        assert_eq!(!send(&mut script, event).is_empty(), is_shown, "second {second}");
    }
}

#[test]
fn a_repeat_is_shown_when_it_occurred_again() {
    let mut script = deployed_web();
    let web = pod("web", "web-1", 1);
    let shown: Vec<bool> = [1, 1, 3, 2, 3, 4]
        .iter()
        .map(|count| !send(&mut script, warning(&web, *count)).is_empty())
        .collect();
    assert_eq!(shown, [true, false, true, false, false, true]);
}

#[test]
fn an_event_that_came_before_its_object_was_known_is_shown_once_it_is() {
    let mut script = Script::up(vec![manifest("web")]);
    assert_eq!(send(&mut script, warning(&pod("web", "web-1", 1), 1)), "");
    let effects = script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    assert!(effects.contains("[event: pod web-1] it hurts"), "{effects}");
    assert!(
        !script
            .pass(std::time::Duration::from_secs(1))
            .contains("it hurts")
    );
}

#[test]
fn of_an_event_that_came_too_early_only_the_last_repeat_is_shown() {
    let mut script = Script::up(vec![manifest("web")]);
    let web = pod("web", "web-1", 1);
    for count in 1..5 {
        let mut event = warning(&web, count);
        event.message = format!("it hurts {count}");
        assert_eq!(send(&mut script, event), "");
    }
    let effects = script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    assert!(effects.contains("[event: pod web-1] it hurts 4"), "{effects}");
    assert!(!effects.contains("it hurts 3"), "{effects}");
    assert_eq!(send(&mut script, warning(&web, 4)), "", "it was shown");
}

#[test]
fn an_old_event_counts_once_it_repeats() {
    let mut script = deployed_web();
    let web = pod("web", "web-1", 1);
    let old = ClusterEvent {
        last_seen: Timestamp::from_secs(STARTED - 60),
        ..warning(&web, 7)
    };
    assert_eq!(send(&mut script, old), "");
    assert_ne!(send(&mut script, warning(&web, 8)), "");
}

#[test]
fn a_repeat_that_is_not_counted_is_known_by_its_time() {
    let mut script = deployed_web();
    let event = warning(&pod("web", "web-1", 1), 1);
    let later = ClusterEvent {
        last_seen: Timestamp::from_secs(STARTED + 9),
        ..event.clone()
    };
    assert_ne!(send(&mut script, event.clone()), "");
    assert_ne!(send(&mut script, later), "");
    assert_eq!(send(&mut script, event), "", "a new list brings it back");
}

#[test]
fn an_event_that_a_stranger_repeats_pushes_none_of_ours_out() {
    let mut script = Script::up(vec![manifest("web")]);
    send(&mut script, warning(&pod("web", "first", 1), 1));
    for count in 0..3_000 {
        let mut stranger = warning(&pod("x", "x-1", 1), count);
        stranger.owner_chain = vec![ObjectUid::from("stranger")];
        send(&mut script, stranger);
    }
    let effects = script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    assert!(effects.contains("it hurts"), "{effects}");
}

#[test]
fn events_of_strangers_are_forgotten_in_the_end() {
    let mut script = Script::up(vec![manifest("web")]);
    send(&mut script, warning(&pod("web", "first", 1), 1));
    for n in 0..2_100 {
        let mut stranger = warning(&pod("x", &format!("x-{n}"), 1), 1);
        stranger.owner_chain = vec![ObjectUid::from("stranger")];
        send(&mut script, stranger);
    }
    let effects = script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    assert!(!effects.contains("it hurts"), "{effects}");
}

#[test]
fn an_object_that_two_resources_deployed_belongs_to_the_first() {
    let mut script = Script::up(vec![manifest("web"), manifest("also")]);
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    script.finish(2, deployed(&[], &[object("Deployment", "web")]));
    let shown = send(&mut script, warning(&pod("web", "web-1", 1), 1));
    assert!(shown.starts_with("Info events:web "), "{shown}");
}
