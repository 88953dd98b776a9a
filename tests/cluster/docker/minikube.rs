//! minikube's own Docker engine, as `minikube docker-env` names it: played by a script and the engine of this machine.

use std::os::unix::fs::PermissionsExt;

use tilt::edge::docker::{ClusterFacts, Docker, PushWish, deliver_image};
use tilt::edge::process::Environment;
use tilt::k8s::Product;
use tilt::model::BuiltImage;

use super::custom::{TAG_IT, custom, run};
use super::world::{World, image};

/// Returns an environment in which `minikube` prints this, and the folder that holds it.
fn environment(script: &str, vars: &[(&str, &str)]) -> (Environment, tempfile::TempDir) {
    let dir = tempfile::tempdir().expect("a scratch folder");
    let program = dir.path().join("minikube");
    std::fs::write(&program, format!("#!/bin/sh\n{script}\n")).expect("a file");
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("ours");
    let mut env = Environment::inherited();
    env.set("PATH", format!("{}:/usr/bin:/bin", dir.path().display()));
    for (name, value) in vars {
        env.set(*name, *value);
    }
    (env, dir)
}

fn minikube(runtime: &str) -> ClusterFacts {
    ClusterFacts {
        product: Product::Minikube,
        container_runtime: runtime.to_owned(),
        cluster_name: "minikube-2".to_owned(),
        ..ClusterFacts::default()
    }
}

const EXPORTS: &str = r#"test "$*" = "-p minikube-2 docker-env --shell sh" || exit 9
echo 'export DOCKER_HOST="unix:///run/docker.sock"'
echo 'export MINIKUBE_ACTIVE_DOCKERD="minikube-2"'"#;

async fn is_pushed(docker: &Docker, cluster: &ClusterFacts) -> bool {
    let world = World::new(&[]).await;
    let reference = image("localhost:1/test/minikube:none");
    let built = BuiltImage {
        local_ref: reference.clone(),
        cluster_ref: reference,
    };
    let log = world.writer();
    let delivered = deliver_image(docker, &built, PushWish::Needed, cluster, &log, &world.cancel).await;
    let is_shared = world
        .log()
        .contains("Skipping push: building on cluster's container runtime");
    assert_eq!(delivered.is_ok(), is_shared, "there is no such image to push");
    !is_shared
}

#[tokio::test]
async fn images_are_built_on_minikubes_own_engine_and_not_pushed() {
    let (env, _dir) = environment(EXPORTS, &[]);
    let cluster = minikube("docker");
    let docker = Docker::connect_for_cluster(env, &cluster)
        .await
        .expect("it answers");
    assert_eq!(docker.host(), "unix:///run/docker.sock");
    assert!(!is_pushed(&docker, &cluster).await);
}

#[tokio::test]
async fn a_command_that_builds_is_told_where_minikubes_engine_is() {
    let (env, _dir) = environment(EXPORTS, &[]);
    let mut world = World::new(&[]).await;
    let docker = Docker::connect_for_cluster(env, &minikube("docker")).await;
    world.docker = docker.expect("it answers");
    let script = format!("echo it is at $DOCKER_HOST; {TAG_IT}");
    run(&world, &custom(&world, &script, |_| {}), &[])
        .await
        .expect("built");
    let log = world.log();
    assert!(log.contains("\n  DOCKER_HOST=unix:///run/docker.sock\n"), "{log}");
    assert!(log.contains("it is at unix:///run/docker.sock\n"), "{log}");
}

#[tokio::test]
async fn an_old_minikube_builds_without_buildkit_unless_it_is_asked_for() {
    let old = format!("test \"$1\" = version && echo 'minikube version: v1.8.0' && exit\n{EXPORTS}");
    for (vars, is_classic) in [(&[][..], true), (&[("DOCKER_BUILDKIT", "1")][..], false)] {
        let (env, _dir) = environment(&old, vars);
        let docker = Docker::connect_for_cluster(env, &minikube("docker")).await;
        let mut world = World::new(&[]).await;
        world.docker = docker.expect("it answers");
        let request = world.request("FROM localhost:5000/busybox:1\n");
        world.build(&request).await.expect("built");
        let log = world.log();
        assert_eq!(log.contains("Sending Docker build context"), is_classic, "{log}");
    }
}

#[tokio::test]
async fn an_engine_that_the_user_chose_wins_over_minikubes() {
    let (env, _dir) = environment(EXPORTS, &[("DOCKER_HOST", "unix:///var/run/docker.sock")]);
    let cluster = minikube("docker");
    let docker = Docker::connect_for_cluster(env, &cluster)
        .await
        .expect("it answers");
    assert_eq!(docker.host(), "unix:///var/run/docker.sock");
    assert!(is_pushed(&docker, &cluster).await);
}

#[tokio::test]
async fn a_minikube_without_docker_has_no_engine_of_its_own() {
    let (env, _dir) = environment("exit 9", &[]);
    let docker = Docker::connect_for_cluster(env, &minikube("containerd")).await;
    assert!(docker.is_ok(), "minikube is not even asked");
}

#[tokio::test]
async fn a_minikube_that_does_not_tell_is_an_error() {
    let (env, _dir) = environment("echo 'Profile \"minikube-2\" not found' >&2; exit 85", &[]);
    let Err(error) = Docker::connect_for_cluster(env, &minikube("docker")).await else {
        panic!("minikube failed");
    };
    insta::assert_snapshot!(error, @r#"
    Failed to connect to Docker: could not read docker env from minikube: Profile "minikube-2" not found
    hint: run "minikube -p minikube-2 docker-env" to see why
    "#);
}
