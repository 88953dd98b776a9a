//! Which images occur in an object, and whether its kind alone makes it a workload.
//!
//! Rule: `docs/rules/assembly.md`, "Images in objects" and "Grouping".

use super::DeclaredObject;
use super::images::Images;
use super::resources::{Grouping, shown};
use crate::diag::Diagnostic;
use crate::k8s::image_locator::{self, env_values};
use crate::k8s::{Entity, configured_images};
use crate::model::{ImageRef, PodReadiness};

/// The images of an object.
#[derive(Default)]
pub(super) struct ObjectImages {
    /// Whether there is any image at all.
    pub(super) any: bool,
    /// Positions of those that are built, each once.
    pub(super) built: Vec<usize>,
    /// Names of all, as people write them.
    pub(super) names: Vec<String>,
}

impl ObjectImages {
    fn add(&mut self, image: &ImageRef, images: &mut Images) {
        self.any = true;
        self.names.push(image.familiar_name());
        self.add_built(images.find(image));
    }

    fn add_built(&mut self, built: Option<usize>) {
        if let Some(built) = built
            && !self.built.contains(&built)
        {
            self.built.push(built);
        }
    }
}

/// Finds the images of an object: in containers, at configured places, in environment variables.
pub(super) fn find(
    grouping: &Grouping,
    at: usize,
    images: &mut Images,
    errors: &mut Vec<Diagnostic>,
) -> ObjectImages {
    let mut found = ObjectImages::default();
    let object = &grouping.objects[at].declared;
    for text in image_locator::images(&object.entity) {
        found.any = true;
        match ImageRef::parse(text) {
            Ok(image) => found.add(&image, images),
            Err(error) => {
                let is_of_kind = grouping.kinds_of(at).next().is_some();
                errors.push(invalid_image(object, is_of_kind, text, &error.to_string()));
                break;
            }
        }
    }
    for (locator, path) in grouping.kinds_of(at).flat_map(|kind| &kind.locators) {
        match configured_images::at(&object.entity, locator, path) {
            Ok(places) => places.iter().for_each(|place| found.add(&place.image, images)),
            Err(why) => {
                errors.push(unfit_place(object, &why));
                break;
            }
        }
    }
    if images.any_in_env_vars() {
        let values = env_values(&object.entity).into_iter();
        for image in values.filter_map(|value| ImageRef::parse(value).ok()) {
            found.add_built(images.find_in_env_var(&image));
        }
    }
    found
}

fn unfit_place(object: &DeclaredObject, why: &str) -> Diagnostic {
    let entity = &object.entity;
    let (kind, name) = (entity.kind(), entity.name());
    Diagnostic::error(format!("finding image in {kind}/{name}: {why}"))
        .at(object.site.place())
        .hint(format!("the object is {}", shown(entity)))
}

fn invalid_image(object: &DeclaredObject, is_of_kind: bool, image: &str, error: &str) -> Diagnostic {
    let entity = &object.entity;
    let subject = if is_of_kind || is_workload_by_kind(entity) {
        format!("finding image in {}/{}", entity.kind(), entity.name())
    } else {
        format!("finding images in {}", entity.name())
    };
    Diagnostic::error(format!("{subject}: parsing {image}: {error}"))
        .at(object.site.place())
        .hint(format!("the object is {}", shown(entity)))
}

/// Returns whether an object makes a resource although it may have no images: Jobs and CronJobs.
pub(super) fn is_workload_by_kind(entity: &Entity) -> bool {
    readiness_by_kind(entity).is_some()
}

/// Returns when a resource with this object counts as ready, where its kind decides that.
pub(super) fn readiness_by_kind(entity: &Entity) -> Option<PodReadiness> {
    const BATCH: &[u8] = b"batch/v1";
    let version = entity.api_version().as_bytes();
    if !version
        .windows(BATCH.len())
        .any(|part| part.eq_ignore_ascii_case(BATCH))
    {
        return None;
    }
    let kind = entity.kind().to_lowercase();
    if kind.contains("cronjob") {
        Some(PodReadiness::Ignore)
    } else if kind.contains("job") {
        Some(PodReadiness::Succeeded)
    } else {
        None
    }
}
