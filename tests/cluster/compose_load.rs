//! Compose projects as teams write them, read by the real `docker compose`: `tests/projects/compose`, in the form that
//! `tests/projects/README.md` describes. No engine is asked.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tilt::edge::evaluation::RealHost;
use tilt::logs::{LogStore, LogWriter};
use tilt::model::LocalPath;
use tilt::tiltfile::{Load, LoadRequest, load_on_big_stack};

#[path = "../common/describe.rs"]
mod describe;
use describe::describe;

#[path = "../common/load_request.rs"]
mod load_request;
use load_request::load_request;

/// A project on disk, in a directory of its name.
struct Project {
    dir: tempfile::TempDir,
    name: String,
    expected: Vec<String>,
    request: LoadRequest,
}

impl Project {
    fn new(name: &str, text: &str) -> Self {
        let dir = tempfile::tempdir().expect("a directory");
        let root = dir.path().join(name);
        let mut project = Self {
            request: load_request(LocalPath::new(root.join("Tiltfile"))),
            dir,
            name: name.to_owned(),
            expected: Vec::new(),
        };
        for section in text.split("\n--- ").skip(1) {
            let (title, content) = section.split_once('\n').unwrap_or((section, ""));
            let lines = content.lines().filter(|line| !line.is_empty()).map(str::to_owned);
            match title {
                "!expected" => project.expected = lines.collect(),
                "!args" => project.request.args = lines.collect(),
                "!env" => {
                    let variables = lines.filter_map(|line| {
                        let (name, value) = line.split_once('=')?;
                        Some((name.to_owned(), value.to_owned()))
                    });
                    project.request.program.variables = variables.collect();
                }
                path => project.write(path, content),
            }
        }
        project
    }

    fn write(&self, path: &str, content: &str) {
        let path = self.root().join(path);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a directory");
        std::fs::write(path, content).expect("a file");
    }

    fn root(&self) -> PathBuf {
        self.dir.path().join(&self.name)
    }

    fn load(&self) -> Load {
        self.load_with_log().0
    }

    fn load_with_log(&self) -> (Load, String) {
        let store = LogStore::in_memory();
        let log = LogWriter::global(store.clone());
        let cancelled = Arc::new(AtomicBool::new(false));
        let load = load_on_big_stack(&self.request, &RealHost::default(), &log, cancelled);
        let segments = store.reader_from(0).try_next_batch();
        (
            load,
            segments.iter().map(|segment| segment.text.as_str()).collect(),
        )
    }

    /// Returns what comes of the project, in the form of its `!expected` section.
    fn outcome(&self) -> Vec<String> {
        let load = self.load();
        let root = self.root().display().to_string();
        if let Some(error) = load.error_text() {
            return error.lines().map(|line| line.replace(&root, "$DIR")).collect();
        }
        let mut outcome: Vec<String> = load.manifests.iter().flatten().map(describe).collect();
        if load.enabled.len() != outcome.len() {
            let names: Vec<&str> = load.enabled.iter().map(|name| name.as_str()).collect();
            outcome.push(format!("enabled: {}", names.join(" ")));
        }
        let warnings = load
            .warnings
            .iter()
            .flat_map(|warning| warning.message.lines().next());
        outcome.extend(warnings.map(|line| format!("warns: {}", line.replace(&root, "$DIR"))));
        let files = load.watched_files();
        let files = files
            .iter()
            .filter_map(|path| path.as_path().strip_prefix(self.root()).ok());
        let files: Vec<String> = files.map(|path| path.display().to_string()).collect();
        outcome.push(format!("watches: {}", files.join(" ")));
        outcome
    }
}

