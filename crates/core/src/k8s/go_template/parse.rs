//! Reads a template.

use std::collections::BTreeMap;

use serde_json::Value;

use super::functions::is_function;
use super::syntax::{Base, Node, Operand, Pipeline};

/// A template as read, with those that it defines.
pub(super) struct Parsed {
    pub(super) main: Vec<Node>,
    pub(super) named: BTreeMap<String, Vec<Node>>,
}

/// A piece of the text: what stands between actions, or an action and where it begins.
enum Piece<'a> {
    Text(&'a str),
    Action(&'a str, usize),
}

/// # Errors
/// The line and what is wrong there.
pub(super) fn parse(text: &str) -> Result<Parsed, String> {
    let mut parser = Parser {
        text,
        pieces: pieces(text)?.into_iter(),
        named: BTreeMap::new(),
        variables: vec!["".to_owned()],
    };
    let (main, end) = parser.nodes()?;
    match end {
        End::Eof => Ok(Parsed {
            main,
            named: parser.named,
        }),
        End::Word(word, at) => Err(format!("{}: unexpected {{{{{word}}}}}", line(text, at))),
    }
}

fn line(text: &str, at: usize) -> usize {
    text[..at.min(text.len())].matches('\n').count() + 1
}

fn pieces(text: &str) -> Result<Vec<Piece<'_>>, String> {
    let mut pieces = Vec::new();
    let (mut at, mut trims) = (0, false);
    loop {
        let rest = &text[at..];
        let end = rest.find("{{");
        let mut plain = &rest[..end.unwrap_or(rest.len())];
        if trims {
            plain = plain.trim_start();
        }
        let Some(end) = end else {
            pieces.push(Piece::Text(plain));
            return Ok(pieces);
        };
        let mut begin = at + end + 2;
        if text[begin..].starts_with("- ") || text[begin..].starts_with("-\n") {
            plain = plain.trim_end();
            begin += 1;
        }
        pieces.push(Piece::Text(plain));
        let close = close(&text[begin..]).ok_or_else(|| format!("{}: unclosed action", line(text, begin)))?;
        let mut action = &text[begin..begin + close];
        at = begin + close + 2;
        trims = action.ends_with(" -") || action.ends_with("\n-");
        if trims {
            action = &action[..action.len() - 1];
        }
        let bare = action.trim();
        if !(bare.starts_with("/*") && bare.ends_with("*/")) {
            pieces.push(Piece::Action(action, begin));
        }
    }
}

/// Returns where an action ends; braces in quotes do not end it.
fn close(text: &str) -> Option<usize> {
    let (mut quote, mut escaped) = (None, false);
    for (at, c) in text.char_indices() {
        match quote {
            Some(_) if escaped => escaped = false,
            Some('"') if c == '\\' => escaped = true,
            Some(open) if c == open => quote = None,
            Some(_) => {}
            None if c == '"' || c == '`' => quote = Some(c),
            None if text[at..].starts_with("}}") => return Some(at),
            None => {}
        }
    }
    None
}

struct Parser<'a> {
    text: &'a str,
    pieces: std::vec::IntoIter<Piece<'a>>,
    named: BTreeMap<String, Vec<Node>>,
    variables: Vec<String>,
}

/// What ended a run of nodes.
enum End<'a> {
    Eof,
    Word(&'a str, usize),
}

