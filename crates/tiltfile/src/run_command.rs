//! Commands that run while a Tiltfile is evaluated: their environment, and why they could not run.
//!
//! Rule: `docs/rules/tiltfile.md`, "Commands while loading".

use std::collections::BTreeMap;
use std::io;
use std::sync::atomic::AtomicBool;

use super::host::{Host, HostCommand, Ran, Stream};
use super::session::Session;
use crate::model::{Command, LocalPath};

/// Set for every command that does not have them; programs print as wide, and as early, as a log needs it.
const DEFAULTS: &[(&str, &str)] = &[
    ("LINES", "24"),
    ("COLUMNS", "80"),
    ("PYTHONUNBUFFERED", "1"),
    ("TILT_DISABLE_ANALYTICS", "1"),
];

impl Session<'_> {
    /// Runs a command to its end; `output` hears what it prints as soon as it does.
    ///
    /// # Errors
    /// A sentence as Go words it, when the command could not be started.
    pub(super) fn run_command(
        &self,
        command: &Command,
        stdin: Vec<u8>,
        output: &mut dyn FnMut(Stream, &[u8]),
    ) -> Result<Ran, String> {
        if self.must_end() {
            return Err("the load has failed before".to_owned());
        }
        let mut run = HostCommand {
            command,
            environment: self.environment_of(command),
            stdin,
            output,
        };
        let ran = self.host.run(&mut run, &self.cancelled);
        ran.map_err(|error| self.why_not_started(command, &error))
    }

    /// Runs commands at the same time, each to its end, without anybody hearing what they print.
    ///
    /// # Errors
    /// For each, as [`Session::run_command`].
    pub(super) fn run_together(&self, commands: &[Command]) -> Vec<Result<Ran, String>> {
        if self.must_end() {
            return commands
                .iter()
                .map(|_| Err("the load has failed before".to_owned()))
                .collect();
        }
        let (host, cancelled): (&dyn Host, &AtomicBool) = (self.host, &self.cancelled);
        let ran: Vec<io::Result<Ran>> = std::thread::scope(|scope| {
            let running: Vec<_> = commands
                .iter()
                .map(|command| {
                    let environment = self.environment_of(command);
                    scope.spawn(move || {
                        let mut run = HostCommand {
                            command,
                            environment,
                            stdin: Vec::new(),
                            output: &mut |_, _| {},
                        };
                        host.run(&mut run, cancelled)
                    })
                })
                .collect();
            let ended = running.into_iter().map(|thread| thread.join());
            ended
                .map(|ran| ran.unwrap_or_else(|_| Err(io::Error::other("it was not watched to its end"))))
                .collect()
        });
        let of_commands = ran.into_iter().zip(commands);
        of_commands
            .map(|(ran, command)| ran.map_err(|error| self.why_not_started(command, &error)))
            .collect()
    }

    /// Returns the whole environment of a command.
    pub(super) fn environment_of(&self, command: &Command) -> BTreeMap<String, String> {
        let mut environment = self.host.environment_for_commands();
        for variable in &command.env {
            if let Some((name, value)) = variable.split_once('=') {
                environment.insert(name.to_owned(), value.to_owned());
            }
        }
        let of_session = self.request.program.variables.iter();
        let of_session = of_session.map(|(name, value)| (name.as_str(), value.as_str()));
        for (name, value) in of_session.chain(DEFAULTS.iter().copied()) {
            environment
                .entry(name.to_owned())
                .or_insert_with(|| value.to_owned());
        }
        environment
    }

    fn why_not_started(&self, command: &Command, error: &io::Error) -> String {
        if error.kind() == io::ErrorKind::Interrupted {
            return "the load was canceled".to_owned();
        }
        let program = command.argv.first().map_or("", String::as_str);
        let missing_dir = command.dir.as_ref().filter(|dir| !self.host.is_dir(dir));
        why_not_started(program, missing_dir, error)
    }
}

/// Returns why a program could not be started, as Go says it. `missing_dir`: its working directory, where there is none.
pub fn why_not_started(program: &str, missing_dir: Option<&LocalPath>, error: &io::Error) -> String {
    let reason = match error.kind() {
        io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        _ => error.to_string(),
    };
    match missing_dir {
        Some(dir) => format!("chdir {dir}: no such file or directory"),
        None if program.contains('/') => format!("fork/exec {program}: {reason}"),
        None if error.kind() == io::ErrorKind::NotFound => {
            format!("exec: \"{program}\": executable file not found in $PATH")
        }
        None => format!("exec: \"{program}\": {reason}"),
    }
}
