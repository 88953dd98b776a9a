//! Parts of the cluster and of this machine fail while `tilt up` runs: no edit and no line of a log is lost, nothing is
//! left behind, and soon after the part is back all is as it should be. Each test prints how soon.
//!
//! They disturb whatever else uses the local cluster; `make faults` runs them, one after the other.
#![allow(clippy::disallowed_methods, reason = "tests run programs and wait for them")]
#![allow(clippy::print_stderr, reason = "figures are what these tests are for")]

mod compose;
#[path = "../cluster/compose_shop.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod compose_shop;
mod expired;
mod halted;
mod hangs;
mod live;
mod lost;
mod machine;
#[path = "../cluster/support.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod support;
mod witness;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Project, Up, deployment, eventually};
use crate::witness::{Before, Witness};

#[path = "../common/free_port.rs"]
mod free_port;
use free_port::free_port;

/// Stops a component of the cluster, or starts what is stopped.
#[track_caller]
fn cluster(args: &[&str]) {
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("dev/cluster/cluster");
    let output = Command::new(script).args(args).output().expect("it runs");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

/// Starts all that is stopped again, whatever becomes of a test.
struct Mended;

impl Drop for Mended {
    fn drop(&mut self) {
        cluster(&["up"]);
    }
}

/// A page that is built and forwarded, and a pod that counts lines.
fn shop(port: u16) -> String {
    format!(
        "
--- Tiltfile
allow_k8s_contexts('dev')
docker_build('shop/web', 'web')
k8s_yaml(['web.yaml', 'counter.yaml'])
k8s_resource('web', port_forwards=port_forward({port}, 8080))
--- web/Dockerfile
FROM localhost:5000/busybox:1
COPY index.html /www/
--- web/index.html
first {port}
--- web.yaml
{}
--- counter.yaml
{}",
        deployment("web", "shop/web", "exec httpd -f -p 8080 -h /www"),
        deployment(
            "counter",
            "localhost:5000/busybox:1",
            "i=0; while :; do i=$((i+1)); echo count $i; sleep 0.05; done"
        ),
    )
}

/// Returns the page that the port serves; empty while it serves none.
fn page(port: u16) -> String {
    let get = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect(("127.0.0.1", port))?;
        stream.set_read_timeout(Some(Duration::from_secs(3)))?;
        stream.write_all(b"GET / HTTP/1.0\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    let answer = get().unwrap_or_default();
    answer
        .split_once("\r\n\r\n")
        .map_or("", |(_, page)| page)
        .trim()
        .to_owned()
}

/// The last count that was seen; fails if one is missing before it.
#[track_caller]
fn counted(up: &Up) -> u64 {
    let count = |line: &String| line.split_once("count ")?.1.trim().parse::<u64>().ok();
    let counts: Vec<u64> = up.seen().iter().filter_map(count).collect();
    let first = counts.first().copied().unwrap_or(1);
    let expected: Vec<u64> = (first..).take(counts.len()).collect();
    assert_eq!(counts, expected, "no line is lost, none comes twice");
    counts.last().copied().unwrap_or_default()
}

/// States are true again this long after the part is back, without what Kubernetes takes by itself.
const CONVERGED: Duration = Duration::from_secs(5);

/// Waits until what was edited last is served and lines come again, and prints how long that took from when the part was
/// back. Lines may come from a pod that was replaced meanwhile.
#[track_caller]
fn converged(name: &str, up: &mut Up, port: u16, edits: u32, witness: Witness) {
    let ours = converged_after(name, up, port, edits, witness);
    assert!(ours < CONVERGED, "{ours:?} without the cluster's share");
}

/// As [`converged`]; returns how long it took without the cluster's share.
#[track_caller]
fn converged_after(name: &str, up: &mut Up, port: u16, edits: u32, witness: Witness) -> Duration {
    let last = format!("edit {edits} {port}");
    eventually("the last edit is served", || page(port) == last);
    let served = Instant::now();
    let times = witness.join();
    eventually("lines come again", || up.came("count ", times.back).is_some());
    let lines = up.came("count ", times.back).unwrap_or(served);
    let whole = served.max(lines).saturating_duration_since(times.back);
    let cluster = times
        .ready
        .saturating_duration_since(times.back.max(times.applied));
    // Up to now no line is missing, and so it stays.
    let before = counted(up);
    up.wait_for(&format!("count {}", before + 40));
    let counted = counted(up);
    eprintln!(
        "fault: {name}: converged in {:.2} s (cluster {:.2} s), {edits} edits, {counted} lines, 0 lost",
        whole.as_secs_f64(),
        cluster.as_secs_f64()
    );
    whole.saturating_sub(cluster)
}

/// Edits the page for the n-th time.
fn edit(project: &Project, port: u16, n: u32) {
    project.write("web/index.html", &format!("edit {n} {port}\n"));
}

/// Plays a session in which a component is stopped, a file is edited, and the component started again.
#[track_caller]
fn outage(component: &'static str, sign: Option<&str>) {
    let port = free_port();
    let project = Project::new("fault", &shop(port));
    let mut up = project.up();
    eventually("the first page is served", || {
        page(port) == format!("first {port}")
    });
    up.wait_for("count 20");
    let _mended = Mended;
    let before = Before::of(&project);
    cluster(&["stop", component]);
    edit(&project, port, 1);
    if let Some(sign) = sign {
        up.wait_for(sign);
    }
    edit(&project, port, 2);
    let witness = Witness::start(before, component);
    cluster(&["up"]);
    converged(&format!("{component} restarted"), &mut up, port, 2, witness);
    up.stop("INT");
    assert!(
        TcpListener::bind(("127.0.0.1", port)).is_ok(),
        "the port is free again"
    );
}

#[test]
#[ignore = "stops a part of the cluster: make faults"]
fn the_api_server_is_restarted() {
    outage("kube-apiserver", Some("Trying again in"));
}

#[test]
#[ignore = "stops a part of the cluster: make faults"]
fn docker_is_restarted() {
    outage("dockerd", Some("Trying again in"));
}

#[test]
#[ignore = "stops a part of the cluster: make faults"]
fn the_registry_is_restarted() {
    outage("registry", Some("Trying again in"));
}

#[test]
#[ignore = "stops a part of the cluster: make faults"]
fn the_kubelet_is_restarted() {
    outage("kubelet", Some("Reconnecting... Error port-forwarding web"));
}

#[test]
#[ignore = "stops a part of the cluster: make faults"]
fn the_container_runtime_is_restarted() {
    outage("containerd", None);
}

#[test]
#[ignore = "stops a part of the cluster: make faults"]
fn a_dead_path_is_seen_within_two_seconds() {
    let port = free_port();
    let project = Project::new("path", &shop(port));
    let mut up = project.up();
    eventually("the first page is served", || {
        page(port) == format!("first {port}")
    });
    let _mended = Mended;
    cluster(&["stop", "kubelet"]);
    let dead = Instant::now();
    up.wait_for("Reconnecting... Error port-forwarding web");
    let seen = dead.elapsed();
    assert_eq!(page(port), "", "a connection is closed");
    cluster(&["up"]);
    let back = Instant::now();
    up.wait_for("works again");
    eprintln!(
        "fault: dead path: converged in {:.2} s (cluster 0.00 s), 0 edits, 0 lost; seen after {:.2} s",
        back.elapsed().as_secs_f64(),
        seen.as_secs_f64()
    );
    assert!(seen < Duration::from_secs(2), "{seen:?}");
    up.stop("INT");
}

/// Makes a pipe with a name in a project.
#[track_caller]
pub(crate) fn fifo(project: &Project, name: &str) -> PathBuf {
    let fifo = project.dir().join(name);
    let made = Command::new("mkfifo").arg(&fifo).status();
    assert!(made.expect("it runs").success());
    fifo
}

#[test]
#[ignore = "stops a part of the cluster: make faults"]
fn it_is_killed_with_all_that_runs_and_started_again() {
    let port = free_port();
    let project = Project::new("killed", &shop(port));
    let fifo = fifo(&project, "alive");
    let tiltfile = std::fs::read_to_string(project.dir().join("Tiltfile")).expect("a file");
    let hold = |what: &str| format!("exec 9>alive; echo {what}-runs; sleep 1000 & wait");
    let more = format!(
        "{tiltfile}
update_settings(max_parallel_updates=9)
local_resource('serving', serve_cmd='{}')
local_resource('updating', '{}', allow_parallel=True)
custom_build('shop/slow', '{}', deps=['web'])
k8s_yaml('slow.yaml')
k8s_custom_deploy('deploying', apply_cmd='{}', delete_cmd='true', deps=[])
",
        hold("serve"),
        hold("update"),
        hold("build"),
        hold("deploy"),
    );
    let slow = std::fs::read_to_string(project.dir().join("web.yaml"))
        .expect("a file")
        .replace("web", "slow");
    project.write("slow.yaml", &slow);
    project.write("Tiltfile", &more);
    let reading = std::thread::spawn({
        let fifo = fifo.clone();
        move || std::fs::read(fifo).expect("it ends when the last one has closed it")
    });
    let mut up = project.up();
    let mut missing = vec!["serve-runs", "update-runs", "build-runs", "deploy-runs"];
    while let Some(next) = missing.pop() {
        if !up.seen().iter().any(|line| line.ends_with(next)) {
            up.wait_for(next);
        }
    }
    eventually("the first page is served", || {
        page(port) == format!("first {port}")
    });
    project.write(
        "Tiltfile",
        &format!("{more}\nlocal('{}', echo_off=True)\n", hold("tiltfile")),
    );
    up.wait_for("tiltfile-runs");
    let killed = Instant::now();
    up.stop("KILL");
    reading.join().expect("all that ran is dead");
    let gone = killed.elapsed();
    assert!(
        TcpListener::bind(("127.0.0.1", port)).is_ok(),
        "the port is free again"
    );
    project.write("Tiltfile", &tiltfile);
    edit(&project, port, 1);
    let witness = Witness::start(Before::of(&project), "kube-apiserver");
    let mut up = project.up();
    eprintln!(
        "fault: kill -9: all processes are gone after {:.2} s",
        gone.as_secs_f64()
    );
    converged("new start after kill -9", &mut up, port, 1, witness);
    up.stop("INT");
}
