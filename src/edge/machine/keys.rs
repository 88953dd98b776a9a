//! Keys that a user presses in the terminal of a session.
//!
//! A terminal gives whole lines and shows what is typed. For the time of a session it gives single keys and shows nothing;
//! what it was is put back at the end, whichever way the session ends. A session in the background leaves it alone.
//!
//! Rule: `docs/rules/sessions.md`, "Keys".

use std::io;
use std::os::fd::AsFd;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::termios::{LocalFlags, SetArg, SpecialCharacterIndices, Termios, tcgetattr, tcsetattr};
use nix::unistd::{getpgrp, read, tcgetpgrp};
use tokio::signal::unix::{SignalKind, signal};

/// How long a session in the background waits until it looks again whether it has the terminal: no event says so.
const AGAIN: Duration = Duration::from_secs(1);

/// What became of the terminal.
enum Terminal {
    Untouched,
    /// It was like this, and gives single keys now.
    Taken(Termios),
    /// It is as it was, and stays so.
    GivenBack,
}

static TERMINAL: Mutex<Terminal> = Mutex::new(Terminal::Untouched);

fn terminal() -> MutexGuard<'static, Terminal> {
    TERMINAL.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Puts the terminal back when it goes.
#[must_use]
pub struct Keys(());

impl Drop for Keys {
    fn drop(&mut self) {
        give_back();
    }
}

/// Calls `on_key` for each key that is pressed, on a thread of its own, which lives as long as the program: nobody can take
/// back that a terminal is read. Standard input must be a terminal. Needs the runtime.
///
/// # Errors
/// No thread can be started, or no signal received.
pub fn listen(on_key: impl Fn(u8) + Send + 'static) -> io::Result<Keys> {
    // A shell may have changed the terminal while the session was stopped.
    let mut continued = signal(SignalKind::from_raw(nix::libc::SIGCONT))?;
    tokio::spawn(async move {
        while continued.recv().await.is_some() {
            take();
        }
    });
    std::thread::Builder::new()
        .name("keys".to_owned())
        .spawn(move || read_keys(on_key))?;
    Ok(Keys(()))
}

fn read_keys(on_key: impl Fn(u8)) {
    let stdin = io::stdin();
    loop {
        if !has_terminal() {
            std::thread::sleep(AGAIN);
            continue;
        }
        take();
        let mut ready = [PollFd::new(stdin.as_fd(), PollFlags::POLLIN)];
        // What is typed while another program has the terminal is for that one.
        if poll(&mut ready, PollTimeout::NONE).is_err() || !has_terminal() {
            continue;
        }
        let mut key = [0];
        match read(stdin.as_fd(), &mut key) {
            Ok(1) => on_key(key[0]),
            Err(nix::errno::Errno::EINTR | nix::errno::Errno::EAGAIN) => {}
            // The terminal is gone.
            Ok(_) | Err(_) => return,
        }
    }
}

/// Returns whether this program is in the foreground: whoever else touches the terminal is stopped.
fn has_terminal() -> bool {
    tcgetpgrp(io::stdin()).is_ok_and(|group| group == getpgrp())
}

/// Makes the terminal give single keys. Ctrl-C and the like stay what they are.
fn take() {
    let mut state = terminal();
    if matches!(*state, Terminal::GivenBack) || !has_terminal() {
        return;
    }
    let Ok(found) = tcgetattr(io::stdin()) else {
        return;
    };
    let mut single = found.clone();
    single.local_flags.remove(LocalFlags::ICANON | LocalFlags::ECHO);
    single.control_chars[SpecialCharacterIndices::VMIN as usize] = 1;
    single.control_chars[SpecialCharacterIndices::VTIME as usize] = 0;
    if tcsetattr(io::stdin(), SetArg::TCSANOW, &single).is_ok() && matches!(*state, Terminal::Untouched) {
        *state = Terminal::Taken(found);
    }
}

/// Puts the terminal back, for good.
pub fn give_back() {
    let mut state = terminal();
    if let Terminal::Taken(found) = std::mem::replace(&mut *state, Terminal::GivenBack)
        && has_terminal()
    {
        // A terminal that is gone needs nothing.
        let _ = tcsetattr(io::stdin(), SetArg::TCSANOW, &found);
    }
}
