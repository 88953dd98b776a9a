//! The marks on what we deploy: labels by which it is found again, and the hash that tells pods of one deploy from pods
//! of another.

use serde_json::{Map, Value};
use sha1::Digest as _;

use super::Entity;
use super::pod_parts::{is_built_in, map_entry, template_mut, template_path};
use crate::model::ManifestName;

/// The label that says by whom an object is managed.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The label that tells pods of one deploy from pods of another.
pub const TEMPLATE_HASH: &str = "tilt.dev/pod-template-hash";
/// The label that names the resource, as far as a label can hold its name.
pub const MANIFEST: &str = "tilt-manifest";
/// The annotation with the exact name of the resource.
pub const MANIFEST_ANNOTATION: &str = "tilt.dev/manifest";
/// The annotation with the project.
pub const PROJECT_ANNOTATION: &str = "tilt.dev/project";
/// The annotation with the person who deployed last.
pub const OWNER_ANNOTATION: &str = "tilt.dev/owner";

/// Who deploys: for people who find the objects on a shared cluster.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Ownership {
    /// The project, such as the directory of the Tiltfile; empty to write none.
    pub project: String,
    /// The person; empty to write none.
    pub owner: String,
}

/// Puts all labels and annotations but the template hash on an object.
///
/// Rule: `docs/rules/deploy.md`, "Labels".
pub fn add_labels(entity: &mut Entity, manifest: &ManifestName, ownership: &Ownership) {
    if is_built_in(entity) && entity.kind() == "PersistentVolumeClaim" {
        return;
    }
    if is_built_in(entity) {
        update_selectors(entity.value_mut());
        update_bare_selector(entity);
    }
    if let Some(template) = template_path(entity) {
        for path in ["/spec/jobTemplate", template] {
            if let Some(inner) = entity
                .value_mut()
                .pointer_mut(path)
                .and_then(Value::as_object_mut)
            {
                set_meta(inner, "labels", MANAGED_BY, "tilt");
            }
        }
    }
    let Some(object) = entity.value_mut().as_object_mut() else {
        return;
    };
    set_meta(object, "labels", MANAGED_BY, "tilt");
    set_meta(object, "labels", MANIFEST, &label_value(manifest.as_str()));
    set_meta(object, "annotations", MANIFEST_ANNOTATION, manifest.as_str());
    for (key, value) in [
        (PROJECT_ANNOTATION, &ownership.project),
        (OWNER_ANNOTATION, &ownership.owner),
    ] {
        if !value.is_empty() {
            set_meta(object, "annotations", key, value);
        }
    }
}

/// Puts the template hash on the object's pod template: the first 20 hex digits of the SHA-1 of its JSON. Call it after
/// everything else was injected.
pub fn add_template_hash(entity: &mut Entity) {
    if let Some(template) = template_mut(entity) {
        // The order of keys in the YAML is no difference that should restart pods.
        let mut sorted = Value::Object(template.clone());
        sorted.sort_all_objects();
        let digest = sha1::Sha1::digest(sorted.to_string().as_bytes());
        set_meta(template, "labels", TEMPLATE_HASH, &hex(&digest[..10]));
    }
}

/// Returns the template hashes in an object, as the API server gave it back.
pub fn template_hashes(object: &Value) -> Vec<String> {
    ["/spec/template", "/spec/jobTemplate/spec/template", "/template"]
        .iter()
        .filter_map(|path| {
            object
                .pointer(path)?
                .get("metadata")?
                .get("labels")?
                .get(TEMPLATE_HASH)
        })
        .filter_map(|hash| hash.as_str().map(str::to_owned))
        .collect()
}

/// Returns a resource's name as a label value: other characters become `-`, at most 63; if anything had to change, `-`
/// and 8 hex digits of the SHA-256 of the name are added.
pub fn label_value(name: &str) -> String {
    const MAX: usize = 63;
    const SUFFIX: usize = 9;
    let clean: String = name
        .chars()
        .map(|c| match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '-' | '_' | '.' => c,
            _ => '-',
        })
        .collect();
    let edges = ['-', '_', '.'];
    if clean == name && name.len() <= MAX && name.trim_matches(edges) == name {
        return clean;
    }
    let digest = sha2::Sha256::digest(name.as_bytes());
    let start = clean.trim_start_matches(edges);
    let body = start[..start.len().min(MAX - SUFFIX)].trim_end_matches(edges);
    let hash = hex(&digest[..4]);
    if body.is_empty() {
        hash
    } else {
        format!("{body}-{hash}")
    }
}

fn set_meta(object: &mut Map<String, Value>, map: &str, key: &str, value: &str) {
    if let Some(entries) = map_entry(object, "metadata").and_then(|metadata| map_entry(metadata, map)) {
        entries.insert(key.to_owned(), Value::String(value.to_owned()));
    }
}

