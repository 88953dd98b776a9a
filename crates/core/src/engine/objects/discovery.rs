//! Which pods belong to what users named, or applied: they are shown, and their logs are read.
//!
//! Rule: `docs/rules/api.md`, "Applying and discovering".

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::forward;
use crate::engine::deploy::pod_logs;
use crate::engine::state::State;
use crate::engine::state::objects::spec;
use crate::engine::state::objects::table::{Does, Key, Object, WITH_PODS};
use crate::engine::streams;
use crate::model::{ApiKind, ManifestName, ObjectUid, Pod};
use crate::view::pod_json;

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

/// Returns the pods of an object, or the one that its ports name.
fn find<'a>(state: &'a State, kind: ApiKind, row: &Object) -> Vec<&'a Pod> {
    let pods = state.pods.values().map(|seen| &seen.pod);
    if kind == ApiKind::PortForward {
        return pods.filter(|pod| forward::names(state, row, pod)).collect();
    }
    let claims = Claims::of(row);
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

/// Finds out anew which pods belong to objects that may have others now: where their ports lead, and which logs are read.
pub(super) fn refresh(state: &mut State) {
    for key in std::mem::take(&mut state.objects.stale_pods) {
        let (kind, name) = &key;
        let row = state.objects.get(*kind, name);
        let pods = row.map_or_else(Vec::new, |row| find(state, *kind, row));
        let uids: Vec<ObjectUid> = pods.iter().map(|pod| pod.uid.clone()).collect();
        if WITH_PODS.contains(kind) {
            let reader = ManifestName::new(format!("{}/{name}", kind.plural()));
            let manifest = row.and_then(|row| spec::log_place(*kind, name, &row.object).1);
            let manifest = manifest.unwrap_or_else(|| name.as_str().into());
            let logs = pods
                .into_iter()
                .flat_map(|pod| pod_logs(state, &reader, &manifest, pod))
                .collect();
            streams::set(state, &reader, logs);
            state.objects.touch(ApiKind::KubernetesDiscovery, name);
        }
        forward::lead(state, &key, &uids);
        if let Some(row) = state.objects.get_mut(*kind, name) {
            row.pods = uids;
        }
    }
}

/// Notes that a pod came, changed or went.
pub(crate) fn on_pod(state: &mut State, uid: &ObjectUid) {
    let pod = state.pods.get(uid).map(|seen| &seen.pod);
    let has = |kind: ApiKind, row: &Object| {
        let claims = |pod: &Pod| match kind {
            ApiKind::PortForward => forward::names(state, row, pod),
            _ => Claims::of(row).claim(pod),
        };
        row.pods.contains(uid) || pod.is_some_and(claims)
    };
    let kinds = WITH_PODS.into_iter().chain([ApiKind::PortForward]);
    let rows = kinds.flat_map(|kind| {
        state
            .objects
            .of_kind(kind)
            .map(move |(name, row)| (kind, name, row))
    });
    let concerned: Vec<Key> = rows
        .filter(|(kind, _, row)| has(*kind, row))
        .map(|(kind, name, _)| (kind, name.to_owned()))
        .collect();
    state.objects.is_stale |= !concerned.is_empty();
    state.objects.stale_pods.extend(concerned);
}

/// Returns the status of an object as the API shows it.
pub(super) fn status(state: &State, row: &Object) -> Value {
    let pods = row.pods.iter().filter_map(|uid| state.pods.get(uid));
    let pods: Vec<Value> = pods.map(|seen| pod_json(&seen.pod)).collect();
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
    if watches.is_empty() {
        return None;
    }
    let applied = &row.object.spec;
    let mut spec = json!({"watches": watches, "cluster": "default"});
    for template in ["portForwardTemplateSpec", "podLogStreamTemplateSpec"] {
        if let Some(template_spec) = applied.get(template) {
            spec[template] = template_spec.clone();
        }
    }
    let selectors = &spec::field(applied, "kubernetesDiscoveryTemplateSpec")["extraSelectors"];
    if !selectors.is_null() {
        spec["extraSelectors"] = selectors.clone();
    }
    Some(spec)
}
