//! A line of a file.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// A line of a file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SourcePlace {
    /// The file, with its whole path.
    pub file: String,
    /// The line, counted from 1.
    pub line: usize,
}
