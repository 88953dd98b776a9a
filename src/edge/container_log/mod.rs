//! Lines of container logs, whoever keeps them: what comes over several connections is neither lost nor told twice.
//!
//! `lines` turns bytes into lines, `position` knows what was read already.

mod lines;
mod position;

pub(in crate::edge) use lines::LogLines;
