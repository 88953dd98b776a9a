//! Resources whose objects are applied to a cluster. How they are doing stands in `health`, what of them is deleted in `gc`.

mod ci;
mod health;
mod logs;
mod ports;

pub(in crate::engine) use logs::{logs_of as pod_logs, pod_span};

use super::{Deploy, Judgement, Runtime};
use crate::engine::effect::{Forward, LogStream, WatchedTarget};
use crate::engine::event::ClusterStatus;
use crate::engine::state::{Hold, Row, State};
use crate::engine::{definitions, gc};
use crate::model::{DeployTarget, K8sTarget, PodReadiness, TargetId};

impl Deploy for K8sTarget {
    /// Definitions of its kinds, a cluster, and the end of what is being deleted.
    fn hold(&self, state: &State, row: &Row) -> Option<Hold> {
        let awaited = definitions::awaited(state, &row.manifest.name, row);
        if !awaited.is_empty() {
            return Some(Hold::WaitingForDefinition(awaited));
        }
        if state.cluster != ClusterStatus::Connected {
            return Some(Hold::WaitingForCluster);
        }
        let objects = gc::being_deleted(state, row);
        (!objects.is_empty()).then_some(Hold::WaitingForDeletion(objects))
    }

    fn images(&self) -> &[TargetId] {
        &self.images
    }

    /// Ports and links are for people: a change of them deploys nothing.
    fn does_the_same(&self, other: &DeployTarget) -> bool {
        fn others(target: &K8sTarget) -> impl PartialEq + '_ {
            let commands = target.options.custom_deploy.as_ref();
            (
                (&target.id, &target.images, target.readiness),
                (&target.extra_pod_selectors, target.upsert_timeout),
                (
                    &target.options.image_locators,
                    commands.map(|custom| (&custom.apply, &custom.delete)),
                ),
            )
        }
        let DeployTarget::K8s(other) = other else {
            return false;
        };
        let entities = self.entities.iter().map(|entity| entity.value());
        entities.eq(other.entities.iter().map(|entity| entity.value())) && others(self) == others(other)
    }

    fn watched(&self) -> Option<WatchedTarget> {
        let custom = self.options.custom_deploy.as_ref()?;
        Some(WatchedTarget {
            paths: custom.deps.clone(),
            ignores: custom.watch_ignores.clone(),
        })
    }

    fn judge(&self, state: &State, row: &Row) -> Judgement {
        health::judge(state, row)
    }

    fn logs(&self, state: &State, row: &Row) -> Vec<LogStream> {
        logs::logs(state, row)
    }

    fn forwards(&self, state: &State, row: &Row) -> Vec<Forward> {
        ports::forwards(state, row, &self.options.port_forwards)
    }

    fn runtime<'a>(&self, state: &'a State, row: &'a Row) -> Option<Runtime<'a>> {
        Some(Runtime {
            part: "runtime",
            is_job: self.readiness == PodReadiness::Succeeded,
            state: ci::runtime_state(state, row)?,
        })
    }
}
