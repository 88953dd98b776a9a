//! Wildcards in paths, as Docker's `patternmatcher` reads them. Made without regular expressions: hundreds of targets
//! have ignores of their own, and making an expression costs more than most of them are ever asked.

use std::iter::Peekable;
use std::str::Chars;

/// A path with wildcards; matches whole paths and the first components of one.
#[derive(Clone, Debug)]
pub(super) struct Wildcards {
    /// What a path must begin with.
    prefix: String,
    /// What comes after that.
    tokens: Vec<Token>,
}

#[derive(Clone, Debug)]
enum Token {
    Char(char),
    /// `?`: one character within a name.
    One,
    /// `*`: any part of a name.
    Star,
    /// `**` at the end: anything.
    Rest,
    /// `**/`: any number of directories, or none. [`Token::Inside`] follows.
    Directories,
    /// In the middle of such directories.
    Inside,
    Class(Class),
}

#[derive(Clone, Debug)]
struct Class {
    negated: bool,
    ranges: Vec<(char, char)>,
}

impl Wildcards {
    /// Parses a pattern; `None` where Go's `filepath.Match` has a syntax error.
    pub(super) fn parse(glob: &str) -> Option<Self> {
        if let Some(end) = end_only(glob) {
            return Some(Self {
                prefix: String::new(),
                tokens: [Token::Rest]
                    .into_iter()
                    .chain(end.chars().map(Token::Char))
                    .collect(),
            });
        }
        let mut tokens = Vec::new();
        let mut chars = glob.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '*' if chars.next_if_eq(&'*').is_some() => {
                    chars.next_if_eq(&'/');
                    if chars.peek().is_some() {
                        tokens.extend([Token::Directories, Token::Inside]);
                    } else {
                        tokens.push(Token::Rest);
                    }
                }
                '*' => tokens.push(Token::Star),
                '?' => tokens.push(Token::One),
                '[' => tokens.push(Token::Class(Class::parse(&mut chars)?)),
                '\\' => tokens.push(Token::Char(chars.next()?)),
                c => tokens.push(Token::Char(c)),
            }
        }
        let n_plain = tokens
            .iter()
            .take_while(|token| matches!(token, Token::Char(_)))
            .count();
        let plain = tokens.drain(..n_plain);
        let prefix = plain.filter_map(|token| match token {
            Token::Char(c) => Some(c),
            _ => None,
        });
        Some(Self {
            prefix: prefix.collect(),
            tokens,
        })
    }

    /// Returns whether the path or one of the directories above it matches.
    pub(super) fn matches(&self, path: &str) -> bool {
        let Some(rest) = path.strip_prefix(self.prefix.as_str()) else {
            return false;
        };
        if path.is_empty() {
            return false;
        }
        // Which tokens may come next; the one after the last stands for a match.
        let mut states = vec![false; self.tokens.len() + 1];
        let mut next = states.clone();
        self.reach(&mut states, 0);
        for c in rest.chars() {
            if c == '/' && states[self.tokens.len()] {
                return true;
            }
            next.fill(false);
            let mut any = false;
            for (at, token) in self.tokens.iter().enumerate() {
                if states[at] {
                    any |= self.step(&mut next, at, token, c);
                }
            }
            if !any {
                return false;
            }
            std::mem::swap(&mut states, &mut next);
        }
        states[self.tokens.len()]
    }

    /// Reads a character with one token; returns whether it fits.
    fn step(&self, next: &mut [bool], at: usize, token: &Token, c: char) -> bool {
        match token {
            Token::Char(wanted) if *wanted == c => self.reach(next, at + 1),
            Token::One if c != '/' => self.reach(next, at + 1),
            Token::Class(class) if class.holds(c) => self.reach(next, at + 1),
            Token::Star if c != '/' => self.reach(next, at),
            Token::Rest => self.reach(next, at),
            Token::Directories | Token::Inside => {
                let inside = at + usize::from(matches!(token, Token::Directories));
                next[inside] = true;
                if c == '/' {
                    self.reach(next, inside + 1);
                }
            }
            _ => return false,
        }
        true
    }

    /// Marks a token as one that may come next, and those after it that are reached without a character.
    fn reach(&self, states: &mut [bool], mut at: usize) {
        loop {
            states[at] = true;
            at += match self.tokens.get(at) {
                Some(Token::Star | Token::Rest) => 1,
                Some(Token::Directories) => 2,
                _ => return,
            };
        }
    }
}

