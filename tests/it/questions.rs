//! `tilt why`, `plan` and `await`: what they answer in a real session, and to questions that cannot be answered.
#![allow(clippy::disallowed_methods, reason = "these tests run a program")]

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use serde_json::Value;

use crate::await_edits::Http;
use crate::commands::{Folder, Ran};
use crate::schemas::check_answer;
use crate::sessions::Session;
use crate::support::free_port;

const NO_CLUSTER: [(&str, &str); 1] = [("KUBECONFIG", "none")];
const FILES: [(&str, &str); 3] = [
    (
        "Tiltfile",
        "local_resource('web', 'cat page', deps=['page'])\nlocal_resource('database', 'true', resource_deps=['web'])\n\
         local_resource('later', 'cat page', deps=['page'], trigger_mode=TRIGGER_MODE_MANUAL)\n",
    ),
    ("page", "hello\n"),
    (".tiltignore", "# what no watch takes in\nscratch\n"),
];

/// Returns a session whose resources have settled, and its port.
fn settled() -> (Session, String) {
    let port = free_port().to_string();
    let session = Session::start_with(&FILES, &[("TILT_PORT", &port)]);
    session.tilt(&["await", "--port", &port]).status(0);
    (session, port)
}

fn answer(ran: &Ran) -> Value {
    serde_json::from_str(&ran.stdout()).expect("JSON")
}

#[test]
fn answers_as_json_are_as_their_schemas_say() {
    let (session, port) = settled();
    std::fs::write(session.folder.path("page"), "hello again\n").expect("a file");
    let rows: [(&str, &[&str], &str); 4] = [
        (
            "await",
            &["await", "--since-edit", "--port", &port],
            "hello again",
        ),
        ("why", &["why", "web", "--last", "3", "--port", &port], "/page"),
        (
            "why-file",
            &["why", "--file", "page", "--port", &port],
            "cat page",
        ),
        ("plan", &["plan"], "cat page"),
    ];
    for (name, args, told) in rows {
        let ran = session.tilt(&[args, &["-o", "json"]].concat());
        let answer = answer(ran.status(0));
        check_answer(name, &answer);
        assert!(answer.to_string().contains(told), "{answer:#}");
    }
    let (_, body) = Http::of(&session, &port).ask("GET", "/api/history", "");
    let history = serde_json::from_str(&body).expect("JSON");
    check_answer("history", &history);
}

#[test]
fn what_a_session_writes_down_for_others_holds_no_secrets() {
    let port = free_port().to_string();
    let secret = "apiVersion: v1\nkind: Secret\nmetadata: {name: cave}\nstringData: {word: open-sesame-42}\n";
    let tiltfile = "k8s_yaml('secret.yaml')\nk8s_resource(new_name='vault', objects=['cave:secret'])\n\
                    config.set_enabled_resources(['leak'])\n\
                    local_resource('leak', 'echo open-sesame-42; exit 1', links=['http://cave/open-sesame-42'])\n";
    let files = [("Tiltfile", tiltfile), ("secret.yaml", secret)];
    let session = Session::start_with(&files, &[("TILT_PORT", &port), ("KUBECONFIG", "none")]);
    session.tilt(&["await", "--port", &port]);
    for args in [
        &["snapshot", "create", "--port", &port][..],
        &["dump", "webview", "--port", &port],
        &["dump", "engine", "--port", &port],
        &["dump", "logstore", "--port", &port],
    ] {
        let text = session.tilt(args).status(0).stdout();
        assert!(text.contains("[redacted secret cave:word]"), "{args:?}: {text}");
        assert!(!text.contains("open-sesame-42"), "{args:?}: {text}");
    }
    // The object of the session follows a moment later.
    let ended = "--for=jsonpath={.status.targets[0].state.terminated.error}";
    let waited = session.tilt(&[
        "wait",
        ended,
        "--timeout=60s",
        "session/Tiltfile",
        "--port",
        &port,
    ]);
    waited.status(0);
    for args in [
        &["get", "uiresource", "leak", "-o", "yaml", "--port", &port][..],
        &["describe", "uiresource/leak", "--port", &port],
        &["get", "cmd", "leak:update", "-o", "json", "--port", &port],
        &["get", "session", "-o", "yaml", "--port", &port],
    ] {
        let text = session.tilt(args).status(0).stdout();
        assert!(text.contains("[redacted secret cave:word]"), "{args:?}: {text}");
        assert!(!text.contains("open-sesame-42"), "{args:?}: {text}");
    }
}

