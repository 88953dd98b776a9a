//! Which tools there are. A model reads all of this with every request, so it is short.

use std::sync::Arc;

use rmcp::model::{Tool, ToolAnnotations};
use serde_json::{Value, json};

/// A tool that may be offered.
pub(super) struct Offered {
    name: &'static str,
    description: &'static str,
    properties: Value,
    required: &'static [&'static str],
    pub(super) is_read_only: bool,
}

impl Offered {
    pub(super) fn into_tool(self) -> Tool {
        let schema = json!({
            "type": "object",
            "properties": self.properties,
            "required": self.required,
            "additionalProperties": false,
        });
        let schema = match schema {
            Value::Object(schema) => schema,
            _ => Default::default(),
        };
        Tool::new(self.name, self.description, Arc::new(schema))
            .with_annotations(ToolAnnotations::new().read_only(self.is_read_only))
    }
}

/// Returns all tools, also those that change something.
pub(super) fn all() -> Vec<Offered> {
    let resource = || json!({"type": "string", "description": "Name of a resource"});
    let resources = || json!({"type": "array", "items": {"type": "string"}, "description": "Names of resources; all if left out"});
    let read = |name, description, properties, required| Offered {
        name,
        description,
        properties,
        required,
        is_read_only: true,
    };
    let change = |name, description| Offered {
        name,
        description,
        properties: json!({"resource": resource()}),
        required: &["resource"],
        is_read_only: false,
    };
    vec![
        read(
            "list_resources",
            "List the resources of the running session with their update and runtime status, and what each waits for.",
            json!({}),
            &[],
        ),
        read(
            "read_resource",
            "Everything known about one resource: status, pods, errors, port-forwards, last updates.",
            json!({"resource": resource()}),
            &["resource"],
        ),
        read(
            "logs",
            "The last lines of the log of a resource, or of all; optionally only lines that contain a text.",
            json!({
                "resource": resource(),
                "search": {"type": "string", "description": "Only lines that contain this text, whatever its case"},
                "lines": {"type": "integer", "minimum": 1, "maximum": 1000, "description": "How many lines (default: 100)"},
            }),
            &[],
        ),
        read(
            "why",
            "Why a resource was updated, what it waited for, where the time went, why it failed. Or, with `file`: which \
             resources a file belongs to, or what ignores it, and what saving it does.",
            json!({
                "resource": resource(),
                "last": {"type": "integer", "minimum": 1, "maximum": 20, "description": "How many updates (default: 1)"},
                "file": {"type": "string", "description": "A path"},
            }),
            &[],
        ),
        read(
            "await",
            "Call this after editing files: waits until everything that the present state of the files leads to has been built \
             and is running, or has failed; returns each resource's result, what changed, and the log lines since.",
            json!({
                "resources": resources(),
                "file": {"type": "string", "description": "Wait only for what this file belongs to"},
                "since_edit": {"type": "boolean", "description": "Tell only of what the last edit led to"},
                "lines": {"type": "integer", "minimum": 0, "maximum": 200, "description": "Log lines of each (default: 20)"},
                "timeout_seconds": {"type": "integer", "minimum": 1, "description": "Default: 600"},
            }),
            &[],
        ),
        read(
            "plan",
            "What `tilt up` would do now, without doing it: images to build, objects to create or change and their fields, \
             commands to run. Evaluates the Tiltfile; needs no session.",
            json!({
                "resources": resources(),
                "tiltfile_args": {"type": "array", "items": {"type": "string"}, "description": "What `tilt up` is given after --"},
            }),
            &[],
        ),
        change("trigger", "Start an update of a resource."),
        change("enable", "Switch a resource on."),
        change("disable", "Switch a resource off: what it deployed is deleted."),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tools_fit_two_thousand_tokens() {
        let tools: Vec<Tool> = all().into_iter().map(Offered::into_tool).collect();
        let text = serde_json::to_string(&tools).expect("tools are JSON");
        // A token of such text has more than three characters.
        assert!(text.len() / 3 <= 2_000, "{} characters", text.len());
    }
}
