//! What passes and what is tried again: failures that are known to pass, and tasks that are begun anew.

mod lasting_tasks;
mod unreachable;

pub(in crate::edge) use lasting_tasks::{lasting, words};
pub(in crate::edge) use unreachable::{Failure, says_unreachable};
