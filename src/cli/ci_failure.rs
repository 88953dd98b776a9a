//! What `tilt ci` says after its error: Kubernetes' own words, and the last lines of what failed.

use std::io::Write;

use super::session::Ended;
use crate::engine::CiFailure;
use crate::logs::{last_lines, odd_bytes, visible};
use crate::view::ReportRow;

/// How many resources are told of.
const RESOURCES: usize = 5;
/// How many lines of each are shown.
const LINES: usize = 10;

/// Returns the message, and what explains it, as bytes: a program may have printed anything.
pub(super) fn explain(failure: &CiFailure, rows: &[ReportRow], ended: &Ended) -> Vec<u8> {
    let mut out = Vec::new();
    // Writing to memory does not fail.
    let _ = writeln!(
        out,
        "Error: {}",
        shown(&ended.log.without_secrets(&failure.message))
    );
    let is_named = |row: &&ReportRow| failure.resources.contains(&row.resource);
    let named: Vec<&ReportRow> = rows.iter().filter(is_named).take(RESOURCES).collect();
    let tails = last_lines(&ended.log, named.iter().flat_map(|row| &row.spans), LINES);
    for row in named {
        if row.explains && !failure.message.contains(&row.reason) {
            let _ = writeln!(out, "  {}: {}", row.resource, shown(&row.reason));
        }
        let tails = row.spans.iter().filter_map(|span| tails.get(span));
        let lines = said(tails.flatten().collect());
        if !lines.is_empty() {
            let _ = writeln!(out, "  last lines of {}:", row.resource);
        }
        for line in lines {
            let _ = writeln!(out, "    {}", visible(line));
        }
    }
    odd_bytes::restore(out)
}

/// Returns what of a text a terminal may get.
fn shown(text: &str) -> String {
    text.split('\n').map(visible).collect::<Vec<_>>().join("\n")
}

/// Returns what commands said: where BuildKit tells which step failed, the output of steps and not their names.
fn said(lines: Vec<&String>) -> Vec<&String> {
    let begins = |line: &String, with: &str| line.trim_start().starts_with(with);
    if lines.iter().any(|line| begins(line, "ERROR IN: ")) {
        return lines.into_iter().filter(|line| begins(line, "→ ")).collect();
    }
    lines
}
