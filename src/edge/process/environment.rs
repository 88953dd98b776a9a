//! Environments of child processes.
//!
//! Whatever this program starts gets [`Environment::inherited`]: so nothing that is started, by whom ever, can miss which
//! cluster the session means ([`pin`]).

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

/// Variables that every child gets, whatever this program's environment says.
static PINNED: Mutex<Environment> = Mutex::new(Environment(BTreeMap::new()));

/// Gives every child that starts from now on this value of a variable. Only what is said of one command alone wins over it.
pub fn pin(name: &str, value: impl Into<OsString>) {
    let mut pinned = PINNED.lock().expect("no panic while the environment is held");
    pinned.set(name, value);
}

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
    /// Returns the environment for children: that of this program, with what [`set_own`] changed, and what is pinned.
    pub fn inherited() -> Self {
        Self::of_this_program().with(&Self::pinned())
    }

    /// Returns the variables that every child gets.
    pub fn pinned() -> Self {
        PINNED
            .lock()
            .expect("no panic while the environment is held")
            .clone()
    }

    /// Returns the environment of this program, with what [`set_own`] changed.
    pub fn of_this_program() -> Self {
        own().clone()
    }

    /// Returns this environment with the variables of another one, which win.
    fn with(mut self, other: &Self) -> Self {
        self.0
            .extend(other.0.iter().map(|(name, value)| (name.clone(), value.clone())));
        self
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_pinned_wins_over_the_environment_of_this_program() {
        let mut own = Environment::default();
        own.set("KUBECONFIG", "/users");
        own.set("HOME", "/home");
        let mut pinned = Environment::default();
        pinned.set("KUBECONFIG", "/frozen");
        let all = own.with(&pinned);
        let get = |name: &str| all.get(name).map(|value| value.to_string_lossy().into_owned());
        assert_eq!(get("KUBECONFIG").as_deref(), Some("/frozen"));
        assert_eq!(get("HOME").as_deref(), Some("/home"));
    }
}
