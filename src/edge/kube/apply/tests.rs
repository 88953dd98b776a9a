//! What an apply says at each turn, and what becomes of objects that are under way when it has to stop.

use std::collections::{HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio_util::sync::CancellationToken;

use super::delete::collect_garbage;
use super::resource::{ApplyOutcome, ApplyRequest, apply};
use crate::edge::kube::fake_api::{FakeApi, Reply};
use crate::engine::{ObjectId, UnwantedObject};
use crate::k8s::labels::Ownership;
use crate::k8s::{Entity, Origin};
use crate::logs::{LogStore, LogWriter};
use crate::model::{ManifestName, ObjectUid};

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
        Reply::invalid(
            "ConfigMap \"one\" is invalid: data: Forbidden: field is immutable\nand more",
            ("FieldValueForbidden", "data", "Forbidden: field is immutable"),
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
            "headless",
            vec![
                ("GET one", live()),
                (
                    "PATCH one",
                    Reply::invalid(
                        "Service \"one\" is invalid: spec.clusterIPs[0]: Invalid value: [\"None\"]: may not change once set",
                        (
                            "FieldValueInvalid",
                            "spec.clusterIPs[0]",
                            "Invalid value: [\"None\"]: may not change once set",
                        ),
                    ),
                ),
                ("GET one", live()),
            ],
        ),
        (
            "another role",
            vec![
                ("GET one", live()),
                (
                    "PATCH one",
                    Reply::invalid(
                        "RoleBinding \"one\" is invalid: roleRef: Invalid value: {}: cannot change roleRef",
                        (
                            "FieldValueInvalid",
                            "roleRef",
                            "Invalid value: {}: cannot change roleRef",
                        ),
                    ),
                ),
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
            "no better when new",
            vec![
                ("GET one", live()),
                ("PATCH one", immutable()),
                ("POST configmaps", immutable()),
            ],
        ),
        (
            "a value like the words of a rule",
            vec![
                ("GET one", live()),
                (
                    "PATCH one",
                    Reply::invalid(
                        "ConfigMap \"one\" is invalid: data: Invalid value: \"Forbidden: field is immutable\": no",
                        (
                            "FieldValueInvalid",
                            "data",
                            "Invalid value: \"Forbidden: field is immutable\": no",
                        ),
                    ),
                ),
            ],
        ),
        (
            "refused",
            vec![(
                "PATCH one",
                Reply::Refuses(
                    403,
                    json!({"message": "configmaps \"one\" is forbidden: User \"jo\" cannot patch resource", "reason": "Forbidden",
                        "details": {"kind": "configmaps", "name": "one"}}),
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
         Resource one is currently being deleted. Waiting 30s for deletion before retrying...
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
    Error: ConfigMap/one: too large
    hint: leave out what need not be in the object, or split it
    --- immutable
         Applying YAML to cluster
         Updating "one" failed: ConfigMap "one" is invalid: data: Forbidden: field is immutable
         Attempting to delete and re-create
         Updating "one" succeeded!
         Objects applied to cluster:
           → one:configmap
    --- headless
         Applying YAML to cluster
         Updating "one" failed: Service "one" is invalid: spec.clusterIPs[0]: Invalid value: ["None"]: may not change once set
         Attempting to delete and re-create
         Updating "one" succeeded!
         Objects applied to cluster:
           → one:configmap
    --- another role
         Applying YAML to cluster
         Updating "one" failed: RoleBinding "one" is invalid: roleRef: Invalid value: {}: cannot change roleRef
         Attempting to delete and re-create
         Updating "one" succeeded!
         Objects applied to cluster:
           → one:configmap
    --- immutable even when new
         Applying YAML to cluster
         Updating "one" failed: ConfigMap "one" is invalid: data: Forbidden: field is immutable
         Attempting to delete and re-create
         Tried to apply objects to cluster:
           → one:configmap
    Error: ConfigMap/one: admission webhook "no" denied
    --- no better when new
         Applying YAML to cluster
         Tried to apply objects to cluster:
           → one:configmap
    Error: ConfigMap "one" is invalid: data: Forbidden: field is immutable
    and more
    --- a value like the words of a rule
         Applying YAML to cluster
         Tried to apply objects to cluster:
           → one:configmap
    Error: ConfigMap "one" is invalid: data: Invalid value: "Forbidden: field is immutable": no
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
    Error: Hit timeout of 50ms applying ConfigMap/one.
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
async fn a_kind_that_was_known_and_is_gone_is_named_as_one_that_is_not_known() {
    let is_there = Arc::new(AtomicBool::new(true));
    let there = Arc::clone(&is_there);
    let api = FakeApi::start_for_methods(move |method, path| {
        let path = path.split('?').next().unwrap_or_default();
        let widget = json!({"apiVersion": "shop/v1", "kind": "Widget", "metadata": {"name": "w", "uid": "u"}});
        match (there.load(Ordering::SeqCst), method, path) {
            (true, _, "/apis/shop/v1") => Reply::Json(json!({"kind": "APIResourceList", "groupVersion": "shop/v1",
                "resources": [{"name": "widgets", "singularName": "", "namespaced": false, "kind": "Widget", "verbs": []}]})),
            (true, &Method::PATCH, _) => Reply::Json(widget),
            _ => Reply::Fails(404, "page not found"),
        }
    })
    .await;
    let cluster = api.cluster();
    let mut errors = Vec::new();
    for there in [true, false, true] {
        is_there.store(there, Ordering::SeqCst);
        let widget = json!({"apiVersion": "shop/v1", "kind": "Widget", "metadata": {"name": "w"}});
        let request = ApplyRequest {
            manifest: &ManifestName::from("web"),
            entities: vec![Entity::new(widget, Origin::default())],
            images: &[],
            locators: &[],
            ownership: &Ownership::default(),
            timeout: LONG,
        };
        let log = LogWriter::global(LogStore::in_memory());
        errors.push(
            apply(&cluster, request, &log, &CancellationToken::new())
                .await
                .error,
        );
    }
    let gone = "no matches for kind \"Widget\" in version \"shop/v1\"\nensure CRDs are installed first";
    assert_eq!(errors, [None, Some(gone.to_owned()), None]);
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
            &[id("ConfigMap", "one").into(), id("ConfigMap", "two").into()],
            &Ownership::default(),
            &log,
            &CancellationToken::new(),
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
    assert_eq!(outcome.error.as_deref(), Some("ConfigMap/one: one is invalid"));
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

const SHORT: Duration = Duration::from_millis(50);

#[tokio::test]
async fn an_object_whose_time_is_over_in_mid_write_counts_as_applied() {
    let never = CancellationToken::new();
    let api = server(vec![
        ("GET one", Reply::Fails(404, "not found")),
        ("PATCH one", Reply::Never),
        ("GET one", Reply::Json(config_map("one"))),
    ])
    .await;
    let (_, outcome) = applied(&api, &["one"], SHORT, &never).await;
    assert_eq!(outcome.applied[0].uid.as_str(), "u-one");

    let api = server(vec![("PATCH one", Reply::Never)]).await;
    let (_, outcome) = applied(&api, &["one"], SHORT, &never).await;
    assert_eq!(names(&outcome), ["one"], "the server may take it yet");
    assert_eq!(outcome.applied[0].uid.as_str(), "", "nobody knows");
    assert_eq!(outcome.applied[0].id.namespace.as_deref(), Some("ns"));

    let api = server(vec![("GET one", Reply::Never)]).await;
    let (_, outcome) = applied(&api, &["one"], SHORT, &never).await;
    assert_eq!(names(&outcome), [""; 0], "nothing was sent");
}

#[tokio::test]
async fn an_object_that_is_still_being_deleted_is_told_with_who_holds_it() {
    let mut held = being_deleted("one");
    held["metadata"]["finalizers"] = json!(["shop.example.com/hold"]);
    let told = talk(
        vec![
            ("GET one", Reply::Json(held.clone())),
            ("GET configmaps", Reply::Never),
            ("GET one", Reply::Json(held)),
        ],
        Duration::from_millis(300),
    )
    .await;
    insta::assert_snapshot!(told, @r#"
         Applying YAML to cluster
         Resource one is currently being deleted. Waiting 300ms for deletion before retrying...
         Tried to apply objects to cluster:
           → one:configmap
    Error: Hit timeout of 300ms applying ConfigMap/one: it is still being deleted
    finalizers hold it: shop.example.com/hold
    hint: what set them has to take them away: see whether that runs; where it is gone for good: `kubectl patch configmap one -n ns --type=merge -p '{"metadata":{"finalizers":null}}'`
    "#);
}

/// Applies one object of any kind to a server that has it as `live`, takes nothing, and says why; returns the outcome and
/// what was written.
async fn refused(
    object: Value,
    live: Value,
    why: &'static str,
    others: Value,
) -> (ApplyOutcome, Vec<String>) {
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    let api = FakeApi::start_for_methods(move |method, path| {
        if path.contains("watch=") {
            return Reply::Never;
        }
        let path = path.split('?').next().unwrap_or_default();
        match *method {
            Method::GET if path.ends_with(&name) => Reply::Json(live.clone()),
            Method::GET => Reply::Json(others.clone()),
            Method::PATCH if !why.is_empty() => Reply::invalid(why, ("FieldValueForbidden", "spec", why)),
            _ => Reply::Json(live.clone()),
        }
    })
    .await;
    let request = ApplyRequest {
        manifest: &ManifestName::from("web"),
        entities: vec![Entity::new(object, Origin::default())],
        images: &[],
        locators: &[],
        ownership: &Ownership::default(),
        timeout: Duration::from_millis(500),
    };
    let log = LogWriter::global(LogStore::in_memory());
    let outcome = apply(&api.cluster(), request, &log, &CancellationToken::new()).await;
    (outcome, api.wrote())
}

#[tokio::test]
async fn a_claim_that_would_have_to_be_made_anew_stays() {
    let claim = |mode: &str| {
        json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "dbdata", "namespace": "ns", "uid": "u"},
            "spec": {"accessModes": [mode], "resources": {"requests": {"storage": "1Gi"}}}})
    };
    let pod = json!({"metadata": {"name": "db-0"}, "spec": {"volumes": [
        {"name": "data", "persistentVolumeClaim": {"claimName": "dbdata"}}]}});
    let pods = json!({"kind": "PodList", "apiVersion": "v1", "metadata": {}, "items": [pod]});
    let why = "PersistentVolumeClaim \"dbdata\" is invalid: spec: Forbidden: spec is immutable after creation\n  a diff";
    let (outcome, wrote) = refused(claim("ReadWriteMany"), claim("ReadWriteOnce"), why, pods).await;
    insta::assert_snapshot!(outcome.error.unwrap(), @r#"
    PersistentVolumeClaim "dbdata" is invalid: spec: Forbidden: spec is immutable after creation
    It is not deleted and created anew: the data of its volume would be lost.
      spec.accessModes is ["ReadWriteOnce"], wanted ["ReadWriteMany"]
    hint: to keep what it holds, undo the change; to give that up, run `kubectl delete persistentvolumeclaim dbdata -n ns`, which goes once these pods no longer use it: db-0, then save a file
    "#);
    assert_eq!(wrote, ["PATCH dbdata"]);
}

#[tokio::test]
async fn a_definition_that_is_never_established_counts_as_applied() {
    let definition = json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.shop.example.com", "uid": "u"},
        "spec": {"group": "shop.example.com", "names": {"kind": "Widget", "plural": "widgets"}}});
    let mut live = definition.clone();
    live["spec"]["scope"] = json!("Namespaced");
    live["status"] = json!({"conditions": [
        {"type": "NamesAccepted", "status": "False", "message": "\"Widget\" is already in use"},
        {"type": "Established", "status": "False", "message": "not all names are accepted"}]});
    let mut wanted = definition;
    wanted["spec"]["scope"] = json!("Cluster");
    let list = json!({"kind": "CustomResourceDefinitionList", "apiVersion": "apiextensions.k8s.io/v1",
        "metadata": {"resourceVersion": "1"}, "items": []});
    let (outcome, _) = refused(wanted, live, "", list).await;
    assert_eq!(names(&outcome), ["widgets.shop.example.com"]);
    insta::assert_snapshot!(outcome.error.unwrap(), @r#"
    Hit timeout of 500ms applying CustomResourceDefinition/widgets.shop.example.com: it was not established
    its status says: "Widget" is already in use
    its status says: not all names are accepted
    "#);
}

fn unwanted(name: &str, uid: Option<&str>) -> UnwantedObject {
    UnwantedObject {
        id: ObjectId {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: Some("ns".to_owned()),
            name: name.to_owned(),
        },
        uid: uid.map(ObjectUid::new),
    }
}

/// Deletes objects as garbage; returns what was said.
async fn collected(api: &FakeApi, objects: &[UnwantedObject]) -> String {
    let store = LogStore::in_memory();
    let log = LogWriter::global(store.clone());
    let never = CancellationToken::new();
    collect_garbage(
        &api.cluster(),
        "cleaning",
        objects,
        &Ownership::default(),
        &log,
        &never,
    )
    .await;
    said(&store)
}

#[tokio::test]
async fn what_somebody_made_anew_stays() {
    let conflict = "Operation cannot be fulfilled on configmaps \"two\": StorageError: invalid object, Precondition failed: \
                    UID in precondition: old, UID in object meta: new";
    let api = server(vec![
        ("DELETE two", Reply::Fails(409, conflict)),
        ("GET two", Reply::Json(config_map("two"))),
        ("GET two", Reply::Json(config_map("two"))),
        ("GET three", Reply::Json(config_map("three"))),
    ])
    .await;
    let objects = [
        unwanted("one", Some("u-one")),
        unwanted("two", Some("old")),
        unwanted("three", None),
    ];
    let told = collected(&api, &objects).await;
    insta::assert_snapshot!(told, @r#"
    Beginning cleaning
    Deleting kubernetes objects:
    → ConfigMap/one
    → ConfigMap/two
    → ConfigMap/three
    ConfigMap/two was made anew by somebody else: it stays.
    "#);
    let mut uids: Vec<String> = api
        .deletions()
        .iter()
        .map(|deletion| {
            deletion["preconditions"]["uid"]
                .as_str()
                .unwrap_or_default()
                .to_owned()
        })
        .collect();
    uids.sort();
    assert_eq!(uids, ["old", "u-one", "u-three"]);
}

#[tokio::test(start_paused = true)]
async fn a_deletion_that_is_not_answered_ends_and_is_tried_again() {
    let api = server(vec![("DELETE one", Reply::Never)]).await;
    let told = collected(&api, &[unwanted("one", Some("u-one"))]).await;
    assert_eq!(api.wrote(), ["DELETE one", "DELETE one"]);
    assert!(!told.contains("Error"), "{told}");
}
