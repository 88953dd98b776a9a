//! Which files a Compose project is made of: compose does not tell.
//!
//! Only what names other files is looked at: `include`, `extends`, files of variables and labels. Where that cannot be
//! followed, the files are not all known, and what the project was resolved to is not used again.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::program::{ask, config};
use super::variables::{interpolated, variables};
use crate::k8s::yaml;
use crate::model::{ComposeProject, LocalPath};
use crate::session::Session;

/// Files may include each other this often; no real project does.
const MOST_FILES: usize = 500;

/// The files of a project.
pub(super) struct ProjectFiles {
    /// Those that are in Compose's own format, with their texts, in the order in which they count.
    texts: Vec<(LocalPath, String)>,
    /// All others, existing or not.
    others: BTreeSet<LocalPath>,
    /// Whether some of them may not be known.
    some_unknown: bool,
    /// All services, each with its profiles.
    services: Vec<(String, Vec<String>)>,
}

/// A file, and what relative paths in it start from.
struct Pending {
    path: LocalPath,
    base: LocalPath,
}

impl ProjectFiles {
    /// Follows the files of a project from those that it was declared with.
    pub(super) fn find(session: &Session<'_>, project: &ComposeProject) -> Self {
        let mut files = Self {
            texts: Vec::new(),
            others: variable_files(session, project),
            some_unknown: false,
            services: Vec::new(),
        };
        let mut known = None;
        let main = project.config_paths.iter().map(|path| Pending {
            path: path.clone(),
            base: project.directory.clone(),
        });
        let mut pending: Vec<Pending> = main.rev().collect();
        while let Some(next) = pending.pop() {
            if files.texts.iter().any(|(path, _)| *path == next.path) {
                continue;
            }
            if files.texts.len() == MOST_FILES {
                files.some_unknown = true;
                break;
            }
            let text = session.host.read(&next.path).unwrap_or_default();
            let text = String::from_utf8_lossy(&text).into_owned();
            let found = files.read(&next, &text, &mut |path| {
                if !path.contains('$') {
                    return Some(path.to_owned());
                }
                let known = known.get_or_insert_with(|| ask_variables(session, project));
                interpolated(path, known)
            });
            files.texts.push((next.path, text));
            pending.extend(found.into_iter().rev());
        }
        files
    }

    /// Returns all paths.
    pub(super) fn paths(&self) -> impl Iterator<Item = LocalPath> {
        let texts = self.texts.iter().map(|(path, _)| path.clone());
        texts.chain(self.others.iter().cloned())
    }

    /// Returns the files in Compose's own format, with their texts.
    pub(super) fn texts(&self) -> &[(LocalPath, String)] {
        &self.texts
    }

    /// Returns whether these are all files that the project is made of, but for those that services name.
    pub(super) fn are_all_known(&self) -> bool {
        !self.some_unknown
    }

    /// Returns whether services have files of variables or labels.
    pub(super) fn name_more_files(&self) -> bool {
        let names = |text: &str| text.contains("env_file") || text.contains("label_file");
        self.texts.iter().any(|(_, text)| names(text))
    }

    /// Returns whether there may be fields of users' own below the top.
    pub(super) fn have_extensions(&self) -> bool {
        let has = |text: &str| {
            [" x-", "\tx-", "{x-", "\"x-", "'x-"]
                .iter()
                .any(|start| text.contains(start))
        };
        self.texts.iter().any(|(_, text)| has(text))
    }

    /// Returns the services that the files have, each with the profiles of which it needs one, if any.
    pub(super) fn services(&self) -> &[(String, Vec<String>)] {
        &self.services
    }

    /// Returns the text of a file in Compose's own format, or of one that it names.
    pub(super) fn text(&self, path: &str) -> Option<&str> {
        let mut texts = self.texts.iter();
        let (_, text) = texts.find(|(known, _)| known.to_string() == path)?;
        Some(text)
    }

