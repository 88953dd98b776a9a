//! How a cluster gets an image: pushed, loaded, or already there.

use tokio_util::sync::CancellationToken;

use super::cluster_facts::ClusterFacts;
use super::error::BuildError;
use crate::edge::process::{ChildCommand, Environment, Process};
use crate::k8s::Product;
use crate::logs::LogWriter;
use crate::model::{BuiltImage, ImageRef, LocalPath};

/// Who needs an image in a registry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PushWish {
    /// The cluster.
    Needed,
    /// Nobody: it is only what other images are built on.
    BaseOnly,
    /// Its own build saw to it.
    DoneByBuild,
}

/// How an image gets into the cluster.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Its own build sees to it.
    DoneByBuild,
    /// Not at all: it is only what other images are built on.
    BaseImage,
    /// Not at all: the cluster runs what the engine has.
    SharedEngine,
    /// By kind's own loader.
    LoadIntoKind,
    /// Through a registry.
    Push,
}

impl Delivery {
    /// Returns why nothing is sent to a registry; `None` where something may be.
    pub fn why_not_pushed(self) -> Option<&'static str> {
        match self {
            Self::DoneByBuild => Some("its build pushes it"),
            Self::BaseImage => Some("other images are built on it; it is not deployed"),
            Self::SharedEngine => Some("the cluster runs the engine's own images"),
            Self::LoadIntoKind => Some("loaded into kind"),
            Self::Push => None,
        }
    }

    /// Returns the line that is printed for it.
    pub fn line(self) -> &'static str {
        match self {
            Self::DoneByBuild => "Skipping push: custom_build() configured to handle push itself",
            Self::BaseImage => "Skipping push: base image does not need deploy",
            Self::SharedEngine => "Skipping push: building on cluster's container runtime",
            Self::LoadIntoKind => "Loading image to KIND",
            Self::Push => "Pushing with Docker client",
        }
    }
}

/// Decides how an image gets into the cluster; `shared` is whether the cluster runs what the engine has.
///
/// Rule: `docs/rules/images.md`, "Docker engines and pushes".
pub fn delivery(push: PushWish, shared: bool, image: &BuiltImage, cluster: &ClusterFacts) -> Delivery {
    let is_kind = cluster.product == Product::Kind;
    if push == PushWish::DoneByBuild {
        Delivery::DoneByBuild
    } else if push == PushWish::BaseOnly {
        Delivery::BaseImage
    } else if shared {
        Delivery::SharedEngine
    } else if is_kind && image.local_ref == image.cluster_ref && cluster.registry.is_none() {
        Delivery::LoadIntoKind
    } else {
        Delivery::Push
    }
}

/// Returns the command that loads an image into kind.
fn kind_command(image: &ImageRef, cluster_name: &str) -> Vec<String> {
    let name = cluster_name.strip_prefix("kind-").unwrap_or(cluster_name);
    ["kind", "load", "docker-image", &image.familiar(), "--name", name]
        .map(str::to_owned)
        .to_vec()
}

