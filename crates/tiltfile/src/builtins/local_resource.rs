//! Built-ins that declare commands on this machine, and when resources are updated.

use std::collections::BTreeSet;

use starlark::values::Value;

use crate::assembly::DeclaredLocal;
use crate::call::{Arg, Builtin, Call};
use crate::diag::Diagnostic;
use crate::fault::{Fault, Outcome};
use crate::kinds::type_name;
use crate::model::{Command, Ignore, LocalPath, OnChange, Probe};
use crate::session::Session;
use crate::values::TriggerModeValue;

const SIGNATURE: &str = "name, cmd=?, deps=[], trigger_mode=?, resource_deps=[], ignore=[], auto_init=True, \
                         serve_cmd=?, cmd_bat=?, serve_cmd_bat=?, allow_parallel=False, links=[], labels=[], env={}, \
                         serve_env={}, readiness_probe=?, dir=?, serve_dir=?";

pub(super) static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "local_resource",
        signature: SIGNATURE,
        doc: "Declares a resource of commands on this machine. Args: `name` (string); `cmd` (command): runs at start \
              and when one of `deps` changes; `serve_cmd` (command): keeps running; `cmd_bat` and `serve_cmd_bat`: \
              used instead on Windows; `deps` (path or list of paths); `ignore` (string or list of strings): \
              patterns as in a `.dockerignore`, relative to the Tiltfile; `env` (dict of strings) and `dir` (path): \
              for `cmd`; `serve_env` and `serve_dir`: for `serve_cmd`; `readiness_probe` (`probe()`): when the \
              server is ready; `trigger_mode`: `TRIGGER_MODE_AUTO` or `TRIGGER_MODE_MANUAL`; `auto_init` (bool): \
              whether it starts with the session; `resource_deps` (list of strings): resources that must have been \
              ready once before; `allow_parallel` (bool): beside other updates; `links` (URL, `link()`, or list of \
              these); `labels` (label or list of labels).",
        run: local_resource,
    },
    Builtin {
        name: "test",
        signature: SIGNATURE,
        doc: "Declares a test: a `local_resource` that may run beside other updates. It is deprecated. All arguments \
              (`name`, `cmd`, `deps`, `trigger_mode`, `resource_deps`, `ignore`, `auto_init`, `serve_cmd`, \
              `cmd_bat`, `serve_cmd_bat`, `allow_parallel`, `links`, `labels`, `env`, `serve_env`, \
              `readiness_probe`, `dir`, `serve_dir`) are those of `local_resource`; `allow_parallel` is true by \
              default.",
        run: test,
    },
    Builtin {
        name: "trigger_mode",
        signature: "trigger_mode",
        doc: "Sets when updates of all resources start that do not say it themselves. Args: `trigger_mode`: \
              `TRIGGER_MODE_AUTO` or `TRIGGER_MODE_MANUAL`.",
        run: trigger_mode,
    },
];

impl Arg<'_> {
    /// TriggerMode: one of the two constants.
    pub(crate) fn on_change(&self) -> Outcome<OnChange> {
        match TriggerModeValue::from_value(self.value) {
            Some(TriggerModeValue::Auto) => Ok(OnChange::Update),
            Some(TriggerModeValue::Manual) => Ok(OnChange::Wait),
            None => Err(self
                .unfit(format!("got {}, want TriggerMode", type_name(self.value)))
                .hint("give TRIGGER_MODE_AUTO or TRIGGER_MODE_MANUAL")),
        }
    }
}

fn test<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let place = call.site().place();
    call.session().warn(
        Diagnostic::warning(
            "test() is deprecated and will be removed in a future release.\n\
             Change this call to use `local_resource(..., allow_parallel=True)`",
        )
        .at(place),
    );
    declare(call, true)
}

fn local_resource<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    declare(call, false)
}