#[test]
fn what_turns_out_to_be_a_secret_is_hidden_from_then_on() {
    let file = "local_resource('leak', 'true', env={'WORD': 'open-sesame-42'})\n";
    let session = Session::start(&[("Tiltfile", file)]);
    session.wait("uiresource/leak", ".status.updateStatus", "ok");
    let command = ["get", "cmd", "leak:update", "-o", "jsonpath={.spec.env}"];
    assert_eq!(session.ok(&command), "[\"WORD=open-sesame-42\"]");
    let secret = "k8s_yaml(blob('{apiVersion: v1, kind: Secret, metadata: {name: cave}, \
                  stringData: {word: open-sesame-42}}'))\nconfig.set_enabled_resources(['leak'])\n";
    std::fs::write(session.folder.path("Tiltfile"), format!("{secret}{file}")).expect("a file");
    session.until("Successfully loaded Tiltfile");
    let wanted = "--for=jsonpath={.spec.env[0]}=WORD=[redacted secret cave:word]";
    session.ok(&["wait", wanted, "--timeout=60s", "cmd/leak:update"]);
}

#[test]
fn what_a_tiltfile_prints_of_a_secret_that_it_has_registered_is_hidden_at_once() {
    let secret = "k8s_yaml(blob('{apiVersion: v1, kind: Secret, metadata: {name: cave}, \
                  stringData: {word: open-sesame-42}}'))\nprint('it is', 'open-sesame-42')\n\
                  local('sleep 60', echo_off=True)\n";
    let more = "config.set_enabled_resources(['web'])\nlocal_resource('web', 'true')\n";
    let tiltfile = format!("{secret}{more}");
    let folder = Folder::new(&[("Tiltfile", &tiltfile)]);
    let mut child = folder
        .command(&["ci"], &[("KUBECONFIG", "none")])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let told = lines
        .by_ref()
        .map_while(Result::ok)
        .find(|line| line.contains("it is"));
    // The load still runs.
    child.kill().expect("it lives");
    child.wait().expect("it ends");
    assert_eq!(told.as_deref(), Some("it is [redacted secret cave:word]"));
}

#[test]
fn what_ended_is_kept_on_disk_in_the_form_of_its_schema() {
    let port = free_port().to_string();
    let mut session = Session::start_with(&FILES, &[("TILT_PORT", &port)]);
    session.tilt(&["await", "--port", &port]).status(0);
    session.stop();
    let kept = find(&session.folder.path(""), "updates.jsonl").expect("a file beside the log");
    let kept = std::fs::read_to_string(kept).expect("text");
    let records: Vec<Value> = kept
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    records.iter().for_each(|record| check_answer("update", record));
    let mut whose: Vec<&str> = records
        .iter()
        .filter_map(|record| record["resource"].as_str())
        .collect();
    whose.sort_unstable();
    assert_eq!(whose, ["(Tiltfile)", "database", "later", "web"]);
}

/// Returns the file of a name in a folder, however deep.
fn find(dir: &Path, name: &str) -> Option<PathBuf> {
    let entries = std::fs::read_dir(dir).ok()?.flatten();
    entries
        .map(|entry| entry.path())
        .find_map(|path| match path.is_dir() {
            true => find(&path, name),
            false => path.ends_with(name).then_some(path),
        })
}

