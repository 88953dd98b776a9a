//! `tilt plan`: it changes nothing, and what it says is what a run then does.

use serde_json::Value;

use crate::support::{Project, eventually};
use crate::unchanged::{images_of, tags_of};

const SHELF: &str = "
--- Tiltfile
allow_k8s_contexts('dev')
image = str(read_file('image')).strip()
docker_build(image, 'app')
k8s_yaml(blob(str(read_file('all.yaml')).replace('IMAGE', image)))
k8s_resource('shelf', objects=['menu:configmap', 'key:secret'])
local_resource('greet', 'echo hello')
--- app/Dockerfile
FROM localhost:5000/busybox:1
COPY words /words
--- app/words
one
--- all.yaml
apiVersion: v1
kind: ConfigMap
metadata: {name: menu}
data: {soup: leek}
---
apiVersion: v1
kind: Secret
metadata: {name: key}
stringData: {word: open-sesame-42}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: shelf}
spec:
  selector: {matchLabels: {app: shelf}}
  template:
    metadata: {labels: {app: shelf}}
    spec:
      terminationGracePeriodSeconds: 0
      containers: [{name: c, image: IMAGE, command: [sleep, '1000']}]
";

/// Makes a plan; returns it with its exit status. Nothing that there is may be changed by that.
#[track_caller]
fn plan(project: &Project, args: &[&str]) -> (Value, Option<i32>) {
    let mut before = everything(project);
    eventually("the cluster is at rest", || {
        let earlier = std::mem::replace(&mut before, everything(project));
        earlier == before
    });
    let ran = project.tilt(&[&["plan", "--detailed-exitcode", "-o", "json"], args].concat());
    assert_eq!(everything(project), before, "a plan has changed something");
    let answer = serde_json::from_str(&ran.text);
    (
        answer.unwrap_or_else(|error| panic!("{error}: {}", ran.text)),
        ran.status,
    )
}

/// Returns all objects of the namespace with their versions, and what the registry and the engine have of the image.
fn everything(project: &Project) -> String {
    let kinds = project.kubectl(&["api-resources", "--verbs=list", "--namespaced", "-o", "name"]);
    // Events come and go by themselves, and so do the kinds that tests beside this one define.
    let is_ours = |kind: &&str| !kind.starts_with("events") && !kind.contains("example.com");
    let kinds: Vec<&str> = kinds.lines().filter(is_ours).collect();
    let columns = "custom-columns=K:.kind,N:.metadata.name,V:.metadata.resourceVersion,U:.metadata.uid";
    let objects = project.kubectl(&["get", &kinds.join(","), "-o", columns, "--ignore-not-found"]);
    let namespace = project.kubectl(&["get", "namespace", project.namespace(), "-o", columns]);
    format!(
        "{objects}\n{namespace}\n{}\n{}",
        tags_of(project.namespace()),
        images_of(project.namespace())
    )
}

/// Returns what a plan says of the objects of a resource, such as `change ConfigMap/menu`.
fn planned(plan: &Value, resource: &str) -> Vec<String> {
    let objects = of(plan, resource)["objects"].as_array().expect("a list");
    let shown = objects
        .iter()
        .map(|object| format!("{} {}", text(&object["action"]), text(&object["object"])));
    let mut shown: Vec<String> = shown.collect();
    shown.sort();
    shown
}

fn of<'a>(plan: &'a Value, resource: &str) -> &'a Value {
    let mut resources = plan["resources"].as_array().expect("a list").iter();
    resources
        .find(|told| told["name"] == resource)
        .unwrap_or_else(|| panic!("no {resource} in {plan:#}"))
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// Runs `tilt ci`; returns what it did, in the words of a plan, and how many images it built.
#[track_caller]
fn done(project: &Project) -> (Vec<String>, usize) {
    let ci = project.tilt(&["ci", "--report", "r.json"]);
    assert_eq!(ci.status, Some(0), "{}", ci.text);
    let report = std::fs::read_to_string(project.dir().join("r.json")).expect("a report");
    let report: Value = serde_json::from_str(&report).expect("JSON");
    let stages = of(&report, "shelf")["updates"][0]["stages"]
        .as_array()
        .expect("a list");
    let mut shown = Vec::new();
    for stage in stages.iter().filter(|stage| stage["kind"] == "apply") {
        for (fact, action) in [
            ("created", "create"),
            ("changed", "change"),
            ("unchanged", "unchanged"),
        ] {
            let objects = stage["facts"][fact].as_array().into_iter().flatten();
            shown.extend(objects.map(|object| format!("{action} {}", text(object))));
        }
    }
    shown.sort();
    let parts = stages
        .iter()
        .filter_map(|stage| stage["parts"].as_array())
        .flatten();
    let built =
        |part: &&Value| part["kind"] == "build" && part["facts"]["stepsBuilt"].as_u64().unwrap_or(0) > 0;
    (shown, parts.filter(built).count())
}

