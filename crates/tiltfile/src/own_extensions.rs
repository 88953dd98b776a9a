//! Extensions that a Tiltfile registers with `v1alpha1.extension()` and does not load: each is a Tiltfile of its own, with
//! arguments of its own, whose resources join those of the session.
//!
//! Those that users registered through the API run in the same way.
//!
//! Rule: `docs/rules/tiltfile.md`, "Extensions". Other than there, one of the Tiltfile that cannot be run fails the load.

use super::extensions::{DEFAULT_REPO, official_repo, repo_of};
use super::fault::{Fault, Outcome};
use super::session::Session;
use super::{Load, LoadRequest};
use crate::diag::{Diagnostic, nearest};
use crate::engine::ExtensionEnd;
use crate::model::{ApiKind, ApiObject, ApiObjects, LocalPath, Manifest};

impl Load {
    /// Runs the extensions that are registered and were not loaded, also those that they register, and takes in what they
    /// give. `session` is that of the session's own Tiltfile.
    pub(super) fn add_extensions(&mut self, session: &Session<'_>) {
        let request = session.request;
        // Others only look at what the file itself declares.
        if !request.is_main || !matches!(request.subcommand, "up" | "ci" | "down") {
            return;
        }
        for (kind, name, object) in request.extensions.iter() {
            if self.objects.get(kind, name).is_none() {
                self.objects.insert(kind, name, object.clone());
            }
        }
        let mut done = Vec::new();
        while let Some((name, object)) = next(&self.objects, &done) {
            let is_users = request.extensions.get(ApiKind::Extension, &name).is_some();
            let end = match find(session, &self.objects, &name, &object) {
                Ok(file) => {
                    let extension = self.extension(session, file.clone(), &object);
                    let error = extension.error_text();
                    match &error {
                        Some(error) if is_users => session.log.warn(error),
                        _ => self.take_in(&name, extension),
                    }
                    ExtensionEnd {
                        path: Some(file),
                        error,
                    }
                }
                Err(fault) => {
                    let fault = fault.diagnostic();
                    let error = Some(fault.render());
                    match is_users {
                        true => session.log.warn(&fault.render()),
                        false => self.errors.push(fault),
                    }
                    ExtensionEnd { path: None, error }
                }
            };
            self.extensions.insert(name.clone(), end);
            done.push(name);
        }
        if !self.errors.is_empty() {
            self.manifests = None;
        }
    }

    fn extension(&self, session: &Session<'_>, file: LocalPath, object: &ApiObject) -> Self {
        let args = object.spec.get("args").and_then(serde_json::Value::as_array);
        let args = args.into_iter().flatten().filter_map(serde_json::Value::as_str);
        let request = LoadRequest {
            file,
            args: args.map(str::to_owned).collect(),
            is_main: false,
            ..session.request.clone()
        };
        let mut extension = Self {
            web_host: self.web_host.clone(),
            ..Self::default()
        };
        extension.evaluate(&session.of_extension(&request, self));
        extension
    }

    fn take_in(&mut self, name: &str, extension: Self) {
        self.warnings.extend(extension.warnings);
        self.errors.extend(extension.errors);
        self.config_files.extend(extension.config_files);
        self.config_files.sort();
        self.config_files.dedup();
        self.watch_ignores.extend(extension.watch_ignores);
        self.secrets.extend(extension.secrets);
        self.calls.extend(extension.calls);
        for (kind, object_name, object) in extension.objects.into_all() {
            if self.objects.get(kind, &object_name).is_none() {
                self.objects.insert(kind, &object_name, object);
            }
        }
        let label = format!("extension.{name}");
        for mut manifest in extension.manifests.into_iter().flatten() {
            if let Some(fault) = self.clash(name, &manifest) {
                self.errors.push(fault);
                continue;
            }
            manifest.labels.insert(label.clone());
            if extension.enabled.contains(&manifest.name) {
                self.enabled.insert(manifest.name.clone());
            }
            self.manifests.get_or_insert_default().push(manifest);
        }
    }

    fn clash(&self, extension: &str, manifest: &Manifest) -> Option<Diagnostic> {
        let known = self.manifests.as_deref().unwrap_or_default();
        known.iter().any(|other| other.name == manifest.name).then(|| {
            let name = &manifest.name;
            Diagnostic::error(format!(
                "extension \"{extension}\" makes a resource named \"{name}\", and there is one of that name already"
            ))
            .hint("rename one of them: k8s_resource(..., new_name=...), or the name of the local_resource()")
        })
    }
}

/// Returns whether any extension runs on its own.
pub(super) fn any(objects: &ApiObjects) -> bool {
    next(objects, &[]).is_some()
}

/// Returns the next extension that runs on its own.
fn next(objects: &ApiObjects, done: &[String]) -> Option<(String, ApiObject)> {
    let mut registered = objects.of_kind(ApiKind::Extension).filter(|(name, object)| {
        !object.annotations.contains_key("tilt.dev/managed-by") && !done.iter().any(|done| done == name)
    });
    registered
        .next()
        .map(|(name, object)| (name.to_owned(), object.clone()))
}

/// Returns the Tiltfile of an extension.
fn find(session: &Session<'_>, objects: &ApiObjects, name: &str, object: &ApiObject) -> Outcome<LocalPath> {
    let repo_name = repo_of(object);
    let repo = match objects.get(ApiKind::ExtensionRepo, repo_name) {
        Some(repo) => repo.clone(),
        None if repo_name == DEFAULT_REPO => official_repo(),
        None => {
            let known = objects.of_kind(ApiKind::ExtensionRepo).map(|(name, _)| name);
            let fault = Fault::new(format!(
                "loading extension {name}: extension repo not found: {repo_name}"
            ));
            return Err(match nearest(repo_name, known) {
                Some(near) => fault.hint(format!("did you mean \"{near}\"?")),
                None => fault.hint(format!(
                    "register it: v1alpha1.extension_repo(name='{repo_name}', url='https://...')"
                )),
            });
        }
    };
    session.extension_file(object.text("repoPath"), name, object, &repo)
}
