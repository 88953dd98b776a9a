//! Snapshots for `--output-snapshot-on-exit`.

use std::collections::VecDeque;

use super::say;
use super::session::Ended;
use crate::edge::clock;
use crate::logs::{LogStore, Segment, odd_bytes};
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
    let log = end_of(&ended.log);
    let text = format!("{:#}\n", snapshot(&ended.view, &log, &facts));
    let bytes = odd_bytes::restore(ended.log.without_secrets(&text).into_bytes());
    let text = String::from_utf8_lossy(&bytes);
    if let Err(error) = std::fs::write(path, text.as_bytes()) {
        say::err(format!("Error: cannot write the snapshot to {path}: {error}\n"));
    }
}

fn end_of(log: &LogStore) -> Vec<std::sync::Arc<Segment>> {
    let (mut reader, mut bytes, mut end) = (log.reader(), 0, VecDeque::new());
    loop {
        let batch = reader.try_next_batch();
        if batch.is_empty() {
            return end.into();
        }
        for segment in batch {
            bytes += segment.text.len();
            end.push_back(segment);
            while bytes > LOG_BYTES
                && let Some(oldest) = end.pop_front()
            {
                bytes -= oldest.text.len();
            }
        }
    }
}
