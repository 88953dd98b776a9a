//! Running containers that are changed in place: what is in them follows what is saved, whatever comes between.

use crate::support::{Project, Up, eventually};

/// A page that a pod serves, and that is synced into it. `LIVE` is the list of steps, `REPLICAS` how many pods there are.
const GALLERY: &str = "
--- Tiltfile
allow_k8s_contexts('dev')
docker_build('gallery', '.', live_update=LIVE)
k8s_yaml('gallery.yaml')
--- Dockerfile
FROM localhost:5000/busybox:1
WORKDIR /srv
COPY site site
CMD [\"sh\", \"-c\", \"httpd -p 8080 -h /srv/site; while [ ! -e /tmp/die ]; do sleep 0.2; done\"]
--- gallery.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: gallery}
spec:
  replicas: REPLICAS
  selector: {matchLabels: {app: gallery}}
  template:
    metadata: {labels: {app: gallery}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: gallery, image: gallery}]
--- site/page
one
--- other
not synced
";

const SYNC: &str = "[fall_back_on('site/stop'), sync('site', '/srv/site')]";

fn gallery(live: &str, replicas: usize) -> Project {
    let files = GALLERY
        .replace("LIVE", live)
        .replace("REPLICAS", &replicas.to_string());
    Project::new("live", &files)
}

/// Returns what each pod has of a file.
fn pages(project: &Project, file: &str) -> Vec<String> {
    let pods = project.kubectl(&["get", "pods", "-l", "app=gallery", "-o", "name"]);
    let read = |pod: &str| {
        let args = ["exec", pod, "--", "cat", &format!("/srv/site/{file}")];
        let output = project.command("kubectl", &args).output().expect("kubectl runs");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    pods.lines().map(read).collect()
}

fn pod_uids(project: &Project) -> String {
    let uids = "jsonpath={.items[*].metadata.uid}";
    project.kubectl(&["get", "pods", "-l", "app=gallery", "-o", uids])
}

#[track_caller]
fn all_have(project: &Project, replicas: usize, page: &str) {
    eventually(&format!("{replicas} pods with {page:?}"), || {
        let pages = pages(project, "page");
        pages.len() == replicas && pages.iter().all(|there| there == page)
    });
}

/// Starts it and waits until its pods run.
fn started(project: &Project, replicas: usize) -> Up<'_> {
    let mut up = project.up();
    up.wait_for("→ gallery:deployment");
    all_have(project, replicas, "one");
    up
}

/// Returns how many image builds were begun.
fn builds(up: &mut Up<'_>) -> usize {
    // What has come by now is read.
    let _ = up.came("", std::time::Instant::now());
    up.seen()
        .iter()
        .filter(|line| line.contains("Building Dockerfile: [gallery]"))
        .count()
        / 2
}

#[test]
fn what_is_saved_during_the_image_build_is_in_the_container_at_last() {
    let project = gallery(SYNC, 1);
    project.write(
        "Dockerfile",
        &GALLERY
            .split("--- ")
            .nth(2)
            .expect("it")
            .replace("Dockerfile\n", "")
            .replace("CMD", "RUN sleep 3\nCMD"),
    );
    let mut up = project.up();
    up.wait_for("Building image");
    std::thread::sleep(std::time::Duration::from_secs(1));
    project.write("site/page", "during the build\n");
    up.wait_for("Will copy 1 file(s)");
    up.wait_for("updated!");
    all_have(&project, 1, "during the build");
    assert_eq!(builds(&mut up), 1, "{:?}", up.seen());
}

#[test]
fn a_pod_that_is_new_gets_what_the_others_have() {
    let project = gallery(SYNC, 1);
    let mut up = started(&project, 1);
    project.write("site/page", "two\n");
    up.wait_for("updated!");
    project.kubectl(&["scale", "deployment/gallery", "--replicas=3"]);
    all_have(&project, 3, "two");
    project.kubectl(&["delete", "pod", "--all", "--wait=false"]);
    project.write("site/page", "three\n");
    all_have(&project, 3, "three");
    assert_eq!(builds(&mut up), 1, "{:?}", up.seen());
}

#[test]
fn a_container_that_restarted_gets_what_was_saved_before() {
    let project = gallery(SYNC, 1);
    let mut up = started(&project, 1);
    project.write("site/page", "two\n");
    up.wait_for("updated!");
    let uid = pod_uids(&project);
    let kill = ["exec", "deployment/gallery", "--", "touch", "/tmp/die"];
    let _ = project.command("kubectl", &kill).output();
    up.wait_for("Detected container restart.");
    all_have(&project, 1, "two");
    project.write("site/page", "three\n");
    all_have(&project, 1, "three");
    let seen = (pod_uids(&project), builds(&mut up));
    assert_eq!(seen, (uid, 1), "{:?}", up.seen());
}

