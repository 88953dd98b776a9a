//! What a stream of YAML holds, and what may be wrong with it.

use crate::diag::{Place, SourceText};
use crate::k8s::Entity;

/// Why a text is no YAML of Kubernetes objects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{message}")]
pub struct YamlFault {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub spot: Spot,
    /// What else is wrong with the same object.
    pub more: Vec<String>,
}

/// A place in the text that was read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spot {
    /// The line in the whole text, counted from 1; 0 when unknown.
    pub line: usize,
    /// The column, in characters, counted from 1; 0 when the whole line is meant.
    pub column: usize,
    /// How many characters; 0 for one.
    pub width: usize,
}

/// A field that was dropped, because its kind does not have it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DroppedField {
    /// What is dropped of which object.
    pub message: String,
    /// Where it was written.
    pub spot: Spot,
    /// The name that was probably meant.
    pub near: Option<&'static str>,
}

/// What a stream holds.
#[derive(Clone, Debug, Default)]
pub struct Stream {
    /// Its objects.
    pub entities: Vec<Entity>,
    /// Fields that they lost.
    pub dropped: Vec<DroppedField>,
    /// What no cluster of today will take.
    pub remarks: Vec<Remark>,
}

/// Why an object will hardly be deployed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// What is wrong.
    pub message: String,
    /// Where.
    pub spot: Spot,
    /// What to write.
    pub hint: String,
}

impl Stream {
    /// Adds what comes after it.
    pub fn append(&mut self, mut after: Self) {
        self.entities.append(&mut after.entities);
        self.dropped.append(&mut after.dropped);
        self.remarks.append(&mut after.remarks);
    }
}

impl Spot {
    /// Returns the place in the text that was read; `None` when the line is not known.
    pub fn place(self, text: &SourceText) -> Option<Place> {
        (self.line > 0).then(|| {
            let source_line = text.line(self.line).to_owned();
            let start = source_line.len() - source_line.trim_start().len();
            let (column, width) = match self.column {
                0 => (start + 1, source_line.trim().chars().count()),
                column => (column, self.width.max(1)),
            };
            Place {
                file: text.file().to_owned(),
                line: self.line,
                column,
                width,
                source_line,
            }
        })
    }
}

impl YamlFault {
    pub(super) fn new(message: String, spot: Spot) -> Self {
        Self {
            message,
            spot,
            more: Vec::new(),
        }
    }
}