/// Returns what paths end with that a pattern like `**.txt` means.
fn end_only(glob: &str) -> Option<&str> {
    let end = glob.strip_prefix("**")?;
    let is_plain = !end.is_empty() && !end.starts_with('/') && !end.contains(['*', '?', '[', ']', '\\']);
    is_plain.then_some(end)
}

/// Returns the pattern that matches this path and nothing else.
pub fn escaped(path: &str) -> String {
    let mut pattern = String::with_capacity(path.len());
    for c in path.chars() {
        if matches!(c, '*' | '?' | '[' | '\\') {
            pattern.push('\\');
        }
        pattern.push(c);
    }
    pattern
}

impl Class {
    /// Reads a character class after its `[`.
    fn parse(chars: &mut Peekable<Chars<'_>>) -> Option<Self> {
        let negated = chars.next_if_eq(&'^').is_some();
        let mut ranges = Vec::new();
        loop {
            if !ranges.is_empty() && chars.next_if_eq(&']').is_some() {
                return Some(Self { negated, ranges });
            }
            let low = class_char(chars)?;
            let high = if chars.next_if_eq(&'-').is_some() {
                class_char(chars)?
            } else {
                low
            };
            if low > high {
                return None;
            }
            ranges.push((low, high));
        }
    }

    fn holds(&self, c: char) -> bool {
        self.ranges.iter().any(|(low, high)| (*low..=*high).contains(&c)) != self.negated
    }
}

fn class_char(chars: &mut Peekable<Chars<'_>>) -> Option<char> {
    match chars.next()? {
        '-' | ']' => None,
        '\\' => chars.next(),
        c => Some(c),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The same as a regular expression, as `patternmatcher` makes it.
    fn regex(glob: &str) -> regex::Regex {
        if let Some(end) = glob.strip_prefix("**")
            && !end.is_empty()
            && !end.contains(['*', '?'])
            && !end.starts_with('/')
        {
            return regex::Regex::new(&format!("(?s)^.*{end}(?:/.*)?$")).expect("an expression");
        }
        let mut out = String::from("(?s)^");
        let mut chars = glob.chars().peekable();
        while let Some(c) = chars.next() {
            match c {
                '*' if chars.next_if_eq(&'*').is_some() => {
                    chars.next_if_eq(&'/');
                    out.push_str(if chars.peek().is_some() { "(?:.*/)?" } else { ".*" });
                }
                '*' => out.push_str("[^/]*"),
                '?' => out.push_str("[^/]"),
                c => out.push(c),
            }
        }
        out.push_str("(?:/.*)?$");
        regex::Regex::new(&out).expect("an expression")
    }

    fn texts(letters: &str, length: usize) -> Vec<String> {
        let mut all = vec![String::new()];
        let mut last = all.clone();
        for _ in 0..length {
            let longer = last
                .iter()
                .flat_map(|text| letters.chars().map(move |letter| format!("{text}{letter}")));
            last = longer.collect();
            all.extend(last.iter().cloned());
        }
        all
    }

    #[test]
    fn short_patterns_match_what_their_regular_expressions_match() {
        let paths = texts("ab/", 5);
        for glob in texts("a*?/", 4) {
            let (wildcards, regex) = (Wildcards::parse(&glob).expect("a pattern"), regex(&glob));
            for path in paths
                .iter()
                .filter(|path| !path.is_empty() && !path.starts_with('/'))
            {
                assert_eq!(wildcards.matches(path), regex.is_match(path), "{glob} {path}");
            }
        }
    }
}
