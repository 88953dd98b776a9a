//! Objects that users make: what starts them, what becomes of them, and what is shown.

use std::time::Duration;

use serde_json::{Value, json};

use super::script::*;
use crate::engine::{Asker, Event, ForwardId, ForwardPart, LoadOutcome, Mode, ServerEnd, ServerStatus};
use crate::model::{ApiKind, ApiObject, ServeId, TargetId, Timestamp};

fn object(spec: Value) -> ApiObject {
    ApiObject {
        spec: spec.as_object().cloned().expect("a map"),
        ..ApiObject::default()
    }
}

fn write(script: &mut Script, kind: ApiKind, name: &str, spec: Value) -> String {
    script.send(Event::ObjectWritten {
        kind,
        name: name.to_owned(),
        object: Some(Box::new(object(spec))),
    })
}

fn delete(script: &mut Script, kind: ApiKind, name: &str) -> String {
    script.send(Event::ObjectWritten {
        kind,
        name: name.to_owned(),
        object: None,
    })
}

fn click(script: &mut Script, button: &str, second: i64, inputs: &[(&str, &str)]) -> String {
    script.send(Event::ButtonClicked {
        button: button.to_owned(),
        at: Timestamp::from_secs(second),
        inputs: inputs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect(),
    })
}

#[track_caller]
fn status(script: &Script, kind: ApiKind, name: &str) -> Value {
    let view = script.view();
    let shown = view.objects.get(&(kind, name.to_owned())).expect("it is shown");
    shown.status.clone().unwrap_or_default()
}

fn load(script: &mut Script, objects: &[(ApiKind, &str, Value)]) -> String {
    let mut outcome = LoadOutcome { ..loaded(Vec::new()) };
    for (kind, name, spec) in objects {
        outcome.objects.insert(*kind, name, object(spec.clone()));
    }
    script.finish_load(outcome)
}

fn up() -> Script {
    Script::up(Vec::new())
}

#[test]
fn a_command_runs_at_once_and_says_how_it_ended() {
    let mut script = up();
    let made = write(
        &mut script,
        ApiKind::Cmd,
        "lint",
        json!({"args": ["make", "lint"]}),
    );
    assert_eq!(made, "serve [make lint as Cmd-lint]");
    assert_eq!(status(&script, ApiKind::Cmd, "lint")["waiting"], json!({}));
    let running = ServerStatus::Running {
        pid: 7,
        ready: true,
        fault: None,
    };
    script.send(Event::ServerChanged {
        serve: ServeId(1),
        status: running,
    });
    let shown = status(&script, ApiKind::Cmd, "lint");
    assert_eq!(
        shown["running"],
        json!({"pid": 7, "startedAt": "1970-01-01T00:16:40.500000Z"})
    );
    script.send(Event::ServerChanged {
        serve: ServeId(1),
        status: ServerStatus::Exited {
            pid: 7,
            how: ServerEnd::Code(3),
        },
    });
    let ended = &status(&script, ApiKind::Cmd, "lint")["terminated"];
    assert_eq!(
        (&ended["exitCode"], &ended["reason"]),
        (&json!(3), &json!("exit status 3"))
    );
    assert_eq!(
        script.edit(TargetId::watch("none"), &["/x"]),
        "",
        "it is not run again"
    );
}

#[test]
fn a_command_with_a_button_waits_for_it_and_gets_its_inputs() {
    let mut script = up();
    let spec = json!({"args": ["greet"], "env": ["A=1"], "startOn": {"uiButtons": ["go"]}});
    assert_eq!(write(&mut script, ApiKind::Cmd, "hello", spec), "");
    assert_eq!(
        status(&script, ApiKind::Cmd, "hello")["waiting"]["reason"],
        "cmd StartOn has not been triggered"
    );
    let effects = script.effects(Event::ButtonClicked {
        button: "go".to_owned(),
        at: Timestamp::from_secs(5),
        inputs: vec![("NAME".to_owned(), "Ann".to_owned())],
    });
    let [crate::engine::Effect::Serve(servers)] = &effects[..] else {
        panic!("{effects:?}");
    };
    let first = servers.values().next().expect("a command runs");
    assert_eq!(first.command.env, ["A=1", "NAME=Ann"]);
    assert_eq!(
        click(&mut script, "go", 5, &[]),
        "",
        "the same click again is none"
    );
    let again = click(&mut script, "go", 6, &[]);
    assert_eq!(again, "serve [greet as Cmd-hello]", "it is run anew");
}

