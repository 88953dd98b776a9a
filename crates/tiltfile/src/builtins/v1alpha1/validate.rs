//! What an object must fulfil before it is registered, in the words of Kubernetes' field errors.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::model::{ApiKind, ApiObject};

/// Returns what is wrong with an object, all of it.
pub(super) fn problems(kind: ApiKind, object: &ApiObject) -> Vec<String> {
    match kind {
        ApiKind::Cmd
        | ApiKind::ConfigMap
        | ApiKind::Extension
        | ApiKind::PortForward
        | ApiKind::ToggleButton => Vec::new(),
        ApiKind::ExtensionRepo => extension_repo(object).into_iter().collect(),
        ApiKind::FileWatch => file_watch(object),
        ApiKind::KubernetesApply => kubernetes_apply(object),
        ApiKind::KubernetesDiscovery => kubernetes_discovery(object),
        ApiKind::UiButton => ui_button(object),
    }
}

/// Returns several faults as one text.
pub(super) fn joined(problems: &[String]) -> String {
    match problems {
        [one] => one.clone(),
        several => format!("[{}]", several.join(", ")),
    }
}

fn required(field: &str, why: &str) -> String {
    format!("{field}: Required value: {why}")
}

fn invalid(field: &str, value: &str, why: &str) -> String {
    format!("{field}: Invalid value: {value}: {why}")
}

fn is_empty_list(object: &ApiObject, field: &str) -> bool {
    object
        .spec
        .get(field)
        .and_then(Json::as_array)
        .is_none_or(Vec::is_empty)
}

fn extension_repo(object: &ApiObject) -> Option<String> {
    let (url, subpath) = (object.text("url"), object.text("gitSubpath"));
    let is_web = url.starts_with("http://") || url.starts_with("https://");
    match url.strip_prefix("file://") {
        _ if is_web => None,
        None => Some(invalid(
            "spec.url",
            &format!("{url:?}"),
            "URLs must start with http(s):// or file://",
        )),
        Some(path) if !path.starts_with('/') => Some(invalid(
            "spec.url",
            &format!("{url:?}"),
            "file:// URLs must be absolute (e.g., file:///home/user/repo)",
        )),
        Some(_) if !subpath.is_empty() => Some(invalid(
            "spec.git_subpath",
            &format!("{subpath:?}"),
            "cannot use git_subpath for file:// URL extension repositories",
        )),
        Some(_) => None,
    }
}

fn file_watch(object: &ApiObject) -> Vec<String> {
    let is_empty = is_empty_list(object, "watchedPaths");
    let problem = is_empty.then(|| required("spec.watchedPaths", "cannot be an empty list"));
    problem.into_iter().collect()
}

fn kubernetes_apply(object: &ApiObject) -> Vec<String> {
    let has_yaml = !object.text("yaml").is_empty();
    let has_command = object.spec.contains_key("applyCmd");
    let problem = (has_yaml == has_command).then(|| {
        required(
            "spec.yaml",
            "must specify exactly ONE of .spec.yaml or .spec.applyCmd",
        )
    });
    problem.into_iter().collect()
}

fn kubernetes_discovery(object: &ApiObject) -> Vec<String> {
    let is_empty = is_empty_list(object, "watches") && is_empty_list(object, "extraSelectors");
    let problem = is_empty.then(|| {
        required(
            "spec.watches",
            "One or more watches or extraSelectors are required",
        )
    });
    problem.into_iter().collect()
}

fn ui_button(object: &ApiObject) -> Vec<String> {
    let mut problems = Vec::new();
    let location = |field: &str| {
        let location = object
            .spec
            .get("location")
            .and_then(|location| location.get(field));
        location.and_then(Json::as_str).unwrap_or_default()
    };
    let texts = [
        ("spec.text", object.text("text"), "Button text cannot be empty"),
        (
            "spec.location.componentID",
            location("componentID"),
            "Parent component ID is required",
        ),
        (
            "spec.location.componentType",
            location("componentType"),
            "Parent component type is required",
        ),
    ];
    let missing = texts.into_iter().filter(|(_, text, _)| text.is_empty());
    problems.extend(missing.map(|(field, _, why)| required(field, why)));
    let icon = object.text("iconSVG");
    if !icon.is_empty() && !icon.contains("<svg") {
        problems.push(invalid(
            "spec.iconSVG",
            &format!("{icon:?}"),
            "Invalid <svg> element",
        ));
    }
    let inputs = object.spec.get("inputs").and_then(Json::as_array);
    inputs_problems(inputs.map_or(&[], Vec::as_slice), &mut problems);
    problems
}

fn inputs_problems(inputs: &[Json], problems: &mut Vec<String>) {
    let mut names = BTreeSet::new();
    for (at, input) in inputs.iter().enumerate() {
        if !names.insert(input.get("name").and_then(Json::as_str).unwrap_or_default()) {
            problems.push(format!("spec.inputs[{at}].id: Duplicate value: {input}"));
        }
        let types = ["text", "bool", "hidden", "choice"];
        let given = types.iter().filter(|name| input.get(**name).is_some()).count();
        let choices = input.get("choice").map(|choice| choice.get("choices"));
        if choices.is_some_and(|choices| choices.is_none_or(Json::is_null)) {
            problems.push(invalid(
                "spec",
                &input.to_string(),
                "must specify choices if input type is choice",
            ));
        }
        if given != 1 {
            problems.push(invalid(
                "spec",
                &input.to_string(),
                "must specify exactly one input type",
            ));
        }
    }
}
