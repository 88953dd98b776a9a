//! Snapshots for `--output-snapshot-on-exit`.

use super::say;
use super::session::Ended;
use crate::clock;
use crate::logs::{last_segments, odd_bytes};
use crate::view::{SnapshotFacts, snapshot};

/// How much text of the log's end a snapshot has, in bytes.
///
/// Rule: `reference/engine.md` 9.2.
const LOG_BYTES: usize = 2_000_000;

/// Writes a snapshot of a session that has ended, if there is a path for it. That it cannot be written is told, but does
/// not change how the session ended.
pub(super) fn write(path: Option<&str>, ended: &Ended) {
    let Some(path) = path else { return };
    let facts = SnapshotFacts {
        created: clock::timestamp(),
        tiltfile: ended.tiltfile.clone(),
    };
    let log = last_segments(&ended.log, LOG_BYTES);
    let text = format!("{:#}\n", snapshot(&ended.view, &log, &facts));
    let bytes = odd_bytes::restore(ended.log.without_secrets(&text).into_bytes());
    let text = String::from_utf8_lossy(&bytes);
    if let Err(error) = std::fs::write(path, text.as_bytes()) {
        say::err(format!("Error: cannot write the snapshot to {path}: {error}\n"));
    }
}
