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
    Running {
        pipe: PipeWriter,
        /// The groups that it knows of, to tell them to the next one if it dies.
        living: BTreeSet<i32>,
    },
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
        *guard = start().map_or(Guard::Off, |pipe| Guard::Running {
            pipe,
            living: BTreeSet::new(),
        });
    }
}

/// Tells the guard of a group that begins.
pub(super) fn begins(group: i32) {
    tell(&mut guard(), group, start);
}

/// Tells the guard of a group that ended.
pub(super) fn ended(group: i32) {
    tell(&mut guard(), -group, start);
}

/// Tells the guard of a group that begins, or, with its number negative, that has ended. Where the guard has died, another
/// one is started that guards all groups that are left.
fn tell(guard: &mut Guard, message: i32, start: impl Fn() -> io::Result<PipeWriter>) {
    let Guard::Running { pipe, living } = guard else {
        return;
    };
    match message {
        group @ 0.. => living.insert(group),
        ended => living.remove(&-ended),
    };
    if pipe.write_all(&message.to_le_bytes()).is_ok() {
        return;
    }
    let again = || -> io::Result<PipeWriter> {
        let mut pipe = start()?;
        living
            .iter()
            .try_for_each(|group| pipe.write_all(&group.to_le_bytes()))?;
        Ok(pipe)
    };
    match again() {
        Ok(next) => *pipe = next,
        Err(_) => *guard = Guard::Off,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_guard_after_one_that_died_guards_all_that_is_left() {
        let (reader, pipe) = io::pipe().unwrap();
        let mut guard = Guard::Running {
            pipe,
            living: BTreeSet::new(),
        };
        let never = || -> io::Result<PipeWriter> { Err(io::ErrorKind::Other.into()) };
        for message in [7, 8, -7] {
            tell(&mut guard, message, never);
        }
        drop(reader);
        let (mut reader, next) = io::pipe().unwrap();
        tell(&mut guard, 9, || next.try_clone());
        drop((guard, next));
        let mut told = Vec::new();
        reader.read_to_end(&mut told).unwrap();
        let groups: Vec<i32> = told
            .chunks(4)
            .map(|group| i32::from_le_bytes(group.try_into().unwrap()))
            .collect();
        assert_eq!(groups, [8, 9]);
    }
}
