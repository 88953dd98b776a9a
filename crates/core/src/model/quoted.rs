//! Text in quotes, as Go writes it.

use std::fmt::Write as _;

use super::octets::{joined, stray};

/// Writes a text in double quotes. What cannot be seen is escaped as in a Go program.
pub fn write_quoted(text: &str, out: &mut String) {
    out.push('"');
    for character in joined(text).chars() {
        if let Some(byte) = stray(character) {
            let _ = write!(out, "\\x{byte:02x}");
            continue;
        }
        match character {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\x07' => out.push_str("\\a"),
            '\x08' => out.push_str("\\b"),
            '\x0b' => out.push_str("\\v"),
            '\x0c' => out.push_str("\\f"),
            c if c.is_ascii_control() => {
                let _ = write!(out, "\\x{:02x}", c as u32);
            }
            c if is_hidden(c) && (c as u32) < 0x1_0000 => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c if is_hidden(c) => {
                let _ = write!(out, "\\U{:08x}", c as u32);
            }
            c => out.push(c),
        }
    }
    out.push('"');
}

/// Returns whether a character cannot be seen: Rust's own notion of that is Unicode's, as is Go's.
fn is_hidden(character: char) -> bool {
    !character.is_ascii() && character.escape_debug().count() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_quoted_as_in_go() {
        let quoted = |text: &str| {
            let mut out = String::new();
            write_quoted(text, &mut out);
            out
        };
        assert_eq!(quoted("a\"b\\\n\t'"), "\"a\\\"b\\\\\\n\\t'\"");
        assert_eq!(quoted("ü😀é"), "\"ü😀é\"");
        assert_eq!(quoted("\u{200b}\x7f\x01"), "\"\\u200b\\x7f\\x01\"");
    }
}
