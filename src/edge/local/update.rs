//! The update of a local resource: its command, run to its end.

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::{CommandFault, CommandVariables, run_command};
use crate::edge::stages::timed;
use crate::engine::{Event, UpdateOutcome, UpdatePlan};
use crate::history::StageKind;
use crate::logs::{LogStore, LogWriter};
use crate::model::{Command, LocalTarget, SpanId};

/// Runs the command of an update, if it has one. Never fails as a call: what went wrong is part of the outcome.
///
/// Rule: `docs/rules/updates.md`, "Local updates"; `docs/rules/local.md`, "Update commands".
pub async fn run_update(
    log: &LogStore,
    plan: &UpdatePlan,
    local: &LocalTarget,
    variables: &CommandVariables,
    cancel: &CancellationToken,
    events: &mpsc::Sender<Event>,
) -> UpdateOutcome {
    let header = LogWriter::new(log.clone(), plan.span.clone(), plan.manifest.clone());
    header.update_started(&plan.header);
    let mut outcome = UpdateOutcome::default();
    if let Some(command) = &local.update_cmd {
        let span = SpanId::new(format!("cmd:{}:update", plan.manifest));
        let log = LogWriter::new(log.clone(), span, plan.manifest.clone());
        let runs = async |pid| {
            let build = plan.build;
            // Nobody listens any more once the session ends.
            let _ = events.send(Event::CommandRuns { build, pid }).await;
        };
        let running = run_command(command, variables, &log, cancel, runs);
        let (result, stage) = timed(StageKind::Command, command.display(), running).await;
        outcome.stages.push(stage);
        if let Err(fault) = result {
            outcome.error = Some(why(&fault, command));
            outcome.exit = match fault {
                CommandFault::Ended(exit) => Some(exit.into()),
                CommandFault::Canceled | CommandFault::Failed(_) => None,
            };
        }
    }
    outcome.deployed = outcome.error.is_none();
    outcome
}

/// Returns why an update fails whose command did.
fn why(fault: &CommandFault, command: &Command) -> String {
    match fault {
        CommandFault::Canceled => "build canceled".to_owned(),
        CommandFault::Failed(_) | CommandFault::Ended(_) => {
            format!("Command {:?} failed: {fault}", command.display())
        }
    }
}