#[test]
fn another_definition_of_a_command_stops_it_and_runs_it_unless_it_waits() {
    let mut script = up();
    write(&mut script, ApiKind::Cmd, "a", json!({"args": ["one"]}));
    let two = write(&mut script, ApiKind::Cmd, "a", json!({"args": ["two"]}));
    assert_eq!(two, "serve [two as Cmd-a]");
    let waiting = json!({"args": ["three"], "startOn": {"uiButtons": ["go"]}});
    assert_eq!(write(&mut script, ApiKind::Cmd, "a", waiting), "serve []");
}

#[test]
fn files_that_a_watch_sees_run_a_command_again() {
    let mut script = up();
    let watch = json!({"watchedPaths": ["/src/lib"]});
    let watched = write(&mut script, ApiKind::FileWatch, "lib", watch);
    assert!(watched.contains("filewatch:lib"), "{watched}");
    let cmd = json!({"args": ["test"], "restartOn": {"fileWatches": ["lib"]}});
    write(&mut script, ApiKind::Cmd, "test", cmd);
    let again = script.edit(TargetId::watch("lib"), &["/src/lib/a", "/src/lib/b"]);
    assert_eq!(again, "serve [test as Cmd-test]");
    let shown = status(&script, ApiKind::FileWatch, "lib");
    assert_eq!(
        shown["fileEvents"][0]["seenFiles"],
        json!(["/src/lib/a", "/src/lib/b"])
    );
    assert_eq!(shown["lastEventTime"], shown["fileEvents"][0]["time"]);
    assert_eq!(delete(&mut script, ApiKind::Cmd, "test"), "serve []");
}

#[test]
fn the_watch_of_a_resource_is_shown_and_can_be_named_too() {
    let mut script = Script::up(vec![local_with_deps("web")]);
    let cmd = json!({"args": ["test"], "startOn": {"uiButtons": ["go"]}, "restartOn": {"fileWatches": ["local:web"]}});
    write(&mut script, ApiKind::Cmd, "test", cmd);
    let told = script.edit(TargetId::local(&"web".into()), &["/src/web/a"]);
    assert!(told.contains("serve [test as Cmd-test]"), "{told}");
    let view = script.view();
    let shown = &view.objects[&(ApiKind::FileWatch, "local:web".to_owned())];
    assert_eq!(shown.object.spec["watchedPaths"], json!(["/src/web"]));
    assert_eq!(shown.object.annotations["tilt.dev/resource"], "web");
}

#[test]
fn a_config_map_switches_a_command_off_and_on() {
    let mut script = up();
    let source = json!({"configMap": {"name": "m", "key": "off"}});
    let cmd = json!({"args": ["serve"], "disableSource": source});
    assert_eq!(write(&mut script, ApiKind::Cmd, "s", cmd), "");
    let disable = &status(&script, ApiKind::Cmd, "s")["disableStatus"];
    assert_eq!(
        (&disable["disabled"], &disable["reason"]),
        (&json!(true), &json!("ConfigMap \"m\" does not exist"))
    );
    let map = |off: &str| json!({"data": {"off": off}});
    let on = write(&mut script, ApiKind::ConfigMap, "m", map("false"));
    assert_eq!(on, "serve [serve as Cmd-s]");
    assert_eq!(
        write(&mut script, ApiKind::ConfigMap, "m", map("true")),
        "serve []"
    );
}

