//! The mark that buttons of a session carry: what they look like, in short, so that readers see when that changes.

use serde_json::{Value, json};
use sha1::Digest as _;

use super::Kind;
use super::decode::decode;

/// The annotation that has it.
const ANNOTATION: &str = "uibuttonspec-hash";

/// The fields of a button's spec and of its inputs, in the order in which they are written to be counted.
const FIELDS: [&str; 20] = [
    "location",
    "componentID",
    "componentType",
    "name",
    "label",
    "text",
    "iconName",
    "iconSVG",
    "disabled",
    "requiresConfirmation",
    "inputs",
    "bool",
    "hidden",
    "choice",
    "defaultValue",
    "placeholder",
    "trueString",
    "falseString",
    "value",
    "choices",
];

/// Returns an object with the mark, if it is a button: the first 20 hex digits of the SHA-1 of its spec as JSON.
pub(super) fn marked(kind: &'static Kind, mut object: Value) -> Value {
    if kind.name != "UIButton" {
        return object;
    }
    // What is empty is left out before it is counted.
    let Ok(decoded) = decode(kind, object.clone(), false) else {
        return object;
    };
    let text = written(decoded.get("spec").unwrap_or(&json!({})));
    let digest = sha1::Sha1::digest(text.as_bytes());
    let digits: String = digest[..10].iter().map(|byte| format!("{byte:02x}")).collect();
    object["metadata"]["annotations"][ANNOTATION] = digits.into();
    object
}

/// Returns JSON as Go writes it.
fn written(value: &Value) -> String {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| FIELDS.iter().position(|field| field == name));
            let fields: Vec<String> = fields
                .into_iter()
                .map(|(name, value)| format!("\"{name}\":{}", written(value)))
                .collect();
            format!("{{{}}}", fields.join(","))
        }
        Value::Array(items) => {
            let items: Vec<String> = items.iter().map(written).collect();
            format!("[{}]", items.join(","))
        }
        Value::String(_) => value
            .to_string()
            .replace('<', "\\u003c")
            .replace('>', "\\u003e")
            .replace('&', "\\u0026"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(spec: Value, expected: &str) {
        let kind = Kind::named("UIButton").expect("a kind");
        let object = marked(kind, json!({"metadata": {"name": "b"}, "spec": spec}));
        assert_eq!(object["metadata"]["annotations"][ANNOTATION], expected);
    }

    #[test]
    fn buttons_have_the_marks_that_tilts_have() {
        let location = |name: &str| json!({"componentType": "Resource", "componentID": name});
        check(
            json!({"iconName": "cancel", "text": "Stop Build", "location": location("(Tiltfile)")}),
            "b8df3306002f6b94e2c0",
        );
        check(
            json!({"iconName": "cancel", "text": "Stop Build", "location": location("web"), "disabled": false}),
            "e214aaa0ad1c8edf7236",
        );
        check(
            json!({
                "location": location("web"), "text": "Disable Resource", "requiresConfirmation": true,
                "inputs": [{"name": "action", "hidden": {"value": "on"}}],
            }),
            "85d40b3d54243d471b94",
        );
    }

    #[test]
    fn other_kinds_have_none() {
        let kind = Kind::named("Cmd").expect("a kind");
        let object = json!({"metadata": {"name": "c"}, "spec": {"args": ["x"]}});
        assert_eq!(marked(kind, object.clone()), object);
    }
}
