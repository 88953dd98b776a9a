//! What clients may do with objects, and what they get.

use serde_json::{Value, json};

use super::*;
use crate::model::Timestamp;

fn kind(name: &str) -> &'static Kind {
    Kind::named(name).expect("a kind")
}

fn write() -> Write<'static> {
    Write {
        part: Part::Main,
        strict: true,
        dry_run: false,
        now: Timestamp::from_secs(1_800_000_000),
        manager: "test",
        force: false,
    }
}

fn map(name: &str) -> Value {
    json!({"metadata": {"name": name}, "data": {"a": "1"}})
}

fn status() -> Write<'static> {
    Write {
        part: Part::Status,
        ..write()
    }
}

#[test]
fn an_object_gets_what_only_the_server_sets() {
    let mut store = Store::default();
    let made = store
        .create(kind("ConfigMap"), map("m"), write())
        .expect("it is created");
    assert_eq!(made["apiVersion"], "tilt.dev/v1alpha1");
    assert_eq!(made["metadata"]["creationTimestamp"], "2027-01-15T08:00:00Z");
    assert_eq!(made["metadata"]["resourceVersion"], "1");
    assert_eq!(made["metadata"]["uid"].as_str().map(str::len), Some(36));
    let again = store
        .create(kind("ConfigMap"), map("m"), write())
        .expect_err("it is there");
    assert_eq!(again.message, "configmaps.tilt.dev \"m\" already exists");
}

#[test]
fn a_write_of_what_was_changed_since_is_refused() {
    let mut store = Store::default();
    let first = store
        .create(kind("ConfigMap"), map("m"), write())
        .expect("it is created");
    let mut body = (*first).clone();
    body["data"]["a"] = "2".into();
    let second = store
        .update(kind("ConfigMap"), "m", body.clone(), write())
        .expect("it is written");
    assert_eq!(second["metadata"]["resourceVersion"], "2");
    let late = store
        .update(kind("ConfigMap"), "m", body, write())
        .expect_err("it is stale");
    assert_eq!((late.reason, late.reason.code()), (Reason::Conflict, 409));
    let same = store
        .update(kind("ConfigMap"), "m", (*second).clone(), write())
        .expect("it is written");
    assert_eq!(same["metadata"]["resourceVersion"], "2", "nothing changed");
}

#[test]
fn spec_and_status_are_written_apart() {
    let mut store = Store::default();
    let button = json!({
        "metadata": {"name": "b"},
        "spec": {"text": "go", "location": {"componentID": "web", "componentType": "Resource"}},
    });
    let made = store
        .create(kind("UIButton"), button, write())
        .expect("it is created");
    assert_eq!(made["status"], json!({"lastClickedAt": null}));
    let click = json!({
        "metadata": {"name": "b"},
        "spec": {"text": "other"},
        "status": {"lastClickedAt": "2027-01-15T08:00:00.000000Z"},
    });
    let clicked = store
        .patch(kind("UIButton"), "b", (PatchType::Apply, click.clone()), status())
        .expect("it is clicked");
    assert_eq!(clicked["spec"]["text"], "go");
    assert_eq!(clicked["status"]["lastClickedAt"], "2027-01-15T08:00:00.000000Z");
    let renamed = store
        .patch(
            kind("UIButton"),
            "b",
            (PatchType::Merge, json!({"spec": {"text": "x"}, "status": null})),
            write(),
        )
        .expect("it is renamed");
    assert_eq!(renamed["spec"]["text"], "x");
    assert_eq!(renamed["status"], clicked["status"]);
}

#[test]
fn what_a_kind_does_not_have_is_refused_or_dropped() {
    let mut store = Store::default();
    let body = json!({"metadata": {"name": "c"}, "spec": {"args": ["ls"], "nosuch": 1}});
    let refused = store
        .create(kind("Cmd"), body.clone(), write())
        .expect_err("a field is unknown");
    assert_eq!(
        refused.message,
        "Cmd in version \"v1alpha1\" cannot be handled as a Cmd: strict decoding error: unknown field \"spec.nosuch\""
    );
    let lenient = Write {
        strict: false,
        ..write()
    };
    let made = store.create(kind("Cmd"), body, lenient).expect("it is created");
    assert_eq!(made["spec"], json!({"args": ["ls"]}));
    let wrong = json!({"metadata": {"name": "d"}, "spec": {"args": "ls"}});
    let refused = store
        .create(kind("Cmd"), wrong, write())
        .expect_err("a type is wrong");
    assert!(
        refused.message.contains("cannot unmarshal string"),
        "{}",
        refused.message
    );
}

