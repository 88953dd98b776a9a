//! The example of nine services and a store: overlays, profiles, and what must not be touched on the way.

use std::process::Command;

use crate::port_forwards::{free_port, get, page};
use crate::support::{Project, eventually};

const ANSWERS: [&str; 9] = [
    "Online Boutique",
    "productcatalogservice: typewriter",
    "currencyservice: prices in EUR",
    "cartservice: ",
    "recommendationservice: film camera",
    "shippingservice: tomorrow",
    "paymentservice: card charged",
    "emailservice: confirmation sent",
    "checkoutservice: order placed",
];

/// The example with a profile, and the namespace of this test as the developer's own.
fn shop(profile: &str) -> Project {
    let project = Project::example("microservices");
    let chosen = project
        .dir()
        .join(format!("tilt-resources/{profile}/tilt_config.json"));
    let text = std::fs::read_to_string(chosen).expect("a profile");
    let mut settings: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    settings["namespace"] = project.namespace().into();
    project.write("tilt_config.json", &settings.to_string());
    project
}

/// What is asked of the frontend through the API server, so that no local port is needed.
fn frontend(project: &Project) -> String {
    let path = format!(
        "/api/v1/namespaces/{}/services/frontend:80/proxy/",
        project.namespace()
    );
    project.kubectl(&["get", "--raw", &path])
}

#[test]
fn the_page_shows_what_all_nine_services_answer_and_what_is_edited() {
    let project = shop("local");
    let port = free_port();
    let forward = format!("--port_forwards=frontend:{port}");
    let ci = project.tilt(&["ci", "--port=0", "--", &forward]);
    assert_eq!(ci.status, Some(0), "{}", ci.text);
    eventually("every service answers", || {
        let page = frontend(&project);
        ANSWERS.iter().all(|answer| page.contains(answer)) && !page.contains("no items")
    });
    let mut up = project.up_with(&["--", &forward]);
    // What runs is the same already: nothing is deployed anew, and the port leads to it.
    eventually("the page is at the local port", || {
        page(port).contains(ANSWERS[0])
    });
    let service = "src/shippingservice/index.cgi";
    let script = std::fs::read_to_string(project.dir().join(service)).expect("the service");
    project.write(service, &script.replace("tomorrow", "today"));
    up.wait_for("1 File Changed: [src/shippingservice/index.cgi]");
    eventually("the page shows the edit", || {
        page(port).contains("shippingservice: today")
    });
    assert_eq!(up.stop("INT").0, Some(0));
    let down = project.tilt(&["down"]);
    assert_eq!(down.status, Some(0), "{}", down.text);
    assert!(
        down.text.contains("Not deleting namespaces: <ns>"),
        "{}",
        down.text
    );
    eventually("the services are gone", || {
        project
            .kubectl(&["get", "deployments,services", "-o", "name"])
            .is_empty()
    });
}

#[test]
fn images_of_a_remote_registry_are_built_and_run_without_an_edit_of_the_overlay() {
    let project = shop("dev");
    for arguments in [
        &["init", "--quiet"][..],
        &["add", "--all"],
        &[
            "-c",
            "user.name=a",
            "-c",
            "user.email=a@b",
            "commit",
            "--quiet",
            "--message=all",
        ],
    ] {
        git(&project, arguments);
    }
    let ci = project.tilt(&[
        "ci",
        "--port=0",
        "--",
        "--allowed_contexts=dev",
        "--base_image=localhost:5000/busybox:1",
    ]);
    assert_eq!(ci.status, Some(0), "{}", ci.text);
    assert_eq!(git(&project, &["status", "--porcelain"]), "");
    let overlay = std::fs::read_to_string(project.dir().join("kustomize/dev/kustomization.yaml"));
    let remote = "newName: registry.digitalocean.com/microservices-demo/frontend\n    newTag: 1.0.0";
    assert!(overlay.expect("the overlay").contains(remote));
    let path = "jsonpath={.items[*].spec.template.spec.containers[*].image}";
    let images = project.kubectl(&["get", "deployments", "-o", path]);
    let prefix = "localhost:5000/registry.digitalocean.com_microservices-demo_";
    let built = images
        .split(' ')
        .filter(|image| image.starts_with(prefix) && image.contains(":tilt-"));
    assert_eq!(built.count(), 9, "{images}");
    let labels = project.kubectl(&["get", "deployments", "-l", "variant=dev", "-o", "name"]);
    assert_eq!(labels.lines().count(), 10, "{labels}");
    let tags = get(
        5000,
        "/v2/registry.digitalocean.com_microservices-demo_frontend/tags/list",
    );
    assert!(tags.contains("tilt-") && !tags.contains("1.0.0"), "{tags}");
}

/// Runs git in the project, and returns what it prints.
#[track_caller]
fn git(project: &Project, arguments: &[&str]) -> String {
    let output = Command::new("git")
        .args(arguments)
        .current_dir(project.dir())
        .output()
        .expect("git is on PATH");
    let text = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "git {arguments:?}: {text}");
    text
}
