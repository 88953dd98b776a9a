//! A scratch project with a HOME and a namespace of its own, and a `tilt` that runs in it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Output, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use tempfile::TempDir;

/// A project of one object.
pub(crate) const PLAIN: &str = "
--- Tiltfile
allow_k8s_contexts('dev')
k8s_yaml('plain.yaml')
--- plain.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: plain}
data: {word: one}
";

/// Returns a Deployment of one container, in which a shell runs a command.
pub(crate) fn deployment(name: &str, image: &str, command: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}}}
spec:
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}}}}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - name: {name}
        image: {image}
        command: [sh, -c, '{command}']
"
    )
}

/// Time allowed for a named condition. It is generous: a test that waits this long has failed.
const PATIENCE: Duration = Duration::from_secs(60);

/// A scratch project. Its namespace is deleted, without waiting, when it is dropped.
pub(crate) struct Project {
    root: TempDir,
    namespace: String,
}

impl Project {
    /// Makes a project from a text that holds several files: `--- path` starts each.
    pub(crate) fn new(name: &str, files: &str) -> Self {
        let project = Self::empty(name);
        for part in files.split("--- ").filter(|part| !part.trim().is_empty()) {
            let (path, content) = part.split_once('\n').expect("a path, then its content");
            project.write(path.trim(), content);
        }
        project
    }

    /// Copies a folder of `examples/`.
    pub(crate) fn example(name: &str) -> Self {
        let project = Self::empty(name);
        let from = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
        copy(&from, &project.dir());
        project
    }

    fn empty(name: &str) -> Self {
        let root = TempDir::with_prefix("tilt-test-").expect("a scratch folder");
        let unique = root
            .path()
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .to_lowercase();
        let namespace = format!("{name}-{}", unique.rsplit('-').next().unwrap_or_default());
        let project = Self { root, namespace };
        std::fs::create_dir_all(project.dir()).expect("a folder");
        std::fs::create_dir_all(project.root.path().join("home")).expect("a folder");
        let view = ["config", "view", "--raw", "--minify", "--flatten", "-o", "json"];
        let raw = Command::new("kubectl")
            .args(view)
            .output()
            .expect("kubectl is on PATH");
        assert!(
            raw.status.success(),
            "a kubeconfig names the cluster: {}",
            String::from_utf8_lossy(&raw.stderr)
        );
        let mut config: serde_json::Value = serde_json::from_slice(&raw.stdout).expect("JSON");
        config["current-context"] = "dev".into();
        config["contexts"][0]["name"] = "dev".into();
        config["contexts"][0]["context"]["namespace"] = project.namespace.as_str().into();
        std::fs::write(project.kubeconfig(), config.to_string()).expect("a file");
        project.kubectl(&["create", "namespace", &project.namespace]);
        project
    }

    pub(crate) fn dir(&self) -> PathBuf {
        self.root.path().join("project")
    }

    /// Returns the name of the project's namespace.
    pub(crate) fn namespace(&self) -> &str {
        &self.namespace
    }

    /// Applies YAML in the project's namespace.
    #[track_caller]
    pub(crate) fn apply(&self, yaml: &str) {
        let file = self.root.path().join("applied.yaml");
        std::fs::write(&file, yaml).expect("a file");
        self.kubectl(&["apply", "-f", &file.to_string_lossy()]);
    }

    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.root.path().join("kubeconfig")
    }

    pub(crate) fn write(&self, path: &str, content: &str) {
        let path = self.dir().join(path);
        std::fs::create_dir_all(path.parent().expect("below the project")).expect("a folder");
        std::fs::write(path, content).expect("a file");
    }

    /// Runs kubectl in the project's namespace; it must succeed.
    #[track_caller]
    pub(crate) fn kubectl(&self, args: &[&str]) -> String {
        let output = self
            .command("kubectl", args)
            .output()
            .expect("kubectl is on PATH");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "kubectl {args:?}: {text}{}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }

    /// Returns whether kubectl finds an object.
    pub(crate) fn exists(&self, object: &str) -> bool {
        self.command("kubectl", &["get", object])
            .output()
            .expect("kubectl is on PATH")
            .status
            .success()
    }

    /// Runs tilt to its end.
    pub(crate) fn tilt(&self, args: &[&str]) -> Finished {
        self.tilt_as("tester", args)
    }

    /// Runs tilt to its end for a person.
    pub(crate) fn tilt_as(&self, owner: &str, args: &[&str]) -> Finished {
        let output = self
            .command(env!("CARGO_BIN_EXE_tilt"), args)
            .env("TILT_OWNER", owner)
            .output()
            .expect("the binary runs");
        Finished {
            text: self.normalised(&output),
            status: output.status.code(),
        }
    }

    /// Starts `tilt up --stream`.
    pub(crate) fn up(&self) -> Up<'_> {
        self.up_with(&[])
    }

    /// Starts `tilt up --stream` with further arguments.
    pub(crate) fn up_with(&self, args: &[&str]) -> Up<'_> {
        let args = [&["up", "--stream", "--port=0"], args].concat();
        self.start(self.command(env!("CARGO_BIN_EXE_tilt"), &args))
    }

    /// Starts a command that prints the lines of a `tilt up`.
    pub(crate) fn start(&self, mut command: Command) -> Up<'_> {
        let mut child = command
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("it runs");
        let (sender, lines) = channel();
        for stream in [
            Box::new(child.stdout.take().expect("piped")) as Box<dyn std::io::Read + Send>,
            Box::new(child.stderr.take().expect("piped")),
        ] {
            let sender = sender.clone();
            std::thread::spawn(move || {
                for line in BufReader::new(stream).lines().map_while(Result::ok) {
                    let _ = sender.send((Instant::now(), line));
                }
            });
        }
        Up {
            _stdin: child.stdin.take(),
            child,
            lines,
            seen: Vec::new(),
            times: Vec::new(),
            _project: self,
        }
    }

    /// Returns a command that runs in the project, with its environment.
    pub(crate) fn command(&self, program: &str, args: &[&str]) -> Command {
        let mut command = Command::new(program);
        command.args(args).current_dir(self.dir()).stdin(Stdio::null());
        for (name, _) in
            std::env::vars().filter(|(name, _)| name.starts_with("TILT_") || name.starts_with("XDG_"))
        {
            command.env_remove(name);
        }
        command
            .env("HOME", self.root.path().join("home"))
            .env("KUBECONFIG", self.kubeconfig())
            .env("TILT_PORT", "0")
            .env("NO_COLOR", "1");
        command
    }

    fn normalised(&self, output: &Output) -> String {
        let text = [&output.stdout[..], &output.stderr[..]].concat();
        let dir = self.dir().to_string_lossy().into_owned();
        String::from_utf8_lossy(&text)
            .replace(&dir, "<project>")
            .replace(&self.namespace, "<ns>")
    }
}

