//! Events that the cluster reports: which are shown, and under which resource.
//!
//! Rule: `docs/rules/runtime.md`, "Cluster events".

use std::collections::BTreeSet;

use super::effect::Effect;
use super::event::ClusterStatus;
use super::state::{Row, State};
use super::why_no_pod;
use crate::model::ClusterEvent;
use crate::model::{Level, LogEvent};
use crate::model::{ManifestName, ObjectUid, SpanId};

/// For how many events of ours is remembered how often they occurred.
const MAX_COUNTED: usize = 4096;

/// Shows an event if it is news, worth showing, and about something that a resource deployed.
pub(super) fn on_event(state: &mut State, event: ClusterEvent) -> Vec<Effect> {
    if !is_worth_showing(&event) || !state.is_from_this_session(event.last_seen) {
        return Vec::new();
    }
    let Some(name) = owner(state, &event) else {
        state.events.unclaimed.keep(event);
        return Vec::new();
    };
    why_no_pod::note(state, &name, &event);
    note_of_pod(state, &name, &event);
    if is_news(state, &event) {
        vec![line(&name, &event)]
    } else {
        Vec::new()
    }
}

/// Shows events that came before their objects were known to be ours. `new` is what was deployed since.
pub(super) fn log_newly_claimed(state: &mut State, new: &BTreeSet<ObjectUid>) -> Vec<Effect> {
    if new.is_empty() {
        return Vec::new();
    }
    let events = state.events.unclaimed.take(new);
    events
        .into_iter()
        .flat_map(|event| on_event(state, event))
        .collect()
}

fn note_of_pod(state: &mut State, name: &ManifestName, event: &ClusterEvent) {
    let Some(pod) = event.owner_chain.first().filter(|_| event.about.0 == "Pod") else {
        return;
    };
    if let Some(row) = state.rows.get_mut(name) {
        row.runtime.note_of_pod(pod, event);
    }
}

fn is_worth_showing(event: &ClusterEvent) -> bool {
    event.kind != "Normal" || matches!(event.reason.as_str(), "Pulling" | "Pulled")
}

/// Returns whether the event occurred more often, or later, than was shown. A watch that starts again reports
/// everything again.
fn is_news(state: &mut State, event: &ClusterEvent) -> bool {
    let seen = &mut state.events;
    let now = (event.count, event.last_seen);
    match seen.shown.get_mut(&event.uid) {
        Some(before) => {
            let is_news = now.0 > before.0 || now.1 > before.1;
            *before = (now.0.max(before.0), now.1.max(before.1));
            is_news
        }
        None => {
            seen.shown.insert(event.uid.clone(), now);
            seen.by_age.push_back(event.uid.clone());
            if seen.by_age.len() > MAX_COUNTED
                && let Some(oldest) = seen.by_age.pop_front()
            {
                seen.shown.remove(&oldest);
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

/// Tells how the connection to the cluster is, once something needs it.
pub(super) fn tell_of_cluster(state: &mut State) -> Option<Effect> {
    match &state.cluster {
        ClusterStatus::Failed(error) => {
            let is_new = state.told_of_cluster.as_ref() != Some(error);
            if !is_new || !state.rows.values().any(Row::needs_cluster) {
                return None;
            }
            state.told_of_cluster = Some(error.clone());
            let line = LogEvent::global(format!("Cluster status error: {error}"));
            Some(Effect::Log(line.level(Level::Error)))
        }
        ClusterStatus::Connected => state
            .told_of_cluster
            .take()
            .map(|_| Effect::Log(LogEvent::global("The cluster answers again"))),
        ClusterStatus::Connecting => None,
    }
}
