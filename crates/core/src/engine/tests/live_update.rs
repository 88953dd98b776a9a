//! Changes of running containers in place: when, in which ones, and when a build comes instead.

use std::time::Duration;

use super::script::*;
use crate::engine::live_update::plan::{Difference, Plan, Wait, plan};
use crate::engine::{ClusterStatus, Event, Mode};
use crate::model::*;
use crate::view::UpdateStatus;

fn sync(from: &str, to: &str) -> Sync {
    Sync {
        source: LocalPath::new(from),
        destination: to.to_owned(),
    }
}

fn exec(text: &str, triggers: &[&str]) -> Exec {
    Exec {
        argv: vec![text.to_owned()],
        triggers: triggers.iter().map(|trigger| (*trigger).to_owned()).collect(),
        echo_off: false,
    }
}

/// Returns a live update that copies `/src/app/code` to `/code`, and is stopped by `/src/app/code/stop`.
fn live_update() -> LiveUpdate {
    LiveUpdate {
        base: LocalPath::new("/src"),
        initial_sync: false,
        stop_paths: vec![LocalPath::new("/src/app/code/stop")],
        syncs: vec![sync("/src/app/code", "/code")],
        execs: Vec::new(),
        restart: false,
        container: None,
    }
}

/// Returns a resource with an image that is changed in place.
fn live(change: impl FnOnce(&mut LiveUpdate)) -> Manifest {
    let mut manifest = with_images("web", &["app"]);
    let mut update = live_update();
    change(&mut update);
    manifest.images[0].live_update = Some(update);
    manifest
}

fn as_declared(_: &mut LiveUpdate) {}

/// Returns a script in which that resource is deployed and its pod runs.
fn running(manifest: Manifest) -> Script {
    let mut script = Script::up(vec![manifest]);
    deploy(&mut script, 1, "t1");
    script.see(pod("web", "web-1", 1));
    script
}

fn deploy(script: &mut Script, build: u64, tag: &str) -> String {
    script.finish(build, deployed(&[("app", tag)], &[object("Deployment", "web")]))
}

fn app() -> TargetId {
    TargetId::image("app")
}

fn edit(script: &mut Script, files: &[&str]) -> String {
    let files: Vec<String> = files.iter().map(|file| format!("/src/app/{file}")).collect();
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    script.edit(app(), &files)
}

fn end(
    script: &mut Script,
    update: u64,
    container: &str,
    outcome: Result<Box<Synced>, SyncFailure>,
) -> String {
    script.send(Event::ContainerUpdated {
        update: LiveUpdateId(update),
        container_id: container.to_owned(),
        outcome,
    })
}

fn well() -> Result<Box<Synced>, SyncFailure> {
    Ok(Box::default())
}

fn updated(script: &mut Script, update: u64) -> String {
    end(script, update, "id-main", well())
}

fn hold(script: &Script) -> Option<&'static str> {
    script.resource("web").hold.map(|hold| hold.reason)
}

fn status(script: &Script) -> UpdateStatus {
    script.resource("web").update_status
}

/// Returns a pod whose container is another run, with this id and state.
fn with_container(name: &str, id: &str, state: ContainerState) -> Pod {
    let mut pod = pod("web", name, 1);
    pod.containers[0].id = id.to_owned();
    pod.containers[0].state = state;
    pod
}

mod rules {
    use super::*;

    fn planned(update: &LiveUpdate, pod: &Pod, files: &[&str]) -> Plan {
        let files: Vec<LocalPath> = files.iter().map(LocalPath::new).collect();
        let difference = Difference {
            files: files.iter().collect(),
            unfinished: files.iter().collect(),
            ..Difference::default()
        };
        let cwd = LocalPath::new("/src");
        plan(update, (pod, &pod.containers[0]), &difference, &cwd)
    }

