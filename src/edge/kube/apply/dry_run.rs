//! What applying objects would change, asked of the API server itself: nothing is written.

use futures::{StreamExt, stream};
use serde_json::Value;

use super::never_deleted::what_it_holds;
use super::object::{is_deleting, needs_new_object};
use crate::edge::kube::connection::{Cluster, RequestError};
use crate::k8s::Entity;
use crate::k8s::apply_input::apply_input;
use crate::k8s::owned_fields::is_applied;
use crate::k8s::take_over::take_over;
use crate::k8s::workload::failed_job;
use crate::plan::{FieldChange, ObjectAction, ObjectPlan, field_changes};

/// How many objects are asked about at a time.
const PARALLEL: usize = 20;
/// A label that only says that something else in the template changed.
const TEMPLATE_HASH: &str = "tilt.dev/pod-template-hash";

/// Returns what applying these objects would do, in their order. `coming` are kinds and namespaces that would come into being
/// before.
pub(in crate::edge) async fn plan_objects(
    cluster: &Cluster,
    entities: &[Entity],
    coming: &Coming,
) -> Vec<ObjectPlan> {
    let asked = entities.iter().map(|entity| plan_object(cluster, entity, coming));
    stream::iter(asked).buffered(PARALLEL).collect().await
}

/// Kinds and namespaces that do not exist yet and would by the time that they are needed.
#[derive(Debug, Default)]
pub(in crate::edge) struct Coming {
    kinds: Vec<(String, String)>,
    namespaces: Vec<String>,
}

impl Coming {
    /// Returns what these objects bring.
    pub(in crate::edge) fn of<'a>(entities: impl Iterator<Item = &'a Entity>) -> Self {
        let mut coming = Self::default();
        for entity in entities {
            coming.kinds.extend(entity.defines());
            if entity.kind() == "Namespace" && entity.group().is_empty() {
                coming.namespaces.push(entity.name().to_owned());
            }
        }
        coming
    }

    fn has_kind(&self, entity: &Entity) -> bool {
        let defines = |(group, kind): &(String, String)| group == entity.group() && kind == entity.kind();
        self.kinds.iter().any(defines)
    }
}

async fn plan_object(cluster: &Cluster, entity: &Entity, coming: &Coming) -> ObjectPlan {
    let mut plan = ObjectPlan {
        object: format!("{}/{}", entity.kind(), entity.name()),
        namespace: entity.namespace().map(str::to_owned),
        action: ObjectAction::Create,
        fields: Vec::new(),
        reason: None,
    };
    let (name, namespace) = (entity.name(), entity.namespace());
    let found = cluster
        .object(entity.api_version(), entity.kind(), namespace, name)
        .await;
    let api = match found {
        Ok(api) => api,
        Err(RequestError::NoMatch { .. }) if coming.has_kind(entity) => return plan,
        Err(error) => return refused(plan, &error),
    };
    plan.namespace.clone_from(&api.namespace);
    let live = match api.get().await {
        Ok(live) => live.filter(|live| !is_deleting(live)),
        Err(error) => return refused(plan, &error),
    };
    let input = apply_input(entity);
    if let Some(reason) = live.as_ref().and_then(failed_job) {
        plan.action = ObjectAction::Recreate;
        plan.reason = Some(format!("the job failed earlier: {reason}"));
        return plan;
    }
    if live.as_ref().is_some_and(|live| is_applied(&input, live)) {
        plan.action = ObjectAction::Unchanged;
        return plan;
    }
    let comes_later = |namespace: &Option<String>| {
        namespace
            .as_ref()
            .is_some_and(|namespace| coming.namespaces.contains(namespace))
    };
    match (api.apply_dry(&input).await, live) {
        (Ok(_), None) => plan,
        (Ok(after), Some(live)) => changed(plan, &live, &after),
        // Its namespace is not there yet.
        (Err(error), None) if error.is_not_found() && comes_later(&plan.namespace) => plan,
        (Err(error), Some(_)) => match needs_new_object(&api, &input, &error).await {
            Ok(true) => {
                let holds = what_it_holds(&api.api_version, &api.kind);
                plan.action = match holds {
                    Some(_) => ObjectAction::Refused,
                    None => ObjectAction::Recreate,
                };
                plan.reason = Some(error.message());
                plan
            }
            Ok(false) => refused(plan, &error),
            Err(unreachable) => refused(plan, &unreachable),
        },
        (Err(error), None) => refused(plan, &error),
    }
}

fn changed(mut plan: ObjectPlan, live: &Value, after: &Value) -> ObjectPlan {
    plan.fields = field_changes(live, after);
    let is_hash = |change: &FieldChange| change.field.contains(TEMPLATE_HASH);
    if !plan.fields.iter().all(is_hash) {
        plan.fields.retain(|change| !is_hash(change));
    }
    plan.action = ObjectAction::Change;
    if plan.fields.is_empty() {
        plan.reason = Some(match take_over(live) {
            Some(_) => "fields that kubectl or Tilt has set are taken over".to_owned(),
            None => "only who owns its fields changes".to_owned(),
        });
    }
    plan
}

fn refused(mut plan: ObjectPlan, error: &RequestError) -> ObjectPlan {
    plan.action = ObjectAction::Refused;
    plan.reason = Some(error.message());
    plan
}
