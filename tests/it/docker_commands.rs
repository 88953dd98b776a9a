//! `tilt docker` and `tilt docker-prune`: what they say and ask, with an engine that answers from a table and a `docker` that
//! says what it was started with.
#![allow(clippy::disallowed_methods, reason = "these tests run a program")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::sync::{Arc, Mutex};

use crate::commands::{Folder, Ran};

/// A Docker engine that answers each request by its method and path; it is gone with the test.
struct Engine {
    host: String,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Engine {
    fn start(answer: fn(&str) -> String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let host = format!("tcp://{}", listener.local_addr().expect("an address"));
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let noted = Arc::clone(&asked);
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                let noted = Arc::clone(&noted);
                std::thread::spawn(move || serve(stream, answer, &noted));
            }
        });
        Self { host, asked }
    }

    /// Returns what it was asked but for its version, without the version of the API and without queries.
    fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().expect("nobody panicked").clone();
        asked
            .into_iter()
            .filter(|asked| asked != "GET /version")
            .collect()
    }
}

fn serve(stream: TcpStream, answer: fn(&str) -> String, noted: &Mutex<Vec<String>>) {
    let mut reader = BufReader::new(stream.try_clone().expect("a stream"));
    let mut stream = stream;
    loop {
        let (mut request, mut length) = (String::new(), 0);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or_default() == 0 {
                return;
            }
            if request.is_empty() {
                request = line.clone();
            }
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().unwrap_or_default();
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        if reader.read_exact(&mut body).is_err() {
            return;
        }
        let mut words = request.split_whitespace();
        let method = words.next().unwrap_or_default();
        let path = words
            .next()
            .unwrap_or_default()
            .split('?')
            .next()
            .unwrap_or_default();
        let path = match path.strip_prefix("/v1.").and_then(|path| path.split_once('/')) {
            Some((_, path)) => format!("/{path}"),
            None => path.to_owned(),
        };
        let asked = format!("{method} {path}");
        noted.lock().expect("nobody panicked").push(asked.clone());
        let body = answer(&asked);
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
            body.len()
        );
        if stream.write_all(format!("{head}{body}").as_bytes()).is_err() {
            return;
        }
    }
}

/// An engine in which something is left over of each kind: a container, two images, of which one is new, and a cache.
fn full(asked: &str) -> String {
    let image = |age: &str| format!("{{\"Size\": 2000000, \"Metadata\": {{\"LastTagTime\": \"{age}\"}}}}");
    match asked {
        "GET /version" => "{\"ApiVersion\": \"1.47\", \"Version\": \"27.0\"}".to_owned(),
        "POST /containers/prune" => "{\"ContainersDeleted\": [\"a\"], \"SpaceReclaimed\": 1000}".to_owned(),
        "GET /images/json" => "[{\"Id\": \"old\", \"RepoTags\": [\"web:tilt-1\"]}, {\"Id\": \"new\", \"RepoTags\": [\"web:tilt-2\"]}]".to_owned(),
        "GET /images/old/json" => image("2020-01-01T00:00:00Z"),
        "GET /images/new/json" => image("2999-01-01T00:00:00Z"),
        "POST /build/prune" => "{\"CachesDeleted\": [\"b\", \"c\"], \"SpaceReclaimed\": 3000000000}".to_owned(),
        "DELETE /images/old" => {
            "[{\"Untagged\": \"web:tilt-1\"}, {\"Deleted\": \"sha256:0a\"}]".to_owned()
        }
        _ => "{}".to_owned(),
    }
}

fn empty(asked: &str) -> String {
    match asked {
        "GET /version" => "{\"ApiVersion\": \"1.47\"}".to_owned(),
        "GET /images/json" => "[]".to_owned(),
        _ => "{\"SpaceReclaimed\": 0}".to_owned(),
    }
}

fn run(folder: &Folder, args: &[&str], host: &str) -> Ran {
    let path = format!(
        "{}:{}",
        folder.path("").display(),
        std::env::var("PATH").unwrap_or_default()
    );
    folder.tilt(
        args,
        &[("KUBECONFIG", "none"), ("DOCKER_HOST", host), ("PATH", &path)],
    )
}

/// A folder in which `docker` says what it was started with, and ends with 3.
fn with_docker() -> Folder {
    let script = "#!/bin/sh\necho \"buildkit $DOCKER_BUILDKIT: $*\"\nexit 3\n";
    let folder = Folder::new(&[("docker", script)]);
    let executable = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(folder.path("docker"), executable).expect("a file of ours");
    folder
}

