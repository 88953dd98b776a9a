//! We stand still for a while, as when a laptop sleeps, and much happens meanwhile.

use std::path::PathBuf;
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Project, Up, eventually};
use crate::witness::{Before, Witness};
use crate::{CONVERGED, converged_after, edit, free_port, page, shop};

#[track_caller]
fn signal(up: &Up, signal: &str) {
    let pid = up.pid().to_string();
    let sent = Command::new("kill").args([&format!("-{signal}"), &pid]).status();
    assert!(sent.expect("kill runs").success());
}

#[test]
#[ignore = "a fault: make faults"]
fn it_is_halted_during_a_build() {
    let port = free_port();
    let project = Project::new("halted", &shop(port));
    let mut up = project.up();
    eventually("the first page is served", || {
        page(port) == format!("first {port}")
    });
    up.wait_for("count 20");
    let before = Before::of(&project);
    edit(&project, port, 1);
    up.wait_for("STEP 1/");
    signal(&up, "STOP");
    edit(&project, port, 2);
    // Longer than any pause or patience of ours.
    std::thread::sleep(Duration::from_secs(12));
    let witness = Witness::start(before, "kube-apiserver");
    signal(&up, "CONT");
    let ours = converged_after("halted for 12 s during a build", &mut up, port, 2, witness);
    // Two updates, one after the other: what was under way, and what was edited meanwhile.
    assert!(ours < 2 * CONVERGED, "{ours:?}");
    up.stop("INT");
}

const PLAIN: &str = "
--- Tiltfile
local_resource('a', 'echo made $(cat src/in.txt)', deps=['src'])
--- src/in.txt
first
";

#[test]
#[ignore = "a fault: make faults"]
fn more_happens_than_the_system_can_tell() {
    let project = Project::new("overflow", PLAIN);
    let mut up = project.up();
    up.wait_for("made first");
    let events = std::fs::read_to_string("/proc/sys/fs/inotify/max_queued_events").expect("a limit");
    let events: usize = events.trim().parse().expect("a number");
    signal(&up, "STOP");
    for n in 0..events {
        project.write(&format!("src/many/{n}"), "x");
    }
    project.write("src/in.txt", "second\n");
    signal(&up, "CONT");
    let back = Instant::now();
    up.wait_for("made second");
    let converged = back.elapsed();
    project.write("src/in.txt", "third\n");
    let edited = Instant::now();
    up.wait_for("made third");
    eprintln!(
        "fault: overflow of {events} file events: converged in {:.2} s (cluster 0.00 s), {} edits, 0 lost; the next one is \
         seen after {:.2} s",
        converged.as_secs_f64(),
        events + 2,
        edited.elapsed().as_secs_f64()
    );
    assert!(converged < Duration::from_secs(5), "{converged:?}");
    up.stop("INT");
}

#[test]
#[ignore = "a fault: make faults"]
fn the_directory_of_the_tiltfile_is_replaced() {
    let project = Project::new("replaced", PLAIN);
    let mut up = project.up();
    up.wait_for("made first");
    let (dir, away) = (project.dir(), project.dir().with_extension("away"));
    std::fs::rename(&dir, &away).expect("moved");
    project.write("src/in.txt", "second\n");
    project.write(
        "Tiltfile",
        "local_resource('a', 'echo remade $(cat src/in.txt)', deps=['src'])\n",
    );
    let back = Instant::now();
    up.wait_for("remade second");
    let converged = back.elapsed();
    project.write("src/in.txt", "third\n");
    let edited = Instant::now();
    up.wait_for("remade third");
    let seen = edited.elapsed();
    // What is away is nobody's any more.
    std::fs::write(away.join("src/in.txt"), "old\n").expect("written");
    std::fs::remove_dir_all(&dir).expect("removed");
    project.write(
        "Tiltfile",
        "local_resource('a', 'echo again $(cat src/in.txt)', deps=['src'])\n",
    );
    project.write("src/in.txt", "fourth\n");
    up.wait_for("again fourth");
    eprintln!(
        "fault: directory replaced: converged in {:.2} s (cluster 0.00 s), 4 edits, 0 lost; the next one is seen after {:.2} s",
        converged.as_secs_f64(),
        seen.as_secs_f64()
    );
    assert!(converged < Duration::from_secs(5), "{converged:?}");
    assert!(!up.seen().iter().any(|line| line.contains("made old")));
    up.stop("INT");
}

