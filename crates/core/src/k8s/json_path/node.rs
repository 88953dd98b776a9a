//! What a path is made of, and what it leads to.

use serde_json::Value;

/// What a path leads to.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// The value.
    pub value: Value,
    /// The JSON pointer to it; `None` for a text that the path itself contains.
    pub pointer: Option<String>,
}

/// A step of a path.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Node {
    /// A value that the path contains.
    Constant(Value),
    Field(String),
    Wildcard,
    Recursive,
    Slice(Slice),
    /// The results of all, one after the other.
    Union(Vec<Vec<Node>>),
    Filter {
        left: Vec<Node>,
        /// Operator and right side; `None` asks whether `left` exists.
        compared: Option<(String, Vec<Node>)>,
    },
    /// `range`, `end`, or a name that means nothing.
    Word(String),
}

/// `[start:end:step]`, or one index.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Slice {
    pub(super) start: Option<i64>,
    pub(super) end: Option<i64>,
    pub(super) step: Option<i64>,
    /// Whether one index was written.
    pub(super) single: bool,
}
