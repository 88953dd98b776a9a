//! Objects as a table, for people who list them.

use std::sync::Arc;

use serde_json::{Value, json};

/// Returns a `Table` of objects, in the order given.
///
/// Rule: `docs/rules/api.md`, "The API": the columns are the name and the time of creation.
pub fn table(version: u64, objects: &[Arc<Value>]) -> Value {
    let rows: Vec<Value> = objects.iter().map(|object| row(object)).collect();
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version.to_string()},
        "columnDefinitions": [
            {"name": "Name", "type": "string", "format": "name", "priority": 0,
             "description": "Name must be unique among the objects of its kind."},
            {"name": "Created At", "type": "date", "format": "", "priority": 0,
             "description": "The time at which the object was created."},
        ],
        "rows": rows,
    })
}

fn row(object: &Value) -> Value {
    let metadata = &object["metadata"];
    json!({
        "cells": [metadata["name"], metadata["creationTimestamp"]],
        "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata},
    })
}