#[test]
fn docker_is_told_and_run_with_the_variables_of_the_engine() {
    let (engine, folder) = (Engine::start(empty), with_docker());
    let ran = run(&folder, &["docker", "--", "ps", "--format", "x"], &engine.host);
    assert_eq!(ran.stdout(), "buildkit 1: ps --format x");
    let told = ran.stderr().replace(&engine.host, "<engine>");
    assert_eq!(
        told,
        "Running Docker command as:\nDOCKER_BUILDKIT=1 DOCKER_HOST=<engine> docker ps --format x\n---"
    );
}

#[test]
fn docker_without_an_engine_says_so() {
    let ran = run(&with_docker(), &["docker", "--", "ps"], "tcp://127.0.0.1:9");
    ran.status(1);
    let first = "Error: Failed to connect to Docker server: ";
    assert!(ran.stderr().starts_with(first), "{}", ran.stderr());
    assert_eq!(ran.stdout(), "");
}

const WEB: &str =
    "docker_build('web', '.', dockerfile_contents='FROM scratch')\ndocker_compose('compose.yaml')\n";

#[test]
fn pruning_tells_what_it_removed_and_leaves_what_is_new() {
    let engine = Engine::start(full);
    let folder = Folder::new(&[
        (
            "Tiltfile",
            &format!("{WEB}docker_prune_settings(max_age_mins=60, keep_recent=0)\n"),
        ),
        ("compose.yaml", "services: {web: {image: web}}\n"),
    ]);
    let ran = run(&folder, &["docker-prune"], &engine.host);
    let log = ran.status(0).stdout();
    for line in [
        "[Docker Prune] removed 1 containers, reclaimed 1.0 kB",
        "[Docker Prune] removed 1 images, reclaimed 2.0 MB",
        "[Docker Prune] removed 2 caches, reclaimed 3.0 GB",
        "[Docker Prune] done",
    ] {
        assert!(log.contains(line), "{line} in {log}");
    }
    let removed: Vec<String> = engine
        .asked()
        .into_iter()
        .filter(|asked| asked.starts_with("DELETE"))
        .collect();
    assert_eq!(removed, ["DELETE /images/old"]);
    assert!(!log.contains("untagged"), "{log}");
    let ran = run(&folder, &["docker-prune", "--debug"], &engine.host);
    let log = ran.status(0).stdout();
    for line in [
        "\t- untagged: web:tilt-1\n",
        "\t- deleted: sha256:0a\n",
        "\t- b\n",
    ] {
        assert!(log.contains(line), "{line} in {log}");
    }
}

#[test]
fn pruning_of_nothing_says_that_it_is_done() {
    let engine = Engine::start(empty);
    let folder = Folder::new(&[("Tiltfile", "local_resource('a', 'true')\n")]);
    let ran = run(&folder, &["docker-prune"], &engine.host);
    let log = ran.status(0).stdout();
    assert!(log.contains("[Docker Prune] done"), "{log}");
    assert!(!log.contains("removed"), "{log}");
}

#[test]
fn pruning_fails_with_the_tiltfile_and_without_the_cluster_or_an_engine() {
    let folder = Folder::new(&[("Tiltfile", "fail('no such luck')\n")]);
    let engine = Engine::start(empty);
    let ran = run(&folder, &["docker-prune"], &engine.host);
    assert!(
        ran.status(1).stderr().contains("no such luck"),
        "{}",
        ran.stderr()
    );
    assert_eq!(engine.asked(), [""; 0], "nothing is removed");

    let folder = Folder::new(&[(
        "Tiltfile",
        "k8s_yaml(blob('{kind: ConfigMap, apiVersion: v1, metadata: {name: m}}'))\n",
    )]);
    let ran = run(&folder, &["docker-prune"], &engine.host);
    let error = ran.status(1).stderr();
    assert!(
        error.starts_with("Error: determining local registry: "),
        "{error}"
    );

    let folder = Folder::new(&[("Tiltfile", "local_resource('a', 'true')\n")]);
    let ran = run(&folder, &["docker-prune"], "tcp://127.0.0.1:9");
    let error = ran.status(1).stderr();
    assert!(error.starts_with("Error: Failed to connect to Docker"), "{error}");
}