#[test]
fn saves_during_a_sync_and_a_pod_that_goes_in_the_middle_lose_nothing() {
    let project = gallery(
        "[sync('site', '/srv/site'), run('sleep 1; echo had $(cat /srv/site/page)')]",
        1,
    );
    let mut up = started(&project, 1);
    project.write("site/page", "two\n");
    up.wait_for("[CMD 1/1]");
    project.write("site/page", "three\n");
    up.wait_for("had three");
    project.write("site/page", "four\n");
    up.wait_for("[CMD 1/1]");
    project.kubectl(&["delete", "pod", "--all", "--wait=false"]);
    all_have(&project, 1, "four");
    up.wait_for("had four");
    assert_eq!(builds(&mut up), 1, "{:?}", up.seen());
}

#[test]
fn what_was_saved_while_no_session_ran_is_synced_when_one_starts_and_nothing_is_built_for_it() {
    let project = gallery(SYNC, 1);
    let mut up = started(&project, 1);
    project.write("site/page", "two\n");
    up.wait_for("updated!");
    let uid = pod_uids(&project);
    up.stop("INT");
    project.write("site/page", "three\n");
    let mut up = project.up();
    up.wait_for("Not built: containers of localhost:5000/gallery:tilt-");
    up.wait_for("→ gallery:deployment");
    up.wait_for("updated!");
    all_have(&project, 1, "three");
    assert_eq!(pod_uids(&project), uid);
    project.write("site/page", "four\n");
    all_have(&project, 1, "four");
    project.kubectl(&["delete", "pod", "--all", "--wait=false"]);
    up.wait_for("updated!");
    all_have(&project, 1, "four");
    up.stop("INT");
    project.write("site/stop", "a file that stops live updates");
    let mut up = project.up();
    up.wait_for("Building image");
    up.wait_for("→ gallery:deployment");
    all_have(&project, 1, "four");
}

#[test]
fn a_container_that_outlived_a_session_does_not_keep_what_was_taken_back_meanwhile() {
    let project = gallery(SYNC, 1);
    let mut up = started(&project, 1);
    project.write("site/page", "two\n");
    project.write("site/more", "more\n");
    all_have(&project, 1, "two");
    up.wait_for("updated!");
    let uid = pod_uids(&project);
    up.stop("INT");
    // The image comes out as it was, so its pod stays.
    project.write("site/page", "one\n");
    std::fs::remove_file(project.dir().join("site/more")).expect("it is there");
    let mut up = project.up();
    up.wait_for("→ gallery:deployment");
    all_have(&project, 1, "one");
    eventually("the file that was taken back is gone", || {
        pages(&project, "more") == [""]
    });
    assert_eq!(pod_uids(&project), uid);
}

#[test]
fn a_command_that_fails_is_red_and_the_next_save_runs_it_again() {
    let project = gallery(
        "[sync('site', '/srv/site'), run('test -f /srv/site/good', trigger='site/page')]",
        1,
    );
    let mut up = started(&project, 1);
    project.write("site/page", "two\n");
    up.wait_for("Failed to update container gallery-");
    all_have(&project, 1, "two");
    project.write("site/good", "");
    up.wait_for("[CMD 1/1]");
    up.wait_for("updated!");
    assert_eq!(builds(&mut up), 1, "{:?}", up.seen());
}

#[test]
fn two_containers_of_a_pod_have_syncs_of_their_own_and_a_base_image_goes_through_them() {
    let files = "
--- Tiltfile
allow_k8s_contexts('dev')
docker_build('base', 'base')
docker_build('left', 'left', live_update=[sync('base/lib', '/lib.d'), sync('left', '/left')])
docker_build('right', 'right', live_update=[sync('right', '/right')])
k8s_yaml('pair.yaml')
--- base/Dockerfile
FROM localhost:5000/busybox:1
COPY lib /lib.d
--- base/lib/x
one
--- left/Dockerfile
FROM base
COPY . /left
--- left/x
one
--- right/Dockerfile
FROM localhost:5000/busybox:1
COPY . /right
--- right/x
one
--- pair.yaml
apiVersion: v1
kind: Pod
metadata: {name: pair}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: left, image: left, command: [sleep, '1000']}
  - {name: right, image: right, command: [sleep, '1000']}
