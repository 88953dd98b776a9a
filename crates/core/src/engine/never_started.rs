//! A resource of `tilt ci` that waits for one which nothing starts. It would wait until the run's time is over.

use std::collections::BTreeSet;

use super::state::{Hold, Row, State};
use crate::model::{DeployTarget, ImageBuild, ManifestName};

/// Returns whether an update of a resource runs, or is to run, whose commands can start another one (`tilt trigger`): as long
/// as there is one, there is hope for those that wait.
pub(super) fn may_start_others(state: &State, row: &Row) -> bool {
    let is_under_way = row.building.is_some() || (row.is_due() && !is_held_for_a_resource(state, row));
    let commands_in_images = row
        .images()
        .iter()
        .any(|image| matches!(image.build, ImageBuild::Custom(_)));
    let is_command = match &row.manifest.deploy {
        DeployTarget::Local(_) => true,
        DeployTarget::Compose(_) => false,
        DeployTarget::K8s(k8s) => k8s.options.custom_deploy.is_some(),
    };
    is_under_way && (is_command || commands_in_images)
}

/// Returns whether nothing starts a resource: only a user, or a command, could.
pub(super) fn is_idle(row: &Row) -> bool {
    row.enabled
        && !row.started_first
        && !row.is_due()
        && row.building.is_none()
        && !row.manifest.trigger_mode.auto_init()
}

/// Returns the first resource that waits for an idle one, and what is wrong with it. Nothing is under way that might start it.
pub(super) fn wait_in_vain<'a>(state: &'a State, idle: &BTreeSet<ManifestName>) -> Option<(&'a str, String)> {
    let waiting = idle.iter().flat_map(|name| state.candidates.watching(name));
    let rows = waiting.filter_map(|name| state.rows.get_key_value(name));
    let in_vain =
        rows.filter_map(|(name, row)| Some((row.position, name, idle_dependency(state, row, idle)?)));
    let (_, name, idle) = in_vain.min()?;
    let message = format!(
        "{name} waits for {idle}, which has auto_init=False: nothing starts it in tilt ci\n\
         hint: give it auto_init=(config.tilt_subcommand == 'ci'), or leave it out of resource_deps there"
    );
    Some((name.as_str(), message))
}

fn is_held_for_a_resource(state: &State, row: &Row) -> bool {
    let hold = state.holds.get(&row.manifest.name);
    matches!(hold, Some(Hold::WaitingForDep(_)))
}

/// Returns an idle resource that this one waits for.
fn idle_dependency<'a>(
    state: &'a State,
    row: &Row,
    idle: &BTreeSet<ManifestName>,
) -> Option<&'a ManifestName> {
    let Some(Hold::WaitingForDep(names)) = state.holds.get(&row.manifest.name) else {
        return None;
    };
    names.iter().find(|name| idle.contains(*name))
}
