//! The constants `TRIGGER_MODE_AUTO` and `TRIGGER_MODE_MANUAL`.

use std::fmt;
use std::hash::Hash;

use allocative::Allocative;
use starlark::any::ProvidesStaticType;
use starlark::collections::StarlarkHasher;
use starlark::starlark_simple_value;
use starlark::values::{NoSerialize, StarlarkPagablePanic, StarlarkValue, Value, starlark_value};

/// When updates start, as a Tiltfile says it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, Hash, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic,
)]
pub(crate) enum TriggerModeValue {
    /// On every change.
    Auto,
    /// When a user asks.
    Manual,
}

starlark_simple_value!(TriggerModeValue);

impl fmt::Display for TriggerModeValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Auto => "TRIGGER_MODE_AUTO",
            Self::Manual => "TRIGGER_MODE_MANUAL",
        })
    }
}

#[starlark_value(type = "TriggerMode")]
impl<'v> StarlarkValue<'v> for TriggerModeValue {
    fn equals(&self, other: Value<'v>) -> starlark::Result<bool> {
        Ok(Self::from_value(other) == Some(self))
    }

    fn write_hash(&self, hasher: &mut StarlarkHasher) -> starlark::Result<()> {
        self.hash(hasher);
        Ok(())
    }
}
