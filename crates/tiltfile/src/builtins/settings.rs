//! Built-ins that set something for the whole session.

use std::time::Duration;

use starlark::values::Value;

use crate::call::{Arg, Builtin, Call};
use crate::diag::{Diagnostic, nearest};
use crate::fault::{Fault, Outcome};
use crate::kinds::{go_type, type_name};
use crate::model::{
    COMPATIBLE_VERSION, FEATURES, OBSOLETE_FEATURES, SessionSettings, Telemetry, VersionConstraint,
};
use crate::wording::unmet_version;

pub(super) static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "analytics_settings",
        signature: "enable",
        doc: "Says whether statistics may be sent. Args: `enable` (bool).",
        run: analytics_settings,
    },
    Builtin {
        name: "ci_settings",
        signature: "k8s_grace_period=?, timeout=?, readiness_timeout=?, *, fail_fast=?",
        doc: "Sets when `tilt ci` gives up. Calls add up. Args: `k8s_grace_period` (duration such as \"10s\"): how long \
              after a deploy an error of a pod is not final; `timeout` (duration): for the whole run, 30 minutes if not \
              said; `readiness_timeout` (duration): how long something may run without being ready, 5 minutes if not \
              said; `fail_fast` (bool): whether the run ends at the first reason that Kubernetes gives why a pod does not \
              come up, such as Unschedulable or CrashLoopBackOff, and not only once it is too late.",
        run: ci_settings,
    },
    Builtin {
        name: "disable_feature",
        signature: "msg",
        doc: "Turns a feature off. Args: `msg` (string): its name.",
        run: |call| set_feature(call, false),
    },
    Builtin {
        name: "disable_snapshots",
        signature: "",
        doc: "Turns snapshots off.",
        run: disable_snapshots,
    },
    Builtin {
        name: "docker_prune_settings",
        signature: "disable=False, max_age_mins=0, num_builds=0, interval_hrs=0, keep_recent=?",
        doc: "Sets when unused images and containers of earlier builds are removed. Args: `disable` (bool): never; \
              `max_age_mins` (int): how old they must be, 360 if not said; `num_builds` (int): after how many builds; \
              `interval_hrs` (int): or how often, 1 if not said; `keep_recent` (int): how many of each image are kept, \
              2 if not said.",
        run: docker_prune_settings,
    },
    Builtin {
        name: "enable_feature",
        signature: "msg",
        doc: "Turns a feature on. Args: `msg` (string): its name.",
        run: |call| set_feature(call, true),
    },
    Builtin {
        name: "experimental_analytics_report",
        signature: "tags",
        doc: "Takes tags for statistics. Args: `tags` (dict of strings).",
        run: experimental_analytics_report,
    },
    Builtin {
        name: "experimental_metrics_settings",
        signature: "*args, **kwargs",
        doc: "Does nothing any more.",
        run: experimental_metrics_settings,
    },
    Builtin {
        name: "experimental_telemetry_cmd",
        signature: "cmd, cmd_bat=?, period=?, dir=?",
        doc: "Sets a command that is given measurements from time to time. Args: `cmd` (string or list of strings); \
              `cmd_bat` (string or list): used instead on Windows; `period` (duration): how often, 60 seconds if not \
              said; `dir` (path): where it runs.",
        run: experimental_telemetry_cmd,
    },
    Builtin {
        name: "secret_settings",
        signature: "disable_scrub",
        doc: "Says whether values of Secrets are hidden in the log. Args: `disable_scrub` (bool): true to show them.",
        run: secret_settings,
    },
    Builtin {
        name: "set_team",
        signature: "team_id",
        doc: "Sets the team that this project belongs to. Args: `team_id` (string).",
        run: set_team,
    },
    Builtin {
        name: "update_settings",
        signature: "max_parallel_updates=?, k8s_upsert_timeout_secs=?, suppress_unused_image_warnings=[], \
                    k8s_server_side_apply=''",
        doc: "Sets how updates run. Calls add up. Args: `max_parallel_updates` (int): how many resources at once, \
              and how many images, 3 if not said; `k8s_upsert_timeout_secs` (int): time for applying one object, 30 if not said; \
              `suppress_unused_image_warnings` (string or list of strings): images that nothing need use, or \"*\" for \
              all; `k8s_server_side_apply` (\"true\", \"false\" or \"auto\"): objects are always applied by the server.",
        run: update_settings,
    },
    Builtin {
        name: "version_settings",
        signature: "check_updates=True, constraint=''",
        doc: "Says which versions of Tilt may load this file. Args: `check_updates` (bool): whether newer versions are \
              looked for; `constraint` (string): such as \">=0.22.1 <1.0.0\".",
        run: version_settings,
    },
    Builtin {
        name: "watch_settings",
        signature: "ignore=[]",
        doc: "Leaves files out of every file watch, as `.tiltignore` does. Args: `ignore` (string or list of strings): \
              patterns as in `.dockerignore`, relative to this file.",
        run: watch_settings,
    },
];

