//! Commands that users made: when each runs.
//!
//! One without `startOn` runs at once, one with it once a button of it was clicked. A click or a change of files that
//! `restartOn` names runs it again; so does another definition. One that ended stays ended. They run as the servers of
//! resources do: the edge is told which are wanted.
//!
//! Rule: `docs/rules/local.md`, "Commands of users".

use serde_json::{Map, Value, json};

use crate::engine::effect::{Asker, Server};
use crate::engine::event::{ServerEnd, ServerStatus};
use crate::engine::state::objects::cmd::{CmdState, Exec, Run};
use crate::engine::state::objects::table::{Click, Does, Object};
use crate::engine::state::objects::{Disable, spec};
use crate::engine::state::{Seq, State};
use crate::model::{ApiKind, Command, LocalPath, ServeId, Timestamp};

/// Why a command that nobody started does not run.
const WAITING: &str = "cmd StartOn has not been triggered";

/// What may start a command.
struct Triggers<'a> {
    start: Option<&'a Click>,
    restart: Option<&'a Click>,
    files: Seq,
}

/// Starts and stops commands as they are wanted now.
pub(super) fn refresh(state: &mut State) {
    for name in state.objects.names(ApiKind::Cmd) {
        refresh_one(state, &name);
    }
}

fn refresh_one(state: &mut State, name: &str) {
    let Some(row) = state.objects.get(ApiKind::Cmd, name) else {
        return;
    };
    let Does::Cmd(cmd) = &row.does else { return };
    if row.disable.is_off() {
        if cmd.exec.is_some() {
            change(state, name, |cmd| *cmd = CmdState::default());
        }
        return;
    }
    let spec = &row.object.spec;
    let exec = Exec::of(spec);
    let triggers = Triggers::of(state, spec);
    let (start, restart) = (triggers.start(), triggers.restart());
    let is_new = cmd.exec.as_ref() != Some(&exec);
    let is_started = start > cmd.started;
    let is_restarted = restart > cmd.restarted;
    let waits = !spec::texts(&spec::field(spec, "startOn")["uiButtons"]).is_empty();
    if !is_new && !is_started && !is_restarted {
        return;
    }
    if is_new && waits && !is_started {
        return change(state, name, |cmd| {
            cmd.exec = Some(exec);
            cmd.run = None;
        });
    }
    let inputs = triggers.inputs().to_vec();
    let (span, manifest) = spec::log_place(ApiKind::Cmd, name, &row.object);
    let serve = ServeId(state.last_serve + 1);
    let server = Server {
        serve,
        asker: Asker::object(ApiKind::Cmd, name, 0),
        manifest,
        span,
        command: exec.command(&state.config.cwd, &inputs),
        probe: spec::probe(&exec.probe),
    };
    let run = Run {
        server,
        status: None,
        began: state.time_of(state.now),
        ended: None,
    };
    state.last_serve = serve.0;
    change(state, name, |cmd| {
        *cmd = CmdState {
            exec: Some(exec),
            started: start,
            restarted: restart,
            run: Some(run),
        }
    });
}

fn change(state: &mut State, name: &str, change: impl FnOnce(&mut CmdState)) {
    state.asked.servers.touch_objects();
    if let Some(Object {
        does: Does::Cmd(cmd), ..
    }) = state.objects.get_mut(ApiKind::Cmd, name)
    {
        change(cmd);
    }
}

impl Exec {
    fn of(spec: &Map<String, Value>) -> Self {
        Self {
            args: spec::texts(spec::field(spec, "args")),
            dir: spec::text(spec::field(spec, "dir")),
            env: spec::texts(spec::field(spec, "env")),
            probe: spec::field(spec, "readinessProbe").clone(),
        }
    }

    fn command(&self, cwd: &LocalPath, inputs: &[(String, String)]) -> Command {
        let inputs = inputs.iter().map(|(name, value)| format!("{name}={value}"));
        Command {
            argv: self.args.clone(),
            dir: Some(cwd.join(&self.dir)),
            env: self.env.iter().cloned().chain(inputs).collect(),
        }
    }
}

