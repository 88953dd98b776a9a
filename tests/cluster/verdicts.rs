//! Why something happened, what it led to and what would happen, asked of a real session: `tilt why`, `await`, `ci --report`.
//! `plans` holds the stories of `tilt plan`.

use serde_json::{Value, json};

use crate::port_forwards::free_port;
use crate::support::{Project, eventually};

/// Questions to the session of a project.
struct Asked<'p> {
    project: &'p Project,
    port: String,
}

impl<'p> Asked<'p> {
    fn of(project: &'p Project) -> Self {
        let port = free_port().to_string();
        Self { project, port }
    }

    /// Returns what a command says as JSON, and its exit status.
    #[track_caller]
    fn json(&self, args: &[&str]) -> (Value, Option<i32>) {
        let ran = self
            .project
            .tilt(&[args, &["-o", "json", "--port", &self.port]].concat());
        let answer = serde_json::from_str(&ran.text);
        (
            answer.unwrap_or_else(|error| panic!("{args:?}: {error}: {}", ran.text)),
            ran.status,
        )
    }

    /// Waits until the last edit has led to what it leads to, and returns the update of the only resource that it was about.
    #[track_caller]
    fn came_of_it(&self) -> Value {
        let (answer, status) = self.json(&["await", "--since-edit"]);
        assert_eq!(status, Some(0), "{answer:#}");
        let resources = answer["resources"].as_array().expect("a list");
        let of_resources: Vec<&Value> = resources
            .iter()
            .filter(|told| told["name"] != "(Tiltfile)")
            .collect();
        let [one] = of_resources.as_slice() else {
            panic!("one resource is updated: {answer:#}");
        };
        one["update"].clone()
    }

    /// Returns the last updates of a resource, the last one first.
    fn updates(&self, resource: &str) -> Vec<Value> {
        let (history, _) = self.json(&["why", resource]);
        history["updates"].as_array().cloned().unwrap_or_default()
    }
}

/// Returns the kinds of what an update was caused by.
fn causes(update: &Value) -> Vec<&str> {
    let causes = update["causes"].as_array().into_iter().flatten();
    causes.filter_map(|cause| cause["kind"].as_str()).collect()
}

/// Returns the file that an update is due to, and what made it matter.
fn file_and_rule(update: &Value) -> (&str, &str) {
    let file = &update["causes"][0]["files"][0];
    let path = file["path"].as_str().unwrap_or_default();
    (
        path.rsplit("<project>/").next().unwrap_or_default(),
        file["rule"]["kind"].as_str().unwrap_or_default(),
    )
}

/// Returns the reasons for which an update waited.
fn waits(update: &Value) -> Vec<&str> {
    let waits = update["waits"].as_array().into_iter().flatten();
    waits.filter_map(|wait| wait["reason"].as_str()).collect()
}