#[test]
fn changes_that_wait_for_their_user_are_no_verdict() {
    let (session, port) = settled();
    std::fs::write(session.folder.path("page"), "hello again\n").expect("a file");
    let ran = session.tilt(&["await", "later", "--lines", "0", "--port", &port]);
    let said = ran.status(1).stdout();
    assert!(
        said.starts_with("later: pending: its changes wait until it is triggered\n"),
        "{said}"
    );
    session.tilt(&["trigger", "later", "--port", &port]).status(0);
    session.tilt(&["await", "later", "--port", &port]).status(0);
}

#[test]
fn what_does_not_settle_in_time_is_told_with_its_reason() {
    let port = free_port().to_string();
    let tiltfile = "local_resource('web', serve_cmd='exec sleep 60', readiness_probe=probe(period_secs=1, \
                    exec=exec_action(['false'])))\nlocal_resource('other', 'true')\n";
    let session = Session::start_with(&[("Tiltfile", tiltfile)], &[("TILT_PORT", &port)]);
    let ran = session.tilt(&["await", "--timeout", "1s", "--port", &port]);
    let said = ran.status(1).stderr();
    assert!(
        said.starts_with("Error: not settled in time: web: its server is not ready"),
        "{said}"
    );
    session.tilt(&["await", "other", "--port", &port]).status(0);
}

#[test]
fn what_an_update_writes_at_its_end_is_waited_for_too() {
    let port = free_port().to_string();
    let tiltfile = "local_resource('first', 'cat in > made', deps=['in'])\n\
                    local_resource('second', 'echo out of $(cat made)', deps=['made'])\n";
    let files = [("Tiltfile", tiltfile), ("in", "0"), ("made", "")];
    let session = Session::start_with(&files, &[("TILT_PORT", &port)]);
    session.tilt(&["await", "--port", &port]).status(0);
    for edit in 1..=10 {
        std::fs::write(session.folder.path("in"), edit.to_string()).expect("a file");
        let said = session.ok(&["await", "--port", &port]);
        assert!(
            said.contains(&format!("│ out of {edit}\n")) || said.ends_with(&format!("│ out of {edit}")),
            "{edit}: {said}"
        );
    }
}

#[test]
fn two_that_write_what_the_other_one_reads_are_no_answer_but_a_circle() {
    let port = free_port().to_string();
    let tiltfile = "local_resource('hen', 'date +%N > egg', deps=['chick'], allow_parallel=True)\n\
                    local_resource('hatch', 'date +%N > chick', deps=['egg'], allow_parallel=True)\n";
    let files = [("Tiltfile", tiltfile), ("chick", ""), ("egg", "")];
    let session = Session::start_with(&files, &[("TILT_PORT", &port)]);
    // Whoever is asked for, and again and again at any moment of a round.
    for names in [&[][..], &["hen"], &["hatch"], &["hen"], &["hatch"], &[]] {
        let ran = session.tilt(&[&["await", "--lines", "0", "--port", &port], names].concat());
        let said = ran.status(1).stdout();
        let first = said
            .lines()
            .find(|line| line.starts_with('h'))
            .unwrap_or_default();
        assert!(
            first.contains(": failed: ") && first.ends_with("this goes round in a circle"),
            "{names:?}: {said}"
        );
    }
}

#[test]
fn unknown_names_are_answered_with_the_nearest() {
    let (session, port) = settled();
    for args in [
        &["why", "databse", "--port", &port][..],
        &["await", "databse", "--port", &port],
        &["plan", "databse"],
    ] {
        let ran = session.tilt(args);
        assert_eq!(
            ran.status(1).stderr(),
            "Error: no resource found with name \"databse\"\nhint: did you mean \"database\"?",
            "{args:?}"
        );
    }
    let said = session.ok(&["why", "--file", "pge", "--port", &port]);
    assert!(
        said.contains("there is no such file now; did you mean \"page\"?"),
        "{said}"
    );
    let said = session.ok(&["await", "--file", "nothing-uses-it", "--port", &port]);
    assert_eq!(said, "Nothing comes of it: no resource was updated.");
    let said = session.ok(&["why", "--file", "scratch/notes", "--port", &port]);
    assert!(said.contains(".tiltignore:2"), "{said}");
}