#[test]
fn every_project_loads_into_its_services() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/projects/compose");
    let (mut wrong, mut n_projects) = (Vec::new(), 0);
    for entry in std::fs::read_dir(folder)
        .expect("tests/projects/compose")
        .flatten()
    {
        let path = entry.path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        let project = Project::new(&name, &std::fs::read_to_string(&path).expect("a project"));
        n_projects += 1;
        let outcome = project.outcome();
        if outcome != project.expected {
            let (found, expected) = (outcome.join("\n"), project.expected.join("\n"));
            wrong.push(format!("== {name}\n{found}\n-- expected\n{expected}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(n_projects >= 12, "only {n_projects} projects");
}

#[test]
fn what_a_service_is_made_from_changes_with_every_file_that_compose_reads() {
    let text = "\n--- Tiltfile\ndocker_compose('compose.yml')\n\n--- compose.yml\ninclude: [sub/part.yml]\nservices:\n  a:\n    \
                extends: {file: base.yml, service: b}\n    env_file: a.env\n    label_file: a.labels\n\n--- base.yml\nservices:\n  b: \
                {image: \"x:${TAG}\"}\n\n--- .env\nTAG=1\n\n--- a.env\nA=1\n\n--- a.labels\nl=1\n\n--- sub/part.yml\nservices: \
                {c: {image: y}}\n";
    let project = Project::new("parts", text);
    let made_from = || {
        let load = project.load();
        assert_eq!(load.error_text(), None);
        let manifests = load.manifests.expect("it loads");
        let of = |at: usize| {
            manifests[at]
                .deploy
                .compose()
                .expect("a service")
                .service
                .run_definition()
        };
        (of(0), of(1))
    };
    let mut known = made_from();
    assert_eq!(made_from(), known);
    for (path, content, is_of_first) in [
        (".env", "TAG=2\n", true),
        ("a.env", "A=2\n", true),
        ("a.labels", "l=2\n", true),
        ("base.yml", "services:\n  b: {image: \"z:${TAG}\"}\n", true),
        ("sub/part.yml", "services: {c: {image: z}}\n", false),
    ] {
        let path_of = LocalPath::new(project.root().join(path));
        assert!(
            project.load().watched_files().contains(&path_of),
            "{path} is watched"
        );
        project.write(path, content);
        let new = made_from();
        assert_eq!(
            (new.0 != known.0, new.1 != known.1),
            (is_of_first, !is_of_first),
            "{path}"
        );
        known = new;
    }
}

#[test]
fn the_hash_of_a_service_is_told_where_a_container_will_have_the_same() {
    let text = "\n--- Tiltfile\ndocker_compose('compose.yml')\n\n--- compose.yml\nservices:\n  a: {image: x}\n  \
                b: {image: x, env_file: b.env}\n  c: {image: x, network_mode: \"service:a\"}\n  d: {image: x, label_file: \
                d.labels}\n  e: {image: x, volumes_from: [a]}\n\n--- b.env\nB=1\n\n--- d.labels\nl=1\n";
    let project = Project::new("hashes", text);
    let hashes = || {
        let manifests = project.load().manifests.expect("it loads");
        let services = manifests.iter().filter_map(|manifest| manifest.deploy.compose());
        let hashes = services.map(|target| (target.service.name.clone(), target.service.config_hash.clone()));
        hashes.collect::<BTreeMap<_, _>>()
    };
    let before = hashes();
    let known: Vec<&str> = before
        .iter()
        .filter(|(_, hash)| !hash.is_empty())
        .map(|(name, _)| name.as_str())
        .collect();
    assert_eq!(known, ["a", "b"]);
    project.write("b.env", "B=2\n");
    let after = hashes();
    assert_eq!(
        (after["a"] == before["a"], after["b"] == before["b"]),
        (true, false)
    );
}

/// Lets compose say the hashes of a project that it has resolved: those that containers get.
fn hashes_by_compose(project: &Project) -> BTreeMap<String, String> {
    let script = "docker compose -f compose.yml --profile '*' config --format json | docker compose -f - --profile '*' config --hash '*'";
    let mut command = Command::new("sh");
    command.args(["-c", script]).current_dir(project.root());
    let output = command.output().expect("there is a shell");
    let printed = String::from_utf8(output.stdout).expect("hashes are text");
    let pairs = printed.lines().filter_map(|line| line.split_once(' '));
    pairs
        .map(|(service, hash)| (service.to_owned(), hash.to_owned()))
        .collect()
}

#[test]
fn hashes_of_services_are_those_of_compose() {
    let text = "\n--- Tiltfile\ndocker_compose('compose.yml', profiles=['p'])\n\n--- compose.yml\nservices:\n  \
                plain: {image: x}\n  \
                built: {build: {context: ., args: {A: '1'}}, pull_policy: build, depends_on: [plain], scale: 2, profiles: [p]}\n  \
                text:\n    image: x\n    command: [sh, -c, \"echo '<&>' $$HOME \\u2028 \\t é\"]\n    \
                environment: {B: 'b & c', EMPTY: '', AGE: 7}\n    labels: {z: '1', a: '2'}\n    env_file: text.env\n    \
                cpus: 0.5\n    mem_limit: 64m\n    shm_size: 1gb\n    stop_grace_period: 1m30s\n    ulimits: {nofile: {soft: 10, hard: 20}}\n    \
                healthcheck: {test: [CMD, 'true'], interval: 1.5s, retries: 3}\n    ports: ['80', '127.0.0.1:8080:80/udp']\n    \
                volumes: ['data:/data', './a:/a:ro', {type: tmpfs, target: /t, tmpfs: {size: 1000}}]\n    \
                networks: {front: {aliases: [n]}, back: null}\n    configs: [{source: c, target: /c}]\n    secrets: [s]\n    \
                extra_hosts: ['a=1.2.3.4']\n    logging: {driver: json-file, options: {max-size: 1m}}\n    tty: true\n    \
                deploy: {replicas: 2, resources: {reservations: {memory: 32M}}}\n    x-own: {a: [1, 2.50, null]}\n\
                networks: {front: {}, back: {}}\nvolumes: {data: {}}\nconfigs: {c: {content: 'x'}}\nsecrets: {s: {file: ./s}}\n\n\
                --- text.env\nC=c\n\n--- s\ns\n";
    let project = Project::new("hash", text);
    let load = project.load();
    assert_eq!(load.error_text(), None);
    let manifests = load.manifests.expect("it loads");
    let services = manifests.iter().filter_map(|manifest| manifest.deploy.compose());
    let ours: BTreeMap<String, String> = services
        .map(|target| (target.service.name.clone(), target.service.config_hash.clone()))
        .collect();
    assert_eq!(ours.len(), 3);
    assert_eq!(ours, hashes_by_compose(&project));
}

#[test]
fn fifty_services_are_read_once() {
    let mut compose = String::from("services:\n");
    for at in 0..50 {
        let needed = if at == 0 {
            String::new()
        } else {
            format!(", depends_on: [s{}]", at / 2)
        };
        let _ = writeln!(
            compose,
            "  s{at}: {{image: \"x:{at}\", ports: [\"{}:80\"]{needed}}}",
            9000 + at
        );
    }
    let text = format!("\n--- Tiltfile\ndocker_compose('compose.yml')\n\n--- compose.yml\n{compose}");
    let project = Project::new("fifty", &text);
    let logged = || {
        let (load, log) = project.load_with_log();
        assert_eq!(
            load.manifests.map(|manifests| manifests.len()),
            Some(50),
            "{:?}",
            load.errors
        );
        log
    };
    assert!(!logged().contains("Nothing has changed"));
    assert!(logged().contains("Nothing has changed for: docker compose"));
}

#[test]
fn the_example_loads() {
    let example = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/compose");
    let log = LogWriter::global(LogStore::in_memory());
    let cancelled = Arc::new(AtomicBool::new(false));
    let load = load_on_big_stack(
        &load_request(LocalPath::new(example.join("Tiltfile"))),
        &RealHost::default(),
        &log,
        cancelled,
    );
    assert_eq!(load.error_text(), None);
    assert!(load.warnings.is_empty(), "{:?}", load.warnings);
    assert_eq!(load.manifests.map(|manifests| manifests.len()), Some(3));
}
