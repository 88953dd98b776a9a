//! Commands that build, deploy and delete use the session's cluster, whatever the current context is; and what they print.

use crate::support::Project;

/// A resource that commands build, deploy and delete; each tells which context it would use.
const COMMANDS: &str = "
--- Tiltfile
allow_k8s_contexts('dev')
where = 'echo CMD: $(sed -n \"s/^current-context: //p\" $KUBECONFIG) >>places; '
custom_build('built', where.replace('CMD', 'build') + 'docker tag localhost:5000/busybox:1 $EXPECTED_REF', deps=['a'])
k8s_yaml('pod.yaml')
k8s_yaml('secret.yaml')
k8s_custom_deploy('deployed',
    apply_cmd=where.replace('CMD', 'apply') + 'kubectl apply -f cm.yaml -o yaml; echo talk >&2',
    delete_cmd=where.replace('CMD', 'delete') + 'kubectl delete -f cm.yaml; echo it was hunter2hunter2',
    deps=[])
k8s_resource('deployed', pod_readiness='ignore')
--- a
--- cm.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: deployed}
--- secret.yaml
apiVersion: v1
kind: Secret
metadata: {name: s}
stringData: {k: hunter2hunter2}
--- pod.yaml
apiVersion: v1
kind: Pod
metadata: {name: built}
spec:
  terminationGracePeriodSeconds: 0
  containers: [{name: c, image: built, command: [sleep, '1000']}]
";

/// Adds a context that leads nowhere, and makes it the current one.
fn with_other_current_context(project: &Project) {
    let text = std::fs::read_to_string(project.kubeconfig()).expect("a file");
    let mut config: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    let user = config["contexts"][0]["context"]["user"].clone();
    let add = |list: &mut serde_json::Value, item: serde_json::Value| {
        list.as_array_mut().expect("a list").push(item);
    };
    add(
        &mut config["clusters"],
        serde_json::json!({"name": "prod", "cluster": {"server": "http://127.0.0.1:9"}}),
    );
    add(
        &mut config["contexts"],
        serde_json::json!({"name": "prod", "context": {"cluster": "prod", "user": user}}),
    );
    config["current-context"] = "prod".into();
    std::fs::write(project.kubeconfig(), config.to_string()).expect("a file");
}

#[test]
fn commands_that_build_deploy_and_delete_use_the_cluster_of_the_session() {
    let project = Project::new("commands", COMMANDS);
    with_other_current_context(&project);
    let ci = project.tilt(&["ci", "--context=dev"]);
    assert_eq!(ci.status, Some(0), "{}", ci.text);
    assert!(
        ci.text.contains("│      talk"),
        "what it says is below its line\n{}",
        ci.text
    );
    let down = project.tilt(&["down", "--context=dev"]);
    assert_eq!(down.status, Some(0), "{}", down.text);
    let places = std::fs::read_to_string(project.dir().join("places")).expect("commands ran");
    // What builds and what deploys belong to two resources, whose updates run side by side.
    let mut places: Vec<&str> = places.lines().collect();
    places[..2].sort_unstable();
    assert_eq!(places, ["apply: dev", "build: dev", "delete: dev"]);
    assert!(
        down.text.contains("     configmap \"deployed\" deleted")
            && down.text.contains("     it was [redacted secret s:k]"),
        "{}",
        down.text
    );
    assert!(!down.text.contains("hunter2"), "{}", down.text);
}

const PUSHES: &str = "
--- Tiltfile
allow_k8s_contexts('dev')
custom_build('pushed', 'docker build -t $EXPECTED_REF . && docker push $EXPECTED_REF', deps=['a'], disable_push=True)
custom_build('fixed', 'docker build -t $EXPECTED_REF . && docker push $EXPECTED_REF', deps=['a'], disable_push=True,
    tag='t' + str(local('date +%s%N', quiet=True)).strip())
k8s_yaml('pods.yaml')
--- Dockerfile
FROM localhost:5000/busybox:1
COPY a /a
CMD [\"sleep\", \"1000\"]
--- a
--- pods.yaml
apiVersion: v1
kind: Pod
metadata: {name: pushed}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: pushed}]}
---
apiVersion: v1
kind: Pod
metadata: {name: fixed}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: fixed}]}
";

#[test]
fn what_a_command_has_pushed_by_itself_is_what_runs() {
    let project = Project::new("pushes", PUSHES);
    project.write("a", &format!("{:?}", std::time::SystemTime::now()));
    let ci = project.tilt(&["ci"]);
    assert_eq!(ci.status, Some(0), "{}", ci.text);
    let image =
        |pod: &str| project.kubectl(&["get", "pod", pod, "-o", "jsonpath={.spec.containers[0].image}"]);
    assert!(
        image("pushed").starts_with("localhost:5000/pushed:tilt-build-"),
        "{}",
        image("pushed")
    );
    assert!(image("fixed").contains("@sha256:"), "{}", image("fixed"));
}

const MOUNTS: &str = "
--- Tiltfile
allow_k8s_contexts('dev')
docker_build('tilt-mount-base', 'base')
docker_build('mounts', '.', dockerfile_contents='FROM localhost:5000/busybox:1\\nRUN --mount=type=bind,from=tilt-mount-base,source=/who,target=/m cp /m /who\\nCMD [\"sh\", \"-c\", \"cat /who; sleep 1000\"]\\n')
k8s_yaml('pod.yaml')
--- base/Dockerfile
FROM localhost:5000/busybox:1
COPY who /who
--- base/who
from the base
--- pod.yaml
apiVersion: v1
kind: Pod
metadata: {name: mounts}
spec: {terminationGracePeriodSeconds: 0, containers: [{name: c, image: mounts}]}
";

#[test]
fn an_image_that_a_run_mounts_from_is_built_first() {
    let project = Project::new("mounts", MOUNTS);
    let ci = project.tilt(&["ci"]);
    assert_eq!(ci.status, Some(0), "{}", ci.text);
    assert!(ci.text.contains("from the base"), "{}", ci.text);
}