    /// Notes what a file names, and returns the files of the same format among that.
    fn read(
        &mut self,
        file: &Pending,
        text: &str,
        resolve: &mut dyn FnMut(&str) -> Option<String>,
    ) -> Vec<Pending> {
        let Ok(content) = yaml::decode(text) else {
            self.some_unknown |= text.contains("include") || text.contains("extends");
            return Vec::new();
        };
        let mut found = Vec::new();
        for entry in list(&content["include"]) {
            found.extend(self.include(file, entry, resolve));
        }
        let services = content["services"].as_object();
        for (name, service) in services.into_iter().flatten() {
            let profiles = texts(&service["profiles"]).map(str::to_owned);
            self.services.push((name.clone(), profiles.collect()));
            if let Some(path) = service["extends"]["file"].as_str() {
                let path = self.resolved(&file.base, path, resolve);
                found.extend(path.map(|path| Pending {
                    base: path.parent(),
                    path,
                }));
            }
            let named = paths(&service["env_file"]).chain(paths(&service["label_file"]));
            let literal = named.filter(|path| !path.contains('$'));
            self.others.extend(literal.map(|path| file.base.join(path)));
        }
        found
    }

    fn include(
        &mut self,
        file: &Pending,
        entry: &Value,
        resolve: &mut dyn FnMut(&str) -> Option<String>,
    ) -> Vec<Pending> {
        let entry = match entry {
            Value::String(path) => &serde_json::json!({"path": path}),
            entry => entry,
        };
        let mut included: Vec<LocalPath> = Vec::new();
        for path in texts(&entry["path"]) {
            included.extend(self.resolved(&file.base, path, resolve));
        }
        let Some(first) = included.first() else {
            return Vec::new();
        };
        let base = match entry["project_directory"].as_str() {
            Some(directory) => self.resolved(&file.base, directory, resolve),
            None => Some(first.parent()),
        };
        let Some(base) = base else {
            return Vec::new();
        };
        let mut has_variables = false;
        for path in texts(&entry["env_file"]) {
            has_variables = true;
            let path = self.resolved(&file.base, path, resolve);
            self.others.extend(path);
        }
        if !has_variables {
            self.others.insert(base.join(".env"));
        }
        let pending = included.into_iter().map(|path| Pending {
            path,
            base: base.clone(),
        });
        pending.collect()
    }

    /// Returns the path that is meant; notes that not all is known where it is elsewhere, or depends on what is not known.
    fn resolved(
        &mut self,
        base: &LocalPath,
        path: &str,
        resolve: &mut dyn FnMut(&str) -> Option<String>,
    ) -> Option<LocalPath> {
        let path = resolve(path).filter(|path| !is_elsewhere(path));
        self.some_unknown |= path.is_none();
        path.map(|path| base.join(path))
    }
}

/// Returns whether compose fetches what is meant: an image or a git repository.
fn is_elsewhere(path: &str) -> bool {
    path.contains("://") || path.starts_with("git@") || path.contains(".git#") || path.ends_with(".git")
}

/// Returns the files that variables of the project are taken from.
fn variable_files(session: &Session<'_>, project: &ComposeProject) -> BTreeSet<LocalPath> {
    if let Some(file) = &project.env_file {
        return BTreeSet::from([file.clone()]);
    }
    let listed = session.host.env("COMPOSE_ENV_FILES").unwrap_or_default();
    let listed = listed.split(',').filter(|path| !path.is_empty());
    let listed = listed.map(|path| session.directory().join(path));
    listed.chain([project.directory.join(".env")]).collect()
}

/// Returns the variables that compose puts into a project.
fn ask_variables(session: &Session<'_>, project: &ComposeProject) -> BTreeMap<String, String> {
    let ran = ask(session, &[config(session, project, &["--environment"])]);
    let printed = ran.into_iter().next().and_then(Result::ok);
    let printed = printed.map(|ran| String::from_utf8_lossy(&ran.stdout).into_owned());
    variables(&printed.unwrap_or_default())
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

/// A text, or a list of texts.
fn texts(value: &Value) -> impl Iterator<Item = &str> {
    value
        .as_str()
        .into_iter()
        .chain(list(value).filter_map(Value::as_str))
}

/// A text, or a list of texts and of `{path: text}`.
fn paths(value: &Value) -> impl Iterator<Item = &str> {
    texts(value).chain(list(value).filter_map(|entry| entry["path"].as_str()))
}
