//! What an update does for an image: names, bases, pushes.

use std::sync::LazyLock;

use tilt::edge::docker::{ClusterFacts, ImageRequest, PushWish, build_image, deliver_image};
use tilt::edge::local::CommandVariables;
use tilt::k8s::Product;
use tilt::model::{
    DockerBuild, DockerOptions, ImageBuild, ImageSelector, ImageTarget, Injection, Registry, TargetId,
};

use super::world::{World, fresh, image};

fn target(world: &World, name: &str, dockerfile: &str) -> ImageTarget {
    ImageTarget {
        id: TargetId::image(name),
        selector: ImageSelector::new(image(name)),
        build: ImageBuild::Docker(DockerBuild {
            context: world.context(),
            dockerfile: world.context().join("Dockerfile"),
            dockerfile_contents: dockerfile.to_owned(),
            build_args: Vec::new(),
            stage: None,
            context_ignores: Vec::new(),
            options: DockerOptions::default(),
            site: None,
        }),
        injection: Injection::default(),
        registry: None,
        live_update: None,
        base_images: Vec::new(),
        watched: Vec::new(),
        watch_ignores: Vec::new(),
    }
}

fn cluster(host: &str) -> ClusterFacts {
    ClusterFacts {
        product: Product::Unknown,
        registry: Some(Registry {
            host: host.to_owned(),
            host_from_container_runtime: None,
            single_name: None,
        }),
        ..ClusterFacts::default()
    }
}

fn request<'a>(image: &'a ImageTarget, cluster: &'a ClusterFacts) -> ImageRequest<'a> {
    ImageRequest {
        image,
        bases: &[],
        registry: cluster.registry.as_ref(),
        commands: &NO_VARIABLES,
        platform: None,
    }
}

static NO_VARIABLES: LazyLock<CommandVariables> = LazyLock::new(CommandVariables::default);

#[tokio::test]
async fn an_image_is_built_on_another_that_we_built_and_pushed() {
    let world = World::new(&[]).await;
    let cluster = cluster("localhost:5000");
    let base = target(
        &world,
        "test/images-base",
        &format!("FROM localhost:5000/busybox:1\nENV X={}\n", fresh()),
    );
    let app = target(&world, "test/images-app", "FROM test/images-base\nENV Y=1\n");
    let log = world.writer();
    let built_base = build_image(&world.docker, request(&base, &cluster), &log, &world.cancel)
        .await
        .expect("built");
    let bases = [(base.selector.clone(), built_base.clone())];
    let with_base = ImageRequest {
        bases: &bases,
        ..request(&app, &cluster)
    };
    let built = build_image(&world.docker, with_base, &log, &world.cancel)
        .await
        .expect("built on the base");
    assert_eq!(built.local_ref.name(), "localhost:5000/test_images-app");
    assert!(world.docker.has_image(&built.local_ref).await);
    assert!(!world.docker.has_image(&built.local_ref.with_tag("never")).await);

    deliver_image(
        &world.docker,
        &built_base,
        PushWish::BaseOnly,
        &cluster,
        &log,
        &world.cancel,
    )
    .await
    .expect("nothing to do");
    deliver_image(
        &world.docker,
        &built,
        PushWish::Needed,
        &cluster,
        &log,
        &world.cancel,
    )
    .await
    .expect("pushed");
    deliver_image(
        &world.docker,
        &built,
        PushWish::Needed,
        &cluster,
        &log,
        &world.cancel,
    )
    .await
    .expect("pushed again");
    let log = world.log();
    let base_ref = built_base.local_ref.familiar();
    assert!(log.contains(&format!("  FROM {base_ref}\n")), "{log}");
    assert!(
        log.contains("     Skipping push: base image does not need deploy\n"),
        "{log}"
    );
    let push = "     Pushing with Docker client\n     Authenticating to image repo: localhost:5000/test_images-app\n     \
                Sending image data\n";
    let last = log.rfind(push).expect("a push");
    let again: Vec<&str> = log[last + push.len()..].lines().collect();
    assert!(
        !again.is_empty() && again.iter().all(|line| line.ends_with(": Layer already exists")),
        "{log}"
    );
}

#[tokio::test]
async fn a_base_that_the_dockerfile_does_not_name_is_an_error() {
    let world = World::new(&[]).await;
    let cluster = cluster("localhost:5000");
    let app = target(&world, "test/images-app", "FROM scratch\n");
    let bases = [(
        ImageSelector::new(image("other")),
        tilt::model::BuiltImage {
            local_ref: image("other:1"),
            cluster_ref: image("other:1"),
        },
    )];
    let request = ImageRequest {
        bases: &bases,
        ..request(&app, &cluster)
    };
    let error = build_image(&world.docker, request, &world.writer(), &world.cancel)
        .await
        .expect_err("not named");
    assert_eq!(
        error.to_string(),
        "Could not inject image \"other\" into Dockerfile of image \"test/images-app\""
    );
}

#[tokio::test]
async fn a_registry_that_is_not_there_is_named() {
    let world = World::new(&[]).await;
    let cluster = cluster("localhost:1");
    let app = target(&world, "test/images-dead", "FROM localhost:5000/busybox:1\n");
    let log = world.writer();
    let built = build_image(&world.docker, request(&app, &cluster), &log, &world.cancel)
        .await
        .expect("built");
    let pushed = deliver_image(
        &world.docker,
        &built,
        PushWish::Needed,
        &cluster,
        &log,
        &world.cancel,
    )
    .await;
    let error = pushed.expect_err("nothing listens there").to_string();
    let error = error.replace("[::1]", "127.0.0.1");
    insta::assert_snapshot!(error, @r#"
    docker push: Get "http://localhost:1/v2/": dial tcp 127.0.0.1:1: connect: connection refused
    hint: check that the registry localhost:1 runs and that the Docker engine at hand can reach it
    "#);
}
