//! A small process of our own that outlives us just long enough to kill what we started, if we are killed ourselves.
//!
//! It reads from a pipe which process groups begin and end. Whatever ends us, `kill -9` included, closes the pipe; then
//! it kills the groups that are left, and what left its group but carries our mark.

use std::collections::BTreeSet;
use std::io::{self, PipeWriter, Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::sync::{Mutex, MutexGuard};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use super::mark::{kill_marked, own_mark};

/// The command of this program that does the guarding. For our own use.
pub const COMMAND: &str = "guard-process-groups";

enum Guard {
    /// Nobody asked for one.
    Off,
    /// One is started before the first process.
    Wanted,
    Running(PipeWriter),
}

static GUARD: Mutex<Guard> = Mutex::new(Guard::Off);

fn guard() -> MutexGuard<'static, Guard> {
    GUARD.lock().expect("no panic while the guard is held")
}

/// Asks for a guard of all groups that begin from now on. This program must know [`COMMAND`].
pub fn guard_groups() {
    let mut guard = guard();
    if let Guard::Off = *guard {
        *guard = Guard::Wanted;
    }
}

/// Starts the guard if it is wanted and not there yet. Called before a process starts, so that little time passes until
/// it is guarded. Without a guard groups still end with us unless we are killed.
pub(super) fn prepare() {
    let mut guard = guard();
    if let Guard::Wanted = *guard {
        *guard = start().map_or(Guard::Off, Guard::Running);
    }
}

/// Tells the guard of a group that begins.
pub(super) fn begins(group: i32) {
    tell(&mut guard(), group);
}

/// Tells the guard of a group that ended.
pub(super) fn ended(group: i32) {
    tell(&mut guard(), -group);
}

fn tell(guard: &mut Guard, message: i32) {
    if let Guard::Running(pipe) = guard
        && pipe.write_all(&message.to_le_bytes()).is_err()
    {
        *guard = Guard::Off;
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "it names a directory and an environment"
)]
fn start() -> io::Result<PipeWriter> {
    let (reader, writer) = io::pipe()?;
    let mut command = Command::new(std::env::current_exe()?);
    command.args([COMMAND, &own_mark()]).current_dir("/").env_clear();
    command.stdin(reader).stdout(Stdio::null()).stderr(Stdio::null());
    // A Ctrl-C of the terminal must not reach it.
    command.process_group(0);
    command.spawn()?;
    Ok(writer)
}

/// Is the guard: reads groups from standard input to its end, then kills those that are left, and what carries the mark.
pub fn run(mark: &str) {
    let (mut input, mut living) = (io::stdin().lock(), BTreeSet::new());
    let mut message = [0; 4];
    while input.read_exact(&mut message).is_ok() {
        match i32::from_le_bytes(message) {
            group @ 2.. => living.insert(group),
            ended => living.remove(&-ended),
        };
    }
    for group in living {
        // One that is gone already is what we want.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    kill_marked(mark);
}
