//! Services as teams have them, changed while they run: started anew by an extension, a pod that makes others wait, a set
//! with names of its own, several images at once.

use crate::port_forwards::{free_port, get, page};
use crate::support::{Project, Up, eventually};

/// An extension that wraps an image so that what it runs is started anew when a file changes, as the one that everybody
/// uses does: a base, a second build on it with a small program of its own, and a last step that writes the file.
const RESTARTING: &str = "
--- restarting/Tiltfile
def docker_build_with_restart(ref, context, entrypoint, live_update, trigger=[], **kwargs):
    docker_build(ref + '-base', context, **kwargs)
    entry = ['/tilt-restart-wrapper', '--watch_file=/tmp/.restart-proc'] + entrypoint
    docker_build(ref, os.path.dirname(__file__), entrypoint=entry, only=['wrapper'],
        dockerfile_contents='\\n'.join([
            'FROM %s-base' % ref,
            'RUN [\"touch\", \"/tmp/.restart-proc\"]',
            'RUN [\"chmod\", \"666\", \"/tmp/.restart-proc\"]',
            'COPY wrapper /tilt-restart-wrapper',
            'ENTRYPOINT %s' % entry]),
        live_update=live_update + [run('cat /proc/uptime > /tmp/.restart-proc', trigger=trigger)])
--- Tiltfile
load('./restarting/Tiltfile', 'docker_build_with_restart')
allow_k8s_contexts('dev')
docker_build_with_restart('teller', 'teller', ['sh', '/app/tell.sh'], [sync('teller', '/app')],
    trigger=['teller/words', 'teller/tell.sh'], dockerfile='teller/Dockerfile')
k8s_yaml('teller.yaml')
--- teller/Dockerfile
FROM localhost:5000/busybox:1
COPY . /app
--- teller/tell.sh
echo \"begins with $(cat /app/words) and $(cat /app/aside)\"
exec sleep 1000
--- teller/words
one
--- teller/aside
nothing
--- teller.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: teller}
spec:
  selector: {matchLabels: {app: teller}}
  template:
    metadata: {labels: {app: teller}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: teller, image: teller}]
";

