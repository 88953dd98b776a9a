//! Where images are in objects of known kinds, and the labels of their pod templates.
//!
//! Custom resources have none. Rule: `docs/rules/assembly.md`, "Images in objects"; `docs/rules/yaml.md`, "Types".

use std::sync::LazyLock;

use serde_json::{Map, Value};

use super::pod_parts::template_path;
use super::{Entity, schema};

/// Returns the images of an object in the order in which Tilt finds them: of its pod spec the init containers, then the
/// containers, then the image volumes. A container without an image gives an empty text.
pub fn images(entity: &Entity) -> Vec<&str> {
    let Some(spec) = pod_spec(entity) else {
        return Vec::new();
    };
    let containers = containers(spec).map(|container| text_at(container.get("image")));
    let volumes = items(spec, "volumes").filter_map(|volume| volume.get("image")?.get("reference"));
    containers
        .chain(volumes.map(|reference| text_at(Some(reference))))
        .collect()
}

/// Returns the values of the environment variables of all containers, in the order of `images`.
pub fn env_values(entity: &Entity) -> Vec<&str> {
    let containers = pod_spec(entity).into_iter().flat_map(containers);
    let variables = containers
        .filter_map(|container| container.get("env")?.as_array())
        .flatten();
    variables
        .filter_map(|variable| variable.get("value")?.as_str())
        .collect()
}

/// Returns the labels of the pods that an object's pod template makes; `None` without a template, as for a bare pod.
pub fn template_labels(entity: &Entity) -> Option<&Map<String, Value>> {
    static NONE: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
    let path = template_path(entity).filter(|_| is_typed(entity))?;
    let template = at(entity.value(), path);
    let labels = template.and_then(|template| template.get("metadata")?.get("labels")?.as_object());
    Some(labels.unwrap_or(&NONE))
}

fn pod_spec(entity: &Entity) -> Option<&Value> {
    if !is_typed(entity) {
        return None;
    }
    match template_path(entity) {
        Some(template) => at(entity.value(), template)?.get("spec"),
        None if entity.api_version() == "v1" && entity.kind() == "Pod" => entity.value().get("spec"),
        None => None,
    }
}

/// Returns whether the version of a kind is one that is known.
fn is_typed(entity: &Entity) -> bool {
    schema::of_kind(entity.api_version(), entity.kind()).is_some()
}

fn containers(spec: &Value) -> impl Iterator<Item = &Value> {
    items(spec, "initContainers").chain(items(spec, "containers"))
}

fn items<'a>(map: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    map.get(key).and_then(Value::as_array).into_iter().flatten()
}

fn text_at(value: Option<&Value>) -> &str {
    value.and_then(Value::as_str).unwrap_or_default()
}

/// Follows a path such as `/spec/template`, whose keys need no escapes.
fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('/')
        .skip(1)
        .try_fold(value, |value, key| value.get(key))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::yaml;

    #[track_caller]
    fn check(text: &str, expected: &[&str]) {
        let entity = yaml::read(text, "test").unwrap().entities.remove(0);
        assert_eq!(images(&entity), expected, "{text}");
    }

    #[test]
    fn init_containers_come_before_containers_and_volumes_last() {
        check(
            "{apiVersion: v1, kind: Pod, spec: {volumes: [{name: v, image: {reference: d}}, {name: e, emptyDir: {}}], \
             containers: [{image: b}, {name: none}], initContainers: [{image: a}]}}",
            &["a", "b", "", "d"],
        );
    }

    #[test]
    fn each_known_kind_has_its_pod_spec() {
        let spec = "spec: {containers: [{image: a}]}";
        for (version, kind) in [
            ("apps/v1", "Deployment"),
            ("batch/v1", "CronJob"),
            ("batch/v1", "Job"),
        ] {
            let inner = match kind {
                "CronJob" => format!("{{jobTemplate: {{spec: {{template: {{{spec}}}}}}}}}"),
                _ => format!("{{template: {{{spec}}}}}"),
            };
            check(
                &format!("{{apiVersion: {version}, kind: {kind}, spec: {inner}}}"),
                &["a"],
            );
        }
    }

    #[test]
    fn custom_resources_and_unknown_versions_have_no_containers() {
        check(
            "{apiVersion: apps/v3, kind: Deployment, spec: {template: {spec: {containers: [{image: a}]}}}}",
            &[],
        );
        check(
            "{apiVersion: x.io/v1, kind: Deployment, spec: {template: {spec: {containers: [{image: a}]}}}}",
            &[],
        );
    }
}
