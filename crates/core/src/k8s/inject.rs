//! Puts built images into objects. Finding which images occur in an object is `image_locator`'s part.

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::Entity;
use super::inject_configured::Places;
pub use super::injected_image::InjectedImage;
use super::labels::{Ownership, add_labels, add_template_hash};
use super::pod_parts::{for_each_container, is_built_in, pod_spec_mut};
use crate::model::{ImageLocator, ImageRef, Injection, ManifestName, TargetId};

/// Why an image cannot be put into the objects of a resource.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InjectError {
    /// It occurs in none of the objects.
    #[error("Docker image missing from yaml: {0}")]
    Missing(String),
    /// It occurs in an object, but no container runs it, so that there is nothing to give a command to.
    #[error(
        "could not inject command or arguments into {object}: no container found with image {image}; entrypoint and \
         container_args need one"
    )]
    NoContainer {
        /// The object.
        object: String,
        /// The image, as people write it.
        image: String,
    },
}

/// Makes objects ready to be applied: labels, built images, pull policies, template hashes, in this order.
///
/// # Errors
/// When an image occurs in none of the objects, or should run another command where no container runs it.
///
/// Rule: `docs/rules/images.md`, "Injection".
pub fn inject(
    entities: &mut [Entity],
    manifest: &ManifestName,
    images: &[InjectedImage],
    locators: &[ImageLocator],
    ownership: &Ownership,
) -> Result<(), InjectError> {
    let places = Places::new(locators);
    let mut injected = vec![false; images.len()];
    for entity in entities {
        add_labels(entity, manifest, ownership);
        if !images.is_empty() {
            let mut found = inject_images(entity, images);
            found.anywhere.extend(places.inject(entity, images));
            check_overrides(entity, images, &found)?;
            for at in found.anywhere {
                injected[at] = true;
            }
        }
        add_template_hash(entity);
    }
    match injected.iter().position(|done| !done) {
        Some(at) => {
            let name = images[at].selector.image.familiar();
            Err(InjectError::Missing(TargetId::image(&name).name))
        }
        None => Ok(()),
    }
}

/// Positions of the images that were found in one object.
#[derive(Default)]
struct Found {
    anywhere: BTreeSet<usize>,
    in_containers: BTreeSet<usize>,
}

fn inject_images(entity: &mut Entity, images: &[InjectedImage]) -> Found {
    let mut found = Found::default();
    if !is_built_in(entity) {
        return found;
    }
    if entity.kind() == "StatefulSet" {
        // A pod that never gets ready would block the pods after it, also when its image is replaced by a good one.
        if let Some(spec) = entity.value_mut().get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("podManagementPolicy".to_owned(), "Parallel".into());
        }
    }
    let Some(spec) = pod_spec_mut(entity) else {
        return found;
    };
    for_each_container(spec, |container| {
        if let Some(at) = replace(container, "image", images, |_| true) {
            found.in_containers.insert(at);
            override_command(container, &images[at].injection);
        }
        found.anywhere.extend(replace_in_variables(container, images));
        container.insert("imagePullPolicy".to_owned(), "IfNotPresent".into());
    });
    found.anywhere.extend(&found.in_containers);
    let volumes = spec.get_mut("volumes").and_then(Value::as_array_mut);
    for volume in volumes.into_iter().flatten() {
        if let Some(image) = volume.get_mut("image").and_then(Value::as_object_mut)
            && let Some(at) = replace(image, "reference", images, |_| true)
        {
            found.anywhere.insert(at);
            image.insert("pullPolicy".to_owned(), "IfNotPresent".into());
        }
    }
    found
}

/// Gives a container the command and the arguments that its image asks for; a command alone leaves the arguments.
fn override_command(container: &mut Map<String, Value>, injection: &Injection) {
    for (field, words) in [("command", &injection.command), ("args", &injection.args)] {
        if let Some(words) = words {
            container.insert(field.to_owned(), words.as_slice().into());
        }
    }
}

fn replace_in_variables(container: &mut Map<String, Value>, images: &[InjectedImage]) -> Vec<usize> {
    let variables = container.get_mut("env").and_then(Value::as_array_mut);
    let variables = variables.into_iter().flatten().filter_map(Value::as_object_mut);
    variables
        .filter_map(|variable| {
            replace(variable, "value", images, |image| {
                image.injection.match_in_env_vars
            })
        })
        .collect()
}

