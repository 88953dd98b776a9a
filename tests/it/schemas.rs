//! The JSON schemas of what is answered as JSON: made from the types, kept in `docs/schemas`, and true of real answers.

use std::path::PathBuf;

use schemars::{JsonSchema, Schema, schema_for};
use serde_json::Value;

/// Returns each schema with the name of its file.
fn all() -> Vec<(&'static str, Schema)> {
    fn made<T: JsonSchema>(name: &'static str) -> (&'static str, Schema) {
        (name, schema_for!(T))
    }
    vec![
        made::<tilt::history::SessionHistory>("history"),
        made::<tilt::history::ResourceHistory>("why"),
        made::<tilt::history::FileAnswer>("why-file"),
        made::<tilt::history::UpdateRecord>("update"),
        made::<tilt::plan::PlanAnswer>("plan"),
        made::<tilt::view::AwaitAnswer>("await"),
        made::<tilt::report::CiReport>("ci-report"),
    ]
}

fn path(name: &str) -> PathBuf {
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.join("docs/schemas").join(format!("{name}.json"))
}

#[test]
fn the_published_schemas_are_current() {
    for (name, schema) in all() {
        let made = format!(
            "{}\n",
            serde_json::to_string_pretty(&schema).expect("plain values")
        );
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::create_dir_all(path(name).parent().expect("a folder")).expect("a folder");
            std::fs::write(path(name), &made).expect("it can be written");
        }
        let kept = std::fs::read_to_string(path(name)).unwrap_or_default();
        let differs = kept.lines().zip(made.lines()).find(|(kept, made)| kept != made);
        assert!(
            kept == made,
            "docs/schemas/{name}.json is not what the types say (first difference: {differs:?}); run UPDATE_DOCS=1 cargo test \
             --test it schemas"
        );
    }
}

#[test]
fn every_schema_is_named_where_it_is_documented() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/ci.md")).expect("a page");
    for (name, _) in all() {
        assert!(
            page.contains(&format!("`schemas/{name}.json`")),
            "{name} is not in docs/ci.md"
        );
    }
}

/// Expects that an answer is as its schema says, and has no field that the schema does not know.
#[track_caller]
pub(crate) fn check_answer(name: &str, answer: &Value) {
    let (_, schema) = all()
        .into_iter()
        .find(|(known, _)| *known == name)
        .expect("it is published");
    let root = schema.to_value();
    if let Err(fault) = conforms(answer, &root, &root) {
        panic!("{name}: {fault}\n{answer:#}");
    }
}

/// The words of JSON Schema that are used here; any other word of a schema is a fault.
fn conforms(value: &Value, schema: &Value, root: &Value) -> Result<(), String> {
    let Value::Object(words) = schema else {
        return Ok(());
    };
    for (word, said) in words {
        match word.as_str() {
            "$ref" => {
                let name = said
                    .as_str()
                    .and_then(|name| name.strip_prefix("#/$defs/"))
                    .ok_or("a foreign $ref")?;
                conforms(value, &root["$defs"][name], root)?;
            }
            "type" => has_type(value, said)?,
            "const" if value == said => {}
            "enum" if said.as_array().is_some_and(|all| all.contains(value)) => {}
            "const" | "enum" => return Err(format!("{value} is not {said}")),
            "anyOf" | "oneOf" => {
                let forms: &[Value] = said.as_array().map_or(&[], |forms| forms);
                let faults = forms.iter().filter_map(|form| conforms(value, form, root).err());
                let faults: Vec<String> = faults.collect();
                if faults.len() == forms.len() {
                    return Err(format!("none of these: {}", faults.join("; ")));
                }
            }
            "items" => {
                let items = value.as_array().into_iter().flatten();
                items
                    .into_iter()
                    .try_for_each(|item| conforms(item, said, root))?;
            }
            "required" => {
                let names = said.as_array().into_iter().flatten().filter_map(Value::as_str);
                for name in names {
                    value
                        .get(name)
                        .ok_or_else(|| format!("{name} is missing in {value}"))?;
                }
            }
            "properties" => {
                for (name, field) in value.as_object().into_iter().flatten() {
                    let known = said.get(name).ok_or_else(|| format!("no schema knows {name}"))?;
                    conforms(field, known, root).map_err(|fault| format!("{name}: {fault}"))?;
                }
            }
            "$schema" | "$defs" | "title" | "description" | "default" | "format" | "minimum" | "maximum" => {}
            other => return Err(format!("this test does not know {other:?}")),
        }
    }
    Ok(())
}

fn has_type(value: &Value, said: &Value) -> Result<(), String> {
    let is = |name: &Value| match name.as_str() {
        Some("object") => value.is_object(),
        Some("array") => value.is_array(),
        Some("string") => value.is_string(),
        Some("integer") => value.is_u64() || value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => false,
    };
    let fits = match said {
        Value::Array(names) => names.iter().any(is),
        name => is(name),
    };
    if fits {
        Ok(())
    } else {
        Err(format!("{value} is no {said}"))
    }
}

#[test]
fn an_answer_that_is_not_as_the_schema_says_is_found() {
    let (_, schema) = all()
        .into_iter()
        .find(|(name, _)| *name == "await")
        .expect("it is published");
    let root = schema.to_value();
    for (answer, fault) in [
        (serde_json::json!({"ok": true}), "resources is missing"),
        (serde_json::json!({"ok": 1, "resources": []}), "is no \"boolean\""),
        (
            serde_json::json!({"ok": true, "resources": [], "more": 1}),
            "no schema knows more",
        ),
    ] {
        let found = conforms(&answer, &root, &root).expect_err("it is not");
        assert!(found.contains(fault), "{found}");
    }
}
