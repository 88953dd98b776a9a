//! The kubeconfig changes under a session: it goes on with its own cluster, and says so.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::sync::{Arc, Mutex};

use crate::support::{PLAIN, Project, eventually};

/// A cluster that nobody should write to: it notes the first line of each request.
fn other_cluster() -> (String, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = format!("http://{}", listener.local_addr().expect("an address"));
    let seen = Arc::new(Mutex::new(Vec::new()));
    let noted = Arc::clone(&seen);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut buffer = [0; 4096];
            let length = stream.read(&mut buffer).unwrap_or(0);
            let text = String::from_utf8_lossy(&buffer[..length]).into_owned();
            let first = text.lines().next().unwrap_or_default().to_owned();
            noted.lock().expect("no panic").push(first);
            let body = "{\"metadata\": {\"uid\": \"another\"}}";
            let head = format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                body.len()
            );
            let _ = stream.write_all((head + body).as_bytes());
        }
    });
    (address, seen)
}

#[test]
fn a_kubeconfig_that_changes_moves_no_session_to_another_cluster() {
    let project = Project::new("pinned", PLAIN);
    let (address, seen) = other_cluster();
    let mut up = project.up();
    up.wait_for("DONE IN");
    let original = std::fs::read_to_string(project.kubeconfig()).expect("a kubeconfig");

    let mut config: serde_json::Value = serde_json::from_str(&original).expect("JSON");
    let clusters = config["clusters"].as_array_mut().expect("a list");
    clusters.push(serde_json::json!({"name": "other", "cluster": {"server": address}}));
    let contexts = config["contexts"].as_array_mut().expect("a list");
    contexts.push(serde_json::json!({"name": "other", "context": {"cluster": "other"}}));
    config["current-context"] = "other".into();
    std::fs::write(project.kubeconfig(), config.to_string()).expect("written");
    up.wait_for("the kubeconfig now names the context \"other\"; this session goes on with \"dev\"");
    project.write("plain.yaml", &PLAIN_YAML.replace("one", "two"));
    up.wait_for("DONE IN");
    std::fs::write(project.kubeconfig(), &original).expect("written");
    up.wait_for("The kubeconfig means the cluster of this session again.");
    eventually("the session's cluster has the edit", || word(&project) == "two");
    assert!(
        seen.lock().expect("no panic").is_empty(),
        "the other cluster was asked"
    );

    let mut config: serde_json::Value = serde_json::from_str(&original).expect("JSON");
    config["clusters"][0]["cluster"] = serde_json::json!({"server": address});
    std::fs::write(project.kubeconfig(), config.to_string()).expect("written");
    up.wait_for("the context \"dev\" of the kubeconfig now leads to another cluster, http://127.0.0.1:");
    project.write("plain.yaml", &PLAIN_YAML.replace("one", "three"));
    up.wait_for("DONE IN");
    std::fs::write(project.kubeconfig(), &original).expect("written");
    assert_eq!(word(&project), "three");
    let seen = seen.lock().expect("no panic");
    assert!(seen.iter().all(|line| line.starts_with("GET ")), "{seen:?}");
}

const PLAIN_YAML: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: plain}\ndata: {word: one}\n";

fn word(project: &Project) -> String {
    project.kubectl(&["get", "configmap", "plain", "-o", "jsonpath={.data.word}"])
}
