//! The contract of `custom_build`: what its command is told, and where it may leave the image.

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tilt::edge::docker::{ImageRequest, build_image};
use tilt::edge::local::CommandVariables;
use tilt::model::{
    BuiltImage, Command, CustomBuild, ImageBuild, ImageSelector, ImageTarget, OutputMode, Registry,
};
use tokio::sync::oneshot;

use super::deliver::{NO_VARIABLES, target};
use super::world::{World, fresh, image};

pub(super) fn custom(world: &World, script: &str, change: impl FnOnce(&mut CustomBuild)) -> ImageTarget {
    let mut build = CustomBuild {
        command: Command {
            argv: ["sh", "-c", script].map(str::to_owned).to_vec(),
            dir: Some(world.context()),
            ..Command::default()
        },
        deps: None,
        output: OutputMode::LocalDocker,
        tag: None,
        image_ref_file: None,
        live_update_only: false,
    };
    change(&mut build);
    ImageTarget {
        build: ImageBuild::Custom(build),
        ..target(world, "test/custom", "")
    }
}

pub(super) async fn run(
    world: &World,
    image: &ImageTarget,
    bases: &[(ImageSelector, BuiltImage)],
) -> Result<BuiltImage, String> {
    let registry = Registry {
        host: "localhost:5000".to_owned(),
        host_from_container_runtime: Some("registry:5000".to_owned()),
        single_name: None,
    };
    let commands: &CommandVariables = &NO_VARIABLES;
    let request = ImageRequest {
        image,
        bases,
        registry: Some(&registry),
        commands,
        platform: None,
    };
    let built = build_image(&world.docker, request, &world.writer(), &world.cancel).await;
    built.map_err(|error| error.to_string())
}

/// Reads a FIFO: `heard` is told of its first line, and it returns once all processes that write to it are dead.
async fn last_writer_gone(fifo: PathBuf, heard: oneshot::Sender<()>) {
    let read = move || {
        let mut lines = BufReader::new(File::open(fifo)?);
        lines.read_line(&mut String::new())?;
        // Who listens waits for nothing else.
        let _ = heard.send(());
        lines.read_to_end(&mut Vec::new())
    };
    tokio::task::spawn_blocking(read)
        .await
        .expect("no panic")
        .expect("the FIFO can be read");
}

#[tokio::test]
async fn a_canceled_command_ends_at_once_with_all_that_it_started() {
    let world = World::new(&[]).await;
    let fifo = world.dir.path().join("alive");
    nix::unistd::mkfifo(&fifo, nix::sys::stat::Mode::S_IRWXU).expect("a pipe");
    let image = custom(&world, "exec 9> alive; sleep 1000 & echo up >&9; wait", |_| {});
    let (heard, up) = oneshot::channel();
    let gone = tokio::spawn(last_writer_gone(fifo, heard));
    let cancel_it = async {
        up.await.expect("the command is up");
        world.cancel.cancel();
        Instant::now()
    };
    let (result, canceled) = tokio::join!(run(&world, &image, &[]), cancel_it);
    assert_eq!(result, Err("build canceled".to_owned()));
    gone.await.expect("no panic");
    assert!(
        canceled.elapsed() < Duration::from_secs(20),
        "it did not wait for them"
    );
}

pub(super) const TAG_IT: &str = "docker tag localhost:5000/busybox:1 $EXPECTED_REF";

