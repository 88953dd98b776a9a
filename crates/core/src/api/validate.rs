//! The rules that objects have to keep beside their types.
//!
//! Rule: `docs/rules/api.md`, "The API" and "Objects".

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{ApiError, Kind};

type Causes = Vec<(String, &'static str, String)>;

/// Checks a name: any segment of a path.
///
/// # Errors
/// It is empty, or no such segment.
pub(super) fn check_name(kind: &'static Kind, name: &str) -> Result<(), ApiError> {
    let why = match name {
        "" => "name or generateName is required",
        "." | ".." => "may not be '.' or '..'",
        _ if name.contains('/') => "may not contain '/'",
        _ if name.contains('%') => "may not contain '%'",
        _ => return Ok(()),
    };
    let is_missing = name.is_empty();
    let cause = match is_missing {
        true => (
            "metadata.name".to_owned(),
            "FieldValueRequired",
            format!("Required value: {why}"),
        ),
        false => (
            "metadata.name".to_owned(),
            "FieldValueInvalid",
            format!("Invalid value: {name:?}: {why}"),
        ),
    };
    Err(ApiError::invalid(kind, name, vec![cause]))
}

/// Checks an object.
///
/// # Errors
/// Everything that is wrong with it.
pub(super) fn validate(kind: &'static Kind, name: &str, object: &Map<String, Value>) -> Result<(), ApiError> {
    let spec = object.get("spec").unwrap_or(&Value::Null);
    let mut causes = Causes::new();
    match kind.name {
        "UIButton" => button(spec, &mut causes),
        "ToggleButton" => toggle(spec, &mut causes),
        "ExtensionRepo" => repo(spec, &mut causes),
        "PortForward" => forward(spec, &mut causes),
        "FileWatch" if is_empty(&spec["watchedPaths"]) => required("spec.watchedPaths", &mut causes),
        "Session" if is_empty(&spec["tiltfilePath"]) => required("spec.tiltfilePath", &mut causes),
        "KubernetesApply" => apply(spec, &mut causes),
        _ => {}
    }
    if causes.is_empty() {
        return Ok(());
    }
    Err(ApiError::invalid(kind, name, causes))
}

fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::String(text) => text.is_empty(),
        Value::Array(items) => items.is_empty(),
        _ => false,
    }
}

fn required(field: &str, causes: &mut Causes) {
    causes.push((
        field.to_owned(),
        "FieldValueRequired",
        "Required value".to_owned(),
    ));
}

fn invalid(field: &str, value: &Value, why: &str, causes: &mut Causes) {
    causes.push((
        field.to_owned(),
        "FieldValueInvalid",
        format!("Invalid value: {value}: {why}"),
    ));
}

fn location(spec: &Value, causes: &mut Causes) {
    for field in ["componentID", "componentType"] {
        if is_empty(&spec["location"][field]) {
            required(&format!("spec.location.{field}"), causes);
        }
    }
}

fn button(spec: &Value, causes: &mut Causes) {
    location(spec, causes);
    if is_empty(&spec["text"]) {
        causes.push((
            "spec.text".to_owned(),
            "FieldValueRequired",
            "Required value: Button text cannot be empty".to_owned(),
        ));
    }
    icon("spec.iconSVG", &spec["iconSVG"], causes);
    let mut names = BTreeSet::new();
    for (at, input) in spec["inputs"].as_array().into_iter().flatten().enumerate() {
        let field = format!("spec.inputs[{at}]");
        let name = input["name"].as_str().unwrap_or_default();
        if name.is_empty() {
            required(&format!("{field}.name"), causes);
        } else if !names.insert(name) {
            causes.push((
                format!("{field}.name"),
                "FieldValueDuplicate",
                format!("Duplicate value: {name:?}"),
            ));
        }
        let kinds = ["text", "bool", "hidden", "choice"];
        let given = kinds
            .iter()
            .filter(|kind| input.get(**kind).is_some_and(Value::is_object));
        if given.count() != 1 {
            invalid(
                &field,
                &input["name"],
                "must specify exactly one input type",
                causes,
            );
        }
        if input
            .get("choice")
            .is_some_and(|choice| is_empty(&choice["choices"]))
        {
            required(&format!("{field}.choice.choices"), causes);
        }
    }
}

fn icon(field: &str, value: &Value, causes: &mut Causes) {
    if let Some(svg) = value.as_str()
        && !svg.is_empty()
        && !svg.contains("<svg")
    {
        invalid(field, value, "Invalid <svg> element", causes);
    }
}

fn toggle(spec: &Value, causes: &mut Causes) {
    location(spec, causes);
    for state in ["on", "off"] {
        if is_empty(&spec[state]["text"]) {
            required(&format!("spec.{state}.text"), causes);
        }
        icon(&format!("spec.{state}.iconSVG"), &spec[state]["iconSVG"], causes);
    }
    let source = &spec["stateSource"]["configMap"];
    if !source.is_object() {
        required("spec.stateSource.configMap", causes);
        return;
    }
    for field in ["name", "key"] {
        if is_empty(&source[field]) {
            required(&format!("spec.stateSource.configMap.{field}"), causes);
        }
    }
    let or = |field: &str, default: &str| source[field].as_str().unwrap_or(default).to_owned();
    if or("onValue", "true") == or("offValue", "false") {
        invalid(
            "spec.stateSource.configMap",
            &source["onValue"],
            "onValue and offValue must differ",
            causes,
        );
    }
}

fn repo(spec: &Value, causes: &mut Causes) {
    let url = spec["url"].as_str().unwrap_or_default();
    if let Some(path) = url.strip_prefix("file://") {
        if !path.starts_with('/') {
            invalid(
                "spec.url",
                &spec["url"],
                "file:// URLs must be absolute (e.g., file:///home/user/repo)",
                causes,
            );
        }
        if !is_empty(&spec["gitSubpath"]) {
            invalid(
                "spec.gitSubpath",
                &spec["gitSubpath"],
                "cannot be set on file:// URLs",
                causes,
            );
        }
    } else if !url.starts_with("http://") && !url.starts_with("https://") {
        invalid(
            "spec.url",
            &spec["url"],
            "URLs must start with http(s):// or file://",
            causes,
        );
    }
}

fn forward(spec: &Value, causes: &mut Causes) {
    if is_empty(&spec["podName"]) {
        required("spec.podName", causes);
    }
    if is_empty(&spec["forwards"]) {
        required("spec.forwards", causes);
    }
    let mut ports = BTreeSet::new();
    for (at, forward) in spec["forwards"].as_array().into_iter().flatten().enumerate() {
        let local = forward["localPort"].as_i64().unwrap_or_default();
        if local != 0 && !ports.insert(local) {
            causes.push((
                format!("spec.forwards[{at}].localPort"),
                "FieldValueDuplicate",
                format!("Duplicate value: {local}"),
            ));
        }
        if forward["containerPort"].as_i64().unwrap_or_default() <= 0 {
            required(&format!("spec.forwards[{at}].containerPort"), causes);
        }
    }
}

fn apply(spec: &Value, causes: &mut Causes) {
    let has_yaml = !is_empty(&spec["yaml"]);
    let has_command = spec.get("applyCmd").is_some_and(Value::is_object);
    if has_yaml && has_command {
        invalid(
            "spec.applyCmd",
            &spec["yaml"],
            "must specify exactly ONE of .spec.applyCmd or .spec.yaml",
            causes,
        );
    }
    if !has_yaml && !has_command {
        required("spec.yaml", causes);
    }
}
