//! What an update says, from its first line to its last; the cluster is a small server, and nothing is built.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::from_plan::{UpdateTools, run};
use super::image_slots::ImageSlots;
use super::image_tools::ImageTools;
use crate::edge::docker::Docker;
use crate::edge::docker::fake_engine::FakeEngine;
use crate::edge::kube::fake_api::{FakeApi, Reply};
use crate::engine::{ImageAction, ImageStep, Transient, UpdatePlan};
use crate::k8s::{Entity, Origin};
use crate::logs::LogStore;
use crate::model::*;

fn entity(kind: &str, name: &str) -> Entity {
    let value = json!({"apiVersion": "v1", "kind": kind, "metadata": {"name": name}});
    Entity::new(value, Origin::default())
}

/// An image that its command pushes, so that no Docker engine need be asked for it.
fn remote_image() -> ImageTarget {
    let selector = ImageSelector::new(ImageRef::parse("gcr.io/shop/web").unwrap());
    ImageTarget {
        id: TargetId::image("web"),
        selector,
        build: ImageBuild::Custom(CustomBuild {
            command: Command::default(),
            deps: None,
            output: OutputMode::Remote,
            tag: None,
            image_ref_file: None,
            live_update_only: false,
        }),
        injection: Injection::default(),
        registry: None,
        live_update: None,
        base_images: Vec::new(),
        watched: Vec::new(),
        watch_ignores: Vec::new(),
    }
}

fn plan() -> UpdatePlan {
    let manifest = ManifestName::from("web");
    let built = ImageRef::parse("gcr.io/shop/web:tilt-1").unwrap();
    UpdatePlan {
        build: BuildId(1),
        span: SpanId::from("build:1"),
        header: "Initial Build".to_owned(),
        images: vec![ImageStep {
            image: remote_image(),
            needs_push: true,
            action: ImageAction::Reuse(BuiltImage {
                local_ref: built.clone(),
                cluster_ref: built,
            }),
            may_be_older: false,
        }],
        deploy: DeployTarget::K8s(K8sTarget {
            id: TargetId::k8s(&manifest),
            entities: vec![entity("Namespace", "shop"), entity("ConfigMap", "menu")],
            images: Vec::new(),
            readiness: PodReadiness::Wait,
            extra_pod_selectors: Vec::new(),
            upsert_timeout: Duration::from_secs(30),
            options: Box::default(),
        }),
        parallel_images: 1,
        force: true,
        moment: 1,
        manifest,
    }
}

fn taken(path: &str) -> Value {
    let path = path.split('?').next().unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or_default();
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "uid": name}})
}

fn tools(api: &FakeApi, docker: Option<Docker>, log: &LogStore) -> UpdateTools {
    UpdateTools {
        images: ImageTools {
            docker: docker.map(Arc::new),
            facts: Arc::default(),
            platform: None,
            image_slots: ImageSlots::default(),
            image_contents: Default::default(),
            commands: Arc::default(),
            log: log.clone(),
            has_colour: false,
        },
        cluster: api.cluster(),
        ownership: Arc::default(),
    }
}

/// Runs an update; returns what it says, with its times replaced, and its error.
async fn said(
    plan: UpdatePlan,
    has_colour: bool,
    answer: impl Fn(&http::Method, &str) -> Reply + Send + std::marker::Sync + 'static,
) -> (String, Option<String>) {
    let api = FakeApi::start_for_methods(answer).await;
    let log = LogStore::in_memory();
    let mut tools = tools(&api, None, &log);
    tools.images.has_colour = has_colour;
    let outcome = run(tools, plan, CancellationToken::new()).await;
    let segments = log.reader().try_next_batch();
    let text: String = segments.iter().map(|segment| segment.text.as_str()).collect();
    let words = text.split_inclusive([' ', '\n']).map(|word| {
        let end = word.len() - word.trim_end().len();
        let is_time = word
            .trim_end()
            .strip_suffix('s')
            .is_some_and(|secs| secs.parse::<f64>().is_ok());
        if is_time {
            format!("<t>{}", &word[word.len() - end..])
        } else {
            word.to_owned()
        }
    });
    (words.collect(), outcome.error)
}

