//! The way to the API server is lost without a word, or the login is.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use crate::support::{Project, Up, eventually};
use crate::witness::{Before, Witness};
use crate::{converged, edit, free_port, page, shop};

/// A way to the API server that can become a black hole: nothing passes any more, nothing is closed, and connections
/// from before never work again.
struct Way {
    port: u16,
    /// Odd while nothing passes.
    holes: Arc<AtomicU32>,
}

impl Way {
    fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let holes = Arc::new(AtomicU32::new(0));
        let now = Arc::clone(&holes);
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let (now, born) = (Arc::clone(&now), now.load(Ordering::SeqCst));
                let server = server.clone();
                std::thread::spawn(move || {
                    if let Ok(far) = TcpStream::connect(server) {
                        let both = [(near.try_clone(), far.try_clone()), (Ok(far), Ok(near))];
                        for (from, to) in both {
                            let (Ok(from), Ok(to), now) = (from, to, Arc::clone(&now)) else {
                                return;
                            };
                            std::thread::spawn(move || pass(from, to, &now, born));
                        }
                    }
                });
            }
        });
        Self { port, holes }
    }

    fn change(&self) {
        self.holes.fetch_add(1, Ordering::SeqCst);
    }
}

/// Passes bytes on as long as the way is as it was.
fn pass(mut from: TcpStream, mut to: TcpStream, now: &AtomicU32, born: u32) {
    let mut buffer = [0; 16 << 10];
    loop {
        let read = from.read(&mut buffer).unwrap_or(0);
        while now.load(Ordering::SeqCst) != born || born % 2 == 1 {
            std::thread::park();
        }
        if read == 0 || to.write_all(&buffer[..read]).is_err() {
            let _ = to.shutdown(Shutdown::Write);
            return;
        }
    }
}

/// Starts a session whose kubeconfig says something else than the one that others use.
pub(crate) fn up_with(project: &Project, change: impl FnOnce(&mut serde_json::Value)) -> Up<'_> {
    let text = std::fs::read_to_string(project.kubeconfig()).expect("a file");
    let mut config = serde_json::from_str(&text).expect("JSON");
    change(&mut config);
    let own = project.kubeconfig().with_extension("own");
    std::fs::write(&own, config.to_string()).expect("a file");
    let mut command = project.command(env!("CARGO_BIN_EXE_tilt"), &["up", "--stream", "--port=0"]);
    command.env("KUBECONFIG", own);
    project.start(command)
}

#[test]
#[ignore = "a fault: make faults"]
fn the_way_to_the_api_server_is_a_black_hole() {
    let port = free_port();
    let project = Project::new("hole", &shop(port));
    let mut way = None;
    let mut up = up_with(&project, |config| {
        let server = &mut config["clusters"][0]["cluster"]["server"];
        let host = server.as_str().unwrap_or_default().trim_start_matches("https://");
        let made = Way::to(host.to_owned());
        *server = format!("https://127.0.0.1:{}", made.port).into();
        way = Some(made);
    });
    let way = way.expect("made");
    eventually("the first page is served", || {
        page(port) == format!("first {port}")
    });
    up.wait_for("count 20");
    let before = Before::of(&project);
    way.change();
    let lost = Instant::now();
    edit(&project, port, 1);
    up.wait_for("Reconnecting... Error port-forwarding web");
    let path = lost.elapsed();
    up.wait_for("Build Failed");
    let told = lost.elapsed();
    edit(&project, port, 2);
    let witness = Witness::start(before, "kube-apiserver");
    way.change();
    converged("black hole", &mut up, port, 2, witness);
    eprintln!(
        "fault: black hole: a forward was told after {:.2} s, an update failed after {:.2} s",
        path.as_secs_f64(),
        told.as_secs_f64()
    );
    up.stop("INT");
}

#[test]
#[ignore = "a fault: make faults"]
fn the_login_expires() {
    let port = free_port();
    let project = Project::new("login", &shop(port));
    let tiltfile = std::fs::read_to_string(project.dir().join("Tiltfile")).expect("a file");
    // Who is nobody special may not ask the cluster for its registry.
    project.write(
        "Tiltfile",
        &format!("default_registry('localhost:5000')\n{tiltfile}"),
    );
    let namespace = project.namespace().to_owned();
    project.kubectl(&["create", "serviceaccount", "me"]);
    project.apply(&format!(
        "apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: me}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: admin}}
subjects: [{{kind: ServiceAccount, name: me, namespace: {namespace}}}]
"
    ));
    let give = |name: &str| {
        project.kubectl(&["create", "secret", "generic", name]);
        let token = project.kubectl(&[
            "create",
            "token",
            "me",
            "--bound-object-kind=Secret",
            &format!("--bound-object-name={name}"),
        ]);
        let credential = serde_json::json!({
            "apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential",
            "status": {"token": token.trim()}
        });
        std::fs::write(
            project.kubeconfig().with_extension("token"),
            credential.to_string(),
        )
        .expect("a file");
    };
    give("one");
    let mut up = up_with(&project, |config| {
        let token = project.kubeconfig().with_extension("token");
        config["users"][0]["user"] = serde_json::json!({"exec": {
            "apiVersion": "client.authentication.k8s.io/v1", "command": "cat", "args": [token],
            "interactiveMode": "Never"
        }});
    });
    eventually("the first page is served", || {
        page(port) == format!("first {port}")
    });
    up.wait_for("count 20");
    give("two");
    let witness = Before::of(&project);
    project.kubectl(&["delete", "secret", "one"]);
    // The API server remembers for 10 s that a login was good.
    std::thread::sleep(Duration::from_secs(11));
    let witness = Witness::start(witness, "kube-apiserver");
    edit(&project, port, 1);
    converged("login expired", &mut up, port, 1, witness);
    let failed = up.seen().iter().any(|line| line.contains("Build Failed"));
    assert!(!failed, "no update fails for it: {:#?}", up.seen());
    up.stop("INT");
}
