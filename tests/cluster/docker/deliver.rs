//! What an update does for an image: names, bases, pushes.

use std::sync::LazyLock;

use tilt::edge::docker::{ClusterFacts, ImageRequest, PushWish, build_image, deliver_image};
use tilt::edge::local::CommandVariables;
use tilt::k8s::Product;
use tilt::model::{
    DockerBuild, DockerOptions, ImageBuild, ImageSelector, ImageTarget, Injection, Registry, TargetId,
};

use super::world::{World, fresh, image};

pub(super) fn target(world: &World, name: &str, dockerfile: &str) -> ImageTarget {
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

pub(super) static NO_VARIABLES: LazyLock<CommandVariables> = LazyLock::new(CommandVariables::default);

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
    assert_eq!(world.docker.has_image(&built.local_ref).await, Ok(true));
    assert_eq!(
        world.docker.has_image(&built.local_ref.with_tag("never")).await,
        Ok(false)
    );

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
    let push = "     Pushing with Docker client\n     Authenticating to image repo: localhost:5000/test_images-app\n";
    assert!(log.contains(&format!("{push}     Sending image data\n")), "{log}");
    assert!(
        log.ends_with(&format!("{push}     Already there: nothing to send\n")),
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

/// Runs the docker command, and returns what it prints.
#[track_caller]
fn docker(arguments: &[&str]) -> String {
    let output = std::process::Command::new("docker").args(arguments).output();
    let output = output.expect("docker is on PATH");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "docker {arguments:?}: {text}");
    text
}

/// Returns the digest that the registry has for a name.
fn digest_in_registry(name: &str) -> String {
    let printed = docker(&["manifest", "inspect", "--insecure", "--verbose", name]);
    let manifest: serde_json::Value = serde_json::from_str(&printed).expect("JSON");
    manifest["Descriptor"]["digest"]
        .as_str()
        .expect("a digest")
        .to_owned()
}

async fn delivered(world: &World, image: &tilt::model::BuiltImage) -> tilt::model::BuiltImage {
    let (cluster, log) = (cluster("localhost:5000"), world.writer());
    deliver_image(
        &world.docker,
        image,
        PushWish::Needed,
        &cluster,
        &log,
        &world.cancel,
    )
    .await
    .expect("delivered")
}

#[tokio::test]
async fn a_tag_with_other_content_in_the_registry_stays_and_the_image_gets_another() {
    let world = World::new(&[]).await;
    let cluster = cluster("localhost:5000");
    let dockerfile = format!("FROM localhost:5000/busybox:1\nENV X={}\n", fresh());
    let app = target(&world, "test/images-taken", &dockerfile);
    let log = world.writer();
    let built = build_image(&world.docker, request(&app, &cluster), &log, &world.cancel)
        .await
        .expect("built");
    let name = built.local_ref.familiar();
    let id = docker(&["inspect", "--format={{.Id}}", &name]).trim().to_owned();
    // Somebody else pushes another image under the same name.
    docker(&["tag", "localhost:5000/busybox:1", &name]);
    docker(&["push", &name]);
    docker(&["tag", &id, &name]);
    let theirs = digest_in_registry(&name);

    let ours = delivered(&world, &built).await;
    let tag = format!("tilt-{}", &id["sha256:".len()..][..32]);
    assert_eq!(ours.local_ref, built.local_ref.with_tag(&tag));
    assert_eq!(ours.cluster_ref, ours.local_ref);
    assert_eq!(digest_in_registry(&name), theirs, "nothing was overwritten");
    assert_ne!(digest_in_registry(&ours.local_ref.familiar()), theirs);
    assert_eq!(world.docker.has_image(&ours.local_ref).await, Ok(true));
    assert!(world.log().contains(&format!(
        "{name} has other content in the registry and stays as it is"
    )));
    assert_eq!(delivered(&world, &built).await, ours, "the next time too");
    assert!(world.log().contains("Already there: nothing to send"));
}

/// Delivers an image, lets something happen to it in the registry, makes the engine forget that it ever pushed it, builds
/// and delivers it again, and checks that it has the same name.
async fn keeps_its_tag(repository: &str, meanwhile: impl FnOnce(&tilt::model::BuiltImage)) {
    let world = World::new(&[]).await;
    let cluster = cluster("localhost:5000");
    let dockerfile = format!("FROM localhost:5000/busybox:1\nRUN echo {} > /x\n", fresh());
    let app = target(&world, repository, &dockerfile);
    let log = world.writer();
    let build = || build_image(&world.docker, request(&app, &cluster), &log, &world.cancel);
    let built = build().await.expect("built");
    assert_eq!(delivered(&world, &built).await, built);
    meanwhile(&built);
    docker(&["rmi", "--force", &built.local_ref.familiar()]);
    assert_eq!(build().await.expect("built again"), built);
    assert_eq!(delivered(&world, &built).await, built);
}

#[tokio::test]
async fn the_same_content_pushed_from_elsewhere_keeps_its_tag() {
    keeps_its_tag("test/images-elsewhere", |_| {}).await;
}

#[tokio::test]
async fn the_same_image_packed_in_another_way_keeps_its_tag() {
    keeps_its_tag("test/images-repacked", |built| {
        // The registry gets the same image with another manifest, under every tag that stands for its content.
        let id = docker(&["inspect", "--format={{.Id}}", &built.local_ref.familiar()]);
        let long = format!("tilt-{}", &id.trim()["sha256:".len()..][..32]);
        let short = built.local_ref.tag().expect("a tag");
        repack(&built.local_ref.familiar_name(), short, &[short, &long]);
    })
    .await;
}

/// Puts a tag's manifest back under `names`, with other bytes and so another digest.
fn repack(repository: &str, tag: &str, names: &[&str]) {
    let path = repository
        .strip_prefix("localhost:5000/")
        .expect("the local registry");
    let url = format!("http://localhost:5000/v2/{path}/manifests");
    let kind = "application/vnd.docker.distribution.manifest.v2+json";
    let script = format!(
        "curl -fsS -H 'Accept: {kind}' {url}/{tag} > manifest && echo >> manifest && for name in {}; do \
         curl -fsS -X PUT -H 'Content-Type: {kind}' --data-binary @manifest {url}/$name; done",
        names.join(" ")
    );
    let folder = tempfile::tempdir().expect("a folder");
    let status = std::process::Command::new("sh")
        .args(["-ec", &script])
        .current_dir(folder.path())
        .status();
    assert!(status.expect("sh").success());
}

#[tokio::test]
async fn another_build_under_the_same_name_leaves_the_earlier_one_as_it_is() {
    let world = World::new(&[]).await;
    let cluster = cluster("localhost:5000");
    let log = world.writer();
    let mut images = Vec::new();
    for _developer in 0..2 {
        let dockerfile = format!("FROM localhost:5000/busybox:1\nENV X={}\n", fresh());
        let app = target(&world, "test/images-shared", &dockerfile);
        let built = build_image(&world.docker, request(&app, &cluster), &log, &world.cancel).await;
        let image = delivered(&world, &built.expect("built")).await;
        let digest = digest_in_registry(&image.local_ref.familiar());
        images.push((image, digest));
    }
    let [(first, before), (second, _)] = &images[..] else {
        panic!("two were built");
    };
    assert_ne!(first, second);
    assert_eq!(digest_in_registry(&first.local_ref.familiar()), *before);

    // A tag that a custom build has chosen, and chooses again for other content.
    let chosen = first.local_ref.with_tag(&format!("dev-{}", fresh()));
    let named = tilt::model::BuiltImage {
        local_ref: chosen.clone(),
        cluster_ref: chosen.clone(),
    };
    docker(&["tag", &first.local_ref.familiar(), &chosen.familiar()]);
    assert_eq!(delivered(&world, &named).await, named);
    docker(&["tag", &second.local_ref.familiar(), &chosen.familiar()]);
    assert_eq!(delivered(&world, &named).await, *second);
    assert_eq!(digest_in_registry(&chosen.familiar()), *before);
}
