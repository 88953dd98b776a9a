//! One Kubernetes object as it was written.

use serde_json::{Map, Value};

/// One Kubernetes object: its data, and where it was written.
#[derive(Clone, Debug, PartialEq)]
pub struct Entity {
    value: Value,
    /// Where it was written.
    pub origin: Origin,
}

/// Where an object was written.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Origin {
    /// What was read, such as `file: /src/shop/web.yaml` or `Tiltfile blob() call`.
    pub source: String,
    /// The line of the document's first content, counted from 1 in that source; 0 when unknown.
    pub line: usize,
}

impl Entity {
    /// Wraps an object.
    ///
    /// # Panics
    /// When `value` is not a JSON object: readers check that first.
    pub fn new(value: Value, origin: Origin) -> Self {
        assert!(value.is_object(), "a Kubernetes object is a JSON object");
        Self { value, origin }
    }

    /// Returns the whole object.
    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Returns the whole object, to change it.
    pub fn value_mut(&mut self) -> &mut Value {
        &mut self.value
    }

    /// Takes the object, and leaves an empty one.
    pub fn take(&mut self) -> Self {
        let empty = Self::new(Value::Object(Map::new()), Origin::default());
        std::mem::replace(self, empty)
    }

    /// Returns the object's `kind`, empty if it has none.
    pub fn kind(&self) -> &str {
        self.text(&["kind"])
    }

    /// Returns the object's `apiVersion`, such as `apps/v1`.
    pub fn api_version(&self) -> &str {
        self.text(&["apiVersion"])
    }

    /// Returns the API group, empty for the core group.
    pub fn group(&self) -> &str {
        self.api_version().split_once('/').map_or("", |(group, _)| group)
    }

    /// Returns the version within its group.
    pub fn version(&self) -> &str {
        self.api_version().rsplit('/').next().unwrap_or_default()
    }

    /// Returns the group and kind that the object defines; `None` for anything but a definition of custom resources.
    pub fn defines(&self) -> Option<(String, String)> {
        if self.kind() != "CustomResourceDefinition" {
            return None;
        }
        let text = |path: &[&str]| self.get(path).and_then(Value::as_str).map(str::to_owned);
        Some((text(&["spec", "group"])?, text(&["spec", "names", "kind"])?))
    }

    /// Returns the object's name, empty if it has none.
    pub fn name(&self) -> &str {
        self.text(&["metadata", "name"])
    }

    /// Returns the namespace as written, `None` where none is.
    pub fn namespace(&self) -> Option<&str> {
        Some(self.text(&["metadata", "namespace"])).filter(|ns| !ns.is_empty())
    }

    /// Returns the value of an annotation.
    pub fn annotation(&self, key: &str) -> Option<&str> {
        self.get(&["metadata", "annotations"])?.get(key)?.as_str()
    }

    /// Returns the labels as written on the object itself.
    pub fn labels(&self) -> Option<&Map<String, Value>> {
        self.get(&["metadata", "labels"])?.as_object()
    }

    /// Returns the value at a path of keys.
    pub fn get(&self, path: &[&str]) -> Option<&Value> {
        path.iter().try_fold(&self.value, |value, key| value.get(key))
    }

    fn text(&self, path: &[&str]) -> &str {
        self.get(path).and_then(Value::as_str).unwrap_or_default()
    }
}
