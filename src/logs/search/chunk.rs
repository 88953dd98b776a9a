//! A part of the log that is gone through at once: a file of the disk, or what is in memory. Lines of a file are found by their
//! ends, and read one by one only where they are asked for.

use std::borrow::Cow;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, LazyLock};

use memchr::memmem::Finder;

use super::term::Term;
use crate::logs::disk::SegmentFile;
use crate::logs::filter::Facts;
use crate::logs::head::{Head, position_of, unquoted};
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
        match self {
            Self::File { file, end } => Chunk::Disk(StoredLines::read(&file.path, *end)),
            Self::Memory { segments, .. } => Chunk::Memory(segments.clone()),
        }
    }
}

/// Lines that can be looked at, by their place.
pub(super) enum Chunk {
    Memory(Vec<Arc<Segment>>),
    Disk(StoredLines),
}

/// What is looked at of a line, or a piece of one.
pub(super) struct Piece<'a> {
    pub(super) facts: Facts<'a>,
    pub(super) continues: bool,
    pub(super) text: Text<'a>,
}

/// The text of a piece.
pub(super) enum Text<'a> {
    Plain(&'a str),
    /// As it is on disk: in quotes, with escapes.
    Quoted(&'a [u8]),
}

impl Chunk {
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Memory(segments) => segments.len(),
            Self::Disk(lines) => lines.len(),
        }
    }

    pub(super) fn segment(&self, at: usize) -> Option<Arc<Segment>> {
        match self {
            Self::Memory(segments) => segments.get(at).cloned(),
            Self::Disk(lines) => {
                let line = std::str::from_utf8(lines.line(at)).ok()?;
                codec::decode(line).map(Arc::new)
            }
        }
    }

    /// Returns what can be told of a line without reading all of it; nothing if it is damaged.
    pub(super) fn piece(&self, at: usize) -> Option<Piece<'_>> {
        match self {
            Self::Memory(segments) => segments.get(at).map(|segment| Piece {
                facts: segment.as_ref().into(),
                continues: segment.continues,
                text: Text::Plain(&segment.text),
            }),
            Self::Disk(lines) => {
                let head = Head::of(lines.line(at))?;
                Some(Piece {
                    facts: head.facts()?,
                    continues: head.continues,
                    text: Text::Quoted(head.text),
                })
            }
        }
    }

    /// Returns the position of a line; of one that is damaged, that of the next.
    pub(super) fn position(&self, at: usize) -> u64 {
        match self {
            Self::Memory(segments) => segments.get(at).map_or(u64::MAX, |segment| segment.position),
            Self::Disk(lines) => lines.position(at),
        }
    }

    /// Returns the place of the first line at or after a position.
    pub(super) fn place_of(&self, position: u64) -> usize {
        place_of(0..self.len(), position, |at| self.position(at))
    }
}

/// Returns the first place whose position is not before this one.
fn place_of(places: Range<usize>, position: u64, position_of: impl Fn(usize) -> u64) -> usize {
    let Range {
        start: mut low,
        end: mut high,
    } = places;
    while low < high {
        let middle = usize::midpoint(low, high);
        if position_of(middle) < position {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    low
}

impl Text<'_> {
    /// Returns whether the line ends with it.
    pub(super) fn ends_line(&self) -> bool {
        match self {
            Self::Plain(text) => text.ends_with('\n'),
            Self::Quoted(text) => ends_line(text),
        }
    }

    /// Returns the text; nothing if it is damaged.
    pub(super) fn read(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Plain(text) => Some((*text).into()),
            Self::Quoted(text) => unquoted(text),
        }
    }

    /// Returns whether it has a term, if it is a whole line on disk and nothing of it is hidden but colours. The buffer is for its
    /// text.
    pub(super) fn has(&self, term: &Term, buffer: &mut Vec<u8>) -> Option<bool> {
        let Self::Quoted(text) = self else {
            return None;
        };
        let text = ends_line(text).then(|| &text[1..text.len() - END.len()])?;
        match next_odd(text) {
            None => Some(term.is_in_bytes(text)),
            Some(_) => Some(term.is_in_bytes(plain(text, buffer)?)),
        }
    }
}

/// What a text on disk ends with if its line does. After a backslash it would be something else; such a text is odd.
const END: &[u8] = br#"\n""#;

fn ends_line(quoted: &[u8]) -> bool {
    quoted.ends_with(END) && unescaped_backslash(&quoted[..quoted.len() - END.len()])
}

/// Returns whether a backslash after this text is not escaped itself.
fn unescaped_backslash(before: &[u8]) -> bool {
    let backslashes = before.iter().rev().take_while(|byte| **byte == b'\\').count();
    backslashes.is_multiple_of(2)
}

/// Writes what is seen of a text on disk; nothing if that is not told by its escapes, one by one.
fn plain<'a>(text: &[u8], out: &'a mut Vec<u8>) -> Option<&'a [u8]> {
    out.clear();
    let mut rest = text;
    while let Some(at) = next_odd(rest) {
        out.extend_from_slice(&rest[..at]);
        let escaped = rest[at..].strip_prefix(b"\\")?;
        rest = match escaped.first()? {
            letter @ (b'"' | b'\\') => {
                out.push(*letter);
                &escaped[1..]
            }
            b't' => {
                out.push(b'\t');
                &escaped[1..]
            }
            _ => after_colour(escaped)?,
        };
    }
    out.extend_from_slice(rest);
    Some(out)
}

