//! A line of what an engine prints, and sizes in it.

/// A line to print.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) text: String,
    /// Set where the line replaces an earlier one with this id.
    pub(super) progress_id: Option<String>,
    /// Whether it must be printed however recently the last one was.
    pub(super) must_print: bool,
}

/// Returns a size in steps of 1000 with four digits: `76B`, `1.235kB`, `5MB`.
///
/// Rule: `HumanSize` of Docker's go-units.
pub(super) fn human_size(bytes: i64) -> String {
    const UNITS: [&str; 6] = ["B", "kB", "MB", "GB", "TB", "PB"];
    let mut size = bytes as f64;
    let mut unit = 0;
    while size >= 1000.0 && unit < UNITS.len() - 1 {
        size /= 1000.0;
        unit += 1;
    }
    let before_point = if size >= 100.0 {
        3
    } else if size >= 10.0 {
        2
    } else {
        1
    };
    let number = format!("{size:.*}", 4 - before_point);
    let number = if number.contains('.') {
        number.trim_end_matches('0').trim_end_matches('.')
    } else {
        &number
    };
    format!("{number}{}", UNITS[unit])
}
