//! The files that our own output goes to: `tilt up > tilt.log` in a watched directory is no change of the user's, and what
//! is printed about it would be the next one.

use std::fs::{File, Metadata};
use std::io;
use std::os::fd::AsFd;
use std::os::unix::fs::MetadataExt;
use std::sync::OnceLock;

use crate::model::LocalPath;

/// Regular files, by device and inode.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outputs(Vec<(u64, u64)>);

/// Returns whether our standard output or standard error goes to the file at a path.
pub(super) fn is_own_output(path: &LocalPath) -> bool {
    static OWN: OnceLock<Outputs> = OnceLock::new();
    OWN.get_or_init(|| Outputs::of(&[&io::stdout(), &io::stderr()]))
        .has(path)
}

impl Outputs {
    fn of(streams: &[&dyn AsFd]) -> Self {
        let files = streams.iter().filter_map(|stream| {
            let file = File::from(stream.as_fd().try_clone_to_owned().ok()?);
            let metadata = file.metadata().ok()?;
            metadata.is_file().then(|| identity(&metadata))
        });
        Self(files.collect())
    }

    fn has(&self, path: &LocalPath) -> bool {
        !self.0.is_empty()
            && std::fs::metadata(path).is_ok_and(|metadata| self.0.contains(&identity(&metadata)))
    }
}

fn identity(metadata: &Metadata) -> (u64, u64) {
    (metadata.dev(), metadata.ino())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_file_that_is_written_to_by_us_is_ours() {
        let dir = tempfile::tempdir().expect("a scratch folder");
        let path = |name: &str| LocalPath::new(dir.path().join(name));
        let log = File::create(path("tilt.log")).expect("a file");
        let null = File::open("/dev/null").expect("a device");
        let outputs = Outputs::of(&[&log, &null]);
        std::fs::write(path("main.go"), "").expect("a file");
        std::os::unix::fs::symlink("tilt.log", path("link")).expect("a link");
        for (name, is_ours) in [
            ("tilt.log", true),
            ("link", true),
            ("main.go", false),
            ("gone", false),
        ] {
            assert_eq!(outputs.has(&path(name)), is_ours, "{name}");
        }
        assert!(!outputs.has(&LocalPath::new("/dev/null")));
        // Another file of that name.
        std::fs::rename(path("tilt.log"), path("old.log")).expect("ours");
        std::fs::write(path("tilt.log"), "").expect("a file");
        assert!(!outputs.has(&path("tilt.log")) && outputs.has(&path("old.log")));
        assert_eq!(Outputs::of(&[&null]), Outputs::default());
    }
}