";
    let project = Project::new("pair", files);
    let mut up = project.up();
    up.wait_for("→ pair:pod");
    project.kubectl(&["wait", "--for=condition=Ready", "pod/pair", "--timeout=60s"]);
    for (file, container, place) in [
        ("left/x", "left", "/left/x"),
        ("right/x", "right", "/right/x"),
        ("base/lib/x", "left", "/lib.d/x"),
    ] {
        project.write(file, "two\n");
        up.wait_for(&format!("→ Container pair/{container} updated!"));
        let there = project.kubectl(&["exec", "pair", "-c", container, "--", "cat", place]);
        assert_eq!(there, "two\n", "{file}");
    }
}

#[test]
fn a_container_that_is_built_elsewhere_is_changed_in_place() {
    let files = "
--- Tiltfile
allow_k8s_contexts('dev')
k8s_custom_deploy(
    'shop',
    apply_cmd='kubectl apply -f shop.yaml -o yaml',
    delete_cmd='kubectl delete -f shop.yaml --ignore-not-found',
    deps=['src', 'shop.yaml'],
    container_selector='shop',
    live_update=[sync('src', '/src')])
--- src/x
one
--- shop.yaml
apiVersion: v1
kind: Pod
metadata: {name: shop}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: shop, image: 'localhost:5000/busybox:1', command: [sleep, '1000']}]
";
    let project = Project::new("elsewhere", files);
    let mut up = project.up();
    up.wait_for("Objects applied to cluster:");
    project.kubectl(&["wait", "--for=condition=Ready", "pod/shop", "--timeout=60s"]);
    project.write("src/x", "two\n");
    up.wait_for("→ Container shop/shop updated!");
    assert_eq!(project.kubectl(&["exec", "shop", "--", "cat", "/src/x"]), "two\n");
}

#[test]
fn an_image_without_tar_says_what_to_do_and_is_built_then() {
    let files = "
--- Tiltfile
allow_k8s_contexts('dev')
docker_build('bare', '.', live_update=[sync('src', '/src')])
k8s_yaml('bare.yaml')
--- Dockerfile
FROM localhost:5000/busybox:1 AS shell
FROM scratch
COPY --from=shell /bin/sleep /sleep
COPY --from=shell /lib /lib
COPY --from=shell /lib64 /lib64
COPY src /src
ENTRYPOINT [\"/sleep\", \"1000\"]
--- src/x
one
--- bare.yaml
apiVersion: v1
kind: Pod
metadata: {name: bare}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: bare, image: bare}]
";
    let project = Project::new("bare", files);
    let mut up = project.up();
    up.wait_for("→ bare:pod");
    project.kubectl(&["wait", "--for=condition=Ready", "pod/bare", "--timeout=60s"]);
    project.write("src/x", "two\n");
    let said = up.wait_for("LiveUpdate \"bare:bare\" UpdateFailed: Updating pod bare: the image has no ");
    assert!(said.contains("which live update needs"), "{said}");
    up.wait_for("hint: build on an image that has `sh` and `tar`");
    up.wait_for("Building Dockerfile: [bare]");
    up.wait_for("→ bare:pod");
}