/// A component that stands still for as long as this value lives.
struct Halted(String);

/// Returns the number of a component's process: as the local cluster has it, else of the program of that name. Kubernetes'
/// own components are all one program.
fn pid_of(component: &str) -> Option<String> {
    let home = std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache/dev-cluster"));
    let dir = std::env::var_os("DEV_CLUSTER_DIR").map(PathBuf::from).or(home)?;
    let noted = std::fs::read_to_string(dir.join(format!("run/{component}.pid"))).unwrap_or_default();
    let noted = noted.split_whitespace().next().map(str::to_owned);
    noted.or_else(|| {
        let found = Command::new("pgrep").args(["-xo", component]).output().ok()?;
        let pid = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        Some(pid).filter(|pid| !pid.is_empty())
    })
}

impl Halted {
    #[track_caller]
    fn new(component: &str) -> Self {
        let pid = pid_of(component).unwrap_or_else(|| panic!("no {component} runs"));
        let halted = Command::new("kill").args(["-STOP", &pid]).status();
        assert!(halted.expect("kill runs").success());
        Self(pid)
    }
}

impl Drop for Halted {
    fn drop(&mut self) {
        let _ = Command::new("kill").args(["-CONT", &self.0]).status();
    }
}

#[test]
#[ignore = "a fault: make faults"]
fn docker_is_halted() {
    let port = free_port();
    let project = Project::new("docker-halted", &shop(port));
    let mut up = project.up();
    eventually("the first page is served", || {
        page(port) == format!("first {port}")
    });
    up.wait_for("count 20");
    let before = Before::of(&project);
    let halted = Halted::new("dockerd");
    let began = Instant::now();
    edit(&project, port, 1);
    up.wait_for("no answer from the Docker engine at unix://");
    let told = began.elapsed();
    up.wait_for("Trying again in");
    edit(&project, port, 2);
    let witness = Witness::start(before, "dockerd");
    drop(halted);
    let ours = converged_after("dockerd halted", &mut up, port, 2, witness);
    eprintln!("fault: dockerd halted: told after {:.2} s", told.as_secs_f64());
    assert!(told < Duration::from_secs(40), "{told:?}");
    assert!(ours < 2 * CONVERGED, "{ours:?}");
    assert!(
        !up.seen()
            .iter()
            .any(|line| line.contains("not found in image store"))
    );
    up.stop("INT");
}

#[test]
#[ignore = "a fault: make faults"]
fn the_api_server_is_halted_during_a_delete() {
    const N_OBJECTS: usize = 300;
    let object = |n: usize| {
        format!("apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: many-{n}, labels: {{set: many}}}}\n---\n")
    };
    let tiltfile = |files: &str| format!("allow_k8s_contexts('dev')\nk8s_yaml([{files}])\n");
    let one = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: one}\ndata: {word: first}\n";
    let project = Project::new("delete", "");
    project.write("one.yaml", one);
    project.write("many.yaml", &(0..N_OBJECTS).map(object).collect::<String>());
    project.write("Tiltfile", &tiltfile("'one.yaml', 'many.yaml'"));
    let left = || {
        let names = project.kubectl(&["get", "configmaps", "-l", "set=many", "-o", "name"]);
        names.lines().count()
    };
    let mut up = project.up();
    eventually("all objects are there", || left() == N_OBJECTS);
    up.wait_for("Objects applied to cluster");
    project.write("Tiltfile", &tiltfile("'one.yaml'"));
    up.wait_for("Deleting kubernetes objects:");
    let halted = Halted::new("kube-apiserver");
    // Longer than a deletion may take.
    std::thread::sleep(Duration::from_secs(40));
    drop(halted);
    let back = Instant::now();
    eventually("nothing is left", || left() == 0);
    let converged = back.elapsed();
    project.write("one.yaml", &one.replace("first", "second"));
    let word = || project.kubectl(&["get", "configmap", "one", "-o", "jsonpath={.data.word}"]);
    eventually("the next edit is deployed", || word() == "second");
    eprintln!(
        "fault: API server halted for 40 s during a delete: {N_OBJECTS} objects are gone after {:.2} s, the next edit is \
         deployed after {:.2} s",
        converged.as_secs_f64(),
        back.elapsed().as_secs_f64()
    );
    assert!(converged < Duration::from_secs(20), "{converged:?}");
    up.stop("INT");
}
