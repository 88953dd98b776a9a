//! Objects of the API group `tilt.dev/v1alpha1` that a Tiltfile registers, as data.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The kinds that a Tiltfile can register.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ApiKind {
    /// A local command.
    Cmd,
    /// Keys and values, such as whether something is disabled.
    ConfigMap,
    /// A Tiltfile in a repository of extensions.
    Extension,
    /// A repository of extensions.
    ExtensionRepo,
    /// Files whose changes others react to.
    FileWatch,
    /// YAML, or a command, that is applied to a cluster.
    KubernetesApply,
    /// Which pods belong to something.
    KubernetesDiscovery,
    /// A button in the web page.
    UiButton,
}

/// An object without its status, which is not known before it runs.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiObject {
    /// Labels, as given.
    pub labels: BTreeMap<String, String>,
    /// Annotations, as given.
    pub annotations: BTreeMap<String, String>,
    /// The spec in the API's own field names; of a config map the whole content.
    pub spec: Map<String, Value>,
}

/// Objects by kind and name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiObjects(BTreeMap<ApiKind, BTreeMap<String, ApiObject>>);

impl ApiKind {
    /// Returns the name under which the API serves objects of this kind.
    pub fn plural(self) -> &'static str {
        match self {
            Self::Cmd => "cmds",
            Self::ConfigMap => "configmaps",
            Self::Extension => "extensions",
            Self::ExtensionRepo => "extensionrepos",
            Self::FileWatch => "filewatches",
            Self::KubernetesApply => "kubernetesapplys",
            Self::KubernetesDiscovery => "kubernetesdiscoveries",
            Self::UiButton => "uibuttons",
        }
    }

    /// Returns the status of an object that nothing has happened to; `None` for kinds without a status.
    fn empty_status(self) -> Option<Value> {
        Some(match self {
            Self::ConfigMap => return None,
            Self::Cmd | Self::Extension => json!({}),
            Self::ExtensionRepo => json!({"lastFetchedAt": null}),
            Self::FileWatch => json!({"monitorStartTime": null, "lastEventTime": null}),
            Self::KubernetesApply => json!({"lastApplyTime": null, "lastApplyStartTime": null}),
            Self::KubernetesDiscovery => json!({"monitorStartTime": null, "pods": null}),
            Self::UiButton => json!({"lastClickedAt": null}),
        })
    }
}

impl ApiObjects {
    /// Returns an object.
    pub fn get(&self, kind: ApiKind, name: &str) -> Option<&ApiObject> {
        self.0.get(&kind)?.get(name)
    }

    /// Returns the objects of a kind, by name.
    pub fn of_kind(&self, kind: ApiKind) -> impl Iterator<Item = (&str, &ApiObject)> {
        let objects = self.0.get(&kind).into_iter().flatten();
        objects.map(|(name, object)| (name.as_str(), object))
    }

    /// Returns all objects with their kinds and names.
    pub fn into_all(self) -> impl Iterator<Item = (ApiKind, String, ApiObject)> {
        let kinds = self.0.into_iter();
        kinds.flat_map(|(kind, objects)| {
            let objects = objects.into_iter();
            objects.map(move |(name, object)| (kind, name, object))
        })
    }

    /// Puts an object in, in place of one of that kind and name.
    pub fn insert(&mut self, kind: ApiKind, name: &str, object: ApiObject) {
        self.0.entry(kind).or_default().insert(name.to_owned(), object);
    }

    /// Returns all objects as Tilt's result shows them: kind, name, object.
    pub fn to_json(&self) -> Value {
        let kinds = self.0.iter().map(|(kind, objects)| {
            let objects: Map<String, Value> = objects
                .iter()
                .map(|(name, object)| (name.clone(), object.to_json(*kind, name)))
                .collect();
            let key = format!("tilt.dev/v1alpha1, Resource={}", kind.plural());
            (key, Value::Object(objects))
        });
        Value::Object(kinds.collect())
    }
}

impl ApiObject {
    /// Returns a text of the spec, empty when it is not there.
    pub fn text(&self, field: &str) -> &str {
        self.spec.get(field).and_then(Value::as_str).unwrap_or_default()
    }

    fn to_json(&self, kind: ApiKind, name: &str) -> Value {
        let mut metadata = json!({"name": name});
        for (field, values) in [("labels", &self.labels), ("annotations", &self.annotations)] {
            if !values.is_empty() {
                metadata[field] = json!(values);
            }
        }
        let mut object = Map::new();
        object.insert("metadata".to_owned(), metadata);
        match kind.empty_status() {
            None => object.extend(self.spec.clone()),
            Some(status) => {
                object.insert("spec".to_owned(), Value::Object(self.spec.clone()));
                object.insert("status".to_owned(), status);
            }
        }
        Value::Object(object)
    }
}
