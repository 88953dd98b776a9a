//! Reads Compose projects, as `docker compose config` resolves them.
//!
//! There is no reader of our own: what a project means is what compose says. [`resolve`] asks it, and keeps the answer for
//! later loads of the session while no file that it is made of has changed. Which files these are is found in `files`;
//! `program` finds compose itself, `resolved` reads its answer, `fault` finds the place of what it complains about.

mod fault;
mod files;
mod program;
pub(super) mod resolved;
mod variables;

use std::cell::OnceCell;
use std::collections::BTreeSet;
use std::sync::Arc;

pub(super) use resolved::{BuildSection, Resolved};

use super::fault::{Fault, Outcome};
use super::host::Ran;
use super::memory::{Fingerprint, KeptProject};
use super::session::Session;
use crate::model::{Command, ComposeProject, LocalPath};
use files::ProjectFiles;
use resolved::ProjectVariables;
use variables::variable_of_one_line;

/// Why it is not known what a project means.
pub(super) enum Unresolved {
    /// There is no compose, or one that is too old.
    Program(Fault),
    /// The project cannot be read; marked in the file at fault where that is known.
    Project(Fault),
}

impl From<Fault> for Unresolved {
    fn from(fault: Fault) -> Self {
        Self::Project(fault)
    }
}

/// Returns what compose says of a project, and notes in the project which program compose is. That is found out at the same
/// time.
///
/// # Errors
/// When there is no compose, or the project cannot be read.
pub(super) fn resolve(
    session: &Session<'_>,
    project: &mut ComposeProject,
) -> Result<Arc<Resolved>, Unresolved> {
    let known = program::known(session).map_err(Unresolved::Program)?;
    let is_known = known.is_some();
    project.command = known.unwrap_or_else(|| program::first(session));
    let command = program::config(session, project, &["--format", "json"]);
    let identity = session.identity(&command, &[]);
    let kept = session.request.memory.lock().projects.get(&identity).cloned();
    let files = ProjectFiles::find(session, project);
    files.paths().for_each(|file| session.also_reads(&file));
    let mut all: BTreeSet<LocalPath> = files.paths().collect();
    if let Some(kept) = &kept {
        all.extend(kept.files.iter().cloned());
    }
    let before = fingerprint(session, &all).filter(|_| files.are_all_known());
    if let Some((of_kept, resolved)) = kept.and_then(|kept| kept.known)
        && Some(of_kept) == before
    {
        session
            .log
            .info(&format!("Nothing has changed for: {}", command.display()));
        session.reused.set(true);
        keep(session, identity, all, Some((of_kept, Arc::clone(&resolved))));
        warn(session, &resolved);
        return Ok(resolved);
    }
    let mut answers = answers(session, project, &command, &files, is_known);
    if let Some(version) = answers.version.take() {
        let first = std::mem::take(&mut project.command);
        project.command = program::find(session, version).map_err(Unresolved::Program)?;
        if project.command != first {
            return resolve(session, project);
        }
    }
    let resolved = understand(session, project, &files, answers)?;
    let resolved = Arc::new(resolved);
    resolved.files.iter().for_each(|file| session.also_reads(file));
    warn(session, &resolved);
    let after: BTreeSet<LocalPath> = files.paths().chain(resolved.files.iter().cloned()).collect();
    let is_complete = after.is_subset(&all) && fingerprint(session, &all) == before;
    let known = before.filter(|_| is_complete);
    all.extend(after);
    keep(
        session,
        identity,
        all,
        known.map(|before| (before, Arc::clone(&resolved))),
    );
    Ok(resolved)
}

/// What compose answers at one moment.
struct Answers {
    /// Its version, where that was not known.
    version: Option<Result<Ran, String>>,
    project: Result<Ran, String>,
    /// What the project is before it is resolved, where only that says which files it is made of.
    unresolved: Option<Result<Ran, String>>,
    /// It as YAML, where it may have fields of users' own: these are not in the JSON.
    extended: Option<Result<Ran, String>>,
}

