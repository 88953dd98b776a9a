//! Compose services in the result of a load.
//!
//! Rule: `docs/rules/compose.md`, "Result of a load".

use serde_json::{Value, json};

use super::kubernetes::links;
use crate::k8s::yaml;
use crate::model::{ComposeProject, ComposeTarget, LocalPath, Manifest};

pub(super) fn target(manifest: &Manifest, target: &ComposeTarget) -> Value {
    let mut spec = json!({
        "service": target.service.name,
        "project": project(&target.project),
    });
    if !target.images.is_empty() {
        spec["imageMaps"] = target.images.iter().map(|id| id.name.as_str()).collect();
    }
    json!({
        "Spec": spec,
        "Name": manifest.name.as_str(),
        "ServiceYAML": service_yaml(&target.service.definition),
        "Links": links(&target.links),
    })
}

fn project(project: &ComposeProject) -> Value {
    let paths: Vec<String> = project.config_paths.iter().map(LocalPath::to_string).collect();
    let mut fields = json!({
        "configPaths": paths,
        "projectPath": project.directory.to_string(),
        "name": project.name,
    });
    if let Some(file) = &project.env_file {
        fields["envFile"] = file.to_string().into();
    }
    if !project.profiles.is_empty() {
        fields["profiles"] = project.profiles.clone().into();
    }
    if project.wait {
        fields["wait"] = true.into();
    }
    fields
}

/// Returns a service as Tilt writes it: without what is empty, and with what is usual left out.
fn service_yaml(definition: &Value) -> String {
    let mut fields = definition.as_object().cloned().unwrap_or_default();
    fields.retain(|key, value| !(value.is_null() && ["command", "entrypoint"].contains(&key.as_str())));
    if let Some(Value::Array(mounts)) = fields.get_mut("volumes") {
        mounts.iter_mut().for_each(write_whether_created);
    }
    let mut service = Value::Object(fields);
    for (at, field) in [("/deploy", "resources"), ("/deploy", "placement")] {
        leave_out_empty(service.pointer_mut(at), field);
    }
    let watches = service
        .pointer_mut("/develop/watch")
        .and_then(Value::as_array_mut);
    for watch in watches.into_iter().flatten() {
        leave_out_empty(Some(watch), "exec");
    }
    yaml::encode(&service)
}

/// Leaves out a part that compose prints though nothing is said in it.
fn leave_out_empty(fields: Option<&mut Value>, field: &str) {
    let Some(fields) = fields.and_then(Value::as_object_mut) else {
        return;
    };
    let says_nothing = |part: &Value| {
        part.as_object()
            .is_some_and(|part| part.values().all(Value::is_null))
    };
    if fields.get(field).is_some_and(says_nothing) {
        fields.remove(field);
    }
}

/// That the path of a bind mount is created is usual in Tilt's form, and said in Compose's.
fn write_whether_created(mount: &mut Value) {
    if let Some(bind) = mount.get_mut("bind").and_then(Value::as_object_mut)
        && bind.remove("create_host_path").is_none()
    {
        bind.insert("create_host_path".to_owned(), false.into());
    }
}
