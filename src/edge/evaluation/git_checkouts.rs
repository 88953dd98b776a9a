//! Git repositories of extensions on this machine.
//!
//! Below `<XDG data>/tilt-dev/tilt_modules`, `<host>/<path>` is a clone, where Tilt keeps its own, and
//! `<host>/<path>@<commit>` the files of one commit. A clone changes only while its lock file is held; the files of a
//! commit never change once they have their name. So several runs, at different commits, do not disturb each other.
//!
//! Rule: `docs/rules/api.md`, "Repositories of extensions". Tilt has the files in the clone itself, where two runs fight over them.

use std::fs::{self, File, TryLockError};
use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::edge::process::{Captured, ChildCommand, Environment, run_to_end};
use crate::model::LocalPath;
use crate::tiltfile::Log;
use crate::tiltfile::{Checkout, CheckoutFault, RepoRequest};

/// How often it is looked whether another run has released a lock.
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Variables that make git work on another repository than the one it is told; hooks set them.
const MISLEADING: &[&str] = &[
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
];

/// The repositories of extensions below one directory.
#[derive(Clone, Debug)]
pub struct GitCheckouts {
    root: LocalPath,
    env: Environment,
}

/// The clone of one repository, whose lock is held.
struct Mirror<'a> {
    dir: LocalPath,
    url: String,
    of: &'a GitCheckouts,
    cancelled: &'a AtomicBool,
    _lock: File,
}

type Outcome<T> = Result<T, CheckoutFault>;

impl GitCheckouts {
    /// Returns those below a directory; `env` is the environment of git.
    pub fn new(root: LocalPath, mut env: Environment) -> Self {
        MISLEADING.iter().for_each(|name| env.unset(name));
        // Nobody could answer, so git must not ask.
        env.set_default("GIT_TERMINAL_PROMPT", "0");
        if env.get("GIT_SSH").is_none() {
            env.set_default("GIT_SSH_COMMAND", "ssh -o ControlMaster=no -o BatchMode=yes");
        }
        Self { root, env }
    }

    /// Makes the files of a commit available.
    ///
    /// Without a ref, the newest commit of the default branch is fetched; if that fails, the clone that there is will
    /// do. A ref that the clone knows needs no network.
    ///
    /// # Errors
    /// When there is no clone and none can be made, or the ref does not exist.
    pub fn checkout(&self, wanted: &RepoRequest<'_>, cancelled: &AtomicBool) -> Outcome<Checkout> {
        if wanted.reference.starts_with('-') {
            return Err(CheckoutFault::Other(format!(
                "no name of a ref: {}",
                wanted.reference
            )));
        }
        let address = wanted.url.split_once("://").map_or(wanted.url, |(_, rest)| rest);
        let address = address.trim_end_matches('/');
        let dir = self.root.join(address.trim_start_matches('/'));
        if !dir.is_within(&self.root) || dir == self.root {
            return Err(CheckoutFault::Other(format!(
                "no path of a repository: {address}"
            )));
        }
        let mirror = Mirror {
            _lock: lock(&dir, wanted, cancelled)?,
            dir,
            url: format!("https://{address}"),
            of: self,
            cancelled,
        };
        let is_new = mirror.make_unless_there(wanted.log)?;
        let (commit, stale) = match wanted.reference {
            "" | "HEAD" => mirror.newest(is_new)?,
            reference => (mirror.find(reference, is_new)?, None),
        };
        let directory = mirror.files_of(&commit)?;
        Ok(Checkout {
            directory,
            commit,
            stale,
        })
    }
}

