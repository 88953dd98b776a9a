//! A part of the log that is gone through at once: a file of the disk, or what is in memory. Lines of a file are found by their
//! ends, and read one by one only where they are asked for.

use std::sync::Arc;

use crate::logs::disk::SegmentFile;
use crate::logs::{Segment, codec};

/// Where a chunk comes from.
pub(super) enum Source {
    /// Of a file, what is before the window in memory.
    File {
        file: SegmentFile,
        end: u64,
    },
    Memory {
        first: u64,
        segments: Vec<Arc<Segment>>,
    },
}

impl Source {
    pub(super) fn first(&self) -> u64 {
        match self {
            Self::File { file, .. } => file.first,
            Self::Memory { first, .. } => *first,
        }
    }

    pub(super) fn load(&self) -> Chunk {
        let (file, end) = match self {
            Self::File { file, end } => (file, *end),
            Self::Memory { segments, .. } => return Chunk::Memory(segments.clone()),
        };
        // One that is gone is as one that is empty.
        let bytes = std::fs::read(&file.path).unwrap_or_default();
        let mut lines = Vec::with_capacity(bytes.len() / 96);
        let mut start = 0;
        for newline in memchr::memchr_iter(b'\n', &bytes) {
            if position_of(&bytes[start..newline]).is_some_and(|position| position < end) {
                lines.push((start, newline));
            }
            start = newline + 1;
        }
        Chunk::Disk { bytes, lines }
    }
}

/// Reads the position at the beginning of a line on disk.
fn position_of(line: &[u8]) -> Option<u64> {
    let digits = line.strip_prefix(br#"{"p":"#)?;
    let end = digits.iter().position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&digits[..end]).ok()?.parse().ok()
}

/// Lines that can be looked at, by their place.
pub(super) enum Chunk {
    Memory(Vec<Arc<Segment>>),
    Disk {
        bytes: Vec<u8>,
        lines: Vec<(usize, usize)>,
    },
}

impl Chunk {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Memory(segments) => segments.len(),
            Self::Disk { lines, .. } => lines.len(),
        }
    }

    pub(super) fn raw(&self, at: usize) -> Option<&[u8]> {
        match self {
            Self::Memory(_) => None,
            Self::Disk { bytes, lines } => lines.get(at).map(|(from, to)| &bytes[*from..*to]),
        }
    }

    pub(super) fn segment(&self, at: usize) -> Option<Arc<Segment>> {
        match self {
            Self::Memory(segments) => segments.get(at).cloned(),
            Self::Disk { .. } => {
                let line = std::str::from_utf8(self.raw(at)?).ok()?;
                codec::decode(line).map(Arc::new)
            }
        }
    }

    pub(super) fn position(&self, at: usize) -> u64 {
        match self {
            Self::Memory(segments) => segments.get(at).map_or(0, |segment| segment.position),
            Self::Disk { .. } => self.raw(at).and_then(position_of).unwrap_or_default(),
        }
    }

    /// Returns the place of the first line at or after a position.
    pub(super) fn place_of(&self, position: u64) -> usize {
        let (mut low, mut high) = (0, self.len());
        while low < high {
            let middle = usize::midpoint(low, high);
            if self.position(middle) < position {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }
}
