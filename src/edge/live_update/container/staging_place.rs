//! Where files are staged in a container: on the same file system as the directory that they go to, as renaming needs it,
//! and outside of what programs watch, where that can be written.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

/// The name of a place.
pub(super) const NAME: &str = ".tilt-live-update";

/// Where files can be staged that can then not be renamed: their directory cannot be written.
const ELSEWHERE: [&str; 3] = ["/tmp", "/var/tmp", "/dev/shm"];

/// The mount points of a container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Mounts(Vec<PathBuf>);

impl Mounts {
    /// Reads `/proc/self/mounts`.
    pub(super) fn read(text: &[u8]) -> Self {
        let lines = text.split(|byte| *byte == b'\n');
        let points = lines.filter_map(|line| line.split(|byte| *byte == b' ').nth(1));
        Self(points.map(unescape).collect())
    }

    /// Returns the mount point that a real path is below.
    pub(super) fn of(&self, real: &Path) -> PathBuf {
        let above = self.0.iter().filter(|point| real.starts_with(point));
        let nearest = above.max_by_key(|point| point.as_os_str().len());
        nearest.map_or_else(|| PathBuf::from("/"), Clone::clone)
    }

    /// Returns where files for a directory could be staged, the best first.
    pub(super) fn candidates(&self, first: &[PathBuf], directory: &Path) -> Vec<PathBuf> {
        let mount = self.of(directory);
        let first = first.iter().filter(|place| self.of(place) == mount).cloned();
        let own = (mount != Path::new("/")).then(|| mount.clone());
        let mut candidates = Vec::new();
        for place in first.chain(own).chain([directory.to_owned()]) {
            let place = place.join(NAME);
            if !candidates.contains(&place) {
                candidates.push(place);
            }
        }
        candidates
    }
}

/// Returns where files can be staged that are written in place then.
pub(super) fn elsewhere() -> Vec<PathBuf> {
    ELSEWHERE.iter().map(|dir| Path::new(dir).join(NAME)).collect()
}

/// Undoes how the kernel writes blanks: a backslash and three octal digits.
fn unescape(text: &[u8]) -> PathBuf {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some((byte, after)) = rest.split_first() {
        let digits = after.get(..3).filter(|_| *byte == b'\\');
        let number = digits
            .and_then(|digits| std::str::from_utf8(digits).ok())
            .and_then(|digits| u8::from_str_radix(digits, 8).ok());
        bytes.push(number.unwrap_or(*byte));
        rest = if number.is_some() { &after[3..] } else { after };
    }
    PathBuf::from(OsString::from_vec(bytes))
}

/// A place that was made in a container, for the files of one mount.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The mount whose files it stages.
    pub(super) mount: PathBuf,
    /// Whether it is on that mount; else files cannot be renamed, and no journal is kept there: it may outlive them.
    pub(super) is_on_mount: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] =
        b"overlay / overlay rw 0 0\nproc /proc proc rw 0 0\n/dev/a /app/my\\040data ext4 rw 0 0\n\
        tmpfs /tmp tmpfs rw 0 0\n/dev/a /etc/hosts ext4 rw 0 0\n";

    fn candidates(directory: &str) -> Vec<String> {
        let first = ["/", "/tmp", "/var/tmp"].map(PathBuf::from);
        let found = Mounts::read(MOUNTS).candidates(&first, Path::new(directory));
        found.iter().map(|place| place.display().to_string()).collect()
    }

    #[test]
    fn files_are_staged_on_their_own_file_system() {
        assert_eq!(
            candidates("/app/src"),
            [
                "/.tilt-live-update",
                "/var/tmp/.tilt-live-update",
                "/app/src/.tilt-live-update"
            ]
        );
        assert_eq!(
            candidates("/app/my data/x"),
            [
                "/app/my data/.tilt-live-update",
                "/app/my data/x/.tilt-live-update"
            ]
        );
        assert_eq!(candidates("/tmp"), ["/tmp/.tilt-live-update"]);
    }

    #[test]
    fn a_path_that_begins_like_a_mount_point_is_not_below_it() {
        assert_eq!(Mounts::read(MOUNTS).of(Path::new("/tmpfiles/x")), Path::new("/"));
    }
}
