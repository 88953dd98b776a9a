//! How a segment is written on disk: one JSON object per line, so that a torn end is one bad line and people can grep.

use std::borrow::Cow;
use std::io::{self, Write};

use serde::{Deserialize, Serialize};

use super::{Level, Progress, Segment};
use crate::model::{ManifestName, SpanId, Timestamp};

pub(super) const LEVELS: [Level; 5] = [
    Level::Debug,
    Level::Verbose,
    Level::Info,
    Level::Warn,
    Level::Error,
];

/// A segment with short names. What is empty or usual is left out.
#[derive(Serialize, Deserialize)]
struct Stored<'a> {
    p: u64,
    #[serde(default, skip_serializing_if = "is_zero")]
    c: u64,
    t: i64,
    l: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    s: Option<Cow<'a, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    m: Option<Cow<'a, str>>,
    #[serde(default, skip_serializing_if = "is_zero")]
    f: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    g: Option<Cow<'a, str>>,
    x: Cow<'a, str>,
}

pub(super) const CONTINUES: u64 = 1;
const ANCHOR: u64 = 2;
pub(super) const STARTS_UPDATE: u64 = 4;
const MUST_PRINT: u64 = 8;

#[allow(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// Writes a segment as one line.
pub fn encode(segment: &Segment, out: &mut impl Write) -> io::Result<()> {
    let must_print = segment.progress.as_ref().is_some_and(|p| p.must_print);
    let flag = |set: bool, bit: u64| if set { bit } else { 0 };
    let stored = Stored {
        p: segment.position,
        c: segment.pieces,
        t: segment.time.0,
        l: segment.level as u8,
        s: segment.span.as_ref().map(|span| span.as_str().into()),
        m: segment.manifest.as_ref().map(|manifest| manifest.as_str().into()),
        f: flag(segment.continues, CONTINUES)
            | flag(segment.anchor, ANCHOR)
            | flag(segment.starts_update, STARTS_UPDATE)
            | flag(must_print, MUST_PRINT),
        g: segment.progress.as_ref().map(|p| p.id.as_str().into()),
        x: segment.text.as_str().into(),
    };
    serde_json::to_writer(&mut *out, &stored)?;
    out.write_all(b"\n")
}

/// Reads a line that `encode` wrote; `None` if it is damaged.
pub fn decode(line: &str) -> Option<Segment> {
    let stored: Stored<'_> = serde_json::from_str(line).ok()?;
    let has = |bit: u64| stored.f & bit != 0;
    Some(Segment {
        position: stored.p,
        pieces: stored.c,
        time: Timestamp(stored.t),
        span: stored.s.map(SpanId::new),
        manifest: stored.m.map(ManifestName::new),
        level: *LEVELS.get(usize::from(stored.l))?,
        text: stored.x.into_owned(),
        continues: has(CONTINUES),
        anchor: has(ANCHOR),
        starts_update: has(STARTS_UPDATE),
        progress: stored.g.map(|id| Progress {
            id: id.into_owned(),
            must_print: has(MUST_PRINT),
        }),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_segment_survives_the_disk() {
        let segment = Segment {
            position: 7,
            pieces: 2,
            time: Timestamp(1_700_000_000_123_456),
            span: Some(SpanId::from("build:3")),
            manifest: Some(ManifestName::from("web")),
            level: Level::Warn,
            text: "tab\t \"quoted\" \u{1b}[34mblue\r…\n".to_owned(),
            continues: true,
            anchor: true,
            starts_update: true,
            progress: Some(Progress {
                id: "layer".to_owned(),
                must_print: true,
            }),
        };
        let mut line = Vec::new();
        encode(&segment, &mut line).unwrap();
        let line = String::from_utf8(line).unwrap();
        assert_eq!(line.matches('\n').count(), 1);
        assert_eq!(decode(&line), Some(segment));
        assert_eq!(decode(&line[..line.len() / 2]), None);
    }

    #[test]
    fn its_fields_are_those_that_the_page_knows() {
        let table = include_str!("../../crates/core/src/view/wire.txt");
        let known = table
            .lines()
            .find_map(|line| line.strip_prefix("type page.LogLine "));
        let known: Vec<_> = known
            .unwrap()
            .split(' ')
            .filter_map(|field| field.split(['?', ':']).next())
            .collect();
        let stored = Stored {
            p: 1,
            c: 1,
            t: 1,
            l: 1,
            s: Some("".into()),
            m: Some("".into()),
            f: 1,
            g: Some("".into()),
            x: "".into(),
        };
        let written = serde_json::to_value(&stored).unwrap();
        // The last one is how a line was found.
        let written: Vec<_> = written
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .chain(["k"])
            .collect();
        assert_eq!(written, known);
    }
}
