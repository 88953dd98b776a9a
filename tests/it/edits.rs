//! `tilt up` while files change: what runs again, how often, and what ends with it. Real commands, no cluster.
#![allow(clippy::disallowed_methods, reason = "these tests run a program")]

use std::io::Write;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::commands::Folder;
use crate::local_resources::Up;

#[track_caller]
fn check_runs(up: &Up, expected: &[(&str, usize)]) {
    let runs = |name: &str| {
        let line = format!("{name} │ Running cmd");
        up.seen.iter().filter(|seen| seen.contains(&line)).count()
    };
    let actual: Vec<_> = expected.iter().map(|(name, _)| (*name, runs(name))).collect();
    assert_eq!(actual, expected, "{:#?}", up.seen);
}

#[test]
fn what_a_command_writes_does_not_run_those_again_who_waited_for_it() {
    let folder = Folder::new(&[
        (
            "Tiltfile",
            "local_resource('gen', 'cat proto.txt > gen.txt', deps=['proto.txt'])\n\
             local_resource('compile', 'cat gen.txt > bin.txt', deps=['gen.txt'], resource_deps=['gen'])\n\
             local_resource('check', 'cat bin.txt', serve_cmd='echo serves; sleep 100', deps=['bin.txt'],\n\
             \x20   resource_deps=['compile'])\n",
        ),
        ("proto.txt", "one"),
    ]);
    let mut up = Up::start(&folder);
    up.wait_for("check │ serves");
    std::fs::write(folder.path("proto.txt"), "two").expect("a file");
    up.wait_for("check │ two");
    up.stop();
    check_runs(&up, &[("gen", 2), ("compile", 2)]);
}

#[test]
fn what_was_written_before_it_was_read_leads_to_no_second_run() {
    let folder = Folder::new(&[
        (
            "Tiltfile",
            "local('date +%N > g; date > read.txt')\nread_file('read.txt')\n\
             local_resource('x', 'cat g', deps=['g'])\n\
             local_resource('last', 'echo $(cat in.txt)', deps=['in.txt'])\n",
        ),
        ("in.txt", "one"),
    ]);
    let mut up = Up::start(&folder);
    up.wait_for("last │ one");
    std::thread::sleep(Duration::from_millis(100));
    std::fs::write(folder.path("in.txt"), "two").expect("a file");
    up.wait_for("last │ two");
    up.stop();
    check_runs(&up, &[("x", 1)]);
    let loads = up
        .seen
        .iter()
        .filter(|line| line.contains("Loading Tiltfile at"))
        .count();
    assert_eq!(loads, 1, "{:#?}", up.seen);
}

#[test]
fn a_file_that_is_written_in_parts_runs_a_command_once() {
    let folder = Folder::new(&[
        (
            "Tiltfile",
            "local_resource('d', 'echo has $(wc -c < f)', deps=['f'])\n",
        ),
        ("f", ""),
    ]);
    let mut up = Up::start(&folder);
    up.wait_for("d │ has 0");
    let mut file = std::fs::File::create(folder.path("f")).expect("a file");
    for _ in 0..10 {
        file.write_all(&[b'x'; 1000]).expect("a part");
        std::thread::sleep(Duration::from_millis(100));
    }
    drop(file);
    up.wait_for("d │ has 10000");
    up.stop();
    check_runs(&up, &[("d", 2)]);
}

#[test]
fn a_renamed_file_runs_a_command_once() {
    let folder = Folder::new(&[
        (
            "Tiltfile",
            "local_resource('d', 'echo has $(ls dir)', deps=['dir'])\nlocal_resource('e', 'echo $(cat in.txt)', deps=['in.txt'])\n",
        ),
        ("in.txt", "one"),
    ]);
    std::fs::create_dir(folder.path("dir")).expect("a directory");
    std::fs::write(folder.path("dir/f"), "").expect("a file");
    let mut up = Up::start(&folder);
    up.wait_for("e │ one");
    std::fs::rename(folder.path("dir/f"), folder.path("dir/g")).expect("it is there");
    up.wait_for("d │ has g");
    std::thread::sleep(Duration::from_millis(100));
    std::fs::write(folder.path("in.txt"), "two").expect("a file");
    up.wait_for("e │ two");
    up.stop();
    check_runs(&up, &[("d", 2)]);
}

#[test]
fn a_command_that_writes_what_it_reads_is_slowed_and_told() {
    let folder = Folder::new(&[(
        "Tiltfile",
        "local_resource('t', 'date +%N > lock', deps=['lock'])\n",
    )]);
    let mut up = Up::start(&folder);
    up.wait_for(
        "t │ WARNING: \"lock\" changed in each of the last 5 runs, while \"t\" ran, and \"t\" reads it",
    );
    up.stop();
}

#[test]
fn a_session_whose_output_nobody_reads_any_more_ends() {
    let folder = Folder::new(&[(
        "Tiltfile",
        "local_resource('a', serve_cmd='echo $$ > pid; echo serves; sleep 1000')\n",
    )]);
    let mut up = Up::start(&folder);
    up.wait_for("a │ serves");
    let server = number_in(&folder, "pid");
    let status = up.leave();
    assert_eq!(status.code(), Some(0));
    wait_until_gone(server);
}

#[test]
fn what_left_its_group_ends_with_the_session_however_that_ends() {
    for signal in [Signal::SIGINT, Signal::SIGKILL] {
        let folder = Folder::new(&[(
            "Tiltfile",
            "local_resource('a', serve_cmd='setsid sh -c \"echo \\\\$\\\\$ > server; exec sleep 1003\"')\n\
             local_resource('b', 'setsid sh -c \"echo \\\\$\\\\$ > command; exec sleep 1003\" & \
             while ! test -s command; do sleep 0.05; done; echo done')\n",
        )]);
        let mut up = Up::start(&folder);
        up.wait_for("b │ done");
        let left = ["server", "command"].map(|name| number_in(&folder, name));
        up.end_by(signal);
        left.into_iter().for_each(wait_until_gone);
    }
}

#[test]
fn a_session_that_is_stopped_ends_well_though_a_server_does_not_heed_it() {
    let folder = Folder::new(&[(
        "Tiltfile",
        "local_resource('a', serve_cmd='trap \"\" TERM; echo $$ > pid; echo serves; while :; do sleep 1; done')\n",
    )]);
    let mut up = Up::start(&folder);
    up.wait_for("a │ serves");
    let server = number_in(&folder, "pid");
    assert_eq!(up.end_by(Signal::SIGINT).code(), Some(0));
    wait_until_gone(server);
}

/// Returns the number in a file that a command writes.
fn number_in(folder: &Folder, name: &str) -> Pid {
    for _ in 0..1000 {
        let text = std::fs::read_to_string(folder.path(name)).unwrap_or_default();
        if let Ok(number) = text.trim().parse() {
            return Pid::from_raw(number);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("{name} holds no number");
}

/// Waits until a process has ended; one that nobody has waited for yet has.
#[track_caller]
fn wait_until_gone(process: Pid) {
    for _ in 0..1000 {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat"));
        if kill(process, None).is_err() || stat.is_ok_and(|stat| stat.contains(") Z ")) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    panic!("process {process} still runs");
}
