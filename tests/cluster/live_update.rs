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
fn builds(up: &Up<'_>) -> usize {
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
    assert_eq!(builds(&up), 1, "{:?}", up.seen());
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
    assert_eq!(builds(&up), 1, "{:?}", up.seen());
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
    assert_eq!((pod_uids(&project), builds(&up)), (uid, 1), "{:?}", up.seen());
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
    assert_eq!(builds(&up), 1, "{:?}", up.seen());
}

#[test]
fn what_was_saved_while_no_session_ran_is_deployed_when_one_starts() {
    let project = gallery(SYNC, 1);
    let mut up = started(&project, 1);
    project.write("site/page", "two\n");
    up.wait_for("updated!");
    up.stop("INT");
    project.write("site/page", "three\n");
    let mut up = project.up();
    up.wait_for("→ gallery:deployment");
    all_have(&project, 1, "three");
    project.write("site/page", "four\n");
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
    assert_eq!(builds(&up), 1, "{:?}", up.seen());
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
