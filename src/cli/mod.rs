//! The command line: one file per command, each with its arguments at the top.
//!
//! Parsing records only what was typed; what a command needs beyond that is resolved when it runs. Data goes to
//! standard output, talk to standard error, both through `say`. Only this room and the stream printer print.

mod analytics;
mod booleans;
mod ci;
mod ci_failure;
mod colour;
mod completion;
mod docker;
mod docker_prune;
mod doctor;
mod down;
mod exit;
mod flags;
mod mcp;
mod plan;
mod report;
mod say;
mod session;
mod snapshot;
mod starter;
mod talk;
mod tiltfile_result;
mod traces;
mod up;
mod variables;
mod version;
mod web_port;

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
    /// Log the Kubernetes client at this verbosity (0 is nothing); accepted, so that scripts keep working
    #[arg(long, global = true, default_value_t = 0, hide = true)]
    #[allow(dead_code, reason = "`--debug` logs what the client does")]
    klog: i32,
    /// Port of the web page's development server; accepted, so that scripts keep working
    #[arg(
        long,
        global = true,
        value_name = "PORT",
        default_value_t = 46764,
        hide = true
    )]
    #[allow(dead_code, reason = "the web page needs no such server")]
    webdev_port: u16,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Start the resources of a Tiltfile, keep them up to date, and stay
    Up(up::Args),
    /// Start the resources of a Tiltfile, wait until all are healthy or one has failed, and exit
    Ci(ci::Args),
    /// Delete what a Tiltfile deploys
    Down(down::Args),
    /// Start an update of resources of a running session
    Trigger(talk::TriggerArgs),
    /// Switch resources of a running session on
    Enable(talk::EnableArgs),
    /// Switch resources of a running session off
    Disable(talk::DisableArgs),
    /// Give the Tiltfile of a running session other arguments
    Args(talk::ArgsArgs),
    /// Print the logs of a running session
    Logs(talk::LogsArgs),
    /// Print objects of a running session
    Get(talk::GetArgs),
    /// Show everything about objects of a running session
    Describe(talk::DescribeArgs),
    /// Show the fields of a kind of objects
    Explain(talk::ExplainArgs),
    /// Change an object of a running session in an editor
    Edit(talk::EditArgs),
    /// Write down what a session knows, for those who look for a fault in it
    #[command(subcommand)]
    Dump(talk::Dump),
    /// Serve the questions that can be asked of a session as tools for coding agents (Model Context Protocol)
    Mcp(mcp::Args),
    /// Tell what `tilt up` would do now, and why; nothing is done
    Plan(plan::Args),
    /// Tell why a resource was updated, or what a file is to the project
    Why(talk::WhyArgs),
    /// Wait until what changed on disk until now has led to what it leads to
    Await(talk::AwaitArgs),
    /// Save what a session shows
    #[command(subcommand)]
    Snapshot(talk::Snapshot),
    /// Wait until objects of a running session are as wanted
    Wait(talk::WaitArgs),
    /// Create an object of a running session
    Create(talk::CreateArgs),
    /// Create or change objects of a running session
    Apply(talk::ApplyArgs),
    /// Change fields of an object of a running session
    Patch(talk::PatchArgs),
    /// Delete objects of a running session
    Delete(talk::DeleteArgs),
    /// Print the kinds of objects that a session has
    ApiResources(talk::ResourcesArgs),
    /// Press a button of a running session
    Click(talk::ClickArgs),
    /// Print what this machine has of what a session needs
    Doctor(doctor::Args),
    /// Run the docker command with the engine that images are built with
    Docker(docker::Args),
    /// Remove old images, containers and build caches of a Tiltfile from the Docker engine
    DockerPrune(docker_prune::Args),
    /// Show or set whether statistics may be sent; this program never sends any
    Analytics(analytics::Args),
    /// Commands that may change
    #[command(subcommand)]
    Alpha(Alpha),
    /// Print the version
    Version,
    /// Do nothing, and succeed: what was installed runs
    VerifyInstall,
    /// Print a completion script for a shell
    Completion(completion::Args),
    /// Kill the process groups that are named on standard input once it is closed
    #[command(hide = true, name = guard::COMMAND)]
    Guard {
        /// What the processes carry that left their group
        mark: String,
    },
}

#[derive(Debug, Subcommand)]
enum Alpha {
    /// Evaluate a Tiltfile and print the result as JSON
    TiltfileResult(tiltfile_result::Args),
    /// The same as `tilt get`
    Get(talk::GetArgs),
    /// The same as `tilt api-resources`
    ApiResources(talk::ResourcesArgs),
    /// Show the resources of a running session as a tree of what depends on what
    TreeView(talk::TreeViewArgs),
    /// Open a shell in a container of a resource of a running session
    Shell(talk::ShellArgs),
}

/// Commands of Tilt that this version does not have yet; each is answered by name.
const NOT_YET: [&str; 2] = ["demo", "lsp"];

