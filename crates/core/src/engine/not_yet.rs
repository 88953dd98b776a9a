//! Objects of a Tiltfile that this version does not run. It is said once per object and session.

use super::effect::Effect;
use super::state::State;
use crate::model::{ApiKind, ApiObjects, Level, LogEvent, ManifestName};

/// Kinds of objects that would do something.
const ACTIVE: [ApiKind; 5] = [
    ApiKind::Cmd,
    ApiKind::FileWatch,
    ApiKind::KubernetesApply,
    ApiKind::KubernetesDiscovery,
    ApiKind::UiButton,
];

/// Returns what is to be said about the objects that a Tiltfile registered.
pub(super) fn tell_of_objects(state: &mut State, objects: &ApiObjects) -> Option<Effect> {
    let active = ACTIVE.into_iter().flat_map(|kind| {
        let of_kind = objects.of_kind(kind);
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
