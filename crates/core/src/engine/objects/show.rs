//! Objects as readers see them: what they were said to be, and their status.

use std::sync::Arc;

use serde_json::{Value, json};

use super::{apply, cmd, discovery, file_watch, forward, toggle};
use crate::engine::state::State;
use crate::engine::state::objects::table::{Does, Key, Object};
use crate::engine::state::objects::{Disable, spec};
use crate::model::{ApiKind, ApiObject, ManifestName, TargetId};
use crate::view::ObjectView;

/// Makes anew what readers see of objects that may have changed; where nothing did, that is the very same.
pub(crate) fn refresh(state: &mut State) {
    let touched = std::mem::take(&mut state.objects.touched);
    let mut changed = Vec::new();
    for key in touched {
        let shown = view(state, &key);
        if state.objects.shown.get(&key).map(|shown| &**shown) != shown.as_ref() {
            changed.push((key, shown));
        }
    }
    let all = &mut state.objects.shown;
    for (key, shown) in changed {
        match shown {
            Some(shown) => all.insert(key, Arc::new(shown)),
            None => all.remove(&key),
        };
    }
}

fn view(state: &State, (kind, name): &Key) -> Option<ObjectView> {
    if let Some(row) = state.objects.get(*kind, name) {
        return Some(ObjectView {
            kind: *kind,
            name: name.clone(),
            object: row.object.clone(),
            status: status(state, *kind, name, row),
            is_declared: row.is_declared,
            written: Some(row.written),
            owner: None,
        });
    }
    match kind {
        ApiKind::UiButton => toggle_button(state, name),
        ApiKind::FileWatch => engine_watch(state, name),
        ApiKind::KubernetesDiscovery => of_applied(state, name),
        ApiKind::PortForward => forward::of_template(state, name),
        _ => None,
    }
}

/// Returns the status of an object; `None` where it has none, or only users write it.
fn status(state: &State, kind: ApiKind, name: &str, row: &Object) -> Option<Value> {
    Some(match (&row.does, kind) {
        (Does::Cmd(cmd), _) => cmd::status(cmd, &row.disable),
        (Does::Toggle { error, .. }, _) => json!({"error": error}),
        (Does::Apply(apply), _) => apply::status(state, apply, &row.disable),
        (_, ApiKind::KubernetesDiscovery) => discovery::status(state, row),
        (_, ApiKind::PortForward) => forward::status(state, row),
        (Does::Extension(end), _) => json!({
            "path": end.path.as_ref().map(ToString::to_string).unwrap_or_default(),
            "error": end.error.as_deref().unwrap_or_default(),
        }),
        (_, ApiKind::Extension) => json!({"path": extension_path(state, row)?}),
        (_, ApiKind::ExtensionRepo) => json!({
            "path": row.object.text("url").strip_prefix("file://")?,
            "lastFetchedAt": state.config.started.to_text(),
        }),
        (_, ApiKind::FileWatch) => {
            file_watch::status(state.file_events.get(&TargetId::watch(name)), Some(&row.disable))
        }
        _ => return None,
    })
}

/// Returns the Tiltfile of an extension that another one loads, where its repository is a directory of this machine.
fn extension_path(state: &State, row: &Object) -> Option<String> {
    let repo = row.object.text("repoName");
    let repo = &state.objects.get(ApiKind::ExtensionRepo, repo)?.object;
    let root = repo.text("url").strip_prefix("file://")?.trim_end_matches('/');
    let parts = [repo.text("gitSubpath"), row.object.text("repoPath")].map(|part| part.trim_matches('/'));
    let parts = parts.into_iter().filter(|part| !part.is_empty());
    let inner: String = parts.map(|part| format!("/{part}")).collect();
    Some(format!("{root}{inner}/Tiltfile"))
}

/// Returns the button of a toggle.
fn toggle_button(state: &State, name: &str) -> Option<ObjectView> {
    let toggle_name = name.strip_prefix("toggle-")?;
    let toggle = state.objects.get(ApiKind::ToggleButton, toggle_name)?;
    let now = toggle::now(state, toggle_name);
    let kind = ["tilt.dev/uibutton-type", spec::RESOURCE];
    let annotations = kind.into_iter().filter_map(|name| {
        let value = toggle.object.annotations.get(name)?;
        Some((name.to_owned(), value.clone()))
    });
    Some(ObjectView {
        kind: ApiKind::UiButton,
        name: name.to_owned(),
        object: ApiObject {
            annotations: annotations.collect(),
            spec: toggle::button(&toggle.object.spec, now.is_on),
            ..ApiObject::default()
        },
        status: None,
        is_declared: false,
        written: None,
        owner: Some((ApiKind::ToggleButton, toggle_name.to_owned())),
    })
}

/// Returns which pods belong to what an object applied.
fn of_applied(state: &State, name: &str) -> Option<ObjectView> {
    let row = state.objects.get(ApiKind::KubernetesApply, name)?;
    let spec = discovery::of_applied(row)?;
    Some(ObjectView {
        kind: ApiKind::KubernetesDiscovery,
        name: name.to_owned(),
        object: ApiObject {
            annotations: row.object.annotations.clone(),
            spec: spec.as_object().cloned().unwrap_or_default(),
            ..ApiObject::default()
        },
        status: Some(discovery::status(state, row)),
        is_declared: false,
        written: None,
        owner: Some((ApiKind::KubernetesApply, name.to_owned())),
    })
}

/// Returns the watch of a target of a resource, or of the Tiltfile.
fn engine_watch(state: &State, name: &str) -> Option<ObjectView> {
    let asked = state.asked.files.as_ref()?;
    let target = &TargetId::of_watch_name(name)?;
    let declared = state.declared_watches.get(target);
    let events = state.file_events.get(target);
    let watched = match (asked.targets.get(target), declared) {
        (Some(watched), _) => watched,
        // Nothing is watched for what is switched off.
        (None, declared) => &declared?.watched,
    };
    // Nothing can be done about the kubeconfig but to say that it changed.
    if watched.paths.is_empty() || *target == TargetId::kubeconfig() {
        return None;
    }
    let paths: Vec<String> = watched.paths.iter().map(ToString::to_string).collect();
    let mut spec = json!({"watchedPaths": paths});
    let ignores: Vec<Value> = watched
        .ignores
        .iter()
        .chain(&asked.ignores)
        .map(|ignore| {
            let mut shown = json!({"basePath": ignore.base.to_string()});
            if !ignore.patterns.is_empty() {
                shown["patterns"] = json!(ignore.patterns);
            }
            shown
        })
        .collect();
    if !ignores.is_empty() {
        spec["ignores"] = ignores.into();
    }
    if let Some(declared) = declared {
        spec["disableSource"] = declared.disable_source();
    }
    let disable = match (declared, events) {
        (Some(declared), _) => declared.disable.clone(),
        (None, events) => Disable::never(events?.since),
    };
    let first = declared.and_then(|declared| declared.resources.first());
    let resource = first.map_or(ManifestName::TILTFILE, ManifestName::as_str);
    let annotations = [
        ("tilt.dev/target-id", target.to_string()),
        (spec::RESOURCE, resource.to_owned()),
    ];
    Some(ObjectView {
        kind: ApiKind::FileWatch,
        name: name.to_owned(),
        object: ApiObject {
            annotations: annotations.map(|(key, value)| (key.to_owned(), value)).into(),
            spec: spec.as_object().cloned().unwrap_or_default(),
            ..ApiObject::default()
        },
        status: Some(file_watch::status(events, Some(&disable))),
        is_declared: true,
        written: None,
        owner: None,
    })
}
