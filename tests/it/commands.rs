//! The built binary, in a scratch folder with a cleared environment: what it prints, where, and its exit status.
#![allow(clippy::disallowed_methods, reason = "these tests run a program")]

use std::process::{Command, Output};

use tempfile::TempDir;

/// A folder with files, and nothing else of this machine but PATH.
pub(crate) struct Folder(TempDir);

impl Folder {
    pub(crate) fn new(files: &[(&str, &str)]) -> Self {
        let folder = Self(TempDir::with_prefix("tilt-it-").expect("a scratch folder"));
        for (path, content) in files {
            std::fs::write(folder.0.path().join(path), content).expect("a file");
        }
        folder
    }

    pub(crate) fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn command(&self, args: &[&str], env: &[(&str, &str)]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tilt"));
        command.args(args).current_dir(self.0.path()).env_clear();
        command
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", self.0.path())
            // Several sessions run at a time.
            .env("TILT_PORT", "0");
        command.env("COLUMNS", "100").envs(env.iter().copied());
        command
    }

    pub(crate) fn tilt(&self, args: &[&str], env: &[(&str, &str)]) -> Ran {
        let output = self.command(args, env).output().expect("the binary runs");
        let dir = self.0.path().to_string_lossy().into_owned();
        Ran { output, dir }
    }
}

pub(crate) struct Ran {
    output: Output,
    dir: String,
}

impl Ran {
    pub(crate) fn stdout(&self) -> String {
        self.named(&self.output.stdout)
    }

    pub(crate) fn stderr(&self) -> String {
        self.named(&self.output.stderr)
    }

    /// Returns what was printed: the log after the load, then standard error.
    fn messages(&self) -> String {
        let log = self.stdout();
        let after_load = log
            .split_once("Successfully loaded Tiltfile")
            .map_or("", |(_, rest)| rest);
        let lines = after_load.lines().skip(1).map(str::trim_end);
        let error = self.stderr();
        lines.chain(error.lines()).collect::<Vec<_>>().join("\n")
    }

    fn named(&self, bytes: &[u8]) -> String {
        String::from_utf8_lossy(bytes)
            .replace(&self.dir, "<dir>")
            .trim_end()
            .to_owned()
    }

    #[track_caller]
    pub(crate) fn status(&self, expected: i32) -> &Self {
        assert_eq!(
            self.output.status.code(),
            Some(expected),
            "{}\n{}",
            self.stdout(),
            self.stderr()
        );
        self
    }
}

#[test]
fn alone_it_shows_help_and_succeeds() {
    let ran = Folder::new(&[]).tilt(&[], &[]);
    ran.status(0);
    for command in ["up", "ci", "down", "alpha", "version", "completion"] {
        assert!(
            ran.stdout().contains(&format!("\n  {command}")),
            "{command} in\n{}",
            ran.stdout()
        );
    }
}

#[test]
fn every_command_explains_itself_and_its_flags() {
    let folder = Folder::new(&[]);
    for command in ["up", "ci", "down"] {
        let help = folder.tilt(&[command, "--help"], &[]);
        help.status(0);
        for flag in ["--file", "--context", "--namespace"] {
            assert!(help.stdout().contains(flag), "{command} {flag}");
        }
    }
    assert!(
        folder
            .tilt(&["ci", "--help"], &[])
            .stdout()
            .contains("--timeout <DURATION>")
    );
}

#[test]
fn the_version_begins_with_the_tilt_version_it_is_compatible_with() {
    let folder = Folder::new(&[]);
    let line = folder.tilt(&["version"], &[]).stdout();
    assert!(line.starts_with("v0.37.6, built 20"), "{line}");
    assert_eq!(folder.tilt(&["--version"], &[]).stdout(), line);
}

#[test]
fn a_completion_script_is_made_for_each_shell() {
    let folder = Folder::new(&[]);
    for shell in ["bash", "zsh", "fish", "powershell"] {
        let ran = folder.tilt(&["completion", shell], &[]);
        ran.status(0);
        assert!(ran.stdout().contains("tiltfile-result"), "{shell}");
    }
}

#[test]
fn what_a_tiltfile_can_use_is_written_as_python_modules() {
    let folder = Folder::new(&[]);
    let ran = folder.tilt(&["dump", "api-docs", "--dir", "out"], &[]);
    let told = ran.status(0).stdout();
    assert!(
        told.lines().any(|line| line == "wrote out/api/os/path.py"),
        "{told}"
    );
    let text = std::fs::read_to_string(folder.path("out/api/__init__.py")).expect("a file");
    assert!(text.contains("\ndef docker_build("), "{text}");
}

