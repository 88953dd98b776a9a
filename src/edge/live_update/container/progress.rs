//! What is about to be done in a container, to be told.

use crate::model::{BatchRun, ContainerPath, LocalPath};

/// What is about to be done in a container, to be told.
#[derive(Debug)]
pub enum Progress<'a> {
    /// These are deleted: what is no longer here, and where it is there. Not empty.
    Delete(&'a [(&'a LocalPath, &'a ContainerPath)]),
    /// These are copied: from here, to there. Not empty.
    Copy(&'a [(&'a LocalPath, &'a ContainerPath)]),
    /// A command is run, the nth of so many.
    Run {
        /// Which one, from 1 on.
        nth: usize,
        /// How many there are.
        of: usize,
        /// The command.
        run: &'a BatchRun,
    },
}
