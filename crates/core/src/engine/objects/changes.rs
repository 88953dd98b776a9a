//! Objects that come, change and go, and the look at what each has to do then.

use std::collections::BTreeMap;

use super::toggle::SwitchResource;
use super::{apply, cmd, disable, discovery, forward, toggle};
use crate::engine::effect::Effect;
use crate::engine::event::ExtensionEnd;
use crate::engine::load;
use crate::engine::state::State;
use crate::engine::state::objects::spec;
use crate::engine::state::objects::table::{Click, Does};
use crate::model::{ApiKind, ApiObject, ApiObjects, ManifestName, Timestamp};

/// Takes in that a user wrote an object, or deleted it (`None`).
pub(in crate::engine) fn on_written(
    state: &mut State,
    kind: ApiKind,
    name: &str,
    object: Option<ApiObject>,
) -> Vec<Effect> {
    let reloads = matches!(kind, ApiKind::Extension | ApiKind::ExtensionRepo);
    let mut effects = Vec::new();
    match object {
        Some(object) => state.objects.put(kind, name, object),
        None => effects = remove(state, kind, name),
    }
    state.tiltfile.extensions_changed |= reloads;
    effects.extend(load::load_if_changed(state));
    effects
}

/// Takes in that a user clicked on a button.
pub(in crate::engine) fn on_clicked(
    state: &mut State,
    button: &str,
    at: Timestamp,
    inputs: Vec<(String, String)>,
) {
    let seq = state.seq;
    state.objects.clicked(button, Click { seq, at, inputs });
}

/// Takes in what a Tiltfile registered: what it no longer does goes away.
pub(in crate::engine) fn on_declared(
    state: &mut State,
    declared: &ApiObjects,
    extensions: BTreeMap<String, ExtensionEnd>,
) -> Vec<Effect> {
    for (kind, name, object) in declared.iter() {
        let mut object = object.clone();
        let resource = object.annotations.entry(spec::RESOURCE.to_owned()).or_default();
        if resource.is_empty() {
            ManifestName::TILTFILE.clone_into(resource);
        }
        state.objects.declare(kind, name, object);
    }
    let gone = state.objects.no_longer_in(declared);
    let gone = gone.into_iter();
    let effects = gone.flat_map(|(kind, name)| remove(state, kind, &name)).collect();
    for (name, end) in extensions {
        if let Some(row) = state.objects.get_mut(ApiKind::Extension, &name) {
            row.does = Does::Extension(end);
        }
    }
    effects
}

fn remove(state: &mut State, kind: ApiKind, name: &str) -> Vec<Effect> {
    if kind == ApiKind::KubernetesApply {
        state.objects.touch(ApiKind::KubernetesDiscovery, name);
    }
    if kind == ApiKind::ToggleButton {
        state.objects.touch(ApiKind::UiButton, &toggle::button_name(name));
    }
    match state.objects.remove(kind, name) {
        Some(object) => apply::release(state, name, object),
        None => Vec::new(),
    }
}

/// Looks again at what each object has to do, if anything happened that may change that.
pub(in crate::engine) fn refresh(state: &mut State, switch_resource: SwitchResource) -> Vec<Effect> {
    if !std::mem::take(&mut state.objects.is_stale) {
        return Vec::new();
    }
    state.objects.note_heeded();
    let mut effects = toggle::refresh(state, switch_resource);
    disable::refresh(state);
    cmd::refresh(state);
    effects.extend(apply::refresh(state));
    discovery::refresh(state);
    // What a toggle switched may change what others do.
    if state.objects.is_stale {
        effects.extend(refresh(state, switch_resource));
    }
    state.asked.servers.touch_objects();
    state.asked.forwards.touch_objects();
    (state.dirty.files, state.dirty.cluster) = (true, true);
    effects
}

/// Returns the namespaces whose pods are looked at for objects.
pub(crate) fn namespaces(state: &State) -> impl Iterator<Item = &str> {
    let of_ports = forward::namespaces(state);
    of_ports
        .chain(apply::namespaces(state))
        .chain(discovery::namespaces(state))
}