/// Puts the first of the images that may be here, and that the field means, into the field; returns its position.
fn replace(
    holder: &mut Map<String, Value>,
    field: &str,
    images: &[InjectedImage],
    may: impl Fn(&InjectedImage) -> bool,
) -> Option<usize> {
    let written = ImageRef::parse(holder.get(field)?.as_str()?).ok()?;
    let at = images
        .iter()
        .position(|image| may(image) && image.selector.matches(&written))?;
    holder.insert(field.to_owned(), images[at].built.cluster_ref.familiar().into());
    Some(at)
}

fn check_overrides(entity: &Entity, images: &[InjectedImage], found: &Found) -> Result<(), InjectError> {
    let overrides = |at: &&usize| {
        let injection = &images[**at].injection;
        injection.command.is_some() || injection.args.is_some()
    };
    match found.anywhere.difference(&found.in_containers).find(overrides) {
        Some(at) => Err(InjectError::NoContainer {
            object: format!("{}/{}", entity.kind(), entity.name()),
            image: images[*at].selector.image.familiar(),
        }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::Origin;
    use crate::model::{BuiltImage, ImageSelector};
    use serde_json::json;

    fn built(name: &str) -> InjectedImage {
        let image = ImageRef::parse(name).expect("a reference");
        let tagged = ImageRef::parse(&format!("localhost:5000/{name}:tilt-1")).expect("a reference");
        let built = BuiltImage {
            local_ref: tagged.clone(),
            cluster_ref: tagged,
        };
        InjectedImage {
            selector: ImageSelector::new(image),
            built,
            injection: Injection::default(),
        }
    }

    fn injected(value: Value, images: &[InjectedImage]) -> Result<Value, InjectError> {
        injected_at(value, images, &[])
    }

    fn injected_at(
        value: Value,
        images: &[InjectedImage],
        locators: &[ImageLocator],
    ) -> Result<Value, InjectError> {
        let mut entities = [Entity::new(value, Origin::default())];
        inject(
            &mut entities,
            &ManifestName::from("web"),
            images,
            locators,
            &Ownership::default(),
        )?;
        Ok(entities[0].value().clone())
    }

    #[test]
    fn every_kind_of_container_and_image_volume_gets_the_built_image() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {
            "initContainers": [{"image": "web"}],
            "containers": [{"image": "docker.io/library/web:old"}, {"image": "nginx", "imagePullPolicy": "Always"}],
            "ephemeralContainers": [{"image": "web"}],
            "volumes": [{"image": {"reference": "web"}}, {"image": {"reference": "nginx"}}, {"emptyDir": {}}]}});
        let spec = injected(pod, &[built("web")]).expect("the image occurs")["spec"].clone();
        let new = json!({"image": "localhost:5000/web:tilt-1", "imagePullPolicy": "IfNotPresent"});
        assert_eq!(spec["initContainers"], json!([new]));
        assert_eq!(
            spec["containers"],
            json!([new, {"image": "nginx", "imagePullPolicy": "IfNotPresent"}])
        );
        assert_eq!(spec["ephemeralContainers"], json!([new]));
        assert_eq!(
            spec["volumes"],
            json!([{"image": {"reference": "localhost:5000/web:tilt-1", "pullPolicy": "IfNotPresent"}},
                {"image": {"reference": "nginx"}}, {"emptyDir": {}}])
        );
    }

    #[test]
    fn an_image_brings_the_command_and_the_arguments_of_its_containers() {
        let words = |words: &[&str]| Some(words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>());
        let old = json!({"image": "web", "command": ["old"], "args": ["-a"]});
        for (command, args, expected) in [
            (words(&["new"]), None, json!([["new"], ["-a"]])),
            (None, words(&["-b", "c"]), json!([["old"], ["-b", "c"]])),
            (words(&["new"]), words(&[]), json!([["new"], []])),
        ] {
            let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {
                "containers": [old, {"image": "nginx", "command": ["kept"]}]}});
            let mut image = built("web");
            (image.injection.command, image.injection.args) = (command, args);
            let got = injected(pod, &[image]).expect("the image occurs");
            let containers = &got["spec"]["containers"];
            assert_eq!(json!([containers[0]["command"], containers[0]["args"]]), expected);
            assert_eq!(containers[1]["command"], json!(["kept"]));
        }
    }

    #[test]
    fn an_image_is_put_into_variables_only_where_it_asks_for_that() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"containers": [{"image": "nginx",
            "env": [{"name": "A", "value": "web:old"}, {"name": "B", "value": "not an image!"}, {"name": "C"}]}]}});
        let mut image = built("web");
        assert!(injected(pod.clone(), std::slice::from_ref(&image)).is_err());
        image.injection.match_in_env_vars = true;
        let got = injected(pod.clone(), std::slice::from_ref(&image)).expect("the image occurs");
        assert_eq!(
            got["spec"]["containers"][0]["env"],
            json!([{"name": "A", "value": "localhost:5000/web:tilt-1"}, {"name": "B", "value": "not an image!"},
                {"name": "C"}])
        );
        image.injection.command = Some(vec!["x".to_owned()]);
        let error = injected(pod, &[image]).expect_err("nothing runs it");
        assert!(
            error.to_string().contains("no container found with image web"),
            "{error}"
        );
    }

    #[test]
    fn every_kind_with_a_pod_template_is_known() {
        for (api, kind, path) in [
            ("apps/v1", "Deployment", "/spec/template"),
            ("apps/v1", "DaemonSet", "/spec/template"),
            ("apps/v1", "ReplicaSet", "/spec/template"),
            ("apps/v1", "StatefulSet", "/spec/template"),
            ("batch/v1", "Job", "/spec/template"),
            ("batch/v1", "CronJob", "/spec/jobTemplate/spec/template"),
            ("v1", "ReplicationController", "/spec/template"),
            ("v1", "PodTemplate", "/template"),
        ] {
            let mut value = json!({"spec": {"containers": [{"image": "web"}]}});
            for key in path.rsplit('/').filter(|key| !key.is_empty()) {
                value = json!({ key: value });
            }
            value["apiVersion"] = api.into();
            value["kind"] = kind.into();
            let got = injected(value, &[built("web")]).expect(kind);
            let image = got.pointer(&format!("{path}/spec/containers/0/image"));
            assert_eq!(image, Some(&json!("localhost:5000/web:tilt-1")), "{kind}");
            assert_eq!(
                got["spec"].get("podManagementPolicy").is_some(),
                kind == "StatefulSet",
                "{kind}"
            );
        }
    }

    #[test]
    fn configured_places_of_custom_resources_get_the_built_image() {
        let locator = |path: &str, fields: Option<(&str, &str)>| ImageLocator {
            objects: crate::model::ObjectPatterns {
                kind: "machine".to_owned(),
                ..crate::model::ObjectPatterns::default()
            },
            path: path.to_owned(),
            fields: fields.map(|(repository, tag)| (repository.to_owned(), tag.to_owned())),
        };
        let object = json!({"apiVersion": "x.io/v1", "kind": "Machine", "metadata": {}, "spec": {
            "parts": [{"a/b": "web", "imagePullPolicy": "Always"}, {"a/b": "other", "imagePullPolicy": "Always"}], "made": {"repo": "web", "tag": "old"}}});
        let locators = [
            locator("{.spec.parts[*].a/b}", None),
            locator("{.spec.made}", Some(("repo", "tag"))),
        ];
        let got = injected_at(object, &[built("web")], &locators).expect("the image occurs");
        assert_eq!(
            got["spec"],
            json!({"parts": [{"a/b": "localhost:5000/web:tilt-1", "imagePullPolicy": "IfNotPresent"},
                    {"a/b": "other", "imagePullPolicy": "Always"}],
                "made": {"repo": "localhost:5000/web", "tag": "tilt-1"}})
        );
    }

    #[test]
    fn without_images_of_our_own_nothing_is_touched() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"containers": [{"image": "nginx"}]}});
        let got = injected(pod.clone(), &[]).expect("nothing is missing");
        assert_eq!(got["spec"], pod["spec"]);
    }

    #[test]
    fn an_image_that_occurs_nowhere_is_named() {
        let pod = json!({"apiVersion": "v1", "kind": "Pod", "metadata": {}, "spec": {"containers": [{"image": "nginx"}]}});
        let error = injected(pod, &[built("gcr.io/shop/web")]).expect_err("it is missing");
        assert_eq!(
            error.to_string(),
            "Docker image missing from yaml: gcr.io_shop_web"
        );
    }
}
