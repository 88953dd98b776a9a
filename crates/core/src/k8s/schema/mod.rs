//! What Go's types say about the kinds that Kubernetes itself defines: `types.txt`, made by `dev/cluster/schema`.
//!
//! A line `kind <apiVersion> <Kind> <type>` names the type of a kind; a line `type <name> <field>:<shape> ...` its fields,
//! `?` after a field's name meaning that an empty value is left out. Lines are parsed when they are first needed.

use std::collections::HashMap;
use std::sync::{LazyLock, OnceLock};

static TYPES: &str = include_str!("types.txt");

/// The kinds of our own API, in the same form.
static API_TYPES: &str = include_str!("tilt.txt");

/// The only version of our own API.
const API_VERSION: &str = "tilt.dev/v1alpha1";

/// What stands before the names of its types.
const API_PACKAGE: &str = "tilt/v1alpha1";

/// A struct of Go.
#[derive(Debug)]
pub(crate) struct Struct {
    /// Its fields, sorted by name.
    fields: Vec<Field>,
    /// Positions of those that are written also when they are empty.
    always_written: Vec<usize>,
    /// Its name without a package.
    pub(crate) name: &'static str,
}

/// A field of a struct.
#[derive(Debug)]
pub(crate) struct Field {
    pub(crate) name: &'static str,
    /// Whether an empty value is left out.
    pub(crate) omits_empty: bool,
    pub(crate) shape: Shape,
    /// Whether this is what a cluster says about an object, which is not part of what is wanted.
    pub(crate) is_status: bool,
}

/// The type of a field, with what its Go name is where that occurs in messages.
#[derive(Debug)]
pub(crate) enum Shape {
    Text(&'static str),
    Bool(&'static str),
    Integer {
        bits: u32,
        go: &'static str,
    },
    Float(&'static str),
    /// Base64.
    Bytes,
    Pointer(Box<Shape>),
    List(Box<Shape>),
    Map(Box<Shape>),
    Struct(StructRef),
    Quantity,
    IntOrString,
    Time,
    /// A time in our own API: one that is not set is written as `null`.
    ApiTime {
        /// Whether it is written with exactly six digits after the second.
        micro: bool,
    },
    /// Anything: raw extensions, JSON within a schema.
    Any,
    /// A schema, or a truth value.
    SchemaOrBool(StructRef),
    /// A schema, or a list of them.
    SchemaOrList(StructRef),
    /// A schema, or a list of texts.
    SchemaOrTexts(StructRef),
}

/// A struct, which is parsed when it is first asked for.
#[derive(Debug)]
pub(crate) struct StructRef {
    name: &'static str,
    found: OnceLock<Option<&'static Struct>>,
}

impl StructRef {
    /// Returns the struct; an empty one if the table lacks it, which a test excludes.
    pub(crate) fn get(&self) -> &'static Struct {
        static EMPTY: Struct = Struct {
            fields: Vec::new(),
            always_written: Vec::new(),
            name: "",
        };
        self.found.get_or_init(|| find(self.name)).unwrap_or(&EMPTY)
    }

    /// Returns the name that it has in the table, as in `core/v1.Pod`.
    pub(crate) fn table_name(&self) -> &'static str {
        self.name
    }

    /// Returns the name with its package, as in `v1.Pod`.
    pub(crate) fn go(&self) -> &'static str {
        self.name.rsplit('/').next().unwrap_or(self.name)
    }
}

impl Struct {
    /// Returns all fields, sorted by name.
    pub(crate) fn fields(&self) -> &[Field] {
        &self.fields
    }

    /// Returns a field.
    pub(crate) fn field(&self, name: &str) -> Option<&Field> {
        let at = self.fields.binary_search_by(|field| field.name.cmp(name));
        at.ok().map(|at| &self.fields[at])
    }

    /// Returns the fields that are written also when they are empty.
    pub(super) fn always_written(&self) -> impl Iterator<Item = &Field> {
        self.always_written.iter().map(|at| &self.fields[*at])
    }
}

