//! Substitutes variables in a word of a Dockerfile, as a shell would.

use std::collections::BTreeMap;
use std::iter::Peekable;
use std::str::Chars;

/// The variables that are known at some place of a Dockerfile.
pub(super) struct Scope {
    build_args: BTreeMap<String, String>,
    defaults: BTreeMap<String, String>,
}

impl Scope {
    /// Starts with build arguments. One without a value takes it from the environment, which is not known here, so the
    /// file's default stands for it.
    pub(super) fn new(build_args: &[String]) -> Self {
        let pairs = build_args.iter().filter_map(|arg| arg.split_once('='));
        Self {
            build_args: pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).collect(),
            defaults: BTreeMap::new(),
        }
    }

    /// Notes the default of an `ARG`; a build argument of that name wins.
    pub(super) fn declare(&mut self, key: &str, default: String) {
        self.defaults.insert(key.to_owned(), default);
    }

    fn get(&self, key: &str) -> Option<&str> {
        let value = self.build_args.get(key).or_else(|| self.defaults.get(key))?;
        Some(value)
    }
}

/// Returns the word with quotes removed and variables substituted; one that is not set is empty.
///
/// `None` for what cannot be read, such as an unclosed brace or an operator of newer engines.
///
/// Rule: the variable substitution of the Dockerfile reference: `$V`, `${V}`, `${V:-word}`, `${V:+word}`, and both
/// without the colon.
pub(super) fn expand(word: &str, scope: &Scope, escape: char) -> Option<String> {
    let mut expander = Expander {
        chars: word.chars().peekable(),
        scope,
        escape,
    };
    let out = expander.until(None, 0)?;
    expander.chars.peek().is_none().then_some(out)
}

/// Deeper nesting is no image name; it would only exhaust the stack.
const MAX_DEPTH: usize = 32;

struct Expander<'a> {
    chars: Peekable<Chars<'a>>,
    scope: &'a Scope,
    escape: char,
}

impl Expander<'_> {
    /// Expands up to an unquoted `end`, which is left in place.
    fn until(&mut self, end: Option<char>, depth: usize) -> Option<String> {
        if depth > MAX_DEPTH {
            return None;
        }
        let mut out = String::new();
        let mut in_double_quotes = false;
        while let Some(&c) = self.chars.peek() {
            if !in_double_quotes && Some(c) == end {
                break;
            }
            self.chars.next();
            match c {
                '\'' if !in_double_quotes => self.single_quoted(&mut out)?,
                '"' => in_double_quotes = !in_double_quotes,
                '$' => out.push_str(&self.variable(depth)?),
                c if c == self.escape => out.push(self.chars.next()?),
                c => out.push(c),
            }
        }
        (!in_double_quotes).then_some(out)
    }

    fn single_quoted(&mut self, out: &mut String) -> Option<()> {
        loop {
            match self.chars.next()? {
                '\'' => return Some(()),
                c => out.push(c),
            }
        }
    }

    /// Reads a variable after its `$`.
    fn variable(&mut self, depth: usize) -> Option<String> {
        if self.chars.next_if_eq(&'{').is_none() {
            let name = self.name();
            let value = self.scope.get(&name).unwrap_or_default();
            return Some(if name.is_empty() {
                "$".to_owned()
            } else {
                value.to_owned()
            });
        }
        let name = self.name();
        let value = self.scope.get(&name).map(str::to_owned);
        let empty_is_unset = self.chars.next_if_eq(&':').is_some();
        let value = value.filter(|value| !(empty_is_unset && value.is_empty()));
        let out = match self.chars.next()? {
            '}' if !empty_is_unset => return Some(value.unwrap_or_default()),
            '-' => {
                let word = self.until(Some('}'), depth + 1)?;
                value.unwrap_or(word)
            }
            '+' => {
                let word = self.until(Some('}'), depth + 1)?;
                value.map(|_| word).unwrap_or_default()
            }
            _ => return None,
        };
        self.chars.next_if_eq(&'}').map(|_| out)
    }

    fn name(&mut self) -> String {
        let mut name = String::new();
        while let Some(c) = self.chars.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
        }
        name
    }
}
