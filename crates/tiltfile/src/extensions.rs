//! Extensions: which file `ext://NAME` means.
//!
//! Rule: `docs/rules/tiltfile.md`, "Extensions". A name stands for an `Extension` object, that for a path in an
//! `ExtensionRepo`, and that for a directory or a git repository. Objects that are not there are made.

use super::checkout::{CheckoutFault, RepoRequest};
use super::fault::{Fault, Outcome};
use super::session::{EXTENSION, Session};
use crate::diag::{Diagnostic, nearest};
use crate::model::{ApiKind, ApiObject, LocalPath};

pub(super) const DEFAULT_REPO: &str = "default";
const DEFAULT_URL: &str = "https://github.com/tilt-dev/tilt-extensions";

impl Session<'_> {
    /// Returns the Tiltfile of an extension, by what is written after `ext://`.
    pub(super) fn extension(&self, module: &str) -> Outcome<LocalPath> {
        let name = module.replace(['/', '%'], "_");
        let extension = self.extension_object(module, &name);
        let repo_name = repo_of(&extension);
        let repo = self.repo_object(repo_name, &name);
        self.extension_file(module, &name, &extension, &repo)
    }

    /// Returns the Tiltfile of an extension in a repository.
    pub(super) fn extension_file(
        &self,
        module: &str,
        name: &str,
        extension: &ApiObject,
        repo: &ApiObject,
    ) -> Outcome<LocalPath> {
        let repo_name = repo_of(extension);
        let failed =
            |fault: Fault| fault.map_message(|cause| format!("loading extension repo {repo_name}: {cause}"));
        let directory = self.repo_directory(repo_name, repo).map_err(failed)?;
        let root = directory.join(repo.text("gitSubpath").trim_start_matches('/'));
        let path = extension.text("repoPath");
        let file = root.join(path.trim_start_matches('/')).join("Tiltfile");
        let failed = |cause: String| Fault::new(format!("loading extension {name}: {cause}"));
        if !file.is_within(&directory) {
            return Err(failed(format!("invalid repo path: {path}")));
        }
        if !self.host.exists(&file) || self.host.is_dir(&file) {
            let fault = failed(format!("no extension tiltfile found at {file}"));
            return Err(self.with_near_extension(fault, module, path, &root));
        }
        Ok(file)
    }

    /// Returns the object of an extension. That it was loaded keeps it from being run on its own.
    fn extension_object(&self, module: &str, name: &str) -> ApiObject {
        let mut objects = self.objects.borrow_mut();
        let registered = objects.get(ApiKind::Extension, name).cloned();
        let mut object = registered.unwrap_or_else(|| {
            let hosts = objects.of_kind(ApiKind::ExtensionRepo);
            let (repo, path) = module
                .split_once('/')
                .and_then(|(host, path)| {
                    let mut serving = hosts.filter(|(_, repo)| repo.text("loadHost") == host);
                    serving.next().map(|(name, _)| (name, path))
                })
                .unwrap_or((DEFAULT_REPO, module));
            let mut object = ApiObject::default();
            object.spec.insert("repoName".to_owned(), repo.into());
            object.spec.insert("repoPath".to_owned(), path.into());
            object
        });
        object
            .annotations
            .insert("tilt.dev/managed-by".to_owned(), "tiltfile.loader".to_owned());
        objects.insert(ApiKind::Extension, name, object.clone());
        object
    }

    /// Returns the object of a repository. One that is not registered is the official one, whatever its name.
    fn repo_object(&self, name: &str, extension: &str) -> ApiObject {
        let mut objects = self.objects.borrow_mut();
        if let Some(registered) = objects.get(ApiKind::ExtensionRepo, name) {
            return registered.clone();
        }
        if name != DEFAULT_REPO {
            let known = objects.of_kind(ApiKind::ExtensionRepo).map(|(name, _)| name);
            let warning = Diagnostic::warning(format!(
                "extension {extension} is in the repository \"{name}\", which is not registered; it is looked for in \
                 {DEFAULT_URL}"
            ));
            self.warn(match nearest(name, known) {
                Some(near) => warning.hint(format!("did you mean \"{near}\"?")),
                None => warning,
            });
        }
        let object = official_repo();
        objects.insert(ApiKind::ExtensionRepo, name, object.clone());
        object
    }

    /// Returns the directory of a repository on this machine.
    fn repo_directory(&self, name: &str, repo: &ApiObject) -> Outcome<LocalPath> {
        let (url, reference) = (repo.text("url"), repo.text("ref"));
        let Some(path) = url.strip_prefix("file://") else {
            return self.checkout(name, url, reference);
        };
        if !reference.is_empty() {
            return Err(Fault::new("spec.ref not supported on file:// repos")
                .hint("use the https:// address of the repository to get it at a ref"));
        }
        let directory = LocalPath::new(path);
        match (self.host.is_dir(&directory), self.host.exists(&directory)) {
            (true, _) => Ok(directory),
            (false, true) => Err(Fault::new(format!("loading: {directory} is not a directory"))),
            (false, false) => Err(Fault::new(format!(
                "loading: stat {directory}: no such file or directory"
            ))),
        }
    }

    /// Returns the files of a git repository, which is fetched at most once in a session.
    fn checkout(&self, name: &str, url: &str, reference: &str) -> Outcome<LocalPath> {
        let key = (url.to_owned(), reference.to_owned());
        let memory = &self.request.memory;
        if let Some(checkout) = memory.lock().checkouts.get(&key) {
            return Ok(checkout.directory.clone());
        }
        if self.must_end() {
            return Err(Fault::new("the load has failed before"));
        }
        let wanted = RepoRequest {
            url,
            reference,
            log: self.log,
        };
        let checkout = self.host.checkout(&wanted, &self.cancelled);
        let checkout = checkout.map_err(|fault| advised(fault, name, url))?;
        if let Some(reason) = &checkout.stale {
            self.log
                .info(&format!("extensionrepo {name}: may be stale: {reason}"));
        }
        let directory = checkout.directory.clone();
        memory.lock().checkouts.insert(key, checkout);
        Ok(directory)
    }

    fn with_near_extension(&self, fault: Fault, module: &str, path: &str, root: &LocalPath) -> Fault {
        let (before, wrong) = path.rsplit_once('/').unwrap_or(("", path));
        let entries = self.host.list(&root.join(before)).unwrap_or_default();
        let names = entries.iter().map(|entry| entry.name.as_str());
        match nearest(wrong, names) {
            Some(near) => {
                let meant = module.strip_suffix(wrong).unwrap_or_default();
                fault.hint(format!("did you mean \"{EXTENSION}{meant}{near}\"?"))
            }
            None => fault,
        }
    }
}

