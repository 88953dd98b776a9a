//! What commands print themselves. Whoever read it may have gone away (a closed pipe): that must not change how a command
//! ends. A full disk does, where what is printed is what the command is for.

use std::io::{self, IsTerminal, Write};

use anyhow::Context as _;

/// Prints what a command is for.
///
/// # Errors
/// When it cannot be written, but for a reader that has seen enough.
pub(super) fn data(text: impl AsRef<[u8]>) -> anyhow::Result<()> {
    match write(&mut io::stdout().lock(), text.as_ref()) {
        Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
        written => written.context("cannot write to standard output"),
    }
}

/// Prints to standard output what others may miss.
pub(super) fn out(text: &str) {
    // Nobody is left to be told.
    let _ = write(&mut io::stdout().lock(), text.as_bytes());
}

/// Prints data that need not be UTF-8 to standard output.
pub(super) fn out_bytes(bytes: &[u8]) {
    let _ = write(&mut io::stdout().lock(), bytes);
}

/// Returns whether somebody is there who reads what is said, and can answer.
pub(super) fn is_to_somebody() -> bool {
    io::stdin().is_terminal() && io::stdout().is_terminal()
}

/// Prints talk to standard error.
pub(super) fn err(text: impl AsRef<[u8]>) {
    let _ = write(&mut io::stderr().lock(), text.as_ref());
}

fn write(to: &mut impl Write, text: &[u8]) -> io::Result<()> {
    to.write_all(text)?;
    to.flush()
}
