//! Which objects a list or a watch is about: selectors of labels and of fields.

use serde_json::Value;

use super::ApiError;

/// What a client wants to see.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selection {
    /// What the labels must be.
    pub labels: LabelSelector,
    /// What the name must be.
    pub fields: FieldSelector,
}

/// A selector of labels; the empty one selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LabelSelector(Vec<Requirement>);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Requirement {
    Exists(String),
    Missing(String),
    In(String, Vec<String>),
    NotIn(String, Vec<String>),
}

/// A selector of fields, of which only the name exists here; the empty one selects everything.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FieldSelector(Vec<(bool, String)>);

impl Selection {
    /// Returns whether an object is selected.
    pub fn matches(&self, object: &Value) -> bool {
        let metadata = &object["metadata"];
        let name = metadata["name"].as_str().unwrap_or_default();
        self.fields.matches(name) && self.labels.matches(&metadata["labels"])
    }
}

impl LabelSelector {
    /// Parses `a=b,c!=d,e,!f,g in (h,i),j notin (k)`.
    ///
    /// # Errors
    /// A requirement that is none of these.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let parts = split(text).into_iter().map(str::trim);
        let requirements: Option<Vec<_>> = parts.filter(|part| !part.is_empty()).map(requirement).collect();
        requirements.map(Self).ok_or_else(|| {
            ApiError::bad_request(format!(
                "unable to parse requirement: {text:?} is no label selector"
            ))
        })
    }

    fn matches(&self, labels: &Value) -> bool {
        let of = |key: &str| labels.get(key).and_then(Value::as_str);
        self.0.iter().all(|requirement| match requirement {
            Requirement::Exists(key) => of(key).is_some(),
            Requirement::Missing(key) => of(key).is_none(),
            Requirement::In(key, values) => of(key).is_some_and(|value| values.iter().any(|v| v == value)),
            Requirement::NotIn(key, values) => {
                !of(key).is_some_and(|value| values.iter().any(|v| v == value))
            }
        })
    }
}

/// Splits at commas that are not within parentheses.
fn split(text: &str) -> Vec<&str> {
    let (mut parts, mut start, mut depth) = (Vec::new(), 0, 0);
    for (at, c) in text.char_indices() {
        match c {
            '(' => depth += 1,
            ')' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&text[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}

fn requirement(text: &str) -> Option<Requirement> {
    let is_key = |key: &str| {
        !key.is_empty()
            && key
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "-_./:".contains(c))
    };
    let list = |rest: &str| {
        let inner = rest.trim().strip_prefix('(')?.strip_suffix(')')?;
        Some(inner.split(',').map(|value| value.trim().to_owned()).collect())
    };
    if let Some(key) = text.strip_prefix('!') {
        return is_key(key.trim()).then(|| Requirement::Missing(key.trim().to_owned()));
    }
    if let Some((key, value)) = text.split_once("!=") {
        return is_key(key.trim())
            .then(|| Requirement::NotIn(key.trim().to_owned(), vec![value.trim().to_owned()]));
    }
    if let Some((key, value)) = text.split_once('=') {
        let value = value.strip_prefix('=').unwrap_or(value).trim().to_owned();
        return (is_key(key.trim()) && !value.contains('='))
            .then(|| Requirement::In(key.trim().to_owned(), vec![value]));
    }
    let mut words = text.splitn(2, ' ');
    let (key, rest) = (words.next()?, words.next().map(str::trim));
    if !is_key(key) {
        return None;
    }
    match rest {
        None => Some(Requirement::Exists(key.to_owned())),
        Some(rest) => match (rest.strip_prefix("in"), rest.strip_prefix("notin")) {
            (_, Some(values)) => Some(Requirement::NotIn(key.to_owned(), list(values)?)),
            (Some(values), None) => Some(Requirement::In(key.to_owned(), list(values)?)),
            (None, None) => None,
        },
    }
}

impl FieldSelector {
    /// Parses `metadata.name=a`, also with `==` and `!=`.
    ///
    /// # Errors
    /// Any other field.
    pub fn parse(text: &str) -> Result<Self, ApiError> {
        let mut wanted = Vec::new();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (field, is_equal, value) = match part.split_once("!=") {
                Some((field, value)) => (field, false, value),
                None => {
                    let (field, value) = part.split_once('=').ok_or_else(|| {
                        ApiError::bad_request(format!(
                            "invalid selector: '{part}'; can't understand '{part}'"
                        ))
                    })?;
                    (field, true, value.strip_prefix('=').unwrap_or(value))
                }
            };
            match field {
                "metadata.name" => wanted.push((is_equal, value.to_owned())),
                // Nothing has a namespace.
                "metadata.namespace" if value.is_empty() == is_equal => {}
                "metadata.namespace" => wanted.push((true, String::new())),
                _ => {
                    return Err(ApiError::bad_request(format!(
                        "{field:?} is not a known field selector: only \"metadata.name\", \"metadata.namespace\""
                    )));
                }
            }
        }
        Ok(Self(wanted))
    }

    fn matches(&self, name: &str) -> bool {
        self.0
            .iter()
            .all(|(is_equal, wanted)| (wanted == name) == *is_equal)
    }
}
