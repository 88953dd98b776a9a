//! Where images are in objects of known kinds, and the labels of their pod templates.
//!
//! Custom resources have none. Rule: `reference/tiltfile-api.md` 3.2 and A.3.

use serde_json::{Map, Value};

use super::Entity;
use super::pod_parts::template_path;

/// An image in an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageField {
    /// The JSON pointer to the text, for `Value::pointer_mut`.
    pub pointer: String,
    /// The text; empty when there is none.
    pub image: String,
}

/// Returns the images of an object in the order in which Tilt finds them: per pod spec its init containers, then its
/// containers, then its image volumes. A container without an image gives an empty text.
pub fn image_fields(entity: &Entity) -> Vec<ImageField> {
    let mut containers = Vec::new();
    let mut volumes = Vec::new();
    for spec in pod_specs(entity) {
        for list in ["initContainers", "containers"] {
            for at in 0..items(entity, &format!("{spec}/{list}")) {
                containers.push(field(entity, format!("{spec}/{list}/{at}/image")));
            }
        }
        for at in 0..items(entity, &format!("{spec}/volumes")) {
            let pointer = format!("{spec}/volumes/{at}/image/reference");
            if entity.value().pointer(&pointer).is_some() {
                volumes.push(field(entity, pointer));
            }
        }
    }
    containers.extend(volumes);
    containers
}

/// Returns the values of the environment variables of all containers, in the order of `image_fields`.
pub fn env_values(entity: &Entity) -> Vec<&str> {
    let mut values = Vec::new();
    for spec in pod_specs(entity) {
        for list in ["initContainers", "containers"] {
            let containers = entity.value().pointer(&format!("{spec}/{list}"));
            let containers = containers.and_then(Value::as_array).into_iter().flatten();
            let variables = containers
                .filter_map(|container| container.get("env")?.as_array())
                .flatten();
            values.extend(variables.filter_map(|variable| variable.get("value")?.as_str()));
        }
    }
    values
}

/// Returns JSON pointers to the pod specs of an object.
pub fn pod_specs(entity: &Entity) -> Vec<String> {
    let pointer = match (template_path(entity), entity.api_version(), entity.kind()) {
        (Some(template), ..) => format!("{template}/spec"),
        (None, "v1", "Pod") => "/spec".to_owned(),
        (None, ..) => return Vec::new(),
    };
    let found = entity.value().pointer(&pointer).is_some();
    found.then_some(pointer).into_iter().collect()
}

/// Returns the labels of the pods that an object's pod template makes; `None` without a template, as for a bare pod.
pub fn template_labels(entity: &Entity) -> Option<Map<String, Value>> {
    let template = template_path(entity)?;
    let labels = entity.value().pointer(&format!("{template}/metadata/labels"));
    Some(labels.and_then(Value::as_object).cloned().unwrap_or_default())
}

fn items(entity: &Entity, pointer: &str) -> usize {
    let list = entity.value().pointer(pointer).and_then(Value::as_array);
    list.map_or(0, Vec::len)
}

fn field(entity: &Entity, pointer: String) -> ImageField {
    let image = entity.value().pointer(&pointer).and_then(Value::as_str);
    ImageField {
        image: image.unwrap_or_default().to_owned(),
        pointer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::yaml;

    #[track_caller]
    fn check(text: &str, expected: &[(&str, &str)]) {
        let entity = yaml::read(text, "test").unwrap().entities.remove(0);
        let found = image_fields(&entity);
        let found: Vec<(&str, &str)> = found
            .iter()
            .map(|field| (field.pointer.as_str(), field.image.as_str()))
            .collect();
        assert_eq!(found, expected);
    }

    #[test]
    fn init_containers_come_before_containers_and_volumes_last() {
        check(
            "{apiVersion: v1, kind: Pod, spec: {volumes: [{name: v, image: {reference: d}}, {name: e, emptyDir: {}}], \
             containers: [{image: b}, {name: none}], initContainers: [{image: a}]}}",
            &[
                ("/spec/initContainers/0/image", "a"),
                ("/spec/containers/0/image", "b"),
                ("/spec/containers/1/image", ""),
                ("/spec/volumes/0/image/reference", "d"),
            ],
        );
    }

    #[test]
    fn each_known_kind_has_its_pod_spec() {
        let spec = "spec: {containers: [{image: a}]}";
        for (version, kind, pointer) in [
            ("apps/v1", "Deployment", "/spec/template"),
            ("batch/v1", "CronJob", "/spec/jobTemplate/spec/template"),
            ("batch/v1", "Job", "/spec/template"),
        ] {
            let inner = match kind {
                "CronJob" => format!("{{jobTemplate: {{spec: {{template: {{{spec}}}}}}}}}"),
                _ => format!("{{template: {{{spec}}}}}"),
            };
            let text = format!("{{apiVersion: {version}, kind: {kind}, spec: {inner}}}");
            check(&text, &[(&format!("{pointer}/spec/containers/0/image"), "a")]);
        }
    }

    #[test]
    fn custom_resources_have_no_containers() {
        check(
            "{apiVersion: x.io/v1, kind: Deployment, spec: {template: {spec: {containers: [{image: a}]}}}}",
            &[],
        );
    }
}
