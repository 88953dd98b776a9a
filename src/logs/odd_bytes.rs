//! Bytes that are no UTF-8, within text: what a program prints reaches the terminal as it was.
//!
//! In text, such a byte is a character from the last 256 of the last private plane; [`restore`] makes it the byte again.
//! Characters of that range which a program prints itself are taken apart into bytes, so nothing is ambiguous.

use std::borrow::Cow;

/// The character that stands for byte 0.
const FIRST: u32 = 0x10_FF00;

/// Returns bytes as text.
pub fn decode(bytes: &[u8]) -> Cow<'_, str> {
    match std::str::from_utf8(bytes) {
        Ok(text) if !bytes.contains(&0xF4) || !text.contains(is_stand_in) => Cow::Borrowed(text),
        _ => Cow::Owned(decode_slowly(bytes)),
    }
}

fn decode_slowly(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            if is_stand_in(character) {
                let mut buffer = [0; 4];
                let bytes = character.encode_utf8(&mut buffer).bytes();
                text.extend(bytes.filter_map(stand_in));
            } else {
                text.push(character);
            }
        }
        text.extend(chunk.invalid().iter().copied().filter_map(stand_in));
    }
    text
}

/// Returns text as the bytes that it was made of.
pub fn restore(text: Vec<u8>) -> Vec<u8> {
    if !text.contains(&0xF4) {
        return text;
    }
    let mut bytes = Vec::with_capacity(text.len());
    for chunk in text.utf8_chunks() {
        for character in chunk.valid().chars() {
            match u8::try_from(u32::from(character).wrapping_sub(FIRST)) {
                Ok(byte) => bytes.push(byte),
                Err(_) => bytes.extend(character.encode_utf8(&mut [0; 4]).bytes()),
            }
        }
        bytes.extend(chunk.invalid());
    }
    bytes
}

fn is_stand_in(character: char) -> bool {
    u32::from(character) >= FIRST
}

fn stand_in(byte: u8) -> Option<char> {
    char::from_u32(FIRST + u32::from(byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_bytes_come_back() {
        let every_byte: Vec<u8> = (0..=255).collect();
        let own = "a\u{10FFFF}\u{10FF00}\u{1F41F}".as_bytes();
        for bytes in [
            every_byte.as_slice(),
            own,
            b"plain",
            b"caf\xe9 \xff",
            "\u{10FEFF}".as_bytes(),
        ] {
            let text = decode(bytes).into_owned();
            assert_eq!(restore(text.into_bytes()), bytes);
        }
    }
}
