//! Objects as text: names, JSON, YAML, JSONPath, columns.
//!
//! Rule: `docs/rules/commands.md`, "get and its kin".

use anyhow::{anyhow, bail};
use serde::Serialize;
use serde_json::{Value, json};

use crate::api::Kind;
use crate::k8s::go_template::GoTemplate;
use crate::k8s::json_path::JsonPath;

/// How objects are shown.
#[derive(Debug, clap::Args)]
pub(super) struct Print {
    /// Output format: json, yaml, kyaml, name, wide, jsonpath=..., go-template=..., custom-columns=...
    #[arg(short, long, value_name = "FORMAT")]
    pub(super) output: Option<String>,
    /// The template, for -o jsonpath, -o go-template and -o custom-columns
    #[arg(long, value_name = "TEMPLATE")]
    template: Option<String>,
    /// Leave out what a template asks for and an object does not have
    #[arg(long, num_args = 0..=1, require_equals = true, default_value_t = true, default_missing_value = "true",
          action = clap::ArgAction::Set)]
    allow_missing_template_keys: bool,
    /// Show who set which field
    #[arg(long)]
    show_managed_fields: bool,
}

/// How objects are shown, as read.
#[derive(Debug)]
pub(super) enum Format {
    /// A table, or the words of the command.
    Human,
    Json,
    Yaml,
    /// YAML with braces and quotes, which reads the same whatever stands around it.
    Kyaml,
    Name,
    GoTemplate(GoTemplate, String),
    JsonPath(JsonPath, String),
    JsonPathAsJson(JsonPath),
    Columns(Vec<(String, JsonPath)>),
    /// The same without the first line.
    BareColumns(Vec<(String, JsonPath)>),
}

impl Format {
    /// Returns the same, with or without a line of headers where it has columns.
    pub(super) fn without_headers(self, is_so: bool) -> Self {
        match self {
            Self::Columns(columns) if is_so => Self::BareColumns(columns),
            other => other,
        }
    }
}

impl Print {
    /// Reads the format.
    ///
    /// # Errors
    /// An unknown format, or a template that cannot be read.
    pub(super) fn format(&self) -> anyhow::Result<Format> {
        let Some(output) = &self.output else {
            return match &self.template {
                Some(template) => go_template(template.clone()),
                None => Ok(Format::Human),
            };
        };
        let (name, inline) = match output.split_once('=') {
            // Only what takes a template has one.
            Some((name @ ("json" | "yaml" | "kyaml" | "name" | "wide" | ""), _)) => {
                return Err(no_such_format(&format!("{name}={}", &output[name.len() + 1..])));
            }
            Some((name, template)) => (name, Some(template.to_owned())),
            None => (output.as_str(), self.template.clone()),
        };
        let template = || {
            inline
                .clone()
                .filter(|template| !template.is_empty())
                .ok_or_else(|| anyhow!("template format specified but no template given"))
        };
        let from_file = || -> anyhow::Result<String> {
            let path = template()?;
            std::fs::read_to_string(&path)
                .map_err(|error| anyhow!("error reading --template {path}, {error}"))
        };
        Ok(match name {
            "" | "wide" => Format::Human,
            "json" => Format::Json,
            "yaml" => Format::Yaml,
            "kyaml" => Format::Kyaml,
            "name" => Format::Name,
            "go-template" | "template" => go_template(template()?)?,
            "go-template-file" | "templatefile" => go_template(from_file()?)?,
            "jsonpath" => Format::JsonPath(path(&template()?)?, template()?),
            "jsonpath-file" => Format::JsonPath(path(&from_file()?)?, from_file()?),
            "jsonpath-as-json" => Format::JsonPathAsJson(path(&template()?)?),
            "custom-columns" => {
                let spec = inline.clone().filter(|spec| !spec.is_empty());
                let spec = spec
                    .ok_or_else(|| anyhow!("custom-columns format specified but no custom columns given"))?;
                Format::Columns(columns(&spec)?)
            }
            "custom-columns-file" => Format::Columns(columns_of_file(&from_file()?)?),
            other => return Err(no_such_format(other)),
        })
    }
}

fn no_such_format(format: &str) -> anyhow::Error {
    anyhow!(
        "unable to match a printer suitable for the output format {format:?}, allowed formats are: \
         custom-columns,custom-columns-file,go-template,go-template-file,json,jsonpath,jsonpath-as-json,\
         jsonpath-file,kyaml,name,template,templatefile,wide,yaml"
    )
}

fn go_template(text: String) -> anyhow::Result<Format> {
    let template =
        GoTemplate::parse(&text).map_err(|error| anyhow!("error parsing template {text}, {error}"))?;
    Ok(Format::GoTemplate(template, text))
}

