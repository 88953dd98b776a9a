//! Images that a command of the user's builds: it is told which name is expected, and what it made is looked up.
//!
//! Rule: `docs/rules/images.md`, "Custom builds".

use std::sync::PoisonError;

use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::build::ImageId;
use super::client::Docker;
use super::error::BuildError;
use super::http::ApiError;
use super::image_request::{ImageRequest, references, tag_built, unless_canceled};
use crate::clock;
use crate::edge::local::{CommandFault, CommandVariables, run_command};
use crate::logs::LogWriter;
use crate::model::{BuiltImage, Command, CustomBuild, ImageRef, LocalPath, OutputMode, Registry};

/// Runs the command of a custom build and returns the image that it made, tagged by its content.
///
/// # Errors
/// When the command fails, does not leave the image where it should, or is canceled.
pub(super) async fn build_custom_image(
    docker: &Docker,
    request: ImageRequest<'_>,
    build: &CustomBuild,
    log: &LogWriter,
    cancel: &CancellationToken,
) -> Result<BuiltImage, BuildError> {
    let name = &request.image.selector.image;
    let expected = match &build.image_ref_file {
        Some(file) => {
            remove_old(file)?;
            None
        }
        None => Some(expected_image(name, build, request.registry)?),
    };
    let mut command = build.command.clone();
    command
        .env
        .extend(variables_of(docker, &request, expected.as_ref()));
    announce(&command.env[build.command.env.len()..], log);
    run(&command, request.commands, log, cancel).await?;
    match (expected, &build.image_ref_file) {
        (Some(expected), _) if build.output == OutputMode::Remote => {
            let image = expected.cluster_ref.familiar();
            if build.tag.is_some() && docker.has_pushed(image.clone()) {
                log.warn(&tag_stays(&image));
            }
            Ok(expected)
        }
        (Some(expected), _) if build.output == OutputMode::LocalDockerAndRemote => {
            unless_canceled(cancel, pushed_image(docker, name, build, expected)).await
        }
        (Some(expected), _) => {
            let left = unless_canceled(cancel, docker.left_image(&expected.local_ref)).await?;
            let id = ImageId::new(left.id);
            let built = references(name, request.registry, &id.content_tag())?;
            tag_built(docker, &id, &built, cancel).await?;
            Ok(built)
        }
        (None, file) => {
            let built = written_image(file.as_ref(), request.registry)?;
            if build.output != OutputMode::Remote {
                unless_canceled(cancel, docker.left_image(&built.local_ref)).await?;
            }
            Ok(built)
        }
    }
}

/// Returns what is said of an image that is built anew under the reference that is deployed already.
fn tag_stays(image: &str) -> String {
    format!(
        "{image} is deployed already: pods that run it stay as they are, though it was built again\n\
         hint: leave out tag=, so that each build has a tag of its own ($EXPECTED_REF), or write the reference of what was built to a \
         file and name it with outputs_image_ref_to="
    )
}

/// Returns the name that the command is to give the image: with a tag of its own it keeps its name, unless the command
/// pushes it to the registry.
fn expected_image(
    name: &ImageRef,
    build: &CustomBuild,
    registry: Option<&Registry>,
) -> Result<BuiltImage, BuildError> {
    match &build.tag {
        Some(tag) if build.output == OutputMode::LocalDockerAndRemote => references(name, registry, tag),
        Some(tag) => references(name, None, tag),
        None => references(
            name,
            registry,
            &format!("tilt-build-{}", clock::timestamp().0 / 1_000_000),
        ),
    }
}

/// Returns the image that a command has pushed by itself, under the name by which it pushed it: no other one is in the
/// registry. Of a tag that is always the same the digest tells what was pushed now.
async fn pushed_image(
    docker: &Docker,
    name: &ImageRef,
    build: &CustomBuild,
    expected: BuiltImage,
) -> Result<BuiltImage, BuildError> {
    let Some(tag) = &build.tag else {
        docker.left_image(&expected.local_ref).await?;
        return Ok(expected);
    };
    match docker.left_image(&expected.local_ref).await {
        Ok(found) => Ok(found.pinned(expected)),
        Err(error) => {
            // It may have its own name for the image, whatever it was told.
            let own = references(name, None, tag)?;
            let found = docker.left_image(&own.local_ref).await;
            found.map(|found| found.pinned(own)).map_err(|_| error)
        }
    }
}

