//! What `custom_build` returns.

use std::fmt;

use allocative::Allocative;
use starlark::any::ProvidesStaticType;
use starlark::starlark_simple_value;
use starlark::values::{NoSerialize, StarlarkPagablePanic, StarlarkValue, starlark_value};

/// An image that a command builds. It can only be printed.
#[derive(Clone, Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct CustomBuildValue {
    /// Its reference in full.
    pub(crate) image: String,
}

starlark_simple_value!(CustomBuildValue);

impl fmt::Display for CustomBuildValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "custom_build({:?})", self.image)
    }
}

#[starlark_value(type = "custom_build")]
impl<'v> StarlarkValue<'v> for CustomBuildValue {}
