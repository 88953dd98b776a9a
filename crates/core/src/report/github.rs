//! The failures of a report as GitHub's workflow commands: annotations at the file and line that they are about.

use super::{CiReport, ResourceResult, plain};

/// Returns a workflow command for each failure; `base` is the directory that paths are relative to there.
pub fn annotations(report: &CiReport, base: &str) -> String {
    let mut out = String::new();
    for resource in &report.resources {
        if !matches!(resource.result, ResourceResult::Failed | ResourceResult::Pending) {
            continue;
        }
        let place = resource.place.as_ref().map_or_else(String::new, |place| {
            let below = place.file.strip_prefix(base).filter(|_| !base.is_empty());
            let file = below.map_or(place.file.as_str(), |file| file.trim_start_matches('/'));
            format!("file={},line={},", property(file), place.line)
        });
        let reason = if resource.reason.is_empty() {
            "it is not ready"
        } else {
            &resource.reason
        };
        let mut message = reason.to_owned();
        for line in &resource.last_lines {
            message.push('\n');
            message.push_str(&plain(line));
        }
        out.push_str(&format!(
            "::error {place}title={}::{}\n",
            property(&format!("tilt ci: {}", resource.name)),
            data(&message)
        ));
    }
    if let Some(message) = report.blameless_failure() {
        out.push_str(&format!("::error title=tilt ci::{}\n", data(message)));
    }
    out
}

/// Returns a text as the message of a workflow command has it.
fn data(text: &str) -> String {
    text.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

/// Returns a text as a property of a workflow command has it.
fn property(text: &str) -> String {
    data(text).replace(':', "%3A").replace(',', "%2C")
}
