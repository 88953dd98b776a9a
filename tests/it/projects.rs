//! Tiltfiles as different teams write them, with the resources that must come of each. `tests/projects/README.md` says
//! how they are written.

use std::path::{Path, PathBuf};

use tilt::tiltfile::{MemoryHost, Ran};

use crate::support::{describe, load_with, request};

const OFFICIAL: &str = "https://github.com/tilt-dev/tilt-extensions";

/// What one project holds beside its files.
#[derive(Default)]
struct Project {
    expected: Vec<String>,
    args: Vec<String>,
    files: String,
    commands: Vec<(String, String)>,
    variables: Vec<(String, String)>,
}

impl Project {
    fn read(text: &str) -> Self {
        let mut project = Self::default();
        let sections = text.split("\n--- ").skip(1);
        for section in sections {
            let (title, content) = section.split_once('\n').unwrap_or((section, ""));
            let lines = || {
                let lines = content.lines().map(str::trim_end);
                lines.filter(|line| !line.is_empty()).map(str::to_owned)
            };
            match title.split_once(' ').unwrap_or((title, "")) {
                ("!expected", _) => project.expected = lines().collect(),
                ("!args", _) => project.args = lines().collect(),
                ("!env", _) => project.variables = lines().map(|line| split(&line)).collect(),
                ("!command", command) => project.commands.push((command.to_owned(), content.to_owned())),
                _ => project.files.push_str(&format!("--- {title}\n{content}\n")),
            }
        }
        project
    }

    /// Returns what comes of the project, in the form of its `!expected` section.
    fn outcome(&self, extensions: &str) -> Vec<String> {
        let mut host =
            MemoryHost::new(&format!("{}{extensions}", self.files)).with_repo(OFFICIAL, "", "/ext");
        for (command, stdout) in &self.commands {
            let ran = Ran {
                stdout: format!("{stdout}\n").into_bytes(),
                ..Ran::default()
            };
            host = host.with_command(command, ran);
        }
        for (name, value) in &self.variables {
            host = host.with_env(name, value);
        }
        let mut request = request();
        request.args.clone_from(&self.args);
        let (load, log) = load_with(&request, &host);
        let mut outcome: Vec<String> = match load.error_text() {
            Some(error) => return vec![error],
            None => load.manifests.iter().flatten().map(describe).collect(),
        };
        let n_enabled = load.enabled.len();
        if n_enabled != outcome.len() {
            let names: Vec<&str> = load.enabled.iter().map(|name| name.as_str()).collect();
            outcome.push(format!("enabled: {}", names.join(" ")));
        }
        outcome.extend(
            load.warnings
                .iter()
                .map(|warning| format!("warns: {}", warning.message.lines().next().unwrap_or_default())),
        );
        let printed = self
            .expected
            .iter()
            .filter_map(|line| line.strip_prefix("prints: "));
        let found = printed.filter(|line| log.lines().any(|logged| logged == *line));
        outcome.extend(found.map(|line| format!("prints: {line}")));
        outcome.iter().map(|line| line.trim_end().to_owned()).collect()
    }
}

fn split(line: &str) -> (String, String) {
    let (name, value) = line.split_once('=').expect("NAME=value");
    (name.to_owned(), value.to_owned())
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/projects")
}

#[test]
fn every_project_loads_into_its_resources() {
    let extensions = std::fs::read_to_string(folder().join("extensions.txt")).expect("extensions.txt");
    let extensions = Project::read(&format!("\n{extensions}")).files;
    let mut wrong = Vec::new();
    let mut n_projects = 0;
    for entry in std::fs::read_dir(folder()).expect("tests/projects").flatten() {
        let path = entry.path();
        let name = path.file_stem().expect("a name").to_string_lossy().into_owned();
        if path.extension().is_none_or(|extension| extension != "txt") || name == "extensions" {
            continue;
        }
        n_projects += 1;
        let project = Project::read(&std::fs::read_to_string(&path).expect("a project"));
        let outcome = project.outcome(&extensions);
        if outcome != project.expected {
            let shown = outcome.join("\n");
            wrong.push(format!(
                "== {name}\n{shown}\n-- expected\n{}",
                project.expected.join("\n")
            ));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
    assert!(n_projects >= 24, "only {n_projects} projects");
}
