//! Who watches beside tilt: when a part of the cluster is back, when the cluster was told what is wanted, and when it had
//! it. So it can be told who took how long.

use std::process::Command;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::Project;

/// How long something is waited for.
const PATIENCE: Duration = Duration::from_secs(90);

/// The deployment `web` and its pods before the fault.
pub(crate) struct Before {
    api: Api,
    generation: u64,
    pods: Vec<String>,
}

/// What was seen when.
pub(crate) struct Times {
    /// The part answers.
    pub(crate) back: Instant,
    /// The deployment is another than before.
    pub(crate) applied: Instant,
    /// A new pod is ready.
    pub(crate) ready: Instant,
}

/// A thread that watches.
pub(crate) struct Witness(JoinHandle<Times>);

/// The API server, for somebody who can wait for it.
struct Api {
    server: String,
    namespace: String,
    header: String,
}

impl Before {
    #[track_caller]
    pub(crate) fn of(project: &Project) -> Self {
        let config = std::fs::read_to_string(project.kubeconfig()).expect("a file");
        let config: Value = serde_json::from_str(&config).expect("JSON");
        let text = |path: &str| config.pointer(path).and_then(Value::as_str).unwrap_or_default();
        let server = text("/clusters/0/cluster/server");
        let api = Api {
            server: server.to_owned(),
            namespace: project.namespace().to_owned(),
            header: format!("Authorization: Bearer {}", text("/users/0/user/token")),
        };
        Self {
            generation: api.generation().expect("a deployment"),
            pods: api.ready_pods(),
            api,
        }
    }
}

impl Witness {
    /// Begins to wait for a component that is stopped.
    pub(crate) fn start(before: Before, component: &'static str) -> Self {
        Self(std::thread::spawn(move || before.watch(component)))
    }

    #[track_caller]
    pub(crate) fn join(self) -> Times {
        self.0.join().expect("all is seen")
    }
}

impl Before {
    fn watch(self, component: &str) -> Times {
        let back = when("the part is back", || self.api.answers(component));
        let is_new = |generation| generation > self.generation;
        let applied = when("the deployment is another", || {
            self.api.generation().is_some_and(is_new)
        });
        let ready = when("a new pod is ready", || {
            let pods = self.api.ready_pods();
            pods.iter().any(|pod| !self.pods.contains(pod))
        });
        Times { back, applied, ready }
    }
}

impl Api {
    fn answers(&self, component: &str) -> bool {
        let socket = "unix:///var/run/docker.sock";
        match component {
            "kube-apiserver" => self.get("readyz").is_some(),
            "dockerd" => run("docker", &["-H", socket, "version"]).is_some(),
            "registry" => run("curl", &["-fs", "http://localhost:5000/v2/"]).is_some(),
            "kubelet" => run("curl", &["-fs", "http://127.0.0.1:10248/healthz"]).is_some(),
            "containerd" => {
                let home = std::env::var("HOME").unwrap_or_default();
                let dir = std::env::var("DEV_CLUSTER_DIR").unwrap_or(format!("{home}/.cache/dev-cluster"));
                run("ctr", &["-a", &format!("{dir}/containerd.sock"), "version"]).is_some()
            }
            other => panic!("{other} is no component"),
        }
    }

    fn generation(&self) -> Option<u64> {
        self.json("apis/apps/v1", "deployments/web")?
            .pointer("/metadata/generation")?
            .as_u64()
    }

    fn ready_pods(&self) -> Vec<String> {
        let list = self
            .json("api/v1", "pods?labelSelector=app%3Dweb")
            .unwrap_or_default();
        let pods = list["items"].as_array().cloned().unwrap_or_default();
        let is_ready = |pod: &&Value| {
            let conditions = pod.pointer("/status/conditions").and_then(Value::as_array);
            let ready = |condition: &Value| condition["type"] == "Ready" && condition["status"] == "True";
            conditions.is_some_and(|all| all.iter().any(ready))
        };
        let uid = |pod: &Value| Some(pod.pointer("/metadata/uid")?.as_str()?.to_owned());
        pods.iter().filter(is_ready).filter_map(uid).collect()
    }

    fn json(&self, group: &str, path: &str) -> Option<Value> {
        let namespace = &self.namespace;
        serde_json::from_str(&self.get(&format!("{group}/namespaces/{namespace}/{path}"))?).ok()
    }

    fn get(&self, path: &str) -> Option<String> {
        let server = &self.server;
        run(
            "curl",
            &["-fskm", "2", "-H", &self.header, &format!("{server}/{path}")],
        )
    }
}

fn run(program: &str, args: &[&str]) -> Option<String> {
    let output = Command::new(program).args(args).output().expect("it runs");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    output.status.success().then_some(text)
}

/// Returns when a check first held.
fn when(what: &str, check: impl Fn() -> bool) -> Instant {
    let deadline = Instant::now() + PATIENCE;
    while !check() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
    Instant::now()
}
