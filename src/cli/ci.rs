//! `tilt ci`.

use std::io::IsTerminal;
use std::time::Duration;

use super::ci_failure::explain;
use super::{colour, exit, flags, report, say, session};
use crate::clock;
use crate::engine::{ExitOutcome, Mode};
use crate::model::parse_go_duration;
use crate::report::not_begun;
use crate::view::{ReportRow, report as rows_of, table};

/// Start the resources of a Tiltfile, wait until all are healthy or one has failed, and exit
///
/// Exits with 0 when all workloads are healthy and all jobs are done, with 1 at the first failure.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    session: flags::Session,
    /// Time for the whole run, such as 90s or 1h30m; 0 is no limit. Wins over ci_settings() in the Tiltfile (default: 30m)
    #[arg(long, value_name = "DURATION", value_parser = parse_go_duration)]
    timeout: Option<Duration>,
    /// End at the first reason that Kubernetes gives why a pod does not come up, such as Unschedulable or
    /// CrashLoopBackOff, as with ci_settings(fail_fast=True)
    #[arg(long)]
    fail_fast: bool,
    /// Write a snapshot to this file at exit
    #[arg(long, value_name = "PATH")]
    output_snapshot_on_exit: Option<String>,
    /// Write what the run came to into this file: .xml is JUnit, .json, .md; github is its job summary and annotations
    /// (repeatable)
    #[arg(long, value_name = "FILE", value_parser = report::target)]
    report: Vec<report::Target>,
    /// Write the whole log of each resource into a file in this directory
    #[arg(long, value_name = "DIR")]
    logs_dir: Option<String>,
    /// Arguments for the Tiltfile
    #[arg(value_name = "TILTFILE_ARGS")]
    args: Vec<String>,
}

pub(super) fn run(args: Args) -> anyhow::Result<u8> {
    let started = clock::timestamp();
    let tiltfile = args.session.tiltfile.path()?.to_string();
    let options = session::Options {
        mode: Mode::Ci {
            timeout_override: args.timeout,
            fail_fast: args.fail_fast,
        },
        subcommand: "ci",
        flags: args.session,
        tiltfile_args: args.args,
        forwards_ports: true,
        updates_containers: true,
        snapshot: args.output_snapshot_on_exit,
    };
    let ended = session::stop_on_signal(exit::FAILURE).and_then(|stop| session::run(options, stop));
    let ended = ended.inspect_err(|error| {
        // No Tiltfile was read until then, so no secret is known that could be in it.
        let report = not_begun(&format!("{error:#}"), tiltfile, started, clock::timestamp());
        report::write(&args.report, &report);
    })?;
    let mut rows = rows_of(&ended.view, clock::timestamp());
    for row in &mut rows {
        row.reason = ended.log.without_secrets(&row.reason);
    }
    if !rows.is_empty() {
        say::out(&format!("\n{}", shown(&rows)));
    }
    if !args.report.is_empty() {
        report::write(&args.report, &report::of_run(&ended, &rows, started));
    }
    if let Some(dir) = &args.logs_dir {
        report::write_logs(dir, &ended.log);
    }
    Ok(match &ended.outcome {
        ExitOutcome::Succeeded => {
            let message = "SUCCESS. All workloads are healthy.";
            if colour::may_be_used(std::io::stdout().is_terminal()) {
                say::out(&format!("\x1b[32m{message}\x1b[0m\n"));
            } else {
                say::out(&format!("{message}\n"));
            }
            exit::SUCCESS
        }
        ExitOutcome::Failed(failure) => {
            say::err(explain(failure, &rows, &ended));
            exit::FAILURE
        }
        ExitOutcome::Interrupted | ExitOutcome::Stopped => {
            say::err("Error: context canceled\n");
            exit::FAILURE
        }
    })
}

/// Returns the table of a run. What nothing has started is counted only: who looks for its name in the output looks for what it
/// did.
fn shown(rows: &[ReportRow]) -> String {
    let (skipped, rest): (Vec<&ReportRow>, Vec<&ReportRow>) =
        rows.iter().partition(|row| row.result == "skipped");
    let rest: Vec<ReportRow> = rest.into_iter().cloned().collect();
    let mut text = if rest.is_empty() {
        String::new()
    } else {
        table(&rest)
    };
    match skipped.len() {
        0 => {}
        1 => text.push_str("1 resource was not to start by itself.\n"),
        n => text.push_str(&format!("{n} resources were not to start by themselves.\n")),
    }
    text
}
