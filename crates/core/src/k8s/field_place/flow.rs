//! Fields in flow style, such as `{a: [b, {c: 1}]}` and JSON.

use super::step::Step;

/// Returns line, column and width of the field that the steps lead to, or of the last one on the way; `None` when there is
/// none. The value stands at line and column, behind a key or a dash if `has_key`.
pub(super) fn locate(
    text: &str,
    line: usize,
    column: usize,
    has_key: bool,
    steps: &[Step],
) -> Option<(usize, usize, usize)> {
    let line_start: usize = text.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let skipped = text[line_start..].chars().take(column - 1).map(char::len_utf8);
    let mut at = line_start + skipped.sum::<usize>();
    if has_key {
        let rest = text[at..].lines().next()?;
        at += rest.find(['{', '['])?;
    }
    let mut found = None;
    for step in steps {
        let Some((entry, value)) = find(text, at, step) else {
            break;
        };
        found = Some((entry, value_end(text, value)));
        at = value;
    }
    found.map(|(start, end)| place(text, start, end))
}

/// Returns where an entry of the map or list at `at` begins, and where its value does.
fn find(text: &str, at: usize, step: &Step) -> Option<(usize, usize)> {
    let mut at = skip_blank(text, at);
    let is_map = text[at..].starts_with('{');
    if is_map != matches!(step, Step::Key(_)) || !text[at..].starts_with(['{', '[']) {
        return None;
    }
    at += 1;
    for index in 0.. {
        at = skip_blank(text, at);
        let entry = at;
        if at >= text.len() || text[at..].starts_with(['}', ']']) {
            return None;
        }
        let mut is_wanted = matches!(step, Step::Item(wanted) if *wanted == index);
        if is_map {
            let end = key_end(text, at);
            let key = text[at..end].trim().trim_matches(['"', '\'']);
            is_wanted = matches!(step, Step::Key(wanted) if wanted == key);
            at = skip_blank(text, (end + 1).min(text.len()));
        }
        if is_wanted {
            return Some((entry, at));
        }
        at = skip_blank(text, value_end(text, at));
        if text[at..].starts_with(',') {
            at += 1;
        }
    }
    None
}

/// Returns where the colon behind a key stands.
fn key_end(text: &str, at: usize) -> usize {
    let start = match text[at..].chars().next() {
        Some('"' | '\'') => value_end(text, at),
        _ => at,
    };
    text[start..].find(':').map_or(text.len(), |colon| start + colon)
}

fn skip_blank(text: &str, at: usize) -> usize {
    let rest = &text[at..];
    at + rest.len() - rest.trim_start().len()
}

/// Returns where a value ends.
fn value_end(text: &str, at: usize) -> usize {
    let (mut depth, mut quote, mut escaped) = (0_usize, None, false);
    // A quote within a plain text is an apostrophe.
    let mut begins = true;
    for (offset, c) in text[at..].char_indices() {
        let end = at + offset + c.len_utf8();
        match (quote, c) {
            (Some('"'), '\\') if !escaped => {
                escaped = true;
                continue;
            }
            (Some(open), c) if c == open && !escaped => {
                quote = None;
                if depth == 0 {
                    return end;
                }
            }
            (Some(_), _) => {}
            (None, '"' | '\'') if begins => quote = Some(c),
            (None, '{' | '[') => depth += 1,
            (None, '}' | ']' | ',' | '\n') if depth == 0 => return at + offset,
            (None, '}' | ']') => {
                depth -= 1;
                if depth == 0 {
                    return end;
                }
            }
            (None, _) => {}
        }
        escaped = false;
        begins = matches!(c, '{' | '[' | ',' | ':') || begins && c.is_whitespace();
    }
    text.len()
}

fn place(text: &str, start: usize, end: usize) -> (usize, usize, usize) {
    let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
    let line = text[..start].matches('\n').count() + 1;
    let column = text[line_start..start].chars().count() + 1;
    let shown = text[start..end].lines().next().unwrap_or_default();
    (line, column, shown.trim_end().chars().count().max(1))
}
