//! A mark in the queue of events: a file that nothing changes is watched and opened, and the event of that comes after
//! those of all that happened before. So it is known what had changed when an update began, without a clock.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::fd::AsRawFd;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

use notify::event::AccessKind;
use notify::{EventKind, RecursiveMode, Watcher};

/// Files of this process, as the system names them.
const OWN_FILES: &str = "/proc/self/fd";

/// A file that is watched for being opened.
pub(super) struct Mark {
    path: PathBuf,
    _file: File,
}

impl Mark {
    /// Watches the file; `None` where that cannot be done.
    pub(super) fn new(watcher: &mut dyn Watcher) -> Option<Self> {
        let file = unnamed_file().or_else(|_| File::open("/proc/self/exe")).ok()?;
        let path = Path::new(OWN_FILES).join(file.as_raw_fd().to_string());
        watcher.watch(&path, RecursiveMode::NonRecursive).ok()?;
        Some(Self { path, _file: file })
    }

    /// Sets the mark after all events until now. Returns whether it is set.
    pub(super) fn set(&self) -> bool {
        File::open(&self.path).is_ok()
    }

    /// Returns whether an event is that of a mark. One that somebody else set, who opened the same file, comes too early:
    /// then some of what happened before counts as later, which does no harm.
    pub(super) fn is_met(event: &notify::Event) -> bool {
        matches!(event.kind, EventKind::Access(AccessKind::Open(_)))
            && event.paths.iter().any(|path| path.starts_with(OWN_FILES))
    }
}

/// Returns a file that nobody else can open: it has no name any more.
fn unnamed_file() -> io::Result<File> {
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let path = std::env::temp_dir().join(format!("tilt-mark-{}-{number}", std::process::id()));
    let mut options = OpenOptions::new();
    options.read(true).write(true).create_new(true).mode(0o600);
    let file = options.open(&path)?;
    fs::remove_file(&path)?;
    Ok(file)
}
