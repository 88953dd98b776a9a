//! Which program is Compose on this machine, and whether it is new enough.
//!
//! Rule: `docs/rules/compose.md`, "Projects".

use std::sync::atomic::Ordering;

use crate::diag::Diagnostic;
use crate::fault::{Fault, Outcome};
use crate::host::Ran;
use crate::model::{Command, ComposeProject, compose_was_killed};
use crate::session::Session;

/// A single word that replaces `docker compose`.
const VARIABLE: &str = "TILT_DOCKER_COMPOSE_CMD";

/// Older ones are refused; the same words as in Tilt.
const OLDEST: Version = Version(1, 28, 3);
/// Older ones cannot print a project as JSON.
const OLDEST_WITH_JSON: Version = Version(2, 0, 0);
/// Older ones are warned about.
const OLDEST_GOOD: Version = Version(2, 2, 0);

const HOW_TO_INSTALL: &str = "https://docs.docker.com/compose/install/ says how to install it";

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Version(u32, u32, u32);

/// How often a call that somebody killed is made again.
const MORE_CALLS: usize = 2;

/// Calls compose, for all that is asked at the same time. What somebody else killed is called again, and that is told.
pub(super) fn ask(session: &Session<'_>, commands: &[Command]) -> Vec<Result<Ran, String>> {
    let mut answers = session.run_together(commands);
    for (command, answer) in commands.iter().zip(&mut answers) {
        for _ in 0..MORE_CALLS {
            let program = command.argv.first().map_or("", String::as_str);
            let killed = answer
                .as_ref()
                .ok()
                .filter(|ran| compose_was_killed(program, ran.code));
            let failure = killed.and_then(|ran| ran.failure.clone());
            let Some(failure) = failure.filter(|_| !session.cancelled.load(Ordering::Relaxed)) else {
                break;
            };
            session
                .log
                .info(&format!("{}: {failure}. Trying again", command.display()));
            *answer = session.run_command(command, Vec::new(), &mut |_, _| {});
        }
    }
    answers
}

/// Returns Compose, if it is known already that it is there: from this load, or from one before.
///
/// # Errors
/// When it is too old.
pub(super) fn known(session: &Session<'_>) -> Outcome<Option<Vec<String>>> {
    if let Some(command) = session.compose_program.borrow().as_ref() {
        return Ok(Some(command.clone()));
    }
    let command = first(session);
    let version = version_of(session, &command);
    let kept = session.kept(&session.reusable(&version, &[], &[]));
    match kept.as_ref().map(printed) {
        Some(Ok(printed)) => accept(session, command, &printed).map(Some),
        Some(Err(_)) | None => Ok(None),
    }
}

/// Returns what is tried first: what `$TILT_DOCKER_COMPOSE_CMD` names, else `docker compose`.
pub(super) fn first(session: &Session<'_>) -> Vec<String> {
    own(session).map_or_else(|| words(&["docker", "compose"]), |program| vec![program])
}

/// Returns the command that asks a Compose for its version.
pub(super) fn version_of(session: &Session<'_>, command: &[String]) -> Command {
    Command {
        argv: command.iter().cloned().chain(["version".to_owned()]).collect(),
        dir: Some(session.directory()),
        env: Vec::new(),
    }
}

/// Takes in what the first one answered when it was asked for its version. If it is none, `docker-compose` is tried.
///
/// # Errors
/// When there is none, or one that is too old.
pub(super) fn find(session: &Session<'_>, answer: Result<Ran, String>) -> Outcome<Vec<String>> {
    let command = first(session);
    let mut failures = match answer.and_then(|ran| keep(session, &command, &ran)) {
        Ok(printed) => return accept(session, command, &printed),
        Err(why) => vec![format!("{}: {why}", command.join(" "))],
    };
    if own(session).is_some() {
        let hint = format!("{VARIABLE} must be a single program, without arguments");
        return Err(missing(&failures).hint(hint));
    }
    let other = words(&["docker-compose"]);
    let answer = session.run_or_reuse(&version_of(session, &other), Vec::new(), &[], &mut |_, _| {});
    match answer.and_then(|ran| printed(&ran)) {
        Ok(printed) => accept(session, other, &printed),
        Err(why) => {
            failures.push(format!("{}: {why}", other.join(" ")));
            Err(missing(&failures).hint(HOW_TO_INSTALL))
        }
    }
}