#[test]
fn a_plan_changes_nothing_and_is_what_a_run_then_does() {
    let project = Project::new("plans", SHELF);
    project.write("image", project.namespace());
    project.write("app/words", project.namespace());

    let (all, status) = plan(&project, &[]);
    assert_eq!(status, Some(2));
    assert_eq!(
        planned(&all, "shelf"),
        [
            "create ConfigMap/menu",
            "create Deployment/shelf",
            "create Secret/key"
        ]
    );
    assert_eq!(text(&of(&all, "shelf")["images"][0]["action"]), "build");
    assert_eq!(text(&of(&all, "greet")["commands"][0]), "echo hello");
    let (objects, built) = done(&project);
    assert_eq!((objects, built), (planned(&all, "shelf"), 1));

    let (nothing, status) = plan(&project, &["shelf"]);
    assert_eq!(status, Some(0), "{nothing:#}");
    let as_it_is = [
        "unchanged ConfigMap/menu",
        "unchanged Deployment/shelf",
        "unchanged Secret/key",
    ];
    assert_eq!(planned(&nothing, "shelf"), as_it_is);

    // A line of a ConfigMap, and a Secret: what they hold is hidden.
    let yaml = std::fs::read_to_string(project.dir().join("all.yaml")).expect("a file");
    let yaml = yaml
        .replace("leek", "pea")
        .replace("open-sesame-42", "open-barley-43");
    project.write("all.yaml", &yaml);
    let (two, status) = plan(&project, &["shelf"]);
    assert_eq!(status, Some(2));
    assert_eq!(
        planned(&two, "shelf"),
        [
            "change ConfigMap/menu",
            "change Secret/key",
            "unchanged Deployment/shelf"
        ]
    );
    let field = &of(&two, "shelf")["objects"]
        .as_array()
        .expect("a list")
        .iter()
        .find(|told| told["object"] == "ConfigMap/menu")
        .expect("it is told")["fields"][0];
    assert_eq!(
        (text(&field["field"]), text(&field["from"]), text(&field["to"])),
        ("data.soup", "\"leek\"", "\"pea\"")
    );
    for secret in ["open-", "b3Blbi", "sesame", "barley"] {
        assert!(!two.to_string().contains(secret), "{secret} in {two:#}");
    }
    assert_eq!(done(&project), (planned(&two, "shelf"), 0));

    // A file of the image.
    let words = format!("two of process {}", std::process::id());
    project.write("app/words", &words);
    let (image, _) = plan(&project, &["shelf"]);
    let told = &of(&image, "shelf")["images"][0];
    assert_eq!(
        (text(&told["action"]), text(&told["files"][0])),
        ("build", "<project>/app/words"),
        "{image:#}"
    );
    assert_eq!(done(&project), (planned(&image, "shelf"), 1));

    // A field that cannot be changed.
    project.write("all.yaml", &yaml.replace("app: shelf", "app: shelves"));
    let (anew, _) = plan(&project, &["shelf"]);
    assert!(
        planned(&anew, "shelf").contains(&"recreate Deployment/shelf".to_owned()),
        "{anew:#}"
    );
    let uid = || project.kubectl(&["get", "deployment", "shelf", "-o", "jsonpath={.metadata.uid}"]);
    let before = uid();
    done(&project);
    assert_ne!(uid(), before);
    let (nothing, status) = plan(&project, &["shelf"]);
    assert_eq!(status, Some(0), "{nothing:#}");
    crate::unchanged::remove_images(project.namespace());
}
