//! `tilt await`.

use std::time::Duration;

use anyhow::{Context, bail};
use http::Method;

use super::super::{exit, flags, say};
use super::why::{look, pretty};
use super::{Connect, block_on};
use crate::history::{ResourceHistory, why};
use crate::logs::visible;
use crate::model::parse_go_duration;
use crate::server::AwaitRequest;
use crate::view::AwaitAnswer;

/// Wait until what changed on disk until now has led to what it leads to, and tell what came of it
///
/// Exits with 0 when all that was asked for is well, else with 1.
#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    #[command(flatten)]
    connect: Connect,
    /// Tell only of resources that the last edit led to
    #[arg(long, conflicts_with_all = ["file", "resources"])]
    since_edit: bool,
    /// Wait only for resources that this file belongs to
    #[arg(long, value_name = "PATH", conflicts_with = "resources")]
    file: Option<String>,
    /// How many lines of the log of each resource are printed
    #[arg(long, value_name = "N", default_value_t = 20)]
    lines: usize,
    /// How long to wait at most
    #[arg(long, value_name = "DURATION", default_value = "10m", value_parser = parse_go_duration)]
    timeout: Duration,
    /// Print JSON
    #[arg(short, long, value_name = "FORMAT", value_parser = ["json"])]
    output: Option<String>,
    /// Resources to wait for; all if none are named
    #[arg(value_name = "RESOURCE")]
    resources: Vec<String>,
}

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    let file = match &args.file {
        Some(file) => Some(flags::working_directory()?.join(file).to_string()),
        None => None,
    };
    let request = AwaitRequest {
        resources: args.resources.clone(),
        file,
        since_edit: args.since_edit,
        lines: args.lines,
        timeout_millis: u64::try_from(args.timeout.as_millis()).ok(),
    };
    let body = block_on(
        args.connect
            .ask(Method::POST, "/api/await", serde_json::to_vec(&request)?),
    )?;
    let answer: AwaitAnswer = serde_json::from_slice(&body).context("the session's answer cannot be read")?;
    let text = match args.output {
        Some(_) => pretty(&body)?,
        None => text(&answer)?,
    };
    say::data(text)?;
    Ok(if answer.ok { exit::SUCCESS } else { exit::FAILURE })
}

fn text(answer: &AwaitAnswer) -> anyhow::Result<String> {
    if answer.resources.is_empty() {
        return Ok("Nothing comes of it: no resource was updated.\n".to_owned());
    }
    let look = look()?;
    let mut out = String::new();
    for resource in &answer.resources {
        let reason = match resource.reason.as_str() {
            "" => String::new(),
            reason => format!(": {}", visible(reason)),
        };
        out.push_str(&format!("{}: {}{reason}\n", resource.name, resource.result));
        if let Some(update) = &resource.update {
            let history = ResourceHistory {
                resource: resource.name.as_str().into(),
                waiting: Vec::new(),
                updates: vec![update.clone()],
            };
            for line in why(&history, 1, &look).lines() {
                out.push_str(&format!("  {line}\n"));
            }
        }
        if resource.omitted_lines > 0 {
            out.push_str(&format!("  … {} lines before these\n", resource.omitted_lines));
        }
        for line in &resource.lines {
            out.push_str(&format!("  │ {}\n", visible(line)));
        }
    }
    Ok(out)
}

impl Connect {
    /// Asks the session for something, and returns what it answered.
    ///
    /// # Errors
    /// There is no session, or it refused.
    pub(in super::super) async fn ask(
        &self,
        method: Method,
        path: &str,
        body: Vec<u8>,
    ) -> anyhow::Result<Vec<u8>> {
        let answer = match self.web().request(method, path, body).await {
            Ok(answer) => answer,
            Err(error) => {
                let name = crate::server::server_name(self.port);
                let hint = self.no_session(&name);
                let hint = hint.lines().nth(1).unwrap_or_default().to_owned();
                bail!("{error}\n{hint}");
            }
        };
        if answer.status.is_success() {
            return Ok(answer.body.to_vec());
        }
        bail!("{}", String::from_utf8_lossy(&answer.body).trim());
    }
}
