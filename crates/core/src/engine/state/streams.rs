//! The container logs that are read.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::lists::Lists;
use super::timers::Timers;
use crate::engine::effect::{LogId, LogStream, LogStreams};
use crate::model::ManifestName;

/// The container logs that are read.
#[derive(Debug, Default)]
pub(crate) struct Streams {
    pub(crate) wanted: BTreeMap<StreamKey, Stream>,
    /// Those that may be others than was asked for.
    pub(crate) changed: BTreeSet<StreamKey>,
    /// What was last asked for.
    pub(crate) asked: LogStreams,
    /// Who reads each log.
    pub(crate) readers: Lists<LogId, ManifestName>,
    /// Until when those are read that are no longer listed.
    pub(crate) lingering: Timers<StreamKey>,
    /// Runs whose log was read to its end.
    pub(crate) ended: BTreeSet<StreamKey>,
    /// How many of these there are when they are next looked through.
    pub(crate) next_sweep: usize,
}

/// A log, for one resource.
pub(crate) type StreamKey = (ManifestName, LogId);

/// A container log that is read.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) log: LogStream,
    /// Set when its container is no longer listed: the rest of its log is still read, until then.
    pub(crate) until: Option<Instant>,
    /// Whether all of it is read that its container has printed until it ended.
    pub(crate) is_read: bool,
}

impl Streams {
    /// Returns whether a log is read, or was read to its end.
    pub(crate) fn knows(&self, key: &StreamKey) -> bool {
        self.wanted.contains_key(key) || self.ended.contains(key)
    }

    pub(crate) fn remove(&mut self, key: &StreamKey) -> Option<Stream> {
        self.lingering.set(key, None);
        self.changed.insert(key.clone());
        let (name, log) = key;
        self.readers.remove(log, name);
        self.wanted.remove(key)
    }

    pub(crate) fn of<'a>(&'a self, name: &'a ManifestName) -> impl Iterator<Item = &'a StreamKey> {
        let known = self.wanted.range((name.clone(), LogId::first())..);
        known.map(|(key, _)| key).take_while(move |(of, _)| of == name)
    }
}
