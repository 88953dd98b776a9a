//! `tilt up`.

use super::{exit, flags, say, session, starter};
use crate::engine::{ExitOutcome, Mode};

/// Start the resources of a Tiltfile, keep them up to date, and stay
///
/// Ctrl-C stops watching; what was deployed keeps running (`tilt down` removes it). Words after the flags are the
/// Tiltfile's arguments: unless it reads them itself, they name the resources to start.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(flatten)]
    session: flags::Session,
    /// Print logs as they come
    #[arg(long)]
    stream: bool,
    /// Use the full-screen terminal UI
    #[arg(long)]
    legacy: bool,
    /// How running containers are updated: auto, image, container or exec
    #[arg(long, value_name = "MODE", default_value = "auto", value_parser = ["auto", "image", "container", "exec"])]
    update_mode: String,
    /// Open no port-forwards
    #[arg(long)]
    disable_port_forwards: bool,
    /// Write a snapshot to this file at exit
    #[arg(long, value_name = "PATH")]
    output_snapshot_on_exit: Option<String>,
    /// Log all actions; accepted, so that scripts keep working (`TILT_LOG=tilt=trace` does it)
    #[arg(long, hide = true)]
    #[allow(dead_code, reason = "accepted only")]
    logactions: bool,
    /// Arguments for the Tiltfile
    #[arg(value_name = "TILTFILE_ARGS")]
    args: Vec<String>,
}

pub(super) fn run(args: Args) -> anyhow::Result<u8> {
    anyhow::ensure!(
        !args.legacy,
        "--legacy is not part of this version yet: leave it out to stream logs"
    );
    let stop = session::stop_on_signal(exit::SUCCESS)?;
    let tiltfile = args.session.tiltfile.path()?;
    if !session::runtime()?.block_on(starter::offer(&tiltfile, &stop))? {
        return Ok(exit::SUCCESS);
    }
    let options = session::Options {
        mode: Mode::Up,
        subcommand: "up",
        flags: args.session,
        tiltfile_args: args.args,
        forwards_ports: !args.disable_port_forwards,
        updates_containers: args.update_mode != "image",
        snapshot: args.output_snapshot_on_exit,
    };
    let ended = session::run(options, stop)?;
    Ok(match ended.outcome {
        ExitOutcome::Failed(failure) => {
            say::err(format!("Error: {}\n", failure.message));
            exit::FAILURE
        }
        ExitOutcome::Stopped | ExitOutcome::Interrupted | ExitOutcome::Succeeded => exit::SUCCESS,
    })
}
