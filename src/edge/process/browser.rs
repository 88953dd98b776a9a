//! Opens the user's browser. It lives on when we end, so it is no process of ours.
#![allow(
    clippy::disallowed_methods,
    reason = "this is the room for it; it inherits directory and environment on purpose"
)]

use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

/// The programs that open an address in the browser that the user chose.
const OPENERS: &[&str] = match cfg!(target_os = "macos") {
    true => &["open"],
    false => &["xdg-open", "x-www-browser", "www-browser"],
};

/// Opens an address; returns once the program that was asked has ended, which may be when the browser is closed.
///
/// # Errors
/// There is no such program, or it says that it could not do it.
pub fn open_in_browser(address: &str) -> io::Result<()> {
    for opener in OPENERS {
        let mut command = Command::new(opener);
        command.arg(address).process_group(0);
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        match command.status() {
            Ok(status) if status.success() => return Ok(()),
            Ok(status) => return Err(io::Error::other(format!("{opener}: {status}"))),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
    }
    let names = OPENERS.join(", ");
    Err(io::Error::new(
        io::ErrorKind::NotFound,
        format!("there is none of {names}"),
    ))
}
