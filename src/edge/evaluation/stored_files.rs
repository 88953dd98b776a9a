//! Texts of a Tiltfile that programs must find as files, also those that run long after it was evaluated.
//!
//! They lie in a directory of this user below the one for temporary files, as Tilt's do, but named by their content alone: the
//! same text is the same file for every session, so containers that were made from it know it by the same path.

use std::fs::{DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

use crate::model::LocalPath;

/// Writes a text, unless it is there; only its owner can read it.
pub(super) fn store(name: &str, content: &[u8]) -> io::Result<LocalPath> {
    let user = nix::unistd::geteuid().as_raw();
    store_in(
        &std::env::temp_dir().join(format!("tilt-files-{user}")),
        name,
        content,
    )
}

fn store_in(directory: &Path, name: &str, content: &[u8]) -> io::Result<LocalPath> {
    own_directory(directory)?;
    let path = directory.join(name);
    if std::fs::read(&path).is_ok_and(|there| there == content) {
        return Ok(LocalPath::new(path));
    }
    // Another session may read it at the same time: it appears as a whole.
    let written = directory.join(format!(".{name}.{}", std::process::id()));
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    options.open(&written)?.write_all(content)?;
    std::fs::rename(&written, &path)?;
    Ok(LocalPath::new(path))
}

/// Others can write beside it, so what they may have put in its place is not used.
fn own_directory(directory: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(directory) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let meta = std::fs::symlink_metadata(directory)?;
    let is_ours = meta.is_dir() && meta.uid() == nix::unistd::geteuid().as_raw() && meta.mode() & 0o077 == 0;
    if is_ours {
        return Ok(());
    }
    Err(io::Error::new(
        io::ErrorKind::PermissionDenied,
        format!("{} is not this user's alone: remove it", directory.display()),
    ))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_text_is_written_once_and_for_its_owner_alone() {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("files");
        let path = store_in(&below, "x.yml", b"services: {}").unwrap();
        let meta = std::fs::metadata(&path).unwrap();
        assert_eq!(meta.mode() & 0o777, 0o600);
        assert_eq!(std::fs::read(&path).unwrap(), b"services: {}");
        assert_eq!(store_in(&below, "x.yml", b"services: {}").unwrap(), path);
        assert_eq!(
            std::fs::metadata(&path).unwrap().ino(),
            meta.ino(),
            "it was not written again"
        );
        assert_eq!(std::fs::read_dir(&below).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_was_spoilt_is_written_again() {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("files");
        let path = store_in(&below, "x.yml", b"services: {}").unwrap();
        std::fs::write(&path, "").unwrap();
        store_in(&below, "x.yml", b"services: {}").unwrap();
        assert_eq!(std::fs::read(path).unwrap(), b"services: {}");
    }

    #[test]
    fn a_directory_that_others_can_use_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let below = dir.path().join("files");
        std::fs::create_dir(&below).unwrap();
        std::fs::set_permissions(&below, std::fs::Permissions::from_mode(0o755)).unwrap();
        assert!(store_in(&below, "x.yml", b"").is_err());
        let link = dir.path().join("link");
        std::os::unix::fs::symlink(dir.path(), &link).unwrap();
        assert!(store_in(&link, "x.yml", b"").is_err());
    }
}
