//! Two people deploy the same objects: the second one is told of the first.

use crate::support::Project;

const STALL: &str = "
--- Tiltfile
allow_k8s_contexts('dev')
k8s_yaml('stall.yaml')
k8s_resource(new_name='stall', objects=['stall:configmap', 'prices:configmap'])
--- stall.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: stall}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: prices}
";

#[test]
fn who_takes_over_what_another_person_deployed_is_told_whose_it_was() {
    let project = Project::new("stall", STALL);
    let ci = |owner| {
        let ended = project.tilt_as(owner, &["ci", "--port=0"]);
        assert_eq!(ended.status, Some(0), "{}", ended.text);
        ended.text
    };
    let of = |object: &str| {
        let path = "jsonpath={.metadata.annotations}";
        project.kubectl(&["get", "configmap", object, "-o", path])
    };
    assert!(!ci("alice").contains("taking over"), "there was nobody");
    assert!(
        of("stall").contains("\"tilt.dev/owner\":\"alice\""),
        "{}",
        of("stall")
    );
    assert!(!ci("alice").contains("taking over"), "it is hers");
    let second = ci("bob");
    let line = second.lines().find(|line| line.contains("taking over"));
    let line = line.unwrap_or_else(|| panic!("no warning in {second}"));
    assert!(
        line.contains("stall │ WARNING: taking over what alice deployed "),
        "{line}"
    );
    assert!(line.contains(" ago from <project>: "), "{line}");
    assert!(
        line.contains("ConfigMap/stall") && line.contains("ConfigMap/prices"),
        "{line}"
    );
    assert!(
        of("prices").contains("\"tilt.dev/owner\":\"bob\""),
        "{}",
        of("prices")
    );
    assert!(!ci("bob").contains("taking over"), "it is his now");
    let down = project.tilt_as("alice", &["down"]);
    assert_eq!(down.status, Some(0), "{}", down.text);
    assert!(down.text.contains("deleting what bob deployed "), "{}", down.text);
}
