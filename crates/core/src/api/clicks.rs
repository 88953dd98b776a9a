//! What a write of a client asks the engine for.

use serde_json::Value;

use super::{Change, ChangeKind};
use crate::model::{ApiKind, ApiObject, ManifestName, Timestamp};

/// Something that a user asked for by writing an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A resource is to run, or not.
    Enable(ManifestName, bool),
    /// The Tiltfile is to have other arguments.
    Args(Vec<String>),
    /// The update of a resource, or the load of the Tiltfile, is to stop.
    Stop(ManifestName),
    /// An object of the user's own is to be this; `None` if it is to go.
    Object(ApiKind, String, Option<ApiObject>),
    /// What starts with this button is to start, with these values of its inputs.
    Click {
        /// The button.
        button: String,
        /// When it was clicked, as the click says it.
        at: Timestamp,
        /// The values of its inputs.
        inputs: Vec<(String, String)>,
    },
}

/// Returns what a change that a client made asks for.
pub fn wishes(change: &Change) -> Vec<Wish> {
    let object = &change.object;
    let Some(name) = object["metadata"]["name"].as_str() else {
        return Vec::new();
    };
    let own = own_object(change, name);
    if change.change == ChangeKind::Deleted {
        return own.into_iter().collect();
    }
    let differs = |pointer: &str| {
        let before = change.before.as_ref().and_then(|before| before.pointer(pointer));
        before != object.pointer(pointer)
    };
    let of_engine = match change.kind.name {
        "ConfigMap" if change.is_engines && differs("/data/isDisabled") => switched(name, object),
        "Tiltfile" if name == ManifestName::TILTFILE && differs("/spec/args") => {
            let args = object["spec"]["args"].as_array().into_iter().flatten();
            let args = args.filter_map(Value::as_str).map(str::to_owned);
            Some(Wish::Args(args.collect()))
        }
        "UIButton" if change.is_engines && differs("/status/lastClickedAt") => click(name, object),
        _ => None,
    };
    let is_click = change.kind.name == "UIButton" && differs("/status/lastClickedAt");
    let clicked = object["status"]["lastClickedAt"]
        .as_str()
        .and_then(Timestamp::parse)
        .filter(|_| is_click)
        .map(|at| Wish::Click {
            button: name.to_owned(),
            at,
            inputs: inputs(object),
        });
    own.into_iter().chain(of_engine).chain(clicked).collect()
}

/// Returns what an object of a user's own is to be, if that is another than before.
fn own_object(change: &Change, name: &str) -> Option<Wish> {
    let kind = ApiKind::named(change.kind.name).filter(|_| !change.is_engines)?;
    let name = name.to_owned();
    if change.change == ChangeKind::Deleted {
        return Some(Wish::Object(kind, name, None));
    }
    let new = ApiObject::of_json(kind, &change.object);
    let old = change
        .before
        .as_ref()
        .map(|before| ApiObject::of_json(kind, before));
    (old.as_ref() != Some(&new)).then_some(Wish::Object(kind, name, Some(new)))
}

fn switched(name: &str, map: &Value) -> Option<Wish> {
    let resource = name.strip_suffix("-disable")?;
    let is_disabled = map["data"]["isDisabled"].as_str()?;
    Some(Wish::Enable(resource.into(), is_disabled != "true"))
}

fn click(name: &str, button: &Value) -> Option<Wish> {
    if let Some(resource) = name.strip_suffix("-stopbuild") {
        return Some(Wish::Stop(resource.into()));
    }
    let resource = name.strip_prefix("toggle-")?.strip_suffix("-disable")?;
    let inputs = inputs(button);
    let (_, action) = inputs.iter().find(|(name, _)| name == "action")?;
    Some(Wish::Enable(resource.into(), action == "off"))
}

/// Returns the value of each input of a button: what the click says, else its default.
///
/// Rule: `docs/rules/local.md`, "Commands of users".
fn inputs(button: &Value) -> Vec<(String, String)> {
    let given = button["status"]["inputs"]
        .as_array()
        .map_or(&[][..], Vec::as_slice);
    let specs = button["spec"]["inputs"].as_array().into_iter().flatten();
    specs
        .filter_map(|spec| {
            let name = spec["name"].as_str()?;
            let status = given.iter().find(|input| input["name"] == name);
            Some((name.to_owned(), value_of(spec, status.unwrap_or(&Value::Null))))
        })
        .collect()
}

fn value_of(spec: &Value, status: &Value) -> String {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let said = |kind: &str| status[kind].get("value");
    if spec["bool"].is_object() {
        let default = spec["bool"]["defaultValue"].as_bool().unwrap_or_default();
        let is_on = said("bool").and_then(Value::as_bool).unwrap_or(default);
        let (field, word) = if is_on {
            ("trueString", "true")
        } else {
            ("falseString", "false")
        };
        return spec["bool"][field].as_str().unwrap_or(word).to_owned();
    }
    if let Some(choices) = spec["choice"]["choices"].as_array() {
        let chosen = said("choice").filter(|value| choices.contains(value));
        return text(chosen.or(choices.first()).unwrap_or(&Value::Null));
    }
    if spec["hidden"].is_object() {
        return text(said("hidden").unwrap_or(&spec["hidden"]["value"]));
    }
    text(said("text").unwrap_or(&spec["text"]["defaultValue"]))
}
