//! `tilt describe`: everything about objects, for people.

use http::Method;
use serde_json::{Map, Value};

use super::super::{exit, say};
use super::files::Files;
use super::get::JSON;
use super::options::Labels;
use super::target::escaped;
use super::{Connect, block_on};

/// Show everything about objects of a running session
#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    #[command(flatten)]
    connect: Connect,
    #[command(flatten)]
    files: Files,
    #[command(flatten)]
    labels: Labels,
    /// What to show: TYPE, TYPE NAME or the beginning of one, TYPE/NAME
    #[arg(value_name = "TYPE")]
    words: Vec<String>,
}

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    let targets = args.files.targets(&args.words)?;
    block_on(async {
        let api = args.connect.api()?;
        let mut shown = Vec::new();
        for target in &targets {
            let path = format!(
                "{}?labelSelector={}",
                target.path(None),
                escaped(&args.labels.selector)
            );
            let list = api.request(Method::GET, &path, JSON, None).await?;
            let objects = list["items"].as_array().cloned().unwrap_or_default();
            let name_of = |object: &Value| object["metadata"]["name"].as_str().unwrap_or_default().to_owned();
            if target.names.is_empty() {
                shown.extend(objects.iter().map(described));
            }
            for name in &target.names {
                let exact = objects.iter().filter(|object| name_of(object) == *name);
                let mut meant: Vec<_> = exact.collect();
                if meant.is_empty() {
                    meant = objects
                        .iter()
                        .filter(|object| name_of(object).starts_with(name))
                        .collect();
                }
                if meant.is_empty() {
                    api.request(Method::GET, &target.path(Some(name)), JSON, None)
                        .await?;
                }
                shown.extend(meant.into_iter().map(described));
            }
        }
        if shown.is_empty() {
            say::err("No resources found in  namespace.\n");
        }
        say::data(shown.join("\n\n"))?;
        Ok(exit::SUCCESS)
    })
}

/// A line: what stands left of the tab, and what stands right of it.
type Line = (String, Option<String>);

fn described(object: &Value) -> String {
    let metadata = &object["metadata"];
    let text = |field: &str| Some(metadata[field].as_str().unwrap_or_default().to_owned());
    let mut lines: Vec<Line> = vec![
        ("Name:".to_owned(), text("name")),
        ("Namespace:".to_owned(), text("namespace")),
    ];
    for (label, field, between) in [("Labels:", "labels", "="), ("Annotations:", "annotations", ": ")] {
        let entries = metadata[field].as_object().into_iter().flatten();
        let mut entries: Vec<String> = entries
            .map(|(key, value)| format!("{key}{between}{}", value.as_str().unwrap_or_default()))
            .collect();
        entries.sort();
        if entries.is_empty() {
            entries.push("<none>".to_owned());
        }
        for (at, entry) in entries.into_iter().enumerate() {
            let label = if at == 0 { label.to_owned() } else { String::new() };
            lines.push((label, Some(entry)));
        }
    }
    if let Value::Object(fields) = object {
        let mut rest = fields.clone();
        if let Some(Value::Object(metadata)) = rest.get_mut("metadata") {
            for told in ["name", "namespace", "labels", "annotations", "managedFields"] {
                metadata.remove(told);
            }
        }
        add(&rest, 0, &mut lines);
    }
    aligned(&lines)
}

fn add(fields: &Map<String, Value>, level: usize, lines: &mut Vec<Line>) {
    let indent = "  ".repeat(level);
    let mut names: Vec<&String> = fields.keys().collect();
    names.sort();
    for name in names {
        let label = format!("{indent}{}:", title(name));
        match &fields[name] {
            Value::Object(inner) => {
                lines.push((label, None));
                add(inner, level + 1, lines);
            }
            Value::Array(items) => {
                lines.push((label, None));
                for item in items {
                    match item {
                        Value::Object(inner) => add(inner, level + 1, lines),
                        other => lines.push((format!("{indent}  {}", plain(other)), None)),
                    }
                }
            }
            other => lines.push((label, Some(plain(other)))),
        }
    }
}

fn plain(value: &Value) -> String {
    match value {
        Value::Null => "<nil>".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// Returns the name of a field as words: `updateStatus` is `Update Status`.
fn title(name: &str) -> String {
    let chars: Vec<char> = name.chars().collect();
    let mut words: Vec<String> = Vec::new();
    for (at, c) in chars.iter().enumerate() {
        let after_lower = at > 0 && chars[at - 1].is_lowercase();
        let before_lower = chars.get(at + 1).is_some_and(|next| next.is_lowercase());
        let begins = c.is_uppercase() && (after_lower || (at > 0 && before_lower));
        match words.last_mut().filter(|_| !begins) {
            Some(word) => word.push(*c),
            None => words.push(c.to_string()),
        }
    }
    let titled = words.iter().map(|word| {
        if ["api", "url", "uid", "osb", "guid"].contains(&word.to_lowercase().as_str()) {
            return word.to_uppercase();
        }
        let mut chars = word.chars();
        let first = chars.next().map(|first| first.to_uppercase().to_string());
        first.unwrap_or_default() + chars.as_str()
    });
    titled.collect::<Vec<_>>().join(" ")
}

/// Returns lines with what stands right of a tab aligned, in each run of lines that have one.
fn aligned(lines: &[Line]) -> String {
    let mut text = String::new();
    let mut at = 0;
    while at < lines.len() {
        let (left, right) = &lines[at];
        if right.is_none() {
            text.push_str(left);
            text.push('\n');
            at += 1;
            continue;
        }
        let run = lines[at..]
            .iter()
            .take_while(|(_, right)| right.is_some())
            .count();
        let width = lines[at..at + run]
            .iter()
            .map(|(left, _)| left.chars().count())
            .max();
        let width = width.unwrap_or_default() + 2;
        for (left, right) in &lines[at..at + run] {
            text.push_str(&format!(
                "{left:<width$}{}\n",
                right.as_deref().unwrap_or_default()
            ));
        }
        at += run;
    }
    text
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn an_object_is_described_in_words() {
        let object = json!({
            "apiVersion": "tilt.dev/v1alpha1",
            "kind": "UIResource",
            "metadata": {"name": "web", "labels": {"a": "b"}, "uid": "1"},
            "spec": {},
            "status": {"updateStatus": "ok", "order": 2, "pids": [1, 2], "pendingBuildSince": null},
        });
        insta::assert_snapshot!(described(&object), @r"
        Name:         web
        Namespace:    
        Labels:       a=b
        Annotations:  <none>
        API Version:  tilt.dev/v1alpha1
        Kind:         UIResource
        Metadata:
          UID:  1
        Spec:
        Status:
          Order:                2
          Pending Build Since:  <nil>
          Pids:
            1
            2
          Update Status:  ok
        ");
    }

    #[test]
    fn names_of_fields_become_words() {
        for (name, words) in [
            ("updateStatus", "Update Status"),
            ("apiVersion", "API Version"),
            ("iconSVG", "Icon SVG"),
            ("imageFromCluster", "Image From Cluster"),
            ("url", "URL"),
        ] {
            assert_eq!(title(name), words);
        }
    }
}
