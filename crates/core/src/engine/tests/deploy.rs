//! What is deleted from the cluster, and what is not.

use super::script::*;
use crate::engine::{AppliedObject, Event, UpdateOutcome};
use crate::model::{
    Command, CustomDeploy, DeleteId, DeployTarget, LocalTarget, Manifest, ManifestName, TargetId,
};

fn with_config_map(name: &str, config_map: &str) -> Manifest {
    k8s(manifest(name), |k8s| {
        k8s.entities.insert(0, entity("ConfigMap", config_map, "1"))
    })
}

/// Deploys `web` with a config map, then without it, and returns what the second deploy leads to.
fn drop_config_map(script: &mut Script, config_map: AppliedObject) -> String {
    script.finish(1, deployed(&[], &[config_map, object("Deployment", "web")]));
    script.edit_tiltfile();
    script.load(vec![manifest("web")]);
    script.finish(2, deployed(&[], &[object("Deployment", "web")]))
}

#[test]
fn an_object_that_a_resource_no_longer_has_is_deleted() {
    let mut script = Script::up(vec![with_config_map("web", "menu")]);
    let effects = drop_config_map(&mut script, object("ConfigMap", "menu"));
    assert!(
        effects.contains("delete of web in build:2 (garbage collecting Kubernetes objects): ConfigMap/menu"),
        "{effects}"
    );
}

#[test]
fn an_object_that_asks_to_be_kept_is_kept() {
    let mut script = Script::up(vec![with_config_map("web", "menu")]);
    let kept = AppliedObject {
        keep: true,
        ..object("ConfigMap", "menu")
    };
    let effects = drop_config_map(&mut script, kept);
    assert!(!effects.contains("delete"), "{effects}");
}

#[test]
fn an_object_that_moves_to_another_resource_survives() {
    let mut script = Script::up(vec![with_config_map("web", "menu")]);
    script.finish(
        1,
        deployed(&[], &[object("ConfigMap", "menu"), object("Deployment", "web")]),
    );
    script.edit_tiltfile();
    let started = script.load(vec![manifest("web"), with_config_map("new", "menu")]);
    assert!(
        started.contains("start build:2 \"Initial Build\": deploy k8s:new"),
        "{started}"
    );
    let effects = script.finish(3, deployed(&[], &[object("Deployment", "web")]));
    assert!(!effects.contains("delete"), "{effects}");
    // The other resource has not deployed it, but is answerable for it from now on.
    script.finish(2, failed("no"));
    script.edit_tiltfile();
    let effects = script.load(vec![manifest("web")]);
    assert!(effects.contains("ConfigMap/menu"), "{effects}");
}

#[test]
fn an_object_of_another_version_of_its_api_is_the_same_object() {
    let mut script = Script::up(vec![manifest("web")]);
    let mut old = object("Deployment", "web");
    old.id.api_version = "apps/v1beta1".to_owned();
    script.finish(1, deployed(&[], &[old]));
    script.edit_tiltfile();
    script.load(vec![k8s(manifest("web"), |k8s| {
        k8s.entities[0] = entity("Deployment", "web", "2")
    })]);
    let effects = script.finish(2, deployed(&[], &[object("Deployment", "web")]));
    assert!(!effects.contains("delete"), "{effects}");
}

#[test]
fn after_a_failed_update_nothing_is_deleted_and_nothing_is_forgotten() {
    let mut script = Script::up(vec![with_config_map("web", "menu")]);
    let partly = UpdateOutcome {
        applied: vec![object("ConfigMap", "menu")],
        ..failed("no")
    };
    script.finish(1, partly);
    script.edit_tiltfile();
    script.load(vec![manifest("web")]);
    assert!(!script.finish(2, failed("no")).contains("delete"));
    script.edit_tiltfile();
    script.load(vec![k8s(manifest("web"), |k8s| {
        k8s.entities[0] = entity("Deployment", "web", "2")
    })]);
    let effects = script.finish(3, deployed(&[], &[object("Deployment", "web")]));
    assert!(effects.contains("ConfigMap/menu"), "{effects}");
}

/// Returns a resource that a command deploys.
fn by_command(name: &str) -> Manifest {
    let command = |text: &str| Command {
        argv: vec![text.to_owned()],
        ..Command::default()
    };
    k8s(manifest(name), |k8s| {
        k8s.entities.clear();
        k8s.options.custom_deploy = Some(CustomDeploy {
            apply: command("apply"),
            delete: command("take-away"),
            deps: Vec::new(),
            watch_ignores: Vec::new(),
        });
    })
}

fn local(name: &str) -> Manifest {
    let mut local = manifest(name);
    let name = ManifestName::new(name);
    let argv = |text: &str| Command {
        argv: vec![text.to_owned()],
        ..Command::default()
    };
    local.deploy = DeployTarget::Local(Box::new(LocalTarget {
        id: TargetId::local(&name),
        update_cmd: Some(argv("update")),
        serve_cmd: argv("serve"),
        deps: None,
        watch_ignores: Vec::new(),
        allow_parallel: false,
        links: Vec::new(),
        readiness_probe: None,
    }));
    local
}

