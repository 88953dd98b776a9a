//! Types of values that Tiltfiles see beside those of the language.
#![allow(
    unsafe_code,
    reason = "the derives of Starlark values expand to `unsafe impl`, and iterating one is an unsafe method"
)]
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "the macros of Starlark values write public items without docstrings"
)]

mod blob;
mod custom_build;
mod endless;
mod environ;
mod environ_methods;
mod facts;
mod function;
mod git_repo;
mod link;
mod live_update_step;
mod module;
mod module_value;
mod object_id;
mod port_forward;
mod probe;
mod record;
mod trigger_mode;

pub(super) use blob::Blob;
pub(super) use custom_build::CustomBuildValue;
pub(super) use endless::Endless;
pub(super) use facts::Kept;
pub(super) use function::Function;
pub(super) use git_repo::GitRepo;
pub(super) use link::LinkValue;
pub(super) use live_update_step::{Step, StepValue};
pub(super) use module::{BuiltinModule, Member, Members};
pub(super) use module_value::ModuleValue;
pub(super) use object_id::ObjectId;
pub(super) use port_forward::PortForwardValue;
pub(super) use probe::{ActionValue, ProbeValue};
pub(super) use record::Record;
pub(super) use trigger_mode::TriggerModeValue;
