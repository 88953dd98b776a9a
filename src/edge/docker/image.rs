//! What an update does for one image: build it on what was built before, name it, and bring it to the cluster.

use tokio_util::sync::CancellationToken;

use super::build::INDENT;
use super::build_request::BuildRequest;
use super::client::Docker;
use super::cluster_facts::ClusterFacts;
use super::custom::build_custom_image;
use super::delivery::{Delivery, PushWish, delivery, load_into_kind};
use super::error::BuildError;
use super::image_request::{ImageRequest, references, tag_built};
use super::sharing::{Sharing, sharing};
use crate::assembly::dockerfile::replace_base_images;
use crate::edge::stages::note;
use crate::logs::LogWriter;
use crate::model::{BuiltImage, DockerBuild, DockerOptions, ImageBuild, ImageSelector};

/// Builds an image and tags it by its content.
///
/// # Errors
/// When a base cannot be put into its Dockerfile, the build fails, or it is canceled.
pub async fn build_image(
    docker: &Docker,
    request: ImageRequest<'_>,
    log: &LogWriter,
    cancel: &CancellationToken,
) -> Result<BuiltImage, BuildError> {
    let name = &request.image.selector.image;
    let build = match &request.image.build {
        ImageBuild::Docker(build) => build,
        ImageBuild::Custom(build) => return build_custom_image(docker, request, build, log, cancel).await,
        ImageBuild::Compose(build) => {
            return Err(BuildError::new(format!(
                "the image of {} is built by Compose",
                build.service
            )));
        }
    };
    let build_request = BuildRequest {
        dockerfile: effective_dockerfile(build, request.bases)
            .map_err(|err| BuildError::new(format!("{err} of image {:?}", name.familiar())))?,
        build: DockerBuild {
            options: DockerOptions {
                platform: build
                    .options
                    .platform
                    .clone()
                    .or_else(|| request.platform.map(str::to_owned)),
                ..build.options.clone()
            },
            ..build.clone()
        },
    };
    let image_id = docker.build(&build_request, log, cancel).await?;
    let built = references(name, request.registry, &image_id.content_tag())?;
    tag_built(docker, &image_id, &built, cancel).await?;
    Ok(built)
}

/// Brings a built image to where the cluster gets it from, and returns its names there, which have another tag where
/// its own stands for something else in the registry; lines go below the step's header.
///
/// # Errors
/// When the registry or the loader refuses, or it is canceled.
pub async fn deliver_image(
    docker: &Docker,
    image: &BuiltImage,
    push: PushWish,
    cluster: &ClusterFacts,
    log: &LogWriter,
    cancel: &CancellationToken,
) -> Result<BuiltImage, BuildError> {
    let log = log.indented(INDENT);
    let shared = docker.is_minikubes || sharing(docker.host(), cluster) == Sharing::Shared;
    let how = delivery(push, shared, image, cluster);
    log.info(how.line());
    if let Some(why) = how.why_not_pushed() {
        note(|facts| facts.not_pushed = Some(why.to_owned()));
    }
    match how {
        Delivery::DoneByBuild | Delivery::BaseImage | Delivery::SharedEngine => Ok(image.clone()),
        Delivery::LoadIntoKind => {
            load_into_kind(&image.local_ref, cluster, &docker.env, &log, cancel).await?;
            Ok(image.clone())
        }
        Delivery::Push => {
            let local_ref = docker.push(&image.local_ref, &log, cancel).await?;
            let cluster_ref = match local_ref.tag() {
                Some(tag) => image.cluster_ref.with_tag(tag),
                None => image.cluster_ref.clone(),
            };
            Ok(BuiltImage {
                local_ref,
                cluster_ref,
            })
        }
    }
}

fn effective_dockerfile(
    build: &DockerBuild,
    bases: &[(ImageSelector, BuiltImage)],
) -> Result<String, crate::assembly::dockerfile::DockerfileError> {
    let bases: Vec<_> = bases
        .iter()
        .map(|(selector, built)| (selector.clone(), built.local_ref.clone()))
        .collect();
    replace_base_images(&build.dockerfile_contents, &build.build_args, &bases)
}