/// An image as the engine has it.
#[derive(Deserialize)]
struct Inspected {
    #[serde(rename = "Id")]
    id: String,
    /// Under which digests it is known in registries, such as `localhost:5000/web@sha256:12ab`.
    #[serde(rename = "RepoDigests", default)]
    repo_digests: Option<Vec<String>>,
}

impl Inspected {
    /// Adds the digest under which the image was pushed, if it was.
    fn pinned(&self, image: BuiltImage) -> BuiltImage {
        let name = image.local_ref.familiar_name();
        let mut known = self.repo_digests.iter().flatten();
        let digest = known.find_map(|known| known.strip_prefix(&name)?.strip_prefix('@'));
        match digest {
            Some(digest) => BuiltImage {
                local_ref: image.local_ref.with_digest(digest),
                cluster_ref: image.cluster_ref.with_digest(digest),
            },
            None => image,
        }
    }
}

/// Returns what the command is told, as `NAME=value`.
fn variables_of(docker: &Docker, request: &ImageRequest<'_>, expected: Option<&BuiltImage>) -> Vec<String> {
    let mut variables = Vec::new();
    if let Some(BuiltImage { local_ref, .. }) = expected {
        variables.push(format!("EXPECTED_REF={}", local_ref.familiar()));
        variables.push(format!(
            "EXPECTED_IMAGE={}",
            local_ref.path().trim_start_matches("library/")
        ));
        variables.push(format!("EXPECTED_TAG={}", local_ref.tag().unwrap_or_default()));
        if let Some(registry) = request.registry {
            variables.push(format!("REGISTRY_HOST={}", registry.host));
            variables.push(format!("EXPECTED_REGISTRY={}", registry.host));
        }
    }
    variables.extend(docker.cluster_variables());
    for (number, (selector, built)) in request.bases.iter().enumerate() {
        variables.push(format!("TILT_IMAGE_MAP_{number}={}", selector.image.familiar()));
        variables.push(format!("TILT_IMAGE_{number}={}", built.local_ref.familiar()));
    }
    variables
}

fn announce(variables: &[String], log: &LogWriter) {
    if variables.is_empty() {
        return log.info("Custom Build:");
    }
    let lines: String = variables
        .iter()
        .map(|variable| format!("\n  {variable}"))
        .collect();
    log.info(&format!("Custom Build: Injecting Environment Variables{lines}"));
}

async fn run(
    command: &Command,
    variables: &CommandVariables,
    log: &LogWriter,
    cancel: &CancellationToken,
) -> Result<(), BuildError> {
    let outcome = run_command(command, variables, log, cancel, async |_| {}).await;
    outcome.map_err(|fault| match fault {
        CommandFault::Canceled => BuildError::Canceled,
        CommandFault::Failed(_) | CommandFault::Ended(_) => {
            BuildError::in_command(format!("Custom build {:?} failed: {fault}", command.display()))
        }
    })
}

/// An image of an earlier run must not be taken for the one of this run.
fn remove_old(file: &LocalPath) -> Result<(), BuildError> {
    match std::fs::remove_file(file) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(BuildError::new(format!(
            "removing image ref file: {file}: {error}"
        ))),
        _ => Ok(()),
    }
}

/// Returns the image whose name the command wrote to a file.
fn written_image(file: Option<&LocalPath>, registry: Option<&Registry>) -> Result<BuiltImage, BuildError> {
    let Some(file) = file else {
        return Err(BuildError::new("the custom build names no image"));
    };
    let text = std::fs::read_to_string(file).map_err(|error| {
        BuildError::new(format!("Could not find image ref in output: {file}: {error}"))
            .hint("the command must write the image's reference to the file that outputs_image_ref_to names")
    })?;
    let written = text.trim();
    let unfit = |why: &str| {
        BuildError::new(format!(
            "Output image ref in file {file} was invalid: {written:?}: {why}"
        ))
        .hint("write a whole reference with a tag, such as registry.example.com/web:1.2")
    };
    let local_ref = ImageRef::parse(written).map_err(|error| unfit(&error.to_string()))?;
    if local_ref.tag().is_none() {
        return Err(unfit("it has no tag"));
    }
    let cluster_ref = registry.and_then(|registry| {
        let host = registry.host_from_container_runtime.as_ref()?;
        let path = local_ref.familiar();
        let path = path.strip_prefix(&format!("{}/", registry.host))?;
        ImageRef::parse(&format!("{host}/{path}")).ok()
    });
    Ok(BuiltImage {
        cluster_ref: cluster_ref.unwrap_or_else(|| local_ref.clone()),
        local_ref,
    })
}

