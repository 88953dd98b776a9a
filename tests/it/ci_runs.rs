//! `tilt ci` as a user sees it: its last words, its table, and that no line is lost.
#![allow(clippy::disallowed_methods, reason = "these tests run a program")]

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::commands::Folder;

const NO_CLUSTER: [(&str, &str); 1] = [("KUBECONFIG", "none")];

/// Returns the lines after the log, with the words of each joined by one space, and times replaced.
fn end_of(output: &str) -> Vec<String> {
    let at = output
        .find("RESOURCE ")
        .unwrap_or_else(|| panic!("no table in {output}"));
    let line = |line: &str| line.split_whitespace().map(shown).collect::<Vec<_>>().join(" ");
    output[at..].lines().map(line).collect()
}

/// Returns a word, or what stands for a time.
fn shown(word: &str) -> &str {
    let is_time = word.len() > 1
        && word.ends_with('s')
        && word.chars().all(|c| c.is_ascii_digit() || "hms.".contains(c));
    if is_time { "<t>" } else { word }
}

#[test]
fn a_run_ends_with_a_table_and_its_last_words() {
    let folder = Folder::new(&[(
        "Tiltfile",
        "local_resource('good', 'true')\n\
         local_resource('later', 'true', auto_init=False)\n\
         local_resource('bad', 'for n in $(seq 20); do echo line $n; done; exit 3', resource_deps=['good'])\n\
         local_resource('waits', 'true', resource_deps=['bad'])\n",
    )]);
    let ran = folder.tilt(&["ci"], &NO_CLUSTER);
    let failure = ran.status(1);
    let command = "for n in $(seq 20); do echo line $n; done; exit 3";
    assert_eq!(
        end_of(&failure.stdout()),
        [
            "RESOURCE RESULT TIME REASON".to_owned(),
            "good ok <t>".to_owned(),
            format!("bad failed <t> Command \"{command}\" failed: exit status 3"),
            "waits pending - waiting-for-dep: bad".to_owned(),
            "1 resource was not to start by itself.".to_owned(),
        ]
    );
    let lines: String = (11..=20).map(|n| format!("\n    line {n}")).collect();
    let expected = format!("Error: Command \"{command}\" failed: exit status 3\n  last lines of bad:{lines}");
    assert_eq!(failure.stderr(), expected);

    let folder = Folder::new(&[("Tiltfile", "local_resource('good', 'true')\n")]);
    let ran = folder.tilt(&["ci"], &NO_CLUSTER);
    assert_eq!(
        end_of(&ran.status(0).stdout()),
        [
            "RESOURCE RESULT TIME REASON",
            "good ok <t>",
            "SUCCESS. All workloads are healthy."
        ]
    );
    assert_eq!(ran.stderr(), "");
}

#[test]
fn every_line_that_came_before_the_end_of_a_run_is_printed() {
    let folder = Folder::new(&[(
        "Tiltfile",
        "local_resource('server', serve_cmd='echo serving; exec sleep 100')\n\
         local_resource('burst', 'seq 20000; printf unfinished', resource_deps=['server'])\n",
    )]);
    let ran = folder.tilt(&["ci"], &NO_CLUSTER);
    let log = ran.status(0).stdout();
    let printed = log
        .lines()
        .filter_map(|line| line.trim().strip_prefix("burst │ "));
    let numbers: Vec<u32> = printed.filter_map(|line| line.parse().ok()).collect();
    assert_eq!(numbers, (1..=20_000).collect::<Vec<u32>>());
    assert!(log.contains("burst │ unfinished\n"), "the last line is ended");
}

#[test]
fn a_run_takes_no_longer_than_was_typed_whatever_the_tiltfile_says() {
    let folder = Folder::new(&[(
        "Tiltfile",
        "ci_settings(timeout='1h')\nlocal_resource('slow', 'sleep 60')\n",
    )]);
    let ran = folder.tilt(&["ci", "--timeout", "1s"], &NO_CLUSTER);
    let error = ran.status(1).stderr();
    assert!(
        error.starts_with("Error: Timeout after 1s: 1 resources not ready (slow:update)"),
        "{error}"
    );
}

#[test]
fn ctrl_c_ends_a_run_with_an_error() {
    let folder = Folder::new(&[(
        "Tiltfile",
        "local_resource('slow', 'echo begins; exec sleep 60')\n",
    )]);
    let mut command = folder.command(&["ci"], &NO_CLUSTER);
    let command = command.stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.ends_with("slow │ begins"))));
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a number"));
    kill(pid, Signal::SIGINT).expect("it lives");
    let mut error = String::new();
    let mut stderr = child.stderr.take().expect("a pipe");
    stderr.read_to_string(&mut error).expect("text");
    assert_eq!(error, "Error: context canceled\n");
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
}

