//! Where in a Tiltfile something was declared.

use std::ops::Range;
use std::sync::Arc;

use crate::diag::{Place, SourceText};

/// A call in a Tiltfile. Cheap to clone.
#[derive(Clone, Debug)]
pub struct CallSite {
    /// The file.
    pub source: SourceText,
    /// The call's parts in it.
    pub shape: Arc<CallShape>,
}

/// Where the parts of a call stand, in bytes of its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CallShape {
    /// The whole call.
    pub whole: Range<usize>,
    /// Its opening parenthesis: the place that tracebacks name.
    pub paren: usize,
    /// Its arguments as written: keyword if any, and value.
    pub arguments: Vec<(Option<String>, Range<usize>)>,
}

impl CallSite {
    /// Returns a call of which only the file is known.
    pub fn unknown(file: String) -> Self {
        Self {
            source: SourceText::new(file, ""),
            shape: Arc::new(CallShape {
                whole: 0..0,
                paren: 0,
                arguments: Vec::new(),
            }),
        }
    }

    /// Returns `<file>:<line>:<column>` of the opening parenthesis.
    pub fn position(&self) -> String {
        self.source.show(self.shape.paren)
    }

    /// Returns the line of the call, counted from 1.
    pub fn line(&self) -> usize {
        self.source.position(self.shape.paren).0
    }

    /// Returns the place of the called name.
    pub fn place(&self) -> Place {
        let end = self.shape.paren.max(self.shape.whole.start + 1);
        self.source.place(self.shape.whole.start..end)
    }

    /// Returns the place of an argument: the one with this keyword, else the one at this position.
    pub fn argument(&self, keyword: &str, position: usize) -> Place {
        match self.argument_range(keyword, position) {
            Some(range) => self.source.place(range),
            None => self.place(),
        }
    }

    /// Returns the place where `text` is written as a literal within an argument, else that of the argument.
    pub fn literal(&self, text: &str, keyword: &str, position: usize) -> Place {
        let Some(range) = self.argument_range(keyword, position) else {
            return self.place();
        };
        let argument = self.source.text().get(range.clone()).unwrap_or_default();
        let found = ['\'', '"'].iter().filter_map(|quote| {
            let literal = format!("{quote}{text}{quote}");
            argument.find(&literal).map(|at| (at, literal.len()))
        });
        match found.min() {
            Some((at, len)) => self.source.place(range.start + at..range.start + at + len),
            None => self.source.place(range),
        }
    }

    fn argument_range(&self, keyword: &str, position: usize) -> Option<Range<usize>> {
        let arguments = &self.shape.arguments;
        let by_keyword = arguments
            .iter()
            .find(|(name, _)| name.as_deref() == Some(keyword));
        let by_position = || arguments.get(position).filter(|(name, _)| name.is_none());
        by_keyword.or_else(by_position).map(|(_, range)| range.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(text: &str, arguments: Vec<(Option<String>, Range<usize>)>) -> CallSite {
        CallSite {
            source: SourceText::new("Tiltfile", text),
            shape: Arc::new(CallShape {
                whole: 0..text.len(),
                paren: text.find('(').expect("a call"),
                arguments,
            }),
        }
    }

    #[test]
    fn a_call_is_where_its_parenthesis_is() {
        assert_eq!(call("f (1)", vec![]).position(), "Tiltfile:1:3");
    }

    #[test]
    fn arguments_are_found_by_keyword_then_by_position() {
        let call = call("f(a, k=b)", vec![(None, 2..3), (Some("k".to_owned()), 7..8)]);
        assert_eq!(call.argument("x", 0).column, 3);
        assert_eq!(call.argument("k", 0).column, 8);
        assert_eq!(call.argument("x", 1).column, 1, "a keyword has no position");
    }

    #[test]
    fn a_literal_is_found_with_its_quotes_and_only_in_its_argument() {
        let call = call(
            "f('abc', ['ab', \"abc\"], k=g('z'))",
            vec![(None, 2..7), (None, 9..22), (Some("k".to_owned()), 24..32)],
        );
        let place = |text, keyword, position| {
            let place = call.literal(text, keyword, position);
            (place.column, place.width)
        };
        assert_eq!(place("abc", "x", 0), (3, 5));
        assert_eq!(place("abc", "x", 1), (17, 5));
        assert_eq!(place("zz", "k", 9), (25, 8), "a computed value is its argument");
        assert_eq!(
            place("abc", "x", 2),
            (1, 1),
            "an argument that is not there is the call"
        );
    }
}
