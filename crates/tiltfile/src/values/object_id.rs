//! What identifies a workload, as `workload_to_resource_function` gives it to a Tiltfile's function.

use std::fmt;

use allocative::Allocative;
use starlark::any::ProvidesStaticType;
use starlark::starlark_simple_value;
use starlark::values::{Heap, NoSerialize, StarlarkPagablePanic, StarlarkValue, Value, starlark_value};

use crate::k8s::Entity;

const ATTRIBUTES: [&str; 4] = ["name", "kind", "namespace", "group"];

/// Name, kind, namespace and group of an object.
#[derive(Clone, Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct ObjectId {
    parts: [String; 4],
}

starlark_simple_value!(ObjectId);

impl ObjectId {
    pub(crate) fn of(entity: &Entity) -> Self {
        let namespace = entity.namespace().unwrap_or("default");
        let parts = [entity.name(), entity.kind(), namespace, entity.group()];
        Self {
            parts: parts.map(str::to_owned),
        }
    }

    /// Returns name, kind, namespace and group.
    pub(crate) fn parts(&self) -> [&str; 4] {
        self.parts.each_ref().map(String::as_str)
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.parts.join(":").to_lowercase())
    }
}

#[starlark_value(type = "K8sObjectID")]
impl<'v> StarlarkValue<'v> for ObjectId {
    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        let at = ATTRIBUTES.iter().position(|name| *name == attribute)?;
        Some(heap.alloc(self.parts[at].as_str()))
    }

    fn dir_attr(&self) -> Vec<String> {
        ATTRIBUTES.map(str::to_owned).to_vec()
    }
}
