//! Commands that talk to a running session.

mod apply;
mod args;
mod click;
mod create;
mod delete;
mod describe;
mod dump;
mod edit;
mod enable;
mod explain;
mod files;
mod get;
mod logs;
mod options;
mod patch;
mod printing;
mod sessions;
mod settle;
mod shell;
mod snapshot_view;
mod target;
mod tree_view;
mod trigger;
mod wait;
mod why;

use crate::server::client::{ApiClient, ApiFailure, WebClient};

pub(super) use apply::ApplyArgs;
pub(super) use args::Args as ArgsArgs;
pub(super) use click::Args as ClickArgs;
pub(super) use create::CreateArgs;
pub(super) use delete::Args as DeleteArgs;
pub(super) use describe::Args as DescribeArgs;
pub(super) use dump::{Dump, Snapshot};
pub(super) use edit::Args as EditArgs;
pub(super) use enable::{DisableArgs, EnableArgs};
pub(super) use explain::Args as ExplainArgs;
pub(super) use get::{Args as GetArgs, ResourcesArgs};
pub(super) use logs::Args as LogsArgs;
pub(super) use patch::Args as PatchArgs;
pub(super) use settle::Args as AwaitArgs;
pub(super) use shell::Args as ShellArgs;
pub(super) use target::escaped;
pub(super) use tree_view::Args as TreeViewArgs;
pub(super) use trigger::Args as TriggerArgs;
pub(super) use wait::Args as WaitArgs;
pub(super) use why::Args as WhyArgs;
pub(super) use {
    apply::apply, args::run as args, click::run as click, create::create, delete::run as delete,
    describe::run as describe, dump::dump, dump::snapshot, edit::run as edit, enable::disable,
    enable::enable, explain::run as explain, get::resources as api_resources, get::run as get,
    logs::run as logs, patch::run as patch, settle::run as settle, shell::run as shell,
    tree_view::run as tree_view, trigger::run as trigger, wait::run as wait, why::run as why,
};

/// Which session to talk to.
#[derive(Debug, clap::Args)]
pub(super) struct Connect {
    /// Port of the session's web page
    #[arg(long, value_name = "PORT", env = "TILT_PORT", default_value_t = super::variables::DEFAULT_PORT)]
    port: u16,
    /// Host of the session's web page
    #[arg(long, value_name = "HOST", env = "TILT_HOST", default_value = "localhost")]
    host: String,
}

impl Connect {
    fn api(&self) -> anyhow::Result<ApiClient> {
        let entry = crate::server::entry(self.port)?;
        let name = crate::server::server_name(self.port);
        let entry = entry.ok_or_else(|| NoSession(self.no_session(&name)))?;
        ApiClient::of_entry(&entry)
    }

    /// Returns that there is no such session, and which there are.
    fn no_session(&self, name: &str) -> String {
        // Those that are not there any more are no help.
        let _ = crate::server::forget_dead_sessions();
        let others = crate::server::entries().unwrap_or_default();
        let others: Vec<String> = others.into_iter().map(|entry| entry.name).collect();
        match others.as_slice() {
            [] => format!("No tilt apiserver found: {name}\nhint: start one with `tilt up`"),
            _ => format!(
                "No tilt apiserver found: {name}\nhint: there are {}; name one by its port: --port",
                others.join(", ")
            ),
        }
    }

    fn web(&self) -> WebClient {
        let entry = crate::server::entry(self.port).ok().flatten();
        WebClient {
            host: self.host.clone(),
            port: entry.and_then(|entry| entry.web_port).unwrap_or(self.port),
        }
    }
}

/// Prints why a command that works like one of kubectl's failed, in kubectl's way; returns its exit status.
///
/// Rule: `docs/rules/commands.md`, "Output and exit codes".
pub(super) fn like_kubectl(result: anyhow::Result<u8>) -> anyhow::Result<u8> {
    let Err(error) = result else { return result };
    if error.is::<NoSession>() {
        return Err(error);
    }
    if matches!(error.downcast_ref(), Some(ApiFailure::Refused(_))) {
        let _ = crate::server::forget_dead_sessions();
    }
    tell_like_kubectl(&error);
    Ok(super::exit::FAILURE)
}

/// Prints all that failed but the last, which whoever called prints.
fn all_told(mut failures: Vec<anyhow::Error>) -> anyhow::Result<u8> {
    let last = failures.pop();
    failures.iter().for_each(tell_like_kubectl);
    match last {
        Some(failure) => Err(failure),
        None => Ok(super::exit::SUCCESS),
    }
}

/// Prints what failed as kubectl words it.
fn tell_like_kubectl(error: &anyhow::Error) {
    let text = match error.downcast_ref::<ApiFailure>() {
        Some(failure @ (ApiFailure::Status { .. } | ApiFailure::Refused(_))) => failure.like_kubectl(),
        _ => format!("error: {error:#}"),
    };
    super::say::err(format!("{text}\n"));
}

/// No session has the port.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct NoSession(String);

/// Runs a command that asks a few things and ends.
fn block_on<T>(work: impl Future<Output = anyhow::Result<T>>) -> anyhow::Result<T> {
    use anyhow::Context;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start the runtime")?
        .block_on(work)
}
