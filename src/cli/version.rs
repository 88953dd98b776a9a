//! `tilt version`.

use super::{exit, say};
use crate::model::COMPATIBLE_VERSION;

/// Prints the version line.
///
/// # Errors
/// When it cannot be printed.
pub(super) fn run() -> anyhow::Result<u8> {
    say::data(format!("{}\n", line()))?;
    Ok(exit::SUCCESS)
}

/// Returns the version line: the version of Tilt that this is compatible with, the build date, then our own version.
pub(super) fn line() -> String {
    format!(
        "v{COMPATIBLE_VERSION}, built {} (tilt-rs {})",
        build_date(),
        env!("CARGO_PKG_VERSION")
    )
}

/// Returns the day on which this binary was written, as `YYYY-MM-DD` in UTC.
fn build_date() -> String {
    let modified = std::env::current_exe()
        .and_then(std::fs::metadata)
        .and_then(|data| data.modified());
    let Ok(modified) = modified else {
        return "unknown".to_owned();
    };
    match k8s_openapi::jiff::Timestamp::try_from(modified) {
        Ok(time) => time.strftime("%Y-%m-%d").to_string(),
        Err(_) => "unknown".to_owned(),
    }
}
