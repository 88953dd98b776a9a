//! Which pods belong to what users named, or applied: they are shown, and their logs are read.
//!
//! Rule: `docs/rules/api.md`, "Applying and discovering".

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::table::{Does, Object};
use super::{log_place, spec};
use crate::engine::deploy::pod_logs;
use crate::engine::state::State;
use crate::engine::streams;
use crate::model::{ApiKind, ManifestName, ObjectUid, Pod};
use crate::view::pod_json;

/// The kinds whose objects have pods.
pub(super) const KINDS: [ApiKind; 2] = [ApiKind::KubernetesApply, ApiKind::KubernetesDiscovery];

/// What makes a pod belong to an object.
struct Claims {
    uids: Vec<ObjectUid>,
    selectors: Vec<BTreeMap<String, String>>,
}

impl Claims {
    fn of(row: &Object) -> Self {
        let spec = &row.object.spec;
        let template = &spec::field(spec, "kubernetesDiscoveryTemplateSpec")["extraSelectors"];
        let of = |value: &Value| -> Vec<BTreeMap<String, String>> {
            let selectors = value.as_array().into_iter().flatten();
            selectors
                .map(spec::match_labels)
                .filter(|labels| !labels.is_empty())
                .collect()
        };
        match &row.does {
            Does::Apply(apply) => Self {
                uids: apply
                    .deployed
                    .objects
                    .iter()
                    .map(|object| object.uid.clone())
                    .collect(),
                selectors: of(template),
            },
            _ => Self {
                uids: watches(row)
                    .filter_map(|watch| watch["uid"].as_str())
                    .map(ObjectUid::from)
                    .collect(),
                selectors: of(spec::field(spec, "extraSelectors")),
            },
        }
    }

    fn claim(&self, pod: &Pod) -> bool {
        let mut uids = std::iter::once(&pod.uid).chain(pod.owners.iter().map(|owner| &owner.uid));
        let selects = |labels: &BTreeMap<String, String>| {
            labels.iter().all(|(key, value)| pod.label(key) == Some(value))
        };
        uids.any(|uid| !uid.as_str().is_empty() && self.uids.contains(uid))
            || self.selectors.iter().any(selects)
    }
}

fn watches(row: &Object) -> impl Iterator<Item = &Value> {
    spec::field(&row.object.spec, "watches")
        .as_array()
        .into_iter()
        .flatten()
}

/// Returns the pods of an object.
pub(super) fn pods<'a>(state: &'a State, row: &Object) -> Vec<&'a Pod> {
    let claims = Claims::of(row);
    let pods = state.pods.values().map(|seen| &seen.pod);
    pods.filter(|pod| claims.claim(pod)).collect()
}

/// Returns the namespaces whose pods are looked at.
pub(super) fn namespaces(state: &State) -> impl Iterator<Item = &str> {
    let default = state.config.default_namespace.as_str();
    let objects = state.objects.of_kind(ApiKind::KubernetesDiscovery);
    objects.flat_map(move |(_, row)| {
        let named = watches(row).filter_map(|watch| watch["namespace"].as_str());
        let named = named.map(move |namespace| if namespace.is_empty() { default } else { namespace });
        named.chain(watches(row).next().is_none().then_some(default))
    })
}

/// Finds out anew which pods there are, and which of their logs are read.
pub(super) fn refresh(state: &mut State) {
    let mut wanted = Vec::new();
    for kind in KINDS {
        for (name, row) in state.objects.of_kind(kind) {
            let key = ManifestName::new(format!("{}/{name}", kind.plural()));
            let (_, manifest) = log_place(kind, name, &row.object);
            let manifest = manifest.unwrap_or_else(|| name.into());
            let pods = pods(state, row).into_iter();
            let logs = pods
                .flat_map(|pod| pod_logs(state, &key, &manifest, pod))
                .collect();
            wanted.push((kind, name.to_owned(), key, logs));
        }
    }
    let known = state.objects.streaming.clone();
    for (kind, name, key, logs) in wanted {
        streams::set(state, &key, logs);
        state.objects.touch(kind, &name);
        state.objects.touch(ApiKind::KubernetesDiscovery, &name);
        state.objects.streaming.insert(key);
    }
    for key in known {
        let is_there = KINDS.into_iter().any(|kind| {
            let name = key
                .as_str()
                .strip_prefix(kind.plural())
                .and_then(|name| name.strip_prefix('/'));
            name.is_some_and(|name| state.objects.get(kind, name).is_some())
        });
        if !is_there {
            streams::set(state, &key, Vec::new());
            state.objects.streaming.remove(&key);
        }
    }
}

/// Notes that a pod came, changed or went.
pub(super) fn on_pod(state: &mut State) {
    let follows = KINDS
        .into_iter()
        .any(|kind| state.objects.of_kind(kind).next().is_some());
    state.objects.is_stale |= follows;
}

/// Returns the status of an object as the API shows it.
pub(super) fn status(state: &State, row: &Object) -> Value {
    let pods: Vec<Value> = pods(state, row).into_iter().map(pod_json).collect();
    json!({"monitorStartTime": state.config.started.to_micro_text(), "pods": pods})
}

/// Returns the pods of what an object applied, as an object of its own would ask for them.
pub(super) fn of_applied(row: &Object) -> Option<Value> {
    let Does::Apply(apply) = &row.does else {
        return None;
    };
    let watches: Vec<Value> = apply
        .deployed
        .objects
        .iter()
        .map(|object| {
            let namespace = object.id.namespace.as_deref().unwrap_or_default();
            json!({"uid": object.uid.as_str(), "namespace": namespace, "name": object.id.name})
        })
        .collect();
    (!watches.is_empty()).then(|| json!({"watches": watches, "cluster": "default"}))
}
