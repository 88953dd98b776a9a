//! Changes of files: which updates have read them, and which lead to another one.

use std::time::Duration;

use super::script::*;
use crate::engine::{Effect, Event, FileChange, LoadOutcome, Moment, UpdateOutcome};
use crate::model::{LoadId, LocalPath, Manifest, ManifestName, TargetId};
use crate::view::Settling;

/// Returns a script in which a command runs for the first time.
fn running() -> Script {
    Script::up(vec![local("t", "make", "")])
}

fn target() -> TargetId {
    TargetId::local(&"t".into())
}

fn change(target: TargetId, path: &str, after: Moment, is_same: bool) -> Event {
    let path = LocalPath::new(path);
    Event::FilesChanged(vec![FileChange {
        target,
        path,
        after,
        after_load: LoadId(u64::MAX),
        is_same,
        is_touched: false,
        seen: None,
    }])
}

/// A change of what the Tiltfile reads, after a load had read all.
fn change_after_load(load: u64, path: &str, is_same: bool) -> Event {
    let mut event = change(TargetId::configs(), path, Moment::MAX, is_same);
    if let Event::FilesChanged(changes) = &mut event {
        changes[0].after_load = LoadId(load);
    }
    event
}

fn ended() -> UpdateOutcome {
    UpdateOutcome {
        deployed: true,
        ..UpdateOutcome::default()
    }
}

fn moment(effects: &[Effect]) -> Moment {
    let started = effects.iter().find_map(|effect| match effect {
        Effect::StartUpdate(plan) => Some(plan.moment),
        _ => None,
    });
    started.expect("an update begins")
}

