//! Every line of output, by position, on disk and in memory.
//!
//! Whoever has output appends a [`LogEvent`] to the [`LogStore`]; readers page through it by position, so that a slow
//! reader costs nothing and loses nothing. A [`LogWriter`] is the usual way to append: it knows span, resource and
//! indentation.

mod event;
mod store;
mod writer;

pub use event::{Level, LogEvent, Progress};
pub use store::LogStore;
pub use writer::LogWriter;