fn change(call: &Call<'_, '_, '_, '_>, change: impl FnOnce(&mut SessionSettings)) {
    change(&mut call.session().settings.borrow_mut().session);
}

fn analytics_settings<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let enable = call.required("enable").boolean()?;
    change(call, |settings| settings.analytics = Some(enable));
    Ok(Value::new_none())
}

fn secret_settings<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let disable = call.required("disable_scrub").boolean()?;
    change(call, |settings| settings.scrub_secrets = !disable);
    Ok(Value::new_none())
}

fn ci_settings<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let duration = |name| call.get(name).map(|arg| arg.duration()).transpose();
    let grace_period = duration("k8s_grace_period")?;
    let timeout = duration("timeout")?;
    let readiness_timeout = duration("readiness_timeout")?;
    let fail_fast = call.get("fail_fast").map(|arg| arg.boolean()).transpose()?;
    let ci = &mut call.session().settings.borrow_mut().ci;
    if let Some(grace_period) = grace_period {
        ci.k8s_grace_period = grace_period;
    }
    if let Some(timeout) = timeout {
        ci.timeout = Some(timeout).filter(|timeout| !timeout.is_zero());
    }
    if let Some(timeout) = readiness_timeout {
        ci.readiness_timeout = timeout;
    }
    ci.fail_fast = fail_fast.unwrap_or(ci.fail_fast);
    Ok(Value::new_none())
}

fn docker_prune_settings<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let disable = call.get("disable").map_or(Ok(false), |arg| arg.boolean())?;
    let amount = |name| {
        let given = call.get(name);
        given.map(|arg| arg.integer()).transpose()
    };
    let max_age_mins = amount("max_age_mins")?.unwrap_or_default();
    let num_builds = amount("num_builds")?.unwrap_or_default();
    let interval_hrs = amount("interval_hrs")?.unwrap_or_default();
    let keep_recent = amount("keep_recent")?;
    if num_builds != 0 && interval_hrs != 0 {
        return Err(Fault::new(
            "can't specify both 'prune every X builds' and 'prune every Y hours'; please pass only one of \
             `num_builds` and `interval_hrs`",
        ));
    }
    change(call, |settings| {
        let prune = &mut settings.docker_prune;
        prune.enabled = !disable;
        if max_age_mins != 0 {
            prune.max_age = seconds(max_age_mins, 60);
        }
        if num_builds != 0 {
            prune.num_builds = num_builds;
        }
        if interval_hrs != 0 {
            prune.interval = seconds(interval_hrs, 3600);
        }
        prune.keep_recent = keep_recent.unwrap_or(prune.keep_recent);
    });
    Ok(Value::new_none())
}

/// Returns a number of units, each of so many seconds, as time. The longest is that of Go: some 292 years.
fn seconds(number: i64, unit: u64) -> Duration {
    const LONGEST: u64 = i64::MAX as u64 / 1_000_000_000;
    let number = u64::try_from(number).unwrap_or_default();
    Duration::from_secs(number.saturating_mul(unit).min(LONGEST))
}

fn set_feature<'v>(call: &mut Call<'v, '_, '_, '_>, enabled: bool) -> Outcome<Value<'v>> {
    let arg = call.required("msg");
    let name = arg.text()?;
    let named = |features: &'static [(&'static str, bool)]| features.iter().find(|(known, _)| *known == name);
    if let Some((name, _)) = named(FEATURES) {
        change(call, |settings| {
            settings.features.insert(name, enabled);
        });
    } else if named(OBSOLETE_FEATURES).is_some() {
        let warning = Diagnostic::warning(format!("Obsolete feature flag: {name}"));
        call.session().warn(warning.at(arg.place()));
    } else {
        let fault = Fault::new(format!("Unknown feature flag: {name}")).at(arg.place());
        let known = FEATURES.iter().chain(OBSOLETE_FEATURES).map(|(name, _)| *name);
        return Err(match nearest(name, known) {
            Some(near) => fault.hint(format!("did you mean \"{near}\"?")),
            None => fault,
        });
    }
    Ok(Value::new_none())
}

fn disable_snapshots<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    change(call, |settings| {
        settings.features.insert("snapshots", false);
    });
    Ok(Value::new_none())
}

fn experimental_analytics_report<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    call.required("tags").text_map()?;
    Ok(Value::new_none())
}

fn experimental_metrics_settings<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let warning = Diagnostic::warning("experimental_metrics_settings() is deprecated");
    call.session().warn(warning.at(call.site().place()));
    Ok(Value::new_none())
}