impl Drop for Project {
    fn drop(&mut self) {
        let delete = ["delete", "namespace", &self.namespace, "--wait=false"];
        let _ = self.command("kubectl", &delete).output();
    }
}

/// A tilt that ran to its end.
#[derive(Debug)]
pub(crate) struct Finished {
    /// Standard output, then standard error; paths and namespace by name.
    pub(crate) text: String,
    /// Its exit status.
    pub(crate) status: Option<i32>,
}

impl Finished {
    /// Returns what follows the line that starts with `start`, that line included.
    #[track_caller]
    pub(crate) fn since_line(&self, start: &str) -> &str {
        let at = self.text.lines().position(|line| line.starts_with(start));
        let at = at.unwrap_or_else(|| panic!("no line starts with {start:?} in:\n{}", self.text));
        let offset: usize = self.text.split_inclusive('\n').take(at).map(str::len).sum();
        self.text[offset..].trim_end()
    }
}

/// A running `tilt up --stream`.
pub(crate) struct Up<'p> {
    child: Child,
    _stdin: Option<ChildStdin>,
    lines: Receiver<(Instant, String)>,
    seen: Vec<String>,
    times: Vec<Instant>,
    _project: &'p Project,
}

impl Up<'_> {
    /// Waits for a line that contains the text, and returns it. Lines before it are used up.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self
                .lines
                .recv_timeout(deadline.saturating_duration_since(Instant::now()))
            {
                Ok((time, line)) => {
                    let found = line.contains(text);
                    self.note(time, line.clone());
                    if found {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout | RecvTimeoutError::Disconnected) => {
                    panic!("never saw {text:?}; seen:\n{}", self.seen.join("\n"));
                }
            }
        }
    }

    /// Waits until there was a line with each of these pairs of texts in it, whatever the order.
    #[track_caller]
    pub(crate) fn wait_for_all(&mut self, wanted: &[(&str, &str)]) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let is_missing = |pair: &&(&str, &str)| {
                let has_both = |line: &String| line.contains(pair.0) && line.contains(pair.1);
                !self.seen.iter().any(has_both)
            };
            let missing: Vec<_> = wanted.iter().filter(is_missing).collect();
            if missing.is_empty() {
                return;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok((time, line)) => self.note(time, line),
                Err(_) => panic!("never saw {missing:#?}; seen:\n{}", self.seen.join("\n")),
            }
        }
    }

    /// Returns the number of its process.
    #[allow(dead_code, reason = "only tests of faults halt it")]
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    fn note(&mut self, time: Instant, line: String) {
        self.seen.push(line);
        self.times.push(time);
    }

    /// Returns when a line with this text first came after a time, among those that came so far.
    #[allow(dead_code, reason = "only tests of faults measure")]
    pub(crate) fn came(&mut self, text: &str, after: Instant) -> Option<Instant> {
        while let Ok((time, line)) = self.lines.try_recv() {
            self.note(time, line);
        }
        let mut all = self.seen.iter().zip(&self.times);
        all.find(|(line, time)| **time > after && line.contains(text))
            .map(|(_, time)| *time)
    }

    /// Returns all lines that were read so far.
    pub(crate) fn seen(&self) -> &[String] {
        &self.seen
    }

    /// Sends a signal, waits for the end, and returns the exit status and how long that took.
    pub(crate) fn stop(mut self, signal: &str) -> (Option<i32>, Duration) {
        let began = Instant::now();
        let pid = self.child.id().to_string();
        let sent = Command::new("kill")
            .args([&format!("-{signal}"), &pid])
            .status()
            .expect("kill runs");
        assert!(sent.success(), "it is still running");
        let status = self.child.wait().expect("it ends");
        (status.code(), began.elapsed())
    }
}

impl Drop for Up<'_> {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until a check holds, and says what was looked for if it never does.
#[track_caller]
pub(crate) fn eventually(what: &str, mut check: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !check() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("a folder");
    for entry in std::fs::read_dir(from).expect("a folder").map_while(Result::ok) {
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            copy(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).expect("copied");
        }
    }
}
