//! `k8s_custom_deploy`: commands of the user's that deploy a resource and take it away.
//!
//! Rule: `docs/rules/deploy.md`, "Custom deploys".

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::numbered_steps::INDENT;
use crate::edge::kube::applied_object;
use crate::edge::local::CommandVariables;
use crate::edge::process::{ChildCommand, run_to_end};
use crate::engine::AppliedObject;
use crate::k8s::yaml;
use crate::logs::{Level, LogWriter, odd_bytes};
use crate::model::{Command, ImageRef, format_go_duration};
use crate::tiltfile::Stream;

/// How much of each end of a failed command's output is shown, in characters.
const SHOWN: usize = 250;

/// Runs the command that deploys, and returns the objects that it prints.
///
/// `images` are those it depends on, each as the Tiltfile names it and as the cluster knows it.
///
/// # Errors
/// When it fails, takes too long, is canceled, or prints anything but objects with UIDs.
pub(in crate::edge) async fn apply(
    command: &Command,
    images: &[(ImageRef, ImageRef)],
    timeout: Duration,
    variables: &CommandVariables,
    log: &LogWriter,
    cancel: &CancellationToken,
) -> Result<Vec<AppliedObject>, String> {
    let mut command = command.clone();
    for (number, (name, built)) in images.iter().enumerate() {
        command
            .env
            .push(format!("TILT_IMAGE_MAP_{number}={}", name.familiar()));
        command
            .env
            .push(format!("TILT_IMAGE_{number}={}", built.familiar()));
    }
    let printed = run(Purpose::Apply, &command, timeout, variables, log, cancel).await?;
    let malformed = |why: String| {
        format!(
            "apply command returned malformed YAML: {why}\n\
             hint: its standard output must be the applied objects, as `kubectl get -o yaml` prints them; what else it has \
             to say belongs on standard error"
        )
    };
    let text = String::from_utf8_lossy(&printed);
    let stream = yaml::read(&text, "apply command").map_err(|fault| malformed(fault.message))?;
    let objects: Vec<AppliedObject> = stream
        .entities
        .iter()
        .map(|entity| applied_object(entity.value()))
        .collect();
    match objects.iter().find(|object| object.uid.as_str().is_empty()) {
        Some(object) => Err(malformed(format!("{} has no uid", object.id))),
        None => Ok(objects),
    }
}

/// Runs the command that takes a resource away.
///
/// # Errors
/// When it fails or takes too long.
pub async fn delete(
    command: &Command,
    timeout: Duration,
    variables: &CommandVariables,
    log: &LogWriter,
) -> Result<(), String> {
    let never = CancellationToken::new();
    run(Purpose::Delete, command, timeout, variables, log, &never)
        .await
        .map(drop)
}

/// What a command is for.
#[derive(Clone, Copy, PartialEq)]
enum Purpose {
    /// Its output are the objects that it has applied.
    Apply,
    /// Its output is talk.
    Delete,
}

impl Purpose {
    fn word(self) -> &'static str {
        match self {
            Self::Apply => "apply",
            Self::Delete => "delete",
        }
    }
}

/// Runs a command to its end and returns what it printed; what is talk goes to the log, below the command's line.
async fn run(
    purpose: Purpose,
    command: &Command,
    timeout: Duration,
    variables: &CommandVariables,
    log: &LogWriter,
    cancel: &CancellationToken,
) -> Result<Vec<u8>, String> {
    let shown = command.display();
    log.info(&format!("Running cmd: {shown}"));
    let what = purpose.word();
    let (child, told) = (variables.child(command), log.clone());
    let stopped = Arc::new(AtomicBool::new(false));
    let is_stopped = Arc::clone(&stopped);
    let mut running = tokio::task::spawn_blocking(move || run_blocking(purpose, &child, &told, &is_stopped));
    let ended = tokio::select! {
        ended = &mut running => ended,
        () = cancel.cancelled() => {
            stopped.store(true, Ordering::Relaxed);
            // It ends at once, with its group.
            let _ = running.await;
            return Err("build canceled".to_owned());
        }
        () = tokio::time::sleep(timeout) => {
            stopped.store(true, Ordering::Relaxed);
            let _ = running.await;
            return Err(format!(
                "{what} command timed out after {} - see \
                 https://docs.tilt.dev/api.html#api.update_settings for how to increase",
                format_go_duration(timeout)
            ));
        }
    };
    let captured = ended.map_err(|error| format!("internal error: {error}"))?;
    let captured = captured.map_err(|error| format!("{what} command failed to start: {shown}: {error}"))?;
    if captured.exit.is_success() {
        return Ok(captured.stdout);
    }
    Err(format!(
        "{what} command exited with status {}\nstdout:\n{}\n",
        captured.exit.code(),
        ends(&String::from_utf8_lossy(&captured.stdout))
    ))
}