#[test]
fn wrong_use_is_answered_with_what_is_right() {
    let folder = Folder::new(&[]);
    let typo = folder.tilt(&["dwon"], &[]);
    typo.status(1);
    insta::assert_snapshot!(typo.stderr(), @r"
    Error: unrecognized subcommand 'dwon'

      tip: a similar subcommand exists: 'down'

    Usage: tilt [OPTIONS] [COMMAND]

    For more information, try '--help'.
    ");
    let flag = folder.tilt(&["up", "--sream"], &[]);
    flag.status(1);
    assert!(flag.stderr().contains("'--stream'"), "{}", flag.stderr());
    let later = folder.tilt(&["lsp"], &[]);
    later.status(1);
    assert_eq!(
        later.stderr(),
        "Error: `tilt lsp` is not part of this version yet"
    );
    let duration = folder.tilt(&["ci", "--timeout", "5"], &[]);
    duration.status(1);
    assert!(
        duration.stderr().contains("time: missing unit in duration \"5\""),
        "{}",
        duration.stderr()
    );
}

#[test]
fn a_port_that_is_no_number_is_named_before_anything_else() {
    let ran = Folder::new(&[]).tilt(&["version"], &[("TILT_PORT", "abc")]);
    ran.status(1);
    assert_eq!(
        ran.stdout(),
        "parsing env TILT_PORT: strconv.Atoi: parsing \"abc\": invalid syntax"
    );
}

#[test]
fn a_missing_tiltfile_ends_ci_and_tiltfile_result() {
    let folder = Folder::new(&[]);
    let message =
        "No Tiltfile found at paths '<dir>/Tiltfile'. Check out https://docs.tilt.dev/tutorial.html";
    let ci = folder.tilt(&["ci"], &[]);
    ci.status(1);
    assert_eq!(ci.stderr(), format!("Error: {message}"));
    assert!(
        ci.stdout().contains(&format!("ERROR: {message}")),
        "{}",
        ci.stdout()
    );
    let result = folder.tilt(&["alpha", "tiltfile-result"], &[]);
    result.status(5);
    assert!(result.stdout().is_empty());
    assert!(result.stderr().ends_with(message), "{}", result.stderr());
}

#[test]
fn tiltfile_result_prints_json_and_keeps_prints_for_verbose() {
    let files = [(
        "Tiltfile",
        "print('loading')\nk8s_yaml(blob('kind: ConfigMap\\napiVersion: v1\\nmetadata: {name: a}\\n'))\n",
    )];
    let folder = Folder::new(&files);
    let quiet = folder.tilt(&["alpha", "tiltfile-result"], &[]);
    quiet.status(0);
    let result: serde_json::Value = serde_json::from_str(&quiet.stdout()).expect("JSON");
    assert_eq!(result["Manifests"][0]["Name"], "uncategorized");
    assert_eq!(quiet.stderr(), "");
    let verbose = folder.tilt(&["alpha", "tiltfile-result", "-v"], &[]);
    assert!(verbose.stderr().contains("loading"), "{}", verbose.stderr());
}

const CONFIG_MAP: &str = "kind: ConfigMap\napiVersion: v1\nmetadata: {name: a}\n";

/// A kubeconfig whose server nobody listens at.
const NOBODY: &str = "
apiVersion: v1
kind: Config
current-context: kind-nobody
clusters: [{name: kind-nobody, cluster: {server: 'http://127.0.0.1:9'}}]
users: [{name: u, user: {}}]
contexts: [{name: kind-nobody, context: {cluster: kind-nobody, user: u}}]
";

#[test]
fn a_cluster_that_does_not_answer_is_named_with_what_to_start() {
    let folder = Folder::new(&[
        ("Tiltfile", "k8s_yaml('a.yaml')\n"),
        ("a.yaml", CONFIG_MAP),
        ("kubeconfig", NOBODY),
    ]);
    let ran = folder.tilt(&["ci"], &[("KUBECONFIG", "kubeconfig")]);
    insta::assert_snapshot!(ran.status(1).messages(), @r#"
    ERROR: Cluster status error: cluster of context "kind-nobody" did not answer at http://127.0.0.1:9: client error (Connect): tcp connect error: Connection refused (os error 111)
    hint: create it with `kind create cluster`, or start its container, or pick another context with `kubectl config use-context`

    RESOURCE       RESULT   TIME  REASON
    uncategorized  pending  -     waiting-for-cluster: default
    Error: cluster connection failed: cluster of context "kind-nobody" did not answer at http://127.0.0.1:9: client error (Connect): tcp connect error: Connection refused (os error 111)
    "#);
}

#[test]
fn without_a_kubeconfig_it_says_so() {
    let folder = Folder::new(&[("Tiltfile", "k8s_yaml('a.yaml')\n"), ("a.yaml", CONFIG_MAP)]);
    let ran = folder.tilt(&["ci"], &[("KUBECONFIG", "none")]);
    insta::assert_snapshot!(ran.status(1).messages(), @r#"
    ERROR: Cluster status error: no kubeconfig names a cluster
    hint: set KUBECONFIG or write ~/.kube/config; `kubectl config get-contexts` shows what there is

    RESOURCE       RESULT   TIME  REASON
    uncategorized  pending  -     waiting-for-cluster: default
    Error: cluster connection failed: no kubeconfig names a cluster
    "#);
    let down = folder.tilt(&["down"], &[("KUBECONFIG", "none")]);
    insta::assert_snapshot!(down.status(1).messages(), @r#"
    Error: no kubeconfig names a cluster
    hint: set KUBECONFIG or write ~/.kube/config; `kubectl config get-contexts` shows what there is
    "#);
}

#[test]
fn without_a_docker_engine_images_cannot_be_built_and_it_says_what_to_start() {
    let folder = Folder::new(&[
        ("Tiltfile", "docker_build('web', '.')\nk8s_yaml('web.yaml')\n"),
        ("Dockerfile", "FROM scratch\n"),
        (
            "web.yaml",
            "kind: Pod\napiVersion: v1\nmetadata: {name: web}\nspec: {containers: [{name: web, image: web}]}\n",
        ),
        ("kubeconfig", NOBODY),
    ]);
    let ran = folder.tilt(
        &["ci"],
        &[("KUBECONFIG", "kubeconfig"), ("DOCKER_HOST", "tcp://127.0.0.1:9")],
    );
    insta::assert_snapshot!(ran.status(1).messages(), @r#"
    Error: Failed to connect to Docker: tcp://127.0.0.1:9: Connection refused (os error 111)
    hint: start Docker, or set DOCKER_HOST or DOCKER_CONTEXT to an engine that runs ("docker info" shows what it finds)
    "#);
}

#[test]
fn a_context_that_is_not_there_is_answered_with_those_that_are() {
    let folder = Folder::new(&[
        ("Tiltfile", "k8s_yaml('a.yaml')\n"),
        ("a.yaml", CONFIG_MAP),
        ("kubeconfig", NOBODY),
    ]);
    let ran = folder.tilt(
        &["ci", "--context", "kind-nobdy"],
        &[("KUBECONFIG", "kubeconfig")],
    );
    ran.status(1);
    assert!(ran.stderr().contains("kind-nobody"), "{}", ran.stderr());
}

#[test]
fn what_it_started_ends_with_it_even_when_it_is_killed() {
    use std::io::{BufRead, BufReader, Read};
    // Whoever lives on holds the pipe open.
    let folder = Folder::new(&[(
        "Tiltfile",
        "local('exec 3>pipe; sleep 0.2; echo up >&3; sleep 60 & sleep 60')\n",
    )]);
    let pipe = folder.0.path().join("pipe");
    let made = Command::new("mkfifo").arg(&pipe).status().expect("mkfifo runs");
    assert!(made.success());
    let mut child = folder
        .command(&["alpha", "tiltfile-result"], &[("KUBECONFIG", "none")])
        .spawn()
        .expect("the binary runs");
    let mut reader = BufReader::new(std::fs::File::open(&pipe).expect("the pipe"));
    let mut line = String::new();
    reader.read_line(&mut line).expect("the command writes");
    assert_eq!(line, "up\n");
    let killed = std::time::Instant::now();
    child.kill().expect("it lives");
    child.wait().expect("it ends");
    let rest = reader.read_to_string(&mut line).expect("the pipe is closed");
    assert_eq!(rest, 0, "nobody writes any more");
    assert!(killed.elapsed().as_secs() < 30, "they ended by themselves");
}

#[test]
fn timings_of_builtins_are_shown_in_place_of_the_result() {
    let folder = Folder::new(&[("Tiltfile", "local('true', quiet=True)\nprint('x')\n")]);
    let ran = folder.tilt(&["alpha", "tiltfile-result", "-b"], &[]);
    let lines = ran.status(0).stdout();
    let lines: Vec<&str> = lines.lines().collect();
    assert_eq!(lines.len(), 3, "{lines:?}");
    assert!(
        lines[0].starts_with("- local(\"true\", quiet=True) took "),
        "{lines:?}"
    );
    assert!(lines[1].starts_with("- print(\"x\") took "), "{lines:?}");
    assert!(lines[2].starts_with("Tiltfile execution took "), "{lines:?}");
    let long = folder.tilt(&["alpha", "tiltfile-result", "-b", "--dur-threshold", "1h"], &[]);
    assert_eq!(long.status(0).stdout().lines().count(), 1);
    let nothing = Folder::new(&[("Tiltfile", "x = 1\n")]).tilt(&["alpha", "tiltfile-result", "-b"], &[]);
    assert!(nothing.status(1).stderr().contains("recorded no Builtin calls"));
}
