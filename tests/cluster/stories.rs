//! What a user does in a day: edit, see it live, break it, stop.

use std::time::Duration;

use crate::support::{PLAIN, Project, deployment, eventually};

#[test]
fn an_edit_brings_up_the_new_version_and_down_removes_it() {
    let project = Project::example("hello");
    let mut up = project.up();
    up.wait_for("hello │ serving: Hello from version 1");
    project.write("web/index.html", "Hello from version 2\n");
    up.wait_for("1 File Changed: [web/index.html]");
    up.wait_for("hello │ serving: Hello from version 2");
    let (status, took) = up.stop("INT");
    assert_eq!(status, Some(0));
    assert!(took < Duration::from_secs(2), "stopping took {took:?}");
    assert!(project.exists("deployment/hello"), "what runs keeps running");
    let down = project.tilt(&["down"]);
    assert_eq!(down.status, Some(0), "{}", down.text);
    eventually("the deployment is gone", || !project.exists("deployment/hello"));
}

#[test]
fn an_ignored_file_starts_nothing() {
    let project = Project::example("hello");
    let mut up = project.up();
    up.wait_for("hello │ serving: Hello from version 1");
    project.write("web/README.md", "saved\n");
    project.write("web/index.html", "after the ignored one\n");
    up.wait_for("1 File Changed: [web/index.html]");
    assert!(!up.seen().iter().any(|line| line.contains("README.md")));
}

#[test]
fn a_broken_tiltfile_keeps_what_runs_and_a_mended_one_goes_on() {
    let project = Project::new("broken", PLAIN);
    let mut up = project.up();
    up.wait_for("Objects applied to cluster:");
    up.wait_for("DONE IN");
    project.write("Tiltfile", "allow_k8s_contexts('dev')\nk8s_yaml('plain.yaml'\n");
    up.wait_for("1 File Changed: [Tiltfile]");
    up.wait_for("ERROR: ");
    assert!(
        project.exists("configmap/plain"),
        "a broken Tiltfile deletes nothing"
    );
    project.write("Tiltfile", "allow_k8s_contexts('dev')\nk8s_yaml('plain.yaml')\n");
    up.wait_for("Successfully loaded Tiltfile");
    project.write(
        "plain.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {word: two}\n",
    );
    up.wait_for("DONE IN");
    assert_eq!(
        project.kubectl(&["get", "configmap", "plain", "-o", "jsonpath={.data.word}"]),
        "two"
    );
}

#[test]
fn an_object_that_leaves_the_tiltfile_leaves_the_cluster() {
    let project = Project::new("leaves", PLAIN);
    project.write(
        "other.yaml",
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: other}\n",
    );
    project.write(
        "Tiltfile",
        "allow_k8s_contexts('dev')\nk8s_yaml(['plain.yaml', 'other.yaml'])\n",
    );
    let mut up = project.up();
    up.wait_for("DONE IN");
    assert!(project.exists("configmap/other"));
    project.write("Tiltfile", "allow_k8s_contexts('dev')\nk8s_yaml('plain.yaml')\n");
    up.wait_for("→ ConfigMap/other");
    eventually("the object is gone", || !project.exists("configmap/other"));
    assert!(project.exists("configmap/plain"));
}

const SLOW: &str = "
--- Tiltfile
allow_k8s_contexts('dev')
for name in ['slow', 'slower']:
    docker_build(name, '.', build_args={'RUN_ID': name + os.getenv('HOME')})
custom_build('by-command', 'echo commanded; sleep 600', deps=[])
k8s_yaml('slow.yaml')
--- Dockerfile
FROM localhost:5000/busybox:1
ARG RUN_ID
RUN echo building for $RUN_ID; sleep 600
--- slow.yaml
apiVersion: v1
kind: Pod
metadata: {name: slow}
spec:
  containers:
  - {name: slow, image: slow}
  - {name: slower, image: slower}
---
apiVersion: v1
kind: Pod
metadata: {name: by-command}
spec:
  containers: [{name: c, image: by-command}]
";

