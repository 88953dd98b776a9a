//! String literals as Go's scanner reads them, where the evaluator's reads them otherwise.

/// A literal in a text.
pub(super) struct Literal {
    /// Where it ends.
    pub(super) end: usize,
    /// What to write instead, so that the evaluator reads what is meant.
    pub(super) instead: Option<String>,
    /// Why Go's scanner refuses it.
    pub(super) problem: Option<String>,
}

/// Returns the literal that begins at a place, with its prefix. `end_of` finds the end of one from its quote.
pub(super) fn literal(text: &str, at: usize, end_of: impl Fn(usize) -> usize) -> Option<Literal> {
    let rest = &text.as_bytes()[at..];
    let is_inside_word = at > 0 && is_word(text.as_bytes()[at - 1]);
    let prefix = match rest {
        [b'"' | b'\'', ..] => 0,
        [b'r' | b'b', b'"' | b'\'', ..] if !is_inside_word => 1,
        [b'r', b'b', b'"' | b'\'', ..] if !is_inside_word => 2,
        _ => return None,
    };
    let (is_raw, is_bytes) = (rest[..prefix].contains(&b'r'), rest[..prefix].contains(&b'b'));
    let end = end_of(at + prefix);
    let quoted = &text[at + prefix..end];
    Some(Literal {
        end,
        instead: (is_raw && quoted.contains('\\')).then(|| unraw(quoted, is_bytes)),
        problem: if is_raw { None } else { problem(quoted, is_bytes) },
    })
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii()
}

/// Returns the same text as a literal that is not raw: in a raw one a backslash is kept also before a quote.
fn unraw(quoted: &str, is_bytes: bool) -> String {
    let mut out = String::with_capacity(quoted.len() + 8);
    if is_bytes {
        out.push('b');
    }
    let mut characters = quoted.chars();
    while let Some(character) = characters.next() {
        if character != '\\' {
            out.push(character);
            continue;
        }
        out.push_str("\\\\");
        match characters.next() {
            Some('\\') => out.push_str("\\\\"),
            Some(quote @ ('"' | '\'')) => out.extend(['\\', quote]),
            other => out.extend(other),
        }
    }
    out
}

fn problem(quoted: &str, is_bytes: bool) -> Option<String> {
    let mut rest = quoted;
    while let Some(at) = rest.find('\\') {
        let escape = &rest[at + 1..];
        let first = escape.chars().next()?;
        rest = &escape[first.len_utf8()..];
        let code = match first {
            'x' => u32::from_str_radix(escape.get(1..3)?, 16).ok()?,
            '0'..='7' => {
                let n_digits = escape
                    .bytes()
                    .take(3)
                    .take_while(|b| matches!(b, b'0'..=b'7'))
                    .count();
                u32::from_str_radix(&escape[..n_digits], 8).ok()?
            }
            'a' | 'b' | 'f' | 'n' | 'r' | 't' | 'v' | 'u' | 'U' | '\\' | '\'' | '"' | '\n' | '\r' => 0,
            other => return Some(format!("invalid escape sequence \\{other}")),
        };
        if code > 0x7f && !is_bytes {
            let (kind, written) = match first {
                'x' => ("hex", escape.get(..3)?),
                _ => ("octal", escape.get(..3)?),
            };
            return Some(format!(
                "non-ASCII {kind} escape \\{written} (use \\u{code:04X} for the UTF-8 encoding of U+{code:04X})"
            ));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Literal {
        literal(text, 0, |_| text.len()).expect("a literal")
    }

    #[test]
    fn raw_literals_keep_every_backslash() {
        assert_eq!(of(r#"r"\"dq\"""#).instead.as_deref(), Some(r#""\\\"dq\\\"""#));
        assert_eq!(of(r"r'a\nb\\'").instead.as_deref(), Some(r"'a\\nb\\\\'"));
        assert_eq!(of(r"rb'\x'").instead.as_deref(), Some(r"b'\\x'"));
        assert_eq!(of("r'a'").instead, None);
    }

    #[test]
    fn escapes_of_half_a_character_and_unknown_ones_are_refused() {
        assert_eq!(
            of(r"'\x85'").problem.as_deref(),
            Some(r"non-ASCII hex escape \x85 (use \u0085 for the UTF-8 encoding of U+0085)")
        );
        assert_eq!(
            of(r"'\377'").problem.as_deref(),
            Some(r"non-ASCII octal escape \377 (use \u00FF for the UTF-8 encoding of U+00FF)")
        );
        assert_eq!(
            of(r"'\d'").problem.as_deref(),
            Some(r"invalid escape sequence \d")
        );
        for good in [r"b'\x85'", r"'\x7f\0\'\u00e9'", r"r'\d'", "'\\\n'"] {
            assert_eq!(of(good).problem, None, "{good}");
        }
    }
}