/// Returns what follows a colour.
fn after_colour(escaped: &[u8]) -> Option<&[u8]> {
    let codes = escaped.strip_prefix(b"u001b[")?;
    let end = codes
        .iter()
        .position(|byte| !matches!(byte, b'0'..=b'9' | b';' | b':'))?;
    codes[end..].strip_prefix(b"m")
}

/// Returns where a text on disk has something that is not shown as it stands there: an escape, or a character that rules terminals.
fn next_odd(text: &[u8]) -> Option<usize> {
    memchr::memchr3_iter(b'\\', 0x7f, 0xc2, text).find(|at| is_odd(text, *at))
}

fn is_odd(text: &[u8], at: usize) -> bool {
    text[at] != 0xc2 || text.get(at + 1).is_some_and(|byte| *byte < 0xa0)
}

/// The lines of a file, as they are there.
pub(super) struct StoredLines {
    bytes: Vec<u8>,
    /// Where each begins, and behind the last.
    starts: Vec<usize>,
}

impl StoredLines {
    /// Reads those before a position. A file that is gone is as one that is empty.
    fn read(path: &Path, end: u64) -> Self {
        let bytes = std::fs::read(path).unwrap_or_default();
        let mut lines = Self::of(bytes);
        let end = place_of(0..lines.len(), end, |at| lines.position(at));
        lines.starts.truncate(end + 1);
        lines
    }

    fn of(bytes: Vec<u8>) -> Self {
        let mut starts = Vec::with_capacity(bytes.len() / 96);
        starts.push(0);
        starts.extend(memchr::memchr_iter(b'\n', &bytes).map(|newline| newline + 1));
        Self { bytes, starts }
    }

    /// Returns the lines from one place to another without colours; nothing if they have none.
    pub(super) fn uncoloured(&self, range: Range<usize>) -> Option<Self> {
        let bytes = &self.bytes[self.starts[range.start]..self.starts[range.end]];
        let mut colours = COLOUR.find_iter(bytes).peekable();
        colours.peek()?;
        let (mut out, mut from) = (Vec::with_capacity(bytes.len()), 0);
        for at in colours {
            if let Some(rest) = after_colour(&bytes[at + 1..])
                && unescaped_backslash(&bytes[from..at])
            {
                out.extend_from_slice(&bytes[from..at]);
                from = bytes.len() - rest.len();
            }
        }
        out.extend_from_slice(&bytes[from..]);
        Some(Self::of(out))
    }

    fn len(&self) -> usize {
        self.starts.len() - 1
    }

    /// Returns a line without its end; one that is not there is empty.
    fn line(&self, at: usize) -> &[u8] {
        match (self.starts.get(at), self.starts.get(at + 1)) {
            (Some(start), Some(end)) => &self.bytes[*start..*end - 1],
            _ => &[],
        }
    }

    /// Returns whether one of the lines from one place to another has one of these in it.
    pub(super) fn has_any(&self, range: Range<usize>, finders: &[Finder<'_>]) -> bool {
        let bytes = &self.bytes[self.starts[range.start]..self.starts[range.end]];
        finders.iter().any(|finder| finder.find(bytes).is_some())
    }

    fn position(&self, at: usize) -> u64 {
        let known = (at..self.len()).find_map(|at| position_of(self.line(at)));
        known.unwrap_or(u64::MAX)
    }

    /// Goes through the lines from one place to another: `find` says where the next one is that matters, from here on.
    pub(super) fn each(
        &self,
        range: Range<usize>,
        mut find: impl FnMut(&[u8], usize) -> Option<usize>,
        mut take: impl FnMut(usize),
    ) {
        let bytes = &self.bytes[..self.starts[range.end]];
        let starts = &self.starts[range.start..=range.end];
        let mut at = 0;
        while at < range.len()
            && let Some(found) = find(bytes, starts[at])
        {
            at += starts[at + 1..].partition_point(|start| *start <= found);
            take(range.start + at);
            at += 1;
        }
    }

    /// Goes through those that must be looked at one by one: that are part of a longer line, or have in them what is neither shown nor a
    /// colour.
    pub(super) fn each_odd(&self, range: Range<usize>, mut take: impl FnMut(usize)) {
        for escape in ODD_ESCAPES.iter() {
            let find = |bytes: &[u8], from: usize| {
                let mut found = escape.find_iter(&bytes[from..]).map(|at| from + at);
                found.find(|at| after_colour(&bytes[at + 1..]).is_none())
            };
            self.each(range.clone(), find, &mut take);
        }
        let find = |bytes: &[u8], from: usize| {
            let mut found = memchr::memchr2_iter(0x7f, 0xc2, &bytes[from..]).map(|at| from + at);
            found.find(|at| is_odd(bytes, *at))
        };
        self.each(range.clone(), find, &mut take);
        for at in range {
            if !self.line(at).strip_suffix(b"}").is_some_and(ends_line) {
                take(at);
            }
        }
    }
}

/// What colours begin with.
static COLOUR: LazyLock<Finder<'static>> = LazyLock::new(|| Finder::new(b"\\u001b[").into_owned());

/// How characters are written that rule terminals: those with letters of their own, and all others.
static ODD_ESCAPES: LazyLock<[Finder<'static>; 4]> = LazyLock::new(|| {
    [r"\r", r"\b", r"\f", r"\u00"].map(|escape| Finder::new(escape.as_bytes()).into_owned())
});
