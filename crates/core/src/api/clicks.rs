//! What a write of a client asks the engine for.

use serde_json::Value;

use super::{Change, ChangeKind};
use crate::model::ManifestName;

/// Something that a user asked for by writing an object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A resource is to run, or not.
    Enable(ManifestName, bool),
    /// The Tiltfile is to have other arguments.
    Args(Vec<String>),
    /// The update of a resource, or the load of the Tiltfile, is to stop.
    Stop(ManifestName),
}

/// Returns what a change that a client made asks for.
pub fn wishes(change: &Change) -> Option<Wish> {
    if change.change == ChangeKind::Deleted {
        return None;
    }
    let object = &change.object;
    let name = object["metadata"]["name"].as_str()?;
    let differs = |pointer: &str| {
        let before = change.before.as_ref().and_then(|before| before.pointer(pointer));
        before != object.pointer(pointer)
    };
    match change.kind.name {
        "ConfigMap" if differs("/data/isDisabled") => {
            let resource = name.strip_suffix("-disable")?;
            let is_disabled = object["data"]["isDisabled"].as_str()?;
            Some(Wish::Enable(resource.into(), is_disabled != "true"))
        }
        "Tiltfile" if name == ManifestName::TILTFILE && differs("/spec/args") => {
            let args = object["spec"]["args"].as_array().into_iter().flatten();
            Some(Wish::Args(
                args.filter_map(Value::as_str).map(str::to_owned).collect(),
            ))
        }
        "UIButton" if differs("/status/lastClickedAt") => click(name, object),
        _ => None,
    }
}

fn click(name: &str, button: &Value) -> Option<Wish> {
    if let Some(resource) = name.strip_suffix("-stopbuild") {
        return Some(Wish::Stop(resource.into()));
    }
    let resource = name.strip_prefix("toggle-")?.strip_suffix("-disable")?;
    let given = button["status"]["inputs"].as_array().into_iter().flatten();
    let action = given
        .chain(button["spec"]["inputs"].as_array().into_iter().flatten())
        .find(|input| input["name"] == "action")
        .and_then(|input| input["hidden"]["value"].as_str())?;
    Some(Wish::Enable(resource.into(), action == "off"))
}
