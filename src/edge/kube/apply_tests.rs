//! What an apply says at each turn, and what becomes of objects that are under way when it has to stop.

use std::collections::{HashMap, VecDeque};
use std::sync::Mutex;
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::apply::{ApplyOutcome, ApplyRequest, apply};
use super::delete::collect_garbage;
use super::fake_api::{FakeApi, Reply};
use crate::engine::ObjectId;
use crate::k8s::labels::Ownership;
use crate::k8s::{Entity, Origin};
use crate::logs::{LogStore, LogWriter};
use crate::model::ManifestName;

fn config_map(name: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "namespace": "ns", "uid": format!("u-{name}")}})
}

fn being_deleted(name: &str) -> Value {
    let mut object = config_map(name);
    object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
    object
}

/// An API server that answers these requests (`PATCH one`) as told, each once and in order, and any other one as an empty
/// cluster would that takes everything.
async fn server(told: Vec<(&'static str, Reply)>) -> FakeApi {
    let mut replies: HashMap<&str, VecDeque<Reply>> = HashMap::new();
    for (request, reply) in told {
        replies.entry(request).or_default().push_back(reply);
    }
    let replies = Mutex::new(replies);
    FakeApi::start_for_methods(move |method, path| {
        let path = path.split('?').next().unwrap_or_default();
        let name = path.rsplit('/').next().unwrap_or_default();
        let told = replies
            .lock()
            .unwrap()
            .get_mut(format!("{method} {name}").as_str())
            .and_then(VecDeque::pop_front);
        told.unwrap_or_else(|| match (method, name) {
            (&Method::GET, "configmaps") => {
                Reply::Json(json!({"kind": "ConfigMapList", "apiVersion": "v1", "items": [], "metadata": {"resourceVersion": "1"}}))
            }
            (&Method::GET, _) => Reply::Fails(404, "not found"),
            (&Method::POST, _) => Reply::Json(config_map("one")),
            (_, name) => Reply::Json(config_map(name)),
        })
    })
    .await
}

/// Applies ConfigMaps; returns what was said and what came of it.
async fn applied(
    api: &FakeApi,
    names: &[&str],
    timeout: Duration,
    cancel: &CancellationToken,
) -> (String, ApplyOutcome) {
    let entity = |name: &&str| {
        let object = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
        Entity::new(object, Origin::default())
    };
    let store = LogStore::in_memory();
    let request = ApplyRequest {
        manifest: &ManifestName::from("web"),
        entities: names.iter().map(entity).collect(),
        images: &[],
        locators: &[],
        ownership: &Ownership::default(),
        timeout,
    };
    let outcome = apply(&api.cluster(), request, &LogWriter::global(store.clone()), cancel).await;
    (said(&store), outcome)
}

fn said(store: &LogStore) -> String {
    let segments = store.reader().try_next_batch();
    segments.iter().map(|segment| segment.text.as_str()).collect()
}

const LONG: Duration = Duration::from_secs(30);

/// Returns what is said when one object is applied to a server that answers so, with the error if there is one.
async fn talk(told: Vec<(&'static str, Reply)>, timeout: Duration) -> String {
    let api = server(told).await;
    let (said, outcome) = applied(&api, &["one"], timeout, &CancellationToken::new()).await;
    match outcome.error {
        Some(error) => format!("{said}Error: {error}\n"),
        None => said,
    }
}

#[tokio::test]
async fn each_turn_of_an_apply_is_told() {
    let live = || Reply::Json(config_map("one"));
    let immutable = || {
        Reply::Fails(
            422,
            "ConfigMap \"one\" is invalid: data: field is immutable\nand more",
        )
    };
    let rows: Vec<(&str, Vec<(&str, Reply)>)> = vec![
        ("all is well", Vec::new()),
        (
            "deleted while it is applied",
            vec![("PATCH one", Reply::Fails(404, "configmaps \"one\" not found"))],
        ),
        (
            "being deleted",
            vec![("GET one", Reply::Json(being_deleted("one")))],
        ),
        ("too large", vec![("PATCH one", Reply::Fails(413, "too large"))]),
        (
            "too large in any case",
            vec![
                ("PATCH one", Reply::Fails(413, "too large")),
                ("POST configmaps", Reply::Fails(413, "too large")),
            ],
        ),
        (
            "immutable",
            vec![
                ("GET one", live()),
                ("PATCH one", immutable()),
                ("GET one", live()),
            ],
        ),
        (
            "immutable even when new",
            vec![
                ("GET one", live()),
                ("PATCH one", immutable()),
                ("GET one", live()),
                ("PATCH one", Reply::Fails(422, "admission webhook \"no\" denied")),
            ],
        ),
        (
            "refused",
            vec![(
                "PATCH one",
                Reply::Fails(
                    403,
                    "configmaps \"one\" is forbidden: User \"jo\" cannot patch resource",
                ),
            )],
        ),
    ];
    let mut told = String::new();
    for (turn, replies) in rows {
        told.push_str(&format!("--- {turn}\n{}", talk(replies, LONG).await));
    }
    insta::assert_snapshot!(told, @r#"
    --- all is well
         Applying YAML to cluster
         Objects applied to cluster:
           → one:configmap
    --- deleted while it is applied
         Applying YAML to cluster
         Resource one was not found during apply. Retrying...
         Objects applied to cluster:
           → one:configmap
    --- being deleted
         Applying YAML to cluster
         Resource one is currently being deleted. Waiting 60s for deletion before retrying...
         Objects applied to cluster:
           → one:configmap
    --- too large
         Applying YAML to cluster
         Updating "one" failed: too large
         Attempting to create or replace
         Updating "one" succeeded!
         Objects applied to cluster:
           → one:configmap
    --- too large in any case
         Applying YAML to cluster
         Updating "one" failed: too large
         Attempting to create or replace
         Tried to apply objects to cluster:
           → one:configmap
    Error: too large
    --- immutable
         Applying YAML to cluster
         Updating "one" failed: ConfigMap "one" is invalid: data: field is immutable
         Attempting to delete and re-create
         Updating "one" succeeded!
         Objects applied to cluster:
           → one:configmap
    --- immutable even when new
         Applying YAML to cluster
         Updating "one" failed: ConfigMap "one" is invalid: data: field is immutable
         Attempting to delete and re-create
         Tried to apply objects to cluster:
           → one:configmap
    Error: admission webhook "no" denied
    --- refused
         Applying YAML to cluster
         Tried to apply objects to cluster:
           → one:configmap
    Error: configmaps "one" is forbidden: User "jo" cannot patch resource
    hint: ask for the permission, or pick another context than "kind-test" with `kubectl config use-context`
    "#);
}

#[tokio::test]
async fn an_object_that_takes_too_long_is_named() {
    let told = talk(vec![("PATCH one", Reply::Never)], Duration::from_millis(50)).await;
    insta::assert_snapshot!(told, @"
         Applying YAML to cluster
         Tried to apply objects to cluster:
           → one:configmap
    Error: Killed kubectl. Hit timeout of 50ms applying ConfigMap/one.
    ");
}

#[tokio::test]
async fn a_cluster_that_does_not_know_a_kind_says_so() {
    let api = FakeApi::start(|_| Reply::Fails(404, "page not found")).await;
    let store = LogStore::in_memory();
    let widget = json!({"apiVersion": "shop/v1", "kind": "Widget", "metadata": {"name": "w"}});
    let request = ApplyRequest {
        manifest: &ManifestName::from("web"),
        entities: vec![Entity::new(widget, Origin::default())],
        images: &[],
        locators: &[],
        ownership: &Ownership::default(),
        timeout: LONG,
    };
    let log = LogWriter::global(store);
    let outcome = apply(&api.cluster(), request, &log, &CancellationToken::new()).await;
    insta::assert_snapshot!(outcome.error.unwrap(), @r#"
    no matches for kind "Widget" in version "shop/v1"
    ensure CRDs are installed first
    "#);
}

#[tokio::test]
async fn a_deletion_is_told_and_its_faults_too() {
    let id = |kind: &str, name: &str| ObjectId {
        api_version: "v1".to_owned(),
        kind: kind.to_owned(),
        namespace: Some("ns".to_owned()),
        name: name.to_owned(),
    };
    let api = server(vec![(
        "DELETE two",
        Reply::Fails(403, "configmaps \"two\" is forbidden"),
    )])
    .await;
    let store = LogStore::in_memory();
    let log = LogWriter::global(store.clone());
    for reason in [
        "garbage collecting Kubernetes objects",
        "garbage collecting removed Kubernetes objects",
        "deleting disabled Kubernetes objects",
        "force update",
    ] {
        collect_garbage(
            &api.cluster(),
            reason,
            &[id("ConfigMap", "one"), id("ConfigMap", "two")],
            &Ownership::default(),
            &log,
        )
        .await;
    }
    insta::assert_snapshot!(said(&store), @r#"
    Beginning garbage collecting Kubernetes objects
    Deleting kubernetes objects:
    → ConfigMap/one
    → ConfigMap/two
    Error garbage collecting Kubernetes objects: ConfigMap/two: configmaps "two" is forbidden
    Beginning garbage collecting removed Kubernetes objects
    Deleting kubernetes objects:
    → ConfigMap/one
    → ConfigMap/two
    Beginning deleting disabled Kubernetes objects
    Deleting kubernetes objects:
    → ConfigMap/one
    → ConfigMap/two
    Beginning force update
    Deleting kubernetes objects:
    → ConfigMap/one
    → ConfigMap/two
    "#);
}

/// Returns the names of the objects that count as applied.
fn names(outcome: &ApplyOutcome) -> Vec<&str> {
    outcome
        .applied
        .iter()
        .map(|object| object.id.name.as_str())
        .collect()
}

#[tokio::test]
async fn what_is_under_way_when_a_sibling_fails_is_waited_for_and_remembered() {
    let answered = CancellationToken::new();
    let api = server(vec![
        ("PATCH one", Reply::Fails(422, "one is invalid")),
        ("PATCH two", Reply::after(&answered, config_map("two"))),
    ])
    .await;
    let never = CancellationToken::new();
    let applying = applied(&api, &["one", "two"], LONG, &never);
    tokio::pin!(applying);
    let early = tokio::time::timeout(Duration::from_millis(100), &mut applying).await;
    assert!(
        early.is_err(),
        "nobody knows yet whether the server took the other"
    );
    answered.cancel();
    let (_, outcome) = applying.await;
    assert_eq!(outcome.error.as_deref(), Some("one is invalid"));
    assert_eq!(names(&outcome), ["two"]);
}

#[tokio::test]
async fn a_canceled_apply_begins_nothing_more_but_learns_what_became_of_what_it_began() {
    let (answered, cancel) = (CancellationToken::new(), CancellationToken::new());
    let api = server(vec![("PATCH one", Reply::after(&answered, config_map("one")))]).await;
    // Of equal address, so that it comes in a batch of its own.
    let applying = applied(&api, &["one", "one"], LONG, &cancel);
    tokio::pin!(applying);
    let early = tokio::time::timeout(Duration::from_millis(100), &mut applying).await;
    assert!(early.is_err());
    cancel.cancel();
    answered.cancel();
    let (_, outcome) = applying.await;
    assert_eq!(outcome.error.as_deref(), Some("build canceled"));
    assert_eq!(names(&outcome), ["one"]);
    assert_eq!(api.wrote(), ["PATCH one"]);
}

#[tokio::test]
async fn a_canceled_apply_does_not_wait_for_what_it_only_looks_at() {
    for request in ["GET one", "GET configmaps"] {
        let cancel = CancellationToken::new();
        let api = server(vec![
            (request, Reply::Never),
            ("GET one", Reply::Json(being_deleted("one"))),
        ])
        .await;
        let applying = applied(&api, &["one"], LONG, &cancel);
        tokio::pin!(applying);
        let early = tokio::time::timeout(Duration::from_millis(100), &mut applying).await;
        assert!(early.is_err(), "{request}");
        cancel.cancel();
        let (_, outcome) = applying.await;
        assert_eq!(outcome.error.as_deref(), Some("build canceled"), "{request}");
        assert_eq!(api.wrote(), [""; 0], "{request}");
    }
}
