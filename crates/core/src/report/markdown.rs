//! The report as Markdown: a table, and the failures with their reasons and last lines.

use super::{CiReport, ResourceReport, ResourceResult, RunResult, plain};

/// Returns the report as Markdown.
pub fn markdown(report: &CiReport) -> String {
    let title = match report.result {
        RunResult::Succeeded => "succeeded",
        RunResult::Failed => "failed",
        RunResult::Interrupted => "was interrupted",
    };
    let mut out = format!("## tilt ci {title} after {}\n\n", time(Some(report.seconds)));
    if let Some(message) = &report.message {
        out.push_str(&format!("{}\n\n", fenced(message.lines())));
    }
    if !report.resources.is_empty() {
        out.push_str("| Resource | Result | Time | Reason |\n| --- | --- | ---: | --- |\n");
    }
    for resource in &report.resources {
        out.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            cell(&resource.name),
            word(resource.result),
            time(resource.seconds),
            cell(&resource.reason)
        ));
    }
    for resource in report.resources.iter().filter(|resource| is_told(resource)) {
        out.push_str(&format!("\n### {}\n\n", cell(&resource.name)));
        if let Some(place) = &resource.place {
            out.push_str(&format!("`{}:{}`\n\n", place.file, place.line));
        }
        if !resource.reason.is_empty() {
            out.push_str(&format!("{}\n\n", cell(&resource.reason)));
        }
        if !resource.last_lines.is_empty() {
            let lines = resource.last_lines.iter().map(String::as_str);
            out.push_str(&format!("{}\n", fenced(lines)));
        }
    }
    out
}

fn is_told(resource: &ResourceReport) -> bool {
    matches!(resource.result, ResourceResult::Failed | ResourceResult::Pending)
}

fn word(result: ResourceResult) -> &'static str {
    match result {
        ResourceResult::Ok => "ok",
        ResourceResult::Failed => "**failed**",
        ResourceResult::Pending => "**pending**",
        ResourceResult::Skipped => "skipped",
        ResourceResult::Disabled => "disabled",
    }
}

fn time(seconds: Option<f64>) -> String {
    seconds.map_or_else(|| "-".to_owned(), |seconds| format!("{seconds:.2}s"))
}

/// Returns a text that stands in one cell, as it is.
fn cell(text: &str) -> String {
    let mut out = String::new();
    for c in plain(&text.replace('\n', " ")).chars() {
        if matches!(c, '|' | '\\' | '`' | '*' | '_' | '<' | '[' | ']' | '#') {
            out.push('\\');
        }
        out.push(c);
    }
    out
}

/// Returns lines as they are, between fences that none of them has.
fn fenced<'a>(lines: impl Iterator<Item = &'a str>) -> String {
    let lines: Vec<String> = lines.map(plain).collect();
    let longest = lines
        .iter()
        .map(|line| line.chars().take_while(|c| *c == '`').count())
        .max();
    let fence = "`".repeat(longest.unwrap_or_default().max(2) + 1);
    format!("{fence}text\n{}\n{fence}", lines.join("\n"))
}