fn experimental_telemetry_cmd<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let command = call.command("cmd", "dir", None)?;
    let period = call.get("period").map(|arg| arg.duration()).transpose()?;
    if command.is_empty() {
        return Err(Fault::new("cmd cannot be empty").at(call.required("cmd").place()));
    }
    let session = call.session();
    let telemetry = &mut session.settings.borrow_mut().session.telemetry;
    if !telemetry.command.is_empty() {
        return Err(Fault::new(format!(
            "experimental_telemetry_cmd called multiple times; already set to {}",
            telemetry.command.display()
        )));
    }
    *telemetry = Telemetry {
        command,
        workdir: Some(session.directory()),
        period: period.unwrap_or(telemetry.period),
    };
    Ok(Value::new_none())
}

fn set_team<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let arg = call.required("team_id");
    let team = arg.text()?;
    let known = &mut call.session().settings.borrow_mut().session.team;
    if team.is_empty() {
        return Err(Fault::new("team_id cannot be empty").at(arg.place()));
    }
    if !known.is_empty() {
        return Err(
            Fault::new(format!("team_id set multiple times (to '{known}' and '{team}')")).at(arg.place()),
        );
    }
    team.clone_into(known);
    Ok(Value::new_none())
}

fn update_settings<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let parallel = call.get("max_parallel_updates").and_then(Arg::unless_none);
    let parallel = parallel
        .map(|arg| match whole_number(&arg)? {
            number @ 1.. => Ok(usize::try_from(number).unwrap_or(usize::MAX)),
            number => Err(Fault::new(format!(
                "max number of parallel updates must be >= 1(got: {number})"
            ))
            .at(arg.place())),
        })
        .transpose()?;
    let timeout = call.get("k8s_upsert_timeout_secs").and_then(Arg::unless_none);
    let timeout = timeout
        .map(|arg| match whole_number(&arg)? {
            number @ 1.. => Ok(seconds(number, 1)),
            number => {
                Err(Fault::new(format!("minimum k8s upsert timeout is 1s; got {number}s")).at(arg.place()))
            }
        })
        .transpose()?;
    let suppressed = call
        .get("suppress_unused_image_warnings")
        .map_or(Ok(Vec::new()), |arg| arg.text_or_list())?;
    let server_side_apply = server_side_apply(call)?;
    let session = call.session();
    session
        .declared
        .borrow_mut()
        .unused_images_allowed
        .extend(suppressed.iter().cloned());
    let update = &mut session.settings.borrow_mut().update;
    update.max_parallel_updates = parallel.unwrap_or(update.max_parallel_updates);
    update.k8s_upsert_timeout = timeout.unwrap_or(update.k8s_upsert_timeout);
    update.server_side_apply = server_side_apply.unwrap_or(update.server_side_apply);
    update.suppress_unused_image_warnings.extend(suppressed);
    Ok(Value::new_none())
}

fn whole_number(arg: &Arg<'_>) -> Outcome<i64> {
    if type_name(arg.value) != "int" {
        return Err(arg.unfit(format!("got {}, want int", go_type(arg.value))));
    }
    arg.integer()
}

/// Returns whether the Tiltfile asks for server-side apply; `None` if it says nothing about it.
fn server_side_apply(call: &Call<'_, '_, '_, '_>) -> Outcome<Option<bool>> {
    let Some(arg) = call.get("k8s_server_side_apply") else {
        return Ok(None);
    };
    match arg.text()? {
        "" => Ok(None),
        "true" => Ok(Some(true)),
        "auto" => Ok(Some(false)),
        "false" => {
            let warning = Diagnostic::warning(
                "update_settings(k8s_server_side_apply=\"false\") has no effect: objects are always applied by the server",
            );
            call.session().warn(warning.at(arg.place()));
            Ok(Some(false))
        }
        other => Err(arg.fault(format!(
            "k8s_server_side_apply must be \"true\", \"false\", or \"auto\"; got \"{other}\""
        ))),
    }
}

fn version_settings<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    if let Some(check) = call.get("check_updates").map(|arg| arg.boolean()).transpose()? {
        change(call, |settings| settings.check_updates = check);
    }
    let Some(arg) = call.get("constraint") else {
        return Ok(Value::new_none());
    };
    let written = arg.text()?;
    if written.is_empty() {
        return Ok(Value::new_none());
    }
    let constraint = VersionConstraint::parse(written).map_err(|why| {
        Fault::new(format!("error parsing version constraint: {why}"))
            .at(arg.place())
            .hint("a constraint names whole versions, as in \">=0.22.1 <1.0.0\"")
    })?;
    if constraint.matches(COMPATIBLE_VERSION) {
        return Ok(Value::new_none());
    }
    Err(unmet_version(written).at(arg.place()))
}

fn watch_settings<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let patterns = call
        .get("ignore")
        .map_or(Ok(Vec::new()), |arg| arg.text_or_list())?;
    let directory = call.session().directory();
    if !patterns.is_empty() {
        change(call, |settings| {
            settings.watch_ignores.push((directory, patterns));
        });
    }
    Ok(Value::new_none())
}