fn answers(
    session: &Session<'_>,
    project: &ComposeProject,
    command: &Command,
    files: &ProjectFiles,
    is_known: bool,
) -> Answers {
    let mut commands = vec![command.clone()];
    // Only what is not resolved says which files of variables and labels a service has.
    let has_more = files.name_more_files();
    if has_more {
        let options = ["--format", "json", "--no-interpolate"];
        commands.push(program::config(session, project, &options));
    }
    let is_extended = files.have_extensions();
    if is_extended {
        commands.push(program::config(session, project, &[]));
    }
    if !is_known {
        commands.push(program::version_of(session, &project.command));
    }
    let mut answers = program::ask(session, &commands).into_iter();
    let mut next = || answers.next().unwrap_or_else(|| Err("it was not run".to_owned()));
    Answers {
        project: next(),
        unresolved: has_more.then(&mut next),
        extended: is_extended.then(&mut next),
        version: (!is_known).then(next),
    }
}

/// Makes a project of what compose answered.
fn understand(
    session: &Session<'_>,
    project: &ComposeProject,
    files: &ProjectFiles,
    answers: Answers,
) -> Outcome<Resolved> {
    let answer = answers.project.map_err(Fault::new)?;
    if answer.failure.is_some() {
        return Err(fault::of(files, &program::config(session, project, &[]), &answer));
    }
    let text = |ran: Result<Ran, String>| {
        let ran = ran.ok().filter(|ran| ran.failure.is_none());
        ran.map(|ran| String::from_utf8_lossy(&ran.stdout).into_owned())
    };
    let model = answers.unresolved.and_then(text);
    let extended = answers.extended.and_then(text);
    let variables = Variables {
        session,
        project,
        printed: OnceCell::new(),
    };
    let text_of = |ran: &Ran| String::from_utf8_lossy(&ran.stdout).into_owned();
    let read = resolved::read(
        project,
        &text_of(&answer),
        (model.as_deref(), extended.as_deref()),
        &variables,
    );
    let mut resolved = read.map_err(|why| {
        let command = program::config(session, project, &["--format", "json"]);
        Fault::new(format!("{}: {why}", command.display()))
            .hint("this version of Compose answers in a way that is not understood")
    })?;
    let is_left_out = |name: &str| !resolved.services.iter().any(|service| service.name == name);
    let left_out = files.services().iter().filter(|(name, _)| is_left_out(name));
    resolved.left_out = left_out.cloned().collect();
    let all = resolved.services.iter().map(|service| &service.name);
    let all = all.chain(resolved.left_out.iter().map(|(name, _)| name)).cloned();
    let siblings: Arc<BTreeSet<String>> = Arc::new(all.collect());
    for service in &mut resolved.services {
        service.siblings = Arc::clone(&siblings);
    }
    resolved.warnings = fault::warnings(files, &answer);
    Ok(resolved)
}

/// The variables of a project. Those of this program come first; compose says what its files add.
struct Variables<'a, 's> {
    session: &'a Session<'s>,
    project: &'a ComposeProject,
    printed: OnceCell<String>,
}

impl ProjectVariables for Variables<'_, '_> {
    fn printed(&self) -> &str {
        self.printed.get_or_init(|| {
            let command = program::config(self.session, self.project, &["--environment"]);
            let ran = program::ask(self.session, &[command]).into_iter().next();
            let ran = ran.and_then(Result::ok).filter(|ran| ran.failure.is_none());
            ran.map(|ran| String::from_utf8_lossy(&ran.stdout).into_owned())
                .unwrap_or_default()
        })
    }

    fn value(&self, name: &str) -> Option<String> {
        let own = self.session.host.env(name);
        own.or_else(|| variable_of_one_line(self.printed(), name))
    }
}

fn warn(session: &Session<'_>, resolved: &Resolved) {
    for warning in &resolved.warnings {
        session.warn(warning.clone());
    }
}

fn fingerprint(session: &Session<'_>, files: &BTreeSet<LocalPath>) -> Option<Fingerprint> {
    let files: Vec<LocalPath> = files.iter().cloned().collect();
    session.fingerprint(&files)
}

fn keep(
    session: &Session<'_>,
    identity: Fingerprint,
    files: BTreeSet<LocalPath>,
    known: Option<(Fingerprint, Arc<Resolved>)>,
) {
    let kept = KeptProject {
        files,
        known,
        used_by: session.load_number,
    };
    session.request.memory.lock().projects.insert(identity, kept);
}