const SHOP: &str = "
--- Tiltfile
allow_k8s_contexts('dev')
docker_build('shop', '.', ignore='shop.yaml', live_update=[fall_back_on('deps.txt'), sync('site', '/srv/site')])
k8s_yaml('shop.yaml')
--- Dockerfile
FROM localhost:5000/busybox:1
RUN mkdir -p /srv
COPY deps.txt /deps
RUN cat /deps; sleep 1
COPY site /srv/site
--- .dockerignore
# what no image needs
site/*.md
--- deps.txt
one
--- site/page
one
--- shop.yaml
apiVersion: apps/v1
kind: Deployment
metadata:
  name: shop
  labels:
    team: apples
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: shop, image: shop, command: [sleep, '1000']}]
";

#[test]
fn each_save_is_told_with_its_cause_and_what_came_of_it() {
    let project = Project::new("verdicts", SHOP);
    let asked = Asked::of(&project);
    let mut up = project.up_with(&["--port", &asked.port]);
    up.wait_for("→ shop:deployment");
    assert_eq!(asked.json(&["await"]).1, Some(0));

    // One that syncs.
    project.write("site/page", "two\n");
    let update = asked.came_of_it();
    assert_eq!(update["kind"], "sync", "{update:#}");
    assert_eq!(file_and_rule(&update), ("site/page", "sync"));
    let sync = &update["stages"]
        .as_array()
        .expect("a list")
        .last()
        .expect("a stage")["parts"][0];
    assert_eq!(
        (&sync["kind"], &sync["facts"]["files"], &sync["facts"]["bytes"]),
        (&json!("sync"), &json!(1), &json!(4))
    );

    // One that .dockerignore swallows: the line says so, and nothing comes of it.
    project.write("site/notes.md", "none\n");
    let (file, _) = asked.json(&["why", "--file", "site/notes.md"]);
    assert_eq!(file["uses"], json!([]), "{file:#}");
    let by = file["ignored"][0]["by"].as_str().unwrap_or_default();
    assert_eq!(
        (by, &file["ignored"][0]["pattern"]),
        ("<project>/.dockerignore:2", &json!("site/*.md"))
    );
    let before = asked.updates("shop").len();
    let (nothing, _) = asked.json(&["await", "--file", "site/notes.md"]);
    assert_eq!(nothing, json!({"ok": true, "resources": []}));
    assert_eq!(asked.updates("shop").len(), before);

    // One that rebuilds, since a stop path was saved.
    let (file, _) = asked.json(&["why", "--file", "deps.txt"]);
    assert_eq!(file["uses"][0]["save"]["kind"], "build", "{file:#}");
    // No engine has seen this before, so that a step is not cached.
    project.write("deps.txt", &format!("two of process {}\n", std::process::id()));
    let update = asked.came_of_it();
    assert_eq!(update["kind"], "full", "{update:#}");
    assert_eq!(file_and_rule(&update), ("deps.txt", "stop-path"));
    assert_eq!(causes(&update), ["files", "fall-back"]);
    let text = project.tilt(&["why", "shop", "--port", &asked.port]).text;
    for told in [
        "because deps.txt changed: stop path deps.txt",
        "not cached from step [3/5] COPY deps.txt /deps on, since this",
        "until ready",
    ] {
        assert!(text.contains(told), "{told} in {text}");
    }

    // Two saves during a build make one update after it.
    let before = asked.updates("shop").len();
    project.write("deps.txt", &format!("three of process {}\n", std::process::id()));
    up.wait_for("Building Dockerfile: [shop]");
    up.wait_for("Building Dockerfile: [shop]");
    project.write("deps.txt", "four\n");
    asked.json(&["why", "shop"]);
    project.write("deps.txt", "five\n");
    let update = asked.came_of_it();
    assert_eq!(asked.updates("shop").len(), before + 2);
    assert_eq!(waits(&update), ["own-update"], "{update:#}");
    assert_eq!(
        project.kubectl(&["exec", "deployment/shop", "--", "cat", "/deps"]),
        "five\n"
    );

    // A reload that changes one label.
    let yaml = std::fs::read_to_string(project.dir().join("shop.yaml")).expect("a file");
    project.write("shop.yaml", &yaml.replace("apples", "pears"));
    let update = asked.came_of_it();
    assert_eq!(causes(&update), ["definition"]);
    let changes = &update["causes"][0]["changes"];
    assert_eq!(
        changes[0]["what"], "Deployment/shop: metadata.labels.team",
        "{update:#}"
    );
    assert_eq!(changes.as_array().map(Vec::len), Some(1), "{update:#}");
    let place = changes[0]["place"].as_str().unwrap_or_default();
    assert!(place.contains("shop.yaml:"), "{place}");
    let apply = update["stages"]
        .as_array()
        .into_iter()
        .flatten()
        .find(|stage| stage["kind"] == "apply");
    assert_eq!(
        apply.expect("it is applied")["facts"]["changed"],
        json!(["Deployment/shop"]),
        "{update:#}"
    );
    up.stop("INT");
}

#[test]
fn an_update_tells_that_it_waited_for_a_dependency_then_for_a_slot() {
    let project = Project::new(
        "waits",
        "
--- Tiltfile
allow_k8s_contexts('dev')
update_settings(max_parallel_updates=1)
k8s_yaml('db.yaml')
local_resource('busy', 'touch begun; until test -e go; do sleep 0.05; done', allow_parallel=True, auto_init=False)
local_resource('web', 'true', resource_deps=['db'], allow_parallel=True)
--- db.yaml
apiVersion: v1
kind: Pod
metadata: {name: db}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - name: db
    image: localhost:5000/busybox:1
    command: [sleep, '1000']
    readinessProbe: {periodSeconds: 1, exec: {command: [test, -e, /ready]}}
",
    );
    let asked = Asked::of(&project);
    let mut up = project.up_with(&["--port", &asked.port]);
    up.wait_for("→ db:pod");
    let asked_for = project.tilt(&["trigger", "busy", "--port", &asked.port]);
    assert_eq!(asked_for.status, Some(0), "{}", asked_for.text);
    eventually("busy has the only slot", || project.dir().join("begun").exists());
    project.kubectl(&[
        "wait",
        "--for=jsonpath={.status.containerStatuses[0].started}=true",
        "pod/db",
        "--timeout=60s",
    ]);
    let (db, _) = asked.json(&["why", "db"]);
    assert_eq!(db["updates"][0]["outcome"]["result"], "rolling-out", "{db:#}");
    project.kubectl(&["exec", "db", "--", "touch", "/ready"]);
    let waiting = || asked.json(&["why", "web"]).0["waiting"].clone();
    eventually("web waits for the slot", || {
        let waiting = waiting();
        waiting
            .as_array()
            .and_then(|waits| waits.last())
            .is_some_and(|wait| wait["reason"] == "waiting-for-slot")
    });
    let text = project.tilt(&["why", "web", "--port", &asked.port]).text;
    assert!(
        text.starts_with("web waits, for ") && text.contains("until   another update is done"),
        "{text}"
    );
    project.write("go", "");
    let (answer, status) = asked.json(&["await"]);
    assert_eq!(status, Some(0), "{answer:#}");
    let update = asked.updates("web").remove(0);
    assert_eq!(
        waits(&update),
        ["waiting-for-dep", "waiting-for-slot"],
        "{update:#}"
    );
    assert_eq!(update["waits"][0]["on"], json!(["db"]));
    up.stop("INT");
}

#[test]
fn who_waits_for_a_pod_that_cannot_be_scheduled_is_told_why_and_a_mend_is_waited_for() {
    let project = Project::new("cheese", TROUBLED);
    let asked = Asked::of(&project);
    let mut up = project.up_with(&["--port", &asked.port]);
    up.wait_for("→ web:pod");
    let (answer, status) = asked.json(&["await", "--timeout", "2m"]);
    assert_eq!((status, &answer["ok"]), (Some(1), &json!(false)), "{answer:#}");
    let web = &answer["resources"].as_array().expect("a list")[1];
    assert_eq!(
        (&web["name"], &web["result"]),
        (&json!("web"), &json!("failed")),
        "{answer:#}"
    );
    let reason = web["reason"].as_str().unwrap_or_default();
    assert!(
        reason.starts_with("Unschedulable: 0/1 nodes are available"),
        "{answer:#}"
    );
    let yaml = TROUBLED.split("--- pod.yaml\n").nth(1).expect("a file");
    let mended = yaml.replace("  nodeSelector: {made-of: cheese}\n", "");
    project.write(
        "pod.yaml",
        &mended.replace("nobody-built-this:1'", "busybox:1', command: [sleep, '1000']"),
    );
    let update = asked.came_of_it();
    assert_eq!(update["outcome"]["result"], "ok", "{update:#}");
    up.stop("INT");
}

/// Runs `tilt ci` with reports, which must fail; returns the JSON one, and the resource of a name in it.
#[track_caller]
fn failed_run(project: &Project, args: &[&str], resource: &str) -> (Value, Value) {
    let reports = [
        "ci", "--report", "r.json", "--report", "r.xml", "--report", "r.md",
    ];
    let ci = project.tilt(&[&reports, args].concat());
    assert_eq!(ci.status, Some(1), "{}", ci.text);
    report(project, resource)
}

#[track_caller]
fn report(project: &Project, resource: &str) -> (Value, Value) {
    let read = |name: &str| std::fs::read_to_string(project.dir().join(name)).expect("a report");
    let report: Value = serde_json::from_str(&read("r.json")).expect("JSON");
    let resources = report["resources"].as_array().expect("a list");
    let found = resources.iter().find(|told| told["name"] == resource).cloned();
    let found = found.unwrap_or_else(|| panic!("{resource} is missing: {report:#}"));
    let reason = found["reason"].as_str().unwrap_or_default();
    let word = reason.split([':', ' ']).next().unwrap_or_default();
    for name in ["r.xml", "r.md"] {
        assert!(read(name).contains(word), "{word} in {}", read(name));
    }
    (report, found)
}

const TROUBLED: &str = "
--- Tiltfile
allow_k8s_contexts('dev')
k8s_yaml('pod.yaml')
--- pod.yaml
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  terminationGracePeriodSeconds: 0
  nodeSelector: {made-of: cheese}
  containers: [{name: web, image: 'localhost:5000/nobody-built-this:1'}]
";

#[test]
fn reports_of_runs_that_fail_say_what_kubernetes_says() {
    // A pod that is never scheduled, until the time is up.
    let project = Project::new("never", TROUBLED);
    let (run, web) = failed_run(&project, &["--timeout=3s"], "web");
    let message = run["message"].as_str().unwrap_or_default();
    assert!(message.starts_with("Timeout after 3s"), "{message}");
    assert_eq!(web["result"], "pending", "{web:#}");
    let reason = web["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("Unschedulable: "), "{web:#}");
    assert_eq!(web["updates"][0]["outcome"]["reason"], "Unschedulable", "{web:#}");

    // An image that cannot be pulled.
    project.kubectl(&["delete", "pod", "web", "--wait"]);
    project.write(
        "pod.yaml",
        &TROUBLED
            .split("--- pod.yaml\n")
            .nth(1)
            .expect("a file")
            .replace("  nodeSelector: {made-of: cheese}\n", ""),
    );
    let (_, web) = failed_run(&project, &[], "web");
    assert_eq!(web["result"], "failed", "{web:#}");
    let reason = web["reason"].as_str().unwrap_or_default();
    assert!(
        reason.starts_with("ErrImagePull: ") || reason.starts_with("ImagePullBackOff: "),
        "{web:#}"
    );
    assert!(reason.contains("nobody-built-this"), "{web:#}");

    // A Tiltfile that cannot be loaded.
    project.write(
        "Tiltfile",
        "allow_k8s_contexts('dev')\nk8s_yaml('nowhere.yaml')\n",
    );
    let (_, tiltfile) = failed_run(&project, &[], "(Tiltfile)");
    assert_eq!(tiltfile["result"], "failed");
    assert_eq!(tiltfile["place"]["line"], 2, "{tiltfile:#}");

    // Ctrl-C in the middle of a build.
    project.write("Tiltfile", "allow_k8s_contexts('dev')\ndocker_build('localhost:5000/nobody-built-this', '.')\nk8s_yaml('pod.yaml')\n");
    project.write(
        "Dockerfile",
        "FROM localhost:5000/busybox:1\nRUN echo mixing; sleep 600\n",
    );
    let mut command = project.command(
        env!("CARGO_BIN_EXE_tilt"),
        &["ci", "--report=r.json", "--report=r.xml", "--report=r.md"],
    );
    command.env("TILT_OWNER", "tester");
    let mut ci = project.start(command);
    ci.wait_for("→ mixing");
    let (status, _) = ci.stop("INT");
    assert_eq!(status, Some(1));
    let (run, web) = report(&project, "web");
    assert_eq!(
        (&run["result"], &web["result"]),
        (&json!("interrupted"), &json!("pending")),
        "{run:#}"
    );
}
