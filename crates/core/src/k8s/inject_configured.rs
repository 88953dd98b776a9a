//! Puts built images at the places that `k8s_kind` and `k8s_image_json_path` name.

use serde_json::Value;

use super::injected_image::InjectedImage;
use super::json_path::JsonPath;
use super::{Entity, ObjectMatcher, configured_images};
use crate::model::{BuiltImage, ImageLocator};

/// The places, ready to be looked at.
pub(super) struct Places<'a>(Vec<(&'a ImageLocator, ObjectMatcher, JsonPath)>);

impl<'a> Places<'a> {
    /// Prepares the places. All were parsed when the Tiltfile was loaded.
    pub(super) fn new(locators: &'a [ImageLocator]) -> Self {
        let place = |locator: &'a ImageLocator| {
            let objects = ObjectMatcher::new(locator.objects.clone()).ok()?;
            Some((locator, objects, JsonPath::parse(&locator.path).ok()?))
        };
        Self(locators.iter().filter_map(place).collect())
    }

    /// Replaces the images in an object, and returns the positions of those that were found.
    pub(super) fn inject(&self, entity: &mut Entity, images: &[InjectedImage]) -> Vec<usize> {
        let mut injected = Vec::new();
        for (locator, objects, path) in &self.0 {
            if !objects.matches(entity) {
                continue;
            }
            for found in configured_images::at(entity, locator, path).unwrap_or_default() {
                let at = images
                    .iter()
                    .position(|image| image.selector.matches(&found.image));
                if let (Some(at), Some(pointer)) = (at, found.pointer)
                    && let Some(target) = entity.value_mut().pointer_mut(&pointer)
                {
                    injected.push(at);
                    write(target, locator, &images[at].built);
                    if locator.fields.is_none() {
                        prefer_local(entity.value_mut(), &pointer);
                    }
                }
            }
        }
        injected
    }
}

/// Sets the pull policy that stands beside an image, if there is one.
fn prefer_local(object: &mut Value, image: &str) {
    let holder = image
        .rsplit_once('/')
        .and_then(|(holder, _)| object.pointer_mut(holder));
    if let Some(policy) = holder.and_then(|holder| holder.get_mut("imagePullPolicy")) {
        *policy = "IfNotPresent".into();
    }
}

fn write(target: &mut Value, locator: &ImageLocator, built: &BuiltImage) {
    match (&locator.fields, &mut *target) {
        (Some((repository, tag)), Value::Object(map)) => {
            let image = &built.cluster_ref;
            map.insert(repository.clone(), image.familiar_name().into());
            map.insert(tag.clone(), image.tag().unwrap_or_default().into());
        }
        _ => *target = built.cluster_ref.familiar().into(),
    }
}
