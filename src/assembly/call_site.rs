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
        let arguments = &self.shape.arguments;
        let by_keyword = arguments
            .iter()
            .find(|(name, _)| name.as_deref() == Some(keyword));
        let by_position = || arguments.get(position).filter(|(name, _)| name.is_none());
        match by_keyword.or_else(by_position) {
            Some((_, range)) => self.source.place(range.clone()),
            None => self.place(),
        }
    }

    /// Returns the place where `text` is written as a literal within the call, else that of the called name.
    pub fn literal(&self, text: &str) -> Place {
        let call = self
            .source
            .text()
            .get(self.shape.whole.clone())
            .unwrap_or_default();
        let found = ['\'', '"'].iter().find_map(|quote| {
            let literal = format!("{quote}{text}{quote}");
            call.find(&literal).map(|at| (at, literal.len()))
        });
        match found {
            Some((at, len)) => {
                let start = self.shape.whole.start + at;
                self.source.place(start..start + len)
            }
            None => self.place(),
        }
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
    fn a_literal_is_found_with_its_quotes() {
        let call = call("f(['ab', \"abc\"])", vec![]);
        assert_eq!((call.literal("abc").column, call.literal("abc").width), (10, 5));
        assert_eq!(call.literal("zz").column, 1);
    }
}
