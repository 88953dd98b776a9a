//! Faults of this machine: a full disk, limits of inotify. Each is played in a namespace of its own, so that nobody else
//! is disturbed.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::fifo;
use crate::support::{Project, Up, eventually};

/// Runs a script as root of a user and mount namespace of its own.
fn unshared(project: &Project, script: &str) -> Command {
    let tilt = env!("CARGO_BIN_EXE_tilt");
    project.command("unshare", &["-Urm", "sh", "-c", &script.replace("TILT", tilt)])
}

#[test]
#[ignore = "a fault: make faults"]
fn the_disk_is_full() {
    const LINES: usize = 400_000;
    let project = Project::new(
        "full",
        &format!("--- Tiltfile\nlocal_resource('a', 'seq -f \"line %.0f\" {LINES}; touch done')\n"),
    );
    let script = "mkdir state && mount -t tmpfs -o size=1m none state && XDG_STATE_HOME=$PWD/state \
                  KUBECONFIG=/dev/null exec TILT ci --port=0";
    let mut child = unshared(&project, script)
        .stdout(Stdio::piped())
        .spawn()
        .expect("it runs");
    // Who reads slowly is who loses, once the disk cannot keep what memory does not hold.
    eventually("all is printed", || project.dir().join("done").exists());
    let began = Instant::now();
    let mut text = String::new();
    child
        .stdout
        .take()
        .expect("a pipe")
        .read_to_string(&mut text)
        .expect("text");
    assert!(child.wait().expect("it ends").success(), "{text}");
    let came = text.lines().filter(|line| line.contains("│ line ")).count();
    let marker = " lines are no longer in the log";
    let lost: usize = text
        .lines()
        .filter_map(|line| {
            line.split_once(marker)?
                .0
                .rsplit(' ')
                .next()?
                .parse::<usize>()
                .ok()
        })
        .sum();
    assert!(
        text.contains("cannot write the log to disk: No space left"),
        "it is said why"
    );
    eprintln!(
        "disk full: {came} of {LINES} lines came, {lost} are counted as lost; ended {:.1} s later",
        began.elapsed().as_secs_f64()
    );
    assert!(lost > 0, "the disk was full");
    // Lines of the session itself may be among those that are lost.
    let own = [
        "old lines will be lost",
        "Cluster status error",
        "hint: set KUBECONFIG",
    ];
    let own_lost = own.iter().filter(|line| !text.contains(**line)).count();
    assert_eq!(came + lost, LINES + own_lost, "{came} came, {lost} were lost");
}

const WATCHED: &str = "
--- Tiltfile
local_resource('a', 'echo made $(cat src/deep/in.txt)', deps=['src'])
--- src/deep/in.txt
first
";

#[track_caller]
fn edit(project: &Project, up: &mut Up, text: &str) -> Duration {
    project.write("src/deep/in.txt", text);
    let written = Instant::now();
    up.wait_for(&format!("made {text}"));
    written.elapsed()
}

#[track_caller]
fn limit_reached(limit: &str, low: u32, setting: &str) {
    let project = Project::new("limit", WATCHED);
    let fifo = fifo(&project, "raise");
    let script = format!(
        "echo {low} >/proc/sys/user/{limit}; (read x <raise; echo 10000 >/proc/sys/user/{limit}; echo raised) & \
         exec TILT up --stream --port=0"
    );
    let mut up = project.start(unshared(&project, &script));
    let error = up.wait_for("cannot watch all files for changes");
    assert!(error.contains(&format!("fs.inotify.{setting}={low}")), "{error}");
    up.wait_for(&format!("hint: sudo sysctl fs.inotify.{setting}="));
    up.wait_for("made first");
    let under = edit(&project, &mut up, "second");
    std::fs::write(&fifo, "now\n").expect("somebody reads");
    up.wait_for("raised");
    let raised = Instant::now();
    let mut n = 0;
    let (mut after, mut back) = (Duration::MAX, Duration::ZERO);
    while after > Duration::from_millis(500) {
        n += 1;
        after = edit(&project, &mut up, &format!("again{n}"));
        back = raised.elapsed();
        assert!(back < Duration::from_secs(8), "it is watched again");
    }
    eprintln!(
        "{setting} reached: an edit is seen after {:.2} s; {:.1} s after the limit is raised after {:.2} s",
        under.as_secs_f64(),
        back.as_secs_f64(),
        after.as_secs_f64()
    );
    up.stop("INT");
}

#[test]
#[ignore = "a fault: make faults"]
fn the_limit_of_watched_directories_is_reached() {
    limit_reached("max_inotify_watches", 2, "max_user_watches");
}

#[test]
#[ignore = "a fault: make faults"]
fn the_limit_of_watchers_is_reached() {
    limit_reached("max_inotify_instances", 0, "max_user_instances");
}
