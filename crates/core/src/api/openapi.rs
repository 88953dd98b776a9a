//! What the API says about itself: the kinds it serves, and what their fields are.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{GROUP, KINDS, Kind, VERBS, VERSION, docs};
use crate::k8s::schema::{Shape, Struct, of_api_kind};

/// The version of OpenAPI, which says where definitions stand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// OpenAPI 2, all in one document.
    V2,
    /// OpenAPI 3, a document for each group and version.
    V3,
}

/// Returns the list of what the group serves: `APIResourceList`.
pub fn resource_list() -> Value {
    let mut resources = Vec::new();
    for kind in &KINDS {
        resources.push(json!({
            "name": kind.plural,
            "singularName": kind.singular,
            "namespaced": false,
            "kind": kind.name,
            "verbs": VERBS,
            "shortNames": kind.short,
        }));
        if kind.has_status {
            resources.push(json!({
                "name": format!("{}/status", kind.plural),
                "singularName": "",
                "namespaced": false,
                "kind": kind.name,
                "verbs": ["get", "patch", "update"],
            }));
        }
    }
    json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": Kind::api_version(),
        "resources": resources,
    })
}

/// Returns the group: `APIGroup`.
pub fn group() -> Value {
    let version = json!({"groupVersion": Kind::api_version(), "version": VERSION});
    json!({
        "kind": "APIGroup",
        "apiVersion": "v1",
        "name": GROUP,
        "versions": [version],
        "preferredVersion": version,
    })
}

/// Returns the list of groups: `APIGroupList`.
pub fn group_list() -> Value {
    let mut group = group();
    if let Value::Object(fields) = &mut group {
        fields.remove("kind");
        fields.remove("apiVersion");
    }
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": [group]})
}

/// Returns all kinds at once: `APIGroupDiscoveryList`, in the version that was asked for.
pub fn aggregated(version: &str) -> Value {
    let kind_of = |kind: &Kind| json!({"group": GROUP, "version": VERSION, "kind": kind.name});
    let resources: Vec<Value> = KINDS
        .iter()
        .map(|kind| {
            let status = json!([{
                "subresource": "status",
                "responseKind": kind_of(kind),
                "verbs": ["get", "patch", "update"],
            }]);
            json!({
                "resource": kind.plural,
                "responseKind": kind_of(kind),
                "scope": "Cluster",
                "singularResource": kind.singular,
                "verbs": VERBS,
                "shortNames": kind.short,
                "subresources": if kind.has_status { status } else { json!([]) },
            })
        })
        .collect();
    json!({
        "kind": "APIGroupDiscoveryList",
        "apiVersion": format!("apidiscovery.k8s.io/{version}"),
        "metadata": {},
        "items": [{
            "metadata": {"name": GROUP, "creationTimestamp": null},
            "versions": [{"version": VERSION, "resources": resources, "freshness": "Current"}],
        }],
    })
}

/// Returns the OpenAPI document.
pub fn document(dialect: Dialect) -> Value {
    let mut definitions = Definitions {
        dialect,
        done: BTreeMap::new(),
    };
    let mut paths = Map::new();
    for kind in &KINDS {
        let Some(of) = of_api_kind(kind.name) else {
            continue;
        };
        let name = definitions.name_of(&format!("tilt/v1alpha1.{}", kind.name));
        definitions.define(&name, of, Some(kind));
        add_paths(&mut paths, kind, &name, dialect);
    }
    let definitions: Map<String, Value> = definitions.done.into_iter().collect();
    let info = json!({"title": "tilt", "version": VERSION});
    match dialect {
        Dialect::V2 => json!({"swagger": "2.0", "info": info, "paths": paths, "definitions": definitions}),
        Dialect::V3 => json!({
            "openapi": "3.0.0",
            "info": info,
            "paths": paths,
            "components": {"schemas": definitions},
        }),
    }
}

/// Returns the beginning of the OpenAPI 2 document in Protocol Buffers: its version and its title. Clients that ask for that
/// form want to know whether there is such a document; what the kinds are they read in version 3.
pub fn document_as_protobuf() -> Vec<u8> {
    fn field(number: u8, bytes: &[u8]) -> Vec<u8> {
        // All fields are shorter than a length of one byte can say.
        let mut field = vec![(number << 3) | 2, u8::try_from(bytes.len()).unwrap_or_default()];
        field.extend(bytes);
        field
    }
    let info = [field(1, b"tilt"), field(2, VERSION.as_bytes())].concat();
    [field(1, b"2.0"), field(2, &info)].concat()
}

fn group_version_kind(kind: &Kind) -> Value {
    json!({"group": GROUP, "version": VERSION, "kind": kind.name})
}

