//! Groups of flags that several commands share.

use crate::model::LocalPath;

/// Which Tiltfile.
#[derive(Debug, clap::Args)]
pub(super) struct Tiltfile {
    /// Path to the Tiltfile
    #[arg(short, long, value_name = "PATH", default_value = "Tiltfile")]
    file: String,
}

impl Tiltfile {
    /// Returns the absolute path.
    #[allow(
        clippy::disallowed_methods,
        reason = "the command line is resolved against the working directory here"
    )]
    pub(super) fn path(&self) -> anyhow::Result<LocalPath> {
        Ok(working_directory()?.join(&self.file))
    }
}

/// Returns the directory the command was started in.
#[allow(
    clippy::disallowed_methods,
    reason = "the command line is resolved against the working directory here"
)]
pub(super) fn working_directory() -> anyhow::Result<LocalPath> {
    use anyhow::Context;
    Ok(LocalPath::new(
        std::env::current_dir().context("the working directory is not there")?,
    ))
}

/// Which cluster, where no namespace matters.
#[derive(Debug, clap::Args)]
pub(super) struct Context {
    /// Kubernetes context to use in place of the current one
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,
}

/// Which cluster.
#[derive(Debug, Default, clap::Args)]
pub(super) struct Cluster {
    /// Kubernetes context to use in place of the current one
    #[arg(long, value_name = "NAME")]
    pub(super) context: Option<String>,
    /// Namespace for objects that name none, in place of the context's
    #[arg(long, value_name = "NAME")]
    pub(super) namespace: Option<String>,
}

/// Where the server listens.
#[derive(Debug, clap::Args)]
#[allow(
    dead_code,
    reason = "the files of the page come with the program: `--web-mode` is accepted, so that scripts keep working"
)]
pub(super) struct Serve {
    /// Port of the web page (0: none)
    #[arg(long, value_name = "PORT", env = "TILT_PORT", default_value_t = 10350)]
    pub(super) port: u16,
    /// Host of the web page, and default host of port-forwards
    #[arg(long, value_name = "HOST", env = "TILT_HOST", default_value = "localhost")]
    pub(super) host: String,
    /// Where the web page's files come from
    #[arg(long, value_name = "MODE", env = "TILT_WEB_MODE", default_value = "default",
          value_parser = ["default", "local", "prod", "embedded", "precompiled"])]
    pub(super) web_mode: String,
}

/// What `up` and `ci` share.
#[derive(Debug, clap::Args)]
pub(super) struct Session {
    #[command(flatten)]
    pub(super) tiltfile: Tiltfile,
    #[command(flatten)]
    pub(super) cluster: Cluster,
    #[command(flatten)]
    pub(super) serve: Serve,
    #[command(flatten)]
    pub(super) log_filter: LogFilter,
}

/// Which lines are printed. What is stored does not change.
#[derive(Debug, clap::Args)]
pub(super) struct LogFilter {
    /// Print only lines of this level: warn or error
    #[arg(long, value_name = "LEVEL", value_parser = ["warn", "error", ""], default_value = "", hide_default_value = true)]
    pub(super) log_level: String,
    /// Print only lines of this source: all, build or runtime
    #[arg(long, value_name = "SOURCE", value_parser = ["all", "build", "runtime"], default_value = "all")]
    pub(super) log_source: String,
    /// Print only lines of these resources (repeatable, or separated by commas)
    #[arg(long, value_name = "NAME", value_delimiter = ',')]
    pub(super) log_resource: Vec<String>,
}

/// Checks environment variables that every command reads.
///
/// # Errors
/// The line to print. Rule: `docs/rules/commands.md`, "Flags".
pub(super) fn check_environment() -> Result<(), String> {
    match std::env::var("TILT_PORT") {
        Ok(port) if port.parse::<i64>().is_err() => Err(format!(
            "parsing env TILT_PORT: strconv.Atoi: parsing {port:?}: invalid syntax"
        )),
        _ => Ok(()),
    }
}
