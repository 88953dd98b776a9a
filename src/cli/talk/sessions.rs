//! `tilt get sessions --all`: the sessions of this user that run.

use http::Method;
use serde_json::Value;

use super::printing::aligned;
use crate::server::client::ApiClient;
use crate::server::{Entry, entries, forget_dead_sessions};

/// A session that runs.
pub(super) struct Found {
    entry: Entry,
    /// Its object of the kind Session.
    pub(super) session: Value,
}

/// Returns all sessions that answer. Who is registered but dead is forgotten.
///
/// # Errors
/// The registry cannot be read.
pub(super) async fn all() -> anyhow::Result<Vec<Found>> {
    // A registry that cannot be written can still be read.
    let _ = forget_dead_sessions();
    let asked = entries()?.into_iter().map(async |entry| {
        let path = "/apis/tilt.dev/v1alpha1/sessions/Tiltfile";
        let client = ApiClient::of_entry(&entry).ok()?;
        let session = client
            .request(Method::GET, path, "application/json", None)
            .await
            .ok()?;
        Some(Found { entry, session })
    });
    let mut found: Vec<Found> = futures::future::join_all(asked)
        .await
        .into_iter()
        .flatten()
        .collect();
    found.sort_by_key(|found| found.entry.web_port);
    Ok(found)
}

pub(super) fn table(sessions: &[Found], headers: bool) -> String {
    let mut rows = Vec::new();
    if headers {
        rows.push(
            ["NAME", "PORT", "PID", "STARTED AT", "TILTFILE"]
                .map(str::to_owned)
                .to_vec(),
        );
    }
    rows.extend(sessions.iter().map(|found| {
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let port = found.entry.web_port.map(|port| port.to_string());
        vec![
            found.entry.name.clone(),
            port.unwrap_or_else(|| "<none>".to_owned()),
            found.session["status"]["pid"].to_string(),
            text(&found.session["status"]["startTime"]),
            text(&found.session["spec"]["tiltfilePath"]),
        ]
    }));
    aligned(&rows)
}