#[tokio::test]
async fn each_step_of_an_update_is_told_and_then_how_long_each_took() {
    let (text, error) = said(plan(), false, |method, path| match *method {
        http::Method::GET => Reply::Fails(404, "not found"),
        _ => Reply::Json(taken(path)),
    })
    .await;
    assert_eq!(error, None);
    // Spaces at ends of lines, as Tilt has them, would not survive in a snapshot.
    insta::assert_snapshot!(text.replace(" \n", "·\n"), @"
    Initial Build
    STEP 1/3 — Force update
         Beginning force update
         Deleting kubernetes objects:
         → ConfigMap/menu

    STEP 2/3 — Loading cached images
         - gcr.io/shop/web:tilt-1

    STEP 3/3 — Deploying
         Applying YAML to cluster
         Objects applied to cluster:
           → shop:namespace
           → menu:configmap

         Step 1 - <t> (Force update)
         Step 2 - <t> (Loading cached images)
         Step 3 - <t> (Deploying)
         DONE IN: <t>·
    ");
}

#[tokio::test]
async fn an_update_that_fails_says_no_times() {
    let plan = UpdatePlan {
        force: false,
        ..plan()
    };
    let (text, error) = said(plan, false, |method, _| match *method {
        http::Method::GET => Reply::Fails(404, "not found"),
        _ => Reply::Fails(422, "Namespace \"shop\" is invalid"),
    })
    .await;
    assert_eq!(error.as_deref(), Some("Namespace \"shop\" is invalid"));
    insta::assert_snapshot!(text, @"
    Initial Build
    STEP 1/2 — Loading cached images
         - gcr.io/shop/web:tilt-1

    STEP 2/2 — Deploying
         Applying YAML to cluster
         Tried to apply objects to cluster:
           → shop:namespace
           → menu:configmap
    ");
}

#[tokio::test]
async fn without_an_engine_nothing_is_built() {
    let mut plan = plan();
    plan.images[0].action = ImageAction::Build;
    let (_, error) = said(plan, false, |_, path| Reply::Json(taken(path))).await;
    assert_eq!(
        error.as_deref(),
        Some("there is no Docker engine to build images with")
    );
}

#[tokio::test]
async fn at_a_terminal_the_numbers_are_blue() {
    let (text, _) = said(plan(), true, |_, path| Reply::Json(taken(path))).await;
    assert!(
        text.contains("\u{1b}[34mSTEP 3/3\u{1b}[0m — Deploying\n"),
        "{text}"
    );
    assert!(text.contains("     DONE IN: \u{1b}[34m"), "{text}");
}

/// A plan that reuses an image of the engine.
fn plan_with_local_image() -> UpdatePlan {
    let mut plan = UpdatePlan {
        force: false,
        ..plan()
    };
    if let ImageBuild::Custom(build) = &mut plan.images[0].image.build {
        build.output = OutputMode::LocalDocker;
    }
    plan
}

#[tokio::test]
async fn an_engine_that_is_halted_is_not_one_without_the_image() {
    let (api, log) = (FakeApi::start(|_| Reply::Never).await, LogStore::in_memory());
    let engine = FakeEngine::halted();
    let tools = tools(&api, Some(engine.docker()), &log);
    let outcome = run(tools.clone(), plan_with_local_image(), CancellationToken::new()).await;
    let error = outcome.error.expect("nobody answers");
    assert!(error.contains("no answer from the Docker engine"), "{error}");
    let is_away = outcome.transient == Some(Transient::Unreachable);
    assert!(is_away, "it is tried again when the engine is back");
    let segments = log.reader().try_next_batch();
    assert!(!segments.iter().any(|segment| segment.text.contains("Rebuilding")));
    // Who does not want it any more does not wait either.
    let cancel = CancellationToken::new();
    cancel.cancel();
    let outcome = run(tools, plan_with_local_image(), cancel).await;
    assert_eq!(outcome.error.as_deref(), Some("build canceled"));
}

#[tokio::test]
async fn only_an_update_that_could_not_reach_something_is_tried_again() {
    let outcome_of = async |code, message: &'static str| {
        let answer = move |method: &http::Method, _: &str| match *method {
            http::Method::GET => Reply::Fails(404, "not found"),
            _ => Reply::Fails(code, message),
        };
        let (api, log) = (FakeApi::start_for_methods(answer).await, LogStore::in_memory());
        let plan = UpdatePlan {
            force: false,
            ..plan()
        };
        run(tools(&api, None, &log), plan, CancellationToken::new()).await
    };
    let refused =
        "Namespace \"shop\" is invalid: metadata.labels: Invalid value: \"connection refused\": no label";
    assert_eq!(outcome_of(422, refused).await.transient, None);
    let webhook = "failed calling webhook \"x\": Post \"https://x\": dial tcp 10.0.0.1:443: connect: connection refused";
    assert_eq!(
        outcome_of(500, webhook).await.transient,
        Some(Transient::Unreachable)
    );
}