fn declare<'v>(call: &Call<'v, '_, '_, '_>, is_parallel: bool) -> Outcome<Value<'v>> {
    let session = call.session();
    let name_arg = call.required("name");
    let name = name_arg.segment()?;
    if name.is_empty() {
        return Err(Fault::new("[validate] manifest missing name").at(name_arg.place()));
    }
    let flag = |name, default| call.get(name).map_or(Ok(default), |arg| arg.boolean());
    let deps = call.get("deps").and_then(Arg::unless_none);
    let deps = deps
        .map(|arg| {
            let paths = arg.paths(session)?;
            warn_of_patterns(&arg, &paths, session);
            Ok(paths)
        })
        .transpose()?;
    let on_change = call.get("trigger_mode").map(|arg| arg.on_change()).transpose()?;
    let resource_deps = call
        .get("resource_deps")
        .map_or(Ok(Vec::new()), |arg| arg.strings())?;
    let ignore = call.get("ignore").map_or(Ok(Vec::new()), |arg| arg.patterns())?;
    let auto_init = flag("auto_init", true)?;
    let allow_parallel = flag("allow_parallel", is_parallel)?;
    let links = call.get("links").map_or(Ok(Vec::new()), |arg| arg.links())?;
    let labels = call
        .get("labels")
        .map_or(Ok(BTreeSet::new()), |arg| arg.labels())?;
    let update_cmd = call.command("cmd", "dir", Some("env"))?;
    let serve_cmd = call.command("serve_cmd", "serve_dir", Some("serve_env"))?;
    check_commands(call, &update_cmd, &serve_cmd)?;
    let readiness_probe = readiness_probe(call, &name, &serve_cmd)?;
    let watch_ignores = watch_ignores(call, deps.as_deref().unwrap_or_default(), ignore);
    let declared = DeclaredLocal {
        allow_parallel: allow_parallel || update_cmd.is_empty(),
        name,
        update_cmd: Some(update_cmd).filter(|command| !command.is_empty()),
        serve_cmd,
        deps,
        watch_ignores,
        on_change,
        auto_init,
        links,
        readiness_probe,
        resource_deps,
        labels,
        site: call.site(),
    };
    let mut declarations = session.declared.borrow_mut();
    if let Some(maker) = declarations.names.get(&declared.name) {
        let message = format!("{maker} named \"{}\" already exists", declared.name);
        return Err(Fault::new(message).at(name_arg.place()));
    }
    declarations.names.insert(declared.name.clone(), "local_resource");
    declarations.locals.push(declared);
    Ok(Value::new_none())
}

/// Checks that there is something to run, and that no directory is given in vain.
fn check_commands(call: &Call<'_, '_, '_, '_>, update: &Command, serve: &Command) -> Outcome<()> {
    let (dir, serve_dir) = (call.get("dir"), call.get("serve_dir"));
    match (dir, serve_dir) {
        (Some(dir), _) if update.is_empty() && !serve.is_empty() => Err(Fault::new(
            "local_resource: 'dir' only affects 'cmd', not 'serve_cmd'. Did you mean to use 'serve_dir' instead?",
        )
        .at(dir.place())),
        (Some(dir), _) if update.is_empty() => {
            Err(Fault::new("local_resource: 'dir' specified but 'cmd' is empty").at(dir.place()))
        }
        (_, Some(dir)) if serve.is_empty() => {
            Err(Fault::new("local_resource: 'serve_dir' specified but 'serve_cmd' is empty").at(dir.place()))
        }
        _ if update.is_empty() && serve.is_empty() => Err(Fault::new(
            "local_resource must have a cmd and/or a serve_cmd, but both were empty",
        )
        .at(call.site().place())),
        _ => Ok(()),
    }
}

fn readiness_probe(call: &Call<'_, '_, '_, '_>, name: &str, serve: &Command) -> Outcome<Option<Probe>> {
    let Some(arg) = call.get("readiness_probe") else {
        return Ok(None);
    };
    let probe = arg.probe()?;
    if probe.is_some() && serve.is_empty() {
        let warning = Diagnostic::warning(format!(
            "Ignoring readiness probe for local resource \"{name}\" (no serve_cmd was defined)"
        ));
        call.session().warn(warning.at(arg.place()));
        return Ok(None);
    }
    Ok(probe)
}

/// Returns what is not watched: the `.git` of each repository among these paths, and what the patterns say.
/// Patterns are not expanded: such a path is watched as it is written, and never changes.
fn warn_of_patterns(arg: &Arg<'_>, paths: &[LocalPath], session: &Session<'_>) {
    for path in paths {
        let text = path.to_string();
        let Some(star) = text.find('*').filter(|_| !session.host.exists(path)) else {
            continue;
        };
        let above = text[..star].rfind('/').map_or("/", |slash| &text[..slash]);
        let warning = Diagnostic::warning(format!(
            "deps: nothing is called {text}: patterns are not expanded here, so it will never change"
        ));
        session.warn(warning.at(arg.place()).hint(format!(
            "write deps=['{above}'], and name with ignore=[...] what should not count"
        )));
    }
}

fn watch_ignores(call: &Call<'_, '_, '_, '_>, deps: &[LocalPath], patterns: Vec<String>) -> Vec<Ignore> {
    let session = call.session();
    let base = session.directory();
    let mut ignores: Vec<Ignore> = Vec::new();
    for path in deps.iter().chain([&base]) {
        let git = path.join(".git");
        if session.host.is_dir(&git) && !ignores.iter().any(|ignore| ignore.base == git) {
            ignores.push(Ignore {
                base: git,
                patterns: Vec::new(),
            });
        }
    }
    if !patterns.is_empty() {
        ignores.push(Ignore { base, patterns });
    }
    ignores
}

fn trigger_mode<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let arg = call.required("trigger_mode");
    let on_change = arg.on_change()?;
    let mut declarations = call.session().declared.borrow_mut();
    if let Some((_, first)) = &declarations.on_change {
        let message = format!(
            "trigger_mode can only be called once. It was already called at {}",
            first.position()
        );
        return Err(Fault::new(message).at(call.site().place()));
    }
    declarations.on_change = Some((on_change, call.site()));
    Ok(Value::new_none())
}
