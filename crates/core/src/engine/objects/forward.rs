//! Ports of this machine that lead to a pod, as users asked for them.
//!
//! Rule: `docs/rules/api.md`, "Buttons and ports".

use serde_json::{Value, json};

use crate::engine::effect::{Asker, Forward, ForwardId, ForwardTarget};
use crate::engine::event::ForwardPart;
use crate::engine::state::State;
use crate::engine::state::objects::ports::Ports;
use crate::engine::state::objects::spec;
use crate::engine::state::objects::table::{Key, Object, WITH_PODS};
use crate::k8s::port_in_pod;
use crate::model::{ApiKind, ApiObject, ObjectUid, Pod, PodPhase, Timestamp};
use crate::view::ObjectView;

/// Returns the ports that an object asks for: its own, or those that come with what is applied or discovered.
fn asked(kind: ApiKind, row: &Object) -> &[Value] {
    let spec = &row.object.spec;
    let ports = match kind {
        ApiKind::PortForward => spec::field(spec, "forwards"),
        _ => &spec::field(spec, "portForwardTemplateSpec")["forwards"],
    };
    ports.as_array().map_or(&[], Vec::as_slice)
}

/// Returns the ports that are wanted.
pub(crate) fn forwards(state: &State) -> Vec<Forward> {
    let kinds = [ApiKind::PortForward].into_iter().chain(WITH_PODS);
    let rows = kinds.flat_map(|kind| {
        state
            .objects
            .of_kind(kind)
            .map(move |(name, row)| (kind, name, row))
    });
    rows.flat_map(|(kind, name, row)| of_row(state, kind, name, row))
        .collect()
}

fn of_row(state: &State, kind: ApiKind, name: &str, row: &Object) -> Vec<Forward> {
    let ports = asked(kind, row);
    if ports.is_empty() {
        return Vec::new();
    }
    let pod = pod(state, row);
    let (span, manifest) = spec::log_place(kind, name, &row.object);
    ports
        .iter()
        .enumerate()
        .map(|(at, port)| {
            let host = spec::text(&port["host"]);
            Forward {
                asker: Asker::object(kind, name, at),
                manifest: manifest.clone(),
                span: span.clone(),
                local_port: spec::port(&port["localPort"]),
                host: (!host.is_empty()).then_some(host),
                pod: pod.map(|pod| ForwardTarget::new(pod, container_port(port, pod))),
            }
        })
        .collect()
}

fn pod<'a>(state: &'a State, row: &Object) -> Option<&'a Pod> {
    let seen = state.pods.get(row.ports.pod.as_ref()?)?;
    Some(&seen.pod)
}

/// Returns the port in the pod: where none is given, one that its containers document.
///
/// Rule: `docs/rules/runtime.md`, "Port-forwards".
fn container_port(port: &Value, pod: &Pod) -> u16 {
    match spec::port(&port["containerPort"]) {
        0 => port_in_pod(spec::port(&port["localPort"]), &pod.documented_ports()),
        given => given,
    }
}

/// Returns the namespaces whose pods are looked at for them.
pub(super) fn namespaces(state: &State) -> impl Iterator<Item = &str> {
    let objects = state.objects.of_kind(ApiKind::PortForward);
    objects.map(|(_, row)| namespace(state, row))
}

fn namespace<'a>(state: &'a State, row: &'a Object) -> &'a str {
    match spec::field(&row.object.spec, "namespace").as_str() {
        Some(namespace) if !namespace.is_empty() => namespace,
        _ => &state.config.default_namespace,
    }
}

/// Returns whether a pod is the one that an object names.
pub(super) fn names(state: &State, row: &Object, pod: &Pod) -> bool {
    spec::field(&row.object.spec, "podName") == pod.name.as_str() && pod.namespace == namespace(state, row)
}

