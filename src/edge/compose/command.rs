//! The `docker compose` command: how it is run for a project, and what is made of its end.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::edge::failure::says_unreachable;
use crate::edge::local::CommandVariables;
use crate::edge::process::{Exit, Process};
use crate::engine::Transient;
use crate::logs::LogWriter;
use crate::model::{Command, ComposeProject, compose_was_killed};

/// Why a command did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::edge) enum ComposeFault {
    /// Nobody wants its result any more.
    Canceled,
    /// It failed.
    Failed {
        /// What it said last, beside its progress; may be empty.
        said: String,
        /// The command and how it ended, as Tilt says it.
        ended: String,
        /// Why it may go well later, if it may.
        transient: Option<Transient>,
    },
}

impl ComposeFault {
    /// Returns why it may go well later, if it may.
    pub(in crate::edge) fn transient(&self) -> Option<Transient> {
        match self {
            Self::Canceled => None,
            Self::Failed { transient, .. } => *transient,
        }
    }
}

/// Returns why a command that ended so may go well later, if it may.
fn transient(program: &str, exit: Exit, said: &str) -> Option<Transient> {
    if compose_was_killed(program, exit.code()) {
        return Some(Transient::Killed);
    }
    // A build that failed quotes the command that failed.
    let last = said.trim_end().lines().next_back().unwrap_or_default();
    let is_unreachable = last.starts_with("error during connect: ") || says_unreachable(last);
    Transient::if_unreachable(is_unreachable)
}

/// A call of compose for a project.
pub(in crate::edge) struct ComposeCall<'a> {
    pub(in crate::edge) project: &'a ComposeProject,
    /// What follows the project: the subcommand and its arguments.
    pub(in crate::edge) args: Vec<String>,
    pub(in crate::edge) variables: &'a CommandVariables,
    /// Where it is said what a stop waits for.
    pub(in crate::edge) log: &'a LogWriter,
    pub(in crate::edge) cancel: &'a CancellationToken,
}

impl ComposeCall<'_> {
    /// Runs it to its end; `tell` hears each line.
    ///
    /// # Errors
    /// When it cannot be started, is cancelled, or does not end with 0.
    pub(in crate::edge) async fn run(&self, mut tell: impl FnMut(&str) + Send) -> Result<(), ComposeFault> {
        let mut argv = self.project.argv();
        argv.extend(self.args.iter().cloned());
        let command = Command {
            argv,
            dir: Some(self.project.directory.clone()),
            env: Vec::new(),
        };
        let failed = |said: &str, how: &dyn Display, transient| ComposeFault::Failed {
            said: said.to_owned(),
            ended: format!("command {} failed.\nerror: {how}", in_words(&command.argv)),
            transient,
        };
        let child = self.variables.child(&command);
        let (mut process, mut lines) =
            Process::spawn_with_lines(&child).map_err(|error| failed("", &error, None))?;
        let mut said = String::new();
        loop {
            let line = tokio::select! {
                line = lines.recv() => line,
                () = self.cancel.cancelled() => {
                    // How it ends does not matter any more.
                    let _ = process.stop(self.log).await;
                    return Err(ComposeFault::Canceled);
                }
            };
            let Some(line) = line else { break };
            if !is_progress(&line) {
                said.push_str(&line);
                said.push('\n');
            }
            tell(&line);
        }
        match process.wait().await {
            Ok(exit) if exit.is_success() => Ok(()),
            Ok(exit) => {
                let said = said.trim();
                let program = command.argv.first().map_or("", String::as_str);
                Err(failed(said, &exit, transient(program, exit, said)))
            }
            Err(error) => Err(failed(said.trim(), &error, None)),
        }
    }
}

/// Returns whether a line tells how far something is: ` Container shop-web-1  Creating`.
pub(in crate::edge) fn is_progress(line: &str) -> bool {
    const KINDS: [&str; 6] = ["Container", "Network", "Volume", "Image", "Config", "Secret"];
    let first = line.split_whitespace().next();
    line.starts_with(' ') || first.is_some_and(|word| KINDS.contains(&word))
}

/// Takes away all that compose made of projects: with `volumes`, also what they hold.
///
/// # Errors
/// When that fails for one of them; the others are taken away all the same.
pub async fn down(
    projects: &BTreeMap<String, Arc<ComposeProject>>,
    volumes: bool,
    variables: &CommandVariables,
    log: &LogWriter,
) -> Result<(), String> {
    let mut errors = Vec::new();
    for project in projects.values() {
        let mut args = vec!["down".to_owned(), "--remove-orphans".to_owned()];
        args.extend(volumes.then(|| "--volumes".to_owned()));
        let call = ComposeCall {
            project,
            args,
            variables,
            log,
            cancel: &CancellationToken::new(),
        };
        if let Err(ComposeFault::Failed { ended, .. }) = call.run(|line| log.info(line)).await {
            errors.push(ended);
        }
    }
    match errors.is_empty() {
        true => Ok(()),
        false => Err(errors.join("\n")),
    }
}

/// Returns the words of a command as Tilt shows them here: `["docker" "compose" "up"]`.
fn in_words(argv: &[String]) -> String {
    let words: Vec<String> = argv.iter().map(|word| format!("{word:?}")).collect();
    format!("[{}]", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compose_that_somebody_killed_may_go_well_later() {
        for (exit, expected) in [
            (Exit::Signal(9), Some(Transient::Killed)),
            (Exit::Code(255), Some(Transient::Killed)),
            (Exit::Code(1), None),
        ] {
            let said = "service \"web\": error: signal: killed";
            assert_eq!(transient("docker", exit, said), expected, "{exit}");
        }
    }

    #[test]
    fn only_an_engine_that_could_not_be_reached_may_pass() {
        let is_unreachable =
            |said: &str| transient("docker", Exit::Code(1), said) == Some(Transient::Unreachable);
        for passing in [
            "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?",
            "unable to get image 'a': Cannot connect to the Docker daemon at tcp://x. Is the docker daemon running?\n",
            "error during connect: Get \"http://x/v1.47/info\": EOF, and more",
            "a line before\nGet \"http://localhost:5000/v2/\": dial tcp: connection refused",
        ] {
            assert!(is_unreachable(passing), "{passing}");
        }
        for staying in [
            "#5 0.2 Cannot connect to the Docker daemon. Is the docker daemon running?\n\
             failed to solve: process \"/bin/sh -c echo error during connect; false\" did not complete successfully: \
             exit code: 1",
            "dependency failed to start: container shop-error during connect-1 is unhealthy",
            "",
        ] {
            assert!(!is_unreachable(staying), "{staying}");
        }
    }
}
