//! Puts built images into objects. Finding which images occur in an object is `image_locator`'s part.

use serde_json::{Map, Value};

use super::Entity;
use super::inject_configured::Places;
use super::labels::{Ownership, add_labels, add_template_hash};
use super::pod_parts::{for_each_container, is_built_in, pod_spec_mut};
use crate::model::{BuiltImage, ImageLocator, ImageRef, ImageSelector, ManifestName, TargetId};

/// An image of the resource occurs in none of its objects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("Docker image missing from yaml: {0}")]
pub struct MissingImage(pub String);

/// Makes objects ready to be applied: labels, built images, pull policies, template hashes, in this order.
///
/// # Errors
/// When an image occurs in none of the objects.
///
/// Rule: `reference/engine.md` 2.13.
pub fn inject(
    entities: &mut [Entity],
    manifest: &ManifestName,
    images: &[(ImageSelector, BuiltImage)],
    locators: &[ImageLocator],
    ownership: &Ownership,
) -> Result<(), MissingImage> {
    let places = Places::new(locators);
    let mut injected = vec![false; images.len()];
    for entity in entities {
        add_labels(entity, manifest, ownership);
        if !images.is_empty() {
            inject_images(entity, images, &mut injected);
            places.inject(entity, images, &mut injected);
        }
        add_template_hash(entity);
    }
    match injected.iter().position(|done| !done) {
        Some(at) => Err(MissingImage(TargetId::image(&images[at].0.image.familiar()).name)),
        None => Ok(()),
    }
}

fn inject_images(entity: &mut Entity, images: &[(ImageSelector, BuiltImage)], injected: &mut [bool]) {
    if !is_built_in(entity) {
        return;
    }
    if entity.kind() == "StatefulSet" {
        // A pod that never gets ready would block the pods after it, also when its image is replaced by a good one.
        if let Some(spec) = entity.value_mut().get_mut("spec").and_then(Value::as_object_mut) {
            spec.insert("podManagementPolicy".to_owned(), "Parallel".into());
        }
    }
    let Some(spec) = pod_spec_mut(entity) else {
        return;
    };
    for_each_container(spec, |container| {
        replace(container, "image", images, injected);
        container.insert("imagePullPolicy".to_owned(), "IfNotPresent".into());
    });
    let volumes = spec.get_mut("volumes").and_then(Value::as_array_mut);
    for volume in volumes.into_iter().flatten() {
        if let Some(image) = volume.get_mut("image").and_then(Value::as_object_mut)
            && replace(image, "reference", images, injected)
        {
            image.insert("pullPolicy".to_owned(), "IfNotPresent".into());
        }
    }
}

fn replace(
    holder: &mut Map<String, Value>,
    field: &str,
    images: &[(ImageSelector, BuiltImage)],
    injected: &mut [bool],
) -> bool {
    let written = holder.get(field).and_then(Value::as_str);
    let Some(image) = written.and_then(|text| ImageRef::parse(text).ok()) else {
        return false;
    };
    let Some(at) = images.iter().position(|(selector, _)| selector.matches(&image)) else {
        return false;
    };
    injected[at] = true;
    holder.insert(field.to_owned(), images[at].1.cluster_ref.familiar().into());
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::Origin;
    use serde_json::json;

    fn built(name: &str) -> (ImageSelector, BuiltImage) {
        let image = ImageRef::parse(name).expect("a reference");
        let tagged = ImageRef::parse(&format!("localhost:5000/{name}:tilt-1")).expect("a reference");
        let built = BuiltImage {
            local_ref: tagged.clone(),
            cluster_ref: tagged,
        };
        (ImageSelector::new(image), built)
    }

    fn injected(value: Value, images: &[(ImageSelector, BuiltImage)]) -> Result<Value, MissingImage> {
        injected_at(value, images, &[])
    }

    fn injected_at(
        value: Value,
        images: &[(ImageSelector, BuiltImage)],
        locators: &[ImageLocator],
    ) -> Result<Value, MissingImage> {
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
            "parts": [{"a/b": "web"}, {"a/b": "other"}], "made": {"repo": "web", "tag": "old"}}});
        let locators = [
            locator("{.spec.parts[*].a/b}", None),
            locator("{.spec.made}", Some(("repo", "tag"))),
        ];
        let got = injected_at(object, &[built("web")], &locators).expect("the image occurs");
        assert_eq!(
            got["spec"],
            json!({"parts": [{"a/b": "localhost:5000/web:tilt-1"}, {"a/b": "other"}],
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