#[test]
fn a_toggle_shows_its_state_in_a_button_and_a_click_switches_it() {
    let mut script = up();
    write(&mut script, ApiKind::ConfigMap, "m", json!({"data": {"k": "no"}}));
    let toggle = json!({
        "location": {"componentID": "nav", "componentType": "Global"},
        "on": {"text": "Stop"},
        "off": {"text": "Start", "requiresConfirmation": true},
        "stateSource": {"configMap": {"name": "m", "key": "k", "onValue": "yes", "offValue": "no"}},
    });
    write(&mut script, ApiKind::ToggleButton, "t", toggle);
    let button = |script: &Script| {
        let view = script.view();
        view.objects[&(ApiKind::UiButton, "toggle-t".to_owned())]
            .object
            .spec
            .clone()
    };
    assert_eq!(button(&script)["text"], "Start");
    click(&mut script, "toggle-t", 5, &[("action", "on")]);
    assert_eq!(button(&script)["text"], "Stop");
    let view = script.view();
    let map = &view.objects[&(ApiKind::ConfigMap, "m".to_owned())];
    assert_eq!(map.object.spec["data"]["k"], "yes");
    click(&mut script, "toggle-t", 6, &[("action", "up")]);
    assert_eq!(
        status(&script, ApiKind::ToggleButton, "t")["error"],
        "button \"toggle-t\" input \"action\" had unexpected value \"up\""
    );
    delete(&mut script, ApiKind::ConfigMap, "m");
    assert_eq!(
        status(&script, ApiKind::ToggleButton, "t")["error"],
        "no such ConfigMap \"m\""
    );
}

#[test]
fn a_toggle_over_the_config_map_of_a_resource_switches_that() {
    let mut script = Script::up(vec![local("web", "make", "")]);
    let toggle = json!({
        "on": {"text": "On"},
        "off": {"text": "Off"},
        "stateSource": {"configMap": {"name": "web-disable", "key": "isDisabled"}},
    });
    write(&mut script, ApiKind::ToggleButton, "t", toggle);
    click(&mut script, "toggle-t", 5, &[("action", "on")]);
    assert!(!script.resource("web").enabled);
}

#[test]
fn what_a_tiltfile_no_longer_registers_goes_and_what_a_user_made_stays() {
    let mut script = up();
    write(&mut script, ApiKind::Cmd, "mine", json!({"args": ["mine"]}));
    script.edit_tiltfile();
    load(
        &mut script,
        &[
            (ApiKind::Cmd, "a", json!({"args": ["a"]})),
            (ApiKind::Cmd, "b", json!({"args": ["b"]})),
        ],
    );
    let view = script.view();
    let shown = &view.objects[&(ApiKind::Cmd, "a".to_owned())];
    assert_eq!(shown.object.annotations["tilt.dev/resource"], "(Tiltfile)");
    script.edit_tiltfile();
    let rest = load(&mut script, &[(ApiKind::Cmd, "a", json!({"args": ["a"]}))]);
    assert!(rest.contains("serve [mine as Cmd-mine, a as Cmd-a]"), "{rest}");
    script.edit_tiltfile();
    let failed = script.finish_load(broken("no"));
    assert!(
        !failed.contains("serve"),
        "a Tiltfile that fails takes nothing away: {failed}"
    );
}

#[test]
fn an_extension_that_a_user_registers_is_run_with_the_tiltfile() {
    let mut script = up();
    let loads = write(
        &mut script,
        ApiKind::Extension,
        "e",
        json!({"repoName": "default"}),
    );
    assert!(loads.contains("Extensions Changed"), "{loads}");
    let effects = Script::new(Mode::Up).effects(Event::Started);
    assert!(
        format!("{effects:?}").contains("extensions: ApiObjects({})"),
        "{effects:?}"
    );
}