impl Field {
    /// Returns whether something is written also for an empty value. Structs are never empty.
    fn is_always_written(&self) -> bool {
        let is_struct = matches!(
            self.shape,
            Shape::Struct(_) | Shape::Quantity | Shape::IntOrString | Shape::ApiTime { .. }
        );
        (!self.omits_empty || is_struct) && !self.is_status
    }
}

/// Returns the type of a kind that Kubernetes itself defines; `None` for all others.
pub(super) fn of_kind(api_version: &str, kind: &str) -> Option<&'static Struct> {
    if api_version == API_VERSION {
        return None;
    }
    find(INDEX.kinds.get(&(api_version, kind))?)
}

/// Returns the type of a kind of our own API.
pub(crate) fn of_api_kind(kind: &str) -> Option<&'static Struct> {
    find(INDEX.kinds.get(&(API_VERSION, kind))?)
}

/// Returns whether a type, or one that it is made of, has a field of this name.
pub(super) fn has_field_within(of: &'static Struct, name: &str) -> bool {
    let (mut seen, mut next) = (Vec::new(), vec![of]);
    while let Some(of) = next.pop() {
        if of.field(name).is_some() {
            return true;
        }
        if !seen.iter().any(|other| std::ptr::eq(*other, of)) {
            seen.push(of);
            next.extend(of.fields.iter().filter_map(|field| within(&field.shape)));
        }
    }
    false
}

fn within(shape: &Shape) -> Option<&'static Struct> {
    match shape {
        Shape::Pointer(inner) | Shape::List(inner) | Shape::Map(inner) => within(inner),
        Shape::Struct(of) | Shape::SchemaOrBool(of) | Shape::SchemaOrList(of) | Shape::SchemaOrTexts(of) => {
            Some(of.get())
        }
        _ => None,
    }
}

struct Index {
    kinds: HashMap<(&'static str, &'static str), &'static str>,
    types: HashMap<&'static str, Entry>,
}

struct Entry {
    line: &'static str,
    parsed: OnceLock<Struct>,
}

static INDEX: LazyLock<Index> = LazyLock::new(|| {
    let mut index = Index {
        kinds: HashMap::new(),
        types: HashMap::new(),
    };
    for line in TYPES.lines().chain(API_TYPES.lines()) {
        if let Some(rest) = line.strip_prefix("type ") {
            let (name, line) = rest.split_once(' ').unwrap_or((rest, ""));
            let parsed = OnceLock::new();
            index.types.insert(name, Entry { line, parsed });
        } else if let Some(rest) = line.strip_prefix("kind ") {
            let mut words = rest.split(' ');
            if let (Some(version), Some(kind), Some(name)) = (words.next(), words.next(), words.next()) {
                index.kinds.insert((version, kind), name);
            }
        }
    }
    index
});

fn find(name: &str) -> Option<&'static Struct> {
    let (name, entry) = INDEX.types.get_key_value(name)?;
    Some(entry.parsed.get_or_init(|| parse(name, entry.line)))
}

fn parse(name: &'static str, line: &'static str) -> Struct {
    let (package, short) = name.split_once('.').unwrap_or(("", name));
    let field = |text: &'static str| {
        let (name, shape) = text.split_once(':')?;
        let bare = name.strip_suffix('?');
        let shape = shape_of(shape, package)?;
        Some(Field {
            name: bare.unwrap_or(name),
            omits_empty: bare.is_some(),
            is_status: bare.unwrap_or(name) == "status"
                && matches!(shape, Shape::Struct(_))
                && package != API_PACKAGE,
            shape,
        })
    };
    let mut fields: Vec<Field> = line.split_ascii_whitespace().filter_map(field).collect();
    fields.sort_by_key(|field| field.name);
    let always = (0..fields.len()).filter(|at| fields[*at].is_always_written());
    Struct {
        always_written: always.collect(),
        fields,
        name: short,
    }
}