fn reload(script: &mut Script, manifests: Vec<Manifest>) -> String {
    script.edit_tiltfile();
    script.load(manifests)
}

fn deletion_ended(script: &mut Script, delete: u64) -> String {
    script.send(Event::ObjectsDeleted {
        delete: DeleteId(delete),
    })
}

#[test]
fn what_a_failed_update_applied_is_deleted_with_its_resource() {
    let mut script = Script::up(vec![with_config_map("web", "menu"), manifest("db")]);
    let partly = UpdateOutcome {
        applied: vec![object("ConfigMap", "menu")],
        ..failed("no")
    };
    script.finish(1, partly);
    let effects = reload(&mut script, vec![manifest("db")]);
    assert!(
        effects.contains("(garbage collecting removed Kubernetes objects): ConfigMap/menu"),
        "{effects}"
    );
}

#[test]
fn a_removed_resource_whose_command_still_runs_is_taken_away_by_its_command_afterwards() {
    for (deploy_began, is_taken_away) in [(true, true), (false, false)] {
        let mut script = Script::up(vec![by_command("egg"), manifest("db")]);
        let effects = reload(&mut script, vec![manifest("db")]);
        assert!(effects.contains("cancel 1"), "{effects}");
        assert!(!effects.contains("delete"), "{effects}");
        let canceled = UpdateOutcome {
            deploy_began,
            ..failed("build canceled")
        };
        let effects = script.finish(1, canceled);
        assert_eq!(effects.contains("by take-away"), is_taken_away, "{effects}");
    }
}

#[test]
fn what_a_command_that_failed_may_have_left_is_taken_away_with_its_resource() {
    let mut script = Script::up(vec![by_command("egg"), manifest("db")]);
    let half = UpdateOutcome {
        deploy_began: true,
        ..failed("exit 1")
    };
    script.finish(1, half);
    let effects = reload(&mut script, vec![manifest("db")]);
    assert!(effects.contains("delete of egg in build:1"), "{effects}");
    assert!(effects.contains("by take-away"), "{effects}");
}

#[test]
fn a_resource_that_is_back_waits_until_its_command_has_taken_away_the_old_one() {
    let mut script = Script::up(vec![by_command("egg"), manifest("db")]);
    let outcome = UpdateOutcome {
        deploy_began: true,
        ..deployed(&[], &[object("Deployment", "egg")])
    };
    script.finish(1, outcome);
    reload(&mut script, vec![manifest("db")]);
    let effects = reload(&mut script, vec![by_command("egg"), manifest("db")]);
    assert!(!effects.contains("start"), "{effects}");
    let hold = script.resource("egg").hold.expect("it is held");
    assert_eq!(hold.reason, "waiting-for-deletion");
    let effects = deletion_ended(&mut script, 1);
    assert!(
        effects.contains("start build:3 \"Initial Build\": deploy k8s:egg"),
        "{effects}"
    );
}

#[test]
fn whoever_deploys_an_object_that_a_command_takes_away_waits_for_it() {
    let mut script = Script::up(vec![by_command("egg"), manifest("db")]);
    let outcome = UpdateOutcome {
        deploy_began: true,
        ..deployed(&[], &[object("Deployment", "hen")])
    };
    script.finish(1, outcome);
    let effects = reload(&mut script, vec![manifest("hen"), manifest("db")]);
    assert!(effects.contains("by take-away"), "{effects}");
    assert!(!effects.contains("start"), "{effects}");
    assert!(deletion_ended(&mut script, 1).contains("deploy k8s:hen"));
}

#[test]
fn objects_become_a_command_s_and_what_it_does_not_deploy_goes() {
    let mut script = Script::up(vec![with_config_map("web", "menu")]);
    script.finish(
        1,
        deployed(&[], &[object("ConfigMap", "menu"), object("Deployment", "web")]),
    );
    let effects = reload(&mut script, vec![by_command("web")]);
    assert!(!effects.contains("delete"), "what runs keeps running: {effects}");
    let outcome = UpdateOutcome {
        deploy_began: true,
        ..deployed(&[], &[object("Deployment", "web")])
    };
    let effects = script.finish(2, outcome);
    assert!(
        effects.contains("(garbage collecting Kubernetes objects): ConfigMap/menu"),
        "{effects}"
    );
    let effects = reload(&mut script, vec![manifest("db")]);
    assert!(effects.contains("delete of web in build:2"), "{effects}");
    assert!(effects.contains("by take-away"), "{effects}");
}

#[test]
fn what_a_command_deployed_becomes_objects_and_what_they_do_not_name_goes() {
    let mut script = Script::up(vec![by_command("web")]);
    let outcome = UpdateOutcome {
        deploy_began: true,
        ..deployed(&[], &[object("ConfigMap", "menu"), object("Deployment", "web")])
    };
    script.finish(1, outcome);
    reload(&mut script, vec![manifest("web")]);
    let effects = script.finish(2, deployed(&[], &[object("Deployment", "web")]));
    assert!(effects.contains("ConfigMap/menu"), "{effects}");
    assert!(
        !effects.contains("take-away") && !effects.contains("Deployment/web"),
        "{effects}"
    );
    let effects = reload(&mut script, vec![manifest("db")]);
    assert!(effects.contains(": Deployment/web"), "{effects}");
    assert!(!effects.contains("take-away"), "{effects}");
}

