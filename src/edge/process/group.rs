//! Process groups that live, so that none outlives us.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Mutex, MutexGuard};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use process_wrap::tokio::ChildWrapper;

use super::guard;

static LIVING: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

fn living() -> MutexGuard<'static, BTreeSet<i32>> {
    LIVING.lock().expect("no panic while the groups are held")
}

/// Kills all processes that this program started, with their groups. For when there is no time to stop them.
pub fn kill_all_groups() {
    for number in living().iter() {
        // One that is gone already is what we want.
        let _ = killpg(Pid::from_raw(*number), Signal::SIGKILL);
    }
}

/// A process group. It is killed when this is dropped.
#[derive(Debug)]
pub(super) struct Group(i32);

impl Group {
    /// Returns the group that a child of ours leads.
    pub(super) fn of(child: &dyn ChildWrapper) -> io::Result<Self> {
        let number = child.id().and_then(|id| i32::try_from(id).ok());
        // Group 0 would be our own.
        let number = number.filter(|number| *number > 0);
        let number = number.ok_or_else(|| io::Error::other("the process has no number"))?;
        living().insert(number);
        guard::begins(number);
        Ok(Self(number))
    }

    /// Lets all processes of the group live on.
    pub(super) fn release(self) {
        living().remove(&self.0);
        guard::ended(self.0);
        std::mem::forget(self);
    }

    /// Asks all processes of the group to end.
    pub(super) fn terminate(&self) -> io::Result<()> {
        Ok(killpg(Pid::from_raw(self.0), Signal::SIGTERM)?)
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        living().remove(&self.0);
        // One that is gone already is what we want.
        let _ = killpg(Pid::from_raw(self.0), Signal::SIGKILL);
        guard::ended(self.0);
    }
}
