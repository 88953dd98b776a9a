//! Options of a build that the engine is told as they are: each one is seen in what the build does.

use std::os::unix::net::UnixListener;

use super::world::{World, fresh, image};

const BASE: &str = "FROM localhost:5000/busybox:1\n";

#[tokio::test]
async fn extra_hosts_are_known_to_the_commands_of_a_build() {
    let world = World::new(&[]).await;
    let mut request = world.request(&format!("{BASE}RUN : {}; grep mirror /etc/hosts\n", fresh()));
    request.build.options.extra_hosts = vec!["mirror:10.0.0.7".to_owned()];
    world.build(&request).await.expect("built");
    let lines = world.output();
    assert!(
        lines
            .iter()
            .any(|line| line.contains("10.0.0.7") && line.contains("mirror")),
        "{lines:?}"
    );
}

#[tokio::test]
async fn a_network_of_none_leaves_only_the_loopback_device() {
    let world = World::new(&[]).await;
    let mut request = world.request(&format!("{BASE}RUN : {}; ls /sys/class/net\n", fresh()));
    request.build.options.network = Some("none".to_owned());
    world.build(&request).await.expect("built");
    assert_eq!(world.output(), ["lo"]);
}

#[tokio::test]
async fn extra_tags_name_the_image_too() {
    let world = World::new(&[]).await;
    let tags = ["one", "two"].map(|tag| format!("extra-{}:{tag}", fresh()));
    let mut request = world.request(&format!("{BASE}ENV X={}\n", fresh()));
    request.build.options.extra_tags = tags.to_vec();
    world.build(&request).await.expect("built");
    for tag in &tags {
        assert!(world.docker.has_image(&image(tag)).await, "{tag}");
    }
}

#[tokio::test]
async fn an_image_says_that_we_built_it_and_that_it_may_be_pruned() {
    let world = World::new(&[]).await;
    let built = world.build(&world.request(BASE)).await.expect("built");
    let labels = std::process::Command::new("docker")
        .args([
            "image",
            "inspect",
            "-f",
            "{{json .Config.Labels}}",
            built.as_str(),
        ])
        .output()
        .expect("docker is on PATH");
    let labels: serde_json::Value = serde_json::from_slice(&labels.stdout).expect("JSON");
    let expected = serde_json::json!({"dev.tilt.built": "true", "dev.tilt.gc": "true"});
    assert_eq!(labels, expected);
}

#[tokio::test]
async fn pulling_asks_the_registry_although_the_base_is_there() {
    let world = World::new(&[]).await;
    let local = format!("only-here-{}:1", fresh());
    let mut base = world.request(&format!("{BASE}ENV X={}\n", fresh()));
    base.build.options.extra_tags = vec![local.clone()];
    world.build(&base).await.expect("built");
    let mut request = world.request(&format!("FROM {local}\n"));
    world.build(&request).await.expect("the base is there");
    request.build.options.pull = true;
    request.build.options.cache_from = vec![local.clone()];
    let error = world.build(&request).await.expect_err("no registry has it");
    assert!(error.to_string().contains("only-here"), "{error}");
}

#[tokio::test]
async fn secrets_of_files_and_variables_reach_the_build() {
    let world = World::with_env(&[("key.txt", "opened")], &[("PW", "sesame")]).await;
    let mut request = world.request(&format!(
        "{BASE}RUN --mount=type=secret,id=key --mount=type=secret,id=pw : {}; \
         cat /run/secrets/key /run/secrets/pw | tr eo 30\n",
        fresh()
    ));
    request.build.options.secrets = vec![
        format!("id=key,src={}", world.dir.path().join("key.txt").display()),
        "id=pw,env=PW".to_owned(),
    ];
    world.build(&request).await.expect("built");
    assert_eq!(world.output(), ["0p3n3ds3sam3"]);
}

#[tokio::test]
async fn a_secret_that_cannot_be_understood_ends_the_build_before_it_starts() {
    let world = World::new(&[]).await;
    let mut request = world.request(BASE);
    request.build.options.secrets = vec!["src=x".to_owned()];
    let error = world.build(&request).await.expect_err("no id");
    assert!(
        error
            .to_string()
            .contains("invalid secret \"src=x\": it has no id"),
        "{error}"
    );
}

#[tokio::test]
async fn a_build_has_a_socket_to_the_agent_of_this_machine() {
    let dir = tempfile::tempdir().expect("a scratch folder");
    let socket = dir.path().join("agent.sock");
    let agent = UnixListener::bind(&socket).expect("a socket");
    let world = World::with_env(&[], &[("SSH_AUTH_SOCK", &socket.to_string_lossy())]).await;
    let mut request = world.request(&format!(
        "{BASE}RUN --mount=type=ssh : {}; test -S $SSH_AUTH_SOCK && echo socket\n",
        fresh()
    ));
    request.build.options.ssh = vec!["default".to_owned()];
    world.build(&request).await.expect("built");
    assert_eq!(world.output(), ["socket"]);
    agent.set_nonblocking(true).expect("a listener");
    agent.accept().expect("the engine asked for the agent");
}
