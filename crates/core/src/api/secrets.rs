//! Which parts of an object that shows what the engine does may hold secrets: words, commands, addresses.
//!
//! What names something stays: a user of a database may be called as the database is, and clients find things by their names.

use serde_json::Value;

/// Fields that hold such text, with all that is in them.
const TELLING: [&str; 17] = [
    "applyError",
    "args",
    "command",
    "dockerfileContents",
    "endpointLinks",
    "env",
    "error",
    "errors",
    "message",
    "path",
    "podStatusMessage",
    "reason",
    "resultYAML",
    "secrets",
    "url",
    "warnings",
    "yaml",
];

/// Replaces secrets in an object. `hidden` returns a text with secrets replaced; `None` if it holds none.
pub(super) fn hide(kind: &str, object: &mut Value, hidden: &dyn Fn(&str) -> Option<String>) {
    // The arguments of the Tiltfile are what a user wrote, and writes back.
    if let Some(spec) = object.get_mut("spec").filter(|_| kind != "Tiltfile") {
        hide_in(spec, false, hidden);
    }
    if let Some(status) = object.get_mut("status") {
        hide_in_status(status, hidden);
    }
}

/// Replaces secrets in the status of an object.
pub(super) fn hide_in_status(status: &mut Value, hidden: &dyn Fn(&str) -> Option<String>) {
    hide_in(status, false, hidden);
}

fn hide_in(value: &mut Value, is_telling: bool, hidden: &dyn Fn(&str) -> Option<String>) {
    match value {
        Value::String(text) if is_telling => {
            if let Some(hidden) = hidden(text) {
                *text = hidden;
            }
        }
        Value::Array(items) => {
            for item in items {
                hide_in(item, is_telling, hidden);
            }
        }
        Value::Object(fields) => {
            for (name, value) in fields {
                hide_in(value, is_telling || TELLING.contains(&name.as_str()), hidden);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn without_postgres(text: &str) -> Option<String> {
        text.contains("postgres").then(|| text.replace("postgres", "***"))
    }

    #[test]
    fn words_commands_and_addresses_are_hidden_and_names_stay() {
        let mut object = json!({
            "metadata": {"name": "postgres:update"},
            "spec": {
                "args": ["psql", "postgres"],
                "applyCmd": {"env": ["USER=postgres"]},
                "podName": "postgres-0",
                "location": {"componentID": "postgres"},
            },
            "status": {
                "endpointLinks": [{"name": "postgres", "url": "http://postgres@localhost"}],
                "buildHistory": [{"error": "no user postgres", "spanID": "build:postgres"}],
            },
        });
        hide("Cmd", &mut object, &without_postgres);
        assert_eq!(
            object,
            json!({
                "metadata": {"name": "postgres:update"},
                "spec": {
                    "args": ["psql", "***"],
                    "applyCmd": {"env": ["USER=***"]},
                    "podName": "postgres-0",
                    "location": {"componentID": "postgres"},
                },
                "status": {
                    "endpointLinks": [{"name": "***", "url": "http://***@localhost"}],
                    "buildHistory": [{"error": "no user ***", "spanID": "build:postgres"}],
                },
            })
        );
    }

    #[test]
    fn arguments_that_a_user_writes_back_stay() {
        let mut object = json!({
            "spec": {"args": ["postgres"]},
            "status": {"terminated": {"error": "postgres"}},
        });
        hide("Tiltfile", &mut object, &without_postgres);
        assert_eq!(
            object,
            json!({"spec": {"args": ["postgres"]}, "status": {"terminated": {"error": "***"}}})
        );
    }
}
