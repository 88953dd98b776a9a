//! The objects of a Kubernetes resource: what is applied, which pods belong to it, their logs, and ports that lead to them.

use serde_json::{Value, json};

use super::made::{Made, disable_source, disable_status, metadata, owner_reference};
use crate::k8s::yaml;
use crate::model::{
    Command, ContainerState, DiscoveryStrategy, IGNORED_CONTAINERS, K8sTarget, Pod, Timestamp,
    format_go_duration,
};
use crate::view::{ResourceView, pod_json};

pub(super) fn of_resource(resource: &ResourceView, target: &K8sTarget) -> Vec<Made> {
    let mut made = vec![
        ("KubernetesApply", apply(resource, target)),
        ("KubernetesDiscovery", discovery(resource, target)),
    ];
    made.extend(
        resource
            .pods
            .iter()
            .map(|pod| ("PodLogStream", log_stream(resource, pod))),
    );
    made.extend(port_forward(resource, target).map(|forward| ("PortForward", forward)));
    made
}

fn apply(resource: &ResourceView, target: &K8sTarget) -> Value {
    let name = resource.name.as_str();
    let mut spec = templates(target);
    match &target.options.custom_deploy {
        Some(custom) => {
            spec["applyCmd"] = command(&custom.apply);
            spec["deleteCmd"] = command(&custom.delete);
            if !custom.deps.is_empty() {
                spec["restartOn"] = json!({"fileWatches": [format!("{name}:apply")]});
            }
        }
        None => {
            let documents: Vec<String> = target
                .entities
                .iter()
                .map(|entity| yaml::encode(entity.value()))
                .collect();
            spec["yaml"] = documents.join("---\n").into();
        }
    }
    if !target.images.is_empty() {
        let maps: Vec<&str> = target.images.iter().map(|id| id.name.as_str()).collect();
        spec["imageMaps"] = json!(maps);
    }
    let selectors = selectors(target);
    if !selectors.is_empty() {
        spec["kubernetesDiscoveryTemplateSpec"] = json!({"extraSelectors": selectors});
    }
    spec["timeout"] = format_go_duration(target.upsert_timeout).into();
    spec["discoveryStrategy"] = target
        .options
        .discovery_strategy
        .map_or("", DiscoveryStrategy::as_str)
        .into();
    spec["cluster"] = "default".into();
    spec["disableSource"] = disable_source(&resource.name);
    let last = resource.history.first();
    let time = |at: Option<Timestamp>| at.map(Timestamp::to_micro_text);
    let managed = [("tilt.dev/managed-by", "buildcontrol")];
    json!({
        "metadata": metadata(name, &resource.name, &format!("kubernetesapply:{name}"), &managed),
        "spec": spec,
        "status": {
            "disableStatus": disable_status(resource),
            "resultYAML": result(resource),
            "error": last.and_then(|last| last.error.clone()).unwrap_or_default(),
            "lastApplyStartTime": time(last.map(|last| last.started)),
            "lastApplyTime": time(last.and_then(|last| last.finished)),
        },
    })
}

/// Returns which objects the cluster has of it, by name and UID.
fn result(resource: &ResourceView) -> String {
    let documents = resource.applied.iter().map(|object| {
        let mut metadata = json!({"name": object.id.name});
        if let Some(namespace) = &object.id.namespace {
            metadata["namespace"] = namespace.as_str().into();
        }
        metadata["uid"] = object.uid.as_str().into();
        yaml::encode(
            &json!({"apiVersion": object.id.api_version, "kind": object.id.kind, "metadata": metadata}),
        )
    });
    documents.collect::<Vec<_>>().join("---\n")
}

fn command(command: &Command) -> Value {
    json!({
        "args": command.argv,
        "dir": command.dir.as_ref().map(ToString::to_string).unwrap_or_default(),
        "env": Some(&command.env).filter(|env| !env.is_empty()),
    })
}

fn selectors(target: &K8sTarget) -> Vec<Value> {
    let selectors = target.extra_pod_selectors.iter();
    selectors.map(|labels| json!({"matchLabels": labels})).collect()
}

fn forwards(target: &K8sTarget) -> Vec<Value> {
    let ports = target.options.port_forwards.iter();
    ports
        .map(|port| {
            json!({
                "localPort": port.local_port,
                "containerPort": port.container_port,
                "host": port.host.as_deref().unwrap_or("localhost"),
                "name": port.name,
                "path": port.path,
            })
        })
        .collect()
}

