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
