//! Objects of the API group `tilt.dev/v1alpha1` that users make, in a Tiltfile or through the API, as data.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// The kinds of objects that users make. All but `PortForward` and `ToggleButton` can be registered by a Tiltfile.
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
    /// Ports of this machine that lead to a pod.
    PortForward,
    /// A button that switches a value of a config map.
    ToggleButton,
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
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Cmd,
        Self::ConfigMap,
        Self::Extension,
        Self::ExtensionRepo,
        Self::FileWatch,
        Self::KubernetesApply,
        Self::KubernetesDiscovery,
        Self::PortForward,
        Self::ToggleButton,
        Self::UiButton,
    ];

    /// Returns the name of the kind, such as `UIButton`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Cmd => "Cmd",
            Self::ConfigMap => "ConfigMap",
            Self::Extension => "Extension",
            Self::ExtensionRepo => "ExtensionRepo",
            Self::FileWatch => "FileWatch",
            Self::KubernetesApply => "KubernetesApply",
            Self::KubernetesDiscovery => "KubernetesDiscovery",
            Self::PortForward => "PortForward",
            Self::ToggleButton => "ToggleButton",
            Self::UiButton => "UIButton",
        }
    }

    /// Returns the kind of this name.
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.name() == name)
    }

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
            Self::PortForward => "portforwards",
            Self::ToggleButton => "togglebuttons",
            Self::UiButton => "uibuttons",
        }
    }

    /// Returns the status of an object that nothing has happened to; `None` for kinds without a status.
    fn empty_status(self) -> Option<Value> {
        Some(match self {
            Self::ConfigMap => return None,
            Self::Cmd | Self::Extension | Self::PortForward => json!({}),
            Self::ExtensionRepo => json!({"lastFetchedAt": null}),
            Self::FileWatch => json!({"monitorStartTime": null, "lastEventTime": null}),
            Self::KubernetesApply => json!({"lastApplyTime": null, "lastApplyStartTime": null}),
            Self::KubernetesDiscovery => json!({"monitorStartTime": null, "pods": null}),
            Self::ToggleButton => json!({"error": ""}),
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
    pub fn iter(&self) -> impl Iterator<Item = (ApiKind, &str, &ApiObject)> {
        let kinds = self.0.iter();
        kinds.flat_map(|(kind, objects)| {
            let objects = objects.iter();
            objects.map(move |(name, object)| (*kind, name.as_str(), object))
        })
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
    /// Returns what a user said of an object in what the API has of it.
    pub fn of_json(kind: ApiKind, object: &Value) -> Self {
        let texts = |field: &str| {
            let given = object["metadata"][field].as_object().into_iter().flatten();
            let texts = given.filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
            texts.collect()
        };
        let spec = match kind {
            ApiKind::ConfigMap => [("data".to_owned(), object["data"].clone())]
                .into_iter()
                .collect(),
            _ => object["spec"].as_object().cloned().unwrap_or_default(),
        };
        Self {
            labels: texts("labels"),
            annotations: texts("annotations"),
            spec,
        }
    }

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