    fn shown(plan: Plan) -> String {
        match plan {
            Plan::Build(why) => format!("{}: {}", why.reason, why.message),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn the_checks_come_in_order() {
        let update = live_update();
        let runs = pod("web", "web-1", 1);
        let with = |state| with_container("web-1", "id", state);
        let in_phase = |phase| Pod {
            phase,
            ..runs.clone()
        };
        let again = |state| {
            let mut pod = with(state);
            pod.containers[0].restarts = 1;
            pod
        };
        let once = |state| Pod {
            restarts: RestartPolicy::Never,
            ..with(state)
        };
        let unmatched =
            "UpdateStopped: Found file(s) not matching any sync (files: [app/other]); synced: [app/code]";
        let stopped = "UpdateStopped: Detected change to stop file \"/src/app/code/stop/it\"; fall_back_on: [app/code/stop]";
        let crashing = "CrashLoopBackOff: Cannot live update because container crashing. Pod: web-1";
        let (file, other, stop) = ("/src/app/code/a", "/src/app/other", "/src/app/code/stop/it");
        for (why, pod, files, expected) in [
            (
                "a pod that succeeded",
                &in_phase(PodPhase::Succeeded),
                &[other][..],
                "Ended",
            ),
            ("a pod that failed", &in_phase(PodPhase::Failed), &[file], "Ended"),
            (
                "a container that ended for good",
                &once(terminated(1)),
                &[file],
                "Ended",
            ),
            (
                "one that its pod starts again",
                &with(terminated(1)),
                &[file],
                "Wait(Container)",
            ),
            (
                "one that ended again, so that it has to wait",
                &again(terminated(1)),
                &[file],
                crashing,
            ),
            (
                "a file that no step copies",
                &runs,
                &[file, other, stop],
                unmatched,
            ),
            (
                "the same in one that does not run",
                &with(waiting("ContainerCreating")),
                &[other],
                unmatched,
            ),
            ("a file that stops live updates", &runs, &[file, stop], stopped),
            ("no file", &with(waiting("CrashLoopBackOff")), &[], "Nothing"),
            (
                "a crash loop",
                &with(waiting("CrashLoopBackOff")),
                &[file],
                crashing,
            ),
            (
                "one that is being made",
                &with(waiting("ContainerCreating")),
                &[file],
                "Wait(Container)",
            ),
            (
                "one without an id",
                &with_container("web-1", "", ContainerState::Running),
                &[file],
                "Wait(Container)",
            ),
        ] {
            assert_eq!(shown(planned(&update, pod, files)), expected, "{why}");
        }
    }

    #[test]
    fn a_stop_path_that_no_step_copies_is_named_as_the_rule_that_matched() {
        let mut update = live_update();
        update.stop_paths = vec![LocalPath::new("/src/app/lock")];
        assert_eq!(
            shown(planned(&update, &pod("web", "web-1", 1), &["/src/app/lock"])),
            "UpdateStopped: Found file(s) not matching any sync (files: [app/lock]); synced: [app/code]; fall_back_on: [app/lock]"
        );
    }

    #[test]
    fn files_that_wait_for_a_user_come_after_all_else() {
        let update = live_update();
        let (asked, unasked) = (
            LocalPath::new("/src/app/code/a"),
            LocalPath::new("/src/app/code/b"),
        );
        let pod = pod("web", "web-1", 1);
        let mut difference = Difference {
            files: [&unasked].into(),
            unasked: [&unasked].into(),
            ..Difference::default()
        };
        let cwd = LocalPath::new("/src");
        let planned =
            |difference: &Difference<'_>| plan(&update, (&pod, &pod.containers[0]), difference, &cwd);
        assert_eq!(planned(&difference), Plan::Wait(Wait::Trigger));
        difference.files.insert(&asked);
        let Plan::Change(work) = planned(&difference) else {
            panic!("what was asked for does not wait");
        };
        assert!(format!("{work:?}").contains("/code/a") && !format!("{work:?}").contains("/code/b"));
    }

    #[test]
    fn the_first_step_that_has_a_file_says_where_it_goes() {
        let update = LiveUpdate {
            syncs: vec![
                sync("/src/app/code/special", "/else/where"),
                sync("/src/app/code", "/code"),
                sync("/src/app/one.txt", "/etc/"),
                sync("/src/app/two.txt", "/etc/2"),
            ],
            ..live_update()
        };
        let pod = pod("web", "web-1", 1);
        let files = [
            ("/src/app/code/special/x", "/else/where/x"),
            ("/src/app/code/special", "/else/where"),
            ("/src/app/code/a/b", "/code/a/b"),
            ("/src/app/one.txt", "/etc/one.txt"),
            ("/src/app/two.txt", "/etc/2"),
        ];
        for (file, place) in files {
            let Plan::Change(work) = planned(&update, &pod, &[file]) else {
                panic!("{file} is copied");
            };
            let expected = format!("ContainerPath({place:?})");
            assert!(format!("{work:?}").contains(&expected), "{file}: {work:?}");
        }
    }
}

#[test]
fn a_save_is_in_the_container_without_a_build() {
    let mut script = running(live(as_declared));
    insta::assert_snapshot!(edit(&mut script, &["code/a"]), @r#"update liveupdate:web:1 "1 File Changed: [app/code/a]": web-1/id-main [/src/app/code/a->/code/a]"#);
    assert_eq!(
        (status(&script), hold(&script)),
        (UpdateStatus::InProgress, Some("reconciling"))
    );
    assert_eq!(updated(&mut script, 1), "");
    assert_eq!((status(&script), hold(&script)), (UpdateStatus::Ok, None));
    let record = &script.resource("web").history[0];
    assert_eq!(
        (record.reason.as_str(), record.span.as_str()),
        ("Changed Files", "liveupdate:web:1")
    );
    let again = edit(&mut script, &["code/b"]);
    assert!(
        again.contains("[/src/app/code/b->/code/b]"),
        "not the first file again: {again}"
    );
}

#[test]
fn a_file_that_no_step_copies_and_one_that_stops_it_lead_to_a_build_and_that_is_said() {
    let mut script = running(live(as_declared));
    insta::assert_snapshot!(edit(&mut script, &["code/stop"]), @r#"
    Info liveupdate:web "LiveUpdate \"web:app\" UpdateStopped: Detected change to stop file \"/src/app/code/stop\"; fall_back_on: [app/code/stop]\n"
    start build:2 "1 File Changed: [app/code/stop]": build app and push, deploy k8s:web
    "#);
    deploy(&mut script, 2, "t2");
    let other = edit(&mut script, &["other"]);
    assert!(
        other.contains("not matching any sync (files: [app/other])") && other.contains("start build:3"),
        "{other}"
    );
}

#[test]
fn what_changed_during_a_sync_is_synced_after_it() {
    let mut script = running(live(as_declared));
    edit(&mut script, &["code/a"]);
    assert_eq!(
        edit(&mut script, &["code/b"]),
        "",
        "one after the other in one container"
    );
    let next = updated(&mut script, 1);
    assert!(
        next.contains("1 File Changed: [app/code/b]") && !next.contains("code/a"),
        "{next}"
    );
    assert_eq!(status(&script), UpdateStatus::InProgress);
    updated(&mut script, 2);
    assert_eq!(status(&script), UpdateStatus::Ok);
}

#[test]
fn what_changed_during_a_build_is_synced_into_what_it_deploys() {
    let mut script = running(live(as_declared));
    edit(&mut script, &["other"]);
    assert_eq!(
        edit(&mut script, &["code/a"]),
        "",
        "a live update that gave up waits for the build"
    );
    deploy(&mut script, 2, "t1");
    let mut new = with_container("web-2", "id-new", ContainerState::Running);
    new.created = Timestamp::from_secs(STARTED + 9);
    script.send(Event::PodGone(ObjectUid::new("pod-web-1")));
    let synced = script.see(new);
    assert!(
        synced.contains("web-2/id-new [/src/app/code/a->/code/a]"),
        "{synced}"
    );
}

#[test]
fn a_change_before_the_first_container_waits_for_it() {
    let mut script = Script::up(vec![live(as_declared)]);
    deploy(&mut script, 1, "t1");
    assert_eq!(edit(&mut script, &["code/a"]), "");
    assert_eq!(
        (status(&script), hold(&script)),
        (UpdateStatus::Pending, Some("waiting-for-deploy"))
    );
    script.see(with_container("web-1", "", waiting("ContainerCreating")));
    assert_eq!(hold(&script), Some("reconciling"));
    let started = script.see(pod("web", "web-1", 1));
    assert!(
        started.starts_with("update") || started.contains("\nupdate"),
        "{started}"
    );
}

#[test]
fn a_change_brings_back_what_somebody_deleted() {
    let mut script = running(live(as_declared));
    script.send(Event::ObjectGone("deployment-web".into()));
    script.send(Event::PodGone(ObjectUid::new("pod-web-1")));
    let changed = edit(&mut script, &["code/a"]);
    assert!(changed.contains("start build:2"), "{changed}");
}

#[test]
fn where_somebody_else_deployed_anew_that_is_told_once_and_a_change_leads_to_a_build() {
    let of_another_deploy = |set_made: i64| {
        let mut theirs = pod("web", "theirs-1", 20);
        theirs.labels = vec![("tilt.dev/pod-template-hash".to_owned(), "h2".to_owned())];
        theirs.owners[0].uid = ObjectUid::new("set-theirs");
        theirs.owners[0].created = Some(Timestamp::from_secs(STARTED + set_made));
        theirs
    };
    for (set_made, is_told) in [(20, true), (0, false)] {
        let mut script = running(live(as_declared));
        script.pass(Duration::from_secs(20));
        assert!(!script.see(of_another_deploy(set_made)).contains("somebody else"));
        let said = script.send(Event::PodGone(ObjectUid::new("pod-web-1")));
        let warning = "somebody else deployed this anew: pod theirs-1 is not of this session's deploy";
        assert_eq!(said.contains(warning), is_told, "{said}");
        assert!(!script.see(of_another_deploy(set_made)).contains("somebody else"));
        let changed = edit(&mut script, &["code/a"]);
        assert_eq!(changed.contains("start build:2"), is_told, "{changed}");
        if is_told {
            deploy(&mut script, 2, "t2");
            script.see(pod("web", "web-2", 21));
            assert!(edit(&mut script, &["code/a"]).contains("update liveupdate"));
        }
    }
}

#[test]
fn a_change_that_cannot_be_synced_does_not_wait_for_a_container() {
    let mut script = Script::up(vec![live(as_declared)]);
    deploy(&mut script, 1, "t1");
    for file in ["other", "code/stop"] {
        let started = edit(&mut script, &[file]);
        assert!(started.contains("start build:"), "{started}");
        let build = if file == "other" { 2 } else { 3 };
        deploy(&mut script, build, "t1");
    }
}

#[test]
fn after_a_build_that_failed_a_change_leads_to_a_build() {
    let mut script = running(live(as_declared));
    edit(&mut script, &["other"]);
    script.finish(2, failed("it broke"));
    let again = edit(&mut script, &["code/a"]);
    assert!(
        again.contains("start build:3") && !again.contains("update liveupdate"),
        "{again}"
    );
}

#[test]
fn a_build_that_failed_during_a_sync_is_not_hidden_by_its_end() {
    let mut script = running(live(as_declared));
    edit(&mut script, &["code/a"]);
    edit(&mut script, &["other"]);
    script.finish(2, failed("it broke"));
    updated(&mut script, 1);
    assert_eq!(status(&script), UpdateStatus::Error);
    assert_eq!(script.resource("web").error().as_deref(), Some("it broke"));
}

#[test]
fn all_containers_are_updated_and_a_new_one_gets_what_the_others_have() {
    let mut script = running(live(as_declared));
    script.see(with_container("web-2", "id-2", ContainerState::Running));
    let both = edit(&mut script, &["code/a"]);
    assert!(
        both.contains("web-1/id-main [") && both.contains("web-2/id-2 ["),
        "{both}"
    );
    end(&mut script, 1, "id-2", well());
    assert_eq!(status(&script), UpdateStatus::InProgress, "one is still to come");
    let ahead = edit(&mut script, &["code/b"]);
    assert!(
        ahead.contains("web-2/id-2 [/src/app/code/b") && !ahead.contains("id-main"),
        "a slow one holds up no other: {ahead}"
    );
    updated(&mut script, 1);
    end(&mut script, 2, "id-2", well());
    updated(&mut script, 3);
    assert_eq!(status(&script), UpdateStatus::Ok);
    let third = script.see(with_container("web-3", "id-3", ContainerState::Running));
    assert!(
        third.contains("[/src/app/code/a->/code/a /src/app/code/b->/code/b]"),
        "{third}"
    );
    assert_eq!(
        status(&script),
        UpdateStatus::InProgress,
        "it differs from the disk"
    );
}

#[test]
fn a_container_that_restarted_gets_all_that_changed_since_its_image_was_built() {
    let mut script = running(live(as_declared));
    edit(&mut script, &["code/a"]);
    updated(&mut script, 1);
    assert_eq!(
        script
            .see(with_container("web-1", "id-main", waiting("Error")))
            .matches("update")
            .count(),
        0
    );
    let again = script.see(with_container("web-1", "id-again", ContainerState::Running));
    assert!(
        again.contains("web-1/id-again [/src/app/code/a->/code/a]"),
        "{again}"
    );
}

#[test]
fn an_answer_about_a_container_that_is_gone_counts_for_nobody() {
    let mut script = running(live(as_declared));
    edit(&mut script, &["code/a"]);
    let again = script.see(with_container("web-1", "id-again", ContainerState::Running));
    assert!(again.contains("id-again [/src/app/code/a->/code/a]"), "{again}");
    updated(&mut script, 1);
    assert_eq!(status(&script), UpdateStatus::InProgress);
    end(&mut script, 2, "id-again", well());
    assert_eq!(status(&script), UpdateStatus::Ok);
    assert_eq!(end(&mut script, 2, "id-again", well()), "");
}

#[test]
fn a_connection_that_was_lost_is_tried_again_and_never_leads_to_a_build() {
    let mut script = running(live(as_declared));
    edit(&mut script, &["code/a"]);
    let lost = || Err(SyncFailure::ConnectionLost("eof".to_owned()));
    assert_eq!(end(&mut script, 1, "id-main", lost()), "");
    assert_eq!(status(&script), UpdateStatus::Pending);
    assert!(script.resource("web").history.len() == 1, "nothing that is told");
    for (update, pause) in [(2, 200), (3, 400), (4, 800), (5, 1_600), (6, 3_200), (7, 4_000)] {
        assert_eq!(
            script.wakes_in(),
            Some(Duration::from_millis(pause)),
            "before round {update}"
        );
        let again = script.pass(Duration::from_millis(pause));
        assert!(again.ends_with("] again"), "{again}");
        assert_eq!(end(&mut script, update, "id-main", lost()), "");
    }
    let at_once = script.send(Event::CameBack);
    assert!(at_once.contains("update liveupdate:web:8"), "{at_once}");
    updated(&mut script, 8);
    assert_eq!(status(&script), UpdateStatus::Ok);
}

#[test]
fn what_keeps_a_new_attempt_from_being_made_does_not_wake_the_engine_for_ever() {
    let lost = || Err(SyncFailure::ConnectionLost("eof".to_owned()));
    for obstacle in [
        "a build that failed",
        "a file that needs a build",
        "a container that does not run",
    ] {
        let mut script = running(live(as_declared));
        edit(&mut script, &["code/a"]);
        end(&mut script, 1, "id-main", lost());
        match obstacle {
            "a container that does not run" => {
                drop(script.see(with_container("web-1", "id-main", waiting("Error"))))
            }
            _ => drop(edit(&mut script, &["other"])),
        }
        if obstacle == "a build that failed" {
            script.finish(2, failed("it broke"));
        }
        script.pass(Duration::from_secs(60));
        assert_eq!(script.wakes_in(), None, "{obstacle}");
    }
}

#[test]
fn a_command_that_fails_is_red_until_the_next_save_which_runs_it_again() {
    let mut script = running(live(|update| {
        update.execs = vec![exec("install", &["app/code/needs"]), exec("poke", &[])]
    }));
    let first = edit(&mut script, &["code/needs"]);
    assert!(first.contains("run install run poke"), "{first}");
    let failed = Err(SyncFailure::CommandFailed {
        command: "install".to_owned(),
        exit_code: 1,
    });
    assert_eq!(end(&mut script, 1, "id-main", failed), "", "and no build");
    assert_eq!(status(&script), UpdateStatus::Error);
    assert_eq!(
        script.resource("web").error().as_deref(),
        Some("command \"install\" failed with exit code: 1")
    );
    let next = edit(&mut script, &["code/a"]);
    assert!(
        next.contains("[/src/app/code/a->/code/a] run install run poke due"),
        "{next}"
    );
    updated(&mut script, 2);
    assert_eq!(status(&script), UpdateStatus::Ok);
    let last = edit(&mut script, &["code/a"]);
    assert!(
        !last.contains("run install") && last.contains("run poke"),
        "{last}"
    );
}

#[test]
fn what_cannot_be_changed_at_all_is_built_with_all_that_changed() {
    let mut script = running(live(as_declared));
    edit(&mut script, &["code/a"]);
    let fault = || Err(SyncFailure::Other("no tar".to_owned()));
    insta::assert_snapshot!(end(&mut script, 1, "id-main", fault()), @r#"
    Info liveupdate:web "LiveUpdate \"web:app\" UpdateFailed: Updating pod web-1: no tar\n"
    start build:2 "1 File Changed: [app/code/a]": build app and push, deploy k8s:web
    "#);
    assert_eq!(
        script.resource("web").history[0].error.as_deref(),
        Some("Updating pod web-1: no tar")
    );
    let built = deploy(&mut script, 2, "t1");
    assert!(!built.contains("start build"), "{built}");
}

#[test]
fn a_crash_loop_and_containers_that_ended_lead_to_a_build() {
    let mut script = running(live(as_declared));
    script.see(with_container("web-1", "id-main", waiting("CrashLoopBackOff")));
    let built = edit(&mut script, &["code/a"]);
    assert!(
        built.contains("CrashLoopBackOff: Cannot live update") && built.contains("start build:2"),
        "{built}"
    );
    let mut script = running(live(as_declared));
    let mut ended = with_container("web-1", "id-main", terminated(1));
    ended.restarts = RestartPolicy::Never;
    script.see(ended);
    let built = edit(&mut script, &["code/a"]);
    assert!(
        built.contains("Terminated: Container for live update is stopped. Pod: web-1"),
        "{built}"
    );
    let mut script = running(live(as_declared));
    let mut ended = with_container("web-2", "id-2", terminated(1));
    ended.restarts = RestartPolicy::Never;
    script.see(ended);
    let synced = edit(&mut script, &["code/a"]);
    assert!(
        synced.contains("id-main") && !synced.contains("id-2"),
        "only the one that runs: {synced}"
    );
    updated(&mut script, 1);
    assert_eq!(status(&script), UpdateStatus::Ok);
}

#[test]
fn files_of_a_base_image_go_through_the_live_update_of_the_deployed_one() {
    let mut manifest = with_images("web", &["base", "app"]);
    let mut update = live_update();
    update.syncs.push(sync("/src/base/lib", "/lib"));
    manifest.images[1].live_update = Some(update.clone());
    // One of a mere base image changes nothing.
    update.syncs = vec![sync("/src/base/lib", "/wrong")];
    manifest.images[0].live_update = Some(update);
    let mut script = Script::up(vec![manifest]);
    let applied = [object("Deployment", "web")];
    script.finish(1, deployed(&[("base", "t1"), ("app", "t1")], &applied));
    script.see(pod("web", "web-1", 1));
    let synced = script.edit(TargetId::image("base"), &["/src/base/lib/x"]);
    assert!(synced.contains("[/src/base/lib/x->/lib/x]"), "{synced}");
    updated(&mut script, 1);
    assert_eq!(status(&script), UpdateStatus::Ok);
    let built = script.edit(TargetId::image("base"), &["/src/base/other"]);
    assert!(
        built.contains("not matching any sync") && built.contains("start build:2"),
        "{built}"
    );
}

#[test]
fn two_containers_of_a_pod_have_a_live_update_each() {
    let mut manifest = with_images("web", &["app"]);
    let mut other = with_images("other", &["side"]).images.remove(0);
    manifest.images[0].live_update = Some(live_update());
    let to_side = LiveUpdate {
        syncs: vec![sync("/src/side", "/side")],
        ..live_update()
    };
    other.live_update = Some(to_side);
    manifest.images.push(other);
    let manifest = k8s(manifest, |target| target.images.push(TargetId::image("side")));
    let mut script = Script::up(vec![manifest]);
    let applied = [object("Deployment", "web")];
    script.finish(1, deployed(&[("app", "t1"), ("side", "t1")], &applied));
    let mut pod = pod("web", "web-1", 1);
    let mut side = container("side", ContainerState::Running, true);
    side.image = "docker.io/library/side:t1".to_owned();
    pod.containers.push(side);
    pod.init_containers = vec![container("init", ContainerState::Running, true)];
    script.see(pod);
    let app = edit(&mut script, &["code/a"]);
    assert!(
        app.contains("web-1/id-main") && !app.contains("id-side") && !app.contains("id-init"),
        "{app}"
    );
    let side = script.edit(TargetId::image("side"), &["/src/side/x"]);
    assert!(side.contains("web-1/id-side [/src/side/x->/side/x]"), "{side}");
}

#[test]
fn an_image_that_is_never_built_is_changed_in_place_and_else_deployed_again() {
    let mut manifest = live(|update| update.container = Some("main".to_owned()));
    manifest.images[0].build = ImageBuild::Custom(CustomBuild {
        command: Command::default(),
        deps: None,
        output: OutputMode::Remote,
        tag: None,
        image_ref_file: None,
        live_update_only: true,
    });
    let manifest = k8s(manifest, |target| target.images.clear());
    let mut script = Script::up(vec![manifest]);
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    let mut other = pod("web", "web-1", 1);
    other.containers[0].image = "made/elsewhere:4".to_owned();
    script.see(other);
    let synced = edit(&mut script, &["code/a"]);
    assert!(
        synced.contains("web-1/id-main [/src/app/code/a->/code/a]"),
        "{synced}"
    );
    updated(&mut script, 1);
    let again = edit(&mut script, &["other"]);
    assert!(
        again.contains("start build:2 \"1 File Changed: [app/other]\": deploy k8s:web"),
        "{again}"
    );
}

#[test]
fn a_live_update_that_matches_no_container_is_warned_of_once_and_holds_nothing() {
    let manifest = live(|update| update.container = Some("nosuch".to_owned()));
    let mut script = Script::up(vec![manifest]);
    deploy(&mut script, 1, "t1");
    let warned = script.see(pod("web", "web-1", 1));
    insta::assert_snapshot!(warned.lines().find(|line| line.starts_with("Warn")).unwrap_or_default(), @r#"Warn liveupdate:web "LiveUpdate \"web:app\" changes no container: none of pod web-1 is named \"nosuch\". There are: main (app:t1). A change leads to a full build\n""#);
    let built = edit(&mut script, &["code/a"]);
    assert!(
        built.contains("start build:2") && !built.contains("changes no container"),
        "{built}"
    );
}

#[test]
fn all_is_copied_once_into_each_new_container_where_that_is_asked_for() {
    let mut script = Script::up(vec![live(|update| {
        update.initial_sync = true;
        update.execs = vec![exec("install", &["app/code/needs"])];
    })]);
    deploy(&mut script, 1, "t1");
    let first = script.see(pod("web", "web-1", 1));
    assert!(
        first.contains(r#""Initial Sync": web-1/id-main [everything] run install due"#),
        "{first}"
    );
    assert_eq!(status(&script), UpdateStatus::InProgress);
    updated(&mut script, 1);
    assert_eq!(status(&script), UpdateStatus::Ok);
    let same = script.see(pod("web", "web-1", 1));
    assert!(!same.contains("update"), "{same}");
    let new = script.see(with_container("web-1", "id-new", ContainerState::Running));
    assert!(new.contains("id-new [everything]"), "{new}");
    end(&mut script, 2, "id-new", well());
    let edited = edit(&mut script, &["code/a"]);
    assert!(edited.contains("id-new [/src/app/code/a->/code/a]"), "{edited}");
}

#[test]
fn a_container_that_is_older_than_the_session_is_compared_once_and_told_of_only_if_it_differs() {
    for (differs, n_records) in [(false, 1), (true, 2)] {
        let mut script = Script::up(vec![live(|update| update.execs = vec![exec("poke", &[])])]);
        deploy(&mut script, 1, "t1");
        let older = pod("web", "web-1", -60);
        let compared = script.see(older.clone());
        assert!(
            compared.contains("web-1/id-main [everything that differs] run poke"),
            "{compared}"
        );
        assert!(
            !compared.contains(" due"),
            "nothing is run where nothing differs: {compared}"
        );
        let synced = Synced {
            deleted: differs
                .then(|| (LocalPath::new("/src/app/code/a"), ContainerPath::new("/code/a")))
                .into_iter()
                .collect(),
            ..Synced::default()
        };
        end(&mut script, 1, "id-main", Ok(Box::new(synced)));
        assert_eq!(script.resource("web").history.len(), n_records);
        assert_eq!(status(&script), UpdateStatus::Ok);
        assert!(!script.see(older).contains("update liveupdate"));
        assert!(edit(&mut script, &["code/a"]).contains("[/src/app/code/a->/code/a]"));
    }
}

#[test]
fn a_first_copy_that_fails_is_red_and_builds_nothing() {
    let mut script = Script::up(vec![live(|update| update.initial_sync = true)]);
    deploy(&mut script, 1, "t1");
    script.see(pod("web", "web-1", 1));
    let fault = Err(SyncFailure::Other("no tar".to_owned()));
    let told = end(&mut script, 1, "id-main", fault);
    assert!(!told.contains("start build"), "{told}");
    assert_eq!(status(&script), UpdateStatus::Error);
}

#[test]
fn a_run_that_ends_by_itself_waits_for_the_first_copy() {
    let mut script = Script::ci(
        CiSettings::default(),
        vec![live(|update| update.initial_sync = true)],
    );
    deploy(&mut script, 1, "t1");
    let seen = script.see(pod("web", "web-1", 1));
    assert!(seen.contains("everything") && !seen.contains("exit"), "{seen}");
    assert!(updated(&mut script, 1).contains("exit Succeeded"));
}

#[test]
fn where_changes_wait_for_a_user_they_are_synced_when_asked_for() {
    let mut manifest = live(as_declared);
    manifest.trigger_mode = TriggerMode::ManualWithAutoInit;
    let mut script = running(manifest);
    assert_eq!(edit(&mut script, &["code/a"]), "");
    let trigger = |script: &mut Script| {
        script.send(Event::Triggered {
            manifest: ManifestName::new("web"),
            reason: TriggerReason::Cli,
        })
    };
    let synced = trigger(&mut script);
    assert!(
        synced.contains("update liveupdate:web:1") && !synced.contains("start"),
        "{synced}"
    );
    updated(&mut script, 1);
    assert_eq!(status(&script), UpdateStatus::Ok);
    assert!(!script.resource("web").queued);
    edit(&mut script, &["code/b"]);
    let new = script.see(with_container("web-1", "id-new", ContainerState::Running));
    assert!(
        new.contains("code/a->") && !new.contains("code/b"),
        "what was asked for, no more: {new}"
    );
    end(&mut script, 2, "id-new", well());
    edit(&mut script, &["code/stop"]);
    let built = trigger(&mut script);
    assert!(
        built.contains("UpdateStopped") && built.contains("start build:2 \"2 Files Changed"),
        "{built}"
    );
}

#[test]
fn a_user_who_asks_for_an_update_where_changes_come_by_themselves_gets_a_build() {
    let mut script = running(live(as_declared));
    let built = script.send(Event::Triggered {
        manifest: ManifestName::new("web"),
        reason: TriggerReason::Cli,
    });
    assert!(built.contains("start build:2 \"CLI Trigger\": force"), "{built}");
}

#[test]
fn a_container_that_survives_a_build_gets_what_it_may_lack() {
    let mut script = running(live(as_declared));
    edit(&mut script, &["code/a"]);
    updated(&mut script, 1);
    edit(&mut script, &["code/a", "other"]);
    let same = deploy(&mut script, 2, "t1");
    assert!(
        same.contains("web-1/id-main [/src/app/code/a->/code/a]"),
        "{same}"
    );
    assert!(
        !same.contains("start build"),
        "what has no place in a container does not matter: {same}"
    );
    updated(&mut script, 2);
    assert_eq!(status(&script), UpdateStatus::Ok);
}

#[test]
fn a_resource_that_is_switched_off_is_updated_no_more() {
    let mut script = running(live(as_declared));
    edit(&mut script, &["code/a"]);
    script.send(Event::EnablementChanged {
        manifest: ManifestName::new("web"),
        enabled: false,
    });
    assert_eq!(updated(&mut script, 1), "");
    assert_eq!(edit(&mut script, &["code/b"]), "");
}

#[test]
fn a_live_update_can_be_cancelled() {
    let mut script = running(live(as_declared));
    edit(&mut script, &["code/a"]);
    let cancelled = script.send(Event::CancelRequested(SpanId::new("liveupdate:web:1")));
    assert_eq!(cancelled, "cancel live update 1");
}

#[test]
fn no_container_is_changed_where_images_are_always_built() {
    let mut script = Script::with(Mode::Up, |config| config.updates_containers = false);
    script.send(Event::ClusterChanged(ClusterStatus::Connected));
    script.send(Event::Started);
    script.load(vec![live(as_declared)]);
    deploy(&mut script, 1, "t1");
    script.see(pod("web", "web-1", 1));
    let built = edit(&mut script, &["code/a"]);
    assert!(built.starts_with("start build:2"), "{built}");
}

/// Returns how an update ends that takes an image of an earlier session, in place of one with this file.
fn older(file: &str) -> crate::engine::UpdateOutcome {
    crate::engine::UpdateOutcome {
        older: vec![(app(), vec![LocalPath::new(file)])],
        ..deployed(&[("app", "t0")], &[object("Deployment", "web")])
    }
}

#[test]
fn what_changed_since_an_earlier_session_built_the_image_goes_into_its_containers() {
    let mut script = Script::up(vec![live(as_declared)]);
    script.finish(1, older("/src/app/code/a"));
    assert_eq!(
        (status(&script), hold(&script)),
        (UpdateStatus::Pending, Some("waiting-for-deploy"))
    );
    let mut survivor = pod("web", "web-1", -60);
    survivor.containers[0].image = "app:t0".to_owned();
    let synced = script.see(survivor.clone());
    assert!(
        synced.contains(r#""1 File Changed: [app/code/a]": web-1/id-main"#),
        "{synced}"
    );
    updated(&mut script, 1);
    assert_eq!((status(&script), hold(&script)), (UpdateStatus::Ok, None));
    script.send(Event::PodGone(ObjectUid::new("pod-web-1")));
    let mut new = pod("web", "web-2", 9);
    new.containers[0].id = "id-new".to_owned();
    let synced = script.see(new);
    assert!(
        synced.contains("web-2/id-new [/src/app/code/a->/code/a]"),
        "{synced}"
    );
}

#[test]
fn an_image_of_an_earlier_session_is_built_where_its_containers_cannot_be_changed() {
    let mut script = Script::up(vec![live(as_declared)]);
    script.finish(1, older("/src/app/code/a"));
    let built = script.see(with_container("web-1", "id-main", waiting("CrashLoopBackOff")));
    assert!(built.contains("start build:2"), "{built}");
    deploy(&mut script, 2, "t1");
    assert_eq!(hold(&script), None);
}

#[test]
fn only_the_first_update_takes_an_image_of_an_earlier_session() {
    fn may_be_older(mode: Mode, change: impl FnOnce(&mut Manifest)) -> Vec<bool> {
        let mut manifest = live(as_declared);
        change(&mut manifest);
        let mut script = Script::new(mode);
        script.send(Event::ClusterChanged(ClusterStatus::Connected));
        script.send(Event::Started);
        let effects = script.effects(Event::TiltfileLoaded {
            load: LoadId(1),
            outcome: Box::new(loaded(vec![manifest])),
        });
        let steps = effects.iter().filter_map(|effect| match effect {
            crate::engine::Effect::StartUpdate(plan) => Some(&plan.images),
            _ => None,
        });
        steps.flatten().map(|step| step.may_be_older).collect()
    }
    assert_eq!(may_be_older(Mode::Up, |_| {}), [true]);
    let manual = |manifest: &mut Manifest| manifest.trigger_mode = TriggerMode::ManualWithAutoInit;
    assert_eq!(may_be_older(Mode::Up, manual), [false]);
    let dead = |manifest: &mut Manifest| manifest.images[0].live_update = None;
    assert_eq!(may_be_older(Mode::Up, dead), [false]);
    let copied = |manifest: &mut Manifest| {
        let update = manifest.images[0].live_update.as_mut();
        update.expect("it has one").initial_sync = true;
    };
    assert_eq!(may_be_older(Mode::Up, copied), [false]);
    let ci = Mode::Ci {
        timeout_override: None,
        fail_fast: false,
    };
    assert_eq!(may_be_older(ci, |_| {}), [false]);
    let mut script = running(live(as_declared));
    let other = crate::engine::FileChange::new(app(), LocalPath::new("/src/app/other"));
    let effects = script.effects(Event::FilesChanged(vec![other]));
    let later = effects.iter().find_map(|effect| match effect {
        crate::engine::Effect::StartUpdate(plan) => plan.images.first(),
        _ => None,
    });
    assert!(!later.expect("it is built").may_be_older);
}

#[test]
fn a_container_is_expected_before_it_is_changed() {
    let mut script = Script::up(vec![live(|update| update.initial_sync = true)]);
    deploy(&mut script, 1, "t1");
    let effects = script.effects(Event::PodSeen(Box::new(pod("web", "web-1", 1))));
    let at = |wanted: fn(&crate::engine::Effect) -> bool| effects.iter().position(wanted);
    let expected = at(|effect| matches!(effect, crate::engine::Effect::ExpectContainers(_)));
    let changed = at(|effect| matches!(effect, crate::engine::Effect::UpdateContainers(_)));
    assert!(
        expected.is_some() && expected < changed,
        "{expected:?} {changed:?}"
    );
}
