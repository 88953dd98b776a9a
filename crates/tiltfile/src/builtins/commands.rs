//! The built-in that runs a command while the Tiltfile is evaluated.

use starlark::values::Value;

use crate::Log;
use crate::call::{Arg, Builtin, Call};
use crate::fault::{Fault, Outcome};
use crate::host::{Ran, Stream};
use crate::model::Command;
use crate::model::octets::{bytes_of, text_of};
use crate::values::Blob;

pub(super) static BUILTINS: &[Builtin] = &[Builtin {
    name: "local",
    signature: "command, quiet=False, command_bat=?, echo_off=False, env={}, dir=?, stdin=?, *, deps=?",
    doc: "Runs a command now and returns what it printed as a blob. Args: `command` (string, for a shell, or list of \
          strings); `quiet` (bool): do not log its output; `command_bat` (string or list): used instead on Windows; \
          `echo_off` (bool): do not log the command; `env` (dict of strings): added to its environment; `dir` (path): \
          where it runs; `stdin` (string or blob): what it can read; `deps` (list of paths): all that it reads. Files \
          in `deps` are watched, and while they and the command are unchanged a reload reuses the result.",
    run: local,
}];

/// Stands before each line that a command prints.
const ARROW: &str = " → ";

fn local<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let session = call.session();
    let command = call.command("command", "dir", Some("env"))?;
    let quiet = call.get("quiet").map_or(Ok(false), |arg| arg.boolean())?;
    let echo_off = call.get("echo_off").map_or(Ok(false), |arg| arg.boolean())?;
    let stdin = match call.get("stdin") {
        Some(arg) => bytes_of(&arg.text_or_blob()?).into_owned(),
        None => Vec::new(),
    };
    let deps = call.get("deps").and_then(Arg::unless_none);
    let deps = deps.map(|arg| arg.paths(session)).transpose()?;
    session
        .config_files
        .borrow_mut()
        .extend(deps.iter().flatten().cloned());
    check_context(call)?;
    let shown = command.display();
    if !echo_off {
        session.log.info(&format!("local: {shown}"));
    }
    let failed = |cause: &str| Fault::new(format!("command {shown:?} failed.\nerror: {cause}"));
    if command.is_empty() {
        return Err(failed("empty cmd"));
    }
    let mut lines = Lines::new((!quiet).then_some(session.log));
    let mut hear = |stream: Stream, bytes: &[u8]| lines.hear(stream, bytes);
    let ran = match deps {
        Some(deps) => session.run_or_reuse(&command, stdin, &deps, &mut hear),
        None => session.run_command(&command, stdin, &mut hear),
    };
    lines.finish();
    let ran = ran.map_err(|why| failed(&why))?;
    if let Some(failure) = &ran.failure {
        return Err(with_output(failed(failure), &ran, quiet));
    }
    if !quiet && !echo_off && ran.stdout.is_empty() && ran.stderr.is_empty() {
        session.log.info(&format!("{ARROW}[no output]"));
    }
    Ok(blob(call, &command, ran))
}

fn blob<'v>(call: &Call<'v, '_, '_, '_>, command: &Command, ran: Ran) -> Value<'v> {
    let text = text_of(&ran.stdout);
    let source = format!("local: {}", command.display());
    call.heap().alloc(Blob { text, source })
}

/// Output that was not in the log becomes part of the fault.
fn with_output(fault: Fault, ran: &Ran, quiet: bool) -> Fault {
    if !quiet {
        return fault;
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim_end().to_owned();
    let (stdout, stderr) = (text(&ran.stdout), text(&ran.stderr));
    fault.map_message(|message| format!("{message}\nstdout:\n{stdout}\nstderr:\n{stderr}"))
}

/// Refuses to run commands while the context might be one for production.
///
/// Rule: `docs/rules/tiltfile.md`, "Contexts".
fn check_context(call: &Call<'_, '_, '_, '_>) -> Outcome<()> {
    let session = call.session();
    let kube = &session.request.kube;
    let is_safe = !session.request.is_main || kube.name.is_empty() || kube.product.is_local();
    if is_safe || session.declared.borrow().allowed_contexts.contains(&kube.name) {
        return Ok(());
    }
    let (name, builtin) = (&kube.name, call.builtin.name);
    Err(Fault::new(format!(
        "Refusing to run '{builtin}' because {name} might be a production kube context.\n\
         If you're sure you want to continue add:\n\tallow_k8s_contexts('{name}')\n\
         before this function call in your Tiltfile. Otherwise, switch k8s contexts and restart Tilt."
    ))
    // What a refused command would have done is not to be found in any output.
    .unmarked())
}

/// Writes whole lines to the log, those of each stream together.
struct Lines<'a> {
    log: Option<&'a dyn Log>,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
}

impl<'a> Lines<'a> {
    fn new(log: Option<&'a dyn Log>) -> Self {
        Self {
            log,
            stdout: Vec::new(),
            stderr: Vec::new(),
        }
    }

    fn hear(&mut self, stream: Stream, bytes: &[u8]) {
        let Some(log) = self.log else {
            return;
        };
        let rest = match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        };
        rest.extend_from_slice(bytes);
        if let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') {
            let lines: Vec<u8> = rest.drain(..=end).collect();
            write(log, &lines);
        }
    }

    fn finish(&mut self) {
        let rests = [std::mem::take(&mut self.stdout), std::mem::take(&mut self.stderr)];
        for rest in rests.iter().filter(|rest| !rest.is_empty()) {
            if let Some(log) = self.log {
                write(log, rest);
            }
        }
    }
}

fn write(log: &dyn Log, lines: &[u8]) {
    let text = String::from_utf8_lossy(lines);
    let shown: Vec<String> = text.lines().map(|line| format!("{ARROW}{line}")).collect();
    log.info(&shown.join("\n"));
}
