//! Runs child processes, each in a session of its own, so that they end with all that they started.
//!
//! A [`ChildCommand`] names its directory and its whole environment. [`Process`] streams its output to the log;
//! [`capture`] returns it. Dropping either kills the process and its group. `group` knows all groups that live, for
//! the moment when this program must go at once.

mod browser;
mod environment;
mod exit;
mod group;
pub mod guard;
mod mark;
mod output;
mod terminal;
mod to_end;

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStringExt;
use std::process::Stdio;
use std::time::Duration;

use process_wrap::tokio::{ChildWrapper, CommandWrap, KillOnDrop, ProcessSession};
use tokio::net::unix::pipe;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::logs::LogWriter;
use crate::model::LocalPath;
use crate::model::octets::bytes_of;
use crate::tiltfile::why_not_started;

pub use browser::open_in_browser;
pub use environment::{Environment, pin, set_own};
pub use exit::Exit;
use group::Group;
pub use group::kill_all_groups;
pub use mark::{VARIABLE as MARK, end_marked, mark_of, own_mark};
use output::Collected;
use output::pump_lines;
pub(in crate::edge) use output::pump_to_log;
pub use terminal::{become_program, edit, run_at_terminal};
pub use to_end::run_to_end;

/// How long output is still read once a process has ended: one that left its group may hold the pipe open for ever.
const DRAIN: Duration = Duration::from_secs(1);

/// When a process that was asked to stop is told about, and when it is killed.
///
/// Rule: `docs/rules/local.md`, "Processes".
const FIRST_NOTICE: Duration = Duration::from_millis(1500);
const SECOND_NOTICE: Duration = Duration::from_secs(10);
const GRACE: Duration = Duration::from_secs(30);

/// Returns a text as the operating system is to get it: with the bytes that are no UTF-8.
pub fn os_text(text: &str) -> OsString {
    OsString::from_vec(bytes_of(text).into_owned())
}

/// What to run, where, and with which environment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildCommand {
    /// The program, looked up in its own `PATH`, and its arguments. Not empty.
    pub argv: Vec<String>,
    /// The working directory.
    pub dir: LocalPath,
    /// The whole environment.
    pub env: Environment,
}

impl ChildCommand {
    fn wrap(&self, stdout: Stdio, stderr: Stdio, stdin: Stdio) -> io::Result<CommandWrap> {
        let (program, args) = self
            .argv
            .split_first()
            .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "no command"))?;
        guard::prepare();
        let mut wrap = CommandWrap::with_new(os_text(program), |command| {
            command
                .args(args.iter().map(|arg| os_text(arg)))
                .current_dir(self.dir.as_path())
                .env_clear()
                .envs(self.env.iter())
                .stdin(stdin)
                .stdout(stdout)
                .stderr(stderr);
        });
        wrap.wrap(ProcessSession).wrap(KillOnDrop);
        Ok(wrap)
    }

    /// Says why it could not be started.
    pub(in crate::edge) fn not_started(&self, error: &io::Error) -> io::Error {
        let program = self.argv.first().map_or("", String::as_str);
        let missing_dir = Some(&self.dir).filter(|dir| !dir.as_path().is_dir());
        io::Error::new(error.kind(), why_not_started(program, missing_dir, error))
    }
}

/// A running process whose output goes to the log. It is killed, with its group, when this is dropped.
#[derive(Debug)]
pub struct Process {
    // Dropped first: the group goes before the process is reaped and its number becomes free.
    group: Option<Group>,
    child: Box<dyn ChildWrapper>,
    output: JoinHandle<()>,
}

