//! The Docker engine, containers and `docker compose` fail under a session with services: no edit and no line is lost, and
//! what runs is soon as the file says.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::compose_shop::Shop;
use crate::support::{Up, eventually};
use crate::{Mended, cluster};

/// A page that is changed in place, and a choir that counts on where it was interrupted.
const FILES: &str = "
--- Tiltfile
docker_compose('compose.yml', project_name='PROJECT')
docker_build('PROJECT-page', '.', only=['site'], dockerfile='Dockerfile', live_update=[sync('site', '/site')])
--- compose.yml
services:
  choir:
    image: IMAGE
    restart: always
    stop_grace_period: 0s
    command: [sh, -c, 'n=$$(cat /n || echo 0); while :; do n=$$((n + 1)); echo $$n > /m; mv /m /n; echo count $$n; sleep 0.02; done']
  page:
    image: PROJECT-page
    restart: always
    stop_grace_period: 0s
--- Dockerfile
FROM IMAGE
COPY site /site
CMD [\"sh\", \"-c\", \"exec sleep 100000\"]
--- site/page
edit 0
";

/// All is as it should be this long after the part is back, without what Docker takes to start containers.
const CONVERGED: Duration = Duration::from_secs(5);

fn shop(name: &str) -> Shop {
    Shop::with_files(name, FILES)
}

fn edit(shop: &Shop, n: usize) {
    shop.project().write("site/page", &format!("edit {n}\n"));
}

/// Fails unless each line that the choir printed was told once, in order.
#[track_caller]
fn check_lines(shop: &Shop, up: &mut Up<'_>) -> usize {
    shop.docker(&["stop", "-t", "0", &shop.container("choir")]);
    let printed = shop.docker(&["logs", &shop.container("choir")]);
    let last = printed.lines().last().expect("it has printed").to_owned();
    up.wait_for(&format!("choir │ {last}"));
    let told = up
        .seen()
        .iter()
        .filter_map(|line| line.split_once("choir │ count "));
    let told: Vec<&str> = told.map(|(_, number)| number.trim()).collect();
    let expected = printed.lines().filter_map(|line| line.strip_prefix("count "));
    let expected: Vec<&str> = expected.collect();
    assert_eq!(told, expected, "no line is lost, none comes twice");
    told.len()
}

/// Waits until the page has an edit, and prints how long that took from when the part was back.
#[track_caller]
fn converged(name: &str, shop: &Shop, up: &mut Up<'_>, edits: usize, back: Instant) {
    let last = format!("edit {edits}");
    eventually("the last edit is in the container", || {
        shop.inside("page", "cat /site/page") == last
    });
    let took = back.elapsed();
    let before = up.seen().len();
    up.wait_for("choir │ count ");
    assert!(up.seen().len() > before, "lines come again");
    let lines = check_lines(shop, up);
    eprintln!(
        "fault: {name}: converged in {:.2} s (cluster 0.00 s), {edits} edits, {lines} lines, 0 lost",
        took.as_secs_f64()
    );
    assert!(took < CONVERGED, "{took:?}");
}

/// Returns when both containers run.
#[track_caller]
fn both_run(shop: &Shop) -> Instant {
    let running = |service: &str| {
        let format = "{{.State.Running}}";
        shop.docker(&["inspect", "-f", format, &shop.container(service)]) == "true"
    };
    eventually("Docker has started the containers again", || {
        running("choir") && running("page")
    });
    Instant::now()
}

#[test]
#[ignore = "stops a part of the cluster: make faults"]
fn docker_is_restarted_under_compose() {
    let shop = shop("redocker");
    let mut up = shop.project().up();
    up.wait_for_all(&[("page │", "DONE IN"), ("choir │", "count 20")]);
    let _mended = Mended;
    cluster(&["stop", "dockerd"]);
    edit(&shop, 1);
    std::thread::sleep(Duration::from_millis(300));
    edit(&shop, 2);
    cluster(&["up"]);
    let back = both_run(&shop);
    converged("Docker restarted under compose", &shop, &mut up, 2, back);
    edit(&shop, 3);
    let edited = Instant::now();
    eventually("a further edit is in the container", || {
        shop.inside("page", "cat /site/page") == "edit 3"
    });
    assert!(edited.elapsed() < CONVERGED, "{:?}", edited.elapsed());
    up.stop("INT");
}

/// Returns the number of the first process of a container, once it has one: 0 would stand for this test's own group.
fn pid(shop: &Shop, service: &str) -> String {
    let mut pid = String::new();
    eventually("the container runs", || {
        pid = shop.docker(&["inspect", "-f", "{{.State.Pid}}", &shop.container(service)]);
        pid = pid.trim().to_owned();
        pid.parse().is_ok_and(|pid: u32| pid > 0)
    });
    pid
}

#[track_caller]
fn kill(pid: &str) {
    let killed = Command::new("kill").args(["-9", pid]).status().expect("it runs");
    assert!(killed.success(), "{pid}");
}

#[test]
#[ignore = "disturbs the Docker engine: make faults"]
fn containers_are_killed_in_the_middle_of_edits() {
    let shop = shop("killed");
    let mut up = shop.project().up();
    up.wait_for_all(&[("page │", "DONE IN"), ("choir │", "count 20")]);
    let mut edits = 0;
    for _ in 0..5 {
        edits += 1;
        edit(&shop, edits);
        kill(&pid(&shop, "page"));
        edits += 1;
        edit(&shop, edits);
        kill(&pid(&shop, "choir"));
        both_run(&shop);
    }
    // One that was about to be started again, and is not any more, is started by the next edit.
    kill(&pid(&shop, "page"));
    let page = shop.container("page");
    eventually("Docker is about to start it again", || {
        shop.docker(&["inspect", "-f", "{{.State.Status}}", &page]) == "restarting"
    });
    shop.docker(&["kill", &page]);
    eventually("Docker has given it up", || {
        shop.docker(&["inspect", "-f", "{{.State.Status}}", &page]) == "exited"
    });
    edits += 1;
    edit(&shop, edits);
    converged("containers killed", &shop, &mut up, edits, Instant::now());
    up.stop("INT");
}

/// Returns the processes of `docker compose up` for a project.
fn calls(project: &str) -> Vec<String> {
    let processes = std::fs::read_dir("/proc").expect("Linux").flatten();
    let words = |dir: PathBuf| {
        let text = std::fs::read_to_string(dir.join("cmdline")).ok()?;
        let words: Vec<&str> = text.split('\0').collect();
        let is_call =
            words.first()?.ends_with("docker-compose") && words.contains(&project) && words.contains(&"up");
        is_call.then(|| dir.file_name().map(|name| name.to_string_lossy().into_owned()))?
    };
    processes.filter_map(|process| words(process.path())).collect()
}

/// Kills each call of `docker compose up` for a project, until so many were killed.
#[track_caller]
fn kill_calls(project: &str, most: usize) {
    let mut killed = BTreeSet::new();
    eventually("compose is called again and again", || {
        for pid in calls(project) {
            if killed.insert(pid.clone()) {
                kill(&pid);
            }
        }
        killed.len() >= most
    });
}

#[test]
#[ignore = "disturbs the Docker engine: make faults"]
fn compose_is_killed_in_the_middle_of_up() {
    let shop = shop("nocompose");
    let project = shop.project().namespace().to_owned();
    let mut up = shop.project().up();
    kill_calls(&project, 5);
    up.wait_for_all(&[("page │", "DONE IN"), ("choir │", "count 20")]);
    let told = up.seen().iter().filter(|line| line.contains("Trying again in"));
    assert!(told.count() > 0, "{:?}", up.seen());
    edit(&shop, 1);
    shop.edit(
        "compose.yml",
        "PROJECT-page".replace("PROJECT", &project).as_str(),
        &format!("{project}-page\n    environment: {{A: '1'}}"),
    );
    kill_calls(&project, 2);
    edit(&shop, 2);
    converged(
        "compose killed in the middle of up",
        &shop,
        &mut up,
        2,
        Instant::now(),
    );
    assert_eq!(shop.inside("page", "echo $A"), "1", "and the file counts");
    up.stop("INT");
}
