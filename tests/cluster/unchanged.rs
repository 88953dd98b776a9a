//! A start on an unchanged project changes nothing: not in the cluster, not in the registry, not in the Docker engine.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{Project, eventually};

const WHOLE: &str = "
--- Tiltfile
allow_k8s_contexts('dev')
image = 'unchanged-' + str(local('cat id', quiet=True)).strip()
docker_build(image, 'app')
k8s_yaml([blob(str(read_file('all.yaml')).replace('IMAGE', image)), 'kinds.yaml'])
k8s_kind('Clock', api_version='test.example.com/v1', image_json_path='{.spec.image}', pod_readiness='ignore')
--- app/Dockerfile
FROM localhost:5000/busybox:1
COPY words /words
RUN echo stirring; cp /words /more
--- app/words
hello
--- all.yaml
apiVersion: apps/v1
kind: Deployment
metadata: {name: web}
spec:
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec:
      terminationGracePeriodSeconds: 0
      containers:
      - {name: c, image: IMAGE, command: [sleep, '1000'], resources: {limits: {memory: 0.1Gi}}}
---
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {selector: {app: web}, ports: [{port: 80}]}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: menu}
data: {soup: 'yes'}
---
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {a: b}
---
apiVersion: batch/v1
kind: Job
metadata: {name: once}
spec:
  template:
    spec:
      restartPolicy: Never
      containers: [{name: c, image: IMAGE, command: ['true']}]
---
apiVersion: test.example.com/v1
kind: Clock
metadata: {name: wall}
spec: {image: IMAGE}
--- kinds.yaml
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: clocks.test.example.com}
spec:
  group: test.example.com
  scope: Namespaced
  names: {kind: Clock, plural: clocks, singular: clock}
  versions:
  - name: v1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

#[test]
fn a_second_run_builds_pushes_and_writes_nothing() {
    let project = Project::new("unchanged", WHOLE);
    let id = project
        .namespace()
        .rsplit('-')
        .next()
        .unwrap_or_default()
        .to_owned();
    project.write("id", &id);
    project.write("app/words", &id);
    let image = format!("unchanged-{id}");
    let first = project.tilt(&["ci"]);
    assert_eq!(first.status, Some(0), "{}", first.text);
    assert!(first.text.contains("→ stirring"), "{}", first.text);
    assert!(first.text.contains("Sending image data"), "{}", first.text);
    project.kubectl(&["wait", "--for=condition=complete", "job/once", "--timeout=60s"]);
    let mut before = versions(&project);
    eventually("the cluster is at rest", || {
        let earlier = std::mem::replace(&mut before, versions(&project));
        std::thread::sleep(Duration::from_millis(500));
        earlier == before
    });
    let images = images_of(&image);
    assert!(images.contains(&image), "{images}");
    let tags = registry(&image);

    let began = Instant::now();
    let second = project.tilt(&["ci"]);
    let took = began.elapsed();
    assert_eq!(second.status, Some(0), "{}", second.text);
    assert!(!second.text.contains("→ stirring"), "{}", second.text);
    assert!(!second.text.contains("Sending image data"), "{}", second.text);
    assert_eq!(versions(&project), before);
    assert_eq!(images_of(&image), images);
    assert_eq!(registry(&image), tags);
    eprintln!("a run on an unchanged project of six objects took {took:.2?}");

    project.kubectl(&["delete", "crd", "clocks.test.example.com", "--wait=false"]);
    remove_images(&image);
}

/// Returns the version of every object, pods included.
fn versions(project: &Project) -> String {
    let kinds = "deployments,replicasets,services,configmaps,secrets,jobs,pods,clocks.test.example.com";
    let columns =
        "custom-columns=K:.kind,N:.metadata.name,V:.metadata.resourceVersion,G:.metadata.generation";
    let objects = project.kubectl(&["get", kinds, "-o", columns]);
    let definition = project.kubectl(&["get", "crd", "clocks.test.example.com", "-o", columns]);
    objects + &definition
}

/// Returns the tags of an image in the registry, and what the first of them is.
fn registry(image: &str) -> String {
    let tags = tags_of(image);
    assert!(tags.contains("tilt-"), "{tags}");
    let tag = tags
        .split("\"tilt-")
        .nth(1)
        .and_then(|rest| rest.split('"').next())
        .unwrap_or_default();
    let manifest = "application/vnd.docker.distribution.manifest.v2+json";
    format!(
        "{tags}\n{}",
        asked(image, &format!("manifests/tilt-{tag}"), manifest)
    )
}

/// Returns the tags of an image in the registry, or that it has none.
pub(crate) fn tags_of(image: &str) -> String {
    asked(image, "tags/list", "*/*")
}

fn asked(image: &str, path: &str, accept: &str) -> String {
    let url = format!("http://localhost:5000/v2/{image}/{path}");
    let accept = format!("Accept: {accept}");
    let output = Command::new("curl").args(["-sSi", "-H", &accept, &url]).output();
    let text = String::from_utf8_lossy(&output.expect("curl runs").stdout).into_owned();
    let lines = text.lines().filter(|line| !line.starts_with("Date:"));
    lines.collect::<Vec<_>>().join("\n")
}

/// Removes all tags of an image from the engine.
pub(crate) fn remove_images(image: &str) {
    for reference in images_of(image).lines().filter_map(|line| line.split(' ').next()) {
        docker(&["rmi", reference]);
    }
}

/// Returns the references of an image, each with its id and when it was made.
pub(crate) fn images_of(image: &str) -> String {
    let columns = "{{.Repository}}:{{.Tag}} {{.ID}} {{.CreatedAt}}";
    let filter = format!("reference=*/{image}");
    docker(&["images", "--no-trunc", "--format", columns, "--filter", &filter])
}

fn docker(args: &[&str]) -> String {
    let output = Command::new("docker")
        .args(args)
        .output()
        .expect("docker is on PATH");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
