//! Services of Docker Compose on the real engine: what a user does to them, and what happens to them.

use crate::support::{Finished, Project, eventually};

const SLEEPS: &str =
    "image: localhost:5000/busybox:1\n    command: [sh, -c, 'exec sleep 1000']\n    stop_grace_period: 0s";

/// A project of services, with a Compose project of its own. All that compose made of it is removed when it is dropped.
struct Shop(Project);

impl Shop {
    /// Makes a project of these services: each a name, and what is below it in the file.
    fn new(name: &str, services: &[(&str, &str)]) -> Self {
        let project = Project::new(name, "");
        let tiltfile = format!(
            "docker_compose('compose.yml', project_name='{}')\n",
            project.namespace()
        );
        project.write("Tiltfile", &tiltfile);
        let shop = Self(project);
        shop.serve(services);
        shop
    }

    fn serve(&self, services: &[(&str, &str)]) {
        let services = services
            .iter()
            .map(|(name, what)| format!("  {name}:\n    {what}\n"));
        let text = format!("services:\n{}", services.collect::<String>());
        self.0.write("compose.yml", &text);
    }

    fn add_to_tiltfile(&self, line: &str) {
        let path = self.0.dir().join("Tiltfile");
        let text = std::fs::read_to_string(path).expect("there is one");
        self.0.write("Tiltfile", &format!("{text}{line}\n"));
    }

    fn ci(&self) -> Finished {
        self.0.tilt(&["ci"])
    }

    fn container(&self, service: &str) -> String {
        format!("{}-{service}-1", self.0.namespace())
    }

    /// Runs docker; returns what it prints.
    fn docker(&self, args: &[&str]) -> String {
        let output = self
            .0
            .command("docker", args)
            .output()
            .expect("docker is on PATH");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Returns the id of a service's container; empty if there is none.
    fn id(&self, service: &str) -> String {
        let name = format!("name=^{}$", self.container(service));
        self.docker(&["ps", "-aq", "--filter", &name])
    }
}

impl Drop for Shop {
    fn drop(&mut self) {
        let label = format!("label=com.docker.compose.project={}", self.0.namespace());
        for (list, remove) in [
            (vec!["ps", "-aq"], vec!["rm", "-fv"]),
            (vec!["network", "ls", "-q"], vec!["network", "rm"]),
        ] {
            let ids = self.docker(&[&list[..], &["--filter", &label]].concat());
            for id in ids.lines() {
                self.docker(&[&remove[..], &[id]].concat());
            }
        }
    }
}

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
    let mut up = shop.0.up();
    up.wait_for("DONE IN");
    let runtime = || {
        let path = "jsonpath={.status.runtimeStatus}";
        let got = shop.0.tilt(&["get", "uiresource", "clock", "-o", path]);
        got.text.trim().to_owned()
    };
    eventually("it is well", || runtime() == "ok");
    shop.docker(&["kill", &shop.container("clock")]);
    eventually("the end is seen", || runtime() == "error");
    shop.docker(&["start", &shop.container("clock")]);
    eventually("the start is seen", || runtime() == "ok");
    shop.docker(&["rm", "-f", &shop.container("clock")]);
    eventually("its absence is seen", || runtime() == "error");
}

#[test]
fn a_service_that_leaves_the_file_is_removed_and_a_resource_with_another_name_keeps_its_container() {
    let shop = Shop::new("leaves", &[("lamp", SLEEPS), ("chair", SLEEPS)]);
    let mut up = shop.0.up();
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
                  while :; do n=$$((n + 1)); echo $$n > /n; echo line $$n; sleep 0.01; done']";
    let shop = Shop::new("lines", &[("choir", counts)]);
    let mut up = shop.0.up();
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
    shop.0.write("site/page", "first\n");
    shop.0.write(
        "Dockerfile",
        "FROM localhost:5000/busybox:1\nCOPY site /site\nCMD [\"sleep\", \"1000\"]\n",
    );
    shop.add_to_tiltfile("docker_build('burst-page', '.', live_update=[sync('site', '/site')])");
    let mut up = shop.0.up();
    up.wait_for("DONE IN");
    let id = shop.id("page");
    for burst in 0..4 {
        for edit in 0..8 {
            shop.0.write("site/page", &format!("burst {burst} edit {edit}\n"));
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
    let (name, file) = (shop.0.namespace().to_owned(), file.display().to_string());
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
