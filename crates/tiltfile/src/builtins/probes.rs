//! Built-ins that say how to find out whether a server is ready.

use starlark::values::Value;

use crate::call::{Arg, Builtin, Call};
use crate::fault::Outcome;
use crate::kinds::{elements, go_type};
use crate::model::{Probe, ProbeAction};
use crate::values::{ActionValue, ProbeValue};

pub(super) static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "exec_action",
        signature: "command",
        doc: "Returns a probe action that runs a command and succeeds when that exits with 0. Args: `command` (list \
              of strings): run without a shell.",
        run: exec_action,
    },
    Builtin {
        name: "http_get_action",
        signature: "port, host='', scheme='', path=''",
        doc: "Returns a probe action that fetches a page: `port` is an int; `host` is `localhost`, `scheme` is `HTTP` \
              and `path` is `/` where not given. It succeeds with a status from 200 to 399.",
        run: http_get_action,
    },
    Builtin {
        name: "probe",
        signature: "initial_delay_secs=0, timeout_secs=0, period_secs=0, success_threshold=0, failure_threshold=0, \
                    exec=?, http_get=?, tcp_socket=?",
        doc: "Returns a readiness probe with exactly one action. Args: `exec` (`exec_action()`), `http_get` \
              (`http_get_action()`), `tcp_socket` (`tcp_socket_action()`); `initial_delay_secs` (int): before the \
              first try; `period_secs` (int): between tries, 10 if not said; `timeout_secs` (int): for each, 1 if \
              not said; `success_threshold` (int): how many must succeed, 1 if not said; `failure_threshold` (int): \
              how many must fail, 3 if not said.",
        run: probe,
    },
    Builtin {
        name: "tcp_socket_action",
        signature: "port, host=''",
        doc: "Returns a probe action that opens a connection. Args: `port` (int); `host` (string): `localhost` if \
              not said.",
        run: tcp_socket_action,
    },
];

impl Arg<'_> {
    fn number_of_32_bits(&self) -> Outcome<i32> {
        let number = self.integer()?;
        i32::try_from(number).map_err(|_| {
            self.unfit(format!(
                "{number} out of range (want value in signed 32-bit range)"
            ))
        })
    }

    /// Probe: a `probe()` value; nothing for `None`.
    pub(crate) fn probe(&self) -> Outcome<Option<Probe>> {
        match ProbeValue::from_value(self.value) {
            Some(value) => Ok(Some(value.probe.clone())),
            None if self.value.is_none() => Ok(None),
            None => {
                let got = go_type(self.value);
                Err(self.unfit(format!("got {got}, want {}", ProbeValue::TYPE)))
            }
        }
    }
}

fn exec_action<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let arg = call.required("command");
    if elements(arg.value, arg.heap).is_none() {
        let got = go_type(arg.value);
        return Err(arg.unfit(format!("'{}' is a {got}, not a sequence", arg.value.to_repr())));
    }
    let command = arg.strings()?;
    Ok(alloc(call, ProbeAction::Exec { command }))
}

fn http_get_action<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let action = ProbeAction::HttpGet {
        port: call.required("port").number_of_32_bits()?,
        host: text(call, "host")?,
        scheme: text(call, "scheme")?.to_uppercase(),
        path: text(call, "path")?,
    };
    Ok(alloc(call, action))
}

fn tcp_socket_action<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let action = ProbeAction::TcpSocket {
        port: call.required("port").number_of_32_bits()?,
        host: text(call, "host")?,
    };
    Ok(alloc(call, action))
}

fn probe<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let number = |name| call.get(name).map_or(Ok(0), |arg| arg.number_of_32_bits());
    let numbers = [
        number("initial_delay_secs")?,
        number("timeout_secs")?,
        number("period_secs")?,
        number("success_threshold")?,
        number("failure_threshold")?,
    ];
    let mut actions = Vec::new();
    for (name, kind) in [
        ("exec", "ExecAction"),
        ("http_get", "HTTPGetAction"),
        ("tcp_socket", "TCPSocketAction"),
    ] {
        actions.extend(action(call, name, kind)?);
    }
    let (1, Some(action)) = (actions.len(), actions.pop()) else {
        return Err(call
            .fault("exactly one of exec, http_get, or tcp_socket must be specified")
            .hint("a resource has one readiness probe, and a probe tries one thing"));
    };
    let [
        initial_delay_secs,
        timeout_secs,
        period_secs,
        success_threshold,
        failure_threshold,
    ] = numbers;
    let probe = Probe {
        action,
        initial_delay_secs,
        timeout_secs,
        period_secs,
        success_threshold,
        failure_threshold,
    };
    Ok(call.heap().alloc(ProbeValue { probe }))
}

fn action(
    call: &Call<'_, '_, '_, '_>,
    name: &'static str,
    kind: &'static str,
) -> Outcome<Option<ProbeAction>> {
    let Some(arg) = call.get(name).filter(|arg| !arg.value.is_none()) else {
        return Ok(None);
    };
    let value = ActionValue::from_value(arg.value);
    match value {
        Some(value) if value.kind() == kind => Ok(Some(value.action.clone())),
        Some(value) => Err(arg
            .unfit(format!("got probe.{}, want {kind}", value.kind()))
            .hint(format!("{} takes it", value.parameter()))),
        None => Err(arg.unfit(format!("got {}, want {kind}", go_type(arg.value)))),
    }
}

fn text(call: &Call<'_, '_, '_, '_>, name: &'static str) -> Outcome<String> {
    call.get(name)
        .map_or(Ok(String::new()), |arg| arg.text().map(str::to_owned))
}

fn alloc<'v>(call: &Call<'v, '_, '_, '_>, action: ProbeAction) -> Value<'v> {
    call.heap().alloc(ActionValue { action })
}
