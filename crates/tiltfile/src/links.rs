//! The argument kinds Links and port-forwards.
//!
//! Rule: `docs/rules/tiltfile.md`, "Arguments" and "Kubernetes".

use starlark::values::{UnpackValue, Value};

use super::call::Arg;
use super::fault::{Fault, Outcome};
use super::kinds::{elements, go_type};
use super::show;
use super::values::{LinkValue, PortForwardValue};
use crate::model::{Link, PortForward};

impl<'v> Arg<'v> {
    /// Links: a string, a `link()`, or a sequence of these.
    pub(super) fn links(&self) -> Outcome<Vec<Link>> {
        if self.value.is_none() {
            return Ok(Vec::new());
        }
        let given = elements(self.value, self.heap).unwrap_or_else(|| vec![self.value]);
        given.into_iter().map(|value| self.one_link(value)).collect()
    }

    fn one_link(&self, value: Value<'v>) -> Outcome<Link> {
        if let Some(link) = LinkValue::from_value(value) {
            return Ok(link.link.clone());
        }
        let Some(url) = value.unpack_str() else {
            return Err(self.unfit(format!(
                "`Want a string, a link, or a sequence of these; found {} (type: {})",
                show::text(value, self.heap),
                go_type(value)
            )));
        };
        Link::parse(url, "").map_err(|why| self.unfit(format!("validating URL {url:?}: {why}")))
    }

    /// Port-forwards of the resource `owner`: a port, `"local:container"`, `"host:local:container"`, a
    /// `port_forward()`, or a sequence of these.
    pub(super) fn port_forwards(&self, owner: &str) -> Outcome<Vec<PortForward>> {
        let fault = |why: String| Fault::new(format!("k8s_resource \"{owner}\": {why}")).at(self.place());
        if self.value.is_none() {
            return Ok(Vec::new());
        }
        if let Some(forward) = port_forward(self.value) {
            return forward.map(|forward| vec![forward]).map_err(fault);
        }
        let Some(items) = elements(self.value, self.heap) else {
            let got = go_type(self.value);
            return Err(fault(format!(
                "port_forwards must be an int, a port_forward, or a sequence of those; is a {got}"
            ))
            .hint("write a port, 'local:container', 'host:local:container' or port_forward(...)"));
        };
        let item = |value: Value<'v>| match port_forward(value) {
            Some(forward) => forward.map_err(fault),
            None => Err(fault(format!(
                "port_forwards arg {} includes element {} which must be an int or a port_forward; is a {}",
                show::text(self.value, self.heap),
                show::text(value, self.heap),
                go_type(value)
            ))),
        };
        items.into_iter().map(item).collect()
    }
}

/// Returns a port-forward, or why it is none; `None` when the value is of another type.
fn port_forward(value: Value<'_>) -> Option<Result<PortForward, String>> {
    if let Some(text) = value.unpack_str() {
        return Some(parse_port_forward(text));
    }
    if let Some(given) = PortForwardValue::from_value(value) {
        return Some(checked(given));
    }
    if value.get_type() != "int" {
        return None;
    }
    let number = i32::unpack_value(value).ok().flatten();
    let port = number.and_then(|number| u16::try_from(number).ok());
    Some(match port {
        Some(local_port) => Ok(PortForward {
            local_port,
            ..PortForward::default()
        }),
        None => Err(out_of_range(&value.to_str())),
    })
}

fn checked(given: &PortForwardValue) -> Result<PortForward, String> {
    let port = |port: i32| u16::try_from(port).map_err(|_| out_of_range(&port.to_string()));
    let forward = PortForward {
        local_port: port(given.local_port)?,
        container_port: port(given.container_port)?,
        host: Some(given.host.clone()).filter(|host| !host.is_empty()),
        name: given.name.clone(),
        path: given.path.clone(),
    };
    match &forward.host {
        Some(host) if !is_host(host) => Err(bad_host(host)),
        _ => Ok(forward),
    }
}

fn parse_port_forward(text: &str) -> Result<PortForward, String> {
    let port = |text: &str| {
        text.parse::<u16>()
            .map_err(|_| out_of_range(&format!("{text:?}")))
    };
    let parts: Vec<&str> = text.splitn(3, ':').collect();
    let (host, local, container) = match parts[..] {
        [local] => (None, local, None),
        [local, container] => (None, local, Some(container)),
        [host, local, container] => (Some(host), local, Some(container)),
        _ => (None, text, None),
    };
    if let Some(host) = host.filter(|host| !is_host(host)) {
        return Err(bad_host(host));
    }
    Ok(PortForward {
        local_port: port(local)?,
        container_port: container.map_or(Ok(0), port)?,
        host: host.map(str::to_owned),
        ..PortForward::default()
    })
}

fn out_of_range(port: &str) -> String {
    format!("portForward port value {port} is not in the valid range [0-65535]")
}

fn bad_host(host: &str) -> String {
    format!("portForward host value {host:?} is not a valid hostname or IP address")
}

/// Returns whether a text is an IPv4 address or a name of labels as in the DNS.
fn is_host(text: &str) -> bool {
    let label = |label: &str| {
        let edge = |b: Option<&u8>| b.is_some_and(u8::is_ascii_alphanumeric);
        let bytes = label.as_bytes();
        let inner = bytes.iter().all(|b| b.is_ascii_alphanumeric() || *b == b'-');
        inner && bytes.len() <= 63 && edge(bytes.first()) && edge(bytes.last())
    };
    text.parse::<std::net::Ipv4Addr>().is_ok() || (text.len() <= 253 && text.split('.').all(label))
}