const WRAPPER: &str = "#!/bin/sh
file=${1#--watch_file=}
shift
while :; do
  \"$@\" &
  known=$(cat \"$file\")
  while [ \"$(cat \"$file\")\" = \"$known\" ]; do sleep 0.1; done
  kill $! && wait $!
done
";

#[test]
fn a_process_is_started_anew_by_an_extension_that_wraps_its_image() {
    let project = Project::new("restart", RESTARTING);
    project.write("restarting/wrapper", WRAPPER);
    let wrapper = project.dir().join("restarting/wrapper");
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    std::fs::set_permissions(wrapper, mode).expect("a file");
    let mut up = project.up();
    up.wait_for("teller │ begins with one and nothing");
    project.write("teller/words", "two\n");
    up.wait_for("[CMD 1/1] sh -c cat /proc/uptime > /tmp/.restart-proc");
    up.wait_for("teller │ begins with two and nothing");
    // No trigger: it is copied, and what runs goes on.
    project.write("teller/aside", "something\n");
    up.wait_for("updated!");
    project.write("teller/words", "three\n");
    up.wait_for("teller │ begins with three and something");
    let restarts = "jsonpath={.items[*].status.containerStatuses[*].restartCount}";
    assert_eq!(project.kubectl(&["get", "pods", "-o", restarts]), "0");
    let begins = up.seen().iter().filter(|line| line.contains("│ begins with"));
    assert_eq!(begins.count(), 3, "{:?}", up.seen());
}

/// A pod of two images of ours and one of others, with an init container that has one of them too, in a set.
const CHOIR: &str = "
--- Tiltfile
allow_k8s_contexts('dev')
docker_build('alto', 'alto', live_update=[
    fall_back_on(['alto/notes/key', 'alto/Dockerfile']), sync('alto/notes', '/notes'), sync('alto/one', '/elsewhere/'),
    run('echo alto sings $(cat /notes/a)', trigger='alto/notes/a'), run(['echo', 'always'])])
docker_build('bass', 'bass', live_update=[sync('bass', '/bass')])
k8s_yaml('choir.yaml')
--- alto/Dockerfile
FROM localhost:5000/busybox:1
COPY . /
--- alto/notes/key
one
--- alto/notes/a
one
--- alto/one
one
--- bass/Dockerfile
FROM localhost:5000/busybox:1
COPY . /bass
--- bass/b
one
--- choir.yaml
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: choir}
spec:
  replicas: 2
  podManagementPolicy: Parallel
  selector: {matchLabels: {app: choir}}
  template:
    metadata: {labels: {app: choir}}
    spec:
      terminationGracePeriodSeconds: 0
      initContainers:
      - {name: tune, image: bass, command: ['true']}
      containers:
      - {name: alto, image: alto, command: [sleep, '1000']}
      - {name: bass, image: bass, command: [sleep, '1000']}
      - {name: guest, image: 'localhost:5000/busybox:1', command: [sleep, '1000']}
";

/// Returns what a file of a container has in both pods of the choir.
fn sung(project: &Project, container: &str, file: &str) -> Vec<String> {
    let read = |pod: &str| {
        let args = ["exec", pod, "-c", container, "--", "cat", file];
        let output = project.command("kubectl", &args).output().expect("kubectl runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    ["choir-0", "choir-1"].map(read).to_vec()
}

fn choir() -> Project {
    Project::new("choir", CHOIR)
}

fn has_started(project: &Project, up: &mut Up<'_>) {
    up.wait_for("→ choir:statefulset");
    eventually("both pods run", || {
        sung(project, "alto", "/notes/a") == ["one", "one"]
            && sung(project, "bass", "/bass/b") == ["one", "one"]
    });
}

#[test]
fn each_image_of_a_pod_has_steps_of_its_own_in_all_pods_of_a_set() {
    let project = choir();
    let mut up = project.up();
    has_started(&project, &mut up);
    project.write("bass/b", "two\n");
    up.wait_for_all(&[
        ("→ Container choir-0/bass updated!", ""),
        ("→ Container choir-1/bass updated!", ""),
    ]);
    assert_eq!(sung(&project, "bass", "/bass/b"), ["two", "two"]);
    project.write("alto/notes/a", "two\n");
    up.wait_for("choir │ alto sings two");
    up.wait_for("choir │ alto sings two");
    project.write("alto/one", "two\n");
    eventually("a file goes into a directory that ends with a slash", || {
        sung(&project, "alto", "/elsewhere/one") == ["two", "two"]
    });
    let sings = up.seen().iter().filter(|line| line.contains("│ alto sings"));
    assert_eq!(sings.count(), 2, "only its trigger runs it: {:?}", up.seen());
    project.write("alto/notes/key", "two\n");
    up.wait_for("LiveUpdate \"choir:alto\" UpdateStopped: Detected change to stop file");
    eventually("new pods have all of it", || {
        sung(&project, "alto", "/notes/key") == ["two", "two"]
            && sung(&project, "alto", "/notes/a") == ["two", "two"]
            && sung(&project, "bass", "/bass/b") == ["two", "two"]
    });
}

/// A job that runs for a while, and a container that is not built here.
const MIXED: &str = "
--- Tiltfile
allow_k8s_contexts('dev')
docker_build('batch', 'batch', live_update=[sync('batch', '/batch')])
k8s_yaml('job.yaml')
k8s_custom_deploy('store', apply_cmd='kubectl apply -f store.yaml -o yaml',
    delete_cmd='kubectl delete -f store.yaml --ignore-not-found', deps=['store', 'store.yaml'],
    image_selector='localhost:5000/busybox', live_update=[sync('store', '/store')])
--- batch/Dockerfile
FROM localhost:5000/busybox:1
COPY . /batch
CMD [\"sh\", \"-c\", \"until grep -q end /batch/word; do sleep 0.2; done; echo has ended\"]
--- batch/word
go on
--- job.yaml
apiVersion: batch/v1
kind: Job
metadata: {name: batch}
spec:
  backoffLimit: 0
  template:
    spec:
      restartPolicy: Never
      terminationGracePeriodSeconds: 0
      containers: [{name: batch, image: batch}]
--- store/x
one
--- store.yaml
apiVersion: v1
kind: Pod
metadata: {name: store}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: store, image: 'localhost:5000/busybox:1', command: [sleep, '1000']}]
";

#[test]
fn a_job_that_runs_takes_a_change_in_and_one_that_has_ended_is_begun_anew_for_it() {
    let project = Project::new("mixed", MIXED);
    let mut up = project.up();
    up.wait_for_all(&[("→ batch:job", ""), ("Objects applied to cluster:", "store")]);
    eventually("the job runs", || {
        project.kubectl(&["get", "job", "batch", "-o", "jsonpath={.status.ready}"]) == "1"
    });
    project.write("batch/word", "end\n");
    up.wait_for("/batch updated!");
    up.wait_for("batch │ has ended");
    project.write("batch/word", "end twice\n");
    up.wait_for("LiveUpdate \"batch:batch\" Terminated: Container for live update is stopped.");
    up.wait_for("batch │ has ended");
    project.kubectl(&["wait", "--for=condition=Ready", "pod/store", "--timeout=60s"]);
    project.write("store/x", "two\n");
    up.wait_for("→ Container store/store updated!");
    assert_eq!(
        project.kubectl(&["exec", "store", "--", "cat", "/store/x"]),
        "two\n"
    );
}

#[test]
fn the_example_shows_an_edit_of_a_script_and_of_a_compiled_program_in_its_answers() {
    let project = Project::example("live");
    let (greeter, clock) = (free_port(), free_port());
    let tiltfile = std::fs::read_to_string(project.dir().join("Tiltfile")).expect("a Tiltfile");
    let tiltfile = tiltfile.replace("8091:", &format!("{greeter}:"));
    project.write("Tiltfile", &tiltfile.replace("8092:", &format!("{clock}:")));
    // What is compiled of Go's own library is kept, so that not each run takes a minute for it.
    let cache = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("go-build");
    let mut compile = project.command("go", &["build", "-o", "build/clock", "."]);
    compile.current_dir(project.dir().join("clock"));
    let compiled = compile.env("GOCACHE", &cache).env("CGO_ENABLED", "0").status();
    assert!(compiled.is_ok_and(|status| status.success()), "Go compiles it");
    let mut up = project.command(env!("CARGO_BIN_EXE_tilt"), &["up", "--stream", "--port=0"]);
    up.env("GOCACHE", &cache);
    let mut up = project.start(up);
    let greeting = |port| get(port, "/cgi-bin/greet");
    eventually("both answer", || {
        greeting(greeter).contains("Hello from version 1") && page(clock).contains("Clock version 1")
    });
    let pods = || project.kubectl(&["get", "pods", "-o", "jsonpath={.items[*].metadata.uid}"]);
    let before = pods();
    let edit = |file: &str| {
        let text = std::fs::read_to_string(project.dir().join(file)).expect("a file");
        project.write(file, &text.replace("version 1", "version 2"));
    };
    edit("greeter/cgi-bin/greet");
    eventually("the script is the new one", || {
        greeting(greeter).contains("Hello from version 2")
    });
    edit("clock/main.go");
    eventually("the program is the new one", || {
        page(clock).contains("Clock version 2")
    });
    up.wait_for("[CMD 1/1] sh -c kill $(cat /tmp/pid)");
    assert_eq!(pods(), before, "{:?}", up.seen());
    project.write("clock/start.sh", "exec /app/build/clock\n");
    up.wait_for("Detected change to stop file");
}
