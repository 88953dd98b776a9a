//! Pods that come, change and go: whose each becomes, and what follows for its resources. Whose one is, is a question that
//! `pod_claims` answers.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use super::deploy::pod_span;
use super::effect::Effect;
use super::pod_claims::{claimants, claimed_objects, counting, is_ours, selectors};
use super::state::{Row, SeenPod, State};
use super::{forwards, health, objects, replaced, rollout, streams};
use crate::model::{Level, LogEvent};
use crate::model::{ManifestName, ObjectUid, Pod, PodPhase};

/// How exactly a cluster tells times.
const SECOND: Duration = Duration::from_secs(1);

/// Takes in a pod as it is now.
pub(super) fn on_seen(state: &mut State, pod: Pod) -> Vec<Effect> {
    let claimed_by = claimants(state, &pod);
    let before = state.pods.remove(&pod.uid);
    let was_claimed_by = before
        .as_ref()
        .map(|seen| seen.claimed_by.clone())
        .unwrap_or_default();
    let mut effects = Vec::new();
    for name in claimed_by.union(&was_claimed_by) {
        set_claim(state, name, &pod.uid, claimed_by.contains(name));
        if let Some(before) = before.as_ref().filter(|_| was_claimed_by.contains(name)) {
            effects.extend(restart_warnings(name, &before.pod, &pod));
        }
    }
    state
        .dirty
        .rows
        .extend(claimed_by.union(&was_claimed_by).cloned());
    let seen = SeenPod {
        first_seen: before.as_ref().map_or(state.now, |before| before.first_seen),
        serves_since: serves_since(state, before.as_ref(), &pod),
        pod,
        claimed_by,
    };
    let uid = seen.pod.uid.clone();
    state.pods.insert(seen);
    objects::on_pod(state, &uid);
    effects
}

/// Returns since when a pod takes requests: since we saw it begin to, or, where it did when it was seen first, since its
/// containers run as the cluster tells it.
fn serves_since(state: &State, before: Option<&SeenPod>, pod: &Pod) -> Option<Instant> {
    if !pod.serves() {
        return None;
    }
    let runs = |pod: &Pod| -> Vec<String> { pod.containers.iter().map(|run| run.id.clone()).collect() };
    if let Some(before) = before {
        let goes_on = before.serves_since.filter(|_| runs(&before.pod) == runs(pod));
        return Some(goes_on.unwrap_or(state.now));
    }
    let started = pod.containers.iter().filter_map(|container| container.started);
    let became_ready = pod
        .conditions
        .iter()
        .filter(|condition| condition.kind == "Ready");
    let began = started
        .chain(became_ready.filter_map(|condition| condition.last_transition))
        .max();
    // The cluster tells whole seconds: it was that second, at its end perhaps.
    let at_the_latest = |began| (state.moment_of(began) + SECOND).min(state.now);
    Some(began.map_or(state.now, at_the_latest))
}

/// Forgets a pod. A completed one is remembered by its resources as long as they have no other.
pub(super) fn on_gone(state: &mut State, uid: &ObjectUid) {
    let Some(SeenPod { pod, claimed_by, .. }) = state.pods.remove(uid) else {
        return;
    };
    for name in &claimed_by {
        let Some(row) = state.rows.get_mut(name) else {
            continue;
        };
        row.runtime.pods.remove(uid);
        let completed = matches!(pod.phase, PodPhase::Succeeded | PodPhase::Failed);
        if completed && row.runtime.pods.is_empty() {
            row.runtime.gone.insert(uid.clone(), pod.clone());
        }
    }
    state.dirty.rows.extend(claimed_by);
    objects::on_pod(state, uid);
}

/// Forgets the pods of a namespace that a complete list does not have.
pub(super) fn on_listed(state: &mut State, namespace: &str, listed: &BTreeSet<ObjectUid>) {
    let missing =
        |(uid, seen): &(&ObjectUid, &SeenPod)| seen.pod.namespace == namespace && !listed.contains(*uid);
    let gone: Vec<ObjectUid> = state
        .pods
        .iter()
        .filter(missing)
        .map(|(uid, _)| uid.clone())
        .collect();
    gone.iter().for_each(|uid| on_gone(state, uid));
}

fn set_claim(state: &mut State, name: &ManifestName, uid: &ObjectUid, claimed: bool) {
    let Some(row) = state.rows.get_mut(name) else {
        return;
    };
    if claimed {
        row.runtime.pods.insert(uid.clone());
        row.runtime.gone.clear();
    } else {
        row.runtime.pods.remove(uid);
    }
}