#[test]
fn all_is_copied_into_a_new_container_where_the_tiltfile_says_so_also_in_a_run_that_ends_by_itself() {
    let project = gallery(
        "[initial_sync(), sync('site', '/srv/copy'), run('ls /srv/copy')]",
        1,
    );
    let ended = project.tilt(&["ci", "--port=0"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text);
    let initial = ended
        .text
        .split("gallery │ Initial Sync")
        .nth(1)
        .unwrap_or_default();
    for line in [
        "Initial sync: will copy sync paths to container: [gallery-",
        "│ page",
        "updated!",
    ] {
        assert!(initial.contains(line), "{line}: {}", ended.text);
    }
    let page = project.kubectl(&["exec", "deployment/gallery", "--", "cat", "/srv/copy/page"]);
    assert_eq!(page, "one\n");
}

#[test]
fn names_of_any_bytes_and_many_files_at_once_arrive_and_go() {
    use std::os::unix::ffi::OsStrExt;
    let project = gallery("[sync('site', '/srv/site')]", 1);
    let mut up = started(&project, 1);
    let names: [&[u8]; 7] = [
        b"a b",
        b"q'u\"o",
        b"new\nline",
        b"\xff\xfe",
        b"-rf",
        b"$(id)",
        b"*",
    ];
    let site = project.dir().join("site");
    let here = |name: &[u8]| site.join(std::ffi::OsStr::from_bytes(name));
    for name in names {
        std::fs::write(here(name), "there").expect("a file");
    }
    let count = |what: &str| {
        let script = format!("find /srv/site -type f {what} -exec cat {{}} + | wc -c");
        let args = ["exec", "deployment/gallery", "--", "sh", "-c", &script];
        let counted = project.command("kubectl", &args).output().expect("kubectl runs");
        String::from_utf8_lossy(&counted.stdout).trim().to_owned()
    };
    eventually("all names are there", || count("! -name page") == "35");
    for name in names {
        std::fs::remove_file(here(name)).expect("it is there");
    }
    eventually("all names are gone", || count("! -name page") == "0");
    let many = site.join("many");
    std::fs::create_dir(&many).expect("a folder");
    for number in 0..10_000 {
        std::fs::write(many.join(format!("file-{number}")), "many").expect("a file");
    }
    eventually("10,000 files are there", || count("! -name page") == "40000");
    std::fs::remove_dir_all(&many).expect("it is there");
    eventually("they are gone", || count("! -name page") == "0");
    assert_eq!(builds(&mut up), 1, "{:?}", up.seen());
}

#[test]
fn a_file_that_cannot_be_replaced_is_written_in_place_and_that_is_told_once() {
    let project = gallery("[sync('site', '/srv/site')]", 1);
    let yaml = std::fs::read_to_string(project.dir().join("gallery.yaml")).expect("a file");
    let pod = "      volumes: [{name: fixed, emptyDir: {}}]
      initContainers:
      - {name: make, image: 'localhost:5000/busybox:1', command: [sh, -c, 'echo none >/fixed/page'], volumeMounts: [{name: fixed, mountPath: /fixed}]}
      containers: [{name: gallery, image: gallery, volumeMounts: [{name: fixed, mountPath: /srv/site/page, subPath: page}]}]\n";
    let head = yaml.split("      containers:").next().unwrap_or_default();
    project.write("gallery.yaml", &format!("{head}{pod}"));
    let mut up = project.up();
    up.wait_for("→ gallery:deployment");
    all_have(&project, 1, "none");
    project.write("site/page", "two\n");
    let told = up.wait_for("is written in place");
    assert!(
        told.contains("'/srv/site/page'") && told.contains("it is a mount point"),
        "{told}"
    );
    all_have(&project, 1, "two");
    project.write("site/page", "three\n");
    all_have(&project, 1, "three");
    up.wait_for("updated!");
    up.wait_for("updated!");
    let told = up
        .seen()
        .iter()
        .filter(|line| line.contains("is written in place"));
    assert_eq!(told.count(), 1, "{:?}", up.seen());
    assert_eq!(builds(&mut up), 1, "{:?}", up.seen());
}

#[test]
fn tar_is_all_that_an_image_needs() {
    let files = "
--- Tiltfile
allow_k8s_contexts('dev')
docker_build('bare', '.', live_update=[sync('src', '/src'), run(['/cat', '/src/x'])])
k8s_yaml('bare.yaml')
--- Dockerfile
FROM localhost:5000/busybox:1 AS shell
FROM scratch
COPY --from=shell /bin/sleep /sleep
COPY --from=shell /bin/cat /cat
COPY --from=shell /bin/tar /bin/rm /bin/
COPY --from=shell /lib /lib
COPY --from=shell /lib64 /lib64
COPY src /src
ENV PATH=/bin
ENTRYPOINT [\"/sleep\", \"1000\"]
--- src/x
one
--- src/y
one
--- bare.yaml
apiVersion: v1
kind: Pod
metadata: {name: bare}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: bare, image: bare}]
";
    let project = Project::new("tar", files);
    let mut up = project.up();
    up.wait_for("→ bare:pod");
    project.kubectl(&["wait", "--for=condition=Ready", "pod/bare", "--timeout=60s"]);
    project.write("src/x", "two\n");
    up.wait_for("[CMD 1/1] /cat /src/x");
    up.wait_for("bare │ two");
    up.wait_for("'/src/x' is written in place, so that a reader may see part of it: the image has no `sh`");
    up.wait_for("→ Container bare/bare updated!");
    std::fs::remove_file(project.dir().join("src/y")).expect("it is there");
    up.wait_for("- '/src/y' (matched local path:");
    up.wait_for("→ Container bare/bare updated!");
    let gone = project
        .command("kubectl", &["exec", "bare", "--", "/cat", "/src/y"])
        .output();
    assert!(!gone.expect("kubectl runs").status.success());
}