fn path(template: &str) -> anyhow::Result<JsonPath> {
    let template = template.trim_matches('\'');
    JsonPath::parse(template).map_err(|error| anyhow!("error parsing jsonpath {template}, {error}"))
}

/// Reads a path that may be written without braces and without its first dot.
pub(super) fn relaxed(text: &str) -> anyhow::Result<JsonPath> {
    let bare = text.trim().trim_start_matches('{').trim_end_matches('}');
    let bare = bare.strip_prefix('$').unwrap_or(bare);
    path(&format!("{{.{}}}", bare.trim_start_matches('.')))
}

fn columns(spec: &str) -> anyhow::Result<Vec<(String, JsonPath)>> {
    let column = |part: &str| {
        let (header, path) = part.split_once(':').ok_or_else(|| {
            anyhow!("unexpected custom-columns spec: {part}, expected <header>:<json-path-expr>")
        })?;
        Ok((header.to_owned(), relaxed(path)?))
    };
    spec.split(',').map(column).collect()
}

fn columns_of_file(text: &str) -> anyhow::Result<Vec<(String, JsonPath)>> {
    let mut lines = text.lines();
    let headers = lines.next().unwrap_or_default().split_whitespace();
    let paths = lines.next().unwrap_or_default().split_whitespace();
    headers
        .zip(paths)
        .map(|(header, path)| Ok((header.to_owned(), relaxed(path)?)))
        .collect()
}

/// Returns `uiresource.tilt.dev/web`.
pub(super) fn display_name(kind: &Kind, name: &str) -> String {
    format!("{}.tilt.dev/{name}", kind.singular)
}

fn name_of(object: &Value) -> &str {
    object["metadata"]["name"].as_str().unwrap_or_default()
}

/// Returns objects as text. `is_list` says that several were asked for.
pub(super) fn text(
    format: &Format,
    print: &Print,
    objects: &[(&'static Kind, Value)],
    is_list: bool,
) -> anyhow::Result<String> {
    let shown = |object: &Value| {
        let mut object = object.clone();
        if !print.show_managed_fields
            && let Some(metadata) = object["metadata"].as_object_mut()
        {
            metadata.remove("managedFields");
        }
        object
    };
    let whole = || match (is_list, objects) {
        (false, [(_, one)]) => shown(one),
        _ => json!({
            "apiVersion": "v1",
            "items": objects.iter().map(|(_, object)| shown(object)).collect::<Vec<_>>(),
            "kind": "List",
            "metadata": {"resourceVersion": ""},
        }),
    };
    let evaluate = |path: &JsonPath, object: &Value| {
        if print.allow_missing_template_keys {
            return path.print(object);
        }
        if path.find(object)?.is_empty() {
            return Err("what it asks for is not found".to_owned());
        }
        path.print(object)
    };
    Ok(match format {
        Format::Human => String::new(),
        Format::Json => format!("{}\n", indented(&sorted(&whole()))?),
        Format::Yaml => crate::k8s::yaml::encode(&sorted(&whole())),
        Format::Name => objects
            .iter()
            .map(|(kind, object)| format!("{}\n", display_name(kind, name_of(object))))
            .collect(),
        Format::Kyaml => format!("---\n{}\n", kyaml(&sorted(&whole()), 0)),
        Format::GoTemplate(template, text) => template
            .print(&whole(), !print.allow_missing_template_keys)
            .map_err(|error| anyhow!("error executing template {text:?}: {error}"))?,
        Format::JsonPath(path, text) => evaluate(path, &whole()).map_err(|error| {
            anyhow!("error executing jsonpath {text:?}: Error executing template: {error}")
        })?,
        Format::JsonPathAsJson(path) => {
            let found = match path.find(&whole()) {
                Ok(found) => found,
                Err(_) if print.allow_missing_template_keys => Vec::new(),
                Err(error) => bail!("{error}"),
            };
            let values: Vec<Value> = found.into_iter().map(|found| found.value).collect();
            format!("{}\n", indented(&values.into())?)
        }
        Format::Columns(columns) | Format::BareColumns(columns) => {
            let headers = columns.iter().map(|(header, _)| header.clone()).collect();
            let mut rows = match format {
                Format::BareColumns(_) => Vec::new(),
                _ => vec![headers],
            };
            for (_, object) in objects {
                let cell = |(_, path): &(String, JsonPath)| match evaluate(path, object) {
                    Ok(text) if !text.is_empty() => text.replace(' ', ","),
                    _ => "<none>".to_owned(),
                };
                rows.push(columns.iter().map(cell).collect());
            }
            aligned(&rows)
        }
    })
}

/// Returns the text of one of several objects that are printed one by one: documents of YAML are told apart.
pub(super) fn next(format: &Format, at: usize, text: String) -> String {
    match format {
        Format::Yaml if at > 0 => format!("---\n{text}"),
        _ => text,
    }
}

/// Returns the same value with the fields of objects in alphabetical order.
pub(super) fn sorted(value: &Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_by_key(|(name, _)| name.as_str());
            fields
                .into_iter()
                .map(|(name, value)| (name.clone(), sorted(value)))
                .collect::<serde_json::Map<_, _>>()
                .into()
        }
        Value::Array(items) => items.iter().map(sorted).collect(),
        other => other.clone(),
    }
}

