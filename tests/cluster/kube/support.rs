//! A namespace of a real cluster, and what to do in it.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::{Value, json};
use tilt::edge::kube::{ApplyOutcome, ApplyRequest, Cluster, apply, read_context};
use tilt::k8s::labels::Ownership;
use tilt::k8s::{Entity, Origin};
use tilt::logs::{LogStore, LogWriter};
use tilt::model::{ManifestName, SpanId};
use tokio_util::sync::CancellationToken;

pub(crate) const IMAGE: &str = "localhost:5000/busybox:1";
/// Long enough for a busy machine; no test waits for it when all is well.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A namespace of its own; deleted when dropped, without waiting.
pub(crate) struct World {
    pub(crate) cluster: Cluster,
    pub(crate) namespace: String,
    pub(crate) store: LogStore,
}

impl World {
    pub(crate) async fn new(test: &str) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let namespace = format!("tilt-test-{test}-{}", std::process::id());
        kubectl(&["create", "namespace", &namespace], "");
        let env = |key: &str| (key == "KUBECONFIG").then(kubeconfig);
        let (_, access) = read_context(None, Some(&namespace), &env);
        let access = access.expect("a kubeconfig with a current context: start `dev/cluster` first");
        let cluster = Cluster::connect(access)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        Self {
            cluster,
            namespace,
            store: LogStore::in_memory(),
        }
    }

    /// Applies objects as resource `web`.
    pub(crate) async fn apply(&self, objects: &[Value]) -> ApplyOutcome {
        let manifest = ManifestName::from("web");
        let log = LogWriter::new(self.store.clone(), SpanId::from("build:1"), manifest.clone());
        let request = ApplyRequest {
            manifest: &manifest,
            entities: objects
                .iter()
                .map(|object| Entity::new(object.clone(), Origin::default()))
                .collect(),
            images: &[],
            locators: &[],
            ownership: &ownership(),
            timeout: Duration::from_secs(30),
        };
        apply(&self.cluster, request, &log, &CancellationToken::new()).await
    }

    /// Applies objects, which must succeed.
    #[track_caller]
    pub(crate) fn applied(&self, outcome: ApplyOutcome) -> ApplyOutcome {
        assert_eq!(outcome.error, None);
        outcome
    }

    /// Runs kubectl in the namespace, and returns what it prints.
    #[track_caller]
    pub(crate) fn kubectl(&self, args: &[&str], input: &str) -> String {
        kubectl(&[&["-n", &self.namespace], args].concat(), input)
    }

    /// Returns an object.
    #[track_caller]
    pub(crate) fn get(&self, object: &str) -> Value {
        let text = self.kubectl(&["get", object, "-o", "json", "--show-managed-fields"], "");
        serde_json::from_str(&text).expect("JSON")
    }
}

impl Drop for World {
    fn drop(&mut self) {
        let args = [
            "delete",
            "namespace",
            &self.namespace,
            "--wait=false",
            "--ignore-not-found",
        ];
        let _ = command(&args)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// Who deploys in these tests.
pub(crate) fn ownership() -> Ownership {
    Ownership {
        project: "/src/shop".to_owned(),
        owner: "somebody".to_owned(),
    }
}

/// Returns a Deployment with one container that runs a shell script.
pub(crate) fn deployment(name: &str, script: &str) -> Value {
    json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name}, "spec": {
        "selector": {"matchLabels": {"app": name}},
        "template": {"metadata": {"labels": {"app": name}}, "spec": pod_spec(name, script)}}})
}

pub(crate) fn job(name: &str, script: &str) -> Value {
    let mut spec = pod_spec(name, script);
    spec["restartPolicy"] = "Never".into();
    json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": {
        "backoffLimit": 0, "template": {"spec": spec}}})
}

fn pod_spec(name: &str, script: &str) -> Value {
    json!({"terminationGracePeriodSeconds": 0,
        "containers": [{"name": name, "image": IMAGE, "command": ["sh", "-c", script]}]})
}

pub(crate) fn config_map(name: &str, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": data})
}

#[track_caller]
fn kubectl(args: &[&str], input: &str) -> String {
    let mut child = command(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl is installed");
    let mut stdin = child.stdin.take().expect("a pipe");
    std::io::Write::write_all(&mut stdin, input.as_bytes()).expect("kubectl reads");
    drop(stdin);
    let output = child.wait_with_output().expect("kubectl ends");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {args:?}: {errors}");
    String::from_utf8(output.stdout).expect("text")
}

#[allow(
    clippy::disallowed_methods,
    reason = "a test's own tool; it inherits what the test was given"
)]
fn command(args: &[&str]) -> Command {
    let mut command = Command::new("kubectl");
    command.env("KUBECONFIG", kubeconfig()).args(args);
    command
}

fn kubeconfig() -> String {
    let home = std::env::var("HOME").unwrap_or_default();
    std::env::var("KUBECONFIG").unwrap_or_else(|_| format!("{home}/.cache/dev-cluster/kubeconfig"))
}