#[test]
fn flags_say_which_lines_are_printed() {
    let folder = Folder::new(&[(
        "Tiltfile",
        "local_resource('a', 'echo from a')\n\
         local_resource('b', 'echo from b', resource_deps=['a'])\n\
         local_resource('bad', 'exit 1', resource_deps=['b'])\n",
    )]);
    let rows: [(&[&str], &[&str], &[&str]); 4] = [
        (&["--log-resource=a"], &["\nfrom a"], &["│", "from b"]),
        (&["--log-resource=a,b"], &["a │ from a", "b │ from b"], &["bad │"]),
        (
            &["--log-source=build"],
            &["a │ Initial Build", "bad │ ERROR: Build Failed"],
            &["from a"],
        ),
        (
            &["--log-level=error"],
            &["bad │ ERROR: Build Failed", "a │ Initial Build"],
            &["from a"],
        ),
    ];
    for (flags, present, absent) in rows {
        let args: Vec<&str> = ["ci"].iter().chain(flags).copied().collect();
        let ran = folder.tilt(&args, &NO_CLUSTER);
        let log = ran.status(1).stdout();
        let log = log.split("RESOURCE ").next().unwrap_or_default();
        for text in present {
            assert!(log.contains(text), "{flags:?}: {text:?} in {log}");
        }
        for text in absent {
            assert!(!log.contains(text), "{flags:?}: no {text:?} in {log}");
        }
    }
}

#[test]
fn the_flag_to_fail_fast_is_explained() {
    let help = Folder::new(&[]).tilt(&["ci", "--help"], &[]);
    let help = help.status(0).stdout();
    let words: Vec<&str> = help.split_whitespace().collect();
    let text = "--fail-fast End at the first reason that Kubernetes gives why a pod does not come up";
    assert!(words.join(" ").contains(text), "{help}");
}

#[test]
fn a_snapshot_of_a_run_that_failed_shows_its_resources_and_its_log() {
    let folder = Folder::new(&[(
        "Tiltfile",
        "local_resource('bad', 'printf \"odd \\\\377\\\\n\"; exit 3', labels=['tests'])\n\
         local_resource('waits', 'true', resource_deps=['bad'])\n",
    )]);
    let args = ["ci", "--output-snapshot-on-exit=snapshot.json"];
    folder.tilt(&args, &NO_CLUSTER).status(1);
    let text = std::fs::read_to_string(folder.path("snapshot.json")).expect("a file");
    assert!(text.starts_with("{\n  \"view\": {\n"), "{text}");
    let snapshot: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let resources = snapshot["view"]["uiResources"].as_array().expect("a list");
    let shown: Vec<String> = resources
        .iter()
        .map(|resource| {
            let status = &resource["status"];
            let ready = &status["conditions"][1];
            format!(
                "{} {} {} {} {} {}",
                resource["metadata"],
                status["order"],
                status["updateStatus"],
                status["waiting"],
                ready["reason"],
                status["buildHistory"][0]["error"]
            )
        })
        .collect();
    insta::assert_snapshot!(shown.join("\n"), @r#"
    {"name":"(Tiltfile)","annotations":{"tilt.dev/resource":"(Tiltfile)"}} 1 "ok" null null null
    {"name":"bad","labels":{"tests":"tests"},"annotations":{"tilt.dev/resource":"bad"}} 2 "error" null "UpdateError" "Command \"printf \\\"odd \\\\377\\\\n\\\"; exit 3\" failed: exit status 3"
    {"name":"waits","labels":{},"annotations":{"tilt.dev/resource":"waits"}} 3 "pending" {"reason":"waiting-for-dep","on":[{"group":"tilt.dev","apiVersion":"v1alpha1","kind":"UIResource","name":"bad"}]} "UpdatePending" null
    "#);
    let segments = snapshot["view"]["logList"]["segments"]
        .as_array()
        .expect("a list");
    let of_bad = segments
        .iter()
        .filter(|segment| segment["spanId"] == "cmd:bad:update");
    let said: Vec<&str> = of_bad.filter_map(|segment| segment["text"].as_str()).collect();
    assert_eq!(said.last(), Some(&"odd \u{fffd}\n"));
    assert_eq!(
        snapshot["view"]["logList"]["spans"]["build:1"]["manifestName"],
        "bad"
    );
    let began = resources[1]["status"]["buildHistory"][0]["startTime"].as_str();
    assert!(
        began.is_some_and(|time| time.len() == "2026-01-31T12:00:00.000000Z".len()),
        "{began:?}"
    );
}

#[test]
fn a_snapshot_that_cannot_be_written_does_not_change_how_a_run_ends() {
    let folder = Folder::new(&[("Tiltfile", "local_resource('a', 'true')\n")]);
    let ran = folder.tilt(&["ci", "--output-snapshot-on-exit=nowhere/x.json"], &NO_CLUSTER);
    assert_eq!(
        ran.status(0).stderr(),
        "Error: cannot write the snapshot to nowhere/x.json: No such file or directory (os error 2)"
    );
}

#[test]
fn a_run_without_a_place_for_its_log_says_so_and_goes_on() {
    let folder = Folder::new(&[("Tiltfile", "local_resource('a', 'true')\n")]);
    let ran = folder.tilt(&["ci"], &[("KUBECONFIG", "none"), ("HOME", "/dev/null")]);
    let log = ran.status(0).stdout();
    assert!(log.contains("WARNING: the log is kept in memory only: "), "{log}");
}