#[test]
fn a_port_leads_to_a_pod_that_a_user_names_once_that_runs() {
    let mut script = up();
    let spec = json!({"podName": "db-0", "forwards": [{"localPort": 5432, "containerPort": 5433}]});
    let asked = write(&mut script, ApiKind::PortForward, "db", spec);
    assert!(asked.contains("forward [5432 to nowhere]"), "{asked}");
    assert!(asked.contains("watch cluster {\"default\"}"), "{asked}");
    let first = |script: &Script| status(script, ApiKind::PortForward, "db")["forwardStatuses"][0].clone();
    assert_eq!(first(&script)["error"], "the pod does not run");
    let pod = crate::model::Pod {
        phase: crate::model::PodPhase::Running,
        ..pod("db", "db-0", 1)
    };
    let seen = script.see(pod);
    assert_eq!(seen, "forward [5432 to db-0:5433]");
    assert_eq!(first(&script)["error"], "");
    assert!(delete(&mut script, ApiKind::PortForward, "db").contains("forward []"));
}

#[test]
fn ports_that_come_with_a_discovery_are_shown_by_an_object_for_the_pod_that_they_lead_to() {
    let mut script = up();
    let spec = json!({
        "watches": [{"uid": "deployment-db", "namespace": "default"}],
        "portForwardTemplateSpec": {"forwards": [{"localPort": 5432}, {"localPort": 9187}]},
    });
    let asked = write(&mut script, ApiKind::KubernetesDiscovery, "db", spec);
    assert!(
        asked.contains("forward [5432 to nowhere, 9187 to nowhere]"),
        "{asked}"
    );
    let running = |name: &str, created: i64| {
        let mut pod = crate::model::Pod {
            phase: crate::model::PodPhase::Running,
            ..pod("db", name, created)
        };
        pod.containers[0].ports = vec![5433, 9187];
        pod
    };
    let first = script.see(running("db-0", 1));
    assert!(
        first.contains("forward [5432 to db-0:5433, 9187 to db-0:9187]"),
        "{first}"
    );
    let owner = |script: &Script, name: &str| {
        let shown = script
            .view()
            .objects
            .get(&(ApiKind::PortForward, name.to_owned()))
            .cloned();
        shown.and_then(|shown| shown.owner.clone())
    };
    let discovery = Some((ApiKind::KubernetesDiscovery, "db".to_owned()));
    assert_eq!(owner(&script, "db-db-0"), discovery);
    script.send(Event::ForwardChanged {
        forward: ForwardId {
            asker: Asker::object(ApiKind::KubernetesDiscovery, "db", 0),
            local_port: 5432,
            host: None,
        },
        part: ForwardPart::Listening,
        error: Some("in use".to_owned()),
    });
    let ports = status(&script, ApiKind::PortForward, "db-db-0")["forwardStatuses"].clone();
    let told = |at: usize| (ports[at]["containerPort"].clone(), ports[at]["error"].clone());
    assert_eq!(told(0), (json!(5433), json!("in use")));
    assert_eq!(told(1), (json!(9187), json!("")));
    script.see(running("db-1", 2));
    assert_eq!(
        (owner(&script, "db-db-0"), owner(&script, "db-db-1")),
        (None, discovery)
    );
    delete(&mut script, ApiKind::KubernetesDiscovery, "db");
    assert_eq!(owner(&script, "db-db-1"), None);
}

#[test]
fn a_pod_concerns_only_those_that_it_belongs_to() {
    let mut script = up();
    let watches = |uid: &str| json!({"watches": [{"uid": uid, "namespace": "default"}]});
    write(
        &mut script,
        ApiKind::KubernetesDiscovery,
        "db",
        watches("deployment-db"),
    );
    write(
        &mut script,
        ApiKind::KubernetesDiscovery,
        "web",
        watches("deployment-web"),
    );
    let shown =
        |script: &Script| script.view().objects[&(ApiKind::KubernetesDiscovery, "web".to_owned())].clone();
    let before = shown(&script);
    script.see(pod("db", "db-0", 1));
    assert!(std::sync::Arc::ptr_eq(&before, &shown(&script)));
}

