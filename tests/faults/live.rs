//! What live updates go through: streams that are cut anywhere, an API server and a kubelet that are restarted in the middle
//! of a batch, a container without room. No edit is lost, nobody sees part of a file, and nothing is built for a fault that
//! passed.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU32, Ordering};
use std::time::Instant;

use crate::lost::up_with;
use crate::support::{Project, Up, eventually};
use crate::{Mended, cluster};

/// A pod whose files are changed in place, by `STEPS`; `POD` is more of its spec, `MOUNT` of its container's.
const SHELF: &str = "
--- Tiltfile
allow_k8s_contexts('dev')
docker_build('shelf', '.', live_update=[STEPS])
k8s_yaml('shelf.yaml')
--- Dockerfile
FROM localhost:5000/busybox:1
COPY books /books
CMD [\"sh\", \"-c\", \"while :; do sleep 1; done\"]
--- shelf.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: shelf}
spec:
  selector: {matchLabels: {app: shelf}}
  template:
    metadata: {labels: {app: shelf}}
    spec:
      terminationGracePeriodSeconds: 0
POD      containers:
      - name: shelf
        image: shelf
MOUNT--- books/0
none
";

fn shelf(name: &str, steps: &str, pod: &str, mount: &str) -> Project {
    let files = SHELF.replace("STEPS", steps);
    Project::new(name, &files.replace("POD", pod).replace("MOUNT", mount))
}

