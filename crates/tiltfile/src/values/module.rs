//! A module of built-ins, such as `os`.

use std::fmt;

use allocative::Allocative;
use starlark::any::ProvidesStaticType;
use starlark::starlark_simple_value;
use starlark::values::{Heap, NoSerialize, StarlarkPagablePanic, StarlarkValue, Value, starlark_value};

use super::{Function, ModuleValue};
use crate::call::Builtin;

/// The members of a module.
pub(crate) struct Members {
    /// The module's name.
    pub(crate) name: &'static str,
    /// Its functions; their names begin with the module's.
    pub(crate) functions: &'static [Builtin],
    /// Its texts.
    pub(crate) texts: &'static [(&'static str, &'static str)],
    /// Its other values, known only while a file is evaluated.
    pub(crate) values: &'static [(&'static str, ModuleValue)],
    /// The modules in it; their names begin with this one's.
    pub(crate) modules: &'static [Members],
}

/// A member of a module.
pub(crate) enum Member {
    Function(&'static Builtin),
    Text(&'static str),
    Value(ModuleValue),
    Module(&'static Members),
}

impl Members {
    /// Returns all members by their names within the module.
    pub(crate) fn all(&'static self) -> impl Iterator<Item = (&'static str, Member)> {
        let functions = self
            .functions
            .iter()
            .map(|f| (short(f.name), Member::Function(f)));
        let texts = self.texts.iter().map(|(name, text)| (*name, Member::Text(text)));
        let modules = self.modules.iter().map(|m| (short(m.name), Member::Module(m)));
        let values = self
            .values
            .iter()
            .map(|(name, value)| (*name, Member::Value(*value)));
        functions.chain(texts).chain(values).chain(modules)
    }
}

fn short(name: &'static str) -> &'static str {
    name.rsplit('.').next().unwrap_or(name)
}

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