/// A selector that names the label must go on matching what it selects; one that does not name it stays as it is.
fn update_selectors(value: &mut Value) {
    match value {
        Value::Object(map) => {
            if let Some(labels) = map.get_mut("matchLabels") {
                replace_managed_by(labels);
            }
            map.values_mut().for_each(update_selectors);
        }
        Value::Array(items) => items.iter_mut().for_each(update_selectors),
        _ => {}
    }
}

fn update_bare_selector(entity: &mut Entity) {
    if matches!(entity.kind(), "Service" | "ReplicationController")
        && let Some(selector) = entity.value_mut().pointer_mut("/spec/selector")
    {
        replace_managed_by(selector);
    }
}

fn replace_managed_by(labels: &mut Value) {
    if let Some(value) = labels.get_mut(MANAGED_BY) {
        *value = Value::String("tilt".to_owned());
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::Origin;
    use serde_json::json;

    fn labelled(value: Value) -> Value {
        let mut entity = Entity::new(value, Origin::default());
        let ownership = Ownership {
            project: "/src/shop".to_owned(),
            owner: String::new(),
        };
        add_labels(&mut entity, &ManifestName::from("web"), &ownership);
        entity.value().clone()
    }

    #[test]
    fn object_and_pod_template_are_marked_and_only_the_object_names_the_resource() {
        let got = labelled(
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x"},
            "spec": {"template": {"metadata": {"labels": {MANAGED_BY: "Helm"}}}}}),
        );
        assert_eq!(
            got,
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "x",
                "labels": {MANAGED_BY: "tilt", "tilt-manifest": "web"},
                "annotations": {"tilt.dev/manifest": "web", "tilt.dev/project": "/src/shop"}},
            "spec": {"template": {"metadata": {"labels": {MANAGED_BY: "tilt"}}}}})
        );
    }

    #[test]
    fn both_templates_of_a_cron_job_are_marked() {
        let got = labelled(
            json!({"apiVersion": "batch/v1", "kind": "CronJob", "metadata": {},
            "spec": {"jobTemplate": {"spec": {"template": {}}}}}),
        );
        let label = |path: &str| {
            got.pointer(path)
                .and_then(|m| m["metadata"]["labels"].get(MANAGED_BY).cloned())
        };
        assert_eq!(label("/spec/jobTemplate"), Some(json!("tilt")));
        assert_eq!(label("/spec/jobTemplate/spec/template"), Some(json!("tilt")));
    }

    #[test]
    fn volume_claims_and_their_templates_stay_as_they_are() {
        let claim = json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "x"}});
        assert_eq!(labelled(claim.clone()), claim);
        let got = labelled(
            json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {},
            "spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}}], "template": {}}}),
        );
        assert_eq!(
            got["spec"]["volumeClaimTemplates"],
            json!([{"metadata": {"name": "data"}}])
        );
    }

    #[test]
    fn selectors_change_only_where_they_name_the_label() {
        let got = labelled(json!({"apiVersion": "v1", "kind": "Service", "metadata": {},
            "spec": {"selector": {MANAGED_BY: "Helm", "app": "x"}}}));
        assert_eq!(got["spec"]["selector"], json!({MANAGED_BY: "tilt", "app": "x"}));
        let got = labelled(
            json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {},
            "spec": {"selector": {"matchLabels": {"app": "x"}}, "template": {}}}),
        );
        assert_eq!(got["spec"]["selector"], json!({"matchLabels": {"app": "x"}}));
    }

    #[test]
    fn the_template_hash_depends_on_the_template_alone() {
        let hashed = |template: Value, replicas: u32| {
            let value = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {},
                "spec": {"replicas": replicas, "template": template}});
            let mut entity = Entity::new(value, Origin::default());
            add_template_hash(&mut entity);
            template_hashes(entity.value())
        };
        let one = hashed(json!({"spec": {"a": 1}}), 1);
        assert_eq!(one[0].len(), 20);
        assert_eq!(one, hashed(json!({"spec": {"a": 1}}), 2));
        assert_ne!(one, hashed(json!({"spec": {"a": 2}}), 1));
        let (ab, ba) = (
            json!({"a": {"c": 1, "d": 2}, "b": 3}),
            json!({"b": 3, "a": {"d": 2, "c": 1}}),
        );
        assert_eq!(hashed(ab, 1), hashed(ba, 1));
    }

    #[test]
    fn a_name_that_no_label_can_hold_is_changed_and_gets_a_hash() {
        assert_eq!(label_value("web-1.a"), "web-1.a");
        for name in ["shop:web", "(Tiltfile)", "ü", &"x".repeat(64), "-x"] {
            let value = label_value(name);
            let ends = [value.chars().next(), value.chars().last()];
            assert!(value.len() <= 63, "{name} gives {value}");
            assert!(
                ends.iter().flatten().all(char::is_ascii_alphanumeric),
                "{name} gives {value}"
            );
            assert_ne!(value, label_value(&format!("{name}!")), "{name}");
        }
    }
}
