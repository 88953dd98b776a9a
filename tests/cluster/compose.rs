//! Services of Docker Compose on the real engine: what a user does to them, and what happens to them.

use crate::compose_shop::{SLEEPS, Shop};
use crate::support::eventually;

#[test]
fn a_run_fails_for_a_service_that_ends_soon_after_its_start_and_names_it() {
    let dies =
        "image: localhost:5000/busybox:1\n    command: [sh, -c, 'sleep 1; echo the rope broke; exit 3']";
    let shop = Shop::new("dies", &[("crane", SLEEPS), ("winch", dies)]);
    let ended = shop.ci();
    assert_eq!(ended.status, Some(1), "{}", ended.text);
    let error = "Error: winch: container <ns>-winch-1 exited with 3";
    assert!(ended.text.contains(error), "{}", ended.text);
}

#[test]
fn a_run_is_a_success_where_a_changed_service_is_replaced_and_one_on_an_unchanged_project_replaces_nothing() {
    let red = format!("{SLEEPS}\n    environment: {{COLOUR: red}}");
    let shop = Shop::new("replaced", &[("lamp", &red), ("chair", SLEEPS)]);
    assert_eq!(shop.ci().status, Some(0));
    let ids = (shop.id("lamp"), shop.id("chair"));
    assert_eq!(shop.ci().status, Some(0));
    assert_eq!((shop.id("lamp"), shop.id("chair")), ids);
    shop.serve(&[("lamp", &red.replace("red", "blue")), ("chair", SLEEPS)]);
    let ended = shop.ci();
    assert_eq!(ended.status, Some(0), "{}", ended.text);
    assert_ne!(shop.id("lamp"), ids.0);
    assert_eq!(shop.id("chair"), ids.1);
}

#[test]
fn a_container_that_somebody_kills_or_removes_is_missed() {
    let shop = Shop::new("killed", &[("clock", SLEEPS)]);
    let mut up = shop.project().up();
    up.wait_for("DONE IN");
    let runtime = || shop.runtime("clock");
    eventually("it is well", || runtime() == "ok");
    shop.docker(&["kill", &shop.container("clock")]);
    eventually("the end is seen", || runtime() == "error");
    shop.docker(&["start", &shop.container("clock")]);
    eventually("the start is seen", || runtime() == "ok");
    shop.docker(&["rm", "-f", &shop.container("clock")]);
    eventually("its absence is seen", || runtime() == "error");
    let triggered = shop.project().tilt(&["trigger", "clock"]);
    assert_eq!(triggered.status, Some(0), "{}", triggered.text);
    eventually("it is made anew", || runtime() == "ok");
}

#[test]
fn a_service_that_leaves_the_file_is_removed_and_a_resource_with_another_name_keeps_its_container() {
    let shop = Shop::new("leaves", &[("lamp", SLEEPS), ("chair", SLEEPS)]);
    let mut up = shop.project().up();
    up.wait_for_all(&[("lamp │", "DONE IN"), ("chair │", "DONE IN")]);
    let lamp = shop.id("lamp");
    shop.add_to_tiltfile("dc_resource('lamp', new_name='light')");
    up.wait_for("light │      DONE IN");
    assert_eq!(shop.id("lamp"), lamp);
    shop.serve(&[("lamp", SLEEPS)]);
    up.wait_for("Successfully loaded Tiltfile");
    eventually("the chair is gone", || shop.id("chair").is_empty());
    assert_eq!(shop.id("lamp"), lamp);
}

