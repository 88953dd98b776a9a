//! Where a segment stands: its position, and how many segments before it continue a line, so that lines can be counted.

use super::Segment;

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

    /// Returns the place before a segment.
    pub(super) fn before(segment: &Segment) -> Self {
        Self {
            position: segment.position,
            pieces: segment.pieces,
        }
    }

    /// Returns the place after a segment.
    pub(super) fn after(segment: &Segment) -> Self {
        Self {
            position: segment.position + 1,
            pieces: segment.pieces + u64::from(segment.continues),
        }
    }
}

/// Returns about how many bytes of memory a segment takes.
pub(super) fn weight(segment: &Segment) -> usize {
    let id = |len: Option<usize>| len.unwrap_or(0);
    size_of::<Segment>()
        + segment.text.len()
        + id(segment.span.as_ref().map(|s| s.as_str().len()))
        + id(segment.manifest.as_ref().map(|m| m.as_str().len()))
}