/// Adds the paths of a kind, as far as clients look at them: which verbs it has, and that field validation and dry runs work.
fn add_paths(paths: &mut Map<String, Value>, kind: &Kind, schema: &str, dialect: Dialect) {
    let parameter = |name: &str| match dialect {
        Dialect::V2 => json!({"name": name, "in": "query", "type": "string", "uniqueItems": true}),
        Dialect::V3 => {
            json!({"name": name, "in": "query", "schema": {"type": "string", "uniqueItems": true}})
        }
    };
    let write = [
        parameter("dryRun"),
        parameter("fieldManager"),
        parameter("fieldValidation"),
    ];
    let operation = |action: &str, parameters: &[Value]| {
        let reference = reference(schema, dialect);
        let response = match dialect {
            Dialect::V2 => json!({"description": "OK", "schema": reference}),
            Dialect::V3 => {
                json!({"description": "OK", "content": {"application/json": {"schema": reference}}})
            }
        };
        json!({
            "operationId": format!("{action}TiltDevV1alpha1{}", kind.name),
            "parameters": parameters,
            "responses": {"200": response},
            "x-kubernetes-action": action,
            "x-kubernetes-group-version-kind": group_version_kind(kind),
        })
    };
    let base = format!("/apis/{GROUP}/{VERSION}/{}", kind.plural);
    let of_one = json!({
        "get": operation("get", &[]),
        "put": operation("put", &write),
        "patch": operation("patch", &write),
        "delete": operation("delete", &[]),
    });
    paths.insert(
        base.clone(),
        json!({"get": operation("list", &[]), "post": operation("post", &write)}),
    );
    paths.insert(format!("{base}/{{name}}"), of_one);
}

fn reference(name: &str, dialect: Dialect) -> Value {
    match dialect {
        Dialect::V2 => json!({"$ref": format!("#/definitions/{name}")}),
        Dialect::V3 => json!({"$ref": format!("#/components/schemas/{name}")}),
    }
}

/// The definitions of types, each made once.
struct Definitions {
    dialect: Dialect,
    done: BTreeMap<String, Value>,
}

impl Definitions {
    /// Returns the name under which a type of the table is defined.
    fn name_of(&self, table: &str) -> String {
        let (package, name) = table.split_once('.').unwrap_or(("", table));
        match package {
            "tilt/v1alpha1" => format!("com.github.tilt-dev.tilt.pkg.apis.core.v1alpha1.{name}"),
            _ => format!("io.k8s.apimachinery.pkg.apis.meta.v1.{name}"),
        }
    }

    fn define(&mut self, name: &str, of: &'static Struct, kind: Option<&Kind>) {
        if self.done.contains_key(name) {
            return;
        }
        // A type may hold itself.
        self.done.insert(name.to_owned(), Value::Null);
        let (mut properties, mut required) = (Map::new(), Vec::new());
        for field in of.fields() {
            let shape = self.shape(&field.shape);
            let described = self.described(shape, docs::of_field(of.name, field.name));
            properties.insert(field.name.to_owned(), described);
            if !field.omits_empty {
                required.push(Value::from(field.name));
            }
        }
        let description = docs::of_type(of.name);
        let mut schema = json!({"type": "object", "description": description, "properties": properties});
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        if let Some(kind) = kind {
            schema["x-kubernetes-group-version-kind"] = json!([group_version_kind(kind)]);
        }
        self.done.insert(name.to_owned(), schema);
    }

    /// Returns a schema with what it means. In version 3 nothing may stand beside a reference.
    fn described(&self, mut schema: Value, description: &str) -> Value {
        if self.dialect == Dialect::V3 && !schema["$ref"].is_null() {
            schema = json!({"allOf": [schema]});
        }
        schema["description"] = description.into();
        schema
    }

    fn shape(&mut self, shape: &'static Shape) -> Value {
        match shape {
            Shape::Text(_) => json!({"type": "string", "default": ""}),
            Shape::Bool(_) => json!({"type": "boolean"}),
            Shape::Integer { bits, .. } => json!({"type": "integer", "format": format!("int{bits}")}),
            Shape::Float(_) => json!({"type": "number"}),
            Shape::Bytes => json!({"type": "string", "format": "byte"}),
            Shape::Pointer(inner) => self.shape(inner),
            Shape::List(inner) => json!({"type": "array", "items": self.shape(inner)}),
            Shape::Map(inner) => json!({"type": "object", "additionalProperties": self.shape(inner)}),
            Shape::Struct(of) => {
                let name = self.name_of(of.table_name());
                self.define(&name, of.get(), None);
                reference(&name, self.dialect)
            }
            Shape::Time | Shape::ApiTime { .. } => json!({"type": "string", "format": "date-time"}),
            Shape::Quantity | Shape::IntOrString => json!({"type": "string"}),
            Shape::Any | Shape::SchemaOrBool(_) | Shape::SchemaOrList(_) | Shape::SchemaOrTexts(_) => {
                json!({"type": "object"})
            }
        }
    }
}
