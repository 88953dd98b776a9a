//! The rules that objects have to keep beside their types.
//!
//! Rule: `docs/rules/api.md`, "The API" and "Objects".

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::{ApiError, Kind};

/// The highest port.
const MAX_PORT: i64 = 65_535;

/// How pods are found.
const STRATEGIES: [&str; 2] = ["default", "selectors-only"];

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
        "FileWatch" if is_empty(&spec["watchedPaths"]) => {
            required("spec.watchedPaths", "cannot be an empty list", &mut causes);
        }
        "Session" if is_empty(&spec["tiltfilePath"]) => {
            required("tiltfilePath", "cannot be empty", &mut causes);
        }
        "KubernetesApply" => apply(spec, &mut causes),
        "KubernetesDiscovery" => discovery(spec, &mut causes),
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

fn required(field: &str, why: &str, causes: &mut Causes) {
    let why = format!("Required value: {why}");
    causes.push((field.to_owned(), "FieldValueRequired", why));
}

fn invalid(field: &str, value: &Value, why: &str, causes: &mut Causes) {
    causes.push((
        field.to_owned(),
        "FieldValueInvalid",
        format!("Invalid value: {value}: {why}"),
    ));
}

fn location(spec: &Value, causes: &mut Causes) {
    for (field, what) in [("componentID", "ID"), ("componentType", "type")] {
        if is_empty(&spec["location"][field]) {
            let why = format!("Parent component {what} is required");
            required(&format!("spec.location.{field}"), &why, causes);
        }
    }
}

fn button(spec: &Value, causes: &mut Causes) {
    if is_empty(&spec["text"]) {
        required("spec.text", "Button text cannot be empty", causes);
    }
    location(spec, causes);
    icon("spec.iconSVG", &spec["iconSVG"], causes);
    let mut names = BTreeSet::new();
    for (at, input) in spec["inputs"].as_array().into_iter().flatten().enumerate() {
        let field = format!("spec.inputs[{at}]");
        let name = input["name"].as_str().unwrap_or_default();
        if name.is_empty() {
            required(&format!("{field}.name"), "an input has a name", causes);
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
            let why = "must specify choices if input type is choice";
            required(&format!("{field}.choice.choices"), why, causes);
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
            required(&format!("spec.{state}.text"), "a state has a text", causes);
        }
        icon(&format!("spec.{state}.iconSVG"), &spec[state]["iconSVG"], causes);
    }
    let source = &spec["stateSource"]["configMap"];
    if !source.is_object() {
        let why = "must specify exactly one kind of StateSource";
        required("spec.stateSource.configMap", why, causes);
        return;
    }
    for field in ["name", "key"] {
        if is_empty(&source[field]) {
            let why = "a state is kept under a key of a config map";
            required(&format!("spec.stateSource.configMap.{field}"), why, causes);
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
        required("spec.podName", "PodName cannot be empty", causes);
    }
    if is_empty(&spec["forwards"]) {
        required("spec.forwards", "At least one Forward is required", causes);
    }
    let mut ports = BTreeSet::new();
    for (at, forward) in spec["forwards"].as_array().into_iter().flatten().enumerate() {
        let port = |field: &str| forward[field].as_i64().unwrap_or_default();
        let (local, container) = (port("localPort"), port("containerPort"));
        let field = format!("spec.forwards[{at}].localPort");
        if local != 0 && !ports.insert(local) {
            let why = "Duplicate value: \"Cannot bind more than one forward to same LocalPort\"";
            causes.push((field.clone(), "FieldValueDuplicate", why.to_owned()));
        }
        if !(0..=MAX_PORT).contains(&local) {
            invalid(
                &field,
                &local.into(),
                "LocalPort must be in the range [0, 65535]",
                causes,
            );
        }
        if !(1..=MAX_PORT).contains(&container) {
            let field = format!("spec.forwards[{at}].containerPort");
            let why = "ContainerPort must be in the range (0, 65535]";
            invalid(&field, &container.into(), why, causes);
        }
    }
}

fn apply(spec: &Value, causes: &mut Causes) {
    let strategy = &spec["discoveryStrategy"];
    if !is_empty(strategy) && !STRATEGIES.iter().any(|known| strategy == known) {
        let known = STRATEGIES.map(|known| format!("{known:?}")).join(", ");
        let why = format!("Unsupported value: {strategy}: supported values: {known}");
        causes.push(("spec.discoveryStrategy".to_owned(), "FieldValueNotSupported", why));
    }
    let one = "must specify exactly ONE of .spec.yaml or .spec.applyCmd";
    let (has_yaml, command) = (!is_empty(&spec["yaml"]), &spec["applyCmd"]);
    if has_yaml && command.is_object() {
        invalid("spec.applyCmd", command, one, causes);
    } else if command.is_object() && is_empty(&command["args"]) {
        required("spec.applyCmd.args", "args cannot be empty", causes);
    } else if !has_yaml && !command.is_object() {
        required("spec.yaml", one, causes);
    }
}

fn discovery(spec: &Value, causes: &mut Causes) {
    if is_empty(&spec["watches"]) && is_empty(&spec["extraSelectors"]) {
        let why = "One or more watches or extraSelectors are required";
        required("spec.watches", why, causes);
    }
    for (at, watch) in spec["watches"].as_array().into_iter().flatten().enumerate() {
        if is_empty(&watch["namespace"]) {
            let field = format!("spec.watches[{at}]");
            required(&field, "Namespace must be provided", causes);
        }
    }
}