#[test]
fn times_with_microseconds_need_six_digits() {
    for (time, is_taken) in [
        ("2026-01-02T03:04:05.000000Z", true),
        ("2026-01-02T03:04:05.000Z", false),
        ("2026-01-02T03:04:05Z", false),
        ("yesterday", false),
    ] {
        let body = json!({
            "metadata": {"name": "b"},
            "spec": {"text": "go", "location": {"componentID": "web", "componentType": "Resource"}},
            "status": {"lastClickedAt": time},
        });
        let made = Store::default().create(kind("UIButton"), body, write());
        assert_eq!(made.is_ok(), is_taken, "{time}: {made:?}");
    }
}

#[test]
fn rules_beside_the_types_are_told_with_their_fields() {
    let mut store = Store::default();
    for (of, spec, told) in [
        (
            "UIButton",
            json!({"text": "x", "location": {}}),
            "spec.location.componentID: Required value: Parent component ID is required",
        ),
        (
            "ExtensionRepo",
            json!({"url": "git@x"}),
            "URLs must start with http(s):// or file://",
        ),
        (
            "FileWatch",
            json!({"watchedPaths": []}),
            "spec.watchedPaths: Required value: cannot be an empty list",
        ),
        (
            "PortForward",
            json!({"podName": "p", "forwards": []}),
            "spec.forwards: Required value: At least one Forward is required",
        ),
        (
            "PortForward",
            json!({"podName": "p", "forwards": [{"localPort": 70000, "containerPort": 0}]}),
            "[spec.forwards[0].localPort: Invalid value: 70000: LocalPort must be in the range [0, 65535], \
             spec.forwards[0].containerPort: Invalid value: 0: ContainerPort must be in the range (0, 65535]]",
        ),
        (
            "KubernetesApply",
            json!({"applyCmd": {"args": []}, "cluster": "", "discoveryStrategy": "x"}),
            "[spec.discoveryStrategy: Unsupported value: \"x\": supported values: \"default\", \"selectors-only\", \
             spec.applyCmd.args: Required value: args cannot be empty]",
        ),
        (
            "KubernetesDiscovery",
            json!({"watches": [{"uid": "a", "namespace": "", "name": "web"}]}),
            "spec.watches[0]: Required value: Namespace must be provided",
        ),
    ] {
        let body = json!({"metadata": {"name": "x"}, "spec": spec});
        let refused = store.create(kind(of), body, write()).expect_err("it is invalid");
        assert!(refused.message.contains(told), "{}", refused.message);
        assert_eq!(refused.reason, Reason::Invalid);
    }
}

#[test]
fn a_watch_goes_on_where_it_was_or_is_told_that_it_is_too_late() {
    let mut store = Store::default();
    for name in ["a", "b"] {
        store
            .create(kind("ConfigMap"), map(name), write())
            .expect("it is created");
    }
    store
        .delete(kind("ConfigMap"), "a", None, false)
        .expect("it is deleted");
    let changes = store
        .changes_since(kind("ConfigMap"), 1)
        .expect("it is remembered");
    let told: Vec<(u64, &str)> = changes
        .iter()
        .map(|change| (change.version, change.change.word()))
        .collect();
    assert_eq!(told, [(2, "ADDED"), (3, "DELETED")]);
    for n in 0..5000 {
        store
            .create(kind("ConfigMap"), map(&format!("x{n}")), write())
            .expect("it is created");
    }
    let late = store
        .changes_since(kind("ConfigMap"), 1)
        .expect_err("it is forgotten");
    assert_eq!(late.reason.code(), 410);
}

