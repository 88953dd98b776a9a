//! What differs between the kinds of deploy, a file for each: what one needs before an update, how it is doing, which files,
//! logs and ports it has, and what `ci` waits for.
//!
//! [`of`] gives the kind of a resource. A new kind is a variant of `DeployTarget`, a file here, and a way to carry its
//! updates out at the edge.

mod answer;
mod compose;
mod kubernetes;
mod local;

pub(in crate::engine) use answer::{Grace, Judgement, Runtime, TargetState};
pub(in crate::engine) use kubernetes::{pod_logs, pod_span};

use super::effect::{Forward, LogStream, WatchedTarget};
use super::state::{Hold, Row, State};
use crate::model::{DeployTarget, ManifestName, TargetId};

/// A kind of deploy, asked about one resource. Each answer is a question about the state: nothing is changed.
pub(super) trait Deploy {
    /// Returns what it lacks, if an update of it cannot start for that.
    fn hold(&self, state: &State, row: &Row) -> Option<Hold>;

    /// Returns the images that it runs, without those that they are built on.
    fn images(&self) -> &[TargetId] {
        &[]
    }

    /// Returns whether the first update still has to wait for this resource.
    fn lacks(&self, state: &State, name: &ManifestName) -> bool {
        let dependency = state.rows.get(name);
        dependency.is_some_and(|dependency| dependency.runtime.last_ready.is_none())
    }

    /// Returns whether an update would do the same for another definition: then none is needed.
    fn does_the_same(&self, other: &DeployTarget) -> bool;

    /// Returns the files that it is made of beside its images.
    fn watched(&self) -> Option<WatchedTarget>;

    /// Returns how it is doing.
    fn judge(&self, state: &State, row: &Row) -> Judgement;

    /// Returns the logs that are to be read.
    fn logs(&self, state: &State, row: &Row) -> Vec<LogStream>;

    /// Returns the local ports that lead to it.
    fn forwards(&self, state: &State, row: &Row) -> Vec<Forward>;

    /// Returns what `ci` waits for beside the update; `None` if there is nothing.
    fn runtime<'a>(&self, state: &'a State, row: &'a Row) -> Option<Runtime<'a>>;
}

/// Returns the kind of deploy of a resource.
pub(super) fn of(row: &Row) -> &dyn Deploy {
    of_target(&row.manifest.deploy)
}

/// Returns the kind of a deploy target.
pub(super) fn of_target(target: &DeployTarget) -> &dyn Deploy {
    match target {
        DeployTarget::K8s(k8s) => k8s,
        DeployTarget::Local(local) => &**local,
        DeployTarget::Compose(compose) => &**compose,
    }
}
