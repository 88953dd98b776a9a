//! How a client writes.

use crate::model::Timestamp;

/// The part of an object that a write is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// All but its status.
    Main,
    /// Its status alone.
    Status,
}

/// How a write is to be done.
#[derive(Clone, Copy, Debug)]
pub struct Write<'a> {
    /// Which part is written.
    pub part: Part,
    /// Whether fields that the kind does not have are refused.
    pub strict: bool,
    /// Whether nothing is to be written at all.
    pub dry_run: bool,
    /// When it is.
    pub now: Timestamp,
    /// Who writes; of one without a name nobody takes note.
    pub manager: &'a str,
    /// Whether an apply takes fields over that others have set.
    pub force: bool,
}
