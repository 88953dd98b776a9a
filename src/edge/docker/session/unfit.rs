//! What of a context BuildKit cannot be told.

use std::path::PathBuf;

use crate::edge::docker::context::{Entry, Kind};
use crate::logs::LogWriter;

/// Entries that are not sent: messages of BuildKit are UTF-8, and names of files need not be.
#[derive(Default)]
pub(super) struct Unfit {
    /// A directory stands for all that is in it.
    names: Vec<PathBuf>,
    shown: Vec<String>,
}

impl Unfit {
    pub(super) fn note(&mut self, entry: Entry) {
        if self.names.iter().any(|above| entry.name.starts_with(above)) {
            return;
        }
        self.shown.push(match &entry.kind {
            Kind::Symlink(target) => format!("{:?} -> {target:?}", entry.name),
            Kind::Directory => format!("{:?} with all in it", entry.name),
            Kind::File { .. } => format!("{:?}", entry.name),
        });
        self.names.push(entry.name);
    }

    pub(super) fn tell(&self, log: &LogWriter) {
        const SHOWN: usize = 5;
        if self.shown.is_empty() {
            return;
        }
        let (shown, more) = self.shown.split_at(self.shown.len().min(SHOWN));
        let more = match more.len() {
            0 => String::new(),
            n => format!(" and {n} more"),
        };
        log.warn(&format!(
            "not in the image, because BuildKit takes only names that are UTF-8: {}{more}\n\
             hint: rename them, or leave them out with .dockerignore; with DOCKER_BUILDKIT=0 they are sent",
            shown.join(", ")
        ));
    }
}
