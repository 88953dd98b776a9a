//! What an update does for one image: build it on what was built before, name it, and bring it to the cluster.

use tokio_util::sync::CancellationToken;

use super::build::{BuildRequest, INDENT, ImageId};
use super::client::Docker;
use super::custom::build_custom_image;
use super::delivery::{ClusterFacts, Delivery, PushWish, delivery, load_into_kind};
use super::error::BuildError;
use super::sharing::{Sharing, sharing};
use crate::assembly::dockerfile::replace_base_images;
use crate::edge::local::CommandVariables;
use crate::edge::stages::note;
use crate::logs::LogWriter;
use crate::model::{
    BuiltImage, DockerBuild, DockerOptions, ImageBuild, ImageRef, ImageSelector, ImageTarget, Registry,
};

/// An image to build.
#[derive(Clone, Copy, Debug)]
pub struct ImageRequest<'a> {
    /// The image.
    pub image: &'a ImageTarget,
    /// The images it is built on that we built, each with the references that mean it.
    pub bases: &'a [(ImageSelector, BuiltImage)],
    /// Where it will be pushed; `None` keeps its name.
    pub registry: Option<&'a Registry>,
    /// What the command of a custom build finds in its environment.
    pub commands: &'a CommandVariables,
    /// Such as `linux/amd64`; `None` for the engine's own.
    pub platform: Option<&'a str>,
}

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

/// Gives an image the name by which this machine knows it.
pub(super) async fn tag_built(
    docker: &Docker,
    id: &ImageId,
    built: &BuiltImage,
    cancel: &CancellationToken,
) -> Result<(), BuildError> {
    let tagging = async {
        let tagged = docker.tag(id.as_str(), &built.local_ref).await;
        tagged.map_err(|err| BuildError::by_engine(format!("TagImage: {err}"), &err))
    };
    unless_canceled(cancel, tagging).await
}

/// Does something unless nobody wants it any more.
pub(in crate::edge) async fn unless_canceled<T>(
    cancel: &CancellationToken,
    doing: impl Future<Output = Result<T, BuildError>>,
) -> Result<T, BuildError> {
    tokio::select! {
        biased;
        () = cancel.cancelled() => Err(BuildError::Canceled),
        done = doing => done,
    }
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

/// Returns the names of an image with this content.
///
/// Rule: `docs/rules/images.md`, "References".
pub(super) fn references(
    name: &ImageRef,
    registry: Option<&Registry>,
    content_tag: &str,
) -> Result<BuiltImage, BuildError> {
    let Some(registry) = registry else {
        let image = name.with_tag(content_tag);
        return Ok(BuiltImage {
            local_ref: image.clone(),
            cluster_ref: image,
        });
    };
    let (local, cluster) = registry.rewrite(name).map_err(|err| {
        BuildError::new(format!(
            "registry {:?} makes no image name of {}: {err}",
            registry.host,
            name.familiar()
        ))
    })?;
    let tag = registry.tag(name, content_tag);
    Ok(BuiltImage {
        local_ref: local.with_tag(&tag),
        cluster_ref: cluster.with_tag(&tag),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_built_image_is_named_after_its_content_and_registry() {
        let name = ImageRef::parse("shop/web:dev").expect("a reference");
        let built = references(&name, None, "tilt-1").expect("a name");
        assert_eq!(built.local_ref.familiar(), "shop/web:tilt-1");
        let registry = Registry {
            host: "localhost:5000".to_owned(),
            host_from_container_runtime: Some("registry:5000".to_owned()),
            single_name: None,
        };
        let built = references(&name, Some(&registry), "tilt-1").expect("a name");
        assert_eq!(built.local_ref.familiar(), "localhost:5000/shop_web:tilt-1");
        assert_eq!(built.cluster_ref.familiar(), "registry:5000/shop_web:tilt-1");
    }
}
