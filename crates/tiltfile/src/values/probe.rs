//! Probes and what they try, as Tiltfiles see them.

use std::fmt;

use allocative::Allocative;
use starlark::any::ProvidesStaticType;
use starlark::starlark_simple_value;
use starlark::values::{Heap, NoSerialize, StarlarkPagablePanic, StarlarkValue, Value, starlark_value};

use crate::model::{Probe, ProbeAction};

/// A readiness probe.
#[derive(Clone, Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct ProbeValue {
    #[allocative(skip)]
    pub(crate) probe: Probe,
}

starlark_simple_value!(ProbeValue);

impl ProbeValue {
    pub(crate) const TYPE: &'static str = "Probe";

    fn numbers(&self) -> [(&'static str, i32); 5] {
        let probe = &self.probe;
        [
            ("initial_delay_secs", probe.initial_delay_secs),
            ("timeout_secs", probe.timeout_secs),
            ("period_secs", probe.period_secs),
            ("success_threshold", probe.success_threshold),
            ("failure_threshold", probe.failure_threshold),
        ]
    }
}

impl fmt::Display for ProbeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Probe(")?;
        for (name, number) in self.numbers() {
            write!(f, "{name} = {number}, ")?;
        }
        let action = ActionValue {
            action: self.probe.action.clone(),
        };
        write!(f, "{} = {action})", action.parameter())
    }
}

#[starlark_value(type = "Probe")]
impl<'v> StarlarkValue<'v> for ProbeValue {
    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        if let Some((_, number)) = self.numbers().into_iter().find(|(name, _)| *name == attribute) {
            return Some(heap.alloc(number));
        }
        let action = ActionValue {
            action: self.probe.action.clone(),
        };
        match attribute {
            name if name == action.parameter() => Some(heap.alloc(action)),
            "exec" | "http_get" | "tcp_socket" => Some(Value::new_none()),
            _ => None,
        }
    }

    fn dir_attr(&self) -> Vec<String> {
        let numbers = self.numbers().into_iter().map(|(name, _)| name);
        let names = numbers.chain(["exec", "http_get", "tcp_socket"]);
        names.map(str::to_owned).collect()
    }
}

/// What a probe tries.
#[derive(Clone, Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct ActionValue {
    #[allocative(skip)]
    pub(crate) action: ProbeAction,
}

starlark_simple_value!(ActionValue);

impl ActionValue {
    /// Returns the name of its type.
    pub(crate) fn kind(&self) -> &'static str {
        match self.action {
            ProbeAction::Exec { .. } => "ExecAction",
            ProbeAction::HttpGet { .. } => "HTTPGetAction",
            ProbeAction::TcpSocket { .. } => "TCPSocketAction",
        }
    }

    /// Returns the parameter of `probe()` that takes it.
    pub(crate) fn parameter(&self) -> &'static str {
        match self.action {
            ProbeAction::Exec { .. } => "exec",
            ProbeAction::HttpGet { .. } => "http_get",
            ProbeAction::TcpSocket { .. } => "tcp_socket",
        }
    }
}

impl fmt::Display for ActionValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = self.kind();
        match &self.action {
            ProbeAction::Exec { command } => write!(f, "{kind}(command = {command:?})"),
            ProbeAction::HttpGet {
                host,
                port,
                scheme,
                path,
            } => write!(
                f,
                "{kind}(host = {host:?}, path = {path:?}, port = {port}, scheme = {scheme:?})"
            ),
            ProbeAction::TcpSocket { host, port } => write!(f, "{kind}(host = {host:?}, port = {port})"),
        }
    }
}

#[starlark_value(type = "ProbeAction")]
impl<'v> StarlarkValue<'v> for ActionValue {
    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        match (&self.action, attribute) {
            (ProbeAction::Exec { command }, "command") => Some(heap.alloc(command.clone())),
            (ProbeAction::HttpGet { host, .. } | ProbeAction::TcpSocket { host, .. }, "host") => {
                Some(heap.alloc(host.as_str()))
            }
            (ProbeAction::HttpGet { port, .. } | ProbeAction::TcpSocket { port, .. }, "port") => {
                Some(heap.alloc(*port))
            }
            (ProbeAction::HttpGet { scheme, .. }, "scheme") => Some(heap.alloc(scheme.as_str())),
            (ProbeAction::HttpGet { path, .. }, "path") => Some(heap.alloc(path.as_str())),
            _ => None,
        }
    }

    fn dir_attr(&self) -> Vec<String> {
        let names: &[&str] = match self.action {
            ProbeAction::Exec { .. } => &["command"],
            ProbeAction::HttpGet { .. } => &["host", "path", "port", "scheme"],
            ProbeAction::TcpSocket { .. } => &["host", "port"],
        };
        names.iter().map(|name| (*name).to_owned()).collect()
    }
}
