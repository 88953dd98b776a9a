//! Commands of the user's on this machine: how one is run, the updates and servers of local resources, and the probes that
//! tell whether a server is ready.

mod probe;
#[cfg(test)]
mod probe_tests;
mod run;
mod servers;
mod tls;
mod update;

use crate::edge::process::{ChildCommand, Environment, MARK, os_text, own_mark};
use crate::model::{Command, LocalPath};

pub use run::{CommandFault, run_command};
pub use servers::Servers;
pub use update::run_update;

/// What every command of a session finds in its environment, beside its own variables.
#[derive(Clone, Debug, Default)]
pub struct CommandVariables(Vec<(String, String)>);

impl CommandVariables {
    /// Returns variables of a session; they only fill gaps.
    pub fn new(variables: Vec<(String, String)>) -> Self {
        Self(variables)
    }

    /// Returns how to run a command.
    ///
    /// Rule: `docs/rules/local.md`, "Environment".
    pub fn child(&self, command: &Command) -> ChildCommand {
        let mut env = Environment::inherited();
        for (name, value) in &self.0 {
            env.set_default(name, value);
        }
        for (name, value) in [("LINES", "24"), ("COLUMNS", "80"), ("PYTHONUNBUFFERED", "1")] {
            env.set_default(name, value);
        }
        for variable in &command.env {
            let (name, value) = variable.split_once('=').unwrap_or((variable, ""));
            env.set(os_text(name), os_text(value));
        }
        env.set(MARK, own_mark());
        ChildCommand {
            argv: command.argv.clone(),
            dir: command.dir.clone().unwrap_or_else(|| LocalPath::new("/")),
            env,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_wins_over_the_session_and_the_user_over_it_too() {
        let session = [("HOME", "/other"), ("TILT_PORT", "1")];
        let session = session.map(|(name, value)| (name.to_owned(), value.to_owned()));
        let command = Command {
            argv: vec!["true".to_owned()],
            dir: None,
            env: vec!["LINES=7".to_owned(), "OPT=a=b".to_owned()],
        };
        let child = CommandVariables::new(session.into()).child(&command);
        let get = |name: &str| {
            child
                .env
                .get(name)
                .map(|value| value.to_string_lossy().into_owned())
        };
        assert_ne!(get("HOME").as_deref(), Some("/other"), "it is set already");
        assert_eq!(get("TILT_PORT").as_deref(), Some("1"));
        assert_eq!(
            (get("LINES").as_deref(), get("OPT").as_deref()),
            (Some("7"), Some("a=b"))
        );
    }
}