/// Lets the ports of an object lead to the best of its pods.
pub(super) fn lead(state: &mut State, key: &Key, pods: &[ObjectUid]) {
    let (kind, name) = key;
    let now = state.time_of(state.now);
    let asks = |row: &Object| !asked(*kind, row).is_empty();
    let asks = state.objects.get(*kind, name).is_some_and(asks);
    let is_template = *kind != ApiKind::PortForward;
    let pods = pods
        .iter()
        .filter_map(|uid| state.pods.get(uid))
        .map(|seen| &seen.pod);
    let best = Pod::to_forward_to(pods).filter(|pod| asks && (is_template || pod.phase == PodPhase::Running));
    let shown = best
        .filter(|_| is_template)
        .map(|pod| format!("{name}-{}", pod.name));
    let pod = best.map(|pod| pod.uid.clone());
    let objects = &mut state.objects;
    if let Some(before) = objects.shown_ports(key).map(str::to_owned) {
        objects.port_owners.remove(&before);
        objects.touch(ApiKind::PortForward, &before);
    }
    if let Some(shown) = shown {
        objects.touch(ApiKind::PortForward, &shown);
        objects.port_owners.insert(shown, key.clone());
    }
    if let Some(row) = objects.get_mut(*kind, name) {
        let ports = &mut row.ports;
        if ports.since.is_none() || (is_template && ports.pod != pod) {
            ports.since = Some(now);
        }
        ports.pod = pod;
    }
}

/// Takes in what is known of a port.
fn change(state: &mut State, asker: &Asker, change: impl FnOnce(&mut Ports, usize)) {
    let Asker::Object { kind, name, part } = asker else {
        return;
    };
    let objects = &mut state.objects;
    if let Some(row) = objects.get_mut(*kind, name) {
        change(&mut row.ports, *part);
    }
    if let Some(shown) = objects.shown_ports(&(*kind, name.clone())).map(str::to_owned) {
        objects.touch(ApiKind::PortForward, &shown);
    }
}

/// Takes in what became of a port.
pub(crate) fn on_changed(state: &mut State, id: &ForwardId, part: ForwardPart, error: Option<String>) {
    change(state, &id.asker, |ports, at| {
        match error {
            Some(error) => ports.errors.insert((at, part), error),
            None => ports.errors.remove(&(at, part)),
        };
    });
}

/// Takes in which port was opened where any was asked for.
pub(crate) fn on_opened(state: &mut State, id: &ForwardId, port: u16) {
    change(state, &id.asker, |ports, at| {
        ports.opened.insert(at, port);
    });
}

/// Returns the status of an object of its own as the API shows it.
pub(super) fn status(state: &State, row: &Object) -> Value {
    statuses(row, asked(ApiKind::PortForward, row), pod(state, row))
}

/// Returns the object that shows the ports that come with what is applied or discovered.
pub(super) fn of_template(state: &State, shown: &str) -> Option<ObjectView> {
    let (kind, name) = state.objects.port_owners.get(shown)?;
    let row = state.objects.get(*kind, name)?;
    let pod = pod(state, row)?;
    let ports = asked(*kind, row).iter().map(|port| {
        let mut port = port.clone();
        port["containerPort"] = container_port(&port, pod).into();
        port
    });
    let ports: Vec<Value> = ports.collect();
    let status = statuses(row, &ports, Some(pod));
    let spec = json!({
        "podName": pod.name,
        "namespace": pod.namespace,
        "forwards": ports,
        "cluster": spec::text(spec::field(&row.object.spec, "cluster")),
    });
    Some(ObjectView {
        kind: ApiKind::PortForward,
        name: shown.to_owned(),
        object: ApiObject {
            annotations: row.object.annotations.clone(),
            spec: spec.as_object().cloned().unwrap_or_default(),
            ..ApiObject::default()
        },
        status: Some(status),
        is_declared: false,
        written: None,
        owner: Some((ApiKind::KubernetesDiscovery, name.clone())),
    })
}

fn statuses(row: &Object, asked: &[Value], pod: Option<&Pod>) -> Value {
    let known = &row.ports;
    let mut statuses: Vec<Value> = asked
        .iter()
        .enumerate()
        .map(|(at, port)| {
            let local = match spec::port(&port["localPort"]) {
                0 => known.opened.get(&at).copied().unwrap_or_default(),
                asked => asked,
            };
            let host = spec::text(&port["host"]);
            let addresses = match host.as_str() {
                "" | "localhost" => json!(["127.0.0.1", "::1"]),
                host => json!([host]),
            };
            let errors = known.errors.iter().filter(|((of, _), _)| *of == at);
            let error = errors.map(|(_, error)| error.as_str()).next();
            let waits = pod.is_none().then_some("the pod does not run");
            json!({
                "localPort": local,
                "containerPort": spec::port(&port["containerPort"]),
                "addresses": addresses,
                "startedAt": known.since.map(Timestamp::to_micro_text),
                "error": error.or(waits).unwrap_or_default(),
            })
        })
        .collect();
    statuses.sort_by_key(|status| (status["localPort"].as_u64(), status["containerPort"].as_u64()));
    json!({"forwardStatuses": statuses})
}
