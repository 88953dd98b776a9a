//! A line of the log, or a part of one, as readers see it.

use super::{Level, ManifestName, Progress, SpanId, Timestamp};

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

impl Segment {
    /// Returns whether the line ends with this segment.
    pub fn ends_line(&self) -> bool {
        self.text.ends_with('\n')
    }
}
