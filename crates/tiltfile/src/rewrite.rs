//! Turns the dialect that Tiltfiles are written in into the one that the evaluator reads: `while` loops, tabs, and the
//! name `assert`. String literals become ones that the evaluator reads as Go does (`string_literals`).
//!
//! `while C:` becomes `for __tick__ in __endless__:` whose suite begins with `if not (C): break`. Tabs outside strings
//! become blanks: indentation goes to eight-column stops, as in Go's scanner. An [`OffsetMap`] leads back.

use std::ops::Range;

use super::string_literals::literal;

/// The name of the variable that a rewritten loop assigns.
pub(super) const TICK: &str = "__tick__";
/// A name that the evaluator reserves and Go's does not. It gets another one.
const ASSERT: &str = "assert";
/// The name of the value that a rewritten loop runs over.
pub(super) const ENDLESS: &str = "__endless__";

/// A rewritten text, and the way back to what was written.
pub(super) struct Rewritten {
    pub(super) text: String,
    pub(super) map: OffsetMap,
    /// Why Go's scanner refuses the text, and what it refuses.
    pub(super) problem: Option<(Range<usize>, String)>,
}

/// Leads from byte offsets of a rewritten text to those of the written one.
#[derive(Clone, Debug, Default)]
pub(super) struct OffsetMap {
    pieces: Vec<Piece>,
    /// Leads further back: a text may be rewritten twice.
    before: Option<Box<OffsetMap>>,
}

#[derive(Clone, Copy, Debug)]
struct Piece {
    new: usize,
    old: usize,
    copied: bool,
}

impl OffsetMap {
    /// Returns where the character at an offset of the rewritten text was written.
    pub(super) fn original(&self, offset: usize) -> usize {
        let after = self.pieces.partition_point(|piece| piece.new <= offset);
        let original = match after.checked_sub(1).map(|at| self.pieces[at]) {
            None => offset,
            Some(piece) if piece.copied => piece.old + (offset - piece.new),
            Some(piece) => piece.old,
        };
        self.before
            .as_ref()
            .map_or(original, |before| before.original(original))
    }

    /// Returns the way back through the text that this one was made of.
    pub(super) fn after(mut self, before: Self) -> Self {
        self.before = (!before.pieces.is_empty()).then(|| Box::new(before));
        self
    }
}

/// Replaces parts of a text, given in order.
pub(super) fn replace(text: &str, parts: impl Iterator<Item = (Range<usize>, String)>) -> Rewritten {
    let mut rewriter = Rewriter::new(text);
    for (range, new) in parts {
        rewriter.copy(range.start);
        rewriter.insert(&new);
        rewriter.at = range.end;
    }
    rewriter.copy(text.len());
    rewriter.rewritten()
}

/// Rewrites a text. Most need no change, and are returned as they are.
pub(super) fn rewrite(text: &str) -> Rewritten {
    if !text.contains(['\t', '\\']) && !text.contains("while") && !text.contains(ASSERT) {
        return Rewritten {
            text: text.to_owned(),
            map: OffsetMap::default(),
            problem: None,
        };
    }
    let mut rewriter = Rewriter::new(text);
    while rewriter.at < text.len() {
        rewriter.logical_line();
    }
    rewriter.rewritten()
}

struct Rewriter<'a> {
    text: &'a str,
    at: usize,
    out: String,
    map: Vec<Piece>,
    problem: Option<(Range<usize>, String)>,
}

