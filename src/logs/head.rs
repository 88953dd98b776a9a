//! A line on disk, read as far as is needed to tell whether it is wanted: where its parts are, not what they mean. The form is the one
//! that `codec` writes; a line that is another one, or damaged, has no head.

use std::borrow::Cow;

use super::Level;
use super::codec::{CONTINUES, LEVELS, STARTS_UPDATE};
use super::filter::Facts;
use crate::model::Timestamp;

/// What a line on disk says, its strings as they are written: in quotes, with escapes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Head<'a> {
    pub(super) time: Timestamp,
    pub(super) level: Level,
    pub(super) span: Option<&'a [u8]>,
    pub(super) manifest: Option<&'a [u8]>,
    pub(super) continues: bool,
    pub(super) starts_update: bool,
    pub(super) text: &'a [u8],
}

/// Reads the position that a line begins with.
pub(super) fn position_of(line: &[u8]) -> Option<u64> {
    Reader(line).position()
}

impl<'a> Head<'a> {
    pub(super) fn of(line: &'a [u8]) -> Option<Self> {
        let mut line = Reader(line);
        line.position()?;
        if line.has(br#","c":"#) {
            line.number()?;
        }
        line.has(br#","t":"#).then_some(())?;
        let time = line.time()?;
        line.has(br#","l":"#).then_some(())?;
        let level = *LEVELS.get(usize::try_from(line.number()?).ok()?)?;
        let span = line.string_after(br#","s":"#)?;
        let manifest = line.string_after(br#","m":"#)?;
        let flags = if line.has(br#","f":"#) { line.number()? } else { 0 };
        line.string_after(br#","g":"#)?;
        line.has(br#","x":"#).then_some(())?;
        let text = line.0.strip_suffix(b"}")?;
        (text.len() >= 2 && text.starts_with(b"\"") && text.ends_with(b"\"")).then_some(Self {
            time,
            level,
            span,
            manifest,
            continues: flags & CONTINUES != 0,
            starts_update: flags & STARTS_UPDATE != 0,
            text,
        })
    }

    /// Returns what a filter looks at.
    pub(super) fn facts(&self) -> Option<Facts<'a>> {
        Some(Facts {
            manifest: match self.manifest {
                Some(name) => Some(unquoted(name)?),
                None => None,
            },
            span: self.span.map_or(Some("".into()), unquoted)?,
            level: self.level,
            time: self.time,
            starts_update: self.starts_update,
        })
    }
}

/// Returns what a string in quotes says.
pub(super) fn unquoted(quoted: &[u8]) -> Option<Cow<'_, str>> {
    if memchr::memchr(b'\\', quoted).is_some() {
        return serde_json::from_slice::<String>(quoted).ok().map(Cow::Owned);
    }
    let inner = quoted.get(1..quoted.len().checked_sub(1)?)?;
    std::str::from_utf8(inner).ok().map(Cow::Borrowed)
}

/// What is left of a line.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn has(&mut self, prefix: &[u8]) -> bool {
        let rest = self.0.strip_prefix(prefix);
        self.0 = rest.unwrap_or(self.0);
        rest.is_some()
    }

    fn position(&mut self) -> Option<u64> {
        self.has(br#"{"p":"#).then_some(())?;
        self.number()
    }

    fn number(&mut self) -> Option<u64> {
        let digits = self.0.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let (number, rest) = self.0.split_at(digits);
        self.0 = rest;
        let digit = |sum: u64, byte: &u8| sum.checked_mul(10)?.checked_add(u64::from(byte - b'0'));
        (digits > 0).then_some(())?;
        number.iter().try_fold(0, digit)
    }

    fn time(&mut self) -> Option<Timestamp> {
        let is_before = self.has(b"-");
        let number = i64::try_from(self.number()?).ok()?;
        Some(Timestamp(if is_before { -number } else { number }))
    }

    /// Returns the string behind a name, if that comes next; nothing at all if the string has no end.
    #[allow(clippy::option_option, reason = "that it is missing is no damage")]
    fn string_after(&mut self, name: &[u8]) -> Option<Option<&'a [u8]>> {
        if !self.has(name) {
            return Some(None);
        }
        let mut end = 1;
        loop {
            end += memchr::memchr2(b'"', b'\\', self.0.get(end..)?)?;
            if self.0[end] == b'"' {
                break;
            }
            end += 2;
        }
        let (string, rest) = self.0.split_at(end + 1);
        self.0 = rest;
        Some(Some(string))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::logs::{Progress, Segment, codec};
    use crate::model::{ManifestName, SpanId};

    fn text() -> impl Strategy<Value = String> {
        proptest::string::string_regex("[a-z:\"\\\\\u{0}-\u{1f}\u{7f}\u{85}ü…\u{10ff80}]{0,12}\n?")
            .expect("an expression")
    }

    prop_compose! {
        fn segment()(
            (position, pieces, time) in (any::<u64>(), any::<u64>(), -5_000_000_000_000_000i64..5_000_000_000_000_000),
            (span, manifest, progress) in (prop::option::of(text()), prop::option::of(text()), prop::option::of(text())),
            level in 0..LEVELS.len(),
            (continues, anchor, starts_update, must_print) in any::<(bool, bool, bool, bool)>(),
            text in text(),
        ) -> Segment {
            Segment {
                position, pieces, time: Timestamp(time), level: LEVELS[level], text, continues, anchor, starts_update,
                span: span.map(SpanId::new),
                manifest: manifest.map(ManifestName::new),
                progress: progress.map(|id| Progress { id, must_print }),
            }
        }
    }

    proptest! {
        #[test]
        fn it_says_what_the_whole_line_says(segment in segment(), cut in 0usize..200) {
            let mut line = Vec::new();
            codec::encode(&segment, &mut line).expect("memory has room");
            line.pop();
            prop_assert_eq!(position_of(&line), Some(segment.position));
            let head = Head::of(&line).expect("it is whole");
            let facts = head.facts().expect("its strings are whole");
            prop_assert_eq!((head.time, head.level), (segment.time, segment.level));
            prop_assert_eq!((head.continues, head.starts_update), (segment.continues, segment.starts_update));
            prop_assert_eq!(facts.span.as_ref(), segment.span.as_ref().map_or("", |span| span.as_str()));
            prop_assert_eq!(facts.manifest.as_deref(), segment.manifest.as_ref().map(ManifestName::as_str));
            prop_assert_eq!(unquoted(head.text), Some(segment.text.as_str().into()));
            // A torn one is none, or its text is none.
            let torn = &line[..cut.min(line.len() - 1)];
            let read = Head::of(torn).and_then(|head| unquoted(head.text));
            prop_assert!(read.is_none() || codec::decode(&String::from_utf8_lossy(torn)).is_some());
        }
    }
}
