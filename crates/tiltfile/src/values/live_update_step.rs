//! Steps of live updates, as Tiltfiles see them.

use std::fmt;

use allocative::Allocative;
use starlark::any::ProvidesStaticType;
use starlark::starlark_simple_value;
use starlark::values::{NoSerialize, StarlarkPagablePanic, StarlarkValue, starlark_value};

use crate::model::{Command, Exec, LocalPath, Sync};

/// A step, and where it was made.
#[derive(Clone, Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct StepValue {
    #[allocative(skip)]
    pub(crate) step: Step,
    /// `<file>:<line>:<column>` of the call that made it.
    pub(crate) position: String,
}

starlark_simple_value!(StepValue);

/// A step of a live update.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    InitialSync,
    FallBackOn(Vec<LocalPath>),
    Sync(Sync),
    Run(Exec),
    RestartContainer,
}

impl Step {
    /// Returns the name of its type.
    pub(crate) fn kind(&self) -> &'static str {
        match self {
            Self::InitialSync => "live_update_initial_sync_step",
            Self::FallBackOn(_) => "live_update_fall_back_on_step",
            Self::Sync(_) => "live_update_sync_step",
            Self::Run(_) => "live_update_run_step",
            Self::RestartContainer => "live_update_restart_container_step",
        }
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::InitialSync => f.write_str("initial_sync step"),
            Self::RestartContainer => f.write_str("restart_container step"),
            Self::Sync(sync) => write!(f, "sync step: '{}'->'{}'", sync.source, sync.destination),
            Self::FallBackOn(paths) => {
                let paths: Vec<String> = paths.iter().map(ToString::to_string).collect();
                write!(f, "fall_back_on step: [{}]", paths.join(" "))
            }
            Self::Run(exec) => {
                let command = Command {
                    argv: exec.argv.clone(),
                    ..Command::default()
                };
                write!(f, "run step: {:?}", command.display())?;
                if !exec.triggers.is_empty() {
                    write!(f, " (triggers: {})", exec.triggers.join("; "))?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Display for StepValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.step.fmt(f)
    }
}

#[starlark_value(type = "live_update_step")]
impl<'v> StarlarkValue<'v> for StepValue {}