impl<'a> Rewriter<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            text,
            at: 0,
            out: String::with_capacity(text.len() + 64),
            map: Vec::new(),
            problem: None,
        }
    }

    fn rewritten(self) -> Rewritten {
        Rewritten {
            text: self.out,
            map: OffsetMap {
                pieces: self.map,
                before: None,
            },
            problem: self.problem,
        }
    }

    fn logical_line(&mut self) {
        let indent = self.indentation();
        match self.while_condition() {
            Some(condition) => self.while_loop(indent, condition),
            None => self.copy_code(self.statement_end(self.at)),
        }
    }

    fn while_loop(&mut self, indent: usize, condition: Range<usize>) {
        self.insert(&format!("for {TICK} in {ENDLESS}:"));
        self.at = condition.end + 1;
        if self.rest_is_blank() {
            self.copy_code(self.line_end(self.at));
            let body_indent = self.copy_blank_lines();
            self.break_unless(body_indent.max(indent + 1), condition);
        } else {
            self.insert("\n");
            self.break_unless(indent + 1, condition);
            while self.peek() == Some(b' ') || self.peek() == Some(b'\t') {
                self.at += 1;
            }
            self.insert(&" ".repeat(indent + 1));
            self.copy_code(self.statement_end(self.at));
        }
    }

    /// Writes the line that leaves the loop. The condition is copied from where it was written.
    fn break_unless(&mut self, indent: usize, condition: Range<usize>) {
        let resume = self.at;
        self.at = condition.start;
        self.insert(&format!("{}if not (", " ".repeat(indent)));
        self.copy_code(condition.end);
        self.insert("): break\n");
        self.at = resume;
    }

    /// Consumes indentation, writes it as blanks, and returns its width.
    fn indentation(&mut self) -> usize {
        let start = self.at;
        let mut width = 0;
        while let Some(byte) = self.peek() {
            match byte {
                b' ' => width += 1,
                b'\t' => width = (width / 8 + 1) * 8,
                _ => break,
            }
            self.at += 1;
        }
        let end = self.at;
        if width == end - start {
            self.at = start;
            self.copy(end);
        } else {
            self.insert(&" ".repeat(width));
        }
        width
    }

    /// Returns the condition when a `while` stands here.
    fn while_condition(&self) -> Option<Range<usize>> {
        let rest = self.text[self.at..].strip_prefix("while")?;
        if rest.starts_with(|c: char| c.is_alphanumeric() || c == '_') {
            return None;
        }
        let start = self.at + "while".len();
        let mut depth = 0_usize;
        let mut at = start;
        while at < self.text.len() {
            match self.text.as_bytes()[at] {
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                b':' if depth == 0 => return Some(start..at),
                b'\n' if depth == 0 => return None,
                _ => {}
            }
            at = token_end(self.text, at);
        }
        None
    }

    /// Copies blank and comment lines, and returns the indentation of the line after them.
    fn copy_blank_lines(&mut self) -> usize {
        loop {
            let line = &self.text[self.at..self.line_end(self.at)];
            let code = line.trim_start_matches([' ', '\t']);
            if line.is_empty() || !(code.trim().is_empty() || code.starts_with('#')) {
                return line[..line.len() - code.len()].bytes().fold(0, |width, b| {
                    if b == b'\t' {
                        (width / 8 + 1) * 8
                    } else {
                        width + 1
                    }
                });
            }
            self.copy_code(self.line_end(self.at));
        }
    }

    fn rest_is_blank(&self) -> bool {
        let rest = self.text[self.at..self.line_end(self.at)].trim();
        rest.is_empty() || rest.starts_with('#')
    }

    /// Returns the end of the statement's lines: a newline outside brackets and strings.
    fn statement_end(&self, from: usize) -> usize {
        let mut depth = 0_usize;
        let mut at = from;
        while at < self.text.len() {
            match self.text.as_bytes()[at] {
                b'(' | b'[' | b'{' => depth += 1,
                b')' | b']' | b'}' => depth = depth.saturating_sub(1),
                b'\n' if depth == 0 => return at + 1,
                _ => {}
            }
            at = token_end(self.text, at);
        }
        self.text.len()
    }

    fn line_end(&self, from: usize) -> usize {
        self.text[from..]
            .find('\n')
            .map_or(self.text.len(), |n| from + n + 1)
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// Copies up to `end`; tabs outside strings become one blank each.
    fn copy_code(&mut self, end: usize) {
        while self.at < end {
            let mut next = self.at;
            let mut instead = None;
            while next < end && self.text.as_bytes()[next] != b'\t' && !self.is_assert(next) {
                let Some(found) = literal(self.text, next, |quote| string_end(self.text, quote)) else {
                    next = token_end(self.text, next).min(end);
                    continue;
                };
                if let Some(why) = found.problem {
                    self.problem.get_or_insert((next..found.end, why));
                }
                if found.instead.is_some() {
                    instead = found.instead.map(|text| (text, found.end));
                    break;
                }
                next = found.end.min(end);
            }
            self.copy(next);
            if let Some((text, literal_end)) = instead {
                self.insert(&text);
                self.at = literal_end;
                continue;
            }
            if self.at >= end {
                return;
            }
            if self.is_assert(self.at) {
                self.insert("assert_");
                self.at += ASSERT.len();
            } else {
                self.insert(" ");
                self.at += 1;
            }
        }
    }

    /// Returns whether the name `assert` stands here.
    fn is_assert(&self, at: usize) -> bool {
        let is_word = |byte: Option<&u8>| {
            byte.is_some_and(|b| b.is_ascii_alphanumeric() || *b == b'_' || !b.is_ascii())
        };
        let bytes = self.text.as_bytes();
        let before = at.checked_sub(1).and_then(|before| bytes.get(before));
        bytes[at..].starts_with(ASSERT.as_bytes())
            && !is_word(before)
            && !is_word(bytes.get(at + ASSERT.len()))
    }

    fn copy(&mut self, end: usize) {
        self.map.push(Piece {
            new: self.out.len(),
            old: self.at,
            copied: true,
        });
        self.out.push_str(&self.text[self.at..end]);
        self.at = end;
    }

    fn insert(&mut self, text: &str) {
        self.map.push(Piece {
            new: self.out.len(),
            old: self.at,
            copied: false,
        });
        self.out.push_str(text);
    }
}