impl<'a> Parser<'a> {
    fn nodes(&mut self) -> Result<(Vec<Node>, End<'a>), String> {
        let mut nodes = Vec::new();
        while let Some(piece) = self.pieces.next() {
            let (action, at) = match piece {
                Piece::Text(text) => {
                    if !text.is_empty() {
                        nodes.push(Node::Text(text.to_owned()));
                    }
                    continue;
                }
                Piece::Action(action, at) => (action, at),
            };
            let bare = action.trim_start();
            let at = at + action.len() - bare.len();
            let bare = bare.trim_end();
            let (word, rest) = bare.split_once(char::is_whitespace).unwrap_or((bare, ""));
            let rest_at = at + bare.len() - rest.len();
            match word {
                "end" | "else" => return Ok((nodes, End::Word(bare, at))),
                "if" => nodes.push(self.branches(rest, rest_at)?),
                "with" => {
                    let known = self.variables.len();
                    let pipeline = self.pipeline(rest, rest_at)?;
                    let (body, otherwise) = self.body_and_else(at)?;
                    self.variables.truncate(known);
                    nodes.push(Node::With(pipeline, body, otherwise));
                }
                "range" => {
                    let known = self.variables.len();
                    let over = self.pipeline(rest, rest_at)?;
                    let (body, otherwise) = self.body_and_else(at)?;
                    self.variables.truncate(known);
                    nodes.push(Node::Range {
                        over,
                        body,
                        otherwise,
                    });
                }
                "break" => nodes.push(Node::Break),
                "continue" => nodes.push(Node::Continue),
                "define" | "block" => {
                    let (name, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                    let name = self.name(name, at)?;
                    let pipeline = self.pipeline(rest, rest_at + name.len() + 3);
                    let (body, _) = self.body_and_else(at)?;
                    self.named.insert(name.clone(), body);
                    if word == "block" {
                        nodes.push(Node::Template(name, Some(pipeline?)));
                    }
                }
                "template" => {
                    let (name, rest) = rest.split_once(char::is_whitespace).unwrap_or((rest, ""));
                    let name = self.name(name, at)?;
                    let data = match rest.trim() {
                        "" => None,
                        rest => Some(self.pipeline(rest, rest_at)?),
                    };
                    nodes.push(Node::Template(name, data));
                }
                _ => nodes.push(Node::Print(self.pipeline(bare, at)?)),
            }
        }
        Ok((nodes, End::Eof))
    }

    fn name(&self, quoted: &str, at: usize) -> Result<String, String> {
        let name = quoted.strip_prefix('"').and_then(|name| name.strip_suffix('"'));
        name.map(str::to_owned).ok_or_else(|| {
            format!(
                "{}: unexpected {quoted:?} in template clause",
                line(self.text, at)
            )
        })
    }

    fn branches(&mut self, rest: &'a str, at: usize) -> Result<Node, String> {
        let mut branches = Vec::new();
        let (mut rest, mut rest_at) = (rest, at);
        loop {
            let known = self.variables.len();
            let condition = self.pipeline(rest, rest_at)?;
            let (body, end) = self.nodes()?;
            self.variables.truncate(known);
            branches.push((condition, body));
            let End::Word(word, at) = end else {
                return Err(format!("{}: unexpected EOF", line(self.text, self.text.len())));
            };
            match word.strip_prefix("else").map(str::trim) {
                None => return Ok(Node::If(branches, Vec::new())),
                Some("") => {
                    let (otherwise, end) = self.nodes()?;
                    return match end {
                        End::Word("end", _) => Ok(Node::If(branches, otherwise)),
                        _ => Err(format!(
                            "{}: expected end; found {{{{else}}}}",
                            line(self.text, at)
                        )),
                    };
                }
                Some(more) => {
                    let more = more.strip_prefix("if").unwrap_or(more);
                    (rest, rest_at) = (more, at + word.len() - more.len());
                }
            }
        }
    }

    fn body_and_else(&mut self, at: usize) -> Result<(Vec<Node>, Vec<Node>), String> {
        let (body, end) = self.nodes()?;
        match end {
            End::Word("end", _) => Ok((body, Vec::new())),
            End::Word(..) => match self.nodes()? {
                (otherwise, End::Word("end", _)) => Ok((body, otherwise)),
                _ => Err(format!("{}: unexpected EOF", line(self.text, at))),
            },
            End::Eof => Err(format!("{}: unexpected EOF", line(self.text, self.text.len()))),
        }
    }

    fn pipeline(&mut self, text: &str, at: usize) -> Result<Pipeline, String> {
        let fail = |parser: &Self, why: String| format!("{}: {why}", line(parser.text, at));
        let mut pipeline = Pipeline::default();
        let mut rest = text;
        for (sign, declares) in [(":=", true), ("=", false)] {
            let Some((left, right)) = text.split_once(sign) else {
                continue;
            };
            let names: Vec<&str> = left.split(',').map(str::trim).collect();
            if names
                .iter()
                .all(|name| name.starts_with('$') && name[1..].chars().all(char::is_alphanumeric))
            {
                pipeline.sets = names.iter().map(|name| name[1..].to_owned()).collect();
                (pipeline.declares, rest) = (declares, right);
                break;
            }
        }
        let mut lexer = Lexer {
            rest,
            at: at + text.len() - rest.len(),
        };
        pipeline.commands = self.commands(&mut lexer, false)?;
        if pipeline.commands.iter().any(Vec::is_empty) {
            return Err(fail(self, "missing value for command".to_owned()));
        }
        if pipeline.declares {
            self.variables.extend(pipeline.sets.iter().cloned());
        }
        Ok(pipeline)
    }

    fn commands(&mut self, lexer: &mut Lexer<'_>, in_paren: bool) -> Result<Vec<Vec<Operand>>, String> {
        let mut commands = vec![Vec::new()];
        loop {
            let begin = lexer.skip_space();
            let text = self.text;
            let fail = |why: String| format!("{}: {why}", line(text, begin));
            let Some(c) = lexer.rest.chars().next() else {
                return match in_paren {
                    true => Err(fail("unclosed left paren".to_owned())),
                    false => Ok(commands),
                };
            };
            let base = match c {
                '|' => {
                    lexer.take(1);
                    commands.push(Vec::new());
                    continue;
                }
                ')' if in_paren => {
                    lexer.take(1);
                    return Ok(commands);
                }
                '(' => {
                    lexer.take(1);
                    let commands = self.commands(lexer, true)?;
                    Base::Paren(Box::new(Pipeline {
                        commands,
                        ..Pipeline::default()
                    }))
                }
                '"' | '`' => Base::Literal(lexer.string().map_err(fail)?.into()),
                '.' => Base::Dot,
                '$' => {
                    lexer.take(1);
                    let name = lexer.word().to_owned();
                    if !self.variables.contains(&name) {
                        return Err(fail(format!("undefined variable \"${name}\"")));
                    }
                    Base::Variable(name)
                }
                c if c.is_ascii_digit() || c == '-' || c == '+' => {
                    Base::Literal(lexer.number().map_err(fail)?)
                }
                c if c.is_alphabetic() || c == '_' => match lexer.word() {
                    "true" => Base::Literal(true.into()),
                    "false" => Base::Literal(false.into()),
                    "nil" => Base::Literal(Value::Null),
                    name if is_function(name) => Base::Function(name.to_owned()),
                    name => return Err(fail(format!("function {name:?} not defined"))),
                },
                c => return Err(fail(format!("unexpected {c:?} in command"))),
            };
            let fields = lexer.fields();
            let written = text.get(begin..lexer.at).unwrap_or_default().to_owned();
            let operand = Operand {
                base,
                fields,
                at: begin,
                written,
            };
            if let Some(command) = commands.last_mut() {
                command.push(operand);
            }
        }
    }
}

/// What is left of an action, and where that stands.
struct Lexer<'a> {
    rest: &'a str,
    at: usize,
}