/// Returns YAML in which every value is in braces, brackets or quotes.
fn kyaml(value: &Value, level: usize) -> String {
    let indent = "  ".repeat(level + 1);
    let end = "  ".repeat(level);
    match value {
        Value::Object(fields) if fields.is_empty() => "{}".to_owned(),
        Value::Object(fields) => {
            let lines = fields.iter().map(|(name, value)| {
                let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '/');
                let is_word =
                    name.chars().all(is_plain) && name.starts_with(|c: char| c.is_ascii_alphabetic());
                let name = if is_word {
                    name.clone()
                } else {
                    format!("{name:?}")
                };
                format!("{indent}{name}: {},\n", kyaml(value, level + 1))
            });
            format!("{{\n{}{end}}}", lines.collect::<String>())
        }
        Value::Array(items) if items.is_empty() => "[]".to_owned(),
        // Objects in a list share the brackets' lines.
        Value::Array(items)
            if items
                .iter()
                .all(|item| item.as_object().is_some_and(|item| !item.is_empty())) =>
        {
            let items: Vec<String> = items.iter().map(|item| kyaml(item, level)).collect();
            format!("[{}]", items.join(", "))
        }
        Value::Array(items) => {
            let lines = items
                .iter()
                .map(|item| format!("{indent}{},\n", kyaml(item, level + 1)));
            format!("[\n{}{end}]", lines.collect::<String>())
        }
        other => other.to_string(),
    }
}

/// Returns JSON that is indented by four spaces, as kubectl does.
pub(super) fn indented(value: &Value) -> anyhow::Result<String> {
    let mut text = Vec::new();
    let formatter = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    value.serialize(&mut serde_json::Serializer::with_formatter(&mut text, formatter))?;
    Ok(String::from_utf8(text)?)
}

/// How wide a column is at least, with the space after it.
const NARROWEST: usize = 6;

/// Returns rows as a table whose columns are three spaces apart.
pub(super) fn aligned(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or_default();
    let width = |at: usize| {
        rows.iter()
            .filter_map(|row| row.get(at))
            .map(|cell| cell.chars().count())
            .max()
    };
    let widths: Vec<usize> = (0..columns).map(|at| width(at).unwrap_or_default()).collect();
    let mut text = String::new();
    for row in rows {
        let last = row.len().saturating_sub(1);
        for (at, cell) in row.iter().enumerate() {
            text.push_str(cell);
            if at < last {
                let pad = (widths[at] + 3).max(NARROWEST) - cell.chars().count();
                text.extend(std::iter::repeat_n(' ', pad));
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn print(output: &str) -> String {
        let print = Print {
            output: Some(output.to_owned()),
            template: None,
            allow_missing_template_keys: true,
            show_managed_fields: false,
        };
        let kind = Kind::named("UIResource").expect("a kind");
        let object =
            json!({"metadata": {"name": "web", "managedFields": []}, "status": {"updateStatus": "ok"}});
        let format = print.format().expect("it is a format");
        text(&format, &print, &[(kind, object)], false).expect("it is printed")
    }

    #[test]
    fn each_format_prints_as_kubectl_does() {
        assert_eq!(print("name"), "uiresource.tilt.dev/web\n");
        assert_eq!(print("jsonpath={.status.updateStatus}"), "ok");
        assert_eq!(
            print("custom-columns=N:.metadata.name,U:status.updateStatus,X:.nosuch"),
            "N     U     X\nweb   ok    <none>\n"
        );
        assert_eq!(
            print("json"),
            "{\n    \"metadata\": {\n        \"name\": \"web\"\n    },\n    \"status\": {\n        \"updateStatus\": \
             \"ok\"\n    }\n}\n"
        );
        assert_eq!(
            print("go-template={{.metadata.name}} {{.nosuch}}"),
            "web <no value>"
        );
        assert_eq!(
            print("kyaml"),
            "---\n{\n  metadata: {\n    name: \"web\",\n  },\n  status: {\n    updateStatus: \"ok\",\n  },\n}\n"
        );
        assert_eq!(
            print("yaml"),
            "metadata:\n  name: web\nstatus:\n  updateStatus: ok\n"
        );
    }
}
