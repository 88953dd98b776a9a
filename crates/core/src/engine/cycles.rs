//! Circles: updates, and loads of the Tiltfile, that write what they read. Each round is run, since the content may matter;
//! but after a few of them no faster than somebody could read what they do, and it is said which file it is.
//!
//! By what a circle is known says `state::cycle`.

use std::time::Instant;

use super::effect::Effect;
use super::state::cycle::{LATE, SOON};
use super::state::{Row, RowServer, Runs, State};
use crate::model::{ManifestName, SpanId};
use crate::view::CircleView;

/// Returns what runs, or ended so lately that what it wrote may be reported only now.
pub(super) fn running(state: &State) -> Runs {
    let ended = state.ended.0.iter().filter(|(at, ..)| state.now < *at + LATE);
    let ended = ended.map(|(_, name, run)| (name.clone(), *run));
    let loading = state.tiltfile.loading.iter();
    let loading = loading.map(|loading| (ManifestName::tiltfile(), loading.load.0));
    let updates = state.builds.iter();
    let updates = updates.map(|(build, running)| (running.manifest.clone(), build.0));
    ended.chain(loading).chain(updates).collect()
}

/// Returns the server of the resource if it was started a moment ago: it may write what the resource reads.
pub(super) fn starting_server(row: &Row, now: Instant) -> Runs {
    let is_soon = row.cycle.ended.is_some_and(|at| now < at + SOON);
    let server = row.server.iter().filter(|server| is_soon && !server.has_ended());
    let run = |server: &RowServer| (row.manifest.name.clone(), server.server.serve.0);
    server.map(run).collect()
}

/// Takes in that an update begins. Says so if it is clear now that it goes round in a circle.
pub(super) fn begin_update(state: &mut State, name: &ManifestName) -> Option<Effect> {
    let now = state.now;
    let row = state.rows.get_mut(name)?;
    let only_files = runs_for_files(row);
    let is_circle = row.cycle.begin(now, only_files);
    let span = SpanId::new(format!("build:{}", state.last_build + 1));
    let hint = "leave it out of what this resource watches (ignore=, .tiltignore)";
    is_circle.then(|| row.cycle.told(&state.config.cwd, span, name, hint))
}

/// The same for a load of the Tiltfile.
pub(super) fn begin_load(state: &mut State) -> Option<Effect> {
    let tiltfile = &mut state.tiltfile;
    let only_files = tiltfile.triggers.is_empty() && !tiltfile.args_changed;
    let is_circle = tiltfile.cycle.begin(state.now, only_files);
    let span = SpanId::new(format!("tiltfile:(Tiltfile):{}", tiltfile.last_load + 1));
    let hint = "let the Tiltfile ignore it: watch_settings(ignore=...)";
    let name = ManifestName::tiltfile();
    is_circle.then(|| tiltfile.cycle.told(&state.config.cwd, span, &name, hint))
}

fn runs_for_files(row: &Row) -> bool {
    row.triggers.is_empty() && !row.awaits_first() && row.changed_definition.is_none() && row.retry.is_none()
}

/// Returns whether an update goes round in a circle and waits for its next round.
pub(super) fn update_waits(state: &State, row: &Row) -> bool {
    runs_for_files(row) && row.cycle.waits_until(state.now).is_some()
}

/// The same for a load of the Tiltfile.
pub(super) fn load_waits(state: &State) -> bool {
    let tiltfile = &state.tiltfile;
    tiltfile.triggers.is_empty() && !tiltfile.args_changed && tiltfile.cycle.waits_until(state.now).is_some()
}

/// Returns that an update waits because it goes round in a circle, and which files do that.
pub(crate) fn update_circle(state: &State, row: &Row) -> Option<CircleView> {
    let waits = row.building.is_none() && row.is_due() && update_waits(state, row);
    waits.then(|| row.cycle.view(&state.config.cwd, &row.manifest.name))
}

/// The same for a load of the Tiltfile.
pub(crate) fn load_circle(state: &State) -> Option<CircleView> {
    let tiltfile = &state.tiltfile;
    let waits = tiltfile.loading.is_none() && !tiltfile.pending.is_empty() && load_waits(state);
    waits.then(|| tiltfile.cycle.view(&state.config.cwd, &ManifestName::tiltfile()))
}

/// Returns when the next load is due, if it waits for that.
pub(super) fn next_load(state: &State) -> Option<Instant> {
    state.tiltfile.cycle.waits_until(state.now)
}