#[test]
fn lines_are_neither_lost_nor_told_twice_over_restarts() {
    let counts = "image: localhost:5000/busybox:1\n    stop_grace_period: 0s\n    command: [sh, -c, 'n=$$(cat /n || echo 0); \
                  while :; do n=$$((n + 1)); echo $$n > /m; mv /m /n; echo line $$n; sleep 0.01; done']";
    let shop = Shop::new("lines", &[("choir", counts)]);
    let mut up = shop.project().up();
    up.wait_for("choir │ line 20");
    for _ in 0..3 {
        shop.docker(&["restart", "-t", "0", &shop.container("choir")]);
        std::thread::sleep(std::time::Duration::from_millis(300));
    }
    shop.docker(&["stop", "-t", "0", &shop.container("choir")]);
    let last = shop.docker(&["logs", "--tail", "1", &shop.container("choir")]);
    up.wait_for(&format!("choir │ {last}"));
    let printed = shop.docker(&["logs", &shop.container("choir")]);
    let seen = up
        .seen()
        .iter()
        .filter_map(|line| line.split_once("choir │ line "));
    let seen: Vec<&str> = seen.map(|(_, number)| number.trim()).collect();
    let expected = printed.lines().filter_map(|line| line.strip_prefix("line "));
    assert_eq!(seen, expected.collect::<Vec<_>>());
}

#[test]
fn the_last_of_a_burst_of_edits_is_in_the_container_and_the_container_is_the_same() {
    let shop = Shop::new(
        "burst",
        &[("page", "image: burst-page\n    stop_grace_period: 0s")],
    );
    shop.project().write("site/page", "first\n");
    shop.project().write(
        "Dockerfile",
        "FROM localhost:5000/busybox:1\nCOPY site /site\nCMD [\"sleep\", \"1000\"]\n",
    );
    shop.add_to_tiltfile("docker_build('burst-page', '.', live_update=[sync('site', '/site')])");
    let mut up = shop.project().up();
    up.wait_for("DONE IN");
    let id = shop.id("page");
    for burst in 0..4 {
        for edit in 0..8 {
            shop.project()
                .write("site/page", &format!("burst {burst} edit {edit}\n"));
            std::thread::sleep(std::time::Duration::from_millis(30));
        }
        eventually("the last edit is there", || {
            shop.docker(&["exec", &shop.container("page"), "cat", "/site/page"])
                == format!("burst {burst} edit 7")
        });
    }
    assert_eq!(shop.id("page"), id);
}

#[test]
fn a_project_of_the_same_name_in_another_directory_is_told_of_and_its_other_services_stay() {
    let shop = Shop::new("checkout", &[("clock", SLEEPS)]);
    let other = tempfile::tempdir().expect("a directory");
    let file = other.path().join("compose.yml");
    std::fs::write(&file, format!("services:\n  bell:\n    {SLEEPS}\n")).expect("a file");
    let (name, file) = (shop.project().namespace().to_owned(), file.display().to_string());
    shop.docker(&["compose", "-p", &name, "-f", &file, "up", "-d"]);
    let bell = shop.id("bell");
    let ended = shop.ci();
    assert_eq!(ended.status, Some(0), "{}", ended.text);
    assert!(
        ended.text.contains("has containers of another directory"),
        "{}",
        ended.text
    );
    assert_eq!(shop.id("bell"), bell);
}

#[test]
fn a_port_that_is_taken_is_told_with_who_has_it() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    let publishes = format!("{SLEEPS}\n    ports: ['127.0.0.1:{port}:80']");
    let shop = Shop::new("taken", &[("page", &publishes)]);
    let ended = shop.ci();
    assert_eq!(ended.status, Some(1), "{}", ended.text);
    let hint = format!("hint: port {port} is taken by ");
    let hint = ended.text.lines().find_map(|line| line.split_once(&hint));
    let (_, who) = hint.unwrap_or_else(|| panic!("{}", ended.text));
    assert!(who.contains(&format!("(pid {})", std::process::id())), "{who}");
    drop(listener);
    assert_eq!(shop.ci().status, Some(0));
    let other = Shop::new("second", &[("page", &publishes)]);
    let ended = other.ci();
    let hint = format!("is taken by container {}", shop.container("page"));
    assert!(ended.text.contains(&hint), "{}", ended.text);
}

