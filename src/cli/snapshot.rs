//! Snapshots for `--output-snapshot-on-exit`.

use std::fs::{OpenOptions, Permissions};
use std::io::{self, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};

use super::say;
use crate::clock;
use crate::logs::{LogStore, last_segments, odd_bytes};
use crate::model::LocalPath;
use crate::view::{SnapshotFacts, View, snapshot};

/// How much text of the log's end a snapshot has, in bytes.
///
/// Rule: `docs/rules/logs.md`, "Size in the view".
const LOG_BYTES: usize = 2_000_000;

/// Writes a snapshot of a session that ends, as `view` shows it. That it cannot be written is told, but does not change how
/// the session ends.
pub(super) fn write(path: &str, view: &View, log: &LogStore, tiltfile: &LocalPath) {
    if let Err(error) = keep(path, view, log, tiltfile) {
        say::err(format!("Error: cannot write the snapshot to {path}: {error}\n"));
    }
}

/// As `write`, for one that another will follow.
pub(super) fn keep(path: &str, view: &View, log: &LogStore, tiltfile: &LocalPath) -> io::Result<()> {
    let facts = SnapshotFacts {
        created: clock::timestamp(),
        tiltfile: tiltfile.clone(),
    };
    let lines = last_segments(log, LOG_BYTES);
    let text = format!("{:#}\n", snapshot(view, &lines, &facts));
    let bytes = odd_bytes::restore(log.without_secrets(&text).into_bytes());
    let text = String::from_utf8_lossy(&bytes);
    write_private(path, text.as_bytes())
}

/// Writes a file that only its owner may read, since there is the log of a session in it, and that is whole at any time.
fn write_private(path: &str, bytes: &[u8]) -> io::Result<()> {
    let is_file = std::fs::symlink_metadata(path).is_ok_and(|there| there.is_file());
    let part = format!("{path}.part");
    if (is_file || !std::fs::exists(path)?) && write_in_place(&part, bytes).is_ok() {
        return std::fs::rename(part, path);
    }
    // What is no file, such as a terminal, cannot be replaced, nor can anything in a folder that is not ours.
    write_in_place(path, bytes)
}

fn write_in_place(path: &str, bytes: &[u8]) -> io::Result<()> {
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
        assert_eq!(
            std::fs::read_dir(dir.path()).unwrap().count(),
            2,
            "nothing else is left"
        );
        write_private("/dev/null", b"{}").unwrap();
    }
}
