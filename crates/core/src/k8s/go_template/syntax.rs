//! What a template is read as.

use std::collections::BTreeMap;

use serde_json::Value;

/// A template.
#[derive(Debug)]
pub struct GoTemplate {
    pub(super) text: String,
    pub(super) main: Vec<Node>,
    pub(super) named: BTreeMap<String, Vec<Node>>,
}

/// A part of a template.
#[derive(Debug)]
pub(super) enum Node {
    Text(String),
    Print(Pipeline),
    If(Vec<(Pipeline, Vec<Node>)>, Vec<Node>),
    With(Pipeline, Vec<Node>, Vec<Node>),
    Range {
        over: Pipeline,
        body: Vec<Node>,
        otherwise: Vec<Node>,
    },
    Template(String, Option<Pipeline>),
    Break,
    Continue,
}

/// Commands, each of which gets what the one before it gives as its last argument.
#[derive(Debug, Default)]
pub(super) struct Pipeline {
    /// The variables that it sets, without their dollar.
    pub(super) sets: Vec<String>,
    /// Whether the variables are new.
    pub(super) declares: bool,
    pub(super) commands: Vec<Vec<Operand>>,
}

/// A value, and the fields that are asked of it.
#[derive(Debug)]
pub(super) struct Operand {
    pub(super) base: Base,
    pub(super) fields: Vec<String>,
    /// Where it stands: the byte in the text, and how it is written.
    pub(super) at: usize,
    pub(super) written: String,
}

#[derive(Debug)]
pub(super) enum Base {
    Dot,
    Variable(String),
    Literal(Value),
    Function(String),
    Paren(Box<Pipeline>),
}
