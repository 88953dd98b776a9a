//! In which fields an object would change.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::k8s::secret_fields;

/// How many characters of a value are told.
const SHOWN: usize = 60;
/// What stands for a value that is nobody's business.
const HIDDEN: &str = "(hidden)";

/// A field that would change.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FieldChange {
    /// Its path, such as `spec.replicas`.
    pub field: String,
    /// What it is now, as JSON; `None` if it is not there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<String>,
    /// What it would be, as JSON; `None` if it would be gone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
}

/// Returns the fields in which an object would differ from what it is now. What only the cluster writes does not count, and
/// neither do labels and annotations that say who deployed it; values of Secrets are hidden.
pub fn field_changes(before: &Value, after: &Value) -> Vec<FieldChange> {
    let text = |field: &str| after[field].as_str().unwrap_or_default();
    let secret = secret_fields(text("apiVersion"), text("kind"));
    let mut changes = Vec::new();
    compare(Some(before), Some(after), "", &mut changes);
    changes.retain(|change| !is_clusters(&change.field));
    let is_secret = |change: &&mut FieldChange| secret.iter().any(|field| change.field.starts_with(field));
    for change in changes.iter_mut().filter(is_secret) {
        change.from = change.from.take().map(|_| HIDDEN.to_owned());
        change.to = change.to.take().map(|_| HIDDEN.to_owned());
    }
    changes
}

/// Returns whether only the cluster writes a field.
fn is_clusters(field: &str) -> bool {
    const OWN: [&str; 7] = [
        "metadata.managedFields",
        "metadata.resourceVersion",
        "metadata.generation",
        "metadata.uid",
        "metadata.creationTimestamp",
        "metadata.selfLink",
        "status",
    ];
    OWN.iter().any(|own| {
        let rest = field.strip_prefix(own);
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}

fn compare(before: Option<&Value>, after: Option<&Value>, path: &str, changes: &mut Vec<FieldChange>) {
    let below = |key: &str| {
        let key = match key.contains(['.', '/']) {
            true => format!("[{key:?}]"),
            false if path.is_empty() => key.to_owned(),
            false => format!(".{key}"),
        };
        format!("{path}{key}")
    };
    match (before, after) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            for (key, value) in new {
                compare(old.get(key), Some(value), &below(key), changes);
            }
            for (key, value) in old.iter().filter(|(key, _)| !new.contains_key(*key)) {
                compare(Some(value), None, &below(key), changes);
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            for at in 0..old.len().max(new.len()) {
                compare(old.get(at), new.get(at), &format!("{path}[{at}]"), changes);
            }
        }
        (old, new) if old == new => {}
        (old, new) => changes.push(FieldChange {
            field: path.to_owned(),
            from: old.map(shown),
            to: new.map(shown),
        }),
    }
}

fn shown(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_the_cluster_writes_is_no_change_and_secrets_are_hidden() {
        let before = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "old", "gone": "x"},
            "metadata": {"resourceVersion": "1", "labels": {"a.b/c": "1"}}, "status": {"x": 1}});
        let after = json!({"apiVersion": "v1", "kind": "Secret", "data": {"a": "new"},
            "metadata": {"resourceVersion": "2", "labels": {"a.b/c": "2"}}});
        let told: Vec<String> = field_changes(&before, &after)
            .into_iter()
            .map(|change| format!("{} {:?} {:?}", change.field, change.from, change.to))
            .collect();
        assert_eq!(
            told,
            [
                r#"data.a Some("(hidden)") Some("(hidden)")"#,
                r#"data.gone Some("(hidden)") None"#,
                r#"metadata.labels["a.b/c"] Some("\"1\"") Some("\"2\"")"#,
            ]
        );
    }
}