#[test]
fn a_local_resource_that_takes_the_name_of_objects_replaces_them() {
    let mut script = Script::up(vec![manifest("web")]);
    script.finish(1, deployed(&[], &[object("Deployment", "web")]));
    let effects = reload(&mut script, vec![local("web")]);
    assert!(
        effects.contains("(garbage collecting removed Kubernetes objects): Deployment/web"),
        "{effects}"
    );
    assert!(
        effects.contains("start build:2 \"Initial Build\": deploy local:web"),
        "{effects}"
    );
}

#[test]
fn objects_that_take_the_name_of_a_local_resource_stop_its_server() {
    let mut script = Script::up(vec![local("web")]);
    let effects = script.finish(1, deployed(&[], &[]));
    assert!(effects.contains("serve [serve as localserve:1]"), "{effects}");
    let effects = reload(&mut script, vec![manifest("web")]);
    assert!(effects.contains("serve []"), "{effects}");
    assert!(
        effects.contains("start build:2 \"Initial Build\": deploy k8s:web"),
        "{effects}"
    );
    assert!(
        !script
            .finish(2, deployed(&[], &[object("Deployment", "web")]))
            .contains("delete")
    );
}

#[test]
fn a_type_that_changes_in_the_middle_of_an_update_leaves_nothing_of_the_old() {
    let mut script = Script::up(vec![manifest("web")]);
    let effects = reload(&mut script, vec![local("web")]);
    assert!(effects.contains("cancel 1"), "{effects}");
    let late = UpdateOutcome {
        applied: vec![object("Deployment", "web")],
        ..failed("build canceled")
    };
    let effects = script.finish(1, late);
    assert!(effects.contains("delete of web in build:1"), "{effects}");
    assert!(!effects.contains("Build Failed"), "{effects}");
}

/// Returns a resource that defines a kind, and one that has an object of it.
fn definition_and_instance() -> (Manifest, Manifest) {
    let definition = k8s(manifest("farm"), |k8s| k8s.entities = vec![definition("Orchard")]);
    let instance = k8s(manifest("plums"), |k8s| k8s.entities = vec![instance("Orchard")]);
    (definition, instance)
}

fn definition(kind: &str) -> crate::k8s::Entity {
    object_of(
        serde_json::json!({"apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
        "metadata": {"name": kind}, "spec": {"group": "farm.example.com", "names": {"kind": kind}}}),
    )
}

fn instance(kind: &str) -> crate::k8s::Entity {
    object_of(
        serde_json::json!({"apiVersion": "farm.example.com/v1", "kind": kind, "metadata": {"name": "x"}}),
    )
}

fn object_of(value: serde_json::Value) -> crate::k8s::Entity {
    crate::k8s::Entity::new(value, crate::k8s::Origin::default())
}

#[test]
fn objects_of_a_custom_kind_wait_for_the_resource_that_defines_it() {
    let (definition, instance) = definition_and_instance();
    let mut script = Script::new(crate::engine::Mode::Up);
    script.send(Event::ClusterChanged(crate::engine::ClusterStatus::Connected));
    script.send(Event::Started);
    let effects = script.load(vec![instance, definition]);
    assert!(effects.contains("deploy k8s:farm"), "{effects}");
    assert!(!effects.contains("deploy k8s:plums"), "{effects}");
    let hold = script.resource("plums").hold.expect("it is held");
    assert_eq!(
        (hold.reason, hold.on),
        ("waiting-for-dep", vec!["farm".to_owned()])
    );
    assert!(script.finish(1, deployed(&[], &[])).contains("deploy k8s:plums"));
}

#[test]
fn a_definition_that_failed_holds_nothing_up() {
    let (definition, instance) = definition_and_instance();
    let mut script = Script::up(vec![instance, definition]);
    assert!(script.finish(1, failed("no")).contains("deploy k8s:plums"));
}

#[test]
fn resources_that_define_kinds_of_each_other_do_not_wait_for_ever() {
    let mut a = manifest("a");
    let mut b = manifest("b");
    a = k8s(a, |k8s| {
        k8s.entities = vec![definition("Orchard"), instance("Hive")]
    });
    b = k8s(b, |k8s| {
        k8s.entities = vec![definition("Hive"), instance("Orchard")]
    });
    let mut script = Script::up(vec![a, b]);
    assert!(script.resource("a").building.is_some());
    assert!(script.finish(1, failed("no matches")).contains("deploy k8s:b"));

    let (mut definition, instance) = definition_and_instance();
    definition.resource_deps = vec!["plums".into()];
    let script = Script::up(vec![definition, instance]);
    assert!(script.resource("plums").building.is_some());
}
