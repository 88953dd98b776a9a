//! Ports of this machine that lead to a pod, as users asked for them.
//!
//! Rule: `docs/rules/api.md`, "Buttons and ports".

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::table::{Does, Object};
use super::{discovery, log_place, spec};
use crate::engine::effect::{Asker, Forward, ForwardTarget};
use crate::engine::event::{ForwardId, ForwardPart};
use crate::engine::state::State;
use crate::model::{ApiKind, Pod, PodPhase, Timestamp};

/// What is known of the ports of an object.
#[derive(Debug, Default)]
pub(crate) struct ForwardState {
    errors: BTreeMap<(usize, ForwardPart), String>,
    /// The ports that were opened where any was asked for.
    opened: BTreeMap<usize, u16>,
    /// Since when it is asked for.
    since: Option<Timestamp>,
}

/// Returns the ports that are wanted: those of objects of their own, and those that come with what is applied or discovered.
pub(crate) fn forwards(state: &State) -> Vec<Forward> {
    let own = state.objects.of_kind(ApiKind::PortForward);
    let own = own.flat_map(|(name, row)| {
        let ports = spec::field(&row.object.spec, "forwards");
        of_ports(ApiKind::PortForward, name, row, ports, pod(state, row))
    });
    let with_pods = discovery::KINDS.into_iter().flat_map(|kind| {
        state.objects.of_kind(kind).flat_map(move |(name, row)| {
            let ports = &spec::field(&row.object.spec, "portForwardTemplateSpec")["forwards"];
            let is_wanted = ports.as_array().is_some_and(|ports| !ports.is_empty());
            let pod = is_wanted.then(|| newest_running(state, row)).flatten();
            of_ports(kind, name, row, ports, pod)
        })
    });
    own.chain(with_pods).collect()
}

fn of_ports(kind: ApiKind, name: &str, row: &Object, ports: &Value, pod: Option<&Pod>) -> Vec<Forward> {
    let (span, manifest) = log_place(kind, name, &row.object);
    let ports = ports.as_array().into_iter().flatten().enumerate();
    ports
        .map(|(at, port)| {
            let host = spec::text(&port["host"]);
            Forward {
                asker: Asker::object(kind, name, at),
                manifest: manifest.clone(),
                span: span.clone(),
                local_port: spec::port(&port["localPort"]),
                host: (!host.is_empty()).then_some(host),
                pod: pod.map(|pod| ForwardTarget::new(pod, spec::port(&port["containerPort"]))),
            }
        })
        .collect()
}

fn newest_running<'a>(state: &'a State, row: &Object) -> Option<&'a Pod> {
    let pods = discovery::pods(state, row).into_iter();
    let running = pods.filter(|pod| pod.phase == PodPhase::Running);
    running.max_by_key(|pod| (pod.created, &pod.name))
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

fn ports(row: &Object) -> &[Value] {
    let ports = spec::field(&row.object.spec, "forwards").as_array();
    ports.map_or(&[], Vec::as_slice)
}

/// Returns the pod that is meant, once it runs.
fn pod<'a>(state: &'a State, row: &Object) -> Option<&'a Pod> {
    let (name, namespace) = (
        spec::field(&row.object.spec, "podName").as_str()?,
        namespace(state, row),
    );
    let pods = state.pods.values().map(|seen| &seen.pod);
    let meant = |pod: &&Pod| pod.name == name && pod.namespace == namespace;
    let mut pods = pods.filter(meant).filter(|pod| pod.phase == PodPhase::Running);
    pods.next()
}

fn change(state: &mut State, asker: &Asker, change: impl FnOnce(&mut ForwardState, usize)) {
    let Asker::Object { kind, name, part } = asker else {
        return;
    };
    if let Some(Object {
        does: Does::Forward(forward),
        ..
    }) = state.objects.get_mut(*kind, name)
    {
        change(forward, *part);
    }
}

/// Takes in what became of a port.
pub(crate) fn on_changed(state: &mut State, id: &ForwardId, part: ForwardPart, error: Option<String>) {
    change(state, &id.asker, |forward, at| {
        match error {
            Some(error) => forward.errors.insert((at, part), error),
            None => forward.errors.remove(&(at, part)),
        };
    });
}

/// Takes in which port was opened where any was asked for.
pub(crate) fn on_opened(state: &mut State, id: &ForwardId, port: u16) {
    change(state, &id.asker, |forward, at| {
        forward.opened.insert(at, port);
    });
}

/// Notes since when ports are asked for. With another definition they are opened anew.
pub(super) fn refresh(state: &mut State) {
    let now = state.time_of(state.now);
    for name in state.objects.names(ApiKind::PortForward) {
        let is_new = matches!(state.objects.get(ApiKind::PortForward, &name),
            Some(Object { does: Does::Forward(forward), .. }) if forward.since.is_none());
        if is_new {
            let asker = Asker::object(ApiKind::PortForward, &name, 0);
            change(state, &asker, |forward, _| forward.since = Some(now));
        }
    }
}

/// Returns the status of an object as the API shows it.
pub(super) fn status(forward: &ForwardState, row: &Object, has_pod: bool) -> Value {
    let mut statuses: Vec<Value> = ports(row)
        .iter()
        .enumerate()
        .map(|(at, port)| {
            let asked = spec::port(&port["localPort"]);
            let local = match asked {
                0 => forward.opened.get(&at).copied().unwrap_or_default(),
                asked => asked,
            };
            let host = spec::text(&port["host"]);
            let addresses = match host.as_str() {
                "" | "localhost" => json!(["127.0.0.1", "::1"]),
                host => json!([host]),
            };
            let errors = forward.errors.iter().filter(|((of, _), _)| *of == at);
            let error = errors.map(|(_, error)| error.as_str()).next();
            let waits = (!has_pod).then_some("the pod does not run");
            json!({
                "localPort": local,
                "containerPort": spec::port(&port["containerPort"]),
                "addresses": addresses,
                "startedAt": forward.since.map(Timestamp::to_micro_text),
                "error": error.or(waits).unwrap_or_default(),
            })
        })
        .collect();
    statuses.sort_by_key(|status| (status["localPort"].as_u64(), status["containerPort"].as_u64()));
    json!({"forwardStatuses": statuses})
}

/// Returns whether the pod of an object runs.
pub(super) fn has_pod(state: &State, row: &Object) -> bool {
    pod(state, row).is_some()
}

/// Notes that a pod came, changed or went that ports may lead to.
pub(super) fn on_pod(state: &mut State, pod: &str) {
    let meant: Vec<String> = state
        .objects
        .of_kind(ApiKind::PortForward)
        .filter(|(_, row)| spec::field(&row.object.spec, "podName") == pod)
        .map(|(name, _)| name.to_owned())
        .collect();
    for name in meant {
        state.dirty.forwards = true;
        state.objects.touch(ApiKind::PortForward, &name);
    }
}
