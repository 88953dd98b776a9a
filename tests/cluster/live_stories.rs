//! Running containers that are changed in place while much happens at once: another branch, an editor's own ways of saving,
//! volumes. What is in each pod must be what is on the disk at last, with nothing built for it.

use std::path::Path;
use std::time::Duration;

use crate::support::{Project, Up, eventually};

/// A folder that is synced into pods. `MOUNTS` and `VOLUMES` are lists.
const DEPOT: &str = "
--- Tiltfile
allow_k8s_contexts('dev')
docker_build('depot', '.', live_update=[sync('goods', '/depot/goods')])
k8s_yaml('depot.yaml')
--- .dockerignore
.git
**/*~
**/4913
**/*___jb_*
--- Dockerfile
FROM localhost:5000/busybox:1
COPY goods /depot/goods
CMD [\"sh\", \"-c\", \"while [ ! -e /tmp/die ]; do sleep 0.1; done\"]
--- depot.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: depot}
spec:
  replicas: REPLICAS
  selector: {matchLabels: {app: depot}}
  template:
    metadata: {labels: {app: depot}}
    spec:
      terminationGracePeriodSeconds: 0
      volumes: VOLUMES
      containers: [{name: depot, image: depot, volumeMounts: MOUNTS}]
--- goods/first
one
";

fn depot(replicas: usize, volumes: &str, mounts: &str) -> Project {
    let files = DEPOT
        .replace("REPLICAS", &replicas.to_string())
        .replace("VOLUMES", volumes)
        .replace("MOUNTS", mounts);
    Project::new("live-stories", &files)
}

/// Prints all that is in a folder: contents, what may be run, links.
const LIST: &str = "export LC_ALL=C; find . -type f -exec sha256sum {} + | sort -k 2; find . -type f -perm -100 | sort; \
    for l in $(find . -type l | sort); do echo \"$l -> $(readlink \"$l\")\"; done";

fn here(project: &Project) -> String {
    let script = format!("cd goods && {LIST}");
    let listed = project
        .command("sh", &["-c", &script])
        .output()
        .expect("a shell runs");
    String::from_utf8_lossy(&listed.stdout).into_owned()
}

fn pods(project: &Project) -> Vec<String> {
    let running = "--field-selector=status.phase=Running";
    let pods = project.kubectl(&["get", "pods", "-l", "app=depot", running, "-o", "name"]);
    pods.lines().map(str::to_owned).collect()
}

fn in_pod(project: &Project, pod: &str, script: &str) -> String {
    let args = ["exec", pod, "--", "sh", "-c", script];
    let output = project.command("kubectl", &args).output().expect("kubectl runs");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

#[track_caller]
fn all_have_what_is_here(project: &Project, replicas: usize, when: &str) {
    let here = here(project);
    let script = format!("cd /depot/goods && {LIST}");
    let mut last = Vec::new();
    eventually(
        &format!("{replicas} pods hold what is on the disk {when}"),
        || {
            last = pods(project)
                .iter()
                .map(|pod| in_pod(project, pod, &script))
                .collect();
            last.len() == replicas && last.iter().all(|there| *there == here)
        },
    );
}

fn builds(up: &mut Up<'_>) -> usize {
    let _ = up.came("", std::time::Instant::now());
    let lines = up.seen().iter();
    lines
        .filter(|line| line.contains("STEP 1/3 — Building Dockerfile"))
        .count()
}

fn kill_container(project: &Project, pod: &str) {
    in_pod(project, pod, "touch /tmp/die");
}

fn git(project: &Project, args: &[&str]) {
    let identity = ["-c", "user.name=me", "-c", "user.email=me@example.com"];
    let mut command = project.command("git", &[&identity[..], args].concat());
    let output = command
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .expect("git runs");
    assert!(output.status.success(), "git {args:?}: {output:?}");
}

#[test]
fn a_checkout_of_another_branch_arrives_whole_in_all_pods_though_one_goes_meanwhile() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let project = depot(3, "[]", "[]");
    let goods = project.dir().join("goods");
    let write = |name: String, text: &str| project.write(&format!("goods/{name}"), text);
    for n in 0..300 {
        write(
            format!("shelf{}/{n}", n % 20),
            &format!("one {n}").repeat(n % 40 + 1),
        );
    }
    write("becomes-file/inner".to_owned(), "one");
    write("becomes-folder".to_owned(), "one");
    symlink("first", goods.join("link")).expect("a link");
    git(&project, &["init", "-q", "-b", "one"]);
    git(&project, &["add", "."]);
    git(&project, &["commit", "-q", "-m", "one"]);
    git(&project, &["checkout", "-q", "-b", "two"]);
    for n in 0..300 {
        match n % 3 {
            0 => std::fs::remove_file(goods.join(format!("shelf{}/{n}", n % 20))).expect("it is there"),
            1 => write(
                format!("shelf{}/{n}", n % 20),
                &format!("two {n}").repeat(n % 40 + 1),
            ),
            _ => write(format!("new{}/deep/{n}", n % 7), "two"),
        }
    }
    std::fs::remove_dir_all(goods.join("becomes-file")).expect("it is there");
    write("becomes-file".to_owned(), "two");
    std::fs::remove_file(goods.join("becomes-folder")).expect("it is there");
    write("becomes-folder/inner".to_owned(), "two");
    std::fs::remove_file(goods.join("link")).expect("it is there");
    write("link".to_owned(), "a file now");
    std::fs::set_permissions(goods.join("first"), PermissionsExt::from_mode(0o755)).expect("it is ours");
    git(&project, &["add", "-A"]);
    git(&project, &["commit", "-q", "-m", "two"]);
    git(&project, &["checkout", "-q", "one"]);
    let mut up = project.up();
    up.wait_for("→ depot:deployment");
    all_have_what_is_here(&project, 3, "at first");
    for (round, branch) in ["two", "one", "two"].into_iter().enumerate() {
        git(&project, &["checkout", "-q", branch]);
        match (round, pods(&project).first()) {
            (1, Some(pod)) => drop(project.kubectl(&["delete", pod, "--wait=false"])),
            (2, Some(pod)) => kill_container(&project, pod),
            _ => {}
        }
        all_have_what_is_here(&project, 3, &format!("after checkout {round}"));
    }
    for branch in ["one", "two", "one", "two", "one"] {
        git(&project, &["checkout", "-q", branch]);
        std::thread::sleep(Duration::from_millis(120));
    }
    all_have_what_is_here(&project, 3, "after checkouts in quick succession");
    assert_eq!(builds(&mut up), 1, "{:?}", up.seen());
}

/// Saves a file as an editor does: vim, a JetBrains IDE, VS Code.
fn save(path: &Path, number: usize) {
    let text = format!("edit {number}\n{}", "x".repeat(number * 211 % 30_000));
    let beside = |suffix: &str| {
        let name = path.file_name().expect("it has a name").to_string_lossy();
        path.with_file_name(format!("{name}{suffix}"))
    };
    let saved = match number % 3 {
        0 => std::fs::rename(path, beside("~"))
            .and_then(|()| std::fs::write(path, text))
            .and_then(|()| std::fs::remove_file(beside("~"))),
        1 => std::fs::write(beside("___jb_tmp___"), text)
            .and_then(|()| std::fs::rename(path, beside("___jb_old___")))
            .and_then(|()| std::fs::rename(beside("___jb_tmp___"), path))
            .and_then(|()| std::fs::remove_file(beside("___jb_old___"))),
        _ => std::fs::write(path, text),
    };
    saved.expect("it can be saved");
}

#[test]
fn editors_save_in_their_ways_while_pods_and_containers_come_and_go_and_nothing_is_lost() {
    let project = depot(2, "[]", "[]");
    let mut up = project.up();
    up.wait_for("→ depot:deployment");
    for n in 0..5 {
        project.write(&format!("goods/{n}"), "none\n");
    }
    all_have_what_is_here(&project, 2, "at first");
    for edit in 0..90 {
        save(&project.dir().join(format!("goods/{}", edit * 7 % 5)), edit);
        match (edit, pods(&project).last()) {
            // More than once would make it a container that crashes, which is built anew.
            (10, Some(pod)) => kill_container(&project, pod),
            (40 | 70, Some(pod)) => drop(project.kubectl(&["delete", pod, "--wait=false"])),
            _ => std::thread::sleep(Duration::from_millis(30)),
        }
    }
    all_have_what_is_here(&project, 2, "after all saves");
    assert_eq!(builds(&mut up), 1, "{:?}", up.seen());
}

#[test]
fn what_is_synced_into_a_volume_is_what_is_on_the_disk_also_after_the_container_restarted() {
    let volume = "[{name: goods, emptyDir: {}}]";
    let project = depot(2, volume, "[{name: goods, mountPath: /depot}]");
    let mut up = project.up();
    up.wait_for("→ depot:deployment");
    // The volume hides what the image has.
    eventually("two pods run", || pods(&project).len() == 2);
    for (name, text) in [("first", "two"), ("second", "one"), ("deep/er/third", "one")] {
        project.write(&format!("goods/{name}"), text);
    }
    all_have_what_is_here(&project, 2, "in the volume");
    std::fs::rename(
        project.dir().join("goods/deep"),
        project.dir().join("goods/moved"),
    )
    .expect("it is there");
    all_have_what_is_here(&project, 2, "after a folder was renamed");
    for pod in pods(&project) {
        kill_container(&project, &pod);
    }
    up.wait_for("Detected container restart.");
    // What was synced is still in the volume, unlike what is in the container.
    std::fs::remove_file(project.dir().join("goods/second")).expect("it is there");
    project.write("goods/first", "three");
    all_have_what_is_here(&project, 2, "after the containers restarted");
    assert_eq!(builds(&mut up), 1, "{:?}", up.seen());
}