#[test]
fn of_an_object_that_changes_again_old_changes_are_forgotten_and_none_is_missed() {
    let mut store = Store::default();
    let names = ["a", "b", "c"];
    let show = |store: &mut Store, n: u64| {
        let name = names[usize::try_from(n % 3).expect("it is small")];
        let mut map = map(name);
        map["data"] = json!({"n": n.to_string()});
        // Of one of them selectors may see something else at times.
        let label = if name == "c" { n / 900 } else { 0 };
        map["metadata"]["labels"] = json!({"l": label.to_string()});
        store.show(kind("ConfigMap"), map, Timestamp::from_secs(1));
    };
    for n in 0..3_000 {
        show(&mut store, n);
    }
    for seen in [0, 1, 100, 1_500, 2_900, 2_999] {
        let changes = store
            .changes_since(kind("ConfigMap"), seen)
            .expect("they are remembered");
        assert!(changes.len() < 300, "{} are kept since {seen}", changes.len());
        for name in names {
            let of_it: Vec<&Change> = changes
                .iter()
                .filter(|change| change.object["metadata"]["name"] == name)
                .collect();
            let last = store.get(kind("ConfigMap"), name).expect("it is there");
            if let Some(change) = of_it.last() {
                assert_eq!(&change.object, last, "{name} since {seen}");
            } else {
                let version = last["metadata"]["resourceVersion"].as_str().expect("a text");
                assert!(
                    version.parse::<u64>().expect("a number") <= seen,
                    "{name} since {seen}"
                );
            }
            // What selectors see goes on where it was.
            for pair in of_it.windows(2) {
                let before = pair[1].before.as_ref().expect("it is none that is new");
                assert_eq!(before["metadata"]["labels"], pair[0].object["metadata"]["labels"]);
            }
        }
    }
}

#[test]
fn selectors_choose_by_labels_and_names() {
    let object = json!({"metadata": {"name": "web", "labels": {"tier": "front", "team": "a"}}});
    for (text, matches) in [
        ("", true),
        ("tier", true),
        ("!tier", false),
        ("tier=front,team==a", true),
        ("tier!=front", false),
        ("tier in (back, front)", true),
        ("tier notin (back)", true),
        ("nosuch", false),
    ] {
        let labels = LabelSelector::parse(text).expect("it is a selector");
        let selection = Selection {
            labels,
            ..Selection::default()
        };
        assert_eq!(selection.matches(&object), matches, "{text}");
    }
    assert!(LabelSelector::parse("a in b").is_err());
    let unknown = FieldSelector::parse("spec.x=1").expect_err("there is no such field");
    assert!(unknown.message.contains("is not a known field selector"));
}

#[test]
fn what_is_shown_again_as_it_was_is_no_change() {
    let mut store = Store::default();
    let now = Timestamp::from_secs(1);
    let shown = || json!({"metadata": {"name": "a"}, "data": {"x": "1"}});
    store.show(kind("ConfigMap"), shown(), now);
    let version = store.version();
    store.show(kind("ConfigMap"), shown(), now);
    assert_eq!(store.version(), version);
}

#[test]
fn a_click_and_a_config_map_ask_for_the_same() {
    let button = |action: &str| Change {
        version: 1,
        kind: kind("UIButton"),
        change: ChangeKind::Modified,
        object: std::sync::Arc::new(json!({
            "metadata": {"name": "toggle-web-disable"},
            "spec": {"inputs": [{"name": "action", "hidden": {"value": action}}]},
            "status": {"lastClickedAt": "2026-01-02T03:04:05.000000Z"},
        })),
        before: None,
        is_engines: true,
    };
    let enabled = |action: &str| wishes(&button(action)).into_iter().next();
    assert_eq!(enabled("on"), Some(Wish::Enable("web".into(), false)));
    assert_eq!(enabled("off"), Some(Wish::Enable("web".into(), true)));
}

/// Returns the values that a click on a button with these inputs, and this status of them, gives.
#[track_caller]
fn clicked(inputs: Value, given: Value) -> Vec<(String, String)> {
    let change = Change {
        version: 1,
        kind: kind("UIButton"),
        change: ChangeKind::Modified,
        object: std::sync::Arc::new(json!({
            "metadata": {"name": "go"},
            "spec": {"inputs": inputs},
            "status": {"lastClickedAt": "2026-01-02T03:04:05.000000Z", "inputs": given},
        })),
        before: None,
        is_engines: true,
    };
    match wishes(&change).pop() {
        Some(Wish::Click { button, inputs, .. }) if button == "go" => inputs,
        other => panic!("a click was made, not {other:?}"),
    }
}

#[test]
fn each_input_of_a_click_has_a_value() {
    let (name, choices) = ("x", json!({"choices": ["a", "b"]}));
    let words = json!({"trueString": "yes", "falseString": ""});
    let rows = [
        (
            json!({"text": {"defaultValue": "d"}}),
            json!({"text": {"value": "t"}}),
            "t",
        ),
        (json!({"text": {"defaultValue": "d"}}), json!({}), "d"),
        (json!({"bool": {}}), json!({"bool": {"value": true}}), "true"),
        (
            json!({"bool": {"defaultValue": true}}),
            json!({"bool": {"value": false}}),
            "false",
        ),
        (json!({"bool": words}), json!({"bool": {"value": true}}), "yes"),
        (json!({"bool": words}), json!({}), ""),
        (json!({"choice": choices}), json!({"choice": {"value": "b"}}), "b"),
        (json!({"choice": choices}), json!({"choice": {"value": "c"}}), "a"),
        (json!({"hidden": {"value": "h"}}), json!({}), "h"),
    ];
    for (mut spec, mut status, expected) in rows {
        (spec["name"], status["name"]) = (name.into(), name.into());
        let got = clicked(json!([spec]), json!([status]));
        assert_eq!(got, [(name.to_owned(), expected.to_owned())], "{spec} {status}");
    }
}