#[test]
fn ctrl_c_in_the_middle_of_three_builds_ends_at_once_and_leaves_no_process() {
    for signal in ["INT", "TERM"] {
        let project = Project::new("slow", SLOW);
        let mut up = project.up();
        up.wait_for_all(&[("slow │", "→ building for "), ("by-command │", "commanded")]);
        let (status, took) = up.stop(signal);
        assert_eq!(status, Some(0), "SIG{signal}");
        assert!(took < Duration::from_secs(2), "stopping took {took:?}");
        let marker = project
            .dir()
            .parent()
            .expect("a parent")
            .to_string_lossy()
            .into_owned();
        eventually("no process of this project is left", || {
            !processes_mention(&marker)
        });
        assert!(!project.exists("pod/slow"));
    }
}

/// Returns whether a process other than this test has the text in its environment or command line.
fn processes_mention(text: &str) -> bool {
    let Ok(entries) = std::fs::read_dir("/proc") else {
        return false;
    };
    entries.flatten().any(|entry| {
        let own = entry.file_name().to_string_lossy() == std::process::id().to_string();
        let read = |file| std::fs::read(entry.path().join(file)).unwrap_or_default();
        let all = [read("cmdline"), read("environ")].concat();
        !own && String::from_utf8_lossy(&all).contains(text)
    })
}

const BY_COMMAND: &str = "
--- Tiltfile
allow_k8s_contexts('dev')
k8s_custom_deploy('egg', apply_cmd='kubectl apply -f egg.yaml -o yaml',
                  delete_cmd='kubectl delete -f egg.yaml --ignore-not-found --wait=false', deps=['egg.yaml'])
";

fn egg(word: &str) -> String {
    deployment(
        "egg",
        "localhost:5000/busybox:1",
        &format!("echo hatched {word}; exec sleep 1000"),
    )
}

#[test]
fn what_a_command_deploys_is_followed_deployed_again_and_taken_away_by_its_command() {
    let project = Project::new("egg", BY_COMMAND);
    project.write("egg.yaml", &egg("one"));
    let mut up = project.up();
    up.wait_for("→ egg:deployment");
    up.wait_for("egg │ hatched one");
    project.write("egg.yaml", &egg("two"));
    up.wait_for("1 File Changed: [egg.yaml]");
    up.wait_for("egg │ hatched two");
    project.write(
        "Tiltfile",
        "allow_k8s_contexts('dev')\nlocal_resource('rest', 'true')\n",
    );
    up.wait_for("Running cmd: kubectl delete");
    eventually("the deployment is gone", || !project.exists("deployment/egg"));
    let tiltfile = BY_COMMAND.trim_start_matches("\n--- Tiltfile\n");
    project.write("Tiltfile", tiltfile);
    up.wait_for("egg │ hatched two");
    up.stop("INT");
    let down = project.tilt(&["down"]);
    assert_eq!(down.status, Some(0), "{}", down.text);
    eventually("the deployment is gone again", || {
        !project.exists("deployment/egg")
    });
}

#[test]
fn ctrl_c_while_objects_are_deleted_says_what_is_left() {
    let held = PLAIN.replace(
        "metadata: {name: plain}",
        "metadata: {name: held, finalizers: [example.com/stays]}",
    );
    let project = Project::new("left", &held);
    let ci = project.tilt(&["ci", "--port=0"]);
    assert_eq!(ci.status, Some(0), "{}", ci.text);
    let mut down = project.start(project.command(env!("CARGO_BIN_EXE_tilt"), &["down"]));
    eventually("it is being deleted", || {
        let since = "jsonpath={.metadata.deletionTimestamp}";
        !project
            .kubectl(&["get", "configmap", "held", "-o", since])
            .is_empty()
    });
    let pid = down.pid().to_string();
    let sent = project.command("kill", &["-INT", &pid]).status();
    assert!(sent.expect("kill runs").success());
    down.wait_for("Error: context canceled: not all is deleted, there may be left:");
    down.wait_for("held");
    down.wait_for("hint: `tilt down` once more deletes it");
    let free = ["--type=merge", "-p", r#"{"metadata":{"finalizers":null}}"#];
    project.kubectl(&[&["patch", "configmap", "held"], &free[..]].concat());
    eventually("it is gone", || !project.exists("configmap/held"));
}