const MAP: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: m}\n";

#[test]
fn what_a_user_applies_is_applied_again_when_it_changes_and_deleted_when_it_goes() {
    let mut script = up();
    let first = write(&mut script, ApiKind::KubernetesApply, "k", json!({"yaml": MAP}));
    assert!(first.contains("start KubernetesApply-k \"Applying\""), "{first}");
    assert_eq!(
        write(&mut script, ApiKind::KubernetesApply, "k", json!({"yaml": MAP})),
        ""
    );
    script.finish(1, deployed(&[], &[super::script::object("ConfigMap", "m")]));
    let shown = status(&script, ApiKind::KubernetesApply, "k");
    assert_eq!(
        (&shown["error"], shown["lastApplyTime"].is_string()),
        (&json!(""), true)
    );
    let other = MAP.replace("name: m", "name: other");
    let again = write(&mut script, ApiKind::KubernetesApply, "k", json!({"yaml": other}));
    assert!(again.contains("\"Applying again\""), "{again}");
    let dangling = script.finish(2, deployed(&[], &[super::script::object("ConfigMap", "other")]));
    assert!(dangling.contains("ConfigMap/m"), "{dangling}");
    let gone = delete(&mut script, ApiKind::KubernetesApply, "k");
    assert!(gone.contains("ConfigMap/other"), "{gone}");
}

#[test]
fn what_is_being_applied_when_it_goes_is_cancelled_and_then_deleted() {
    let mut script = up();
    write(&mut script, ApiKind::KubernetesApply, "k", json!({"yaml": MAP}));
    assert!(delete(&mut script, ApiKind::KubernetesApply, "k").contains("cancel"));
    let deleted = script.finish(1, deployed(&[], &[super::script::object("ConfigMap", "m")]));
    assert!(deleted.contains("ConfigMap/m"), "{deleted}");
}

#[test]
fn what_cannot_be_applied_says_why() {
    let mut script = up();
    let told = write(
        &mut script,
        ApiKind::KubernetesApply,
        "k",
        json!({"yaml": "a: [", "annotations": {}}),
    );
    assert!(told.contains("kubernetesapply k: "), "{told}");
    let error = status(&script, ApiKind::KubernetesApply, "k")["error"].clone();
    assert_ne!(error, "");
}

#[test]
fn pods_belong_to_what_names_their_owners_or_labels() {
    let mut script = up();
    let watches = json!({"watches": [{"uid": "deployment-db", "namespace": "default"}]});
    write(&mut script, ApiKind::KubernetesDiscovery, "db", watches);
    let selects = json!({"watches": [], "extraSelectors": [{"matchLabels": {"app": "x"}}]});
    write(&mut script, ApiKind::KubernetesDiscovery, "x", selects);
    let seen = script.see(pod("db", "db-0", 1));
    assert!(seen.contains("read logs"), "{seen}");
    let names = |script: &Script, name: &str| -> Vec<String> {
        let pods = status(script, ApiKind::KubernetesDiscovery, name)["pods"].clone();
        let pods = pods.as_array().into_iter().flatten();
        pods.map(|pod| pod["name"].as_str().unwrap_or_default().to_owned())
            .collect()
    };
    assert_eq!(names(&script, "db"), ["db-0"]);
    assert!(names(&script, "x").is_empty());
    let labelled = crate::model::Pod {
        labels: vec![("app".to_owned(), "x".to_owned())],
        ..pod("other", "x-0", 1)
    };
    script.see(labelled);
    assert_eq!(names(&script, "x"), ["x-0"]);
    let gone = delete(&mut script, ApiKind::KubernetesDiscovery, "db");
    assert!(gone.contains("read logs"), "{gone}");
}

