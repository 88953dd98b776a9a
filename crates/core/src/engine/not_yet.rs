//! Objects of a Tiltfile that this version does not run. It is said once per object and session.

use super::effect::Effect;
use super::state::State;
use crate::model::{ApiKind, ApiObject, ApiObjects, Level, LogEvent, ManifestName};

/// Kinds of objects that would do something.
const ACTIVE: [ApiKind; 6] = [
    ApiKind::Cmd,
    ApiKind::Extension,
    ApiKind::FileWatch,
    ApiKind::KubernetesApply,
    ApiKind::KubernetesDiscovery,
    ApiKind::UiButton,
];

/// Returns what is to be said about the objects that a Tiltfile registered.
pub(super) fn tell_of_objects(state: &mut State, objects: &ApiObjects) -> Option<Effect> {
    // An extension that was loaded has done all that it should.
    let is_loaded = |object: &ApiObject| object.annotations.contains_key("tilt.dev/managed-by");
    let active = ACTIVE.into_iter().flat_map(|kind| {
        let of_kind = objects.of_kind(kind).filter(|(_, object)| !is_loaded(object));
        of_kind.map(move |(name, _)| format!("{}/{name}", kind.plural()))
    });
    let told = &mut state.told_objects;
    let new: Vec<String> = active.filter(|name| told.insert(name.clone())).collect();
    if new.is_empty() {
        return None;
    }
    let text = format!(
        "this version does not run these objects of the Tiltfile yet: {}",
        new.join(", ")
    );
    let line = LogEvent::line(state.tiltfile_span(), ManifestName::tiltfile(), text);
    Some(Effect::Log(line.level(Level::Warn)))
}
