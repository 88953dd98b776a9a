//! `tilt ci --report` and `--logs-dir`: what a run came to, written down for others.
//!
//! That something cannot be written is told, but does not change how the run ended.

use std::collections::{BTreeMap, HashMap};
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::Path;

use anyhow::bail;

use super::say;
use super::session::Ended;
use crate::clock;
use crate::logs::{LogStore, last_lines, odd_bytes};
use crate::model::{ManifestName, Timestamp};
use crate::report::{CiReport, RunFacts, annotations, ci_report, junit, markdown};
use crate::view::ReportRow;

/// How many lines of what is not well are shown.
const LINES: usize = 20;
/// The word that stands for GitHub's own ways.
const GITHUB: &str = "github";

/// Where a report goes, and in which form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// GitHub's summary of the job, and annotations.
    GitHub,
    /// A file.
    File(String, Form),
}

/// The form of a report.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    JUnit,
    Json,
    Markdown,
}

/// Reads what was typed.
///
/// # Errors
/// A suffix that stands for no form.
pub(super) fn target(text: &str) -> Result<Target, String> {
    if text == GITHUB {
        return Ok(Target::GitHub);
    }
    let form = match Path::new(text).extension().and_then(|suffix| suffix.to_str()) {
        Some("xml") => Form::JUnit,
        Some("json") => Form::Json,
        Some("md") => Form::Markdown,
        _ => {
            return Err(
                "the suffix says the form: .xml (JUnit), .json or .md; or write github for its job summary and annotations"
                    .to_owned(),
            );
        }
    };
    Ok(Target::File(text.to_owned(), form))
}

/// Returns what a run came to, with secrets hidden.
pub(super) fn of_run(ended: &Ended, rows: &[ReportRow], started: Timestamp) -> CiReport {
    let spans = rows.iter().flat_map(|row| &row.spans);
    let tails = last_lines(&ended.log, spans, LINES);
    let mut lines: BTreeMap<ManifestName, Vec<String>> = BTreeMap::new();
    for row in rows {
        let tails = row.spans.iter().filter_map(|span| tails.get(span)).flatten();
        lines.insert(row.resource.clone(), tails.cloned().collect());
    }
    let report = ci_report(
        &ended.view,
        RunFacts {
            outcome: &ended.outcome,
            started,
            ended: clock::timestamp(),
            tiltfile: ended.tiltfile.to_string(),
            rows,
            last_lines: lines,
        },
    );
    without_secrets(&report, &ended.log).unwrap_or(report)
}

fn without_secrets(report: &CiReport, log: &LogStore) -> Option<CiReport> {
    let mut value = serde_json::to_value(report).ok()?;
    log.secret_hider().hide_in(&mut value);
    serde_json::from_value(value).ok()
}

/// Writes a report to each of these.
pub(super) fn write(targets: &[Target], report: &CiReport) {
    for target in targets {
        let written = match target {
            Target::GitHub => to_github(report),
            Target::File(path, form) => to_file(path, *form, report),
        };
        if let Err(error) = written {
            let to = match target {
                Target::GitHub => "GitHub's summary",
                Target::File(path, _) => path.as_str(),
            };
            say::err(format!("Error: cannot write the report to {to}: {error:#}\n"));
        }
    }
}

fn to_file(path: &str, form: Form, report: &CiReport) -> anyhow::Result<()> {
    let text = match form {
        Form::JUnit => junit(report),
        Form::Json => format!("{}\n", serde_json::to_string_pretty(report)?),
        Form::Markdown => markdown(report),
    };
    let dir = Path::new(path).parent().filter(|dir| !dir.as_os_str().is_empty());
    if let Some(dir) = dir.filter(|dir| !dir.is_dir()) {
        bail!(
            "there is no directory {}\nhint: make it first: mkdir -p {}",
            dir.display(),
            dir.display()
        );
    }
    // Whole or not at all: who reads half a report believes it.
    let part = format!("{path}.part");
    let written = restored(&text).and_then(|bytes| {
        fs::write(&part, bytes)?;
        fs::rename(&part, path)
    });
    if written.is_err() {
        let _ = fs::remove_file(&part);
    }
    Ok(written?)
}

/// Returns a text with the bytes of programs that are no UTF-8 replaced by what such files can hold.
fn restored(text: &str) -> io::Result<Vec<u8>> {
    let bytes = odd_bytes::restore(text.as_bytes().to_vec());
    Ok(String::from_utf8_lossy(&bytes).into_owned().into_bytes())
}

fn to_github(report: &CiReport) -> anyhow::Result<()> {
    let workspace = std::env::var("GITHUB_WORKSPACE").unwrap_or_default();
    say::out(&annotations(report, &workspace));
    let Ok(summary) = std::env::var("GITHUB_STEP_SUMMARY") else {
        bail!(
            "GITHUB_STEP_SUMMARY is not set\nhint: outside of GitHub's workflows, write a file: --report FILE.md"
        );
    };
    let mut file = OpenOptions::new().create(true).append(true).open(summary)?;
    file.write_all(&restored(&markdown(report))?)?;
    Ok(())
}

/// Writes the log of each resource to a file of its own in a directory, which is made if it is not there.
pub(super) fn write_logs(dir: &str, log: &LogStore) {
    if let Err(error) = try_write_logs(Path::new(dir), log) {
        say::err(format!("Error: cannot write logs to {dir}: {error:#}\n"));
    }
}

fn try_write_logs(dir: &Path, log: &LogStore) -> io::Result<()> {
    fs::create_dir_all(dir)?;
    let mut files: HashMap<Option<ManifestName>, BufWriter<File>> = HashMap::new();
    let mut reader = log.reader();
    loop {
        let batch = reader.try_next_batch();
        if batch.is_empty() {
            break;
        }
        for segment in batch {
            let file = match files.entry(segment.manifest.clone()) {
                std::collections::hash_map::Entry::Occupied(file) => file.into_mut(),
                std::collections::hash_map::Entry::Vacant(place) => {
                    let file = File::create(dir.join(file_name(place.key().as_ref())))?;
                    place.insert(BufWriter::new(file))
                }
            };
            file.write_all(&odd_bytes::restore(segment.text.clone().into_bytes()))?;
        }
    }
    files.into_values().try_for_each(|mut file| file.flush())
}

/// Returns the name of the file for a resource: what a file system may not take becomes `_`.
fn file_name(resource: Option<&ManifestName>) -> String {
    let name = resource.map_or("tilt", ManifestName::as_str);
    let is_plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | '(' | ')');
    let plain: String = name.chars().map(|c| if is_plain(c) { c } else { '_' }).collect();
    format!("{}.log", plain.trim_start_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_suffix_says_the_form() {
        let file = |path: &str, form| Ok(Target::File(path.to_owned(), form));
        assert_eq!(target("a/b.xml"), file("a/b.xml", Form::JUnit));
        assert_eq!(target("b.json"), file("b.json", Form::Json));
        assert_eq!(target("./x.md"), file("./x.md", Form::Markdown));
        assert_eq!(target("github"), Ok(Target::GitHub));
        assert!(target("report.txt").is_err_and(|why| why.contains(".xml (JUnit)")));
    }

    #[test]
    fn a_resource_has_a_file_name_that_stays_in_the_directory() {
        let name = |name: &str| file_name(Some(&name.into()));
        assert_eq!(name("web:api/v1"), "web_api_v1.log");
        assert_eq!(name("../../etc"), "_.._etc.log");
        assert_eq!(file_name(None), "tilt.log");
    }
}
