//! `tilt alpha tiltfile-result`.

use std::io::{self, BufWriter, Write as _};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use anyhow::Context as _;

use super::variables::{DEFAULT_HOST, DEFAULT_PORT};
use super::{exit, flags, say, session};
use crate::clock;
use crate::edge::evaluation::{RealHost, load};
use crate::logs::{LogStore, LogWriter};
use crate::model::{format_go_duration, parse_go_duration};
use crate::tiltfile::{BuiltinCall, Load, load_on_big_stack_then};

/// Evaluate a Tiltfile and print the result as JSON
///
/// Nothing is built or deployed, and the cluster is not contacted. Exits with 5 when the Tiltfile cannot be loaded.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    tiltfile: flags::Tiltfile,
    #[command(flatten)]
    cluster: flags::Cluster,
    /// Print how long each call of a built-in took, in place of the result
    #[arg(short, long)]
    builtin_timings: bool,
    /// With --builtin-timings, leave out calls that took less
    #[arg(long, value_name = "DURATION", default_value = "0s", value_parser = parse_go_duration)]
    dur_threshold: Duration,
    /// Arguments for the Tiltfile
    #[arg(value_name = "TILTFILE_ARGS")]
    args: Vec<String>,
}

/// Runs the command; `verbose` shows what the Tiltfile prints also when it loads.
pub(super) fn run(args: Args, verbose: bool) -> anyhow::Result<u8> {
    let prepared = session::prepare(
        args.tiltfile.path()?,
        args.args,
        "alpha tiltfile-result",
        &args.cluster,
        (DEFAULT_HOST, DEFAULT_PORT),
    )?;
    let mut request = prepared.request;
    request.clock = args.builtin_timings.then_some(clock::now);
    let store = LogStore::in_memory();
    let log = LogWriter::global(store.clone());
    if let Some(warning) = &prepared.warning {
        log.warn(warning);
    }
    let began = clock::now();
    let host = RealHost::default();
    load::announce(&request, &host, &log);
    let cancelled = Arc::new(AtomicBool::new(false));
    load_on_big_stack_then(&request, &host, &log, cancelled, |load| {
        let error = load.error_text();
        if error.is_none() {
            load::announce_success(began, &log);
        }
        load::hide_secrets(&load, &store, 0);
        store.close();
        if verbose || error.is_some() {
            say::err(printed(&store));
        }
        let status = match error {
            Some(error) => {
                say::err(format!("{}\n", store.without_secrets(&error)));
                Ok(exit::TILTFILE_FAILED)
            }
            None if args.builtin_timings => {
                let took = clock::now().duration_since(began);
                show_timings(&load.calls, args.dur_threshold, took)
            }
            None => show_result(&load),
        };
        // The program ends here: giving back the memory piece by piece would only take time.
        std::mem::forget(load);
        status
    })
}

fn show_result(load: &Load) -> anyhow::Result<u8> {
    let mut out = BufWriter::new(io::stdout().lock());
    match load.write_result_json(&mut out).and_then(|()| out.flush()) {
        // Whoever reads has seen enough.
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {}
        written => written.context("the result cannot be written")?,
    }
    Ok(exit::SUCCESS)
}

fn show_timings(calls: &[BuiltinCall], threshold: Duration, whole: Duration) -> anyhow::Result<u8> {
    anyhow::ensure!(
        !calls.is_empty(),
        "executed Tiltfile, but recorded no Builtin calls"
    );
    say::data(timings(calls, threshold, whole))?;
    Ok(exit::SUCCESS)
}

fn timings(calls: &[BuiltinCall], threshold: Duration, whole: Duration) -> String {
    let shown = calls
        .iter()
        .filter(|call| call.took >= threshold && !call.name.starts_with("__"));
    let lines = shown.map(|call| {
        let reused = if call.reused { " (reused)" } else { "" };
        let took = format_go_duration(call.took);
        format!("- {}({}) took {took}{reused}\n", call.name, call.arguments)
    });
    let whole = format!("Tiltfile execution took {}\n", format_go_duration(whole));
    lines.chain([whole]).collect()
}

/// Returns what the log holds, without the words that a session puts before warnings.
fn printed(store: &LogStore) -> String {
    let mut reader = store.reader();
    let mut text = String::new();
    loop {
        let batch = reader.try_next_batch();
        if batch.is_empty() {
            return text;
        }
        batch.iter().for_each(|segment| text.push_str(&segment.text));
    }
}
