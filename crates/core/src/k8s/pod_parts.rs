//! Where the kinds that run pods keep their pod templates, and what is in them.

use serde_json::{Map, Value};

use super::Entity;

/// Returns whether the object's group belongs to Kubernetes itself, so that its fields are known.
pub(super) fn is_built_in(entity: &Entity) -> bool {
    let group = entity.group();
    matches!(
        group,
        "" | "apps" | "batch" | "extensions" | "autoscaling" | "policy"
    ) || (group.ends_with(".k8s.io") && !matches!(group, "apiregistration.k8s.io" | "metrics.k8s.io"))
        && known_k8s_io(group)
}

/// Extensions such as `snapshot.storage.k8s.io` use the domain too, but their kinds are custom resources.
fn known_k8s_io(group: &str) -> bool {
    const GROUPS: [&str; 12] = [
        "networking",
        "rbac.authorization",
        "storage",
        "scheduling",
        "admissionregistration",
        "apiextensions",
        "certificates",
        "coordination",
        "discovery",
        "events",
        "node",
        "flowcontrol.apiserver",
    ];
    group
        .strip_suffix(".k8s.io")
        .is_some_and(|name| GROUPS.contains(&name))
}

/// Returns the path to the object's pod template, if its kind has one.
pub(super) fn template_path(entity: &Entity) -> Option<&'static str> {
    match (entity.group(), entity.kind()) {
        ("", "ReplicationController")
        | ("apps" | "extensions", "Deployment" | "ReplicaSet" | "DaemonSet" | "StatefulSet")
        | ("batch", "Job") => Some("/spec/template"),
        ("batch", "CronJob") => Some("/spec/jobTemplate/spec/template"),
        ("", "PodTemplate") => Some("/template"),
        _ => None,
    }
}

/// Returns the object's pod template, to change it.
pub(super) fn template_mut(entity: &mut Entity) -> Option<&mut Map<String, Value>> {
    let path = template_path(entity)?;
    entity.value_mut().pointer_mut(path)?.as_object_mut()
}

/// Returns the object's pod spec, to change it.
pub(super) fn pod_spec_mut(entity: &mut Entity) -> Option<&mut Map<String, Value>> {
    let path = match (entity.group(), entity.kind()) {
        ("", "Pod") => "/spec".to_owned(),
        _ => format!("{}/spec", template_path(entity)?),
    };
    entity.value_mut().pointer_mut(&path)?.as_object_mut()
}

/// Calls `visit` for each container of a pod spec: init containers, containers, ephemeral ones.
pub(super) fn for_each_container(
    spec: &mut Map<String, Value>,
    mut visit: impl FnMut(&mut Map<String, Value>),
) {
    for list in ["initContainers", "containers", "ephemeralContainers"] {
        let containers = spec.get_mut(list).and_then(Value::as_array_mut);
        containers
            .into_iter()
            .flatten()
            .filter_map(Value::as_object_mut)
            .for_each(&mut visit);
    }
}

/// Returns the map below `key`, made if there is none.
pub(super) fn map_entry<'a>(
    map: &'a mut Map<String, Value>,
    key: &str,
) -> Option<&'a mut Map<String, Value>> {
    let value = map.entry(key).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut()
}
