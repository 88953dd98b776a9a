//! Lines of container logs, whoever keeps them: what comes over several connections is neither lost nor told twice.
//!
//! `lines` turns bytes into lines, `position` knows what was read already; `asked` knows which logs are
//! wanted, and `readers` has one reader for each.

mod asked;
mod lines;
mod position;
mod readers;

pub(in crate::edge) use asked::AskedLogs;
pub(in crate::edge) use lines::LogLines;
pub(in crate::edge) use readers::{Interruption, Readers, Wishes};
