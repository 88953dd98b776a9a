//! What of a program's output is shown: its text, tabs and colours. What would rule the terminal (cursor, screen, title,
//! bells) is left out, and a line that is overwritten with carriage returns is what it is at its end. Pure.

use std::borrow::Cow;

/// The longest part of an escape sequence that is waited for.
const LONGEST_CUT: usize = 4096;
/// The longest colours that are remembered.
const LONGEST_COLOUR: usize = 256;
/// Ends all colours.
pub(super) const RESET: &str = "\x1b[0m";

/// Follows one line, in as many pieces as it comes.
#[derive(Debug, Default)]
pub(super) struct Visible {
    /// The beginning of an escape sequence, its end still to come.
    cut: String,
    /// What set the present colour.
    colour: String,
    /// Whether what comes next overwrites the line.
    is_returned: bool,
}

/// What a piece shows.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Shown<'a> {
    /// Whether it takes the place of what the line has shown so far.
    pub(super) overwrites: bool,
    pub(super) text: Cow<'a, str>,
}

/// Returns what is shown of a whole line, without its end.
pub fn visible(line: &str) -> Cow<'_, str> {
    if is_plain(line) {
        return line.into();
    }
    let mut state = Visible::default();
    let text = state.show(line).text.into_owned();
    (text + state.end()).into()
}

/// Returns whether there is nothing to leave out.
fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_control = |byte: &u8| (*byte < 0x20 && *byte != b'\t') || *byte == 0x7f;
    !bytes.iter().any(is_control) && !bytes.windows(2).any(|pair| pair[0] == 0xc2 && pair[1] < 0xa0)
}

impl Visible {
    /// Returns what the next piece of the line shows.
    pub(super) fn show<'a>(&mut self, piece: &'a str) -> Shown<'a> {
        if self.cut.is_empty() && !self.is_returned && is_plain(piece) {
            return Shown {
                overwrites: false,
                text: piece.into(),
            };
        }
        let all = std::mem::take(&mut self.cut) + piece;
        let mut shown = Shown::default();
        let mut rest = all.as_str();
        while let Some(first) = rest.chars().next() {
            let len = match first {
                '\x1b' => match Sequence::of(rest) {
                    Sequence::Colour(len) => {
                        self.set_colour(&rest[..len], shown.text.to_mut());
                        len
                    }
                    Sequence::Erase(len) => {
                        let is_rest = matches!(&rest[2..len - 1], "" | "0");
                        if self.is_returned || !is_rest {
                            self.overwrite(&mut shown);
                        }
                        len
                    }
                    Sequence::Other(len) => len,
                    Sequence::Cut if rest.len() <= LONGEST_CUT => {
                        self.cut = rest.to_owned();
                        break;
                    }
                    Sequence::Cut => 1,
                },
                '\r' => {
                    self.is_returned = true;
                    1
                }
                '\t' | ' '..='~' | '\u{a0}'.. => {
                    if self.is_returned {
                        self.overwrite(&mut shown);
                    }
                    shown.text.to_mut().push(first);
                    first.len_utf8()
                }
                _ => first.len_utf8(),
            };
            rest = &rest[len..];
        }
        shown
    }

    /// Returns what ends the line.
    pub(super) fn end(&mut self) -> &'static str {
        let was_coloured = self.is_coloured();
        *self = Self::default();
        if was_coloured { RESET } else { "" }
    }

    pub(super) fn is_coloured(&self) -> bool {
        !self.colour.is_empty()
    }

    fn overwrite(&mut self, shown: &mut Shown<'_>) {
        self.is_returned = false;
        shown.overwrites = true;
        shown.text = Cow::Owned(self.colour.clone());
    }

    fn set_colour(&mut self, sequence: &str, out: &mut String) {
        let last = sequence[2..sequence.len() - 1]
            .rsplit(';')
            .next()
            .unwrap_or_default();
        if last.trim_start_matches('0').is_empty() {
            self.colour.clear();
        } else if self.colour.len() + sequence.len() <= LONGEST_COLOUR {
            self.colour.push_str(sequence);
        } else {
            return;
        }
        out.push_str(sequence);
    }
}

/// What an escape sequence does, and how long it is.
enum Sequence {
    Colour(usize),
    /// It erases the line, or more.
    Erase(usize),
    Other(usize),
    /// Its end is not there.
    Cut,
}

