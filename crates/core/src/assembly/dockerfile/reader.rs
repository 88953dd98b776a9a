//! Cuts a Dockerfile into instructions and words that know their place.
//!
//! Rule: the Dockerfile format: `# escape=` directive, line continuations, comment lines within them, heredocs.

use std::ops::Range;

/// What matters of a Dockerfile.
pub(super) struct Dockerfile {
    pub(super) escape: char,
    pub(super) instructions: Vec<Instruction>,
}

/// One instruction with its words, separated by blanks. Quotes, variables and escapes are kept.
pub(super) struct Instruction {
    /// In capitals.
    pub(super) keyword: String,
    pub(super) words: Vec<Word>,
    /// From its keyword to the end of its last line, that of its heredocs included.
    pub(super) span: Range<usize>,
}

/// A word without the line continuations within it.
#[derive(Debug, Default)]
pub(super) struct Word {
    pub(super) text: String,
    /// For each byte of the text, where it stands in the file.
    places: Vec<usize>,
}

impl Word {
    /// Returns where the text from byte `skip` on stands in the file.
    pub(super) fn source_from(&self, skip: usize) -> Range<usize> {
        self.source(skip..self.text.len())
    }

    /// Returns where these bytes of the text stand in the file.
    pub(super) fn source(&self, part: Range<usize>) -> Range<usize> {
        let last = part.end.checked_sub(1).and_then(|last| self.places.get(last));
        match (self.places.get(part.start), last) {
            (Some(start), Some(last)) if start <= last => *start..last + 1,
            _ => 0..0,
        }
    }

    fn push(&mut self, line: &str, start: usize) {
        self.text.push_str(line);
        self.places.extend(start..start + line.len());
    }
}

/// A line and where it starts.
type Line<'a> = (usize, &'a str);

impl Dockerfile {
    pub(super) fn read(contents: &str) -> Self {
        let lines = lines(contents);
        let escape = escape_directive(&lines);
        let mut instructions = Vec::new();
        let mut rest = lines.iter().copied();
        while let Some(line) = rest.next() {
            if is_blank_or_comment(line.1) {
                continue;
            }
            let words = logical_line(line, &mut rest, escape);
            let mut words = words.into_iter();
            let Some(keyword) = words.next() else { continue };
            let mut instruction = Instruction {
                keyword: keyword.text.to_uppercase(),
                words: words.collect(),
                span: keyword.source_from(0),
            };
            for end in heredocs(&instruction) {
                end.skip_body(&mut rest);
            }
            let last = lines.iter().rev().nth(rest.len());
            instruction.span.end = last.map_or(instruction.span.end, |(start, text)| start + text.len());
            instructions.push(instruction);
        }
        Self { escape, instructions }
    }
}

/// Splits at newlines; a line keeps no line end, whether `\n` or `\r\n`.
fn lines(contents: &str) -> Vec<Line<'_>> {
    let mut start = 0;
    let mut out = Vec::new();
    // A byte order mark is no part of the first instruction.
    if let Some(rest) = contents.strip_prefix('\u{feff}') {
        start = contents.len() - rest.len();
    }
    for line in contents[start..].split_inclusive('\n') {
        let text = line.strip_suffix('\n').unwrap_or(line);
        out.push((start, text.strip_suffix('\r').unwrap_or(text)));
        start += line.len();
    }
    out
}

/// Directives are comments of the form `# key=value` before anything else.
fn escape_directive(lines: &[Line<'_>]) -> char {
    let directives = lines.iter().map_while(|(_, line)| {
        let (key, value) = line.trim().strip_prefix('#')?.split_once('=')?;
        let key = key.trim().to_lowercase();
        matches!(key.as_str(), "syntax" | "escape" | "check").then(|| (key, value.trim().to_owned()))
    });
    let mut escapes = directives.filter(|(key, _)| key == "escape");
    match escapes.next() {
        Some((_, value)) if value == "`" => '`',
        _ => '\\',
    }
}

fn is_blank_or_comment(line: &str) -> bool {
    let line = line.trim_start();
    line.is_empty() || line.starts_with('#')
}

/// Joins a line with those that continue it, and splits the whole into words.
fn logical_line<'a>(first: Line<'a>, rest: &mut impl Iterator<Item = Line<'a>>, escape: char) -> Vec<Word> {
    let mut words = vec![Word::default()];
    let mut line = Some(first);
    while let Some((start, text)) = line {
        let (text, continues) = strip_continuation(text, escape);
        for (at, c) in text.char_indices() {
            let end = at + c.len_utf8();
            match words.last_mut() {
                Some(word) if !c.is_whitespace() => word.push(&text[at..end], start + at),
                Some(word) if word.text.is_empty() => {}
                _ => words.push(Word::default()),
            }
        }
        line = if continues {
            rest.find(|(_, line)| !is_blank_or_comment(line))
        } else {
            None
        };
    }
    words.retain(|word| !word.text.is_empty());
    words
}

fn strip_continuation(line: &str, escape: char) -> (&str, bool) {
    match line.trim_end_matches([' ', '\t']).strip_suffix(escape) {
        Some(body) => (body, true),
        None => (line, false),
    }
}

/// The line that ends a heredoc.
struct HeredocEnd {
    name: String,
    strips_tabs: bool,
}

impl HeredocEnd {
    fn skip_body<'a>(&self, lines: &mut impl Iterator<Item = Line<'a>>) {
        lines.find(|(_, line)| {
            let line = if self.strips_tabs {
                line.trim_start_matches('\t')
            } else {
                line
            };
            line == self.name
        });
    }
}

/// Finds `<<NAME`, `<<-NAME` and `<<"NAME"` in the instructions that may have them.
fn heredocs(instruction: &Instruction) -> Vec<HeredocEnd> {
    if !matches!(instruction.keyword.as_str(), "RUN" | "COPY" | "ADD") {
        return Vec::new();
    }
    instruction
        .words
        .iter()
        .filter_map(|word| heredoc(&word.text))
        .collect()
}

fn heredoc(word: &str) -> Option<HeredocEnd> {
    let word = word.trim_start_matches(|c: char| c.is_ascii_digit());
    let word = word.strip_prefix("<<")?;
    let (strips_tabs, word) = match word.strip_prefix('-') {
        Some(word) => (true, word),
        None => (false, word),
    };
    let name: String = word.chars().filter(|c| !matches!(c, '"' | '\'')).collect();
    let is_name = !name.is_empty() && name.chars().all(|c| !c.is_whitespace() && c != '<');
    is_name.then_some(HeredocEnd { name, strips_tabs })
}