fn templates(target: &K8sTarget) -> Value {
    let mut templates = json!({"podLogStreamTemplateSpec": {"ignoreContainers": IGNORED_CONTAINERS}});
    let forwards = forwards(target);
    if !forwards.is_empty() {
        templates["portForwardTemplateSpec"] = json!({"forwards": forwards});
    }
    templates
}

fn log_stream(resource: &ResourceView, pod: &Pod) -> Value {
    let name = format!("{}-{}-{}", resource.name, pod.namespace, pod.name);
    let span = format!("pod:{}:{}", resource.name, pod.name);
    let containers: Vec<Value> = pod
        .all_containers()
        .map(|(_, container)| {
            json!({
                "name": container.name,
                "active": container.state == ContainerState::Running,
                "terminated": matches!(container.state, ContainerState::Terminated { .. }),
            })
        })
        .collect();
    let mut metadata = metadata(&name, &resource.name, &span, &[]);
    let owner = owner_reference("KubernetesDiscovery", resource.name.as_str());
    metadata["ownerReferences"] = json!([owner]);
    json!({
        "metadata": metadata,
        "spec": {
            "pod": pod.name,
            "namespace": pod.namespace,
            "ignoreContainers": IGNORED_CONTAINERS,
            "cluster": "default",
        },
        "status": {"containerStatuses": containers},
    })
}

/// Returns the ports that lead to the pod of the moment.
fn port_forward(resource: &ResourceView, target: &K8sTarget) -> Option<Value> {
    let pod = resource.forwards.first()?.pod.clone()?;
    let namespace = resource
        .pods
        .iter()
        .find(|known| known.name == pod)?
        .namespace
        .clone();
    let ports = target.options.port_forwards.iter().zip(&resource.forwards);
    let statuses: Vec<Value> = ports
        .map(|(port, forward)| {
            json!({
                "localPort": port.local_port,
                "containerPort": forward.container_port,
                "addresses": [port.host.as_deref().unwrap_or("localhost")],
                "startedAt": resource.first_started.map(Timestamp::to_micro_text),
                "error": forward.error.as_deref().unwrap_or_default(),
            })
        })
        .collect();
    let mut forwards = forwards(target);
    for (shown, forward) in forwards.iter_mut().zip(&resource.forwards) {
        shown["containerPort"] = forward.container_port.into();
    }
    let name = format!("{}-{pod}", resource.name);
    let span = format!("kubernetesapply:{}", resource.name);
    let mut metadata = metadata(&name, &resource.name, &span, &[]);
    let owner = owner_reference("KubernetesDiscovery", resource.name.as_str());
    metadata["ownerReferences"] = json!([owner]);
    Some(json!({
        "metadata": metadata,
        "spec": {"podName": pod, "namespace": namespace, "forwards": forwards, "cluster": "default"},
        "status": {"forwardStatuses": statuses},
    }))
}

fn discovery(resource: &ResourceView, target: &K8sTarget) -> Value {
    let pods = resource.pods.iter().map(|pod| {
        let mut shown = pod_json(pod);
        let mut ancestors = pod.owners.iter().map(|owner| &owner.uid);
        let applied = ancestors.find(|uid| resource.applied.iter().any(|object| object.uid == **uid));
        shown["ancestorUID"] = applied.map_or("", |uid| uid.as_str()).into();
        shown
    });
    let pods: Vec<Value> = pods.collect();
    let watches: Vec<Value> = resource
        .applied
        .iter()
        .map(|object| {
            let namespace = object.id.namespace.as_deref().unwrap_or_default();
            json!({"uid": object.uid.as_str(), "namespace": namespace, "name": object.id.name})
        })
        .collect();
    let mut spec = templates(target);
    spec["watches"] = watches.into();
    spec["cluster"] = "default".into();
    let selectors = selectors(target);
    if !selectors.is_empty() {
        spec["extraSelectors"] = selectors.into();
    }
    let since = resource.first_started.map(Timestamp::to_micro_text);
    let name = resource.name.as_str();
    let mut status = json!({"monitorStartTime": since, "pods": pods});
    status["running"] = json!({"startTime": since});
    let mut metadata = metadata(name, &resource.name, &format!("kubernetesapply:{name}"), &[]);
    metadata["ownerReferences"] = json!([owner_reference("KubernetesApply", name)]);
    json!({"metadata": metadata, "spec": spec, "status": status})
}
