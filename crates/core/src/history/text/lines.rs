//! Lines that fit 80 columns: a label with a text that is wrapped at words, and what was done with its time as a bar.

use std::time::Duration;

use crate::model::format_go_duration;

/// How wide lines may be.
pub(super) const WIDTH: usize = 80;
/// Where what is told begins, after its label.
const INDENT: usize = 10;
/// How wide what was done may be, before its time.
const DONE: usize = 42;
/// How wide the longest bar is.
const BAR: usize = 16;

/// Returns what was done, how long that took, and a bar for its share of the whole.
pub(super) fn bar_line(label: &str, done: &str, took: Duration, whole: Duration) -> String {
    let share = took.as_secs_f64() / whole.as_secs_f64().max(1e-9);
    let length = (share * BAR as f64).round().clamp(0.0, BAR as f64) as usize;
    let line = format!(
        "  {label:<width$}{:<DONE$} {:>8}  {}",
        fit(done, DONE),
        duration(took),
        "█".repeat(length),
        width = INDENT - 2
    );
    format!("{}\n", line.trim_end())
}

/// Adds a text after its label, wrapped at words.
pub(in super::super) fn tell(out: &mut String, label: &str, text: &str) {
    let room = WIDTH - INDENT;
    let mut label = format!("  {label:<width$}", width = INDENT - 2);
    for line in text.lines().flat_map(|line| wrapped(line, room)) {
        out.push_str(&format!("{label}{line}\n"));
        label = " ".repeat(INDENT);
    }
}

/// Returns a line that fits as it is, since a caret points into the line above it; another one is broken at words.
fn wrapped(text: &str, room: usize) -> Vec<String> {
    if text.chars().count() <= room {
        return vec![text.trim_end().to_owned()];
    }
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if let Some(line) = lines.last_mut() {
            let used = line.chars().count();
            if used > 0 && used + 1 + length <= room {
                line.push(' ');
                line.push_str(word);
                continue;
            }
            if used == 0 && length <= room {
                line.push_str(word);
                continue;
            }
        }
        // A long path has no place to break it.
        let mut rest: Vec<char> = word.chars().collect();
        while !rest.is_empty() {
            let piece: String = rest.drain(..rest.len().min(room)).collect();
            match lines.last_mut().filter(|line| line.is_empty()) {
                Some(line) => *line = piece,
                None => lines.push(piece),
            }
        }
    }
    lines
}

/// Returns the beginning of a text that fits.
fn fit(text: &str, room: usize) -> String {
    if text.chars().count() <= room {
        return text.to_owned();
    }
    let beginning: String = text.chars().take(room - 1).collect();
    format!("{beginning}…")
}

/// Returns a time as shown: `0.21s`, `1m3s`.
pub(super) fn duration(took: Duration) -> String {
    if took < Duration::from_secs(60) {
        return format!("{:.2}s", took.as_secs_f64());
    }
    format_go_duration(Duration::from_secs(took.as_secs()))
}

/// Returns a number of bytes as shown.
pub(super) fn size(bytes: u64) -> String {
    const UNITS: [&str; 4] = ["B", "kB", "MB", "GB"];
    let (mut size, mut unit) = (bytes as f64, 0);
    while size >= 1000.0 && unit < UNITS.len() - 1 {
        size /= 1000.0;
        unit += 1;
    }
    match unit {
        0 => format!("{bytes}B"),
        unit => format!("{size:.1}{}", UNITS[unit]),
    }
}