#[test]
fn what_a_user_makes_is_asked_for_and_what_only_shows_something_is_not() {
    let mut store = Store::default();
    let cmd = json!({"metadata": {"name": "lint"}, "spec": {"args": ["make"]}});
    store.create(kind("Cmd"), cmd, write()).expect("it is created");
    store.show(
        kind("Cmd"),
        json!({"metadata": {"name": "web:update"}, "spec": {}}),
        write().now,
    );
    let _ = store.delete(kind("Cmd"), "lint", None, false);
    let asked: Vec<Wish> = store.all_changes_since(0).iter().flat_map(wishes).collect();
    let [Wish::Object(_, made, Some(object)), Wish::Object(_, gone, None)] = &asked[..] else {
        panic!("{asked:?}");
    };
    assert_eq!((made.as_str(), gone.as_str()), ("lint", "lint"));
    assert_eq!(object.spec["args"], json!(["make"]));
}

#[test]
fn the_status_of_an_object_is_shown_without_undoing_what_was_written() {
    let mut store = Store::default();
    let cmd = |args: &str| json!({"metadata": {"name": "lint"}, "spec": {"args": [args]}});
    store
        .create(kind("Cmd"), cmd("a"), write())
        .expect("it is created");
    store.show_status(kind("Cmd"), "lint", json!({"ready": true}), write().now);
    let shown = store.find(kind("Cmd"), "lint").expect("it is there");
    assert_eq!(
        (&shown["spec"]["args"][0], &shown["status"]["ready"]),
        (&json!("a"), &json!(true))
    );
    store.hide(kind("Cmd"), "lint");
    assert!(store.get(kind("Cmd"), "lint").is_some(), "it is the user's");
}

#[test]
fn the_description_of_every_kind_is_whole() {
    let document = openapi::document(openapi::Dialect::V3).to_string();
    for kind in &KINDS {
        assert!(
            document.contains(&format!("v1alpha1.{}\"", kind.name)),
            "{}",
            kind.name
        );
        assert!(
            crate::k8s::schema::of_api_kind(kind.name).is_some(),
            "{}",
            kind.name
        );
    }
    assert!(!document.contains(":null,\"com."), "no definition is left open");
}

#[test]
fn users_may_name_kinds_as_they_like() {
    for word in [
        "uiresource",
        "UIResources",
        "uiresources.tilt.dev",
        "uiresources.v1alpha1.tilt.dev",
    ] {
        assert_eq!(
            Kind::meant_by(word).map(|kind| kind.name),
            Some("UIResource"),
            "{word}"
        );
    }
    assert_eq!(Kind::meant_by("fw").map(|kind| kind.name), Some("FileWatch"));
    assert_eq!(Kind::meant_by("pods"), None);
}

#[test]
fn of_the_sessions_own_object_only_the_last_change_is_remembered() {
    let mut store = Store::default();
    for pid in 1..=4 {
        let object = json!({
            "metadata": {"name": "Tiltfile"},
            "spec": {"tiltfilePath": "/src/Tiltfile", "exitCondition": "manual"},
            "status": {"pid": pid},
        });
        store.show(kind("Session"), object, Timestamp::from_secs(pid));
        store.show(kind("ConfigMap"), map("m"), Timestamp::from_secs(pid));
    }
    let changes = store
        .changes_since(kind("Session"), 0)
        .expect("they are remembered");
    let pids: Vec<_> = changes
        .iter()
        .map(|change| {
            let before = change
                .before
                .as_ref()
                .map(|before| before["status"]["pid"].clone());
            (before, change.object["status"]["pid"].clone())
        })
        .collect();
    assert_eq!(pids, [(None, json!(1)), (Some(json!(1)), json!(4))]);
    let later = store.changes_since(kind("Session"), changes[0].version);
    assert_eq!(later.expect("they are remembered").len(), 1);
}