impl Mirror<'_> {
    /// Clones the repository unless that was done before. Returns whether it was done now.
    fn make_unless_there(&self, log: &dyn Log) -> Outcome<bool> {
        if self.dir.join(".git").as_path().exists() {
            return Ok(false);
        }
        if self.dir.as_path().exists() {
            return Err(CheckoutFault::Other(format!(
                "stale checkout: {} exists, but is no git repository",
                self.dir
            )));
        }
        log.info(&format!("Cloning {}", self.url));
        let temporary = self.temporary();
        let target = temporary.to_string();
        let over_https = self.git(None, &["clone", "--quiet", "--", &self.url, &target]);
        let cloned = over_https.or_else(|fault| {
            if !matches!(fault, CheckoutFault::Git(_)) {
                return Err(fault);
            }
            let over_ssh = self.url.replacen("https://", "ssh://git@", 1);
            let cloned = self.git(None, &["clone", "--quiet", "--", &over_ssh, &target]);
            cloned.map_err(|second| fault.and(second))
        });
        cloned.map_err(CheckoutFault::while_downloading)?;
        rename(&temporary, &self.dir)?;
        Ok(true)
    }

    /// Returns the newest commit of the default branch, and why it may not be the newest.
    fn newest(&self, is_new: bool) -> Outcome<(String, Option<String>)> {
        let fetched = if is_new { Ok(()) } else { self.fetch() };
        let stale = match fetched {
            Ok(()) => None,
            Err(CheckoutFault::Git(why)) => Some(why),
            Err(other) => return Err(other),
        };
        let found = ["refs/remotes/origin/HEAD", "HEAD"]
            .into_iter()
            .find_map(|name| self.commit(name));
        match found {
            Some(commit) => Ok((commit, stale)),
            None => Err(CheckoutFault::Other(format!("{} has no commits", self.url))),
        }
    }

    /// Returns the commit that a tag, a branch or a hash means.
    fn find(&self, reference: &str, is_new: bool) -> Outcome<String> {
        let known = || {
            let names = [
                format!("refs/tags/{reference}"),
                format!("refs/remotes/origin/{reference}"),
                reference.to_owned(),
            ];
            names.iter().find_map(|name| self.commit(name))
        };
        if let Some(commit) = known() {
            return Ok(commit);
        }
        let failed = |fault: CheckoutFault| fault.within(&format!("sync to ref {reference}"));
        if !is_new {
            self.fetch().map_err(failed)?;
            if let Some(commit) = known() {
                return Ok(commit);
            }
        }
        // Such as a commit on no branch, or `refs/pull/1/head`.
        self.git(Some(&self.dir), &["fetch", "--quiet", "origin", reference])
            .map_err(failed)?;
        let fetched = self.commit("FETCH_HEAD");
        fetched.ok_or_else(|| failed(CheckoutFault::Git(format!("{reference} is no commit"))))
    }

    fn fetch(&self) -> Outcome<()> {
        let fetch = ["fetch", "--quiet", "--tags", "--prune", "--force", "origin"];
        self.git(Some(&self.dir), &fetch)?;
        // The default branch may have another name by now; the old one does until that can be asked.
        let _ = self.git(Some(&self.dir), &["remote", "set-head", "origin", "--auto"]);
        Ok(())
    }

    fn commit(&self, name: &str) -> Option<String> {
        let commit = format!("{name}^{{commit}}");
        self.git(Some(&self.dir), &["rev-parse", "--verify", "--quiet", &commit])
            .ok()
            .filter(|hash| !hash.is_empty())
    }

    /// Returns the directory with the files of a commit.
    fn files_of(&self, commit: &str) -> Outcome<LocalPath> {
        let files = LocalPath::new(format!("{}@{commit}", self.dir));
        if files.as_path().exists() {
            return Ok(files);
        }
        let temporary = self.temporary();
        let (from, to) = (self.dir.to_string(), temporary.to_string());
        self.git(
            None,
            &["clone", "--quiet", "--local", "--no-checkout", "--", &from, &to],
        )?;
        let within = Some(&temporary);
        // Submodules may have addresses relative to the origin's.
        self.git(within, &["remote", "set-url", "origin", &self.url])?;
        self.git(within, &["checkout", "--quiet", "--detach", commit])?;
        if temporary.join(".gitmodules").as_path().exists() {
            let update = ["submodule", "--quiet", "update", "--init", "--recursive"];
            self.git(within, &update)?;
        }
        rename(&temporary, &files)?;
        Ok(files)
    }

    /// Returns a directory that does not exist, beside the clone. The lock keeps others from using it.
    fn temporary(&self) -> LocalPath {
        let temporary = LocalPath::new(format!("{}.new", self.dir));
        // What a run that was killed has left.
        let _ = fs::remove_dir_all(&temporary);
        temporary
    }

    /// Runs git and returns what it printed, without the last newline.
    fn git(&self, within: Option<&LocalPath>, args: &[&str]) -> Outcome<String> {
        let program = std::iter::once("git").chain(args.iter().copied());
        let command = ChildCommand {
            argv: program.map(str::to_owned).collect(),
            dir: within.unwrap_or(&self.of.root).clone(),
            env: self.of.env.clone(),
        };
        let ran = run_to_end(&command, Vec::new(), &mut |_, _| {}, self.cancelled);
        match ran {
            Ok(Captured { exit, stdout, .. }) if exit.is_success() => {
                Ok(String::from_utf8_lossy(&stdout).trim_end().to_owned())
            }
            Ok(captured) => Err(CheckoutFault::Git(why(&captured))),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(CheckoutFault::Cancelled),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(CheckoutFault::NoGit),
            Err(error) => Err(CheckoutFault::Other(format!("cannot run git: {error}"))),
        }
    }
}

/// Returns the lines in which git says what is wrong.
fn why(captured: &Captured) -> String {
    let text = String::from_utf8_lossy(&captured.stderr);
    let marked = |line: &&str| line.starts_with("fatal: ") || line.starts_with("error: ");
    let mut lines: Vec<&str> = text.lines().filter(marked).collect();
    if lines.is_empty() {
        lines = text.lines().filter(|line| !line.trim().is_empty()).collect();
    }
    match lines.is_empty() {
        true => format!("git: {}", captured.exit),
        false => lines.join("\n"),
    }
}

/// Waits until no other run works on a repository.
fn lock(dir: &LocalPath, wanted: &RepoRequest<'_>, cancelled: &AtomicBool) -> Outcome<File> {
    let path = LocalPath::new(format!("{dir}.lock"));
    let failed = |error: io::Error| CheckoutFault::Other(format!("{path}: {error}"));
    fs::create_dir_all(path.parent()).map_err(failed)?;
    let file = File::create(&path).map_err(failed)?;
    let mut was_told = false;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(failed(error)),
            Err(TryLockError::WouldBlock) if cancelled.load(Ordering::Relaxed) => {
                return Err(CheckoutFault::Cancelled);
            }
            Err(TryLockError::WouldBlock) => {
                if !std::mem::replace(&mut was_told, true) {
                    wanted
                        .log
                        .info(&format!("Waiting for another run that fetches {}", wanted.url));
                }
                std::thread::sleep(LOCK_PAUSE);
            }
        }
    }
}

fn rename(from: &LocalPath, to: &LocalPath) -> Outcome<()> {
    fs::rename(from, to).map_err(|error| CheckoutFault::Other(format!("{to}: {error}")))
}
