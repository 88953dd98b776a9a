//! What a text is searched for, in the forms in which a search asks: of text, of bytes that are text, and of many lines at once.

use std::sync::Arc;

use regex::{Regex, bytes};
use regex_syntax::hir::{Class, ClassUnicode, ClassUnicodeRange, Hir, HirKind, Repetition};

/// A text, or a regular expression. Case does not matter.
#[derive(Clone, Debug)]
pub struct Term(Arc<Compiled>);

#[derive(Debug)]
struct Compiled {
    text: Regex,
    bytes: bytes::Regex,
    stored: Option<bytes::Regex>,
}

impl Term {
    /// Reads a text, or a regular expression between slashes.
    ///
    /// # Errors
    ///
    /// What is wrong with the expression, in words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let pattern = text.strip_prefix('/').and_then(|rest| rest.strip_suffix('/'));
        let pattern = pattern.filter(|pattern| !pattern.is_empty());
        let pattern = pattern.map_or_else(|| regex::escape(text), str::to_owned);
        let text = regex::RegexBuilder::new(&pattern).case_insensitive(true).build();
        let bytes = bytes::RegexBuilder::new(&pattern).case_insensitive(true).build();
        Ok(Self(Arc::new(Compiled {
            text: text.map_err(|error| error.to_string())?,
            bytes: bytes.map_err(|error| error.to_string())?,
            stored: stored(&pattern),
        })))
    }

    /// Returns whether a line has it.
    pub(super) fn is_in(&self, line: &str) -> bool {
        self.0.text.is_match(line)
    }

    /// Returns whether a line has it, of which these are the bytes.
    pub(super) fn is_in_bytes(&self, line: &[u8]) -> bool {
        self.0.bytes.is_match(line)
    }

    /// Returns what is found in every line on disk that has it, colours left out, and never goes over the end of a line. Other lines
    /// may have it too. `None` if it would be found everywhere.
    pub(super) fn stored(&self) -> Option<&bytes::Regex> {
        self.0.stored.as_ref()
    }
}

fn stored(pattern: &str) -> Option<bytes::Regex> {
    let mut parser = regex_syntax::ParserBuilder::new().case_insensitive(true).build();
    let hir = as_stored(&parser.parse(pattern).ok()?);
    let is_text = hir.properties().minimum_len().is_none_or(|bytes| bytes > 0);
    is_text
        .then(|| bytes::Regex::new(&hir.to_string()).ok())
        .flatten()
}

/// What is on disk for characters that are shown and are not themselves there.
const ESCAPES: [(char, &[u8]); 3] = [('"', br#"\""#), ('\\', br"\\"), ('\t', br"\t")];

/// Returns an expression for text as it is on disk, without what asks for the beginning or the end of a line or a word, and without
/// what would go over the end of a line.
fn as_stored(hir: &Hir) -> Hir {
    let all = |parts: &[Hir]| parts.iter().map(as_stored).collect();
    match hir.kind() {
        HirKind::Empty | HirKind::Look(_) => Hir::empty(),
        HirKind::Literal(text) => {
            let text = String::from_utf8_lossy(&text.0);
            Hir::concat(text.chars().map(stored_letter).collect())
        }
        HirKind::Class(Class::Unicode(class)) => {
            let mut rest = class.clone();
            let special = ESCAPES.iter().map(|(letter, _)| *letter).chain(['\n']);
            let special = special.map(|letter| ClassUnicodeRange::new(letter, letter));
            rest.difference(&ClassUnicode::new(special));
            let has = |letter: &char| {
                class
                    .ranges()
                    .iter()
                    .any(|range| (range.start()..=range.end()).contains(letter))
            };
            let escaped = ESCAPES
                .iter()
                .map(|(letter, _)| *letter)
                .filter(has)
                .map(stored_letter);
            let rest = Hir::class(Class::Unicode(rest));
            Hir::alternation(std::iter::once(rest).chain(escaped).collect())
        }
        // Expressions for text have none.
        HirKind::Class(Class::Bytes(class)) => Hir::class(Class::Bytes(class.clone())),
        HirKind::Repetition(repetition) => Hir::repetition(Repetition {
            sub: Box::new(as_stored(&repetition.sub)),
            ..repetition.clone()
        }),
        HirKind::Capture(capture) => as_stored(&capture.sub),
        HirKind::Concat(parts) => Hir::concat(all(parts)),
        HirKind::Alternation(parts) => Hir::alternation(all(parts)),
    }
}

fn stored_letter(letter: char) -> Hir {
    let escaped = ESCAPES.iter().find(|(escaped, _)| *escaped == letter);
    match (letter, escaped) {
        ('\n', _) => Hir::fail(),
        (_, Some((_, stored))) => Hir::literal(*stored),
        _ => Hir::literal(letter.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_term_is_a_text_or_an_expression_between_slashes() {
        let is_match = |text: &str, line: &str| Term::parse(text).expect("it is one").is_in(line);
        assert!(is_match("a.c", "xA.Cx"));
        assert!(!is_match("a.c", "abc"));
        assert!(is_match("/a.c/", "ABC"));
        assert!(is_match("//", "https://example.com"), "two slashes are a text");
        assert!(Term::parse("/(/").is_err());
    }

    #[track_caller]
    fn check_stored(term: &str, line: &str, expected: Option<bool>) {
        let term = Term::parse(term).expect("it is one");
        let found = term.stored().map(|stored| stored.is_match(line.as_bytes()));
        assert_eq!(found, expected, "{line}");
    }

    #[test]
    fn on_disk_it_has_escapes_and_no_place() {
        check_stored("/^1.$/", "x1\\\"x", Some(true));
        check_stored("/^1.$/", "1", Some(false));
        check_stored("1\"", "1\\\"", Some(true));
        check_stored("1\"", "1\"", Some(false));
        check_stored("/\\b1\\s\\\\+x\\B/", "1\\t\\\\\\\\x", Some(true));
        check_stored("/1[^a]2/", "1\n2", Some(false));
        check_stored("/^1*$/", "", None);
        check_stored("/^/", "", None);
    }

    proptest! {
        #[test]
        fn a_line_that_has_it_is_found_among_others(
            term in "(/\\^?(\\\\b|[ab.\"]|\\[\\^a\\]|\\\\s|\\\\\\\\|\\(a\\|B\\)|[ab][*+?]){1,4}\\$?/|[ab \"\\\\\t]{1,3})",
            lines in prop::collection::vec("[abAB ü\"\\\\\t]{0,6}", 1..6),
        ) {
            let Ok(term) = Term::parse(&term) else { return Ok(()) };
            let Some(stored) = term.stored() else { return Ok(()) };
            let quoted = lines.iter().map(|line| serde_json::to_string(line).expect("a text")).collect::<Vec<_>>();
            let text = quoted.join("\n");
            let mut start = 0;
            for (line, quoted) in lines.iter().zip(&quoted) {
                let end = start + quoted.len();
                let is_found = stored.find_at(text.as_bytes(), start).is_some_and(|found| found.end() <= end);
                prop_assert!(is_found || !term.is_in(line), "{term:?} in {line:?} of {text:?}");
                prop_assert_eq!(term.is_in(line), term.is_in_bytes(line.as_bytes()));
                start = end + 1;
            }
        }
    }
}
