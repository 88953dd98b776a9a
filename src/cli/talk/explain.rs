//! `tilt explain`: what the fields of a kind are.

use anyhow::{anyhow, bail};
use serde_json::Value;

use super::super::{exit, say};
use super::Connect;
use super::target::targets;
use crate::api::{GROUP, VERSION, openapi};

/// Show the fields of a kind of objects
#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    #[command(flatten)]
    _connect: Connect,
    /// Show the fields of fields, too
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = false, default_missing_value = "true")]
    recursive: bool,
    /// The version of the API
    #[arg(long, value_name = "VERSION")]
    api_version: Option<String>,
    /// What to show: TYPE or TYPE.FIELD
    #[arg(value_name = "TYPE")]
    what: String,
}

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    if let Some(version) = args.api_version.as_deref()
        && version != format!("{GROUP}/{VERSION}")
    {
        bail!("couldn't find resource for \"{version}, Resource={}\"", args.what);
    }
    let mut parts = args.what.split('.');
    let kind = parts.next().unwrap_or_default().to_owned();
    let kind = targets(&[kind])?.remove(0).kind;
    let document = openapi::document(openapi::Dialect::V3);
    let schemas = &document["components"]["schemas"];
    let root = schemas
        .as_object()
        .into_iter()
        .flatten()
        .find(|(name, _)| name.ends_with(&format!(".v1alpha1.{}", kind.name)))
        .map(|(_, schema)| schema)
        .ok_or_else(|| anyhow!("the kind has no description"))?;
    let (mut schema, mut field) = (root, None);
    for part in parts {
        let property = &schema["properties"][part];
        if property.is_null() {
            bail!("field {part:?} does not exist");
        }
        field = Some((part.to_owned(), type_of(property)));
        schema = resolved(property, schemas);
    }
    let mut text = format!(
        "GROUP:      {GROUP}\nKIND:       {}\nVERSION:    {VERSION}\n\n",
        kind.name
    );
    if let Some((name, kind)) = field {
        text.push_str(&format!("FIELD: {name} <{kind}>\n\n"));
    }
    let description = schema["description"].as_str().unwrap_or("<empty>");
    text.push_str(&format!("\nDESCRIPTION:\n    {description}\n"));
    if schema["properties"]
        .as_object()
        .is_some_and(|fields| !fields.is_empty())
    {
        text.push_str("FIELDS:\n");
        fields(schema, schemas, args.recursive, 1, &mut text);
    }
    say::data(&text)?;
    Ok(exit::SUCCESS)
}

fn fields(schema: &Value, schemas: &Value, recursive: bool, level: usize, text: &mut String) {
    let indent = "  ".repeat(level);
    let required = |name: &str| {
        let names = schema["required"].as_array();
        names.is_some_and(|names| names.iter().any(|required| required == name))
    };
    for (name, property) in schema["properties"].as_object().into_iter().flatten() {
        let mark = if required(name) { " -required-" } else { "" };
        text.push_str(&format!("{indent}{name}\t<{}>{mark}\n", type_of(property)));
        if recursive {
            let inner = resolved(property, schemas);
            // A schema that holds itself has no end.
            if level < 10 {
                fields(inner, schemas, recursive, level + 1, text);
            }
        } else {
            let description = property["description"].as_str().unwrap_or("<no description>");
            text.push_str(&format!("{indent}  {description}\n\n"));
        }
    }
}

/// Returns the schema of a field, or of the items of its list.
fn resolved<'a>(property: &'a Value, schemas: &'a Value) -> &'a Value {
    let property = if property["type"] == "array" {
        &property["items"]
    } else {
        property
    };
    match property["$ref"].as_str() {
        Some(reference) => &schemas[reference.rsplit('/').next().unwrap_or_default()],
        None => property,
    }
}

fn type_of(property: &Value) -> String {
    if property["type"] == "array" {
        return format!("[]{}", type_of(&property["items"]));
    }
    if let Some(reference) = property["$ref"].as_str() {
        return reference.rsplit('.').next().unwrap_or_default().to_owned();
    }
    if !property["additionalProperties"].is_null() {
        return format!("map[string]{}", type_of(&property["additionalProperties"]));
    }
    property["type"].as_str().unwrap_or("Object").to_owned()
}
