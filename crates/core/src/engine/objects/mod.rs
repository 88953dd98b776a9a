//! Objects of the API that users make: what a Tiltfile registers, and what is written to the API.
//!
//! Both are rows of one table and run by one way. Here they come, change and go; what each kind does is in a file of its own:
//! `cmd`, `file_watch`, `toggle`, `forward`, `apply`, `discovery`. What starts and stops them (clicks, files, config
//! maps) only notes that all have to be looked at again; [`refresh`] does that, once after each event.
//!
//! Rule: `docs/rules/api.md`, "Ownership".

mod apply;
mod cmd;
mod disable;
mod discovery;
mod file_watch;
mod forward;
mod show;
mod spec;
mod table;
mod toggle;

use std::collections::BTreeMap;

use super::effect::Effect;
use super::event::ExtensionEnd;
use super::reload;
use super::state::{Seq, State};
use crate::model::{ApiKind, ApiObject, ApiObjects, ManifestName, SpanId, Timestamp};

pub(crate) use apply::on_finished as on_applied;
pub(crate) use cmd::{on_changed as on_command_changed, run_status, servers};
pub(crate) use disable::Disable;
pub(crate) use discovery::on_pod;
pub(crate) use file_watch::{
    DeclaredWatch, Events as WatchEvents, note as note_change, note_declared, note_watched, watched,
};
pub(crate) use forward::{forwards, on_changed as on_forward_changed, on_opened};
pub(crate) use show::refresh as refresh_shown;
pub(crate) use table::Objects;
use table::{Click, Does};

/// The annotation that names the resource whose log an object's lines belong to.
pub(crate) const RESOURCE: &str = "tilt.dev/resource";

/// The annotation that names the source of an object's lines.
const SPAN: &str = "tilt.dev/log-span-id";

/// Takes in that a user wrote an object, or deleted it (`None`).
pub(super) fn on_written(
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
    effects.extend(reload::load_if_changed(state));
    effects
}

/// Takes in that a user clicked on a button.
pub(super) fn on_clicked(state: &mut State, button: &str, at: Timestamp, inputs: Vec<(String, String)>) {
    let seq = state.seq;
    state.objects.clicked(button, Click { seq, at, inputs });
}

/// Takes in what a Tiltfile registered: what it no longer does goes away.
pub(super) fn on_declared(
    state: &mut State,
    declared: &ApiObjects,
    extensions: BTreeMap<String, ExtensionEnd>,
) -> Vec<Effect> {
    for (kind, name, object) in declared.iter() {
        let mut object = object.clone();
        let resource = object.annotations.entry(RESOURCE.to_owned()).or_default();
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
pub(super) fn refresh(state: &mut State) -> Vec<Effect> {
    if !std::mem::take(&mut state.objects.is_stale) {
        return Vec::new();
    }
    state.objects.note_heeded();
    let mut effects = toggle::refresh(state);
    disable::refresh(state);
    cmd::refresh(state);
    effects.extend(apply::refresh(state));
    discovery::refresh(state);
    // What a toggle switched may change what others do.
    if state.objects.is_stale {
        effects.extend(refresh(state));
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

/// Returns where the lines of an object go.
fn log_place(kind: ApiKind, name: &str, object: &ApiObject) -> (SpanId, Option<ManifestName>) {
    let given = |annotation: &str| object.annotations.get(annotation).filter(|text| !text.is_empty());
    let span = given(SPAN).map_or_else(|| format!("{}-{name}", kind.name()), Clone::clone);
    let manifest = given(RESOURCE).map(|resource| ManifestName::from(resource.as_str()));
    (SpanId::new(span), manifest)
}

/// Returns the last moment at which one of these buttons was clicked, and that click.
fn last_click<'a>(objects: &'a Objects, buttons: &[String]) -> Option<&'a Click> {
    let clicks = buttons.iter().filter_map(|button| objects.click(button));
    clicks.max_by_key(|click| click.seq)
}

/// Returns the last moment at which one of these file watches saw something; 0 for never.
fn last_file_event(state: &State, watches: &[String]) -> Seq {
    let seen = state.file_events.iter();
    let of_watches = seen.filter(|(target, _)| watches.contains(&target.watch_name()));
    of_watches
        .map(|(_, events)| events.last)
        .max()
        .unwrap_or_default()
}
