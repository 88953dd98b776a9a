//! Every line of output, by position, on disk and in memory.
//!
//! Whoever has output appends a [`LogEvent`] to the [`LogStore`]; readers page through it by position, so that a slow
//! reader costs nothing and loses nothing. A [`LogWriter`] is the usual way to append: it knows span, resource and
//! indentation. A [`StreamPrinter`] turns what a [`LogReader`] returns into the text that people see.

pub mod codec;
mod disk;
mod filter;
mod head;
mod lane;
mod limits;
pub mod odd_bytes;
mod place;
mod print;
mod reader;
mod scrub;
mod search;
mod shared;
mod spill;
mod state;
mod store;
mod tail;
mod visible;
mod writer;

#[cfg(test)]
mod tests;

pub use crate::model::{Level, LogEvent, Progress, Segment};
pub use filter::{LogFilter, LogSource};
pub use lane::Lane;
pub use limits::LogLimits;
pub use print::StreamPrinter;
pub use reader::LogReader;
pub use search::{Bounds, Found, LogPage, LogQuery, Term};
pub use state::{LogFaults, SpanFaults};
pub use store::{LogStore, SecretHider};
pub use tail::{last_lines, last_segments};
pub use visible::visible;
pub use writer::LogWriter;
