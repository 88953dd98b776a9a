//! Reading logs of containers.

use serde_json::json;
use tilt::edge::kube::PodLogs;
use tilt::engine::{Event, LogStream};
use tilt::model::{ManifestName, ObjectUid, SpanId};
use tokio::sync::mpsc;

use crate::support::{IMAGE, PATIENCE, World};

fn pod(name: &str, restart_policy: &str, script: &str) -> String {
    json!({"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {
        "terminationGracePeriodSeconds": 0, "restartPolicy": restart_policy,
        "containers": [{"name": "c", "image": IMAGE, "command": ["sh", "-c", script]}]}})
    .to_string()
}

/// Returns the stream of a pod's container as it is now, `None` if it has not started.
fn stream(world: &World, name: &str) -> Option<LogStream> {
    let pod = world.get(&format!("pod/{name}"));
    let status = pod["status"]["containerStatuses"].get(0)?.clone();
    let id = status["containerID"].as_str()?;
    Some(LogStream {
        manifest: ManifestName::from("web"),
        span: SpanId::from("pod:web:x"),
        pod: ObjectUid::new(pod["metadata"]["uid"].as_str()?),
        pod_name: name.to_owned(),
        namespace: world.namespace.clone(),
        container: "c".to_owned(),
        container_id: id.rsplit('/').next()?.to_owned(),
        prefixed: false,
        since: None,
        terminated: status["state"]["running"].is_null(),
    })
}

/// Feeds the wanted streams from the pod's state until `done` says so.
async fn follow(world: &World, logs: &PodLogs, name: &str, mut done: impl FnMut(&str) -> bool) -> String {
    let followed = tokio::time::timeout(PATIENCE, async {
        loop {
            logs.set(stream(world, name).into_iter().collect());
            let text = text(world);
            if done(&text) {
                return text;
            }
            tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        }
    });
    match followed.await {
        Ok(text) => text,
        Err(_) => panic!("it never came; the log holds {:?}", text(world)),
    }
}
