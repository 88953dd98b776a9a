//! A resource of `tilt ci` that waits for one which nothing starts. It would wait until the run's time is over.

use super::row::Row;
use super::schedule::Hold;
use super::state::State;
use crate::model::{DeployTarget, ImageBuild};

/// Returns the first resource that waits in vain, and what is wrong with it.
///
/// A command can still start the other one (`tilt trigger`): as long as one of this project runs or is to run, there is hope.
pub(super) fn wait_in_vain(state: &State) -> Option<(&str, String)> {
    let may_start_others = |row: &Row| {
        let commands_in_images = row
            .images()
            .iter()
            .any(|image| matches!(image.build, ImageBuild::Custom(_)));
        let is_command = match &row.manifest.deploy {
            DeployTarget::Local(_) => true,
            DeployTarget::Compose(_) => false,
            DeployTarget::K8s(k8s) => k8s.options.custom_deploy.is_some(),
        };
        is_command || commands_in_images
    };
    let is_under_way =
        |row: &Row| row.building.is_some() || (row.is_due() && !is_held_for_a_resource(state, row));
    if state
        .rows
        .values()
        .any(|row| is_under_way(row) && may_start_others(row))
    {
        return None;
    }
    let mut waiting = state.rows_in_order().filter_map(|(name, row)| {
        let idle = idle_dependency(state, row)?;
        let message = format!(
            "{name} waits for {idle}, which has auto_init=False: nothing starts it in tilt ci\n\
             hint: give it auto_init=(config.tilt_subcommand == 'ci'), or leave it out of resource_deps there"
        );
        Some((name.as_str(), message))
    });
    waiting.next()
}

fn is_held_for_a_resource(state: &State, row: &Row) -> bool {
    let hold = state.holds.get(&row.manifest.name);
    matches!(hold, Some(Hold::WaitingForDep(_)))
}

/// Returns a resource that this one waits for though it is not to start by itself.
fn idle_dependency<'a>(state: &'a State, row: &Row) -> Option<&'a str> {
    let Some(Hold::WaitingForDep(names)) = state.holds.get(&row.manifest.name) else {
        return None;
    };
    let is_idle = |row: &Row| {
        row.enabled
            && !row.started_first
            && !row.is_due()
            && row.building.is_none()
            && !row.manifest.trigger_mode.auto_init()
    };
    names.iter().find_map(|name| {
        let (known, row) = state.rows.get_key_value(name)?;
        is_idle(row).then_some(known.as_str())
    })
}
