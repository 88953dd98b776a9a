//! Where images are pushed, and how that changes their names.

use super::{ImageRef, ImageRefError};

/// A registry that a cluster pulls from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Registry {
    /// The host that this machine pushes to.
    pub host: String,
    /// The host that the cluster's container runtime pulls from, where it is another.
    pub host_from_container_runtime: Option<String>,
    /// One repository for all images; the name goes into the tag.
    pub single_name: Option<String>,
}

/// An image that was built: under which names it is known.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BuiltImage {
    /// What the Docker engine builds and pushes, with its content tag.
    pub local_ref: ImageRef,
    /// What goes into the YAML, with the same tag.
    pub cluster_ref: ImageRef,
}

impl Registry {
    /// Returns the name that this machine pushes `image` under, and the name that the cluster pulls, both without tag.
    ///
    /// # Errors
    /// When a host makes an invalid reference.
    ///
    /// Rule: `docs/rules/images.md`, "References".
    pub fn rewrite(&self, image: &ImageRef) -> Result<(ImageRef, ImageRef), ImageRefError> {
        let local = self.rewrite_for(&self.host, image)?;
        let cluster = match &self.host_from_container_runtime {
            Some(host) => self.rewrite_for(host, image)?,
            None => local.clone(),
        };
        Ok((local, cluster))
    }

    /// Returns the tag that an image with this content tag gets.
    pub fn tag(&self, image: &ImageRef, content_tag: &str) -> String {
        match self.single_name {
            Some(_) => format!("{}-{content_tag}", escape(&image.familiar_name())),
            None => content_tag.to_owned(),
        }
    }

    fn rewrite_for(&self, host: &str, image: &ImageRef) -> Result<ImageRef, ImageRefError> {
        let familiar = image.familiar_name();
        if familiar.starts_with(&format!("{host}/")) {
            return Ok(image.without_tag());
        }
        let name = match &self.single_name {
            Some(name) => name.clone(),
            None => escape(&familiar),
        };
        ImageRef::parse(&format!("{host}/{name}"))
    }
}

fn escape(name: &str) -> String {
    name.replace(['/', ':', '@'], "_")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(registry: &Registry, image: &str, local: &str, cluster: &str) {
        let image = ImageRef::parse(image).expect("a reference");
        let (got_local, got_cluster) = registry.rewrite(&image).expect("a valid host");
        assert_eq!(
            (got_local.familiar(), got_cluster.familiar()),
            (local.to_owned(), cluster.to_owned())
        );
    }

    #[test]
    fn names_are_escaped_below_the_registry_host_unless_already_there() {
        let mut registry = Registry {
            host: "localhost:5005".to_owned(),
            host_from_container_runtime: Some("registry:5000".to_owned()),
            single_name: None,
        };
        check(
            &registry,
            "gcr.io/foo/bar:v1",
            "localhost:5005/gcr.io_foo_bar",
            "registry:5000/gcr.io_foo_bar",
        );
        check(&registry, "bar", "localhost:5005/bar", "registry:5000/bar");
        check(
            &registry,
            "localhost:5005/x/y",
            "localhost:5005/x/y",
            "registry:5000/localhost_5005_x_y",
        );
        registry.single_name = Some("all/dev".to_owned());
        check(
            &registry,
            "gcr.io/foo",
            "localhost:5005/all/dev",
            "registry:5000/all/dev",
        );
        assert_eq!(
            registry.tag(&ImageRef::parse("gcr.io/foo").expect("valid"), "tilt-1"),
            "gcr.io_foo-tilt-1"
        );
    }
}
