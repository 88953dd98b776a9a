//! From the text of a path to its steps.

use serde_json::Value;

use super::node::{Node, Slice};

/// Parses text with actions in braces.
pub(super) fn path(text: &str) -> Result<Vec<Vec<Node>>, String> {
    let mut parts = Vec::new();
    let mut rest = text;
    while let Some(open) = rest.find('{') {
        if open > 0 {
            parts.push(vec![constant(&rest[..open])]);
        }
        let mut action = Action {
            rest: &rest[open + 1..],
            nodes: Vec::new(),
        };
        action.parse(true)?;
        parts.push(action.nodes);
        rest = action.rest;
    }
    if !rest.is_empty() {
        parts.push(vec![constant(rest)]);
    }
    Ok(parts)
}

fn constant(text: &str) -> Node {
    Node::Constant(Value::String(text.to_owned()))
}

/// Parses steps without braces around them.
fn steps(text: &str) -> Result<Vec<Node>, String> {
    let mut action = Action {
        rest: text,
        nodes: Vec::new(),
    };
    action.parse(false)?;
    Ok(action.nodes)
}

struct Action<'a> {
    rest: &'a str,
    nodes: Vec<Node>,
}

impl<'a> Action<'a> {
    /// Parses steps up to the closing brace, or to the end where there is none.
    fn parse(&mut self, in_braces: bool) -> Result<(), String> {
        loop {
            let Some(first) = self.rest.chars().next() else {
                return if in_braces {
                    Err("unclosed action".to_owned())
                } else {
                    Ok(())
                };
            };
            match first {
                '}' if in_braces => {
                    self.skip(1);
                    return Ok(());
                }
                '\n' | '\r' => return Err("unclosed action".to_owned()),
                ' ' | '@' | '$' => self.skip(1),
                '.' if self.rest.starts_with("..") => self.recursive()?,
                '.' => {
                    self.skip(1);
                    self.field();
                }
                '[' if self.rest.starts_with("[?(") => self.filter()?,
                '[' => self.array()?,
                '"' | '\'' => self.quoted(first)?,
                '+' | '-' | '0'..='9' => self.number()?,
                c if c == '_' || c.is_alphanumeric() => self.word(),
                c => {
                    let code = u32::from(c);
                    return Err(format!("unrecognized character in action: U+{code:04X} '{c}'"));
                }
            }
        }
    }

