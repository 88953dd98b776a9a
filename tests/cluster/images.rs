//! What a Tiltfile says of images, seen in the pods that run them.

use crate::support::Project;

const CHOIR: &str = "
--- Tiltfile
allow_k8s_contexts('dev')
default_registry('localhost:1/not-used-where-the-cluster-has-one')
docker_build('singer', '.', entrypoint='echo \"sings with $PARTNER\"; exec \"$0\" \"$@\"', container_args=['sleep', '600'])
docker_build('partner', '.', match_in_env_vars=True)
k8s_yaml('choir.yaml')
--- Dockerfile
FROM localhost:5000/busybox:1
--- choir.yaml
apiVersion: v1
kind: Pod
metadata: {name: choir}
spec:
  terminationGracePeriodSeconds: 0
  containers:
    - name: c
      image: singer
      command: ['false']
      env: [{name: PARTNER, value: 'partner:any'}]
";

#[test]
fn entrypoints_arguments_and_variables_reach_the_pod_with_the_registry_of_the_cluster() {
    let project = Project::new("choir", CHOIR);
    let mut up = project.up();
    up.wait_for("Default registry specified, but will be ignored in favor of auto-detected registry.");
    up.wait_for("sings with localhost:5000/partner:tilt-");
    let image = project.kubectl(&[
        "get",
        "pod",
        "choir",
        "-o",
        "jsonpath={.spec.containers[0].image}",
    ]);
    assert!(image.starts_with("localhost:5000/singer:tilt-"), "{image}");
    let args = project.kubectl(&["get", "pod", "choir", "-o", "jsonpath={.spec.containers[0].args}"]);
    assert_eq!(args, "[\"sleep\",\"600\"]");
}

/// Two images of one pod; `left` and `right` are the last lines of their Dockerfiles.
fn two_images(left: &str, right: &str) -> String {
    format!(
        "
--- Tiltfile
allow_k8s_contexts('dev')
for name in ['left', 'right']:
    docker_build(name, '.', build_args={{'STAMP': os.getenv('HOME')}}, dockerfile=name + '.dockerfile')
k8s_yaml('pod.yaml')
--- left.dockerfile
FROM localhost:5000/busybox:1
ARG STAMP
RUN : left $STAMP; {left}
--- right.dockerfile
FROM localhost:5000/busybox:1
ARG STAMP
RUN : right $STAMP; {right}
--- pod.yaml
apiVersion: v1
kind: Pod
metadata: {{name: two}}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {{name: left, image: left, command: [sleep, '1000']}}
  - {{name: right, image: right, command: [sleep, '1000']}}
"
    )
}

/// Returns the seconds that a summary says, such as `1.23` of `Step 2 - 1.23s (Pushing)`.
#[track_caller]
fn seconds(text: &str, label: &str) -> f64 {
    let rest = text.split(label).nth(1).and_then(|rest| rest.split('s').next());
    let secs = rest.and_then(|secs| secs.parse().ok());
    secs.unwrap_or_else(|| panic!("no {label:?} in {text}"))
}

#[test]
fn images_of_one_resource_are_built_at_once_and_told_one_after_the_other() {
    let slow = "echo $STAMP begins; sleep 3; echo it ends";
    let project = Project::new("at-once", &two_images(slow, slow));
    let ci = project.tilt(&["ci"]);
    assert_eq!(ci.status, Some(0), "{}", ci.text);
    let at = |text: &str| {
        let at = ci.text.find(text);
        at.unwrap_or_else(|| panic!("no {text:?} in {}", ci.text))
    };
    let places = [
        "STEP 1/5 — Building Dockerfile: [left]",
        "it ends",
        "STEP 2/5 — Pushing localhost:5000/left:",
        "STEP 3/5 — Building Dockerfile: [right]",
        "STEP 4/5 — Pushing localhost:5000/right:",
        "STEP 5/5 — Deploying",
        "Step 1 - ",
        "Step 2 - ",
        "Step 3 - ",
        "Step 4 - ",
        "Step 5 - ",
    ]
    .map(at);
    assert!(places.is_sorted(), "{places:?} in {}", ci.text);
    let one_by_one = seconds(&ci.text, "Step 1 - ") + seconds(&ci.text, "Step 3 - ");
    let total = seconds(&ci.text, "DONE IN: ");
    assert!(
        total < one_by_one,
        "{total} s, one by one {one_by_one} s\n{}",
        ci.text
    );
}

