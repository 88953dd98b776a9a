//! What commands print themselves. Whoever read it may have gone away (a closed pipe): that must not change how a command
//! ends.

use std::io::{self, Write};

/// Prints data to standard output.
pub(super) fn out(text: &str) {
    // Nobody is left to be told.
    let _ = write(&mut io::stdout().lock(), text.as_bytes());
}

/// Prints data that need not be UTF-8 to standard output.
pub(super) fn out_bytes(bytes: &[u8]) {
    let _ = write(&mut io::stdout().lock(), bytes);
}

/// Prints talk to standard error.
pub(super) fn err(text: impl AsRef<[u8]>) {
    let _ = write(&mut io::stderr().lock(), text.as_ref());
}

fn write(to: &mut impl Write, text: &[u8]) -> io::Result<()> {
    to.write_all(text)?;
    to.flush()
}