fn shape_of(text: &'static str, package: &'static str) -> Option<Shape> {
    let inner = |prefix: &str| text.strip_prefix(prefix).map(|rest| shape_of(rest, package));
    if let Some(inner) = inner("*") {
        return Some(Shape::Pointer(Box::new(inner?)));
    }
    if let Some(inner) = inner("[]") {
        return Some(Shape::List(Box::new(inner?)));
    }
    if let Some(inner) = inner("{}") {
        return Some(Shape::Map(Box::new(inner?)));
    }
    let (scalar, go) = match text.split_once('(') {
        Some((scalar, go)) => (scalar, go.trim_end_matches(')')),
        None => (text, text),
    };
    let schema = || reference(schema_name(package));
    Some(match scalar {
        "string" => Shape::Text(go),
        "bool" => Shape::Bool(go),
        "int32" => Shape::Integer { bits: 32, go },
        "int64" | "int" => Shape::Integer { bits: 64, go },
        "uint16" => Shape::Integer { bits: 16, go },
        "float32" | "float64" => Shape::Float(go),
        "bytes" => Shape::Bytes,
        "!Quantity" => Shape::Quantity,
        "!IntOrString" => Shape::IntOrString,
        "!Time" if package == API_PACKAGE => Shape::ApiTime { micro: false },
        "!MicroTime" if package == API_PACKAGE => Shape::ApiTime { micro: true },
        "!Time" | "!MicroTime" => Shape::Time,
        "!FieldsV1" | "!JSON" | "!RawExtension" => Shape::Any,
        "!JSONSchemaPropsOrBool" => Shape::SchemaOrBool(schema()),
        "!JSONSchemaPropsOrArray" => Shape::SchemaOrList(schema()),
        "!JSONSchemaPropsOrStringArray" => Shape::SchemaOrTexts(schema()),
        _ if scalar.contains('/') => Shape::Struct(reference(text)),
        _ => return None,
    })
}

fn reference(name: &'static str) -> StructRef {
    StructRef {
        name,
        found: OnceLock::new(),
    }
}

fn schema_name(package: &str) -> &'static str {
    match package {
        "apiextensions/v1beta1" => "apiextensions/v1beta1.JSONSchemaProps",
        _ => "apiextensions/v1.JSONSchemaProps",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn structs(shape: &Shape) -> Option<&'static str> {
        match shape {
            Shape::Pointer(inner) | Shape::List(inner) | Shape::Map(inner) => structs(inner),
            Shape::Struct(struct_ref)
            | Shape::SchemaOrBool(struct_ref)
            | Shape::SchemaOrList(struct_ref)
            | Shape::SchemaOrTexts(struct_ref) => Some(struct_ref.name),
            _ => None,
        }
    }

    #[test]
    fn every_line_of_the_table_is_understood() {
        for (name, entry) in &INDEX.types {
            let parsed = find(name).expect("a type");
            let written = entry.line.split_ascii_whitespace().count();
            assert_eq!(parsed.fields().len(), written, "{name}");
            for field in parsed.fields() {
                if let Some(inner) = structs(&field.shape) {
                    assert!(
                        INDEX.types.contains_key(inner),
                        "{name}.{} is {inner}",
                        field.name
                    );
                }
            }
        }
    }

    #[test]
    fn known_kinds_have_types_and_others_none() {
        for (version, kind) in [
            ("v1", "Pod"),
            ("apps/v1beta1", "Deployment"),
            ("extensions/v1beta1", "Ingress"),
            ("apiextensions.k8s.io/v1", "CustomResourceDefinition"),
        ] {
            assert!(of_kind(version, kind).is_some(), "{version} {kind}");
        }
        for (version, kind) in [
            ("autoscaling/v2beta2", "HorizontalPodAutoscaler"),
            ("apiregistration.k8s.io/v1", "APIService"),
            ("v1", "List"),
            ("example.com/v1", "Pod"),
        ] {
            assert!(of_kind(version, kind).is_none(), "{version} {kind}");
        }
    }
}
