//! Toggle buttons: each has a button that shows its state, and a click on that writes a config map.
//!
//! Rule: `docs/rules/api.md`, "Buttons and ports".

use serde_json::{Map, Value, json};

use super::disable;
use crate::engine::effect::Effect;
use crate::engine::state::State;
use crate::engine::state::objects::spec;
use crate::engine::state::objects::table::{Click, Does, Object};
use crate::model::{ApiKind, ManifestName};

/// The input of the button that says what a click does.
const ACTION: &str = "action";

/// A toggle as it is now.
pub(super) struct Toggle {
    /// What is wrong with it; empty if nothing is.
    pub(super) error: String,
    /// Whether it is on.
    pub(super) is_on: bool,
}

/// Switches a resource on or off.
pub(in crate::engine) type SwitchResource = fn(&mut State, &ManifestName, bool) -> Vec<Effect>;

/// Passes clicks on to config maps, and finds out how toggles are. The config map of a resource is that it is off.
pub(super) fn refresh(state: &mut State, switch_resource: SwitchResource) -> Vec<Effect> {
    let mut effects = Vec::new();
    for name in state.objects.names(ApiKind::ToggleButton) {
        let mut fault = String::new();
        let (click, seen) = match state.objects.get(ApiKind::ToggleButton, &name) {
            Some(Object {
                does: Does::Toggle { seen, .. },
                ..
            }) => (state.objects.click(&button_name(&name)).cloned(), *seen),
            _ => continue,
        };
        if let Some(click) = click.filter(|click| click.seq > seen) {
            match switch(state, &name, &click, switch_resource) {
                Ok(switched) => effects.extend(switched),
                Err(error) => fault = error,
            }
            if let Some(Object {
                does: Does::Toggle { seen, .. },
                ..
            }) = state.objects.get_mut(ApiKind::ToggleButton, &name)
            {
                *seen = click.seq;
            }
        }
        let now = now(state, &name);
        let fault = if fault.is_empty() { now.error } else { fault };
        let is_same = matches!(state.objects.get(ApiKind::ToggleButton, &name),
            Some(Object { does: Does::Toggle { error, .. }, .. }) if *error == fault);
        state.objects.touch(ApiKind::UiButton, &button_name(&name));
        if !is_same
            && let Some(Object {
                does: Does::Toggle { error, .. },
                ..
            }) = state.objects.get_mut(ApiKind::ToggleButton, &name)
        {
            *error = fault;
        }
    }
    effects
}

/// Returns the name of the button of a toggle.
pub(super) fn button_name(toggle: &str) -> String {
    format!("toggle-{toggle}")
}

fn source(object: &Object) -> &Value {
    &spec::field(&object.object.spec, "stateSource")["configMap"]
}

/// Writes what a click wants into the config map.
fn switch(
    state: &mut State,
    name: &str,
    click: &Click,
    switch_resource: SwitchResource,
) -> Result<Vec<Effect>, String> {
    let button = button_name(name);
    let action = click.inputs.iter().find(|(input, _)| input == ACTION);
    let is_on = match action.map(|(_, value)| value.as_str()) {
        Some("on") => true,
        Some("off") => false,
        Some(other) => {
            return Err(format!(
                "button {button:?} input {ACTION:?} had unexpected value {other:?}"
            ));
        }
        None => {
            return Err(format!(
                "UIButton {button:?} does not have an input named {ACTION:?}"
            ));
        }
    };
    let Some(toggle) = state.objects.get(ApiKind::ToggleButton, name) else {
        return Ok(Vec::new());
    };
    let source = source(toggle);
    let (map, key) = (spec::text(&source["name"]), spec::text(&source["key"]));
    let value = value_of(source, is_on);
    if disable::config_map(state, &map).is_none() {
        return Err(format!("no such ConfigMap {map:?}"));
    }
    if let Some(resource) = map.strip_suffix("-disable")
        && state.rows.contains_key(&ManifestName::from(resource))
    {
        return Ok(switch_resource(state, &resource.into(), value != "true"));
    }
    state.objects.write(ApiKind::ConfigMap, &map, |object| {
        let data = object.spec.entry("data").or_insert(Value::Null);
        if !data.is_object() {
            *data = json!({});
        }
        data[&key] = value.into();
    });
    Ok(Vec::new())
}

fn value_of(source: &Value, is_on: bool) -> String {
    let (field, default) = if is_on {
        ("onValue", "true")
    } else {
        ("offValue", "false")
    };
    match source[field].as_str() {
        Some(value) if !value.is_empty() => value.to_owned(),
        _ => default.to_owned(),
    }
}

/// Returns how a toggle is.
pub(super) fn now(state: &State, name: &str) -> Toggle {
    let Some(toggle) = state.objects.get(ApiKind::ToggleButton, name) else {
        return Toggle {
            error: String::new(),
            is_on: false,
        };
    };
    let default = spec::field(&toggle.object.spec, "defaultOn")
        .as_bool()
        .unwrap_or_default();
    let source = source(toggle);
    let failed = |error: String| Toggle {
        error,
        is_on: default,
    };
    if !source.is_object() {
        return failed("Spec.StateSource.ConfigMap is nil".to_owned());
    }
    let (map, key) = (spec::text(&source["name"]), spec::text(&source["key"]));
    let Some(data) = disable::config_map(state, &map) else {
        return failed(format!("no such ConfigMap {map:?}"));
    };
    let (on, off) = (value_of(source, true), value_of(source, false));
    let is_on = match data.get(&key) {
        None => default,
        Some(value) if *value == on => true,
        Some(value) if *value == off => false,
        Some(value) => {
            return failed(format!(
                "ConfigMap {map:?} key {key:?} has unknown value {value:?}. expected {on:?} or {off:?}"
            ));
        }
    };
    Toggle {
        error: String::new(),
        is_on,
    }
}

/// Returns what the button of a toggle is like: the words of its state, and what a click does.
pub(super) fn button(spec: &Map<String, Value>, is_on: bool) -> Map<String, Value> {
    let (state, action) = if is_on { ("on", "off") } else { ("off", "on") };
    let shown = spec::field(spec, state);
    let mut button = Map::new();
    button.insert("location".to_owned(), spec::field(spec, "location").clone());
    for name in ["text", "iconName", "iconSVG", "requiresConfirmation"] {
        if let Some(value) = shown.get(name) {
            button.insert(name.to_owned(), value.clone());
        }
    }
    button.insert(
        "inputs".to_owned(),
        json!([{"name": ACTION, "hidden": {"value": action}}]),
    );
    button
}
