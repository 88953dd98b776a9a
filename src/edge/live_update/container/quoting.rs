//! Names as a shell and as a journal read them: any bytes but NUL.

use std::ffi::OsStr;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// Appends text in single quotes, as every shell reads them.
pub(super) fn quote(bytes: &[u8], script: &mut Vec<u8>) {
    script.push(b'\'');
    for byte in bytes {
        if *byte == b'\'' {
            script.extend_from_slice(b"'\\''");
        } else {
            script.push(*byte);
        }
    }
    script.push(b'\'');
}

/// Appends a path in single quotes.
pub(super) fn quote_path(path: impl AsRef<OsStr>, script: &mut Vec<u8>) {
    quote(path.as_ref().as_bytes(), script);
}

/// Returns a path as a word of plain characters: what is none is `%` and two hex digits.
pub fn encode(path: &Path) -> String {
    let mut word = String::new();
    for byte in path.as_os_str().as_bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'/' | b'.' | b'_' | b'-' | b'+' => {
                word.push(char::from(*byte));
            }
            other => word.push_str(&format!("%{other:02x}")),
        }
    }
    word
}

/// Returns the path that a word stands for; `None` where it stands for none.
pub fn decode(word: &str) -> Option<PathBuf> {
    let mut bytes = Vec::with_capacity(word.len());
    let mut rest = word.as_bytes();
    while let Some((byte, after)) = rest.split_first() {
        rest = after;
        if *byte != b'%' {
            bytes.push(*byte);
            continue;
        }
        let (digits, after) = rest.split_at_checked(2)?;
        bytes.push(u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?);
        rest = after;
    }
    Some(PathBuf::from(std::ffi::OsString::from_vec(bytes)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn a_word_stands_for_one_path(bytes in proptest::collection::vec(1u8..=255, 0..40)) {
            let path = Path::new(OsStr::from_bytes(&bytes));
            let word = encode(path);
            prop_assert!(word.bytes().all(|byte| byte.is_ascii_graphic()));
            prop_assert_eq!(decode(&word), Some(path.to_owned()));
        }
    }

    #[test]
    fn a_word_that_is_cut_stands_for_none() {
        assert_eq!(decode("/a%2"), None);
        assert_eq!(decode("/a%zz"), None);
    }

    #[test]
    fn quotes_hold_quotes() {
        let mut script = Vec::new();
        quote(b"it's\n$(x)", &mut script);
        assert_eq!(script, b"'it'\\''s\n$(x)'");
    }
}
