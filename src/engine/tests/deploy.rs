//! What is deleted from the cluster, and what is not.

use super::script::*;
use crate::engine::{AppliedObject, UpdateOutcome};
use crate::model::Manifest;

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
