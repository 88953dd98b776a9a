//! What differs between two definitions of a resource.

use serde_json::Value;

use super::DefinitionChange;
use crate::k8s::Entity;
use crate::model::{DeployTarget, ImageBuild, ImageTarget, LocalTarget, Manifest};

/// How many fields of one object are named.
const FIELDS: usize = 8;

/// Returns what differs between two definitions of a resource, as far as an update would do something else.
pub fn changes(old: &Manifest, new: &Manifest) -> Vec<DefinitionChange> {
    let mut changes = Vec::new();
    match (&old.deploy, &new.deploy) {
        (DeployTarget::K8s(before), DeployTarget::K8s(after)) => {
            of_objects(&before.entities, &after.entities, &mut changes);
            note(&mut changes, before.readiness != after.readiness, "pod_readiness");
            let selectors = before.extra_pod_selectors != after.extra_pod_selectors;
            note(&mut changes, selectors, "extra_pod_selectors");
            let commands = |options: &crate::model::K8sOptions| {
                let custom = options.custom_deploy.as_ref();
                custom.map(|custom| (custom.apply.clone(), custom.delete.clone()))
            };
            let differ = commands(&before.options) != commands(&after.options);
            note(&mut changes, differ, "apply_cmd, delete_cmd");
        }
        (DeployTarget::Local(before), DeployTarget::Local(after)) => {
            of_commands(before, after, &mut changes);
        }
        (before, after) if before != after => note(&mut changes, true, "what is deployed"),
        _ => {}
    }
    for image in &new.images {
        match old.images.iter().find(|other| other.id == image.id) {
            Some(before) => of_image(before, image, &mut changes),
            None => changes.push(plain(format!("image {}: new", image.selector.image.familiar()))),
        }
    }
    for image in &old.images {
        if !new.images.iter().any(|other| other.id == image.id) {
            changes.push(plain(format!("image {}: gone", image.selector.image.familiar())));
        }
    }
    changes
}

fn plain(what: impl Into<String>) -> DefinitionChange {
    DefinitionChange {
        what: what.into(),
        place: None,
    }
}

fn note(changes: &mut Vec<DefinitionChange>, differs: bool, what: &str) {
    if differs {
        changes.push(plain(what));
    }
}

fn of_commands(before: &LocalTarget, after: &LocalTarget, changes: &mut Vec<DefinitionChange>) {
    note(changes, before.update_cmd != after.update_cmd, "cmd");
    note(changes, before.serve_cmd != after.serve_cmd, "serve_cmd");
    note(
        changes,
        before.allow_parallel != after.allow_parallel,
        "allow_parallel",
    );
    note(
        changes,
        before.readiness_probe != after.readiness_probe,
        "readiness_probe",
    );
}

fn of_image(before: &ImageTarget, after: &ImageTarget, changes: &mut Vec<DefinitionChange>) {
    let name = after.selector.image.familiar();
    let mut differs = |what: &str, place: Option<String>| {
        let what = format!("image {name}: {what}");
        changes.push(DefinitionChange { what, place });
    };
    match (&before.build, &after.build) {
        (ImageBuild::Docker(old), ImageBuild::Docker(new)) => {
            if old.dockerfile_contents != new.dockerfile_contents || old.dockerfile != new.dockerfile {
                let line = old
                    .dockerfile_contents
                    .lines()
                    .zip(new.dockerfile_contents.lines())
                    .position(|(old, new)| old != new);
                let place = line.map_or_else(
                    || new.dockerfile.to_string(),
                    |line| format!("{}:{}", new.dockerfile, line + 1),
                );
                differs("Dockerfile", Some(place));
            }
            let options = [
                (old.context != new.context, "context"),
                (old.build_args != new.build_args, "build_args"),
                (old.stage != new.stage, "target"),
                (old.context_ignores != new.context_ignores, "what is ignored"),
                (old.options != new.options, "options of the build"),
            ];
            for (_, what) in options.into_iter().filter(|(is_other, _)| *is_other) {
                differs(what, None);
            }
        }
        (old, new) if old != new => differs("command", None),
        _ => {}
    }
    if before.live_update != after.live_update {
        differs("live_update", None);
    }
    if before.injection != after.injection {
        differs("entrypoint or where it is put in", None);
    }
}

fn of_objects(before: &[Entity], after: &[Entity], changes: &mut Vec<DefinitionChange>) {
    let same = |a: &Entity, b: &Entity| {
        (a.kind(), a.name(), a.namespace()) == (b.kind(), b.name(), b.namespace()) && a.group() == b.group()
    };
    for entity in after {
        let name = format!("{}/{}", entity.kind(), entity.name());
        let place = place(entity);
        let Some(old) = before.iter().find(|other| same(other, entity)) else {
            let what = format!("{name}: new");
            changes.push(DefinitionChange { what, place });
            continue;
        };
        let mut fields = Vec::new();
        differing(old.value(), entity.value(), "", &mut fields);
        let more = fields.len().saturating_sub(FIELDS);
        for field in fields.into_iter().take(FIELDS) {
            let (what, place) = (format!("{name}: {field}"), place.clone());
            changes.push(DefinitionChange { what, place });
        }
        if more > 0 {
            changes.push(plain(format!("{name}: {more} more fields")));
        }
    }
    for entity in before {
        if !after.iter().any(|other| same(other, entity)) {
            changes.push(plain(format!("{}/{}: gone", entity.kind(), entity.name())));
        }
    }
}

fn place(entity: &Entity) -> Option<String> {
    let origin = &entity.origin;
    let source = origin.source.strip_prefix("file: ").unwrap_or(&origin.source);
    match (source, origin.line) {
        ("", _) => None,
        (source, 0) => Some(source.to_owned()),
        (source, line) => Some(format!("{source}:{line}")),
    }
}

/// Adds the paths of the innermost fields that differ.
fn differing(before: &Value, after: &Value, path: &str, fields: &mut Vec<String>) {
    let below = |key: &str| match path {
        "" => key.to_owned(),
        path => format!("{path}.{key}"),
    };
    match (before, after) {
        (Value::Object(old), Value::Object(new)) => {
            for (key, value) in new {
                differing(old.get(key).unwrap_or(&Value::Null), value, &below(key), fields);
            }
            let gone = old.keys().filter(|key| !new.contains_key(*key));
            fields.extend(gone.map(|key| below(key)));
        }
        (Value::Array(old), Value::Array(new)) if old.len() == new.len() => {
            for (at, (old, new)) in old.iter().zip(new).enumerate() {
                differing(old, new, &format!("{path}[{at}]"), fields);
            }
        }
        (old, new) if old != new => fields.push(path.to_owned()),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_innermost_fields_that_differ_are_named() {
        let before = json!({"spec": {"replicas": 1, "a": [1, {"b": 2}], "gone": 1, "list": [1]}});
        let after = json!({"spec": {"replicas": 2, "a": [1, {"b": 3}], "new": {"x": 1}, "list": [1, 2]}});
        let mut fields = Vec::new();
        differing(&before, &after, "", &mut fields);
        assert_eq!(
            fields,
            [
                "spec.replicas",
                "spec.a[1].b",
                "spec.new",
                "spec.list",
                "spec.gone"
            ]
        );
    }
}
