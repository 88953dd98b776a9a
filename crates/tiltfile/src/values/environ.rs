//! `os.environ`: the environment variables as a dict that is always up to date.

use std::fmt;

use allocative::Allocative;
use starlark::any::ProvidesStaticType;
use starlark::starlark_simple_value;
use starlark::values::{Heap, NoSerialize, StarlarkPagablePanic, StarlarkValue, Value, starlark_value};

use super::Function;
use super::environ_methods::{ENVIRON_METHODS, pair};
use super::facts::variables;
use crate::fault::Fault;
use crate::host::is_variable_name;

/// The environment variables.
#[derive(Clone, Copy, Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct Environ;

starlark_simple_value!(Environ);

impl fmt::Display for Environ {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let all = variables().map(|variables| variables.all()).unwrap_or_default();
        let shown: Vec<String> = all
            .iter()
            .map(|(name, value)| format!("{name:?}: {value:?}"))
            .collect();
        write!(f, "environ({{{}}})", shown.join(", "))
    }
}

fn get(name: &str) -> Option<String> {
    variables()?.get(name)
}

#[starlark_value(type = "environ")]
impl<'v> StarlarkValue<'v> for Environ {
    fn to_bool(&self) -> bool {
        true
    }

    fn length(&self) -> starlark::Result<i32> {
        let n_variables = variables().map_or(0, |variables| variables.all().len());
        Ok(i32::try_from(n_variables).unwrap_or(i32::MAX))
    }

    fn at(&self, index: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        let value = index.unpack_str().and_then(get);
        let value = value.ok_or_else(|| Fault::new(format!("key {} not in environ", index.to_repr())))?;
        Ok(heap.alloc(value))
    }

    fn set_at(&self, index: Value<'v>, new_value: Value<'v>) -> starlark::Result<()> {
        let (name, value) = pair(index, new_value)?;
        if let Some(variables) = variables().filter(|_| is_variable_name(name)) {
            variables.set(name, Some(value));
        }
        Ok(())
    }

    fn is_in(&self, other: Value<'v>) -> starlark::Result<bool> {
        Ok(other.unpack_str().and_then(get).is_some())
    }

    fn iterate_collect(&self, heap: Heap<'v>) -> starlark::Result<Vec<Value<'v>>> {
        let all = variables().map(|variables| variables.all()).unwrap_or_default();
        Ok(all.into_keys().map(|name| heap.alloc(name)).collect())
    }

    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        let method = ENVIRON_METHODS.iter().find(|method| method.name == attribute)?;
        Some(heap.alloc(Function::new(method)))
    }

    fn dir_attr(&self) -> Vec<String> {
        ENVIRON_METHODS
            .iter()
            .map(|method| method.name.to_owned())
            .collect()
    }
}
