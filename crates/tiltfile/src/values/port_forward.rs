//! The value that `port_forward()` returns.

use std::fmt;

use allocative::Allocative;
use starlark::any::ProvidesStaticType;
use starlark::starlark_simple_value;
use starlark::values::{NoSerialize, StarlarkPagablePanic, StarlarkValue, starlark_value};

/// A port-forward as it was written; its ports are checked where it is used.
#[derive(Clone, Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct PortForwardValue {
    pub(crate) local_port: i32,
    pub(crate) container_port: i32,
    pub(crate) name: String,
    /// Without a leading `/`.
    pub(crate) path: String,
    pub(crate) host: String,
}

starlark_simple_value!(PortForwardValue);

impl fmt::Display for PortForwardValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "port_forward(local_port={}, container_port={}, name={:?})",
            self.local_port, self.container_port, self.name
        )
    }
}

#[starlark_value(type = "port_forward")]
impl<'v> StarlarkValue<'v> for PortForwardValue {}
