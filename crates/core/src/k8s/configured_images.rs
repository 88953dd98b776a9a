//! Images at the places that `k8s_kind` and `k8s_image_json_path` name.
//!
//! Rule: `docs/rules/assembly.md`, "Images in objects".

use serde_json::{Map, Value};

use super::json_path::{Found, JsonPath};
use super::{Entity, schema};
use crate::model::{ImageLocator, ImageRef};

/// An image at a configured place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfiguredImage {
    /// The reference.
    pub image: ImageRef,
    /// The JSON pointer to the text, or to the map of repository and tag; `None` for a text that the path contains.
    pub pointer: Option<String>,
}

/// Returns the images of an object at one place.
///
/// # Errors
/// In Tilt's words, without naming the object.
pub fn at(entity: &Entity, locator: &ImageLocator, path: &JsonPath) -> Result<Vec<ConfiguredImage>, String> {
    let shown = &locator.path;
    let found = match path.find(entity.value()) {
        Ok(found) => found,
        // A field that Go's type has but the object leaves out is empty there, not missing.
        Err(why) if is_left_out(entity, &why) => return Ok(Vec::new()),
        Err(why) => return Err(format!("Matching (json_path=\"{shown}\"): {why}")),
    };
    let mut images = Vec::new();
    for found in found {
        let text = match &locator.fields {
            Some(fields) => text_of_map(&found, fields, shown)?,
            None => text_of(&found, shown)?,
        };
        let image = ImageRef::parse(&text)
            .map_err(|why| format!("error parsing image '{text}' at json path '{shown}': {why}"))?;
        let pointer = found.pointer;
        images.push(ConfiguredImage { image, pointer });
    }
    Ok(images)
}

fn is_left_out(entity: &Entity, why: &str) -> bool {
    let of = schema::of_kind(entity.api_version(), entity.kind());
    of.zip(why.strip_suffix(" is not found"))
        .is_some_and(|(of, name)| schema::has_field_within(of, name))
}

fn text_of(found: &Found, path: &str) -> Result<String, String> {
    match &found.value {
        Value::String(text) => Ok(text.clone()),
        other => Err(mismatch("strings", other, path)),
    }
}

fn text_of_map(found: &Found, fields: &(String, String), path: &str) -> Result<String, String> {
    let Value::Object(map) = &found.value else {
        return Err(mismatch("maps", &found.value, path));
    };
    let repository = text_field(map, &fields.0, path)?;
    let repository = repository.ok_or_else(|| {
        format!(
            "Field \"{}\" not found in the map (json_path=\"{path}\")",
            fields.0
        )
    })?;
    Ok(match text_field(map, &fields.1, path)? {
        Some(tag) if !tag.is_empty() => format!("{repository}:{tag}"),
        _ => repository.to_owned(),
    })
}

fn text_field<'a>(map: &'a Map<String, Value>, key: &str, path: &str) -> Result<Option<&'a str>, String> {
    match map.get(key) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) => Ok(Some(text)),
        Some(other) => Err(mismatch("strings", other, path)),
    }
}

fn mismatch(wanted: &str, found: &Value, path: &str) -> String {
    let kind = match found {
        Value::Null => "<nil>",
        Value::Bool(_) => "bool",
        Value::Number(number) if number.is_i64() => "int64",
        Value::Number(_) => "float64",
        Value::String(_) => "string",
        Value::Array(_) => "[]interface {}",
        Value::Object(_) => "map[string]interface {}",
    };
    format!("May only match {wanted} (json_path=\"{path}\")\nGot Type: {kind}\nGot Value: {found}")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::yaml;
    use crate::model::ObjectPatterns;

    fn images(spec: &str, path: &str, fields: Option<(&str, &str)>) -> Result<Vec<String>, String> {
        let text = format!("{{apiVersion: x.io/v1, kind: Machine, metadata: {{name: m}}, spec: {spec}}}");
        let entity = yaml::read(&text, "test").unwrap().entities.remove(0);
        let locator = ImageLocator {
            objects: ObjectPatterns::default(),
            path: path.to_owned(),
            fields: fields.map(|(repository, tag)| (repository.to_owned(), tag.to_owned())),
        };
        let found = at(&entity, &locator, &JsonPath::parse(path).unwrap())?;
        Ok(found.iter().map(|found| found.image.familiar()).collect())
    }

    #[test]
    fn images_are_texts_or_maps_of_repository_and_tag() {
        assert_eq!(
            images("{a: [{i: x}, {i: y:1}]}", "{.spec.a[*].i}", None).unwrap(),
            ["x", "y:1"]
        );
        let fields = Some(("repo", "tag"));
        assert_eq!(
            images("{i: {repo: x, tag: v1}}", "{.spec.i}", fields).unwrap(),
            ["x:v1"]
        );
        assert_eq!(images("{i: {repo: x}}", "{.spec.i}", fields).unwrap(), ["x"]);
    }

    #[test]
    fn what_is_no_image_is_told_in_tilts_words() {
        let refused = |spec, path, fields| images(spec, path, fields).unwrap_err();
        assert_eq!(
            refused("{}", "{.spec.image}", None),
            "Matching (json_path=\"{.spec.image}\"): image is not found"
        );
        assert_eq!(
            refused("{i: 7}", "{.spec.i}", None),
            "May only match strings (json_path=\"{.spec.i}\")\nGot Type: int64\nGot Value: 7"
        );
        assert!(refused("{i: x}", "{.spec.i}", Some(("r", "t"))).starts_with("May only match maps"));
        assert!(
            refused("{i: 'A b'}", "{.spec.i}", None)
                .starts_with("error parsing image 'A b' at json path '{.spec.i}': ")
        );
    }
}
