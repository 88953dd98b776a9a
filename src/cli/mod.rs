//! The command line: one file per command, each with its arguments at the top.
//!
//! Parsing records only what was typed; what a command needs beyond that is resolved when it runs. Data goes to
//! standard output, talk to standard error. Only this room and the stream printer print.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "commands print")]

mod ci;
mod ci_failure;
mod completion;
mod down;
mod exit;
mod flags;
mod session;
mod tiltfile_result;
mod up;
mod variables;
mod version;

use std::ffi::OsString;

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};

use crate::edge::process::guard;

pub use exit::{FAILURE, SUCCESS, TILTFILE_FAILED};

/// Tilt gives you smart rebuilds and live updates everywhere that you want to develop
///
/// Write a Tiltfile that says how your project is built and deployed, then run `tilt up`.
#[derive(Debug, Parser)]
#[command(
    name = "tilt",
    disable_version_flag = true,
    subcommand_required = false,
    arg_required_else_help = false
)]
struct Cli {
    #[command(flatten)]
    global: Global,
    /// Print the version
    #[arg(long)]
    version: bool,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Flags that every command takes.
#[derive(Debug, clap::Args)]
struct Global {
    /// Log what a developer of this program needs, to standard error
    #[arg(short, long, global = true)]
    debug: bool,
    /// Log more than usual
    #[arg(short, long, global = true)]
    verbose: bool,
    /// Log the Kubernetes client at this verbosity (0 is nothing)
    #[arg(long, global = true, default_value_t = 0, hide = true)]
    klog: i32,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the resources of a Tiltfile, keep them up to date, and stay
    Up(up::Args),
    /// Start the resources of a Tiltfile, wait until all are healthy or one has failed, and exit
    Ci(ci::Args),
    /// Delete what a Tiltfile deploys
    Down(down::Args),
    /// Commands that may change
    #[command(subcommand)]
    Alpha(Alpha),
    /// Print the version
    Version,
    /// Print a completion script for a shell
    Completion(completion::Args),
    /// Kill the process groups that are named on standard input once it is closed
    #[command(hide = true, name = guard::COMMAND)]
    Guard,
}

#[derive(Debug, Subcommand)]
enum Alpha {
    /// Evaluate a Tiltfile and print the result as JSON
    TiltfileResult(tiltfile_result::Args),
}

/// Commands of Tilt that this version does not have yet; each is answered by name.
const NOT_YET: [&str; 23] = [
    "analytics",
    "api-resources",
    "apply",
    "args",
    "create",
    "delete",
    "demo",
    "describe",
    "disable",
    "docker",
    "docker-prune",
    "doctor",
    "dump",
    "edit",
    "enable",
    "explain",
    "get",
    "logs",
    "lsp",
    "patch",
    "snapshot",
    "trigger",
    "wait",
];

/// Parses the arguments, runs the command, and returns the exit status.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    if let Err(message) = flags::check_environment() {
        println!("{message}");
        return FAILURE;
    }
    let cli = match parse(args) {
        Ok(cli) => cli,
        Err(status) => return status,
    };
    install_tracing(&cli.global);
    let Some(command) = cli.command else {
        if cli.version {
            return version::run();
        }
        let _ = command().print_help();
        return SUCCESS;
    };
    if !matches!(command, Command::Guard) {
        guard::guard_groups();
    }
    let result = match command {
        Command::Up(args) => up::run(args),
        Command::Ci(args) => ci::run(args),
        Command::Down(args) => down::run(args),
        Command::Alpha(Alpha::TiltfileResult(args)) => {
            tiltfile_result::run(args, cli.global.verbose || cli.global.debug)
        }
        Command::Version => Ok(version::run()),
        Command::Completion(args) => completion::run(args),
        Command::Guard => {
            guard::run();
            Ok(SUCCESS)
        }
    };
    result.unwrap_or_else(|error| {
        eprintln!("Error: {error:#}");
        FAILURE
    })
}

/// Returns the whole command line as clap knows it.
fn command() -> clap::Command {
    Cli::command().styles(clap::builder::Styles::plain())
}

/// Parses, or prints why not (or the help that was asked for) and returns the exit status.
fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, u8> {
    let matches = command()
        .try_get_matches_from(args)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    matches.map_err(|error| {
        use clap::error::{ContextKind, ContextValue, ErrorKind};
        let text = error.render().to_string();
        match error.kind() {
            ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                print!("{text}");
                return SUCCESS;
            }
            ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                print!("{text}");
                return SUCCESS;
            }
            _ => {}
        }
        if let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand)
            && NOT_YET.contains(&word.as_str())
        {
            eprintln!("Error: `tilt {word}` is not part of this version yet");
            return FAILURE;
        }
        eprint!("Error: {}", text.strip_prefix("error: ").unwrap_or(&text));
        FAILURE
    })
}

/// With `--debug`, events and effects of the engine go to standard error; `TILT_LOG` takes a tracing filter.
fn install_tracing(global: &Global) {
    use tracing_subscriber::EnvFilter;
    let filter = match (std::env::var("TILT_LOG"), global.debug) {
        (Ok(filter), _) => EnvFilter::new(filter),
        (Err(_), true) => EnvFilter::new("tilt=debug,warn"),
        (Err(_), false) => return,
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(std::io::stderr)
        .init();
}