#[test]
fn a_session_of_services_needs_docker_and_no_kubeconfig() {
    let shop = Shop::new("alone", &[("clock", SLEEPS)]);
    let ci = |name: &str, value: &str| {
        let mut command = shop
            .project()
            .command(env!("CARGO_BIN_EXE_tilt"), &["ci", "--port=0"]);
        let output = command.env(name, value).output().expect("the binary runs");
        let text = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        (output.status.code(), text)
    };
    let (status, text) = ci("KUBECONFIG", "/nowhere/kubeconfig");
    assert_eq!(status, Some(0), "{text}");
    let (status, text) = ci("DOCKER_HOST", "tcp://127.0.0.1:9");
    assert_eq!(status, Some(1), "{text}");
    let expected = "Failed to connect to Docker: tcp://127.0.0.1:9: Connection refused";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn compose_is_not_called_for_what_is_as_wanted_and_is_called_for_what_differs() {
    let shop = Shop::with_files(
        "asis",
        "
--- compose.yml
services:
  page:
    image: IMAGE
    stop_grace_period: 0s
    command: [sh, -c, 'exec sleep 1000']
    networks: [front, back]
    volumes: ['data:/data', 'other:/other', './site:/site']
    configs: [{source: door, target: /etc/door}]
    secrets: [key]
  clock:
    image: IMAGE
    stop_grace_period: 0s
    command: [sh, -c, 'exec sleep 1000']
networks: {front: {labels: {a: '<1>'}}, back: {driver_opts: {com.docker.network.bridge.enable_icc: 'true'}}}
volumes: {data: {}, other: {labels: {b: '2'}}}
configs: {door: {content: 'open $$at 8'}}
secrets: {key: {environment: KEY}}
--- .env
KEY=iron
--- site/index.html
hello
--- compose
#!/bin/sh
echo \"$*\" >> calls
exec docker compose \"$@\"
",
    );
    let program = shop.project().dir().join("compose");
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(&program, executable).expect("it is executable");
    let services_of_calls = || {
        let _ = std::fs::remove_file(shop.project().dir().join("calls"));
        let mut command = shop
            .project()
            .command(env!("CARGO_BIN_EXE_tilt"), &["ci", "--port=0"]);
        let output = command
            .env("TILT_DOCKER_COMPOSE_CMD", &program)
            .output()
            .expect("it runs");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stdout)
        );
        let calls = std::fs::read_to_string(shop.project().dir().join("calls")).expect("it was called");
        let services = calls.lines().filter_map(|call| call.split_once(" -d "));
        let mut services: Vec<String> = services
            .flat_map(|(_, names)| names.split(' '))
            .map(str::to_owned)
            .collect();
        services.sort();
        services.join(" ")
    };
    assert_eq!(services_of_calls(), "clock page");
    assert_eq!(services_of_calls(), "", "nothing has changed");
    shop.docker(&["stop", "-t", "0", &shop.container("clock")]);
    assert_eq!(services_of_calls(), "clock", "it does not run");
    let network = format!("{}_back", shop.project().namespace());
    shop.docker(&["network", "disconnect", "-f", &network, &shop.container("page")]);
    assert_eq!(services_of_calls(), "page", "it lacks a network");
    shop.edit("compose.yml", "'<1>'", "'3'");
    assert_eq!(services_of_calls(), "page", "a network is to be another one");
    shop.edit(
        "compose.yml",
        "[sh, -c, 'exec sleep 1000']\n    networks",
        "[sh, -c, 'exec sleep 2000']\n    networks",
    );
    assert_eq!(services_of_calls(), "page", "it is to do something else");
    shop.edit("compose.yml", "at 8", "at 9");
    assert_eq!(services_of_calls(), "page", "a text of the file is another one");
    assert_eq!(shop.inside("page", "cat /etc/door"), "open $at 9");
    shop.edit(".env", "iron", "gold");
    assert_eq!(
        services_of_calls(),
        "page",
        "a variable of a secret is another one"
    );
    assert_eq!(shop.inside("page", "cat /run/secrets/key"), "gold");
    assert_eq!(services_of_calls(), "", "nothing has changed");
}
