//! Taking away what was built before: only what is ours, and nothing that a container uses.

use std::process::Command;
use std::time::{Duration, Instant};

use tilt::edge::docker::{ClusterFacts, ImageRequest, build_image};
use tilt::engine::{PruneRequest, PrunedImage};
use tilt::model::{ImageSelector, PruneId, Timestamp};

use super::deliver::{NO_VARIABLES, target};
use super::world::{World, fresh, image};

const SIX_HOURS: Duration = Duration::from_secs(6 * 3600);

/// Builds an image as an update would; each has content of its own.
async fn build(world: &World, name: &str) -> String {
    let facts = ClusterFacts::default();
    let target = target(
        world,
        name,
        &format!("FROM localhost:5000/busybox:1\nENV X={}\n", fresh()),
    );
    let request = ImageRequest {
        image: &target,
        bases: &[],
        registry: facts.registry.as_ref(),
        commands: &NO_VARIABLES,
        platform: None,
    };
    let built = build_image(&world.docker, request, &world.writer(), &world.cancel).await;
    built.expect("built").local_ref.familiar()
}

fn request(name: &str, keep_recent: usize) -> PruneRequest {
    PruneRequest {
        prune: PruneId(1),
        max_age: SIX_HOURS,
        keep_recent,
        images: vec![PrunedImage {
            selector: ImageSelector::new(image(name)),
            registry: None,
        }],
        in_use: Default::default(),
    }
}

fn docker(args: &[&str]) -> String {
    let output = Command::new("docker")
        .args(args)
        .output()
        .expect("docker is on PATH");
    assert!(
        output.status.success(),
        "{args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// The time as it will be, so that what was built just now is old.
fn tomorrow() -> Timestamp {
    Timestamp(tilt::clock::timestamp().0 + 24 * 3_600_000_000)
}

#[tokio::test]
async fn old_images_go_but_the_newest_and_those_of_containers_stay() {
    let world = World::new(&[]).await;
    let name = format!("test/prune-{}", fresh());
    let (in_container, oldest) = (build(&world, &name).await, build(&world, &name).await);
    let (older, newest) = (build(&world, &name).await, build(&world, &name).await);
    let container = docker(&["create", &in_container]);
    let prune = async |keep_recent, now| {
        let pruned = world
            .docker
            .prune_images(&request(&name, keep_recent), None, now)
            .await;
        pruned.expect("the engine can").number
    };
    let left = async || {
        let mut left = Vec::new();
        for reference in [&in_container, &oldest, &older, &newest] {
            left.push(world.docker.has_image(&image(reference)).await == Ok(true));
        }
        left
    };
    assert_eq!(prune(0, tilt::clock::timestamp()).await, 0, "all are young");
    assert_eq!(prune(2, tomorrow()).await, 1);
    assert_eq!(left().await, [true, false, true, true]);
    docker(&["rm", &container]);
    assert_eq!(prune(0, tomorrow()).await, 3);
    assert_eq!(left().await, [false; 4]);
}

#[tokio::test]
async fn stopped_containers_with_the_label_go() {
    let world = World::new(&[]).await;
    let label = format!("test.prune={}", fresh());
    let containers = ["true", "sleep 600"].map(|command| {
        let args = [
            "run",
            "-d",
            "--label",
            &label,
            "localhost:5000/busybox:1",
            "sh",
            "-c",
            command,
        ];
        docker(&args)
    });
    docker(&["wait", &containers[0]]);
    // The engine compares whole seconds: what was made in this one is not old yet.
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut n_pruned = 0;
    while n_pruned == 0 && Instant::now() < deadline {
        let pruned = world.docker.prune_containers(&label, Duration::ZERO).await;
        n_pruned = pruned.expect("the engine can").number;
    }
    assert_eq!(n_pruned, 1, "the one that runs stays");
    docker(&["rm", "-f", &containers[1]]);
}

#[tokio::test]
async fn an_engine_with_nothing_old_is_pruned_without_a_word() {
    let world = World::new(&[]).await;
    let mut request = request("test/no-such-image", 2);
    request.max_age = Duration::from_secs(20 * 365 * 24 * 3600);
    let now = tilt::clock::timestamp();
    let pruned = world.docker.prune(&request, None, now, &world.writer()).await;
    pruned.expect("the engine can do all of it");
    assert_eq!(world.log(), "");
}
