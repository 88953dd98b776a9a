//! The parts of objects as values: what a user wrote, read leniently. Types and required fields were checked when it was
//! written.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::model::{ApiKind, ApiObject, Ignore, LocalPath, ManifestName, Probe, ProbeAction, SpanId};

/// The annotation that names the resource whose log an object's lines belong to.
pub(crate) const RESOURCE: &str = "tilt.dev/resource";

/// The annotation that names the source of an object's lines.
const SPAN: &str = "tilt.dev/log-span-id";

/// Returns a field as a list of texts; nothing and `null` are none.
pub(crate) fn texts(value: &Value) -> Vec<String> {
    let items = value.as_array().into_iter().flatten();
    items.filter_map(Value::as_str).map(str::to_owned).collect()
}

/// Returns a field of a map, `null` where there is none.
pub(crate) fn field<'a>(spec: &'a Map<String, Value>, name: &str) -> &'a Value {
    spec.get(name).unwrap_or(&Value::Null)
}

pub(crate) fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// Returns the paths that a list of `IgnoreDef` leaves out.
pub(crate) fn ignores(value: &Value) -> Vec<Ignore> {
    let items = value.as_array().into_iter().flatten();
    items
        .map(|item| Ignore {
            base: LocalPath::new(text(&item["basePath"])),
            patterns: texts(&item["patterns"]),
        })
        .collect()
}

/// Returns labels that must all match.
pub(crate) fn match_labels(selector: &Value) -> BTreeMap<String, String> {
    let labels = selector["matchLabels"].as_object().into_iter().flatten();
    labels.map(|(key, value)| (key.clone(), text(value))).collect()
}

/// Returns a port; 0 for one that is none.
pub(crate) fn port(value: &Value) -> u16 {
    value
        .as_i64()
        .and_then(|port| u16::try_from(port).ok())
        .unwrap_or_default()
}

fn number(value: &Value) -> i32 {
    value
        .as_i64()
        .and_then(|number| i32::try_from(number).ok())
        .unwrap_or_default()
}

/// Returns a probe, or why it is none.
pub(crate) fn probe(value: &Value) -> Option<Probe> {
    if !value.is_object() {
        return None;
    }
    let (http, tcp) = (&value["httpGet"], &value["tcpSocket"]);
    let action = if http.is_object() {
        ProbeAction::HttpGet {
            host: text(&http["host"]),
            port: number(&http["port"]),
            scheme: text(&http["scheme"]),
            path: text(&http["path"]),
        }
    } else if tcp.is_object() {
        ProbeAction::TcpSocket {
            host: text(&tcp["host"]),
            port: number(&tcp["port"]),
        }
    } else {
        ProbeAction::Exec {
            command: texts(&value["exec"]["command"]),
        }
    };
    Some(Probe {
        action,
        initial_delay_secs: number(&value["initialDelaySeconds"]),
        timeout_secs: number(&value["timeoutSeconds"]),
        period_secs: number(&value["periodSeconds"]),
        success_threshold: number(&value["successThreshold"]),
        failure_threshold: number(&value["failureThreshold"]),
    })
}

/// Returns where the lines of an object go.
pub(crate) fn log_place(kind: ApiKind, name: &str, object: &ApiObject) -> (SpanId, Option<ManifestName>) {
    let given = |annotation: &str| object.annotations.get(annotation).filter(|text| !text.is_empty());
    let span = given(SPAN).map_or_else(|| format!("{}-{name}", kind.name()), Clone::clone);
    let manifest = given(RESOURCE).map(|resource| ManifestName::from(resource.as_str()));
    (SpanId::new(span), manifest)
}