/// Returns a local resource with files.
fn local_with_deps(name: &str) -> crate::model::Manifest {
    let mut manifest = local(name, "make", "");
    if let crate::model::DeployTarget::Local(target) = &mut manifest.deploy {
        target.deps = Some(vec![crate::model::LocalPath::new(format!("/src/{name}"))]);
    }
    manifest
}

#[test]
fn the_watch_of_a_resource_that_is_switched_off_stays_and_says_so() {
    let mut script = Script::up(vec![local_with_deps("web")]);
    let watch = (ApiKind::FileWatch, "local:web".to_owned());
    let disable = |script: &Script| status(script, watch.0, &watch.1)["disableStatus"].clone();
    let on = disable(&script);
    assert_eq!(
        (&on["state"], &on["disabled"]),
        (&json!("Enabled"), &json!(false))
    );
    script.edit(TargetId::local(&"web".into()), &["/src/web/a"]);
    script.pass(Duration::from_secs(3));
    script.send(Event::EnablementChanged {
        manifest: "web".into(),
        enabled: false,
    });
    let view = script.view();
    let shown = &view.objects[&watch];
    let source = json!({"configMap": {"name": "web-disable", "key": "isDisabled"}});
    assert_eq!(shown.object.spec["disableSource"], source);
    assert_eq!(shown.object.spec["watchedPaths"], json!(["/src/web"]));
    let status = shown.status.clone().expect("it has one");
    assert_eq!(status["fileEvents"], Value::Null, "what it saw is forgotten");
    assert_eq!(status["monitorStartTime"], Value::Null, "nothing is watched");
    let off = disable(&script);
    assert_eq!(
        off["reason"],
        "ConfigMap/key \"web-disable\"/\"isDisabled\" is true"
    );
    assert_eq!(
        (&off["state"], &off["disabled"]),
        (&json!("Disabled"), &json!(true))
    );
    assert_ne!(off["lastUpdateTime"], on["lastUpdateTime"]);
}

#[test]
fn the_watch_of_an_image_of_two_resources_is_off_once_both_are() {
    let image = TargetId::image("shop");
    let mut script = Script::up(["a", "b"].map(|name| with_images(name, &["shop"])).into());
    let name = image.watch_name();
    let off = |name: &str| Event::EnablementChanged {
        manifest: name.into(),
        enabled: false,
    };
    script.send(off("a"));
    let view = script.view();
    let source = json!({"everyConfigMap": [
        {"name": "a-disable", "key": "isDisabled"},
        {"name": "b-disable", "key": "isDisabled"},
    ]});
    let shown = &view.objects[&(ApiKind::FileWatch, name.clone())];
    assert_eq!(shown.object.spec["disableSource"], source);
    let state =
        |script: &Script| status(script, ApiKind::FileWatch, &name)["disableStatus"]["reason"].clone();
    assert_eq!(
        state(&script),
        "ConfigMap/key \"b-disable\"/\"isDisabled\" is false"
    );
    script.send(off("b"));
    assert_eq!(state(&script), "Every ConfigMap disabled");
}

#[test]
fn files_are_watched_until_a_config_map_says_that_they_are_not() {
    let mut script = up();
    let source = json!({"configMap": {"name": "m", "key": "off"}});
    let spec = json!({"watchedPaths": ["/src/lib"], "disableSource": source});
    let watched = write(&mut script, ApiKind::FileWatch, "lib", spec);
    assert!(watched.contains("filewatch:lib"), "{watched}");
    let state = |script: &Script| status(script, ApiKind::FileWatch, "lib")["disableStatus"]["state"].clone();
    assert_eq!(state(&script), "");
    let off = json!({"data": {"off": "true"}});
    let watched = write(&mut script, ApiKind::ConfigMap, "m", off);
    assert!(!watched.contains("filewatch:lib"), "{watched}");
    assert_eq!(state(&script), "Disabled");
}
