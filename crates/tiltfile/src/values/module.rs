//! A module of built-ins, such as `os`.

use std::fmt;

use allocative::Allocative;
use starlark::any::ProvidesStaticType;
use starlark::starlark_simple_value;
use starlark::values::{Heap, NoSerialize, StarlarkPagablePanic, StarlarkValue, Value, starlark_value};

use super::Function;
use crate::builtins::{Member, Members};

/// A module of built-ins.
#[derive(Clone, Copy, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct BuiltinModule {
    #[allocative(skip)]
    pub(crate) members: &'static Members,
}

starlark_simple_value!(BuiltinModule);

impl fmt::Debug for BuiltinModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for BuiltinModule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[module: {}]", self.members.name)
    }
}

#[starlark_value(type = "module")]
impl<'v> StarlarkValue<'v> for BuiltinModule {
    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        let (_, member) = self.members.all().find(|(name, _)| *name == attribute)?;
        Some(match member {
            Member::Function(builtin) => heap.alloc(Function::new(builtin)),
            Member::Text(text) => heap.alloc(text),
            Member::Value(value) => value.alloc(heap)?,
            Member::Module(members) => heap.alloc(Self { members }),
        })
    }

    fn dir_attr(&self) -> Vec<String> {
        let mut names: Vec<String> = self.members.all().map(|(name, _)| name.to_owned()).collect();
        names.sort();
        names
    }
}
