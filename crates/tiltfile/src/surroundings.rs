//! What surrounds a place in a text that could not be parsed: the words for a fault depend on it.

use super::rewrite::token_end;

/// The innermost bracket that is open at a place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bracket {
    /// That of a call's arguments or a function's parameters.
    Arguments,
    /// Any other.
    Other,
}

/// Returns the innermost bracket that is open before a byte offset.
pub(super) fn open_bracket(text: &str, offset: usize) -> Option<Bracket> {
    let mut open = Vec::new();
    let mut at = 0;
    let mut follows_name = false;
    while at < offset.min(text.len()) {
        let byte = text.as_bytes()[at];
        match byte {
            b'(' if follows_name => open.push(Bracket::Arguments),
            b'(' | b'[' | b'{' => open.push(Bracket::Other),
            b')' | b']' | b'}' => {
                open.pop();
            }
            _ => {}
        }
        if byte != b' ' {
            follows_name = byte.is_ascii_alphanumeric() || b"_)]".contains(&byte) || !byte.is_ascii();
        }
        at = token_end(text, at);
    }
    open.pop()
}

/// Brackets may be nested this deep.
pub(super) const MAX_BRACKETS: usize = 500;
/// An expression may have this many operators in a row.
pub(super) const MAX_OPERATORS: usize = 5_000;

/// Returns why the parser and the compiler, which recurse, had better not see a text.
pub(super) fn too_deep(text: &str) -> Option<String> {
    // For each open bracket, the operators since the last comma.
    let mut operators = vec![0_usize];
    let mut at = 0;
    let mut in_word = false;
    while at < text.len() {
        let byte = text.as_bytes()[at];
        let depth = operators.len();
        let count = operators.last_mut()?;
        match byte {
            b'(' | b'[' | b'{' => {
                *count += 1;
                operators.push(0);
            }
            b')' | b']' | b'}' if depth > 1 => {
                operators.pop();
            }
            b',' => *count = 0,
            b'\n' if depth == 1 => *count = 0,
            b'+' | b'-' | b'*' | b'/' | b'%' | b'|' | b'&' | b'^' | b'~' | b'<' | b'>' | b'.' => *count += 1,
            b'a' | b'e' | b'l' | b'n' | b'o' if !in_word && is_operator(&text[at..]) => *count += 1,
            _ => {}
        }
        if operators.len() > MAX_BRACKETS {
            return Some(format!(
                "more than {MAX_BRACKETS} brackets are open within one another"
            ));
        }
        if operators.last().is_some_and(|count| *count > MAX_OPERATORS) {
            return Some(format!(
                "an expression has more than {MAX_OPERATORS} operators in a row"
            ));
        }
        in_word = byte.is_ascii_alphanumeric() || byte == b'_' || !byte.is_ascii();
        at = token_end(text, at);
    }
    None
}

/// Returns whether a text begins with an operator that is a word.
fn is_operator(text: &str) -> bool {
    ["and", "else", "lambda", "not", "or"].iter().any(|word| {
        text.strip_prefix(word)
            .is_some_and(|rest| !rest.starts_with(|c: char| c.is_alphanumeric() || c == '_'))
    })
}

/// Returns what kind of block a statement stands in.
pub(super) fn block(text: &str, offset: usize) -> &'static str {
    let indentation = |line: &str| line.len() - line.trim_start().len();
    let before = text.get(..offset).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |at| at + 1);
    let own = indentation(text.get(start..).unwrap_or_default());
    let outer = before[..start]
        .lines()
        .rev()
        .find(|line| !line.trim().is_empty() && indentation(line) < own);
    // The statement may also stand behind the colon.
    let head = outer.unwrap_or(&before[start..]).trim_start();
    match head.split(|c: char| !c.is_alphanumeric()).next() {
        Some("for" | "while") => "loop",
        Some("def") => "function",
        _ => "conditional",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bracket_after_a_name_begins_arguments() {
        let at_end = |text: &str| open_bracket(text, text.len());
        assert_eq!(at_end("f('(' "), Some(Bracket::Arguments));
        assert_eq!(at_end("x = ( 1 "), Some(Bracket::Other));
        assert_eq!(at_end("f([1, # )\n"), Some(Bracket::Other));
        assert_eq!(at_end("f()(1"), Some(Bracket::Arguments));
        assert_eq!(at_end("f()"), None);
    }

    #[test]
    fn only_brackets_and_operators_within_one_expression_count() {
        let list = format!("x = [{}]", "-1, (1 + 2), ".repeat(10_000));
        assert_eq!(too_deep(&list), None);
        assert_eq!(too_deep(&"x = '((((' + (1)\n".repeat(10_000)), None);
        for text in ["(".repeat(501), "1 + ".repeat(5_001), "not ".repeat(5_001)] {
            assert!(too_deep(&text).is_some(), "{}", &text[..8]);
        }
    }

    #[test]
    fn the_block_is_that_of_the_line_with_less_indentation() {
        let of = |text: &str| block(text, text.find("load").unwrap());
        assert_eq!(of("for a in b:\n\n  load('x')"), "loop");
        assert_eq!(of("def f():\n  x = 1\n  load('x')"), "function");
        assert_eq!(of("if a: load('x')"), "conditional");
    }
}
