//! Bytes that are no UTF-8, carried in text.
//!
//! A file, what a command prints and a variable may hold any bytes, and a Tiltfile passes them on as text. In such a text a
//! byte that is no UTF-8 stands as one of the last 128 characters that Unicode has room for, which nobody uses.
//! [`text_of`] and [`bytes_of`] lead there and back and lose nothing: where those characters themselves are read, each of
//! their bytes stands by itself.

use std::borrow::Cow;

/// The character that stands for the byte 0x80; those of the others follow.
const FIRST: char = '\u{10ff80}';

/// Returns the byte that a character stands for, if it stands for one.
pub fn stray(character: char) -> Option<u8> {
    let beyond = (character as u32).checked_sub(FIRST as u32)?;
    u8::try_from(0x80 + beyond).ok()
}

/// Returns whether a text holds bytes that are no UTF-8.
pub fn has_strays(text: &str) -> bool {
    // Few texts have any character that begins with this byte.
    text.as_bytes().contains(&0xf4) && text.chars().any(|c| stray(c).is_some())
}

/// Returns bytes as text.
pub fn text_of(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) if !has_strays(text) => text.to_owned(),
        _ => {
            let mut text = String::with_capacity(bytes.len() + 16);
            for chunk in bytes.utf8_chunks() {
                for character in chunk.valid().chars() {
                    match stray(character) {
                        None => text.push(character),
                        Some(_) => character
                            .encode_utf8(&mut [0; 4])
                            .bytes()
                            .for_each(|byte| push_stray(byte, &mut text)),
                    }
                }
                chunk
                    .invalid()
                    .iter()
                    .for_each(|byte| push_stray(*byte, &mut text));
            }
            text
        }
    }
}

fn push_stray(byte: u8, text: &mut String) {
    let character = char::from_u32(FIRST as u32 + u32::from(byte) - 0x80);
    text.push(character.unwrap_or(char::REPLACEMENT_CHARACTER));
}

/// Returns the bytes of a text.
pub fn bytes_of(text: &str) -> Cow<'_, [u8]> {
    if !has_strays(text) {
        return Cow::Borrowed(text.as_bytes());
    }
    let mut bytes = Vec::with_capacity(text.len());
    for character in text.chars() {
        match stray(character) {
            Some(byte) => bytes.push(byte),
            None => bytes.extend(character.encode_utf8(&mut [0; 4]).bytes()),
        }
    }
    Cow::Owned(bytes)
}

/// Joins bytes that came into a text one by one and make a character together.
pub fn joined(text: &str) -> Cow<'_, str> {
    if has_strays(text) {
        Cow::Owned(text_of(&bytes_of(text)))
    } else {
        Cow::Borrowed(text)
    }
}

/// Returns a text as it can be shown: U+FFFD for each byte that is no UTF-8.
pub fn shown(text: &str) -> Cow<'_, str> {
    match joined(text) {
        Cow::Borrowed(text) => Cow::Borrowed(text),
        Cow::Owned(text) => Cow::Owned(text.replace(|c| stray(c).is_some(), "\u{fffd}")),
    }
}

/// Returns the line and the column, counted from 1, of the first byte that is no UTF-8.
pub fn first_stray(text: &str) -> Option<(usize, usize)> {
    if !has_strays(text) {
        return None;
    }
    let at = text.find(|c| stray(c).is_some())?;
    let before = &text[..at];
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    Some((
        before.matches('\n').count() + 1,
        before[line_start..].chars().count() + 1,
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn bytes_that_are_no_text_are_shown_one_by_one() {
        assert_eq!(shown(&text_of(b"caf\xe9!")), "caf\u{fffd}!");
        assert_eq!(shown(&text_of(&"日".as_bytes()[..2])), "\u{fffd}\u{fffd}");
        assert_eq!(shown("日本😀"), "日本😀");
    }

    #[test]
    fn pieces_of_a_character_make_it_again() {
        let pieces = format!("{}{}", text_of(b"\xc3"), text_of(b"\xa9"));
        assert_eq!(shown(&pieces), "é");
        assert_eq!(joined(&pieces), "é");
    }

    #[test]
    fn the_first_stray_byte_has_a_place() {
        assert_eq!(first_stray(&text_of(b"a: 1\nb: \xff\n")), Some((2, 4)));
        assert_eq!(first_stray("a: ü\n"), None);
    }

    proptest! {
        #[test]
        fn no_byte_is_lost(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let text = text_of(&bytes);
            let back = bytes_of(&text);
            prop_assert_eq!(back.as_ref(), bytes.as_slice());
        }

        #[test]
        fn the_characters_that_stand_for_bytes_survive_too(text in "[\u{10ff70}-\u{10ffff}a]{0,4}") {
            let carried = text_of(text.as_bytes());
            let bytes = bytes_of(&carried);
            prop_assert_eq!(bytes.as_ref(), text.as_bytes());
        }
    }
}
