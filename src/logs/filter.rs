//! Which lines a reader wants to see.

use std::collections::BTreeSet;

use super::{Level, Segment};
use crate::model::{ManifestName, Timestamp};

/// Where a line comes from, as `--log-source` tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum LogSource {
    /// From anywhere.
    #[default]
    All,
    /// From the build of an image.
    Build,
    /// From anywhere else, so also from deploying and from live updates.
    Runtime,
}

impl LogSource {
    /// Returns the source with the name that the command line uses.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "all" => Some(Self::All),
            "build" => Some(Self::Build),
            "runtime" => Some(Self::Runtime),
            _ => None,
        }
    }
}

/// Which lines a reader wants to see. The default is all of them.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct LogFilter {
    /// Only lines of exactly this level.
    pub level: Option<Level>,
    /// Only lines from there.
    pub source: LogSource,
    /// Only lines of these resources, if any are named.
    pub resources: BTreeSet<ManifestName>,
    /// Only lines from this time on.
    pub since: Option<Timestamp>,
}

impl LogFilter {
    /// Returns whether a line is wanted. The first line of an update passes but for resource and time.
    ///
    /// Rule: `docs/rules/logs.md`, "Filters".
    pub fn matches(&self, segment: &Segment) -> bool {
        self.matches_resource(segment)
            && self.since.is_none_or(|since| segment.time >= since)
            && (segment.starts_update || (self.matches_source(segment) && self.matches_level(segment)))
    }

    /// Returns whether a line is of a resource that is wanted.
    pub fn matches_resource(&self, segment: &Segment) -> bool {
        let listed = |manifest| self.resources.contains(manifest);
        self.resources.is_empty() || segment.manifest.as_ref().is_some_and(listed)
    }

    fn matches_source(&self, segment: &Segment) -> bool {
        let span = segment.span.as_ref().map_or("", |span| span.as_str());
        let is_build = span.starts_with("build:") || span.starts_with("cmdimage:");
        match self.source {
            LogSource::All => true,
            LogSource::Build => is_build,
            LogSource::Runtime => !is_build,
        }
    }

    /// Only warnings and errors can be asked for; the others mean no filter.
    fn matches_level(&self, segment: &Segment) -> bool {
        match self.level {
            Some(level @ (Level::Warn | Level::Error)) => segment.level == level,
            _ => true,
        }
    }
}