impl<'a> Lexer<'a> {
    fn take(&mut self, bytes: usize) -> &'a str {
        let (taken, rest) = self.rest.split_at(bytes);
        self.rest = rest;
        self.at += bytes;
        taken
    }

    fn skip_space(&mut self) -> usize {
        self.take(self.rest.len() - self.rest.trim_start().len());
        self.at
    }

    fn word(&mut self) -> &'a str {
        let is_of_word = |c: char| c.is_alphanumeric() || c == '_';
        self.take(self.rest.find(|c| !is_of_word(c)).unwrap_or(self.rest.len()))
    }

    fn fields(&mut self) -> Vec<String> {
        let mut fields = Vec::new();
        while self.rest.starts_with('.') {
            self.take(1);
            match self.word() {
                "" => break,
                field => fields.push(field.to_owned()),
            }
        }
        fields
    }

    fn string(&mut self) -> Result<String, String> {
        if self.rest.starts_with('`') {
            self.take(1);
            let end = self.rest.find('`').ok_or("unterminated raw quoted string")?;
            let text = self.take(end).to_owned();
            self.take(1);
            return Ok(text);
        }
        let mut escaped = false;
        let end = self.rest.char_indices().skip(1).find(|(_, c)| {
            let ends = *c == '"' && !escaped;
            escaped = *c == '\\' && !escaped;
            ends
        });
        let (end, _) = end.ok_or("unterminated quoted string")?;
        let quoted = self.take(end + 1);
        serde_json::from_str(quoted).map_err(|_| "invalid syntax".to_owned())
    }

    fn number(&mut self) -> Result<Value, String> {
        let is_of_number = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_');
        let text = self.take(self.rest.find(|c| !is_of_number(c)).unwrap_or(self.rest.len()));
        let bare = text.trim_start_matches('+');
        let read = bare.parse::<i64>().map(Value::from).ok();
        read.or_else(|| bare.parse::<f64>().ok().map(Value::from))
            .ok_or_else(|| format!("bad number syntax: {text:?}"))
    }
}
