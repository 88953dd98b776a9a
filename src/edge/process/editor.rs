//! Runs a user's editor at the terminal, in our own process group, so that the terminal is its own.
#![allow(
    clippy::disallowed_methods,
    reason = "this is the room for it; it inherits directory and environment on purpose"
)]

use std::io;
use std::path::Path;
use std::process::Command;

/// Opens a file in an editor, given as program and arguments, and waits until it is closed; returns whether it succeeded.
///
/// # Errors
/// The editor cannot be started.
pub fn edit(editor: &[String], file: &Path) -> io::Result<bool> {
    let (program, args) = editor
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no editor"))?;
    Ok(Command::new(program).args(args).arg(file).status()?.success())
}