impl Docker {
    /// Notes that a command has pushed an image under a tag of its own; returns whether it did so before.
    fn has_pushed(&self, image: String) -> bool {
        let mut known = self.fixed_refs.lock().unwrap_or_else(PoisonError::into_inner);
        !known.insert(image)
    }

    /// Returns what is known of an image that a custom build should have left in the engine.
    async fn left_image(&self, image: &ImageRef) -> Result<Inspected, BuildError> {
        let path = format!("/images/{}/json", image.familiar());
        match self.http.get::<Inspected>(&path).await {
            Ok(inspected) => Ok(inspected),
            Err(error @ ApiError::Refused { status: 404, .. }) => Err(BuildError::new(format!(
                "Could not find image in Docker\n\
                 Did your custom_build script properly tag the image?\n\
                 If your custom_build doesn't use Docker, you might need to use skips_local_docker=True, see \
                 https://docs.tilt.dev/custom_build.html\n: {error}"
            ))),
            Err(error) => {
                let message = format!("asking Docker for the image {}: {error}", image.familiar());
                Err(BuildError::by_engine(message, &error))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn registry() -> Registry {
        Registry {
            host: "localhost:5000".to_owned(),
            host_from_container_runtime: Some("registry:5000".to_owned()),
            single_name: None,
        }
    }

    #[test]
    fn a_command_that_pushes_is_told_the_registry_also_where_it_has_a_tag_of_its_own() {
        let name = ImageRef::parse("cb").unwrap();
        let mut build = CustomBuild {
            command: Command::default(),
            deps: None,
            output: OutputMode::LocalDockerAndRemote,
            tag: Some("fixed".to_owned()),
            image_ref_file: None,
            live_update_only: false,
        };
        let expected = |build: &CustomBuild| {
            let expected = expected_image(&name, build, Some(&registry())).unwrap();
            (expected.local_ref.familiar(), expected.cluster_ref.familiar())
        };
        let of_registry = (
            "localhost:5000/cb:fixed".to_owned(),
            "registry:5000/cb:fixed".to_owned(),
        );
        assert_eq!(expected(&build), of_registry);
        for output in [OutputMode::LocalDocker, OutputMode::Remote] {
            build.output = output;
            assert_eq!(expected(&build).0, "cb:fixed");
        }
    }

    #[test]
    fn a_tag_that_is_always_the_same_is_pinned_to_what_was_pushed() {
        let found = |digests: &[&str]| Inspected {
            id: "sha256:1".to_owned(),
            repo_digests: Some(digests.iter().map(|digest| (*digest).to_owned()).collect()),
        };
        let image = references(&ImageRef::parse("cb").unwrap(), Some(&registry()), "fixed").unwrap();
        let of = |digests: &[&str]| found(digests).pinned(image.clone()).cluster_ref.familiar();
        assert_eq!(
            of(&["cb@sha256:9", "localhost:5000/cb@sha256:12"]),
            "registry:5000/cb:fixed@sha256:12"
        );
        assert_eq!(of(&["localhost:5000/cb2@sha256:12"]), "registry:5000/cb:fixed");
    }

    #[test]
    fn a_written_reference_is_used_as_it_is_and_found_by_the_cluster() {
        let dir = tempfile::tempdir().unwrap();
        let file = LocalPath::new(dir.path().join("ref"));
        let cases = [
            (
                "localhost:5000/web:1\n",
                "localhost:5000/web:1",
                "registry:5000/web:1",
            ),
            ("gcr.io/x/web:1", "gcr.io/x/web:1", "gcr.io/x/web:1"),
        ];
        for (text, local, cluster) in cases {
            std::fs::write(&file, text).unwrap();
            let built = written_image(Some(&file), Some(&registry())).unwrap();
            assert_eq!(
                (built.local_ref.familiar(), built.cluster_ref.familiar()),
                (local.into(), cluster.into())
            );
        }
        for text in ["", "web", "Not A Reference:1"] {
            std::fs::write(&file, text).unwrap();
            let error = written_image(Some(&file), None).unwrap_err().to_string();
            assert!(
                error.starts_with("Output image ref in file ") && error.contains("\nhint: "),
                "{error}"
            );
        }
        remove_old(&file).unwrap();
        remove_old(&file).unwrap();
        let error = written_image(Some(&file), None).unwrap_err().to_string();
        assert!(
            error.starts_with("Could not find image ref in output: "),
            "{error}"
        );
    }
}
