//! Environments of child processes.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::sync::{LazyLock, Mutex, MutexGuard};

use super::os_text;

/// The environment of a child process.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Environment(BTreeMap<OsString, OsString>);

/// The environment of this program. A copy, because changing the real one is not safe where threads run.
static OWN: LazyLock<Mutex<Environment>> =
    LazyLock::new(|| Mutex::new(Environment(std::env::vars_os().collect())));

fn own() -> MutexGuard<'static, Environment> {
    OWN.lock().expect("no panic while the environment is held")
}

/// Sets a variable for all children that start from now on, or unsets it.
pub fn set_own(name: &str, value: Option<&str>) {
    let mut own = own();
    match value {
        Some(value) => own.set(os_text(name), os_text(value)),
        None => {
            own.0.remove(&os_text(name));
        }
    }
}

impl Environment {
    /// Returns the environment of this program, with what [`set_own`] changed.
    pub fn inherited() -> Self {
        own().clone()
    }

    /// Sets a variable.
    pub fn set(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.0.insert(name.into(), value.into());
    }

    /// Sets a variable unless it is set already.
    pub fn set_default(&mut self, name: impl Into<OsString>, value: impl Into<OsString>) {
        self.0.entry(name.into()).or_insert_with(|| value.into());
    }

    /// Removes a variable.
    pub fn unset(&mut self, name: &str) {
        self.0.remove(OsStr::new(name));
    }

    /// Returns the value of a variable.
    pub fn get(&self, name: impl AsRef<OsStr>) -> Option<&OsStr> {
        self.0.get(name.as_ref()).map(OsString::as_os_str)
    }

    /// Returns all variables, sorted by name.
    pub fn iter(&self) -> impl Iterator<Item = (&OsStr, &OsStr)> {
        self.0
            .iter()
            .map(|(name, value)| (name.as_os_str(), value.as_os_str()))
    }
}