#[test]
fn what_an_update_found_leads_to_no_other_one_however_late_it_is_reported() {
    let mut script = running();
    assert_eq!(script.send(change(target(), "/src/a", 0, false)), "");
    assert_eq!(script.finish(1, ended()), "");
    assert_eq!(script.send(change(target(), "/src/a", 0, false)), "");
    let started = script.send(change(target(), "/src/a", Moment::MAX, false));
    assert_eq!(started, r#"start build:2 "1 File Changed: [a]": deploy local:t"#);
}

#[test]
fn what_changes_while_an_update_runs_leads_to_another_one() {
    let mut script = running();
    script.send(change(target(), "/src/a", Moment::MAX, false));
    let started = script.finish(1, ended());
    assert_eq!(started, r#"start build:2 "1 File Changed: [a]": deploy local:t"#);
}

#[test]
fn a_change_of_an_image_that_an_update_only_used_again_was_not_read_by_it() {
    let mut script = Script::up(vec![with_images("web", &["base", "app"])]);
    let built = [("base", "1"), ("app", "1")];
    script.finish(1, deployed(&built, &[object("Deployment", "web")]));
    let effects = script.effects(change(TargetId::image("app"), "/src/app/a", Moment::MAX, false));
    let before = moment(&effects) - 1;
    assert_eq!(
        script.send(change(TargetId::image("base"), "/src/base/b", before, false)),
        ""
    );
    assert_eq!(
        script.send(change(TargetId::image("app"), "/src/app/c", before, false)),
        ""
    );
    let started = script.finish(2, deployed(&[("app", "2")], &[object("Deployment", "web")]));
    assert!(
        started.contains(r#"start build:3 "1 File Changed: [base/b]""#),
        "{started}"
    );
}

#[test]
fn a_tiltfile_that_was_saved_just_before_it_is_read_is_read_once() {
    let mut script = Script::new(crate::engine::Mode::Up);
    script.send(Event::Started);
    let saved = change(TargetId::configs(), "/src/Tiltfile", 0, false);
    assert_eq!(script.send(saved.clone()), "");
    script.load(Vec::new());
    assert_eq!(script.send(saved), "");
    assert!(script.edit_tiltfile().contains("load 2"));
}

#[test]
fn what_a_load_writes_before_it_reads_it_is_no_news() {
    let outcome = || LoadOutcome {
        read: [LocalPath::new("/src/gen.yaml")].into(),
        ..loaded(Vec::new())
    };
    let mut script = Script::new(crate::engine::Mode::Up);
    script.send(Event::Started);
    let written = |is_same| change_after_load(0, "/src/gen.yaml", is_same);
    assert_eq!(script.send(written(false)), "", "while it is loaded");
    assert!(!script.finish_load(outcome()).contains("load 2"));
    assert_eq!(script.send(written(true)), "", "after it was loaded");
    assert_eq!(
        script.send(written(false)),
        "",
        "it was compared, though its content is not looked at when it is reported"
    );
    let edited = change_after_load(1, "/src/gen.yaml", false);
    assert!(script.send(edited).contains("load 2"), "an edit");
}

#[test]
fn an_edit_after_a_load_has_compared_what_it_read_is_not_lost() {
    let outcome = || LoadOutcome {
        read: [LocalPath::new("/src/values.yaml")].into(),
        ..loaded(Vec::new())
    };
    let mut script = Script::new(crate::engine::Mode::Up);
    script.send(Event::Started);
    let edited = change_after_load(1, "/src/values.yaml", false);
    assert_eq!(script.send(edited), "", "the load has not answered yet");
    assert!(script.finish_load(outcome()).contains("load 2"));
    assert!(!script.finish_load(outcome()).contains("load 3"));
}

#[test]
fn a_save_that_changes_nothing_starts_nothing() {
    let mut script = running();
    script.finish(1, ended());
    script.pass(Duration::from_secs(10));
    assert_eq!(script.send(change(target(), "/src/a", Moment::MAX, true)), "");
}

#[test]
fn a_touch_asks_for_an_update_unless_the_update_did_it() {
    let touched = || {
        let mut change = change(target(), "/src/a", Moment::MAX, true);
        let Event::FilesChanged(changes) = &mut change else {
            unreachable!("it is one");
        };
        changes[0].is_touched = true;
        change
    };
    let mut script = running();
    script.finish(1, ended());
    script.pass(Duration::from_secs(10));
    assert!(script.send(touched()).contains("start build:2"));
    // Each touches what it reads.
    script.send(touched());
    assert!(script.finish(2, ended()).contains("start build:3"), "once");
    script.send(touched());
    assert_eq!(script.finish(3, ended()).matches("start").count(), 0);
    assert_eq!(script.send(touched()), "", "it was told a moment later");
}

#[test]
fn a_file_that_an_update_writes_with_the_content_that_it_has_is_heeded_once() {
    let mut script = running();
    let mut updates = 1;
    for expected in [2, 3, 3] {
        let is_same = updates > 1;
        script.send(change(target(), "/src/a", Moment::MAX, is_same));
        updates += u64::from(script.finish(updates, ended()).contains("start"));
        assert_eq!(updates, expected);
    }
}

/// Lets an update write what it reads, a number of times.
fn go_round(script: &mut Script, rounds: u64) -> String {
    let mut said = String::new();
    for build in 1..=rounds {
        script.send(change(target(), "/src/lock", Moment::MAX, false));
        said = script.finish(build, ended());
    }
    said
}

#[test]
fn an_update_that_writes_what_it_reads_is_told_and_slowed() {
    let mut script = running();
    let said = go_round(&mut script, 5);
    let told =
        r#"Warn build:6 "\"lock\" changed in each of the last 5 runs, while \"t\" ran, and \"t\" reads it: "#;
    assert!(said.contains(told), "{said}");
    assert_eq!(go_round_again(&mut script), "", "it waits");
    assert_eq!(script.wakes_in(), Some(Duration::from_secs(1)));
    let started = script.pass(Duration::from_secs(1));
    assert_eq!(
        started,
        r#"start build:7 "1 File Changed: [lock]": deploy local:t"#
    );
}

fn go_round_again(script: &mut Script) -> String {
    script.send(change(target(), "/src/lock", Moment::MAX, false));
    script.finish(6, ended())
}

/// Returns what `await` answers of a resource, once it does.
fn awaited(settling: &mut Settling, script: &Script, name: &str) -> Option<(String, String)> {
    let (view, names) = (script.view(), [ManifestName::from("t")].into());
    if !settling.is_over(&view, &names) {
        return None;
    }
    let answer = crate::view::awaited(&view, &names, script.time());
    let mut resources = answer.resources.into_iter();
    let told = resources.find(|told| told.name == name)?;
    Some((told.result, told.reason))
}

#[test]
fn who_waits_for_an_update_that_goes_round_in_a_circle_is_told_so() {
    let (mut script, mut settling) = (running(), Settling::default());
    go_round(&mut script, 5);
    let mut awaited = |script: &Script| awaited(&mut settling, script, "t");
    assert_eq!(awaited(&script), None, "it runs");
    go_round_again(&mut script);
    assert_eq!(awaited(&script), None, "somebody may have written that");
    script.pass(Duration::from_secs(1));
    assert_eq!(awaited(&script), None, "it runs again");
    script.send(change(target(), "/src/lock", Moment::MAX, false));
    script.finish(7, ended());
    let (result, reason) = awaited(&script).expect("it will not settle by itself");
    assert_eq!(result, "failed");
    assert!(
        reason.contains("\"lock\" changed in each of the last 5 runs"),
        "{reason}"
    );
    script.send(change(target(), "/src/a", Moment::MAX, false));
    assert_eq!(awaited(&script), None, "an edit is waited for");
}

#[test]
fn an_edit_is_not_held_up_by_a_circle() {
    let mut script = running();
    go_round(&mut script, 5);
    go_round_again(&mut script);
    script.pass(Duration::from_millis(500));
    let started = script.send(change(target(), "/src/a", Moment::MAX, false));
    assert!(started.contains("start build:7"), "{started}");
}

#[test]
fn two_resources_that_write_what_the_other_one_reads_are_a_circle() {
    let both: Vec<Manifest> = ["a", "b"].map(|name| local(name, "make", "")).into();
    let mut script = Script::up(both);
    let mut said = script.finish(1, ended()) + &script.finish(2, ended());
    let id = |name: &str| TargetId::local(&name.into());
    said += &script.send(change(id("a"), "/src/x", Moment::MAX, false));
    let mut has_waited = false;
    for round in 0..12 {
        let (other, file) = if round % 2 == 0 {
            ("b", "/src/y")
        } else {
            ("a", "/src/x")
        };
        script.pass(Duration::from_millis(200));
        said += &script.send(change(id(other), file, Moment::MAX, false));
        said += &script.finish(3 + round, ended());
        has_waited |= script.wakes_in().is_some();
    }
    assert!(
        said.contains(r#"\"y\" changed in each of the last 5 runs, while \"a\" ran, and \"b\" reads it"#),
        "{said}"
    );
    assert!(has_waited, "one of them");
}

#[test]
fn who_waits_for_one_of_two_that_lead_to_each_other_is_told_of_the_circle() {
    let both: Vec<Manifest> = ["t", "other"].map(|name| local(name, "make", "")).into();
    let mut script = Script::up(both);
    script.finish(1, ended());
    script.finish(2, ended());
    let id = |name: &str| TargetId::local(&name.into());
    script.send(change(id("t"), "/src/x", Moment::MAX, false));
    let mut settling = Settling::default();
    let mut answers = Vec::new();
    // Each writes what the other one reads; what waits for its turn has it.
    for round in 0..30 {
        let (next, file) = match round % 2 {
            0 => ("other", "/src/y"),
            _ => ("t", "/src/x"),
        };
        script.pass(Duration::from_millis(200));
        script.send(change(id(next), file, Moment::MAX, false));
        script.finish(3 + round, ended());
        // Somebody who asks now, and somebody who has asked before.
        answers.push((
            awaited(&mut Settling::default(), &script, "t"),
            awaited(&mut settling, &script, "t"),
        ));
        if let Some(wait) = script.wakes_in() {
            script.pass(wait);
        }
    }
    let is_ok = |answer: &Option<(String, String)>| answer.as_ref().is_some_and(|(result, _)| result == "ok");
    let last_ok = answers
        .iter()
        .rposition(|(now, before)| is_ok(now) || is_ok(before));
    assert!(
        last_ok < Some(4),
        "they are known to lead to each other: {answers:#?}"
    );
    let told = answers
        .into_iter()
        .find_map(|(_, before)| before.filter(|(result, _)| result == "failed"));
    let (_, reason) = told.expect("it is told");
    assert!(reason.ends_with("this goes round in a circle"), "{reason}");
}

#[test]
fn a_tiltfile_that_writes_what_it_read_is_told_and_slowed_and_holds_up_nobody() {
    let mut script = Script::up(vec![local("t", "make", "")]);
    script.finish(1, ended());
    script.edit_tiltfile();
    let outcome = || LoadOutcome {
        read: [LocalPath::new("/src/gen")].into(),
        changed_meanwhile: vec![LocalPath::new("/src/gen")],
        ..loaded(vec![local("t", "make", "")])
    };
    let said: String = (0..6).map(|_| script.finish_load(outcome())).collect();
    assert!(
        said.contains(r#"\"gen\" changed in each of the last 5 runs, while \"(Tiltfile)\" ran"#),
        "{said}"
    );
    assert!(
        script
            .view()
            .resources
            .iter()
            .all(|resource| resource.hold.is_none())
    );
    let started = script.send(change(target(), "/src/a", Moment::MAX, false));
    assert!(started.contains("start build:2"), "{started}");
    script.finish(2, ended());
    let mut settling = Settling::default();
    let mut awaited = |script: &Script, name: &str| awaited(&mut settling, script, name);
    assert_eq!(
        awaited(&script, "(Tiltfile)"),
        None,
        "somebody may have written that"
    );
    let wait = script.wakes_in().expect("the next round");
    assert!(script.pass(wait).contains("load 8"));
    script.finish_load(outcome());
    let (result, reason) = awaited(&script, "(Tiltfile)").expect("it will not settle by itself");
    assert_eq!(result, "failed");
    assert!(reason.ends_with("this goes round in a circle"), "{reason}");
    let (result, _) = awaited(&script, "t").expect("it is asked for");
    assert_eq!(result, "pending", "how it did is no verdict on what was not read");
    let wait = script.wakes_in().expect("the next round");
    assert!(script.pass(wait).contains("load 9"));
    assert_eq!(awaited(&script, "(Tiltfile)"), None, "it is being read");
    script.finish_load(loaded(vec![local("t", "make", "")]));
    assert_eq!(awaited(&script, "(Tiltfile)"), None, "it may be broken no more");
}

#[test]
fn arguments_that_a_load_has_heeded_switch_nothing_on_at_the_next_one() {
    let mut script = Script::new(crate::engine::Mode::Up);
    script.send(Event::Started);
    script.send(Event::ArgsChanged(vec!["t".to_owned()]));
    script.send(Event::CancelRequested("tiltfile:(Tiltfile):1".into()));
    let load = |script: &mut Script, load| {
        script.send(Event::TiltfileLoaded {
            load: LoadId(load),
            outcome: Box::new(loaded(vec![local("t", "make", "")])),
        });
    };
    load(&mut script, 2);
    script.send(Event::EnablementChanged {
        manifest: "t".into(),
        enabled: false,
    });
    script.edit_tiltfile();
    load(&mut script, 3);
    assert!(!script.resource("t").enabled);
}
