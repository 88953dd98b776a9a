//! Runs a program at the user's terminal, in our own process group, so that the terminal is its own.
#![allow(
    clippy::disallowed_methods,
    reason = "this is the room for it; it inherits directory and environment on purpose"
)]

use std::io;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;

/// Opens a file in an editor, given as program and arguments, and waits until it is closed; returns whether it succeeded.
///
/// # Errors
/// The editor cannot be started.
pub fn edit(editor: &[String], file: &Path) -> io::Result<bool> {
    Ok(command(editor, &[])?.arg(file).status()?.success())
}

/// Runs a program to its end; returns its exit code, 1 where a signal ended it. `variables` are added to its environment.
///
/// # Errors
/// It cannot be started.
pub fn run_at_terminal(argv: &[String], variables: &[(String, String)]) -> io::Result<u8> {
    let status = command(argv, variables)?.status()?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.unwrap_or(1))
}

/// Becomes a program. Returns only if that cannot be done, with why.
pub fn become_program(argv: &[String], variables: &[(String, String)]) -> io::Error {
    match command(argv, variables) {
        Ok(mut command) => command.exec(),
        Err(error) => error,
    }
}

fn command(argv: &[String], variables: &[(String, String)]) -> io::Result<Command> {
    let (program, args) = argv
        .split_first()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no program"))?;
    let mut command = Command::new(program);
    let variables = variables.iter().map(|(name, value)| (name, value));
    command.args(args).envs(variables);
    Ok(command)
}
