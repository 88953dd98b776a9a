//! Commands whose output is YAML for the Tiltfile: it is not logged, and becomes part of the fault when they fail.

use super::fault::Fault;
use super::session::Session;
use crate::diag::SourceText;
use crate::model::octets::text_of;
use crate::model::{Command, LocalPath};

/// How many lines of what a failed command printed are shown of each stream.
const MAX_LINES: usize = 60;

/// Why a command gave nothing.
pub(super) enum QuietFault {
    /// It could not be started.
    NotStarted(String),
    /// It failed; what it printed as errors.
    Failed(Fault, String),
}

impl Session<'_> {
    /// Runs a command in the current directory and returns what it printed.
    ///
    /// `inputs` is all that the result depends on beside the command, if that is known; then a result of an earlier load
    /// may do.
    pub(super) fn run_quietly(
        &self,
        argv: Vec<String>,
        inputs: Option<&[LocalPath]>,
    ) -> Result<String, QuietFault> {
        let command = Command {
            argv,
            dir: Some(self.directory()),
            env: Vec::new(),
        };
        let shown = command.display();
        let reusable = inputs.map(|inputs| self.reusable(&command, &[], inputs));
        let kept = reusable.as_ref().and_then(|reusable| self.kept(reusable));
        let ran = match (kept, &reusable) {
            (Some(ran), _) => {
                self.log.info(&format!("Nothing has changed for: {shown}"));
                Ok(ran)
            }
            (None, reusable) => {
                self.log.info(&format!("Running: {shown}"));
                match reusable {
                    Some(reusable) => self.run_and_keep(reusable, Vec::new(), &mut |_, _| {}),
                    None => self.run_command(&command, Vec::new(), &mut |_, _| {}),
                }
            }
        };
        let ran = ran.map_err(QuietFault::NotStarted)?;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let Some(failure) = ran.failure else {
            return Ok(text_of(&ran.stdout));
        };
        let (stdout, stderr) = (text(&ran.stdout), text(&ran.stderr));
        let fault = Fault::new(format!(
            "command {shown:?} failed.\nerror: {failure}\nstdout:\n{}\nstderr:\n{}",
            last_lines(&stdout),
            last_lines(&stderr)
        ));
        Err(QuietFault::Failed(fault, stderr))
    }

    /// Returns whether a program can be found by its name.
    pub(super) fn is_on_path(&self, program: &str) -> bool {
        let path = self.host.env("PATH").unwrap_or_default();
        path.split(':').any(|directory| {
            let file = self.directory().join(directory).join(program);
            self.host.exists(&file) && !self.host.is_dir(&file)
        })
    }

    /// Marks a place in a file that a command named.
    pub(super) fn marked(&self, fault: Fault, file: &LocalPath, line: usize, column: usize) -> Fault {
        let Ok(bytes) = self.host.read(file) else {
            return fault;
        };
        let text = SourceText::new(file.to_string(), String::from_utf8_lossy(&bytes).as_ref());
        let source_line = text.line(line).to_owned();
        let start = source_line.chars().count() - source_line.trim_start().chars().count();
        let column = column.max(start + 1);
        fault.at(crate::diag::Place {
            file: file.to_string(),
            line,
            column,
            width: source_line.trim_end().chars().count().saturating_sub(column - 1),
            source_line,
        })
    }
}

impl QuietFault {
    /// Returns the fault of a call whose program could not be started.
    pub(super) fn into_fault(self, mark: impl FnOnce(Fault, &str) -> Fault) -> Fault {
        match self {
            Self::NotStarted(why) => Fault::new(why),
            Self::Failed(fault, stderr) => mark(fault, &stderr),
        }
    }
}

fn last_lines(text: &str) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    let left_out = lines.len().saturating_sub(MAX_LINES);
    let shown = lines[left_out..].join("\n");
    match left_out {
        0 => shown,
        n => format!("[{n} lines left out]\n{shown}"),
    }
}
