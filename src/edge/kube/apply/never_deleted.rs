//! Objects that are never deleted to be created anew, since what they hold would go with them: then the error says what
//! differs, and what to run.

use serde_json::Value;

use super::who_holds::{command, users_of_claim};
use crate::edge::kube::connection::{Cluster, ObjectApi, RequestError};

/// How many differences are shown, and how long a value may be.
const MAX_DIFFERENCES: usize = 5;
const MAX_VALUE: usize = 60;

/// Returns what would be lost with an object of this kind; `None` for one that may be deleted and created anew.
pub(in crate::edge) fn what_it_holds(api_version: &str, kind: &str) -> Option<&'static str> {
    let group = api_version.split_once('/').map_or("", |(group, _)| group);
    match (group, kind) {
        ("", "PersistentVolumeClaim") => Some("the data of its volume"),
        ("", "PersistentVolume") => Some("the data of its claim"),
        ("", "Namespace") => Some("all objects in it"),
        ("apiextensions.k8s.io", "CustomResourceDefinition") => Some("all its instances"),
        _ => None,
    }
}

/// Returns the error for an object that cannot become what is wanted without being deleted, and is not.
pub(in crate::edge::kube) async fn kept(
    cluster: &Cluster,
    api: &ObjectApi,
    wanted: &Value,
    live: &Value,
    holds: &'static str,
    error: RequestError,
) -> RequestError {
    let mut lines = vec![format!(
        "It is not deleted and created anew: {holds} would be lost."
    )];
    lines.extend(
        differences(wanted, live)
            .into_iter()
            .map(|difference| format!("  {difference}")),
    );
    let mut rest = ", then save a file".to_owned();
    if live["kind"] == "PersistentVolumeClaim" {
        let users = users_of_claim(cluster, api.namespace.as_deref(), &api.name).await;
        if !users.is_empty() {
            rest = format!(
                ", which goes once these pods no longer use it: {}{rest}",
                users.join(", ")
            );
        }
    }
    let delete = command("delete", live, "");
    RequestError::Kept {
        error: Box::new(error),
        lines: lines.join("\n"),
        hint: format!("to keep what it holds, undo the change; to give that up, run `{delete}`{rest}"),
    }
}

/// Returns the fields of `spec` that are wanted otherwise than they are, such as `spec.accessModes is ["a"], wanted ["b"]`.
fn differences(wanted: &Value, live: &Value) -> Vec<String> {
    let mut found = Vec::new();
    compare("spec", &wanted["spec"], &live["spec"], &mut found);
    let more = found.len().saturating_sub(MAX_DIFFERENCES);
    found.truncate(MAX_DIFFERENCES);
    if more > 0 {
        found.push(format!("... and {more} more"));
    }
    found
}

fn compare(path: &str, wanted: &Value, live: &Value, found: &mut Vec<String>) {
    match (wanted, live) {
        (Value::Object(fields), Value::Object(known)) => {
            for (name, value) in fields {
                let now = known.get(name).unwrap_or(&Value::Null);
                compare(&format!("{path}.{name}"), value, now, found);
            }
        }
        (Value::Array(items), Value::Array(known)) if items.len() == known.len() => {
            for (at, (value, now)) in items.iter().zip(known).enumerate() {
                if value.is_object() {
                    compare(&format!("{path}[{at}]"), value, now, found);
                } else if value != now {
                    return found.push(difference(path, wanted, live));
                }
            }
        }
        _ if wanted == live => {}
        _ => found.push(difference(path, wanted, live)),
    }
}

fn difference(path: &str, wanted: &Value, live: &Value) -> String {
    let shown = |value: &Value| {
        let text = value.to_string();
        match text.char_indices().nth(MAX_VALUE) {
            Some((end, _)) => format!("{}...", &text[..end]),
            None => text,
        }
    };
    match live {
        Value::Null => format!("{path} is not set, wanted {}", shown(wanted)),
        _ => format!("{path} is {}, wanted {}", shown(live), shown(wanted)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_wanted_otherwise_is_named_by_its_path() {
        let wanted = json!({"spec": {"accessModes": ["ReadWriteMany"], "resources": {"requests": {"storage": "1Gi"}},
            "storageClassName": "fast", "versions": [{"name": "v1", "served": true}]}});
        let live = json!({"spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}},
            "volumeName": "pv-1", "versions": [{"name": "v1", "served": false}]}});
        assert_eq!(
            differences(&wanted, &live),
            [
                r#"spec.accessModes is ["ReadWriteOnce"], wanted ["ReadWriteMany"]"#,
                r#"spec.storageClassName is not set, wanted "fast""#,
                "spec.versions[0].served is false, wanted true"
            ]
        );
    }

    #[test]
    fn only_what_holds_something_is_kept() {
        assert!(what_it_holds("v1", "PersistentVolumeClaim").is_some());
        assert!(what_it_holds("apiextensions.k8s.io/v1", "CustomResourceDefinition").is_some());
        assert!(what_it_holds("apps/v1", "Deployment").is_none());
        assert!(what_it_holds("shop.example.com/v1", "Namespace").is_none());
    }
}
