//! Finds what left its process group: what is started for the user carries a variable in its environment, which all that
//! it starts inherits.
//!
//! Who takes the variable out of the environment, or becomes another user, is not found. Only Linux shows environments.

use std::fs;
use std::sync::LazyLock;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::clock;

/// The variable.
pub const VARIABLE: &str = "TILT_STARTED_BY";

/// How long what is asked to end gets for it.
const GRACE: Duration = Duration::from_millis(200);
const LOOK: Duration = Duration::from_millis(10);
/// How often it is looked for what was started while others were killed.
const ROUNDS: usize = 5;

static OWN: LazyLock<String> = LazyLock::new(|| format!("{}-{}", std::process::id(), clock::timestamp().0));

/// Returns the mark of all that this process starts.
pub fn own_mark() -> String {
    OWN.clone()
}

/// Returns the mark of one of the things that this process starts.
pub fn mark_of(number: u64) -> String {
    format!("{}.{number}", *OWN)
}

/// Returns the processes that carry a mark, or one that begins with it and a dot.
fn marked(mark: &str) -> Vec<Pid> {
    let own = std::process::id().to_string();
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let numbers = processes.filter_map(|entry| entry.file_name().into_string().ok());
    numbers
        .filter(|number| *number != own && number.starts_with(|first: char| first.is_ascii_digit()))
        .filter(|number| fs::read(format!("/proc/{number}/environ")).is_ok_and(|vars| carries(&vars, mark)))
        .filter_map(|number| number.parse().ok().map(Pid::from_raw))
        .collect()
}

/// Returns whether an environment, as the system shows it, has a mark.
fn carries(environment: &[u8], mark: &str) -> bool {
    let start = format!("{VARIABLE}={mark}");
    let mut variables = environment.split(|byte| *byte == 0);
    variables.any(|variable| {
        let rest = variable.strip_prefix(start.as_bytes());
        rest.is_some_and(|rest| rest.is_empty() || rest[0] == b'.')
    })
}

/// Ends all processes that carry a mark: asks them, and kills them a moment later.
pub async fn end_marked(mark: &str) {
    for process in marked(mark) {
        // One that is gone already is what we want.
        let _ = kill(process, Signal::SIGTERM);
    }
    let end = clock::now() + GRACE;
    while clock::now() < end {
        if marked(mark).is_empty() {
            return;
        }
        tokio::time::sleep(LOOK).await;
    }
    kill_marked(mark);
}

/// Kills all processes that carry a mark.
pub(super) fn kill_marked(mark: &str) {
    for _ in 0..ROUNDS {
        let left = marked(mark);
        if left.is_empty() {
            return;
        }
        for process in left {
            let _ = kill(process, Signal::SIGKILL);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_found_as_a_whole_and_before_a_dot() {
        let has = |mark: &str| carries(b"PATH=/bin\0TILT_STARTED_BY=12-34.5\0X=TILT_STARTED_BY=7", mark);
        assert!(has("12-34.5") && has("12-34"));
        assert!(!has("12-3") && !has("2-34") && !has("7") && !has("12-34.5.6"));
    }
}
