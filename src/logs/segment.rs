//! A line of the log, or a part of one, as readers see it.

use super::{Level, Progress};
use crate::model::{ManifestName, SpanId, Timestamp};

/// A line, or a part of a line, at its position in the log. Secrets are already replaced in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Segment {
    /// Where it stands in the log, counted from 0.
    pub position: u64,
    /// How many segments before it continue a line.
    pub pieces: u64,
    /// When it was appended.
    pub time: Timestamp,
    /// Its source; `None` for lines of no resource.
    pub span: Option<SpanId>,
    /// The resource it belongs to.
    pub manifest: Option<ManifestName>,
    /// How much it matters.
    pub level: Level,
    /// The text. A newline stands only at its end, and only if the line ends here.
    pub text: String,
    /// Whether it continues the segment before it of the same span.
    pub continues: bool,
    /// Whether it begins a warning or an error.
    pub anchor: bool,
    /// Whether it starts an update.
    pub starts_update: bool,
    /// Set for a line that replaces an earlier one of the same id.
    pub progress: Option<Progress>,
}

/// A place in the log: before the segment of this position, and how many segments before that continue a line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    pub(super) position: u64,
    pub(super) pieces: u64,
}

impl Place {
    /// Returns how many lines begin between here and a later place.
    pub(super) fn lines_until(self, to: Self) -> u64 {
        (to.position - self.position).saturating_sub(to.pieces.saturating_sub(self.pieces))
    }
}

impl Segment {
    /// Returns the place before it.
    pub(super) fn place(&self) -> Place {
        Place {
            position: self.position,
            pieces: self.pieces,
        }
    }

    /// Returns the place after it.
    pub(super) fn place_after(&self) -> Place {
        Place {
            position: self.position + 1,
            pieces: self.pieces + u64::from(self.continues),
        }
    }

    /// Returns whether the line ends with this segment.
    pub fn ends_line(&self) -> bool {
        self.text.ends_with('\n')
    }

    /// Returns about how many bytes of memory it takes.
    pub(super) fn weight(&self) -> usize {
        let id = |len: Option<usize>| len.unwrap_or(0);
        size_of::<Self>()
            + self.text.len()
            + id(self.span.as_ref().map(|s| s.as_str().len()))
            + id(self.manifest.as_ref().map(|m| m.as_str().len()))
    }
}