/// Returns the end of what begins here: a string, a comment, an escaped line end, or one byte.
pub(super) fn token_end(text: &str, at: usize) -> usize {
    match text.as_bytes()[at] {
        b'#' => text[at..].find('\n').map_or(text.len(), |n| at + n),
        b'\\' => (at + 2).min(text.len()),
        b'"' | b'\'' => string_end(text, at),
        _ => at + 1,
    }
}

fn string_end(text: &str, start: usize) -> usize {
    let bytes = text.as_bytes();
    let quote = bytes[start];
    let triple = bytes[start..].starts_with(&[quote; 3]);
    let mut at = start + if triple { 3 } else { 1 };
    while at < bytes.len() {
        match bytes[at] {
            b'\\' => at += 1,
            b'\n' if !triple => return at,
            b if b == quote && !triple => return at + 1,
            b if b == quote && bytes[at..].starts_with(&[quote; 3]) => return at + 3,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(written: &str, expected: &str) {
        assert_eq!(rewrite(written).text, expected);
    }

    #[test]
    fn while_becomes_an_endless_loop_that_breaks() {
        check(
            "n = 0\nwhile n < 3:\n    # up\n    n += 1\nx = n\n",
            "n = 0\nfor __tick__ in __endless__:\n    # up\n    if not ( n < 3): break\n    n += 1\nx = n\n",
        );
        check(
            "while (a[\n  ':']): f(); g()\n",
            "for __tick__ in __endless__:\n if not ( (a[\n  ':'])): break\n f(); g()\n",
        );
    }

    #[test]
    fn the_word_in_strings_and_names_is_left_alone() {
        for text in ["s = '''\nwhile x:\n'''\n", "while_ = 1\n", "# while x:\n"] {
            check(text, text);
        }
    }

    #[test]
    fn the_name_assert_becomes_another() {
        check(
            "assert(x, 'assert')\n# assert\n",
            "assert_(x, 'assert')\n# assert\n",
        );
        check(
            "assertion = my_assert + assert.x\n",
            "assertion = my_assert + assert_.x\n",
        );
    }

    #[test]
    fn tabs_become_blanks_outside_strings() {
        check(
            "if x:\n\ty = '\t'\n  \tz\t= 1\n",
            "if x:\n        y = '\t'\n        z = 1\n",
        );
    }

    #[test]
    fn offsets_lead_back_to_what_was_written() {
        let written = "while fail('x'):\n\tboom(1)\n";
        let rewritten = rewrite(written);
        for word in ["fail", "boom", "1)"] {
            let new = rewritten.text.find(word).unwrap();
            assert_eq!(rewritten.map.original(new), written.find(word).unwrap(), "{word}");
        }
        let inserted = rewritten.text.find("for").unwrap();
        assert_eq!(rewritten.map.original(inserted + 2), 0);
    }
}