#[tokio::test]
async fn the_command_is_told_the_name_and_the_image_gets_its_content_tag() {
    let world = World::new(&[]).await;
    let script = format!(
        "echo $EXPECTED_IMAGE at $EXPECTED_REGISTRY and $REGISTRY_HOST on $TILT_IMAGE_0 of $TILT_IMAGE_MAP_0; \
         test $EXPECTED_REF = $EXPECTED_REGISTRY/$EXPECTED_IMAGE:$EXPECTED_TAG && {TAG_IT}"
    );
    let base = BuiltImage {
        local_ref: image("localhost:5000/base:tilt-1"),
        cluster_ref: image("registry:5000/base:tilt-1"),
    };
    let bases = [(ImageSelector::new(image("base")), base)];
    let built = run(&world, &custom(&world, &script, |_| {}), &bases)
        .await
        .expect("built");
    let log = world.log();
    let told = "test_custom at localhost:5000 and localhost:5000 on localhost:5000/base:tilt-1 of base\n";
    assert!(log.contains(told), "{log}");
    assert!(
        log.contains("  EXPECTED_REF=localhost:5000/test_custom:tilt-build-"),
        "{log}"
    );
    let (local, cluster) = (built.local_ref.familiar(), built.cluster_ref.familiar());
    assert!(local.starts_with("localhost:5000/test_custom:tilt-"), "{local}");
    assert!(!local.contains("tilt-build-"), "{local}");
    assert_eq!(cluster, local.replace("localhost:5000", "registry:5000"));
    assert_eq!(world.docker.has_image(&built.local_ref).await, Ok(true));
}

#[tokio::test]
async fn a_tag_of_its_own_is_told_without_the_registry() {
    let world = World::new(&[]).await;
    let script = format!("test $EXPECTED_REF = test/custom:mine && {TAG_IT}");
    let image = custom(&world, &script, |build| build.tag = Some("mine".to_owned()));
    let built = run(&world, &image, &[]).await.expect("built");
    let local = built.local_ref.familiar();
    assert!(local.starts_with("localhost:5000/test_custom:tilt-"), "{local}");
}

#[tokio::test]
async fn an_image_that_skips_the_local_engine_is_taken_on_trust() {
    let world = World::new(&[]).await;
    let image = custom(&world, "true", |build| build.output = OutputMode::Remote);
    let built = run(&world, &image, &[]).await.expect("nothing is looked up");
    let local = built.local_ref.familiar();
    assert!(
        local.starts_with("localhost:5000/test_custom:tilt-build-"),
        "{local}"
    );
}

#[tokio::test]
async fn the_command_may_write_the_name_to_a_file_that_no_earlier_run_left() {
    let world = World::new(&[("ref", "left:over")]).await;
    let file = world.context().join("ref");
    let script = "test -z \"$EXPECTED_REF\" && test ! -e ref && echo localhost:5000/busybox:1 > ref";
    let image = custom(&world, script, |build| build.image_ref_file = Some(file.clone()));
    let built = run(&world, &image, &[]).await.expect("built");
    assert_eq!(built.local_ref.familiar(), "localhost:5000/busybox:1");
    assert_eq!(built.cluster_ref.familiar(), "registry:5000/busybox:1");
}

#[tokio::test]
async fn a_command_that_fails_or_leaves_no_image_is_named() {
    let world = World::new(&[]).await;
    let error = run(&world, &custom(&world, "exit 3", |_| {}), &[])
        .await
        .expect_err("it fails");
    assert!(
        error.starts_with("Custom build \"exit 3\" failed: exit status 3"),
        "{error}"
    );
    let mark = fresh();
    let error = run(&world, &custom(&world, &format!(": {mark}"), |_| {}), &[])
        .await
        .expect_err("no image");
    assert!(
        error.starts_with(
            "Could not find image in Docker\nDid your custom_build script properly tag the image?\n"
        ),
        "{error}"
    );
}

#[tokio::test]
async fn a_tag_that_stays_is_told_to_reach_no_pod_when_it_is_built_again() {
    let world = World::new(&[]).await;
    let image = custom(&world, "true", |build| {
        build.output = OutputMode::Remote;
        build.tag = Some("stays".to_owned());
    });
    let told = "test/custom:stays is deployed already: pods that run it stay as they are";
    for expected in [0, 1] {
        run(&world, &image, &[]).await.expect("it is built");
        assert_eq!(world.log().matches(told).count(), expected);
    }
}
