//! Which lines a reader wants to see.

use std::borrow::Cow;
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

/// What spans of builds begin with.
pub(super) const BUILD_SPANS: [&str; 2] = ["build:", "cmdimage:"];

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

/// What a filter looks at of a line.
pub(super) struct Facts<'a> {
    pub(super) manifest: Option<Cow<'a, str>>,
    /// Its source; empty for lines of no resource.
    pub(super) span: Cow<'a, str>,
    pub(super) level: Level,
    pub(super) time: Timestamp,
    pub(super) starts_update: bool,
}

impl<'a> From<&'a Segment> for Facts<'a> {
    fn from(segment: &'a Segment) -> Self {
        Self {
            manifest: segment.manifest.as_ref().map(|name| name.as_str().into()),
            span: segment.span.as_ref().map_or("", |span| span.as_str()).into(),
            level: segment.level,
            time: segment.time,
            starts_update: segment.starts_update,
        }
    }
}

impl LogFilter {
    /// Returns whether a line is wanted. The first line of an update passes but for resource and time.
    ///
    /// Rule: `docs/rules/logs.md`, "Filters".
    pub fn matches(&self, segment: &Segment) -> bool {
        let facts = segment.into();
        self.takes_resource_of(&facts) && self.takes(&facts)
    }

    /// Returns whether a line is of a resource that is wanted.
    pub(super) fn takes_resource_of(&self, line: &Facts<'_>) -> bool {
        let listed = |name: &Cow<'_, str>| self.resources.contains(name.as_ref());
        self.resources.is_empty() || line.manifest.as_ref().is_some_and(listed)
    }

    /// Returns whether a line of a resource that is wanted is wanted itself.
    pub(super) fn takes(&self, line: &Facts<'_>) -> bool {
        self.since.is_none_or(|since| line.time >= since)
            && (line.starts_update || (self.takes_source_of(line) && self.takes_level_of(line)))
    }

    fn takes_source_of(&self, line: &Facts<'_>) -> bool {
        let is_build = BUILD_SPANS.iter().any(|prefix| line.span.starts_with(prefix));
        match self.source {
            LogSource::All => true,
            LogSource::Build => is_build,
            LogSource::Runtime => !is_build,
        }
    }

    fn takes_level_of(&self, line: &Facts<'_>) -> bool {
        self.exact_level().is_none_or(|level| line.level == level)
    }

    /// Returns the level that all lines must have. Only warnings and errors can be asked for; the others mean no filter.
    pub(super) fn exact_level(&self) -> Option<Level> {
        self.level.filter(|level| *level >= Level::Warn)
    }
}