/// Loads an image into kind's nodes, with kind's output in the log.
pub(super) async fn load_into_kind(
    image: &ImageRef,
    cluster: &ClusterFacts,
    env: &Environment,
    log: &LogWriter,
    cancel: &CancellationToken,
) -> Result<(), BuildError> {
    let failed = |err: String| BuildError::new(format!("Error loading image to KIND: {err}"));
    let command = ChildCommand {
        argv: kind_command(image, &cluster.cluster_name),
        dir: LocalPath::new("/"),
        env: env.clone(),
    };
    let mut kind = Process::spawn(&command, log)
        .map_err(|err| failed(err.to_string()).hint("install kind, or give the cluster a registry"))?;
    tokio::select! {
        biased;
        // Dropping the process ends it, with all that it started.
        () = cancel.cancelled() => Err(BuildError::Canceled),
        exit = kind.wait() => match exit {
            Ok(exit) if exit.is_success() => Ok(()),
            Ok(exit) => Err(failed(format!("exit status {}", exit.code()))),
            Err(err) => Err(failed(err.to_string())),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::LogStore;
    use crate::model::Registry;

    fn image(local: &str, cluster: &str) -> BuiltImage {
        BuiltImage {
            local_ref: ImageRef::parse(local).expect("a reference"),
            cluster_ref: ImageRef::parse(cluster).expect("a reference"),
        }
    }

    fn cluster(product: Product) -> ClusterFacts {
        ClusterFacts {
            product,
            container_runtime: "docker".to_owned(),
            ..ClusterFacts::default()
        }
    }

    fn with_registry(product: Product) -> ClusterFacts {
        let registry = Registry {
            host: "localhost:5000".to_owned(),
            host_from_container_runtime: None,
            single_name: None,
        };
        ClusterFacts {
            registry: Some(registry),
            ..cluster(product)
        }
    }

    #[test]
    fn the_first_reason_decides_how_an_image_is_delivered() {
        let same = image("a:1", "a:1");
        let other = image("a:1", "b:1");
        for (push, shared, image, cluster, expected) in [
            (
                PushWish::DoneByBuild,
                true,
                &same,
                cluster(Product::Kind),
                Delivery::DoneByBuild,
            ),
            (
                PushWish::BaseOnly,
                true,
                &same,
                cluster(Product::Kind),
                Delivery::BaseImage,
            ),
            (
                PushWish::Needed,
                true,
                &same,
                cluster(Product::Kind),
                Delivery::SharedEngine,
            ),
            (
                PushWish::Needed,
                false,
                &same,
                cluster(Product::Kind),
                Delivery::LoadIntoKind,
            ),
            (
                PushWish::Needed,
                false,
                &other,
                cluster(Product::Kind),
                Delivery::Push,
            ),
            (
                PushWish::Needed,
                false,
                &same,
                with_registry(Product::Kind),
                Delivery::Push,
            ),
            (
                PushWish::Needed,
                false,
                &same,
                cluster(Product::K3d),
                Delivery::Push,
            ),
            (
                PushWish::Needed,
                false,
                &same,
                cluster(Product::Unknown),
                Delivery::Push,
            ),
        ] {
            assert_eq!(
                delivery(push, shared, image, &cluster),
                expected,
                "{push:?} shared={shared} {:?}",
                cluster.product
            );
        }
    }

    #[test]
    fn kind_is_told_its_cluster_without_the_prefix() {
        let image = ImageRef::parse("web:tilt-1").expect("a reference");
        let expected = ["kind", "load", "docker-image", "web:tilt-1", "--name", "dev"];
        assert_eq!(kind_command(&image, "kind-dev"), expected);
    }

    #[test]
    fn each_way_has_its_line() {
        let ways = [
            Delivery::DoneByBuild,
            Delivery::BaseImage,
            Delivery::SharedEngine,
            Delivery::LoadIntoKind,
            Delivery::Push,
        ];
        insta::assert_snapshot!(ways.map(Delivery::line).join("\n"), @"
        Skipping push: custom_build() configured to handle push itself
        Skipping push: base image does not need deploy
        Skipping push: building on cluster's container runtime
        Loading image to KIND
        Pushing with Docker client
        ");
    }

    #[tokio::test]
    async fn what_kind_says_is_told_and_how_it_failed() {
        let dir = tempfile::tempdir().expect("a scratch folder");
        let mut env = Environment::default();
        env.set("PATH", format!("{}:/usr/bin:/bin", dir.path().display()));
        let load = async |log: &LogStore| {
            let facts = ClusterFacts {
                cluster_name: "kind-dev".to_owned(),
                ..cluster(Product::Kind)
            };
            let (web, log) = (image("web:1", "web:1").local_ref, LogWriter::global(log.clone()));
            let loaded = load_into_kind(&web, &facts, &env, &log, &CancellationToken::new()).await;
            loaded.map_err(|error| error.to_string())
        };
        let log = LogStore::in_memory();
        insta::assert_snapshot!(load(&log).await.expect_err("there is none"), @r#"
        Error loading image to KIND: exec: "kind": executable file not found in $PATH
        hint: install kind, or give the cluster a registry
        "#);
        let kind = dir.path().join("kind");
        std::fs::write(&kind, "#!/bin/sh\necho \"$@\"; exit 2\n").expect("a script");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&kind, executable).expect("ours");
        insta::assert_snapshot!(load(&log).await.expect_err("it fails"), @"Error loading image to KIND: exit status 2");
        let segments = log.reader().try_next_batch();
        let said: String = segments.iter().map(|segment| segment.text.as_str()).collect();
        assert_eq!(said, "load docker-image web:1 --name dev\n");
    }
}
