//! Evaluates Tiltfiles: from text to manifests and diagnostics.
//!
//! [`load`] is the way in. It runs the file and what that file loads, collects what was declared
//! (`crate::assembly::Declarations`) and hands that to `crate::assembly`. Everything outside is reached through a
//! [`Host`]. No Starlark value leaves this module.

mod host;
mod load;
mod memory_host;

pub use host::Host;
pub use load::{Hashes, Load, LoadRequest, Secret, load, load_on_big_stack};
pub use memory_host::MemoryHost;