#[test]
fn without_a_session_a_file_is_told_of_and_other_questions_say_what_to_start() {
    let folder = Folder::new(&FILES);
    let port = free_port().to_string();
    for args in [&["why", "web"][..], &["await"]] {
        let ran = folder.tilt(&[args, &["--port", &port]].concat(), &NO_CLUSTER);
        let said = ran.status(1).stderr();
        assert!(
            said.starts_with("Error: Could not connect to Tilt at http://localhost:"),
            "{said}"
        );
        assert!(said.ends_with("\nhint: start one with `tilt up`"), "{said}");
    }
    let ran = folder.tilt(&["why", "--file", "page", "--port", &port], &NO_CLUSTER);
    let said = ran.status(0).stdout();
    assert!(said.contains("web") && said.contains("cat page"), "{said}");
}

#[test]
fn where_two_sessions_run_both_are_named() {
    let (first, one) = settled();
    let home = first.folder.path("");
    let (two, none) = (free_port().to_string(), free_port().to_string());
    let _second = Session::start_with(&FILES, &[("TILT_PORT", &two), ("HOME", &home.to_string_lossy())]);
    let ran = first.tilt(&["why", "web", "--port", &none]);
    let said = ran.status(1).stderr();
    let hint = said.lines().last().unwrap_or_default();
    for port in [&one, &two] {
        assert!(hint.contains(&format!("tilt-{port}")), "{said}");
    }
    assert!(hint.ends_with("; name one by its port: --port"), "{said}");
}

#[test]
fn a_plan_takes_the_arguments_that_up_would_take() {
    let by_name = Folder::new(&FILES);
    let told = |folder: &Folder, args: &[&str]| {
        let ran = folder.tilt(args, &NO_CLUSTER);
        ran.status(0).stdout()
    };
    let named = |text: &str| -> Vec<String> {
        let lines = text
            .lines()
            .filter(|line| !line.starts_with(' ') && !line.starts_with("Plan:"));
        lines.map(str::to_owned).collect()
    };
    // As `tilt up web`, and what of `tilt up` is about `web`.
    assert_eq!(named(&told(&by_name, &["plan", "--", "web"])), ["web"]);
    assert_eq!(named(&told(&by_name, &["plan", "web"])), ["web"]);
    // What `database` depends on comes with it.
    assert_eq!(
        named(&told(&by_name, &["plan", "--", "database"])),
        ["web", "database"]
    );
    assert_eq!(
        named(&told(&by_name, &["plan", "database", "--", "database"])),
        ["database"]
    );
    let unknown = by_name.tilt(&["plan", "--", "wob"], &NO_CLUSTER);
    assert!(unknown.status(1).stderr().contains("wob"), "{}", unknown.stderr());

    let tiltfile = "config.define_bool('fast')\nconfig.define_string_list('only', args=True)\ncfg = config.parse()\n\
                    config.set_enabled_resources(cfg.get('only', []))\n\
                    local_resource('web', 'make web' + (' -j' if cfg.get('fast') else ''))\nlocal_resource('db', 'make db')\n";
    let folder = Folder::new(&[("Tiltfile", tiltfile)]);
    let plan = told(&folder, &["plan", "--", "web", "--fast"]);
    assert_eq!(named(&plan), ["web"]);
    assert!(plan.contains("$ run: make web -j\n"), "{plan}");
    assert_eq!(named(&told(&folder, &["plan"])), ["web", "db"]);
    folder
        .tilt(&["plan", "--detailed-exitcode", "--", "web"], &NO_CLUSTER)
        .status(2);
}