/// Parses the arguments, runs the command, and returns the exit status.
pub fn run(args: impl IntoIterator<Item = OsString>) -> u8 {
    if let Err(message) = flags::check_environment() {
        say::out(&format!("{message}\n"));
        return FAILURE;
    }
    let cli = match parse(args) {
        Ok(cli) => cli,
        Err(status) => return status,
    };
    traces::install(cli.global.debug);
    if !matches!(cli.command, None | Some(Command::Guard { .. })) {
        guard::guard_groups();
    }
    perform(cli).unwrap_or_else(|error| {
        say::err(format!("Error: {error:#}\n"));
        FAILURE
    })
}

/// Runs what was asked for, and returns the exit status.
fn perform(cli: Cli) -> anyhow::Result<u8> {
    let Some(command) = cli.command else {
        if cli.version {
            return version::run();
        }
        say::data(command().render_help().to_string())?;
        return Ok(SUCCESS);
    };
    match command {
        Command::Up(args) => up::run(args),
        Command::Ci(args) => ci::run(args),
        Command::Down(args) => down::run(args),
        Command::Alpha(Alpha::TiltfileResult(args)) => {
            tiltfile_result::run(args, cli.global.verbose || cli.global.debug)
        }
        Command::Trigger(args) => talk::trigger(&args),
        Command::Enable(args) => talk::enable(&args),
        Command::Disable(args) => talk::disable(&args),
        Command::Args(args) => talk::args(&args),
        Command::Logs(args) => talk::logs(&args),
        Command::Get(args) | Command::Alpha(Alpha::Get(args)) => talk::like_kubectl(talk::get(&args)),
        Command::Describe(args) => talk::like_kubectl(talk::describe(&args)),
        Command::Explain(args) => talk::like_kubectl(talk::explain(&args)),
        Command::Edit(args) => talk::like_kubectl(talk::edit(&args)),
        Command::Dump(what) => talk::dump(&what),
        Command::Mcp(args) => mcp::run(args),
        Command::Plan(args) => plan::run(&args),
        Command::Why(args) => talk::why(&args),
        Command::Await(args) => talk::settle(&args),
        Command::Snapshot(what) => talk::snapshot(&what),
        Command::Wait(args) => talk::like_kubectl(talk::wait(&args)),
        Command::Create(args) => talk::create(&args),
        Command::Apply(args) => talk::like_kubectl(talk::apply(&args)),
        Command::Patch(args) => talk::like_kubectl(talk::patch(&args)),
        Command::Delete(args) => talk::like_kubectl(talk::delete(&args)),
        Command::ApiResources(args) | Command::Alpha(Alpha::ApiResources(args)) => {
            talk::like_kubectl(talk::api_resources(&args))
        }
        Command::Click(args) => talk::click(&args),
        Command::Alpha(Alpha::TreeView(args)) => talk::tree_view(&args),
        Command::Alpha(Alpha::Shell(args)) => talk::shell(&args),
        Command::Doctor(args) => doctor::run(args),
        Command::Docker(args) => docker::run(args),
        Command::DockerPrune(args) => docker_prune::run(args),
        Command::Analytics(args) => analytics::run(args),
        Command::Version => version::run(),
        Command::VerifyInstall => Ok(SUCCESS),
        Command::Completion(args) => completion::run(args),
        Command::Guard { mark } => {
            guard::run(&mark);
            Ok(SUCCESS)
        }
    }
}

/// Returns the whole command line as clap knows it.
fn command() -> clap::Command {
    Cli::command()
        .styles(clap::builder::Styles::plain())
        .args_override_self(true)
}

/// Returns what is said of a flag that a command does not have.
fn unknown_flag(flag: &str) -> String {
    match flag.strip_prefix("--") {
        Some(_) => format!("unknown flag: {flag}"),
        None => {
            let letter = flag.chars().nth(1).unwrap_or('-');
            format!("unknown shorthand flag: '{letter}' in {flag}")
        }
    }
}

/// Parses, or prints why not (or the help that was asked for) and returns the exit status.
fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Cli, u8> {
    use clap::error::{ContextKind, ContextValue, ErrorKind};
    let failed = |message: String| {
        say::err(format!("Error: {message}"));
        FAILURE
    };
    let known = command();
    let args =
        booleans::plain(args.into_iter().collect(), &known).map_err(|why| failed(format!("{why}\n")))?;
    let matches = known
        .try_get_matches_from(args)
        .and_then(|matches| Cli::from_arg_matches(&matches));
    matches.map_err(|error| {
        let text = error.render().to_string();
        match error.kind() {
            ErrorKind::DisplayHelp
            | ErrorKind::DisplayVersion
            | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
                return match say::data(&text) {
                    Ok(()) => SUCCESS,
                    Err(error) => failed(format!("{error:#}\n")),
                };
            }
            _ => {}
        }
        if let Some(ContextValue::String(word)) = error.get(ContextKind::InvalidSubcommand)
            && NOT_YET.contains(&word.as_str())
        {
            return failed(format!("`tilt {word}` is not part of this version yet\n"));
        }
        let mut text = text.strip_prefix("error: ").unwrap_or(&text).to_owned();
        if error.kind() == ErrorKind::UnknownArgument
            && let Some(ContextValue::String(flag)) = error.get(ContextKind::InvalidArg)
            && flag.starts_with('-')
        {
            let unknown = format!("unexpected argument '{flag}' found");
            text = text.replacen(&unknown, &unknown_flag(flag), 1);
        }
        failed(text)
    })
}
