//! What passes and what is tried again: failures that are known to pass, and tasks that are begun anew.

mod lasting_tasks;
mod unreachable;

#[cfg(test)]
pub(crate) use lasting_tasks::planted;
pub(crate) use lasting_tasks::{death, lasting, vital, words};
pub(in crate::edge) use unreachable::{Failure, says_unreachable};
