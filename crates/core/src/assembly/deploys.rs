//! Resources that commands deploy.

use super::DeclaredDeploy;
use super::images::Images;
use super::resources::{Grouping, Resource};
use crate::diag::Diagnostic;

/// Makes a resource of each call.
pub(super) fn add(
    deploys: Vec<DeclaredDeploy>,
    grouping: &mut Grouping,
    images: &mut Images,
    errors: &mut Vec<Diagnostic>,
) {
    for declared in deploys {
        let mut resource = Resource::new(declared.name, declared.site.clone());
        for image in &declared.image_deps {
            match images.find(image) {
                Some(at) if resource.images.contains(&at) => {}
                Some(at) => resource.images.push(at),
                None => {
                    let (name, image) = (&resource.name, image.familiar());
                    let message = format!("resource \"{name}\": image build \"{image}\" not found");
                    let place = declared.site.literal(&image, "image_deps", 13);
                    errors.push(Diagnostic::error(message).at(place));
                }
            }
        }
        resource.images.extend(
            declared
                .live_update_image
                .iter()
                .filter_map(|image| images.find(image)),
        );
        resource.options.custom_deploy = Some(declared.deploy);
        grouping.add(resource);
    }
}
