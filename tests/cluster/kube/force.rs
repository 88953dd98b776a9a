//! Updates that delete first what was deployed: what a user's wish for a full rebuild does.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tilt::edge::docker::ClusterFacts;
use tilt::edge::local::CommandVariables;
use tilt::edge::update::{ImageTools, UpdateTools, run};
use tilt::engine::{UpdateOutcome, UpdatePlan};
use tilt::k8s::{Entity, Origin};
use tilt::model::{
    BuildId, Command, CustomDeploy, DeployTarget, K8sOptions, K8sTarget, ManifestName, PodReadiness, SpanId,
    TargetId,
};
use tokio_util::sync::CancellationToken;

use super::support::{World, config_map, job, ownership};

fn target(objects: &[Value], custom_deploy: Option<CustomDeploy>) -> K8sTarget {
    let entity = |object: &Value| Entity::new(object.clone(), Origin::default());
    K8sTarget {
        id: TargetId::k8s(&ManifestName::from("web")),
        entities: objects.iter().map(entity).collect(),
        images: Vec::new(),
        readiness: PodReadiness::Wait,
        extra_pod_selectors: Vec::new(),
        upsert_timeout: Duration::from_secs(30),
        options: Box::new(K8sOptions {
            custom_deploy,
            ..K8sOptions::default()
        }),
    }
}

async fn update(world: &World, target: &K8sTarget, force: bool) -> UpdateOutcome {
    let tools = UpdateTools {
        images: ImageTools {
            docker: None,
            facts: Arc::new(ClusterFacts::default()),
            platform: None,
            image_slots: Default::default(),
            image_contents: Default::default(),
            commands: Arc::new(CommandVariables::default()),
            log: world.store.clone(),
            has_colour: false,
        },
        cluster: world.cluster.clone(),
        ownership: Arc::new(ownership()),
    };
    let plan = UpdatePlan {
        build: BuildId(1),
        manifest: ManifestName::from("web"),
        span: SpanId::from("build:1"),
        header: "Initial Build".to_owned(),
        images: Vec::new(),
        parallel_images: 1,
        deploy: DeployTarget::K8s(target.clone()),
        force,
        moment: 1,
    };
    run(tools, plan, CancellationToken::new()).await
}

/// Returns what was logged, without the times.
fn logged(world: &World) -> String {
    let batch = world.store.reader().try_next_batch();
    let text: String = batch.iter().map(|segment| segment.text.as_str()).collect();
    text.replace(&world.namespace, "<ns>")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_update_deletes_all_but_namespaces_in_reverse_order_and_applies_again() {
    let world = World::new("force").await;
    let objects = [
        json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": world.namespace}}),
        config_map("menu", json!({"soup": "yes"})),
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "door"},
            "spec": {"ports": [{"port": 80}]}}),
        job("once", "true"),
    ];
    let target = target(&objects, None);
    let first = update(&world, &target, false).await;
    assert_eq!(first.error, None);
    let second = update(&world, &target, true).await;
    assert_eq!(second.error, None);
    let names = |outcome: &UpdateOutcome| -> Vec<String> {
        outcome
            .applied
            .iter()
            .map(|object| object.id.to_string())
            .collect()
    };
    assert_eq!(names(&first), names(&second));
    let is_new = |at: usize| first.applied[at].uid != second.applied[at].uid;
    let new: Vec<(String, bool)> = names(&first).into_iter().zip((0..).map(is_new)).collect();
    let expected = [
        (format!("Namespace/{}", world.namespace), false),
        ("ConfigMap/menu".to_owned(), true),
        ("Service/door".to_owned(), true),
        ("Job/once".to_owned(), true),
    ];
    assert_eq!(new, expected);
    let log = logged(&world);
    let steps = [
        "STEP 1/2 — Force update\n     Beginning force update\n     Deleting kubernetes objects:\n",
        "→ Job/once\n",
        "→ Service/door\n",
        "→ ConfigMap/menu\n",
        "STEP 2/2 — Deploying\n",
    ];
    let places = steps.map(|text| log.find(text).unwrap_or_else(|| panic!("no {text:?} in {log}")));
    assert!(places.is_sorted(), "{log}");
    assert!(!log.contains("→ Namespace/"), "{log}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_forced_update_runs_the_delete_command_first_and_goes_on_if_it_fails() {
    let world = World::new("force-command").await;
    let command = |script: &str| Command {
        argv: Command::shell_argv(script),
        ..Command::default()
    };
    let printed = "echo '{apiVersion: v1, kind: ConfigMap, metadata: {name: egg, namespace: ns, uid: u1}}'";
    for delete in ["echo cracked >&2", "echo stuck >&2; exit 4"] {
        let deploy = CustomDeploy {
            apply: command(printed),
            delete: command(delete),
            deps: Vec::new(),
            watch_ignores: Vec::new(),
        };
        let outcome = update(&world, &target(&[], Some(deploy)), true).await;
        assert_eq!((outcome.error, outcome.deployed), (None, true));
    }
    let log = logged(&world);
    let lines: Vec<&str> = log
        .lines()
        .filter(|line| !line.contains("s (") && !line.contains("DONE IN"))
        .collect();
    insta::assert_snapshot!(lines.join("\n"), @r"
    Initial Build
    STEP 1/2 — Force update
         Beginning force update
         Running cmd: echo cracked >&2
         cracked

    STEP 2/2 — Deploying
         Running cmd: echo '{apiVersion: v1, kind: ConfigMap, metadata: {name: egg, namespace: ns, uid: u1}}'
         Objects applied to cluster:
           → egg:configmap


    Initial Build
    STEP 1/2 — Force update
         Beginning force update
         Running cmd: echo stuck >&2; exit 4
         stuck
         Error force update: delete command exited with status 4
         stdout:


    STEP 2/2 — Deploying
         Running cmd: echo '{apiVersion: v1, kind: ConfigMap, metadata: {name: egg, namespace: ns, uid: u1}}'
         Objects applied to cluster:
           → egg:configmap
    ");
}