impl Process {
    /// Starts a process. What it prints goes to the log in the order in which it prints it; it has no input.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn spawn(command: &ChildCommand, log: &LogWriter) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        let child = command
            .wrap(writer.try_clone()?.into(), writer.into(), Stdio::null())?
            .spawn()
            .map_err(|error| command.not_started(&error))?;
        let reader = pipe::Receiver::from_owned_fd(reader.into())?;
        Ok(Self {
            group: Some(Group::of(&*child)?),
            child,
            output: tokio::spawn(pump_to_log(reader, log.clone())),
        })
    }

    /// Starts a process whose lines are received one by one, in the order in which it prints them; it has no input.
    ///
    /// # Errors
    ///
    /// When it cannot be started.
    pub fn spawn_with_lines(command: &ChildCommand) -> io::Result<(Self, mpsc::UnboundedReceiver<String>)> {
        let (reader, writer) = io::pipe()?;
        let child = command
            .wrap(writer.try_clone()?.into(), writer.into(), Stdio::null())?
            .spawn()
            .map_err(|error| command.not_started(&error))?;
        let reader = pipe::Receiver::from_owned_fd(reader.into())?;
        let (lines, receiver) = mpsc::unbounded_channel();
        let process = Self {
            group: Some(Group::of(&*child)?),
            child,
            output: tokio::spawn(pump_lines(reader, lines)),
        };
        Ok((process, receiver))
    }

    /// Returns the number of the process, which is that of its group too; 0 once it has ended.
    pub fn pid(&self) -> u32 {
        self.child.id().unwrap_or(0)
    }

    /// Waits until the process has ended and its output is in the log. What is left of its group is killed.
    ///
    /// # Errors
    ///
    /// When the operating system does not tell how it ended.
    pub async fn wait(&mut self) -> io::Result<Exit> {
        let status = self.child.wait().await?;
        self.group = None;
        if timeout(DRAIN, &mut self.output).await.is_err() {
            self.output.abort();
        }
        Ok(Exit::from(status))
    }

    /// Stops the process: asks its group to end, and kills it after 30 s. Says in the log what it waits for.
    ///
    /// # Errors
    ///
    /// When the operating system does not tell how it ended.
    pub async fn stop(mut self, log: &LogWriter) -> io::Result<Exit> {
        let pid = self.pid();
        if self
            .group
            .as_ref()
            .is_some_and(|group| group.terminate().is_err())
        {
            self.group = None;
            return self.wait().await;
        }
        let steps = [
            (
                FIRST_NOTICE,
                format!("Waiting 30s for process to exit... (pid: {pid})"),
            ),
            (
                SECOND_NOTICE - FIRST_NOTICE,
                format!("Still waiting on exit... (pid: {pid})"),
            ),
            (
                GRACE - SECOND_NOTICE,
                format!("Time is up! Sending {pid} a kill signal"),
            ),
        ];
        for (wait, notice) in steps {
            if timeout(wait, self.child.wait()).await.is_ok() {
                return self.wait().await;
            }
            log.info(&notice);
        }
        self.group = None;
        self.wait().await
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.output.abort();
    }
}

/// What a process printed, and how it ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Captured {
    /// How it ended.
    pub exit: Exit,
    /// What it printed.
    pub stdout: Vec<u8>,
    /// What it printed as errors.
    pub stderr: Vec<u8>,
}

/// Runs a process to its end and returns what it printed. It is killed, with its group, when this is dropped.
///
/// # Errors
///
/// When it cannot be started.
pub async fn capture(command: &ChildCommand, input: Option<Vec<u8>>) -> io::Result<Captured> {
    let stdin = if input.is_some() {
        Stdio::piped()
    } else {
        Stdio::null()
    };
    let mut child = command.wrap(Stdio::piped(), Stdio::piped(), stdin)?.spawn()?;
    let group = Group::of(&*child)?;
    let stdout = Collected::from(child.stdout().take());
    let stderr = Collected::from(child.stderr().take());
    let feed = child.stdin().take().zip(input).map(|(mut stdin, input)| {
        tokio::spawn(async move {
            // A process need not read its input.
            let _ = tokio::io::AsyncWriteExt::write_all(&mut stdin, &input).await;
        })
    });
    let status = child.wait().await?;
    drop(group);
    if let Some(feed) = feed {
        feed.abort();
    }
    Ok(Captured {
        exit: Exit::from(status),
        stdout: stdout.finish(DRAIN).await,
        stderr: stderr.finish(DRAIN).await,
    })
}

#[cfg(test)]
mod tests;