/// Returns what the container has of a file; empty while nothing can be said.
fn there(project: &Project, file: &str) -> String {
    let args = ["exec", "deployment/shelf", "--", "cat", file];
    let output = project.command("kubectl", &args).output().expect("kubectl runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Text that shows where it is torn: 40 KB of one word.
fn text(n: u32) -> String {
    format!("edit-{n}\n").repeat(5_000)
}

fn save(project: &Project, n: u32) {
    for book in 0..3 {
        project.write(&format!("books/{book}"), &text(n));
    }
}

fn is_saved(project: &Project, n: u32) -> bool {
    (0..3).all(|book| there(project, &format!("/books/{book}")) == text(n))
}

fn builds(up: &mut Up<'_>) -> usize {
    // What has come by now is read.
    let _ = up.came("", Instant::now());
    let begins = |line: &&String| line.contains("STEP") && line.contains("Building Dockerfile: [shelf]");
    up.seen().iter().filter(begins).count()
}

fn started<'p>(project: &'p Project, mut up: Up<'p>) -> Up<'p> {
    up.wait_for("→ shelf:deployment");
    eventually("the container runs", || there(project, "/books/0") == "none\n");
    up
}

/// A way to the API server on which the connection is cut that carries a certain byte.
struct Scissors {
    port: u16,
    /// How many bytes pass before the cut; negative while nothing is cut.
    left: Arc<AtomicI64>,
    cuts: Arc<AtomicU32>,
}

impl Scissors {
    fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let (left, cuts) = (Arc::new(AtomicI64::new(-1)), Arc::new(AtomicU32::new(0)));
        let state = (Arc::clone(&left), Arc::clone(&cuts));
        std::thread::spawn(move || {
            for near in listener.incoming().map_while(Result::ok) {
                let Ok(far) = TcpStream::connect(&server) else {
                    continue;
                };
                let (Ok(back), Ok(home)) = (far.try_clone(), near.try_clone()) else {
                    continue;
                };
                let state = state.clone();
                std::thread::spawn(move || pass(near, far, Some(&state)));
                std::thread::spawn(move || pass(back, home, None));
            }
        });
        Self { port, left, cuts }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, scissors: Option<&(Arc<AtomicI64>, Arc<AtomicU32>)>) {
    let mut buffer = [0; 16 << 10];
    loop {
        let mut n = from.read(&mut buffer).unwrap_or(0);
        let mut is_cut = n == 0;
        if let Some((left, cuts)) = scissors
            && left.load(Ordering::SeqCst) >= 0
        {
            let passed = i64::try_from(n).unwrap_or(0);
            let before = left.fetch_sub(passed, Ordering::SeqCst);
            if (0..passed).contains(&before) {
                n = usize::try_from(before).unwrap_or(0);
                is_cut = true;
                cuts.fetch_add(1, Ordering::SeqCst);
            }
        }
        if to.write_all(&buffer[..n]).is_err() || is_cut {
            let _ = (to.shutdown(Shutdown::Both), from.shutdown(Shutdown::Both));
            return;
        }
    }
}

#[test]
#[ignore = "a fault: make faults"]
fn streams_are_cut_at_any_byte() {
    let project = shelf("cut", "sync('books', '/books')", "", "");
    let mut way = None;
    let up = up_with(&project, |config| {
        let server = &mut config["clusters"][0]["cluster"]["server"];
        let host = server.as_str().unwrap_or_default().trim_start_matches("https://");
        let made = Scissors::to(host.to_owned());
        *server = format!("https://127.0.0.1:{}", made.port).into();
        way = Some(made);
    });
    let way = way.expect("made");
    let mut up = started(&project, up);
    let began = Instant::now();
    for n in 0..16 {
        way.left.store(i64::from(n) * 7_919 % 125_000, Ordering::SeqCst);
        save(&project, n);
        eventually(&format!("save {n} is there"), || {
            for book in 0..3 {
                let there = there(&project, &format!("/books/{book}"));
                let is_whole = ["", "none\n"].contains(&there.as_str()) || (0..=n).any(|n| there == text(n));
                assert!(is_whole, "part of a file: {} bytes", there.len());
            }
            is_saved(&project, n)
        });
        way.left.store(-1, Ordering::SeqCst);
    }
    let cuts = way.cuts.load(Ordering::SeqCst);
    eprintln!(
        "fault: cut streams: 16 saves of 3 files and {cuts} cuts in {:.2} s, 0 lost, 0 torn, {} built",
        began.elapsed().as_secs_f64(),
        builds(&mut up) - 1
    );
    assert!(cuts > 8, "{cuts}");
    assert_eq!(builds(&mut up), 1, "nothing is built for it: {:#?}", up.seen());
}

/// Saves, stops a component while a command of that batch runs, saves again, and starts the component.
fn restarted_in_a_batch(component: &'static str) {
    let steps = "sync('books', '/books'), run('sleep 2; echo had $(head -n 1 /books/2)')";
    let project = shelf("batch", steps, "", "");
    let mut up = started(&project, project.up());
    let _mended = Mended;
    save(&project, 1);
    up.wait_for("[CMD 1/1]");
    cluster(&["stop", component]);
    save(&project, 2);
    std::thread::sleep(std::time::Duration::from_secs(1));
    save(&project, 3);
    cluster(&["up"]);
    let back = Instant::now();
    up.wait_for("had edit-3");
    let had = back.elapsed();
    eventually("all is there", || is_saved(&project, 3));
    eprintln!(
        "fault: {component} restarted during a batch: all there and run after {:.2} s (2 s of them the command), 0 lost, {} built",
        had.as_secs_f64(),
        builds(&mut up) - 1
    );
    assert_eq!(builds(&mut up), 1, "nothing is built for it: {:#?}", up.seen());
}

#[test]
#[ignore = "stops a part of the cluster: make faults"]
fn the_api_server_is_restarted_during_a_batch() {
    restarted_in_a_batch("kube-apiserver");
}

#[test]
#[ignore = "stops a part of the cluster: make faults"]
fn the_kubelet_is_restarted_during_a_batch() {
    restarted_in_a_batch("kubelet");
}

#[test]
#[ignore = "a fault: make faults"]
fn a_container_has_no_room() {
    let pod = "      volumes: [{name: books, emptyDir: {medium: Memory, sizeLimit: 1Mi}}]\n";
    let mount = "        volumeMounts: [{name: books, mountPath: /live}]\n";
    let steps = "initial_sync(), sync('books', '/live')";
    let project = shelf("room", steps, pod, mount);
    let mut up = project.up();
    up.wait_for("updated!");
    project.write("books/0", "one\n");
    eventually("there is room", || there(&project, "/live/0") == "one\n");
    let before = builds(&mut up);
    project.write("books/long", &"long\n".repeat(500_000));
    up.wait_for("no space left in the container");
    up.wait_for("hint: free space on the node's disk, or raise");
    eventually("the image is built", || builds(&mut up) > before);
    assert_eq!(there(&project, "/live/long"), "", "nothing of it is there");
    std::fs::remove_file(project.dir().join("books/long")).expect("it is there");
    project.write("books/0", "two\n");
    eventually("there is room again", || there(&project, "/live/0") == "two\n");
}
