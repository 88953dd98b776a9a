//! Built-ins that make steps of live updates, and how a list of them becomes a live update.
//!
//! Rule: `docs/rules/tiltfile.md`, "Live update steps".

use starlark::values::Value;

use crate::call::{Arg, Builtin, Call};
use crate::fault::{Fault, Outcome};
use crate::kinds::type_name;
use crate::model::{Exec, LiveUpdate, Sync};
use crate::session::Session;
use crate::show;
use crate::values::{Step, StepValue};

pub(super) static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "fall_back_on",
        signature: "paths",
        doc: "Returns a step of a live update: a change of one of some paths leads to a full build. Args: `paths` \
              (path or list of paths).",
        run: fall_back_on,
    },
    Builtin {
        name: "initial_sync",
        signature: "",
        doc: "Returns a step of a live update: all that is synced is copied as soon as a container starts. It comes first.",
        run: initial_sync,
    },
    Builtin {
        name: "restart_container",
        signature: "",
        doc: "Returns a step of a live update: the container is restarted. It comes last, and is for Docker Compose only; \
              for Kubernetes there is the extension `restart_process`.",
        run: restart_container,
    },
    Builtin {
        name: "run",
        signature: "cmd, trigger=[], echo_off=False",
        doc: "Returns a step of a live update that runs a command in the container. Args: `cmd` (string for `sh -c`, \
              or list of strings); `trigger` (path or list of paths): only if one of these changed; `echo_off` \
              (bool): do not log the command.",
        run: run_step,
    },
    Builtin {
        name: "sync",
        signature: "local_path, remote_path",
        doc: "Returns a step of a live update: files at `local_path` that changed are copied to `remote_path`, an absolute \
              path in the container.",
        run: sync,
    },
];

fn fall_back_on<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let paths = call.required("paths").paths(call.session())?;
    Ok(make(call, Step::FallBackOn(paths)))
}

fn initial_sync<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    Ok(make(call, Step::InitialSync))
}

fn restart_container<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    Ok(make(call, Step::RestartContainer))
}

fn sync<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let sync = Sync {
        source: call
            .session()
            .directory()
            .join(call.required("local_path").text()?),
        destination: call.required("remote_path").text()?.to_owned(),
    };
    Ok(make(call, Step::Sync(sync)))
}

fn run_step<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let cmd = call.required("cmd");
    let argv = cmd.argv()?;
    let triggers = match call.get("trigger") {
        Some(arg) => triggers(&arg, &cmd.value.to_str())?,
        None => Vec::new(),
    };
    let echo_off = call.get("echo_off").map_or(Ok(false), |arg| arg.boolean())?;
    let exec = Exec {
        argv,
        triggers,
        echo_off,
    };
    Ok(make(call, Step::Run(exec)))
}

fn triggers<'v>(arg: &Arg<'v>, cmd: &str) -> Outcome<Vec<String>> {
    let trigger = |value: Value<'v>| {
        value.unpack_str().map(str::to_owned).ok_or_else(|| {
            Fault::new(format!(
                "run cmd '{cmd}' triggers contained value '{}' of type '{}'. it may only contain strings",
                show::text(value, arg.heap),
                type_name(value)
            ))
            .at(arg.place())
        })
    };
    arg.one_or_many().into_iter().map(trigger).collect()
}

fn make<'v>(call: &Call<'v, '_, '_, '_>, step: Step) -> Value<'v> {
    let site = call.site();
    let position = site.position();
    let mut declarations = call.session().declared.borrow_mut();
    declarations
        .live_update_steps
        .made(step.to_string(), step.kind(), site);
    call.heap().alloc(StepValue { step, position })
}

impl<'v> Arg<'v> {
    /// LU steps: a step or several; nothing for none.
    pub(crate) fn live_update(&self, session: &Session<'_>) -> Outcome<Option<LiveUpdate>> {
        let given = self.one_or_many();
        if given.is_empty() {
            return Ok(None);
        }
        let mut list = StepList::new(session);
        for value in given {
            let Some(made) = StepValue::from_value(value) else {
                return Err(self.live_update_fault(&format!(
                    "'steps' must be a list of live update steps - got value '{}' of type '{}'",
                    show::repr(value, self.heap),
                    type_name(value)
                )));
            };
            list.add(&made.step).map_err(|why| self.live_update_fault(why))?;
            let mut declarations = session.declared.borrow_mut();
            declarations.live_update_steps.used(&made.position);
        }
        list.finish()
            .map(Some)
            .map_err(|why| self.live_update_fault(&why))
    }

    fn live_update_fault(&self, why: &str) -> crate::fault::Fault {
        crate::fault::Fault::new(format!("live_update: {why}")).at(self.place())
    }
}

/// The steps of a live update, in the making.
struct StepList {
    update: LiveUpdate,
    n_steps: usize,
}

impl StepList {
    fn new(session: &Session<'_>) -> Self {
        Self {
            update: LiveUpdate {
                base: session.directory(),
                initial_sync: false,
                stop_paths: Vec::new(),
                syncs: Vec::new(),
                execs: Vec::new(),
                restart: false,
                container: None,
            },
            n_steps: 0,
        }
    }

    fn add(&mut self, step: &Step) -> Result<(), &'static str> {
        const RESTART_LAST: &str = "restart container is only valid as the last step";
        let update = &mut self.update;
        self.n_steps += 1;
        match step {
            Step::InitialSync if self.n_steps > 1 => {
                return Err("initial_sync must appear at most once, at the start of the list");
            }
            Step::InitialSync => update.initial_sync = true,
            Step::FallBackOn(_) if update.restart || !update.syncs.is_empty() || !update.execs.is_empty() => {
                return Err("fall_back_on steps must appear at the start of the list");
            }
            Step::FallBackOn(paths) => update.stop_paths.extend(paths.iter().cloned()),
            Step::Sync(_) | Step::Run(_) if update.restart => return Err(RESTART_LAST),
            Step::Sync(_) if !update.execs.is_empty() => {
                return Err("all sync steps must precede all run steps");
            }
            Step::Sync(sync) => update.syncs.push(sync.clone()),
            Step::Run(exec) => update.execs.push(exec.clone()),
            Step::RestartContainer => update.restart = true,
        }
        Ok(())
    }

    fn finish(self) -> Result<LiveUpdate, String> {
        let update = self.update;
        let relative = update.syncs.iter().enumerate();
        let relative = relative.filter(|(_, sync)| !sync.destination.starts_with('/'));
        let mut faults: Vec<String> = relative
            .map(|(at, sync)| {
                let path = &sync.destination;
                format!("spec.syncs[{at}]: Invalid value: {path:?}: sync destination is not absolute")
            })
            .collect();
        if update.syncs.is_empty() && update.execs.is_empty() {
            faults.push(
                "spec.syncs: Invalid value: null: must contain at least 1 sync or 1 exec to run on live update"
                    .to_owned(),
            );
        }
        match &faults[..] {
            [] => Ok(update),
            [one] => Err(one.clone()),
            several => Err(format!("[{}]", several.join(", "))),
        }
    }
}
