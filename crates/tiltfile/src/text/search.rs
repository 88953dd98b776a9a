//! Where one text stands in another, in bytes.

use std::borrow::Cow;

use crate::model::octets::bytes_of;

/// The part of a text that a search looks at.
pub(super) struct Part<'t> {
    bytes: Cow<'t, [u8]>,
    /// Where it begins in the whole text.
    pub(super) start: usize,
    end: usize,
}

impl<'t> Part<'t> {
    /// Returns the part between two positions; negative ones count from the end.
    pub(super) fn new(text: &'t str, start: Option<i64>, end: Option<i64>) -> Self {
        let bytes = bytes_of(text);
        let len = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
        let position = |position: Option<i64>, missing: i64| {
            let position = position.unwrap_or(missing);
            let position = if position < 0 {
                position.saturating_add(len)
            } else {
                position
            };
            usize::try_from(position.clamp(0, len)).unwrap_or(0)
        };
        let (start, end) = (position(start, 0), position(end, len));
        Self {
            bytes,
            start,
            end: end.max(start),
        }
    }

    fn slice(&self) -> &[u8] {
        &self.bytes[self.start..self.end]
    }

    /// Returns where the first occurrence begins in the whole text.
    pub(super) fn first(&self, wanted: &str) -> Option<usize> {
        let wanted = bytes_of(wanted);
        let found = match (std::str::from_utf8(self.slice()), std::str::from_utf8(&wanted)) {
            (Ok(text), Ok(wanted)) => text.find(wanted),
            _ if wanted.is_empty() => Some(0),
            _ => self
                .slice()
                .windows(wanted.len())
                .position(|window| window == &*wanted),
        };
        found.map(|at| at + self.start)
    }

    /// Returns where the last occurrence begins in the whole text.
    pub(super) fn last(&self, wanted: &str) -> Option<usize> {
        let wanted = bytes_of(wanted);
        let found = match (std::str::from_utf8(self.slice()), std::str::from_utf8(&wanted)) {
            (Ok(text), Ok(wanted)) => text.rfind(wanted),
            _ if wanted.is_empty() => Some(self.slice().len()),
            _ => self
                .slice()
                .windows(wanted.len())
                .rposition(|window| window == &*wanted),
        };
        found.map(|at| at + self.start)
    }

    /// Returns how often a text occurs, without overlaps; an empty one around each character.
    pub(super) fn count(&self, wanted: &str) -> usize {
        let wanted = bytes_of(wanted);
        if wanted.is_empty() {
            let chunks = self.slice().utf8_chunks();
            let n_characters: usize = chunks
                .map(|chunk| chunk.valid().chars().count() + chunk.invalid().len())
                .sum();
            return n_characters + 1;
        }
        let (mut rest, mut n_found) = (self.slice(), 0);
        while let Some(at) = rest.windows(wanted.len()).position(|window| window == &*wanted) {
            n_found += 1;
            rest = &rest[at + wanted.len()..];
        }
        n_found
    }

    pub(super) fn starts_with(&self, wanted: &str) -> bool {
        self.slice().starts_with(&bytes_of(wanted))
    }

    pub(super) fn ends_with(&self, wanted: &str) -> bool {
        self.slice().ends_with(&bytes_of(wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::octets::text_of;

    #[test]
    fn positions_are_those_of_bytes() {
        let whole = Part::new("日本x日", None, None);
        assert_eq!(
            (whole.first("x"), whole.last("日"), whole.count("日")),
            (Some(6), Some(7), 2)
        );
        assert_eq!(Part::new("日本", Some(3), None).first("本"), Some(3));
        assert_eq!(Part::new("日本", Some(1), None).first("本"), Some(3));
        assert_eq!(Part::new("aé", Some(-1), None).first(&text_of(b"\xa9")), Some(2));
        assert_eq!(Part::new("aéb", None, None).count(""), 4);
        assert_eq!(Part::new("abc", Some(2), Some(1)).first("c"), None);
    }
}