impl Sequence {
    /// Returns the sequence that a text begins with.
    ///
    /// Rule: ECMA-48, 5.4 and 8.3; `ESC ]` and the like end with `BEL` too, as in xterm.
    fn of(text: &str) -> Self {
        let bytes = text.as_bytes();
        match bytes.get(1) {
            None => Self::Cut,
            Some(b'[') => {
                let is_inner = |byte: &&u8| matches!(**byte, 0x20..=0x3f);
                let end = 2 + bytes[2..].iter().take_while(is_inner).count();
                let is_colour = bytes[2..end]
                    .iter()
                    .all(|byte| matches!(byte, b'0'..=b'9' | b';' | b':'));
                match bytes.get(end) {
                    None => Self::Cut,
                    Some(b'm') if is_colour => Self::Colour(end + 1),
                    Some(b'J' | b'K') => Self::Erase(end + 1),
                    Some(0x40..=0x7e) => Self::Other(end + 1),
                    // It is broken off: what follows is text again.
                    Some(_) => Self::Other(end),
                }
            }
            Some(b']' | b'P' | b'X' | b'^' | b'_') => {
                let ends = [("\x07", 1), ("\x1b\\", 2), ("\u{9c}", 2)];
                let ends = ends.iter().filter_map(|(end, len)| Some(text.find(end)? + len));
                ends.min().map_or(Self::Cut, Self::Other)
            }
            Some(_) => {
                let end = 1 + bytes[1..]
                    .iter()
                    .take_while(|byte| matches!(byte, 0x20..=0x2f))
                    .count();
                match bytes.get(end) {
                    None => Self::Cut,
                    Some(0x30..=0x7e) => Self::Other(end + 1),
                    Some(_) => Self::Other(end),
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: &str) {
        assert_eq!(visible(line), expected, "{line:?}");
    }

    #[test]
    fn text_is_shown_as_it_is() {
        check("a\tb … ü 漢 \u{10ff9b}", "a\tb … ü 漢 \u{10ff9b}");
        check("", "");
    }

    #[test]
    fn of_a_line_that_is_overwritten_the_last_state_is_shown() {
        check("\rdownload 1/6\rdownload 2/6", "download 2/6");
        check("50 %\r100 %\r", "100 %");
        check("windows\r", "windows");
        check("\r\r", "");
        check("working\r\x1b[Kdone", "done");
        check("working\x1b[2K", "");
        // As gcc writes it.
        check("\x1b[01m\x1b[Ka.c:\x1b[m\x1b[K no", "\x1b[01ma.c:\x1b[m no");
        check("\x1b[32m1\r2\r", "\x1b[32m2\x1b[0m");
    }

    #[test]
    fn colours_pass_and_end_with_the_line() {
        check("\x1b[31mred", "\x1b[31mred\x1b[0m");
        check("\x1b[31mred\x1b[0m", "\x1b[31mred\x1b[0m");
        check("\x1b[1;38;5;12mx\x1b[m", "\x1b[1;38;5;12mx\x1b[m");
        check("\x1b[0;1mx", "\x1b[0;1mx\x1b[0m");
        check("\x1b[38:2::1:2:3mx\x1b[00m", "\x1b[38:2::1:2:3mx\x1b[00m");
    }

    #[test]
    fn what_rules_the_terminal_is_left_out() {
        for control in [
            "\x1b[2J\x1b[H",
            "\x1b[?25l",
            "\x1b[10;20H",
            "\x1b[1A",
            "\x1b[>4;1m",
            "\x1b]0;title\x07",
            "\x1b]8;;https://example.com\x1b\\",
            "\x1bPq#0\x1b\\",
            "\x1b(0",
            "\x1bc",
            "\x1b7",
            "\x07",
            "\x08",
            "\x0e",
            "\x7f",
            "\u{9b}",
            "\u{85}",
        ] {
            check(
                &format!("{control}a{control}b"),
                if control.contains("[2J") { "b" } else { "ab" },
            );
        }
        check("a\x1b", "a");
        check("a\x1b[3", "a");
        check("a\x1b]0;never ends", "a");
        check("a\x1b[1üb", "aüb");
    }

    #[test]
    fn a_sequence_over_two_pieces_stays_whole() {
        let mut line = Visible::default();
        assert_eq!(line.show("a\x1b[3").text, "a");
        assert_eq!(line.show("1mred").text, "\x1b[31mred");
        assert!(line.is_coloured());
        let next = line.show("\rnext");
        assert!(next.overwrites);
        assert_eq!(next.text, "\x1b[31mnext");
        assert_eq!((line.end(), line.end()), (RESET, ""));
    }

    #[test]
    fn the_end_of_an_overlong_sequence_is_not_waited_for() {
        let mut line = Visible::default();
        let long = format!("\x1b]{}", "x".repeat(LONGEST_CUT));
        assert!(line.show(&long).text.ends_with("xxx"));
    }
}
