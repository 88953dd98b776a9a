//! Snapshots for `--output-snapshot-on-exit`.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

use super::say;
use super::session::Ended;
use crate::clock;
use crate::logs::{last_segments, odd_bytes};
use crate::view::{SnapshotFacts, snapshot};

/// How much text of the log's end a snapshot has, in bytes.
///
/// Rule: `docs/rules/logs.md`, "Size in the view".
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
    if let Err(error) = write_private(path, text.as_bytes()) {
        say::err(format!("Error: cannot write the snapshot to {path}: {error}\n"));
    }
}

/// Writes a file that only its owner may read: there is the log of a session in it.
fn write_private(path: &str, bytes: &[u8]) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path)?;
    // One that was there before has kept its mode. What is no file, such as a terminal, has none of ours.
    if file.metadata()?.is_file() {
        file.set_permissions(Permissions::from_mode(0o600))?;
    }
    file.write_all(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_its_owner_may_read_a_snapshot() {
        let dir = tempfile::tempdir().unwrap();
        for name in ["new", "old"] {
            let path = dir.path().join(name);
            if name == "old" {
                std::fs::write(&path, "longer than what comes").unwrap();
            }
            write_private(&path.to_string_lossy(), b"{}").unwrap();
            let mode = std::fs::metadata(&path).unwrap().permissions().mode();
            assert_eq!(
                (mode & 0o777, std::fs::read(&path).unwrap()),
                (0o600, b"{}".to_vec())
            );
        }
    }
}
