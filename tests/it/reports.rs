//! `tilt ci --report`: what a run came to, written for those who were not there, however the run ends.
#![allow(clippy::disallowed_methods, reason = "these tests run a program")]

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use junit_parser::{TestStatus, TestSuites};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::commands::{Folder, Ran};
use crate::schemas::check_answer;

const NO_CLUSTER: [(&str, &str); 1] = [("KUBECONFIG", "none")];
/// A report in every form.
const ALL: [&str; 8] = [
    "--report", "r.xml", "--report", "r.json", "--report", "r.md", "--report", "github",
];

/// Runs `tilt ci` with all reports.
fn run(folder: &Folder, args: &[&str], env: &[(&str, &str)]) -> Ran {
    let summary = folder.path("summary.md");
    let summary = summary.to_string_lossy();
    let env = [&NO_CLUSTER[..], env, &[("GITHUB_STEP_SUMMARY", &*summary)]].concat();
    folder.tilt(&[&["ci"][..], &ALL, args].concat(), &env)
}

fn text(folder: &Folder, name: &str) -> String {
    std::fs::read_to_string(folder.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Returns the JSON report, which is as its schema says.
#[track_caller]
fn json(folder: &Folder) -> Value {
    let report = serde_json::from_str(&text(folder, "r.json")).expect("JSON");
    check_answer("ci-report", &report);
    report
}

fn junit(folder: &Folder) -> TestSuites {
    let file = std::fs::File::open(folder.path("r.xml")).expect("a file");
    junit_parser::from_reader(BufReader::new(file)).expect("a parser of JUnit reads it")
}

/// Returns how each case went, in a line each.
fn verdicts(suites: &TestSuites) -> Vec<String> {
    let cases = suites.suites.iter().flat_map(|suite| &suite.cases);
    cases
        .map(|case| {
            let how = match &case.status {
                TestStatus::Success => "ok".to_owned(),
                TestStatus::Failure(failure) => format!("failed: {}", failure.message),
                TestStatus::Error(error) => format!("error: {}", error.message),
                TestStatus::Skipped(_) => "skipped".to_owned(),
            };
            let class = case.classname.as_deref().unwrap_or_default();
            let name = case.original_name.split('\'').next().unwrap_or_default();
            format!("{class} / {name}: {how}")
        })
        .collect()
}

#[test]
fn a_parser_of_junit_reads_a_run_that_succeeds_and_one_that_fails() {
    let good = "local_resource('good', 'true')\nlocal_resource('later', 'true', auto_init=False)\n";
    let folder = Folder::new(&[("Tiltfile", good)]);
    run(&folder, &[], &[]).status(0);
    let suites = junit(&folder);
    assert_eq!(
        (suites.name.as_str(), suites.tests, suites.failures, suites.errors),
        ("tilt ci", 3, 0, 0)
    );
    assert_eq!(
        verdicts(&suites),
        [
            "(Tiltfile) / load: ok",
            "good / command true: ok",
            "later / update: skipped"
        ]
    );
    assert_eq!(json(&folder)["result"], "succeeded");

    let bad = "local_resource('bad', 'echo \"<no> & \\\\\\\"so\\\\\\\"\"; exit 3', resource_deps=['good'])\n\
               local_resource('waits', 'true', resource_deps=['bad'])\n";
    let folder = Folder::new(&[("Tiltfile", &format!("{good}{bad}"))]);
    run(&folder, &[], &[]).status(1);
    let suites = junit(&folder);
    assert_eq!((suites.tests, suites.failures, suites.errors), (5, 1, 1));
    let verdicts = verdicts(&suites);
    assert_eq!(
        &verdicts[..2],
        ["(Tiltfile) / load: ok", "good / command true: ok"],
        "{verdicts:#?}"
    );
    let bad = verdicts.iter().find(|line| line.starts_with("bad / command"));
    let bad = bad.unwrap_or_else(|| panic!("{verdicts:#?}"));
    assert!(
        bad.contains("failed: Command ") && bad.ends_with(" failed: exit status 3"),
        "{bad}"
    );
    assert!(
        verdicts.contains(&"waits / update: error: waiting-for-dep: bad".to_owned()),
        "{verdicts:#?}"
    );
    let report = json(&folder);
    assert_eq!(report["result"], "failed");
    assert_eq!(
        report["resources"][3]["lastLines"][1], "<no> & \"so\"",
        "{report:#}"
    );
}

#[test]
fn a_run_that_cannot_begin_is_reported() {
    let busy = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = busy.local_addr().expect("an address").port().to_string();
    let rows: [(&[&str], &str); 2] = [
        (&["--context", "nowhere"], "nowhere"),
        (
            &["--port", &port, "--host", "127.0.0.1"],
            "you already have another process on port",
        ),
    ];
    for (args, why) in rows {
        let folder = Folder::new(&[("Tiltfile", "local_resource('a', 'true')\n")]);
        let ran = run(&folder, args, &[]);
        ran.status(1);
        let report = json(&folder);
        assert_eq!(report["result"], "failed", "{args:?}");
        let message = report["message"].as_str().unwrap_or_default();
        assert!(message.contains(why), "{args:?}: {message}");
        assert_eq!(ran.stderr(), format!("Error: {message}"));
        let first = message.lines().next().unwrap_or_default();
        assert_eq!(
            verdicts(&junit(&folder)),
            [format!("tilt ci / run: error: {first}")]
        );
        for name in ["r.md", "summary.md"] {
            assert!(text(&folder, name).contains(message), "{name}");
        }
        let annotation = ran.stdout();
        assert!(annotation.starts_with("::error title=tilt ci::"), "{annotation}");
    }
}

#[test]
fn a_tiltfile_that_is_missing_or_wrong_is_reported_with_its_place() {
    let folder = Folder::new(&[]);
    run(&folder, &[], &[]).status(1);
    let report = json(&folder);
    assert_eq!(report["resources"][0]["result"], "failed", "{report:#}");
    assert!(
        text(&folder, "r.md").contains("No Tiltfile found at paths "),
        "{}",
        text(&folder, "r.md")
    );

    let folder = Folder::new(&[("Tiltfile", "x = 1\nlocal_resource('a', cmdd='true')\n")]);
    let workspace = folder.path("").to_string_lossy().into_owned();
    let ran = run(&folder, &[], &[("GITHUB_WORKSPACE", &workspace)]);
    ran.status(1);
    let report = json(&folder);
    assert_eq!(report["resources"][0]["place"]["line"], 2, "{report:#}");
    let reason = report["resources"][0]["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("Error") && reason.contains("cmdd"), "{reason}");
    assert!(
        ran.stdout()
            .contains("::error file=Tiltfile,line=2,title=tilt ci%3A (Tiltfile)::"),
        "{}",
        ran.stdout()
    );
}

#[test]
fn a_run_that_is_interrupted_or_takes_too_long_is_reported() {
    let slow = [(
        "Tiltfile",
        "local_resource('slow', 'echo begins; exec sleep 60')\n",
    )];
    let folder = Folder::new(&slow);
    run(&folder, &["--timeout", "1s"], &[]).status(1);
    let report = json(&folder);
    assert_eq!(report["result"], "failed");
    let message = report["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("Timeout after 1s"), "{message}");
    assert_eq!(report["resources"][1]["result"], "pending");
    assert_eq!(junit(&folder).errors, 1);

    let folder = Folder::new(&slow);
    let args = [&["ci"], &ALL[..6]].concat();
    let mut command = folder.command(&args, &NO_CLUSTER);
    let mut child = command.stdout(Stdio::piped()).spawn().expect("the binary runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.ends_with("slow │ begins"))));
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).expect("it lives");
    lines.for_each(drop);
    assert_eq!(child.wait().expect("it ends").code(), Some(1));
    assert_eq!(json(&folder)["result"], "interrupted");
    assert_eq!(junit(&folder).errors, 1);
    assert!(text(&folder, "r.md").starts_with("## tilt ci was interrupted after "));
}

#[test]
fn secrets_are_in_no_report() {
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: cave}\nstringData: {word: open-sesame-42}\n";
    let tiltfile = "k8s_yaml('secret.yaml')\nk8s_resource(new_name='vault', objects=['cave:secret'])\nconfig.set_enabled_resources(['leak'])\nlocal_resource('leak', 'echo open-sesame-42; exit 1')\n";
    let folder = Folder::new(&[("Tiltfile", tiltfile), ("secret.yaml", secret)]);
    let ran = run(&folder, &["--logs-dir", "logs"], &[]);
    ran.status(1);
    for name in ["r.xml", "r.json", "r.md", "summary.md", "logs/leak.log"] {
        let text = text(&folder, name);
        assert!(!text.contains("open-sesame-42"), "{name}: {text}");
        assert!(text.contains("[redacted secret cave:word]"), "{name}: {text}");
    }
    assert!(!ran.stdout().contains("open-sesame-42"), "{}", ran.stdout());
}

#[test]
fn a_report_that_cannot_be_written_is_told_and_changes_nothing() {
    for (command, status) in [("true", 0), ("exit 3", 1)] {
        let folder = Folder::new(&[
            ("Tiltfile", &format!("local_resource('a', '{command}')\n")),
            ("file", ""),
        ]);
        // Nothing fits there, as on a full disk.
        std::os::unix::fs::symlink("/dev/full", folder.path("full.xml.part")).expect("a link");
        let args = [
            "ci",
            "--report=nowhere/r.xml",
            "--report=full.xml",
            "--report=r.json",
            "--report=github",
            "--logs-dir=file",
        ];
        let ran = folder.tilt(&args, &NO_CLUSTER);
        let said = ran.status(status).stderr();
        for told in [
            "Error: cannot write the report to nowhere/r.xml: there is no directory nowhere\nhint: make it first: mkdir -p nowhere",
            "Error: cannot write the report to full.xml: No space left on device",
            "Error: cannot write the report to GitHub's summary: GITHUB_STEP_SUMMARY is not set",
            "Error: cannot write logs to file: ",
        ] {
            assert!(said.contains(told), "{told} in {said}");
        }
        assert!(!folder.path("full.xml").exists(), "half a report");
        json(&folder);
    }
}

#[test]
fn a_form_that_does_not_exist_is_refused_before_anything_runs() {
    let folder = Folder::new(&[("Tiltfile", "local_resource('a', 'touch ran')\n")]);
    for name in ["r.txt", "r", ".xml.bak"] {
        let ran = folder.tilt(&["ci", "--report", name], &NO_CLUSTER);
        let said = ran.status(1).stderr();
        assert!(
            said.contains(name) && said.contains(".xml (JUnit), .json or .md"),
            "{said}"
        );
    }
    assert!(!folder.path("ran").exists());
}
