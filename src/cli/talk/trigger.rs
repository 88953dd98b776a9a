//! `tilt trigger`.

use anyhow::bail;
use http::{Method, StatusCode};
use serde_json::json;

use super::super::{exit, say};
use super::{Connect, block_on};

/// `tilt trigger`'s bit in the reasons of an update.
const BY_COMMAND: u32 = 32;

/// Start an update of resources, whatever changed or did not
///
/// `(Tiltfile)` is the Tiltfile itself.
#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    #[command(flatten)]
    connect: Connect,
    /// Resources to update
    #[arg(value_name = "RESOURCE", required = true)]
    resources: Vec<String>,
}

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    block_on(async {
        for name in &args.resources {
            let body = json!({"manifest_names": [name], "build_reason": BY_COMMAND}).to_string();
            let web = args.connect.web();
            let answer = web
                .request(Method::POST, "/api/trigger", body.into_bytes())
                .await?;
            let text = String::from_utf8_lossy(&answer.body).trim().to_owned();
            if answer.status != StatusCode::OK {
                bail!("({}): {text}", answer.status.as_u16());
            }
            if !text.is_empty() {
                bail!("{text}");
            }
            say::out(&format!("Successfully triggered update for resource: {name:?}\n"));
        }
        Ok(exit::SUCCESS)
    })
}
