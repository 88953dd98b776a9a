//! Whether an object is switched off: its `disableSource` names keys of config maps that say so.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::engine::state::State;
use crate::engine::state::objects::disable::{Switch, no_source};
use crate::engine::state::objects::table::Objects;
use crate::engine::state::objects::{Disable, spec};
use crate::model::{ApiKind, ManifestName};

impl Disable {
    /// Returns what this source says by now; `None` if that is what was known.
    pub(super) fn renewed(&self, state: &State, source: &Value) -> Option<Self> {
        let (switch, reason) = of_source(state, source);
        let is_same = self.state == Some(switch) && self.reason == reason;
        (!is_same).then(|| Self {
            state: Some(switch),
            reason,
            since: state.time_of(state.now),
        })
    }
}

/// Finds out anew which objects are switched off.
pub(super) fn refresh(state: &mut State) {
    let kinds = [ApiKind::Cmd, ApiKind::FileWatch, ApiKind::KubernetesApply];
    let names = kinds.map(|kind| (kind, state.objects.names(kind)));
    for (kind, name) in names
        .into_iter()
        .flat_map(|(kind, names)| names.into_iter().map(move |name| (kind, name)))
    {
        let Some(object) = state.objects.get(kind, &name) else {
            continue;
        };
        let source = spec::field(&object.object.spec, "disableSource");
        if let Some(disable) = object.disable.renewed(state, source)
            && let Some(object) = state.objects.get_mut(kind, &name)
        {
            object.disable = disable;
        }
    }
}

fn of_source(state: &State, source: &Value) -> (Switch, String) {
    if !source.is_object() {
        return no_source();
    }
    if source["configMap"].is_object() {
        return of_key(state, &source["configMap"]);
    }
    let every = source["everyConfigMap"].as_array().map_or(&[][..], Vec::as_slice);
    if every.is_empty() {
        return (
            Switch::Error,
            "DisableSource specifies no valid sources".to_owned(),
        );
    }
    let not_off = every
        .iter()
        .map(|key| of_key(state, key))
        .find(|(switch, _)| *switch != Switch::Off);
    not_off.unwrap_or((Switch::Off, "Every ConfigMap disabled".to_owned()))
}

fn of_key(state: &State, source: &Value) -> (Switch, String) {
    let (name, key) = (spec::text(&source["name"]), spec::text(&source["key"]));
    let Some(data) = config_map(state, &name) else {
        return (Switch::Pending, format!("ConfigMap {name:?} does not exist"));
    };
    let Some(value) = data.get(&key) else {
        return (Switch::Error, format!("ConfigMap {name:?} has no key {key:?}"));
    };
    // The words of Go's `strconv.ParseBool`.
    let is_off = match value.as_str() {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => true,
        "0" | "f" | "F" | "false" | "FALSE" | "False" => false,
        _ => {
            return (
                Switch::Error,
                format!(
                    "error parsing ConfigMap/key {name:?}/{key:?} value {value:?} as a bool: strconv.ParseBool: parsing \
                     {value:?}: invalid syntax"
                ),
            );
        }
    };
    let switch = if is_off { Switch::Off } else { Switch::On };
    (switch, format!("ConfigMap/key {name:?}/{key:?} is {is_off}"))
}

/// Returns what a config map holds, be it a user's or that which says whether a resource is switched off.
pub(super) fn config_map(state: &State, name: &str) -> Option<BTreeMap<String, String>> {
    if let Some(resource) = name.strip_suffix("-disable")
        && let Some(row) = state.rows.get(&ManifestName::from(resource))
    {
        let is_disabled = (!row.enabled).to_string();
        return Some(BTreeMap::from([("isDisabled".to_owned(), is_disabled)]));
    }
    of_user(&state.objects, name)
}

fn of_user(objects: &Objects, name: &str) -> Option<BTreeMap<String, String>> {
    let map = objects.get(ApiKind::ConfigMap, name)?;
    let data = spec::field(&map.object.spec, "data").as_object();
    let entries = data.into_iter().flatten();
    Some(
        entries
            .map(|(key, value)| (key.clone(), spec::text(value)))
            .collect(),
    )
}