#[test]
fn images_are_built_one_by_one_where_no_more_may_be_built_at_a_time() {
    let files = two_images("sleep 1", "sleep 1");
    let files = files.replace("k8s_yaml(", "update_settings(max_parallel_updates=1)\nk8s_yaml(");
    let project = Project::new("one-by-one", &files);
    let ci = project.tilt(&["ci"]);
    assert_eq!(ci.status, Some(0), "{}", ci.text);
    let one_by_one = seconds(&ci.text, "Step 1 - ") + seconds(&ci.text, "Step 3 - ");
    let total = seconds(&ci.text, "DONE IN: ");
    assert!(
        total > one_by_one,
        "{total} s, one by one {one_by_one} s\n{}",
        ci.text
    );
}

#[test]
fn the_first_image_that_fails_stops_the_others_and_is_what_the_update_says() {
    let project = Project::new("one-fails", &two_images("sleep 600", "echo no; exit 7"));
    let ci = project.tilt(&["ci"]);
    assert_eq!(ci.status, Some(1), "{}", ci.text);
    let at = |text: &str| {
        let at = ci.text.find(text);
        at.unwrap_or_else(|| panic!("no {text:?} in {}", ci.text))
    };
    let places = [
        "STEP 1/5 — Building Dockerfile: [left]",
        "Canceled, because [right] failed",
        "STEP 3/5 — Building Dockerfile: [right]",
        "→ no",
        "Build Failed: ImageBuild: ",
    ]
    .map(at);
    assert!(places.is_sorted(), "{places:?} in {}", ci.text);
    assert!(!ci.text.contains("STEP 2/5"), "{}", ci.text);
}

const SHELVED: &str = "
--- Tiltfile
allow_k8s_contexts('dev')
for name in ['shelf', 'book']:
    docker_build(name, name, build_args={'STAMP': os.getenv('HOME')})
k8s_yaml('pod.yaml')
--- shelf/Dockerfile
FROM localhost:5000/busybox:1
ARG STAMP
RUN echo $STAMP > /stamp
--- book/Dockerfile
FROM shelf
COPY words /words
--- book/words
one
--- pod.yaml
apiVersion: v1
kind: Pod
metadata: {name: book}
spec:
  terminationGracePeriodSeconds: 0
  containers:
  - {name: book, image: book, command: [sh, -c, 'echo reads $(cat /words); exec sleep 1000']}
";

#[test]
fn an_image_without_changes_is_used_again_and_built_again_where_it_is_gone() {
    let project = Project::new("shelved", SHELVED);
    let mut up = project.up();
    up.wait_for("reads one");
    project.write("book/words", "two");
    up.wait_for("STEP 1/4 — Loading cached images");
    let shelf = up.wait_for("- localhost:5000/shelf:tilt-");
    let shelf = shelf.split("- ").last().unwrap_or_default().to_owned();
    up.wait_for("STEP 2/4 — Building Dockerfile: [book]");
    up.wait_for("reads two");
    let removed = project.command("docker", &["image", "rm", "-f", &shelf]).output();
    assert!(removed.expect("docker is on PATH").status.success());
    project.write("book/words", "three");
    up.wait_for(&format!(
        "Rebuilding {shelf} because image not found in image store"
    ));
    up.wait_for("STEP 1/5 — Building Dockerfile: [shelf]");
    up.wait_for("STEP 3/5 — Building Dockerfile: [book]");
    up.wait_for("reads three");
}
