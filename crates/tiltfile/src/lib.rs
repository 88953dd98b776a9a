//! Evaluates Tiltfiles: from text to manifests and diagnostics. The pure rooms it needs are those of `tilt_core`.
//!
//! [`load`] is the way in. It runs the file and what that file loads, collects what was declared
//! (`crate::assembly::Declarations`) and hands that to `crate::assembly`. Everything outside is reached through a
//! [`Host`]. No Starlark value leaves this module.

use tilt_core::{assembly, diag, engine, k8s, model};

mod arguments;
mod bound_kinds;
mod builtins;
mod call;
mod checkout;
mod compose;
mod config;
mod converters;
mod data;
mod deferred;
mod depth;
mod enabled;
mod extensions;
mod fault;
mod format;
mod guard;
mod host;
mod json_words;
mod kinds;
mod links;
mod load;
mod loaded;
mod log;
mod look_ups;
mod memory;
mod memory_host;
mod misfit;
mod naming;
mod naming_function;
mod native;
mod objects;
mod own_extensions;
mod quiet_command;
mod reference_page;
mod request;
mod result_json;
mod reuse;
mod rewrite;
mod run_command;
mod secrets;
mod session;
mod show;
mod signature;
mod source;
mod string_literals;
mod stubs;
mod surroundings;
mod text;
mod timings;
mod trace;
mod undefined;
mod values;
mod wording;
mod yaml_stream;

pub use checkout::{Checkout, CheckoutFault, RepoRequest};
pub use host::{DirEntry, Host, HostCommand, Ran, Stream, Variables};
pub use load::{load, load_on_big_stack, load_on_big_stack_then};
pub use loaded::{BuiltinCall, Hashes, Load};
pub use log::Log;
pub use memory::Memory;
pub use memory_host::MemoryHost;
pub use reference_page::reference_page;
pub use request::{LoadRequest, Program};
pub use run_command::why_not_started;
pub use secrets::{Secret, stand_ins};
pub use stubs::stubs;
