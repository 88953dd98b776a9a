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
        "fault: disk full: converged in {:.2} s (cluster 0.00 s), 0 edits, {came} of {LINES} lines, {lost} counted as lost",
        began.elapsed().as_secs_f64()
    );
    assert!(lost > 0, "the disk was full");
    // What the session itself says of the disk may be among what is lost. (Of the cluster, which nothing needs, it says nothing.)
    let own_lost = usize::from(!text.contains("old lines will be lost"));
    assert_eq!(came + lost, LINES + own_lost, "{came} came, {lost} were lost");
}

#[test]
#[ignore = "a fault: make faults"]
fn a_disk_that_has_room_again_keeps_what_comes() {
    const LINES: usize = 100_000;
    let project = Project::new(
        "room",
        &format!(
            "--- Tiltfile\nlocal_resource('a', 'seq -f \"line %.0f\" {LINES}')\n\
             local_resource('b', 'echo made $(cat in.txt)', deps=['in.txt'])\n--- in.txt\nfirst\n"
        ),
    );
    let (room, look) = (fifo(&project, "room"), fifo(&project, "look"));
    let script = "mkdir state && mount -t tmpfs -o size=1m none state; \
                  (read x <room; mount -o remount,size=64m state; read x <look; \
                  until find state -name '*.seg' | xargs cat | grep -q 'made later'; do sleep 0.1; done; echo kept) & \
                  XDG_STATE_HOME=$PWD/state KUBECONFIG=/dev/null exec TILT up --stream --port=0";
    let mut up = project.start(unshared(&project, script));
    up.wait_for("cannot write the log to disk: No space left");
    std::fs::write(&room, "now\n").expect("somebody reads");
    let back = Instant::now();
    let again = up.wait_for("the log is written to disk again");
    let converged = back.elapsed();
    project.write("in.txt", "later\n");
    up.wait_for("made later");
    std::fs::write(&look, "now\n").expect("somebody reads");
    up.wait_for("kept");
    eprintln!(
        "fault: room on the disk again: converged in {:.2} s (cluster 0.00 s), 1 edit, 0 lost; {}",
        converged.as_secs_f64(),
        again.trim()
    );
    assert!(converged < Duration::from_secs(5), "{converged:?}");
    up.stop("INT");
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
        "echo {low} >/proc/sys/user/{limit}; (timeout 100 head -n 1 raise; echo 10000 >/proc/sys/user/{limit}; echo raised) & \
         exec TILT up --stream --port=0"
    );
    let mut up = project.start(unshared(&project, &script));
    let (value, hint) = (
        format!("fs.inotify.{setting}={low}"),
        format!("hint: sudo sysctl fs.inotify.{setting}="),
    );
    up.wait_for_all(&[
        ("cannot watch all files for changes", &value),
        (&hint, ""),
        ("made first", ""),
    ]);
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
        "fault: {setting} reached: converged in {:.2} s (cluster 0.00 s), {} edits, 0 lost; an edit is seen after {:.2} s, \
         then after {:.2} s",
        back.as_secs_f64(),
        n + 1,
        under.as_secs_f64(),
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