/// Returns the name of the repository that an extension is in.
pub(super) fn repo_of(extension: &ApiObject) -> &str {
    match extension.text("repoName") {
        "" => DEFAULT_REPO,
        name => name,
    }
}

/// Returns the official repository.
pub(super) fn official_repo() -> ApiObject {
    let mut object = ApiObject::default();
    object.spec.insert("url".to_owned(), DEFAULT_URL.into());
    object
}

/// Says why a repository is not there, and what to do about it.
fn advised(fault: CheckoutFault, name: &str, url: &str) -> Fault {
    match fault {
        CheckoutFault::Cancelled => Fault::new("the load was canceled"),
        CheckoutFault::NoGit => Fault::new("exec: \"git\": executable file not found in $PATH")
            .hint("extensions are fetched with git; install it"),
        CheckoutFault::Download(why) => Fault::new(format!("download error: {why}"))
            .hint(format!(
                "check that git can read it here: git ls-remote {url}. It is tried again at each load"
            ))
            .hint(format!(
                "without a network, clone it elsewhere and register the copy before the first load: \
                 v1alpha1.extension_repo(name='{name}', url='file:///path/to/the/copy')"
            )),
        CheckoutFault::Git(why) | CheckoutFault::Other(why) => Fault::new(why),
    }
}
