//! What somebody else deploys in the place of what a session deployed: its pods are not ours, and no change reaches them.

use super::config::Mode;
use super::effect::Effect;
use super::pod_claims::TEMPLATE_HASH;
use super::state::{Row, State};
use crate::model::{Level, LogEvent};
use crate::model::{ManifestName, ObjectUid, Pod, SpanId};

/// Looks again at whether the pods of a resource were replaced, and warns of it once.
pub(super) fn refresh(state: &mut State, name: &ManifestName) -> Option<Effect> {
    let now = state.rows.get(name).and_then(|row| replacement(state, row));
    let is_up = state.config.mode == Mode::Up;
    let pod = now.as_ref().and_then(|uid| state.pods.get(uid));
    let pod = pod.map(|seen| seen.pod.name.clone());
    let row = state.rows.get_mut(name)?;
    let before = std::mem::replace(&mut row.runtime.replaced_by, now);
    if before.is_some() || !is_up {
        return None;
    }
    let text = format!(
        "somebody else deployed this anew: pod {} is not of this session's deploy, and changes do not reach it\n\
         hint: to deploy what is here, save one of its files, or run `tilt trigger {name}`",
        pod?
    );
    let line = LogEvent::line(SpanId::new(format!("events:{name}")), name.clone(), text);
    Some(Effect::Log(line.level(Level::Warn)))
}

/// Returns a pod of another template than those of the last deploy that was made since, where none of that deploy is left.
fn replacement(state: &State, row: &Row) -> Option<ObjectUid> {
    let is_all_gone = row.runtime.newest.is_none() && row.building.is_none();
    let deployed_at = row.deployed.at.filter(|_| is_all_gone)?;
    let pods = row.runtime.pods.iter().filter_map(|uid| state.pods.get(uid));
    // An older ReplicaSet may make another pod of an earlier deploy of ours while a new one waits.
    let set_is_newer = |pod: &Pod| {
        let set = pod.owners.first().filter(|owner| owner.kind == "ReplicaSet");
        set.and_then(|set| set.created)
            .is_some_and(|created| state.moment_of(created) > deployed_at)
    };
    let mut others = pods.filter(|seen| {
        let pod = &seen.pod;
        let is_of_a_template = pod.label(TEMPLATE_HASH).is_some();
        is_of_a_template && !pod.deleting && seen.first_seen > deployed_at && set_is_newer(pod)
    });
    others.next().map(|seen| seen.pod.uid.clone())
}
