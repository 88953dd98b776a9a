//! Objects that users make of a running session on a real cluster: applied, discovered, reached by a port, and taken away.

use crate::port_forwards::{free_port, page};
use crate::support::{Project, deployment, eventually};

/// A Deployment that serves the name of its pod.
fn kiosk(name: &str) -> String {
    deployment(
        name,
        "localhost:5000/busybox:1",
        "mkdir /www && hostname > /www/index.html && exec httpd -f -p 8080 -h /www",
    )
}

fn indented(yaml: &str) -> String {
    yaml.lines().map(|line| format!("    {line}\n")).collect()
}

#[test]
fn a_user_applies_finds_the_pods_reaches_one_and_takes_it_all_away() {
    let project = Project::new(
        "objects",
        "--- Tiltfile\nallow_k8s_contexts('dev')\nlocal_resource('web', 'true')\n",
    );
    let mut up = project.up();
    up.wait_for("Successfully loaded Tiltfile");
    let tilt = |args: &[&str]| project.tilt(args);
    let ok = |args: &[&str]| {
        let ran = tilt(args);
        assert_eq!(ran.status, Some(0), "{args:?}: {}", ran.text);
        ran.text.trim().to_owned()
    };
    let port = free_port();
    project.write(
        "apply.yaml",
        &format!(
            "apiVersion: tilt.dev/v1alpha1\nkind: KubernetesApply\nmetadata: {{name: kiosk}}\nspec:\n  \
             portForwardTemplateSpec: {{forwards: [{{localPort: {port}, containerPort: 8080}}]}}\n  yaml: |\n{}",
            indented(&kiosk("kiosk"))
        ),
    );
    assert_eq!(
        ok(&["apply", "-f", "apply.yaml"]),
        "kubernetesapply.tilt.dev/kiosk created"
    );
    eventually("the pod is found", || {
        ok(&[
            "get",
            "kd",
            "kiosk",
            "--ignore-not-found",
            "-o",
            "jsonpath={.status.pods[*].phase}",
        ]) == "Running"
    });
    let pod = ok(&["get", "kd", "kiosk", "-o", "jsonpath={.status.pods[0].name}"]);
    eventually("its port serves", || page(port) == pod);

    // Somebody else's pods are found by their labels, and reached by a forward of the user's own.
    project.apply(&kiosk("other"));
    project.write(
        "find.yaml",
        "apiVersion: tilt.dev/v1alpha1\nkind: KubernetesDiscovery\nmetadata: {name: other}\nspec:\n  watches: []\n  \
         extraSelectors: [{matchLabels: {app: other}}]\n",
    );
    ok(&["apply", "-f", "find.yaml"]);
    eventually("the other pod is found", || {
        ok(&["get", "kd", "other", "-o", "jsonpath={.status.pods[*].phase}"]) == "Running"
    });
    let other = ok(&["get", "kd", "other", "-o", "jsonpath={.status.pods[0].name}"]);
    let other_port = free_port();
    project.write(
        "forward.yaml",
        &format!(
            "apiVersion: tilt.dev/v1alpha1\nkind: PortForward\nmetadata: {{name: other}}\nspec:\n  podName: {other}\n  \
             namespace: {}\n  forwards: [{{localPort: {other_port}, containerPort: 8080}}]\n",
            project.namespace()
        ),
    );
    ok(&["apply", "-f", "forward.yaml"]);
    eventually("its port serves", || page(other_port) == other);

    // What is deleted is taken away, and nothing else.
    assert_eq!(
        ok(&["delete", "ka", "kiosk"]),
        "kubernetesapply.tilt.dev \"kiosk\" deleted"
    );
    eventually("what was applied is gone", || !project.exists("deployment/kiosk"));
    ok(&["wait", "--for=delete", "kd/kiosk", "--timeout=60s"]);
    ok(&["delete", "portforward", "other"]);
    eventually("the port is free", || {
        std::net::TcpListener::bind(("127.0.0.1", other_port)).is_ok()
    });
    ok(&["delete", "kd", "other"]);
    assert!(
        project.exists("deployment/other"),
        "what was only looked at stays"
    );
}

#[test]
fn a_tiltfile_registers_the_same_objects() {
    let port = free_port();
    let tiltfile = format!(
        "--- Tiltfile\nallow_k8s_contexts('dev')\nlocal_resource('web', 'true')\nv1alpha1.kubernetes_apply('kiosk', \
         yaml=str(read_file('kiosk.yaml')), port_forward_template_spec=v1alpha1.port_forward_template_spec(\
         forwards=[v1alpha1.forward(local_port={port}, container_port=8080)]))\n--- kiosk.yaml\n{}",
        kiosk("kiosk")
    );
    let project = Project::new("registered", &tiltfile);
    let mut up = project.up();
    up.wait_for("Successfully loaded Tiltfile");
    eventually("its port serves", || page(port).starts_with("kiosk-"));
    project.write(
        "Tiltfile",
        "allow_k8s_contexts('dev')\nlocal_resource('web', 'true')\n",
    );
    eventually("what is no longer registered is gone", || {
        !project.exists("deployment/kiosk")
    });
}
