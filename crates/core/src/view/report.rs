//! What a run of `tilt ci` came to: one row per resource, as a table for people.

use std::fmt::Write;
use std::time::Duration;

use super::{ResourceView, RuntimeStatus, ServiceView, UpdateStatus, View};
use crate::model::{ManifestName, SpanId, Timestamp, format_go_duration};

/// What became of one resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReportRow {
    /// Its name.
    pub resource: ManifestName,
    /// `ok`, `failed`, `pending`, `skipped` or `disabled`.
    pub result: &'static str,
    /// From the start of its first update until it was ready, or to the end of the run.
    pub took: Option<Duration>,
    /// Why it is not ok: one line.
    pub reason: String,
    /// Whether the reason explains why `ci` failed: it is Kubernetes' own, or what keeps pods from coming.
    pub explains: bool,
    /// Whose lines may explain why it is not ok.
    pub spans: Vec<SpanId>,
}

/// Returns what became of each resource until now, in definition order.
pub fn report(view: &View, now: Timestamp) -> Vec<ReportRow> {
    view.resources.iter().map(|resource| row(resource, now)).collect()
}

fn row(resource: &ResourceView, now: Timestamp) -> ReportRow {
    let result = result(resource);
    let is_open = matches!(result, "failed" | "pending");
    let trouble = trouble(resource).filter(|_| is_open);
    let explains = trouble.is_some();
    let reason = trouble.or_else(|| match result {
        "failed" => resource.error(),
        "pending" => waiting(resource),
        _ => None,
    });
    let reason = reason.unwrap_or_default();
    ReportRow {
        resource: resource.name.clone(),
        result,
        took: resource
            .first_started
            .map(|started| resource.first_ready.unwrap_or(now).since(started)),
        reason: reason.lines().next().unwrap_or_default().to_owned(),
        explains,
        spans: if is_open { spans(resource) } else { Vec::new() },
    }
}

/// Returns where the lines of what runs are: its last build or command, or else its server or its newest pod.
fn spans(resource: &ResourceView) -> Vec<SpanId> {
    let name = &resource.name;
    if resource.update_status == UpdateStatus::Error {
        let last = resource.history.first();
        if let Some(build) = last.filter(|build| build.explained_by_log) {
            return vec![build.span.clone()];
        }
        return vec![SpanId::new(format!("cmd:{name}:update"))];
    }
    let server = resource.server.iter().map(|server| server.span.clone());
    let pod = resource.telling_pod().into_iter();
    let pod = pod.map(|pod| SpanId::new(format!("pod:{name}:{}", pod.name)));
    let service = resource.service.iter().map(|service| service.span.clone());
    server.chain(pod).chain(service).collect()
}

fn result(resource: &ResourceView) -> &'static str {
    match (resource.update_status, resource.runtime_status) {
        _ if !resource.enabled => "disabled",
        (UpdateStatus::Error, _) | (_, RuntimeStatus::Error) => "failed",
        (UpdateStatus::None, _) => "skipped",
        (
            UpdateStatus::Ok | UpdateStatus::NotApplicable,
            RuntimeStatus::Ok | RuntimeStatus::NotApplicable,
        ) => "ok",
        _ => "pending",
    }
}

/// Returns what Kubernetes says is wrong with a pod or a workload, or why there is no pod, or what is wrong with a server.
fn trouble(resource: &ResourceView) -> Option<String> {
    if resource.update_status == UpdateStatus::Error {
        return None;
    }
    if let Some(server) = &resource.server {
        let fault = server.fault.clone()?;
        return Some(match server.pid {
            Some(_) => format!("its server is not ready: {fault}"),
            None => fault,
        });
    }
    let unwell = || resource.unwell.clone();
    match resource.telling_pod() {
        // A pod that is gone, or well, does not explain what its workload says.
        Some(pod) if resource.culprit.is_some() => pod.trouble.clone().or_else(unwell),
        Some(pod) => unwell().or_else(|| pod.trouble.clone()),
        None if resource.building.is_some() => None,
        None => resource.no_pod.clone().or_else(unwell),
    }
}

fn waiting(resource: &ResourceView) -> Option<String> {
    if let Some(hold) = &resource.hold {
        return Some(match hold.on.is_empty() {
            true => hold.reason.to_owned(),
            false => format!("{}: {}", hold.reason, hold.on.join(", ")),
        });
    }
    if resource.building.is_some() {
        return Some("still updating".to_owned());
    }
    Some(match (resource.telling_pod(), &resource.server) {
        (Some(pod), _) => format!("pod {}: {}", pod.name, pod.status),
        (None, Some(_)) => "its server is not ready".to_owned(),
        (None, None) if resource.history.is_empty() => "not started".to_owned(),
        (None, None) => match &resource.service {
            Some(service) => waiting_service(service),
            None => "no pod yet".to_owned(),
        },
    })
}

fn waiting_service(service: &ServiceView) -> String {
    match &service.container {
        Some(container) if service.health.is_empty() => {
            format!("container {}: {}", container.name, container.state.as_str())
        }
        Some(container) => format!(
            "container {}: {}, {}",
            container.name,
            container.state.as_str(),
            service.health
        ),
        None => "no container yet".to_owned(),
    }
}

/// Returns the rows as a table with a line for each, columns aligned.
pub fn table(rows: &[ReportRow]) -> String {
    const HEADINGS: [&str; 4] = ["RESOURCE", "RESULT", "TIME", "REASON"];
    let cells = |row: &ReportRow| {
        let took = row
            .took
            .map_or("-".to_owned(), |took| format_go_duration(round(took)));
        [
            row.resource.to_string(),
            row.result.to_owned(),
            took,
            row.reason.clone(),
        ]
    };
    let lines: Vec<[String; 4]> = [HEADINGS.map(str::to_owned)]
        .into_iter()
        .chain(rows.iter().map(cells))
        .collect();
    let width = |column: usize| {
        let widths = lines.iter().map(|line| line[column].chars().count());
        widths.max().unwrap_or_default()
    };
    let widths = [width(0), width(1), width(2)];
    let mut text = String::new();
    for line in &lines {
        let mut shown = String::new();
        for (cell, width) in line.iter().zip(widths) {
            // Writing to a string does not fail.
            let _ = write!(shown, "{cell:width$}  ");
        }
        shown.push_str(&line[3]);
        text.push_str(shown.trim_end());
        text.push('\n');
    }
    text
}

fn round(took: Duration) -> Duration {
    const STEP_MILLIS: u64 = 10;
    let millis = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
    Duration::from_millis(millis / STEP_MILLIS * STEP_MILLIS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_a_reason_is_one_line() {
        let row = |resource: &str, result, took: Option<u64>, reason: &str| ReportRow {
            resource: resource.into(),
            result,
            took: took.map(Duration::from_millis),
            reason: reason.to_owned(),
            explains: false,
            spans: Vec::new(),
        };
        let rows = [
            row("web", "ok", Some(2_119), ""),
            row(
                "a-long-name",
                "failed",
                Some(61_000),
                "CrashLoopBackOff: exit code 1",
            ),
            row("off", "disabled", None, ""),
        ];
        insta::assert_snapshot!(table(&rows), @r"
        RESOURCE     RESULT    TIME   REASON
        web          ok        2.11s
        a-long-name  failed    1m1s   CrashLoopBackOff: exit code 1
        off          disabled  -
        ");
    }
}
