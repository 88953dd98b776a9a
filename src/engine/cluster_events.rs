//! Events that the cluster reports: which are shown, and under which resource; and what of the cluster is watched.
//!
//! Rule: `reference/engine.md` 4.10.

use std::collections::BTreeSet;

use super::effect::{ClusterWatch, Effect};
use super::event::{ClusterEvent, ClusterStatus};
use super::state::State;
use crate::logs::{Level, LogEvent};
use crate::model::{ManifestName, SpanId};

/// How many events of unknown objects are kept, in case the objects turn out to be ours.
const MAX_UNCLAIMED: usize = 512;

/// For how many events is remembered how often they occurred.
const MAX_COUNTED: usize = 4096;

/// Shows an event if it is news, worth showing, and about something that a resource deployed.
pub(super) fn on_event(state: &mut State, event: ClusterEvent) -> Vec<Effect> {
    if !is_worth_showing(&event) || !state.is_from_this_session(event.last_seen) || !is_news(state, &event) {
        return Vec::new();
    }
    if let Some(name) = owner(state, &event) {
        return vec![line(&name, &event)];
    }
    state.events.unclaimed.push_back(event);
    if state.events.unclaimed.len() > MAX_UNCLAIMED {
        state.events.unclaimed.pop_front();
    }
    Vec::new()
}

/// Shows events that came before their objects were known to be ours.
pub(super) fn log_newly_claimed(state: &mut State) -> Vec<Effect> {
    let mut effects = Vec::new();
    for event in std::mem::take(&mut state.events.unclaimed) {
        match owner(state, &event) {
            Some(name) => effects.push(line(&name, &event)),
            None => state.events.unclaimed.push_back(event),
        }
    }
    effects
}

fn is_worth_showing(event: &ClusterEvent) -> bool {
    event.kind != "Normal" || matches!(event.reason.as_str(), "Pulling" | "Pulled")
}

/// Returns whether the event occurred more often than was seen. A watch that starts again reports everything again.
fn is_news(state: &mut State, event: &ClusterEvent) -> bool {
    let seen = &mut state.events;
    match seen.counts.insert(event.uid.clone(), event.count) {
        Some(before) if before >= event.count => {
            seen.counts.insert(event.uid.clone(), before);
            false
        }
        Some(_) => true,
        None => {
            seen.by_age.push_back(event.uid.clone());
            if seen.by_age.len() > MAX_COUNTED
                && let Some(oldest) = seen.by_age.pop_front()
            {
                seen.counts.remove(&oldest);
            }
            true
        }
    }
}

/// Returns the resource that an event belongs to: the first in definition order that deployed the nearest object.
fn owner(state: &State, event: &ClusterEvent) -> Option<ManifestName> {
    let names = event.owner_chain.iter().find_map(|uid| state.claims.get(uid))?;
    let position = |name: &&ManifestName| state.rows.get(*name).map_or(usize::MAX, |row| row.position);
    names.iter().min_by_key(position).cloned()
}

fn line(name: &ManifestName, event: &ClusterEvent) -> Effect {
    let (kind, namespace, object) = &event.about;
    let place = match namespace.as_str() {
        "" | "default" => object.clone(),
        namespace => format!("{namespace}/{object}"),
    };
    let text = format!(
        "[event: {} {place}] {}",
        kind.to_lowercase(),
        event.message.trim()
    );
    Effect::Log(LogEvent::line(
        SpanId::new(format!("events:{name}")),
        name.clone(),
        text,
    ))
}

/// Takes in how the connection to the cluster is.
pub(super) fn on_cluster_changed(state: &mut State, status: ClusterStatus) -> Vec<Effect> {
    let is_new = state.cluster != status;
    state.cluster = status;
    match &state.cluster {
        ClusterStatus::Failed(error) if is_new => {
            let line = LogEvent::global(format!("Cluster status error: {error}"));
            vec![Effect::Log(line.level(Level::Error))]
        }
        _ => Vec::new(),
    }
}

/// Returns what of the cluster to watch, if that is not what is watched already: the namespaces of resources whose
/// first update has started, so that their pods are known as soon as they are there.
pub(super) fn watch_cluster(state: &mut State) -> Option<Effect> {
    let wanted = cluster_watch(state);
    if wanted == state.asked.cluster {
        return None;
    }
    let forgotten = |namespace: &String| !wanted.namespaces.contains(namespace);
    let unwatched: Vec<String> = state
        .asked
        .cluster
        .namespaces
        .iter()
        .filter(|ns| forgotten(ns))
        .cloned()
        .collect();
    for namespace in unwatched {
        super::pods::on_listed(state, &namespace, &BTreeSet::new());
    }
    state.asked.cluster = wanted.clone();
    Some(Effect::WatchCluster(wanted))
}

fn cluster_watch(state: &State) -> ClusterWatch {
    let default = state.config.default_namespace.as_str();
    let mut namespaces: BTreeSet<&str> = BTreeSet::new();
    let mut watch = ClusterWatch::default();
    for row in state
        .rows
        .values()
        .filter(|row| row.started_first || !row.deployed.owned.is_empty())
    {
        namespaces.extend(
            row.entities()
                .iter()
                .map(|entity| entity.namespace().unwrap_or(default)),
        );
        for object in row.deployed.owned.values().chain(&row.deployed.objects) {
            namespaces.insert(object.id.namespace.as_deref().unwrap_or(default));
            if !watch.uids.contains(&object.uid) {
                watch.uids.insert(object.uid.clone());
            }
        }
    }
    watch.namespaces = namespaces.into_iter().map(str::to_owned).collect();
    watch
}
