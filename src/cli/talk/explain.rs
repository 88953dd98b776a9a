//! `tilt explain`: what the fields of a kind are, as kubectl writes it.

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
    #[arg(long)]
    recursive: bool,
    /// The version of the API
    #[arg(long, value_name = "VERSION")]
    api_version: Option<String>,
    /// What to show: TYPE or TYPE.FIELD
    #[arg(value_name = "TYPE")]
    what: String,
}

/// How wide a description is, with what stands left of it.
const WIDTH: usize = 80;

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    if let Some(version) = args.api_version.as_deref()
        && version != format!("{GROUP}/{VERSION}")
    {
        let kind = args.what.split('.').next().unwrap_or_default().to_owned();
        let kind = targets(&[kind])?.remove(0).kind;
        bail!(
            "couldn't find resource for \"{version}, Resource={}\"",
            kind.plural
        );
    }
    // The group may stand behind the kind, as in `cmds.tilt.dev`.
    let what = args.what.replacen(&format!(".{GROUP}"), "", 1);
    let mut parts = what.split('.');
    let kind = parts.next().unwrap_or_default().to_owned();
    let kind = targets(&[kind])?.remove(0).kind;
    let document = openapi::document(openapi::Dialect::V3);
    let explained = Explained {
        schemas: &document["components"]["schemas"],
        recursive: args.recursive,
    };
    let end = format!(".v1alpha1.{}", kind.name);
    let mut all = explained.schemas.as_object().into_iter().flatten();
    let root = all.find(|(name, _)| name.ends_with(&end));
    let (_, mut schema) = root.ok_or_else(|| anyhow!("the kind has no description"))?;
    let mut text = format!(
        "GROUP:      {GROUP}\nKIND:       {}\nVERSION:    {VERSION}\n\n",
        kind.name
    );
    let mut field = None;
    for part in parts {
        let property = &schema["properties"][part];
        if property.is_null() {
            say::data(&text)?;
            bail!("field {part:?} does not exist");
        }
        schema = explained.resolved(property);
        field = Some((part, property));
    }
    let mut descriptions: Vec<&str> = Vec::new();
    if let Some((name, property)) = field {
        text.push_str(&format!("FIELD: {name} <{}>\n\n\n", type_of(property)));
        descriptions.extend(property["description"].as_str());
    }
    text.push_str("DESCRIPTION:\n");
    descriptions.extend(schema["description"].as_str());
    match descriptions.as_slice() {
        [] => text.push_str("    <empty>\n"),
        all => {
            text.extend(all.iter().map(|description| wrapped(description, 4)));
            text.push_str("    \n");
        }
    }
    if has_fields(schema) {
        text.push_str("FIELDS:\n");
        explained.fields(schema, 1, &mut text);
    }
    text.push('\n');
    say::data(&text)?;
    Ok(exit::SUCCESS)
}

fn has_fields(schema: &Value) -> bool {
    schema["properties"]
        .as_object()
        .is_some_and(|fields| !fields.is_empty())
}

/// What is explained: all types, and whether the fields of fields are shown.
struct Explained<'a> {
    schemas: &'a Value,
    recursive: bool,
}

impl<'a> Explained<'a> {
    /// Adds the fields of a type.
    fn fields(&self, schema: &'a Value, level: usize, text: &mut String) {
        let indent = level * 2;
        for (name, property) in schema["properties"].as_object().into_iter().flatten() {
            let mark = required(schema, name);
            text.push_str(&format!("{:indent$}{name}\t<{}>{mark}\n", "", type_of(property)));
            if self.recursive {
                // No type of the API holds itself.
                self.fields(self.resolved(property), level + 1, text);
            } else {
                let description = property["description"].as_str().unwrap_or("<no description>");
                text.push_str(&wrapped(description, indent + 2));
                text.push('\n');
            }
        }
    }

    /// Returns the type of a field, or of the items of its list or map.
    fn resolved(&self, property: &'a Value) -> &'a Value {
        let inner = [
            &property["items"],
            &property["additionalProperties"],
            &property["allOf"][0],
        ];
        if let Some(inner) = inner.into_iter().find(|inner| inner.is_object()) {
            return self.resolved(inner);
        }
        match property["$ref"].as_str() {
            Some(reference) => &self.schemas[reference.rsplit('/').next().unwrap_or_default()],
            None => property,
        }
    }
}

/// Returns the mark of a field that has to be there.
fn required(schema: &Value, name: &str) -> &'static str {
    let names = schema["required"].as_array();
    let is_required = names.is_some_and(|names| names.iter().any(|required| required == name));
    if is_required { " -required-" } else { "" }
}

/// Returns a text in lines that are not too wide, each that far from the left.
fn wrapped(text: &str, indent: usize) -> String {
    let mut lines: Vec<String> = Vec::new();
    let mut line = String::new();
    for word in text.split_whitespace() {
        if !line.is_empty() && line.len() + 1 + word.len() > WIDTH - indent {
            lines.push(std::mem::take(&mut line));
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    lines.push(line);
    lines
        .iter()
        .map(|line| format!("{:indent$}{line}\n", ""))
        .collect()
}

fn type_of(property: &Value) -> String {
    if property["allOf"].is_array() {
        return type_of(&property["allOf"][0]);
    }
    if property["type"] == "array" {
        return format!("[]{}", type_of(&property["items"]));
    }
    if let Some(reference) = property["$ref"].as_str() {
        return reference.rsplit('.').next().unwrap_or_default().to_owned();
    }
    if !property["additionalProperties"].is_null() {
        return format!("map[string]{}", type_of(&property["additionalProperties"]));
    }
    match property["type"].as_str() {
        None | Some("object") => "Object".to_owned(),
        Some(kind) => kind.to_owned(),
    }
}
