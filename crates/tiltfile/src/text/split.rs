//! Text taken apart.

/// Returns the words between white space; after `most` cuts the rest is one piece.
pub(super) fn words(text: &str, most: Option<usize>) -> Vec<&str> {
    let Some(most) = most else {
        return text.split_whitespace().collect();
    };
    let mut words = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        let end = rest.find(char::is_whitespace);
        match end.filter(|_| words.len() < most) {
            Some(end) => {
                words.push(&rest[..end]);
                rest = rest[end..].trim_start();
            }
            None => {
                words.push(rest);
                break;
            }
        }
    }
    words
}

/// As [`words`], from the end.
pub(super) fn last_words(text: &str, most: Option<usize>) -> Vec<&str> {
    let Some(most) = most else {
        return text.split_whitespace().collect();
    };
    let mut words = Vec::new();
    let mut rest = text.trim_end();
    while !rest.is_empty() {
        let space = rest.char_indices().rev().find(|(_, c)| c.is_whitespace());
        match space.filter(|_| words.len() < most) {
            Some((at, space)) => {
                words.push(&rest[at + space.len_utf8()..]);
                rest = rest[..at].trim_end();
            }
            None => {
                words.push(rest);
                break;
            }
        }
    }
    words.reverse();
    words
}

/// Returns the lines of a text. Only `\n` ends one.
pub(super) fn lines(text: &str, keep_ends: bool) -> Vec<&str> {
    let lines = text.split_inclusive('\n');
    lines
        .map(|line| {
            if keep_ends {
                line
            } else {
                line.strip_suffix('\n').unwrap_or(line)
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_cut_from_either_end() {
        assert_eq!(words("  a b  c ", None), ["a", "b", "c"]);
        assert_eq!(words("  a b  c ", Some(1)), ["a", "b  c "]);
        assert_eq!(words(" a ", Some(0)), ["a "]);
        assert_eq!(last_words(" a  b c ", Some(1)), [" a  b", "c"]);
        assert_eq!(last_words("   ", Some(1)), [""; 0]);
    }

    #[test]
    fn only_a_newline_ends_a_line() {
        assert_eq!(lines("a\r\nb\rc\n\n", false), ["a\r", "b\rc", ""]);
        assert_eq!(lines("a\nb", true), ["a\n", "b"]);
        assert_eq!(lines("", false), [""; 0]);
    }
}
