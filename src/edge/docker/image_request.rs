//! What is asked for of an image, and what every way to build one ends with.

use tokio_util::sync::CancellationToken;

use super::build::ImageId;
use super::client::Docker;
use super::error::BuildError;
use crate::edge::local::CommandVariables;
use crate::model::{BuiltImage, ImageRef, ImageSelector, ImageTarget, Registry};

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
