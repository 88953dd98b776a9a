//! Runs a command of the user's to its end, its output in the log.

use std::{fmt, io};

use tokio_util::sync::CancellationToken;

use super::CommandVariables;
use crate::edge::process::{Exit, Process};
use crate::logs::LogWriter;
use crate::model::Command;

/// Why a command did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandFault {
    /// It was stopped because nobody wants its result any more.
    Canceled,
    /// It could not be started, or nothing is known of its end; the reason.
    Failed(String),
    /// It ended with anything but 0.
    Ended(Exit),
}

impl From<io::Error> for CommandFault {
    fn from(error: io::Error) -> Self {
        Self::Failed(error.to_string())
    }
}

impl fmt::Display for CommandFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Canceled => f.write_str("canceled"),
            Self::Failed(reason) => f.write_str(reason),
            Self::Ended(exit) => exit.fmt(f),
        }
    }
}

/// Announces a command and runs it; `cancel` stops it. `runs` is told the number of its process.
///
/// # Errors
/// When it cannot be started, does not end with 0, or is canceled.
///
/// Rule: `docs/rules/local.md`, "Processes".
pub async fn run_command(
    command: &Command,
    variables: &CommandVariables,
    log: &LogWriter,
    cancel: &CancellationToken,
    runs: impl AsyncFnOnce(u32),
) -> Result<(), CommandFault> {
    let shown = command.display();
    log.info(&format!("Running cmd: {shown}"));
    let mut process = Process::spawn(&variables.child(command), log)
        .map_err(|error| CommandFault::Failed(format!("{shown} failed to start: {error}")))?;
    runs(process.pid()).await;
    let exit = tokio::select! {
        exit = process.wait() => exit?,
        () = cancel.cancelled() => {
            // How it ends does not matter any more.
            let _ = process.stop(log).await;
            return Err(CommandFault::Canceled);
        }
    };
    if exit.is_success() {
        Ok(())
    } else {
        Err(CommandFault::Ended(exit))
    }
}
