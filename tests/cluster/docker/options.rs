//! Options of a build that the engine is told as they are: each one is seen in what the build does.

use std::os::unix::net::UnixListener;

use super::world::{World, fresh, image};

const BASE: &str = "FROM localhost:5000/busybox:1\n";

#[tokio::test]
async fn extra_hosts_are_known_to_the_commands_of_a_build() {
    let world = World::new(&[]).await;
    let mut request = world.request(&format!("{BASE}RUN : {}; grep mirror /etc/hosts\n", fresh()));
    request.build.options.extra_hosts = ["mirror:10.0.0.7", "other-mirror:10.0.0.8"]
        .map(str::to_owned)
        .to_vec();
    world.build(&request).await.expect("built");
    let lines: Vec<String> = world
        .output()
        .iter()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(lines, ["10.0.0.7 mirror", "10.0.0.8 other-mirror"]);
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
        assert_eq!(world.docker.has_image(&image(tag)).await, Ok(true), "{tag}");
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

#[tokio::test]
async fn two_of_each_option_are_both_there() {
    let dir = tempfile::tempdir().expect("a scratch folder");
    let sockets = ["one.sock", "two.sock"].map(|name| dir.path().join(name));
    let _agents = sockets
        .clone()
        .map(|socket| UnixListener::bind(socket).expect("a socket"));
    let world = World::with_env(&[("k1", "first"), ("k2", "second")], &[]).await;
    let (one, two) = (format!("cache-{}:1", fresh()), format!("cache-{}:2", fresh()));
    let mut cached = world.request(&format!("{BASE}ENV X={}\n", fresh()));
    cached.build.options.extra_tags = vec![one.clone(), two.clone()];
    world.build(&cached).await.expect("built");
    let mut request = world.request(&format!(
        "{BASE}ARG A\nARG B\nRUN --mount=type=secret,id=k1 --mount=type=secret,id=k2 \
         --mount=type=ssh,id=s1,target=/s1 --mount=type=ssh,id=s2,target=/s2 : {}; echo $A $B; \
         cat /run/secrets/k1 /run/secrets/k2 | tr e 3; echo; test -S /s1 && test -S /s2 && echo sockets; \
         grep -c '^10.0.0' /etc/hosts\n",
        fresh()
    ));
    request.build.build_args = ["A=a=1", "B=b,2"].map(str::to_owned).to_vec();
    let secret = |id: &str| format!("id={id},src={}", world.dir.path().join(id).display());
    let agent = |id: &str, socket: &std::path::Path| format!("{id}={}", socket.display());
    request.build.options.secrets = vec![secret("k1"), secret("k2")];
    request.build.options.ssh = vec![agent("s1", &sockets[0]), agent("s2", &sockets[1])];
    request.build.options.extra_hosts = ["a:10.0.0.1", "b:10.0.0.2"].map(str::to_owned).to_vec();
    request.build.options.cache_from = vec![one, two];
    request.build.options.platform = Some("linux/amd64".to_owned());
    let tags = ["1", "2"].map(|tag| format!("twice-{}:{tag}", fresh()));
    request.build.options.extra_tags = tags.to_vec();
    world.build(&request).await.expect("built");
    assert_eq!(world.output(), ["a=1 b,2", "firsts3cond", "sockets", "2"]);
    for tag in &tags {
        assert_eq!(world.docker.has_image(&image(tag)).await, Ok(true), "{tag}");
    }
}
