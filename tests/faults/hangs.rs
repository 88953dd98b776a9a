//! The disk of the log stops to answer: a file system of which nobody reads what is asked of it is mounted over its folder.
//! The session goes on, and ends when it is asked to.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::fifo;
use crate::support::{Project, Up};

/// Mounts a file system that never answers; it does once this process ends.
const HANG: &str = "exec 7<>/dev/fuse; mount -i -t fuse -o fd=7,rootmode=40000,user_id=0,group_id=0 hung";

/// Runs a script as root of a user and mount namespace of its own. `HANG` is a command in it that takes a folder, `TILT` the
/// binary.
fn unshared(project: &Project, script: &str) -> Command {
    let script = script
        .replace("HANG", HANG)
        .replace("TILT", env!("CARGO_BIN_EXE_tilt"));
    project.command("unshare", &["-Urm", "sh", "-c", &script])
}

/// A resource that says more than one file of the log holds, and one that is edited.
const TALKATIVE: &str = "
--- Tiltfile
local_resource('many', 'if test -e go; then seq -f \"a line of some length, which is number %.0f\" 150000; fi', deps=['go'])
local_resource('edited', 'echo made $(cat in.txt)', deps=['in.txt'])
local_resource('server', serve_cmd='trap \"\" TERM; echo serves; while :; do sleep 60; done')
--- in.txt
first
";

/// Starts a session whose disk hangs from the moment on at which `hang` is written to.
fn session<'p>(project: &'p Project) -> Up<'p> {
    let script = "mkdir state; (read x <hang; HANG state/tilt/logs/*; echo it hangs; read x <over) & \
                  XDG_STATE_HOME=$PWD/state KUBECONFIG=/dev/null exec TILT up --stream --port=0 \
                  --output-snapshot-on-exit=snapshot.json";
    let mut up = project.start(unshared(project, script));
    up.wait_for_all(&[("made first", ""), ("serves", "")]);
    up
}

#[test]
#[ignore = "a fault: make faults"]
fn a_session_goes_on_though_the_disk_of_its_log_hangs_and_ends_when_it_is_asked_to() {
    let project = Project::new("hangs", TALKATIVE);
    let (hang, over) = (fifo(&project, "hang"), fifo(&project, "over"));
    let mut up = session(&project);
    std::fs::write(hang, "now\n").expect("somebody reads");
    up.wait_for("it hangs");
    project.write("go", "");
    up.wait_for("which is number 150000");
    let edited = Instant::now();
    project.write("in.txt", "later\n");
    up.wait_for("made later");
    let went_on = edited.elapsed();
    let (status, ended) = up.stop("INT");
    let snapshot = std::fs::read_to_string(project.dir().join("snapshot.json")).expect("a snapshot");
    let snapshot: serde_json::Value = serde_json::from_str(&snapshot).expect("it is whole");
    eprintln!(
        "fault: the log's disk hangs: an edit is carried out after {:.2} s, Ctrl-C ends it after {:.2} s",
        went_on.as_secs_f64(),
        ended.as_secs_f64()
    );
    assert!(snapshot.to_string().contains("made later"));
    assert_eq!(status, Some(0));
    assert!(went_on < Duration::from_secs(2), "{went_on:?}");
    assert!(ended < Duration::from_millis(1600), "{ended:?}");
    std::fs::write(over, "now\n").expect("somebody reads");
}

#[test]
#[ignore = "a fault: make faults"]
fn a_session_starts_though_the_disk_of_its_log_hangs() {
    let project = Project::new("hung", TALKATIVE);
    let over = fifo(&project, "over");
    let script = "mkdir -p state/tilt; (HANG state/tilt; echo it hangs; read x <over) & sleep 0.5; \
                  XDG_STATE_HOME=$PWD/state KUBECONFIG=/dev/null exec TILT up --stream --port=0";
    let mut up = project.start(unshared(&project, script));
    up.wait_for("it hangs");
    let began = Instant::now();
    up.wait_for("the log is kept in memory only: the disk does not answer");
    up.wait_for("made first");
    let started = began.elapsed();
    let (status, ended) = up.stop("TERM");
    eprintln!(
        "fault: the log's disk hangs from the start: the first resource is done after {:.2} s, TERM ends it after {:.2} s",
        started.as_secs_f64(),
        ended.as_secs_f64()
    );
    assert_eq!(status, Some(0));
    assert!(started < Duration::from_secs(5), "{started:?}");
    assert!(ended < Duration::from_millis(1600), "{ended:?}");
    std::fs::write(over, "now\n").expect("somebody reads");
}

#[test]
#[ignore = "a fault: make faults"]
fn a_second_signal_ends_whatever_hangs() {
    let project = Project::new("second", TALKATIVE);
    let over = fifo(&project, "over");
    let hang = fifo(&project, "hang");
    let up = session(&project);
    std::fs::write(hang, "now\n").expect("somebody reads");
    project.write("go", "");
    let pid = up.pid().to_string();
    let first = Command::new("kill").args(["-INT", &pid]).status();
    assert!(first.expect("kill runs").success());
    // The server does not heed it, and the disk hangs.
    std::thread::sleep(Duration::from_millis(200));
    let (status, ended) = up.stop("INT");
    eprintln!(
        "fault: a second signal ends it after {:.2} s",
        ended.as_secs_f64()
    );
    assert_eq!(status, Some(1));
    assert!(ended < Duration::from_millis(300), "{ended:?}");
    std::fs::write(over, "now\n").expect("somebody reads");
}