/// Returns a `config` command for a project.
pub(super) fn config(session: &Session<'_>, project: &ComposeProject, options: &[&str]) -> Command {
    let mut argv = project.argv();
    argv.push("config".to_owned());
    argv.extend(options.iter().map(|option| (*option).to_owned()));
    Command {
        argv,
        dir: Some(session.directory()),
        env: Vec::new(),
    }
}

fn own(session: &Session<'_>) -> Option<String> {
    session.host.env(VARIABLE).filter(|program| !program.is_empty())
}

fn missing(failures: &[String]) -> Fault {
    Fault::new(format!("Unable to find Docker Compose.\n{}", failures.join("\n")))
}

fn accept(session: &Session<'_>, command: Vec<String>, printed: &str) -> Outcome<Vec<String>> {
    check(session, printed)?;
    *session.compose_program.borrow_mut() = Some(command.clone());
    Ok(command)
}

fn keep(session: &Session<'_>, command: &[String], ran: &Ran) -> Result<String, String> {
    let version = version_of(session, command);
    session.keep(&session.reusable(&version, &[], &[]), ran);
    printed(ran)
}

fn words(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

/// Returns what a command said of its version, or why it did not.
fn printed(ran: &Ran) -> Result<String, String> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    match &ran.failure {
        None => Ok(text(&ran.stdout)),
        Some(failure) => {
            let stderr = text(&ran.stderr);
            let first = stderr.lines().map(str::trim).find(|line| !line.is_empty());
            Err(first.map_or_else(|| failure.clone(), str::to_owned))
        }
    }
}

/// A version that cannot be read is not checked, as in Tilt.
fn check(session: &Session<'_>, printed: &str) -> Outcome<()> {
    let Some(version) = version(printed) else {
        return Ok(());
    };
    let Version(major, minor, patch) = version;
    let shown = format!("v{major}.{minor}.{patch}");
    if version < OLDEST {
        return Err(Fault::new(format!(
            "Tilt requires Docker Compose v1.28.3+ (you have {shown}). Please upgrade and re-launch Tilt."
        ))
        .hint(HOW_TO_INSTALL));
    }
    if version < OLDEST_WITH_JSON {
        return Err(Fault::new(format!(
            "Docker Compose {shown} cannot print a project as JSON; v2.2.0 or newer is needed."
        ))
        .hint(HOW_TO_INSTALL));
    }
    if version < OLDEST_GOOD {
        session.warn(Diagnostic::warning(format!(
            "Using Docker Compose {shown} (version < 2.2) may result in errors or broken functionality.\n\
             For best results, we recommend upgrading to Docker Compose >= v2.2.0."
        )));
    }
    Ok(())
}

/// Reads `Docker Compose version v2.40.3` and `docker-compose version 1.29.2, build 5becea4c`.
fn version(printed: &str) -> Option<Version> {
    let first = printed.lines().map(str::trim).find(|line| !line.is_empty())?;
    let (_, rest) = first.split_once("version")?;
    let rest = rest.trim_start().trim_start_matches('v');
    let mut numbers = rest
        .split(|letter: char| !letter.is_ascii_digit())
        .map_while(|part| part.parse().ok());
    let major = numbers.next()?;
    Some(Version(
        major,
        numbers.next().unwrap_or(0),
        numbers.next().unwrap_or(0),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_as_both_programs_print_them() {
        for (printed, expected) in [
            ("Docker Compose version v2.40.3\n", Some(Version(2, 40, 3))),
            ("Docker Compose version 2.26.1-4\n", Some(Version(2, 26, 1))),
            (
                "docker-compose version 1.29.2, build 5becea4c\ndocker-py version: 5.0.0\n",
                Some(Version(1, 29, 2)),
            ),
            ("Docker Compose version dev\n", None),
            ("podman-compose 1.0\n", None),
            ("", None),
        ] {
            assert_eq!(version(printed), expected, "{printed:?}");
        }
    }
}
