//! Why a resource that is deployed has no pod: what was applied says so, or the cluster has.

use std::collections::BTreeSet;

use super::effect::Effect;
use super::event::AppliedObject;
use super::state::{Row, Running, State};
use super::workloads;
use crate::model::ClusterEvent;
use crate::model::RuntimeStatus;
use crate::model::{Level, LogEvent};
use crate::model::{ManifestName, PodReadiness};

/// Returns why a resource waits for a pod, in a line; `None` where it does not wait for one.
pub(crate) fn reason(state: &State, row: &Row) -> Option<String> {
    let waits = row.k8s().is_some() && row.deployed.at.is_some() && row.readiness() != PodReadiness::Ignore;
    if !waits || row.runtime.status != RuntimeStatus::Pending || state.telling_pod(row).is_some() {
        return None;
    }
    let why = match dormant(row).as_slice() {
        [] => {
            let said = row.runtime.pods_refused.clone();
            said.or_else(|| nobody_makes_pods(row))?
        }
        dormant => {
            let told: Vec<String> = dormant.iter().map(|object| told(object)).collect();
            format!("{}; {}", told.join(", "), advice(row, dormant))
        }
    };
    Some(format!("no pod: {why}"))
}

/// Returns what is to be said where nothing of what was deployed is known to make pods: a custom kind may, or may not.
fn nobody_makes_pods(row: &Row) -> Option<String> {
    let makes_pods = |object: &&AppliedObject| {
        let is_cron = object.id.kind == "CronJob";
        is_cron || !object.template_hashes.is_empty() || workloads::is_part(object)
    };
    let objects = &row.deployed.objects;
    if objects.iter().any(|object| makes_pods(&object)) {
        return None;
    }
    let name = &row.manifest.name;
    let is_custom = |object: &&AppliedObject| object.id.api_version.contains('.');
    Some(match objects.iter().find(is_custom) {
        Some(object) => format!(
            "{id} has given none; if its kind gives none, wait for none: k8s_kind('{kind}', pod_readiness='ignore') or \
             k8s_resource('{name}', pod_readiness='ignore')",
            id = object.id,
            kind = object.id.kind
        ),
        None => format!(
            "nothing that was deployed makes pods; wait for none: k8s_resource('{name}', pod_readiness='ignore')"
        ),
    })
}

/// Notes that the cluster does not make pods of a resource, in its own words.
pub(super) fn note(state: &mut State, name: &ManifestName, event: &ClusterEvent) {
    // What a pod reports says that there is one.
    if event.kind == "Normal" || event.about.0 == "Pod" {
        return;
    }
    if let Some(row) = state.rows.get_mut(name) {
        row.runtime.pods_refused = Some(format!("{}: {}", event.reason, event.message.trim()));
    }
}

/// Warns after a deploy that no pod will come of it, unless that was said of the one before. `earlier` is what gave no pods
/// then.
pub(super) fn warn(state: &State, running: &Running, earlier: &BTreeSet<String>) -> Option<Effect> {
    let row = state.rows.get(&running.manifest)?;
    let dormant = dormant(row);
    let now = all_told(row);
    if row.readiness() == PodReadiness::Ignore || now.is_empty() || now == *earlier {
        return None;
    }
    let told: Vec<String> = now.into_iter().collect();
    let text = format!(
        "no pod will come: {}\nhint: {}",
        told.join(", "),
        advice(row, &dormant)
    );
    let line = LogEvent::line(running.span.clone(), running.manifest.clone(), text);
    Some(Effect::Log(line.level(Level::Warn)))
}

/// Returns what is to be told of the objects of a resource that give it no pods.
pub(super) fn all_told(row: &Row) -> BTreeSet<String> {
    dormant(row).into_iter().map(told).collect()
}

/// Returns the objects that give a resource no pods, where no other object of it does.
fn dormant(row: &Row) -> Vec<&AppliedObject> {
    let objects = &row.deployed.objects;
    let gives_pods = |object: &AppliedObject| object.dormancy.is_none() && !object.template_hashes.is_empty();
    if objects.iter().any(gives_pods) {
        return Vec::new();
    }
    objects
        .iter()
        .filter(|object| object.dormancy.is_some())
        .collect()
}

fn told(object: &AppliedObject) -> String {
    let why = object.dormancy.map(|why| why.to_string());
    format!("{} {}", object.id, why.unwrap_or_default())
}

fn advice(row: &Row, dormant: &[&AppliedObject]) -> String {
    let first = dormant.iter().find_map(|object| object.dormancy);
    let name = &row.manifest.name;
    format!(
        "{}, or wait for none: k8s_resource('{name}', pod_readiness='ignore')",
        first.map(|why| why.advice()).unwrap_or_default()
    )
}