impl<'a> Triggers<'a> {
    fn of(state: &'a State, spec: &Map<String, Value>) -> Self {
        let (start_on, restart_on) = (spec::field(spec, "startOn"), spec::field(spec, "restartOn"));
        let after = start_on["startAfter"].as_str().and_then(Timestamp::parse);
        let start = state.objects.last_click(&spec::texts(&start_on["uiButtons"]));
        Self {
            start: start.filter(|click| after.is_none_or(|after| click.at >= after)),
            restart: state.objects.last_click(&spec::texts(&restart_on["uiButtons"])),
            files: state.last_file_event(&spec::texts(&restart_on["fileWatches"])),
        }
    }

    fn start(&self) -> Seq {
        self.start.map_or(0, |click| click.seq)
    }

    fn restart(&self) -> Seq {
        self.restart.map_or(0, |click| click.seq).max(self.files)
    }

    /// Returns the inputs of the button that comes last.
    fn inputs(&self) -> &'a [(String, String)] {
        let click = match self.restart() > self.start() {
            true => self.restart,
            false => self.start,
        };
        click.map_or(&[], |click| &click.inputs)
    }
}

/// Returns the commands that are to run.
pub(crate) fn servers(state: &State) -> impl Iterator<Item = &Server> {
    let cmds = state.objects.of_kind(ApiKind::Cmd);
    cmds.filter_map(|(_, row)| match &row.does {
        Does::Cmd(cmd) => cmd.run.as_ref().map(|run| &run.server),
        _ => None,
    })
}

/// Takes in how a command is doing.
pub(crate) fn on_changed(state: &mut State, serve: ServeId, status: ServerStatus) {
    let of_cmd = |name: &String| {
        let row = state.objects.get(ApiKind::Cmd, name);
        matches!(row.map(|row| &row.does), Some(Does::Cmd(cmd))
            if cmd.run.as_ref().is_some_and(|run| run.server.serve == serve))
    };
    let Some(name) = state.objects.names(ApiKind::Cmd).into_iter().find(of_cmd) else {
        return;
    };
    let now = state.time_of(state.now);
    if let Some(Object {
        does: Does::Cmd(cmd), ..
    }) = state.objects.get_mut(ApiKind::Cmd, &name)
        && let Some(run) = &mut cmd.run
    {
        if !matches!(status, ServerStatus::Running { .. }) {
            run.ended = Some(now);
        }
        run.status = Some(status);
    }
}

/// Returns the status of a command as the API shows it.
pub(super) fn status(cmd: &CmdState, disable: &Disable) -> Value {
    let mut status = match (&cmd.run, &cmd.exec) {
        (Some(run), _) => run_status(run.status.as_ref(), run.began, run.ended),
        (None, Some(_)) => json!({"waiting": {"reason": WAITING}}),
        (None, None) => json!({}),
    };
    // Without a probe a command is ready as soon as it runs, and stays so.
    let had_probe = cmd.exec.as_ref().is_some_and(|exec| !exec.probe.is_null());
    if !had_probe && status["terminated"].is_object() {
        status["ready"] = true.into();
    }
    if let Some(disable) = disable.to_json() {
        status["disableStatus"] = disable;
    }
    status
}

/// Returns how one run of a command is doing, as the API shows it.
pub(crate) fn run_status(status: Option<&ServerStatus>, began: Timestamp, ended: Option<Timestamp>) -> Value {
    let terminated = |pid: u32, exit_code: i32, reason: &str| {
        json!({"terminated": {
            "pid": pid,
            "exitCode": exit_code,
            "startedAt": began.to_micro_text(),
            "finishedAt": ended.unwrap_or(began).to_micro_text(),
            "reason": reason,
        }})
    };
    match status {
        None => json!({"waiting": {}}),
        Some(ServerStatus::Running { pid, ready, .. }) => json!({
            "running": {"pid": pid, "startedAt": began.to_micro_text()},
            "ready": ready,
        }),
        Some(ServerStatus::Exited { pid, how }) => match how {
            ServerEnd::Code(0) => terminated(*pid, 0, ""),
            ServerEnd::Code(code) => terminated(*pid, *code, &format!("exit status {code}")),
            ServerEnd::Other(how) => terminated(*pid, -1, how),
        },
        Some(ServerStatus::NotStarted(why)) => terminated(0, 1, why),
    }
}
