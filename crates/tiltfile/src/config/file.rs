//! Reads `tilt_config.json`.

use std::io;

use serde_json::Value;

use super::settings::{Kind, Setting, Values};
use crate::diag::{Place, SourceText, nearest};
use crate::fault::{Fault, Outcome, io_message};
use crate::model::LocalPath;
use crate::session::Session;

/// Reads the settings in a file; a missing file has none.
pub(super) fn read(session: &Session<'_>, path: &LocalPath, defined: &[Setting]) -> Outcome<Values> {
    match session.host.read(path) {
        Ok(bytes) => values(path, &String::from_utf8_lossy(&bytes), defined),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Values::new()),
        Err(error) => Err(Fault::new(format!(
            "error reading {path}: {}",
            io_message(path, &error)
        ))),
    }
}

fn values(path: &LocalPath, text: &str, defined: &[Setting]) -> Outcome<Values> {
    let source = SourceText::new(path.to_string(), text);
    let parsed: Value = serde_json::from_str(text).map_err(|error| {
        Fault::new(format!("error parsing json from {path}: {error}")).at(place(&source, &error))
    })?;
    let Value::Object(fields) = parsed else {
        return Err(Fault::new(format!(
            "error parsing json from {path}: expected an object, found {}",
            go_kind(&parsed)
        )));
    };
    let mut values = Values::new();
    for (name, value) in fields {
        let Some(setting) = defined.iter().find(|setting| setting.name == name) else {
            return Err(unknown(&source, &name, defined));
        };
        let value = fit(setting.kind, value).map_err(|why| {
            let fault = Fault::new(format!(
                "{path} specified invalid value for setting {name}: {why}"
            ));
            mark(fault, &source, &name)
        })?;
        values.insert(name, value);
    }
    Ok(values)
}

fn unknown(source: &SourceText, name: &str, defined: &[Setting]) -> Fault {
    let file = source.file();
    let fault = Fault::new(format!("{file} specified unknown setting name '{name}'"));
    let fault = mark(fault, source, name);
    match nearest(name, defined.iter().map(|setting| setting.name.as_str())) {
        Some(near) => fault.hint(format!("did you mean \"{near}\"?")),
        None => fault.hint("settings are defined with config.define_string() and its like"),
    }
}

/// Returns a value as a setting of this kind holds it; `null` is the kind's empty value.
fn fit(kind: Kind, value: Value) -> Result<Value, String> {
    match (kind, value) {
        (Kind::Object, value) => Ok(value),
        (Kind::Text, Value::Null) => Ok("".into()),
        (Kind::TextList, Value::Null) => Ok(Value::Array(Vec::new())),
        (Kind::Boolean, Value::Null) => Ok(false.into()),
        (Kind::Text, value @ Value::String(_)) | (Kind::Boolean, value @ Value::Bool(_)) => Ok(value),
        (Kind::TextList, Value::Array(items)) => match items.iter().find(|item| !item.is_string()) {
            Some(item) => Err(format!("expected string, got {}", go_kind(item))),
            None => Ok(Value::Array(items)),
        },
        (Kind::Text, other) => Err(format!("expected string, found {}", go_kind(&other))),
        (Kind::Boolean, other) => Err(format!("expected bool, found {}", go_kind(&other))),
        (Kind::TextList, _) => Err("expected array".to_owned()),
    }
}

/// Returns what Go calls a value that it read from JSON.
fn go_kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    }
}

/// Marks where a name stands in quotes.
fn mark(fault: Fault, source: &SourceText, name: &str) -> Fault {
    let quoted = Value::from(name).to_string();
    match source.text().find(&quoted) {
        Some(at) => fault.at(source.place(at..at + quoted.len())),
        None => fault,
    }
}

fn place(source: &SourceText, error: &serde_json::Error) -> Place {
    Place {
        file: source.file().to_owned(),
        line: error.line().max(1),
        column: error.column().max(1),
        width: 1,
        source_line: source.line(error.line().max(1)).to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn defined() -> Vec<Setting> {
        [Kind::Text, Kind::TextList, Kind::Boolean, Kind::Object]
            .into_iter()
            .zip(["text", "list", "flag", "object"])
            .map(|(kind, name)| Setting {
                name: name.to_owned(),
                kind,
                is_positional: false,
                usage: String::new(),
            })
            .collect()
    }

    #[test]
    fn values_must_fit_their_settings() {
        let path = LocalPath::new("/src/tilt_config.json");
        for (text, expected) in [
            (
                "{\"text\": 1}",
                "for setting text: expected string, found float64",
            ),
            (
                "{\"flag\": \"x\"}",
                "for setting flag: expected bool, found string",
            ),
            ("{\"list\": \"x\"}", "for setting list: expected array"),
            (
                "{\"list\": [1]}",
                "for setting list: expected string, got float64",
            ),
            (
                "{\"texd\": 1}",
                "/src/tilt_config.json specified unknown setting name 'texd'",
            ),
            ("{\"text\"", "error parsing json from /src/tilt_config.json: "),
            ("", "error parsing json from /src/tilt_config.json: "),
            ("[]", "expected an object, found []interface {}"),
        ] {
            let fault = values(&path, text, &defined()).unwrap_err().to_string();
            assert!(fault.contains(expected), "{fault}");
        }
    }

    #[test]
    fn null_is_the_empty_value() {
        let text = "{\"text\": null, \"list\": null, \"flag\": null, \"object\": null}";
        let read = values(&LocalPath::new("/c"), text, &defined()).unwrap();
        let shown: Vec<String> = read.values().map(Value::to_string).collect();
        assert_eq!(shown, ["false", "[]", "null", "\"\""]);
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "[\\[\\]{}\",:0-9a-z\\\\ .eE+-]{0,60}") {
            let _ = values(&LocalPath::new("/c"), &text, &defined());
        }

        #[test]
        fn any_json_is_read_or_refused(name in "text|list|flag|object|other", depth in 0_usize..300) {
            let text = format!("{{\"{name}\": {}{}}}", "[".repeat(depth), "]".repeat(depth));
            let _ = values(&LocalPath::new("/c"), &text, &defined());
        }
    }
}