/// Lets a resource claim what its last deploy made: also pods that were seen before. `before` is what it had claimed.
pub(super) fn claim(state: &mut State, name: &ManifestName, before: &[ObjectUid]) {
    let after = claimed_objects(state, name);
    if after == before && !state.selecting.contains(name) {
        return;
    }
    before.iter().for_each(|uid| state.claims.remove(uid, name));
    for uid in &after {
        state.claims.add(uid, name);
    }
    let Some(row) = state.rows.get(name) else {
        return;
    };
    let of_objects = before.iter().chain(&after);
    let of_objects = of_objects.flat_map(|uid| state.pods.of_object(uid));
    // Labels may be those of any pod.
    let of_labels = state.pods.keys().filter(|_| state.selecting.contains(name));
    let looked_at: BTreeSet<ObjectUid> = of_objects
        .chain(of_labels)
        .chain(&row.runtime.pods)
        .cloned()
        .collect();
    let is_ours = |uid: &ObjectUid| state.pods.get(uid).is_some_and(|seen| is_ours(row, &seen.pod));
    let (ours, others): (BTreeSet<_>, BTreeSet<_>) = looked_at.into_iter().partition(is_ours);
    ours.iter().for_each(|uid| state.pods.set_claim(uid, name, true));
    others
        .iter()
        .for_each(|uid| state.pods.set_claim(uid, name, false));
    if let Some(row) = state.rows.get_mut(name) {
        if !ours.is_empty() {
            row.runtime.gone.clear();
        }
        row.runtime.pods = ours;
    }
}

/// Lets a resource claim nothing of what it had deployed.
pub(super) fn unclaim(state: &mut State, name: &ManifestName, row: &Row) {
    for object in &row.deployed.objects {
        state.claims.remove(&object.uid, name);
    }
}

/// Finds out anew whose every object and pod is, after resources came, went or changed.
pub(super) fn reindex(state: &mut State) {
    state.claims.clear();
    for (name, row) in &state.rows {
        for object in &row.deployed.objects {
            state.claims.add(&object.uid, name);
        }
    }
    let selecting = state.rows.iter().filter(|(_, row)| !selectors(row).is_empty());
    state.selecting = selecting.map(|(name, _)| name.clone()).collect();
    reclaim_pods(state);
}

fn reclaim_pods(state: &mut State) {
    let uids: Vec<ObjectUid> = state.pods.keys().cloned().collect();
    for uid in uids {
        let Some(seen) = state.pods.get(&uid) else {
            continue;
        };
        let claimed_by = claimants(state, &seen.pod);
        if claimed_by == seen.claimed_by {
            continue;
        }
        for name in claimed_by.union(&seen.claimed_by.clone()) {
            set_claim(state, name, &uid, claimed_by.contains(name));
            state.dirty.rows.insert(name.clone());
        }
        state.pods.set_claims(&uid, claimed_by);
    }
}

/// Looks again at the pods of a resource: which is the newest, how it is doing, what to print, which logs to read.
pub(super) fn refresh(state: &mut State, name: &ManifestName) -> Vec<Effect> {
    let newest = state
        .rows
        .get(name)
        .and_then(|row| newest(&counting(state, row)))
        .map(|pod| pod.uid.clone());
    if let Some(row) = state.rows.get_mut(name) {
        row.runtime.newest = newest;
    }
    forwards::refresh(state, name);
    state.dirty.live.insert(name.clone());
    health::refresh(state, name);
    streams::refresh(state, name);
    let mut effects = rollout::refresh(state, name);
    effects.extend(replaced::refresh(state, name));
    effects
}

fn newest<'a>(counting: &[&'a Pod]) -> Option<&'a Pod> {
    counting
        .iter()
        .copied()
        .max_by_key(|pod| (pod.created, &pod.name))
}

/// Forgets a resource that is gone.
pub(super) fn forget_row(state: &mut State, name: &ManifestName, row: &Row) {
    streams::forget_row(state, name);
    for uid in &row.runtime.pods {
        state.pods.set_claim(uid, name, false);
    }
}

/// Returns a warning for each container that was restarted.
///
/// Rule: `docs/rules/runtime.md`, "Restarts".
fn restart_warnings(name: &ManifestName, before: &Pod, pod: &Pod) -> Vec<Effect> {
    let pairs = before.all_containers().zip(pod.all_containers());
    let restarted = pairs.filter(|((_, old), (_, new))| old.name == new.name && old.restarts < new.restarts);
    restarted
        .map(|(_, (_, container))| {
            let text = format!(
                "Detected container restart. Pod: {}. Container: {}.",
                pod.name, container.name
            );
            let line = LogEvent::line(pod_span(name, pod), name.clone(), text);
            Effect::Log(line.level(Level::Warn))
        })
        .collect()
}
