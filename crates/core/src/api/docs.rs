//! What types and fields of the API are for, in words: `descriptions.txt`, which `tilt explain` and other clients show.

use std::collections::HashMap;
use std::sync::LazyLock;

static TEXT: &str = include_str!("descriptions.txt");

/// The text for a type, or for a field of it.
static ALL: LazyLock<HashMap<(&str, Option<&str>), &str>> = LazyLock::new(|| {
    let mut of = "";
    let lines = TEXT.lines().filter(|line| !line.starts_with('#'));
    lines
        .filter_map(|line| line.split_once(": "))
        .map(|(name, text)| match name.strip_prefix("  ") {
            Some(field) => ((of, Some(field)), text),
            None => {
                of = name;
                ((of, None), text)
            }
        })
        .collect()
});

/// Returns what a type is for.
pub(super) fn of_type(name: &str) -> &'static str {
    ALL.get(&(name, None)).copied().unwrap_or_default()
}

/// Returns what a field of a type means. What every kind has is described once.
pub(super) fn of_field(of: &str, field: &str) -> &'static str {
    if let Some(text) = ALL.get(&(of, Some(field))) {
        return text;
    }
    match field {
        "apiVersion" => "The version of the API: tilt.dev/v1alpha1.",
        "kind" => "The kind of the object.",
        "metadata" => "Its name, its labels, and the like.",
        "spec" => "What is wanted.",
        "status" => "What is.",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;
    use crate::api::openapi::{Dialect, document};

    #[test]
    fn every_type_and_every_field_is_described() {
        let document = document(Dialect::V3);
        let schemas = document["components"]["schemas"].as_object().expect("schemas");
        let described = |value: &Value| value["description"].as_str().is_some_and(|text| !text.is_empty());
        for (name, schema) in schemas {
            assert!(described(schema), "{name}");
            for (field, property) in schema["properties"].as_object().into_iter().flatten() {
                assert!(described(property), "{name}.{field}");
            }
        }
    }

    #[test]
    fn nothing_is_described_that_is_not_there() {
        let document = document(Dialect::V3);
        let schemas = document["components"]["schemas"].as_object().expect("schemas");
        for (of, field) in ALL.keys() {
            let schema = schemas.iter().find(|(name, _)| {
                name.ends_with(&format!(".v1alpha1.{of}")) || name.ends_with(&format!(".meta.v1.{of}"))
            });
            let (_, schema) = schema.unwrap_or_else(|| panic!("there is no type {of}"));
            assert!(
                field.is_none_or(|field| !schema["properties"][field].is_null()),
                "{of}.{field:?}"
            );
        }
        assert_eq!(
            TEXT.lines()
                .filter(|line| line.contains(": ") && !line.starts_with('#'))
                .count(),
            ALL.len()
        );
    }
}