fn run_blocking(
    purpose: Purpose,
    child: &ChildCommand,
    log: &LogWriter,
    stopped: &AtomicBool,
) -> std::io::Result<crate::edge::process::Captured> {
    let (mut output, mut errors) = (Indented::default(), Indented::default());
    let mut tell = |stream: Stream, bytes: &[u8]| {
        let text = odd_bytes::decode(bytes);
        match stream {
            Stream::Stdout if purpose == Purpose::Apply => {}
            Stream::Stdout => log.raw(Level::Info, output.next(&text)),
            Stream::Stderr => log.raw(Level::Info, errors.next(&text)),
        }
    };
    run_to_end(child, Vec::new(), &mut tell, stopped).map_err(|error| child.not_started(&error))
}

/// Indents text that comes in pieces.
#[derive(Default)]
struct Indented {
    is_within_line: bool,
}

impl Indented {
    fn next(&mut self, piece: &str) -> String {
        let mut out = String::with_capacity(piece.len() + INDENT.len());
        for line in piece.split_inclusive('\n') {
            if !self.is_within_line && line != "\n" {
                out.push_str(INDENT);
            }
            out.push_str(line);
            self.is_within_line = !line.ends_with('\n');
        }
        out
    }
}

/// Returns both ends of a long text.
fn ends(text: &str) -> String {
    let characters: Vec<char> = text.trim_end().chars().collect();
    if characters.len() <= 2 * SHOWN {
        return characters.into_iter().collect();
    }
    let (head, tail) = (&characters[..SHOWN], &characters[characters.len() - SHOWN..]);
    format!(
        "{}\n… truncated …\n{}",
        String::from_iter(head),
        String::from_iter(tail)
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::LogStore;

    const OBJECT: &str =
        "cat <<E\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: egg, namespace: ns, uid: u1}\nE\n";

    async fn applied(script: &str, timeout: Duration) -> Result<Vec<AppliedObject>, String> {
        let command = Command {
            argv: Command::shell_argv(script),
            ..Command::default()
        };
        let image = |text: &str| ImageRef::parse(text).unwrap();
        let images = [(image("web"), image("localhost:5000/web:tilt-1"))];
        let log = LogWriter::global(LogStore::in_memory());
        apply(
            &command,
            &images,
            timeout,
            &CommandVariables::default(),
            &log,
            &CancellationToken::new(),
        )
        .await
    }

    #[test]
    fn text_in_pieces_is_indented_line_by_line() {
        let mut indented = Indented::default();
        let pieces = ["a", "b\nc\n", "\nd", "\n"].map(|piece| indented.next(piece));
        assert_eq!(pieces.concat(), "     ab\n     c\n\n     d\n");
    }

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn what_it_prints_is_what_was_applied() {
        let script = format!(
            "test \"$TILT_IMAGE_0\" = localhost:5000/web:tilt-1 -a $TILT_IMAGE_MAP_0 = web; {OBJECT}"
        );
        let objects = applied(&script, LONG).await.unwrap();
        assert_eq!(objects.len(), 1);
        assert_eq!(
            (objects[0].id.to_string().as_str(), objects[0].uid.as_str()),
            ("ConfigMap/egg", "u1")
        );
    }

    #[tokio::test]
    async fn each_fault_is_told() {
        let cases = [
            (
                "echo out; echo err >&2; exit 3",
                "apply command exited with status 3\nstdout:\nout\n",
            ),
            ("echo 'a: [b'", "apply command returned malformed YAML: "),
            (
                "printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: {name: egg}\\n'",
                "apply command returned malformed YAML: ConfigMap/egg has no uid\nhint: ",
            ),
        ];
        for (script, expected) in cases {
            let error = applied(script, LONG).await.unwrap_err();
            assert!(error.starts_with(expected), "{script}: {error}");
        }
        let error = applied("sleep 60", Duration::from_millis(50)).await.unwrap_err();
        assert!(
            error.starts_with("apply command timed out after 50ms - see "),
            "{error}"
        );
    }
}