    fn skip(&mut self, bytes: usize) {
        self.rest = &self.rest[bytes..];
    }

    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        taken
    }

    fn recursive(&mut self) -> Result<(), String> {
        if matches!(self.nodes.last(), Some(Node::Recursive)) {
            return Err("invalid multiple recursive descent".to_owned());
        }
        self.skip(2);
        self.nodes.push(Node::Recursive);
        let next = self.rest.chars().next();
        if next.is_some_and(|c| c == '_' || c.is_alphanumeric()) {
            self.field();
        }
        Ok(())
    }

    fn field(&mut self) {
        let mut name = String::new();
        let mut end = self.rest.len();
        let mut chars = self.rest.char_indices();
        while let Some((at, c)) = chars.next() {
            if c == '\\' {
                name.extend(chars.next().map(|(_, escaped)| escaped));
            } else if is_terminator(c) {
                end = at;
                break;
            } else {
                name.push(c);
            }
        }
        self.skip(end);
        self.nodes.push(match name.as_str() {
            "*" => Node::Wildcard,
            _ => Node::Field(name),
        });
    }

    fn word(&mut self) {
        let word = self.take(self.rest.find(is_terminator).unwrap_or(self.rest.len()));
        self.nodes.push(match word {
            "true" => Node::Constant(true.into()),
            "false" => Node::Constant(false.into()),
            other => Node::Word(other.to_owned()),
        });
    }

    fn number(&mut self) -> Result<(), String> {
        let signed = usize::from(self.rest.starts_with(['+', '-']));
        let digits = &self.rest[signed..];
        let end = digits
            .find(|c: char| c != '.' && !c.is_ascii_digit())
            .unwrap_or(digits.len());
        let text = self.take(signed + end);
        let number = match (text.parse::<i64>(), text.parse::<f64>()) {
            (Ok(whole), _) => Value::from(whole),
            (_, Ok(float)) => Value::from(float),
            _ => return Err(format!("cannot parse number {text}")),
        };
        self.nodes.push(Node::Constant(number));
        Ok(())
    }

    fn quoted(&mut self, quote: char) -> Result<(), String> {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1);
        while let Some((at, c)) = chars.next() {
            match c {
                '\n' => break,
                '\\' => text.extend(chars.next().map(|(_, escaped)| match escaped {
                    'n' => '\n',
                    't' => '\t',
                    other => other,
                })),
                c if c == quote => {
                    self.skip(at + 1);
                    self.nodes.push(constant(&text));
                    return Ok(());
                }
                c => text.push(c),
            }
        }
        Err("unterminated quoted string".to_owned())
    }

    fn array(&mut self) -> Result<(), String> {
        let end = self
            .rest
            .find([']', '\n'])
            .filter(|at| self.rest[*at..].starts_with(']'));
        let end = end.ok_or("unterminated array")?;
        let text = &self.take(end + 1)[1..end];
        if text.contains(',') {
            let parts = text
                .split(',')
                .map(|part| steps(&format!("[{}]", part.trim_matches(' '))));
            self.nodes.push(Node::Union(parts.collect::<Result<_, _>>()?));
            return Ok(());
        }
        let key = text.strip_prefix('\'').and_then(|rest| rest.strip_suffix('\''));
        match key.filter(|key| !key.contains('\'')) {
            Some(key) => self.nodes.extend(steps(&format!(".{key}"))?),
            None => self.nodes.push(Node::Slice(slice(text)?)),
        }
        Ok(())
    }

    fn filter(&mut self) -> Result<(), String> {
        self.skip("[?(".len());
        let end = end_of_filter(self.rest).ok_or("unterminated filter")?;
        let text = self.take(end);
        self.skip(1);
        if !self.rest.starts_with(']') {
            return Err("unclosed array expect ]".to_owned());
        }
        self.skip(1);
        self.nodes.push(condition(text)?);
        Ok(())
    }
}

/// Returns where the closing parenthesis stands: one within quotes is none.
fn end_of_filter(text: &str) -> Option<usize> {
    let mut quote = None;
    let mut before = ' ';
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (_, '\n') => return None,
            (None, '"' | '\'') => quote = Some(c),
            (Some(open), c) if c == open && before != '\\' => quote = None,
            (None, ')') => return Some(at),
            _ => {}
        }
        before = c;
    }
    None
}

fn condition(text: &str) -> Result<Node, String> {
    let is_operator = |c: char| "!<>=".contains(c);
    let Some(start) = text.find(is_operator).filter(|start| *start > 0) else {
        return Ok(Node::Filter {
            left: steps(text)?,
            compared: None,
        });
    };
    let end = text[start..]
        .find(|c| !is_operator(c))
        .map_or(text.len(), |length| start + length);
    Ok(Node::Filter {
        left: steps(&text[..start])?,
        compared: Some((text[start..end].to_owned(), steps(&text[end..])?)),
    })
}

fn slice(text: &str) -> Result<Slice, String> {
    if text == "*" {
        return Ok(Slice::default());
    }
    let invalid = || format!("invalid array index {text}");
    let parts: Vec<&str> = text.split(':').collect();
    let number = |at: usize| match parts.get(at) {
        None | Some(&"") => Ok(None),
        Some(part) => part.parse::<i64>().map(Some).map_err(|_| invalid()),
    };
    if parts.len() > 3 || text.is_empty() {
        return Err(invalid());
    }
    Ok(Slice {
        start: number(0)?,
        end: number(1)?,
        step: number(2)?,
        single: parts.len() == 1,
    })
}

fn is_terminator(c: char) -> bool {
    matches!(
        c,
        ' ' | '\t' | '\r' | '\n' | '.' | ',' | '[' | ']' | '$' | '@' | '{' | '}'
    )
}
