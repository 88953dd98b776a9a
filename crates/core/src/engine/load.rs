//! When the Tiltfile is read. What a reading changes stands in `reload`.

use std::collections::BTreeSet;

use super::cycles;
use super::effect::Effect;
use super::file_names::files_changed_line;
use super::records::{self, Causes};
use super::state::{Loading, Reasons, State};
use crate::model::{LoadId, LocalPath, LogEvent, ManifestName};

/// Reads the Tiltfile again if a file it depends on changed, its arguments did, or a user asked for it.
///
/// A reading that is under way is abandoned where the Tiltfile itself changed: nobody wants its result, and it may
/// never end. Other changes lead to another one after it: the Tiltfile may write such files itself.
pub(super) fn load_if_changed(state: &mut State) -> Vec<Effect> {
    let is_obsolete = state.tiltfile.pending.contains_key(&state.config.tiltfile);
    let is_wanted = !state.tiltfile.pending.is_empty()
        || !state.tiltfile.triggers.is_empty()
        || state.tiltfile.args_changed
        || state.tiltfile.extensions_changed;
    if !is_wanted || (state.tiltfile.loading.is_some() && !is_obsolete) || cycles::load_waits(state) {
        return Vec::new();
    }
    let cycle = cycles::begin_load(state);
    let noticed = state.tiltfile.noticed.take();
    let mut files = BTreeSet::from_iter(std::mem::take(&mut state.tiltfile.pending).into_keys());
    let reasons = Reasons {
        triggers: std::mem::take(&mut state.tiltfile.triggers),
        args: std::mem::take(&mut state.tiltfile.args_changed),
        ..Reasons::default()
    };
    let extensions = std::mem::take(&mut state.tiltfile.extensions_changed);
    let mut sets_enabled = std::mem::take(&mut state.tiltfile.sets_enabled) || reasons.args;
    if let Some(abandoned) = state.tiltfile.loading.take() {
        records::abandon_load(state, abandoned.load);
        files.extend(abandoned.files);
        sets_enabled |= abandoned.sets_enabled;
    }
    let entry = if files.is_empty() {
        match reasons.text() {
            none if none.is_empty() && extensions => "Extensions Changed".to_owned(),
            text => text,
        }
    } else {
        files_changed_line(&state.config.cwd, &files)
    };
    let causes = Causes::of_load(state, &files, &reasons, noticed);
    let mut effects = start_load(state, entry, files, sets_enabled, causes);
    if reasons.args {
        let text = format!("Tiltfile args changed to: [{}]", state.tiltfile.args.join(" "));
        let line = LogEvent::line(state.tiltfile_span(), ManifestName::tiltfile(), text);
        effects.insert(1, Effect::Log(line));
    }
    effects.extend(cycle);
    effects
}

/// Begins a reading.
pub(super) fn start_load(
    state: &mut State,
    entry: String,
    files: BTreeSet<LocalPath>,
    sets_enabled: bool,
    causes: Causes,
) -> Vec<Effect> {
    state.tiltfile.last_load += 1;
    let (load, span) = (LoadId(state.tiltfile.last_load), state.tiltfile_span());
    (state.tiltfile.started, state.tiltfile.finished) = (Some(state.now), None);
    state.tiltfile.loading = Some(Loading {
        load,
        files,
        sets_enabled,
    });
    records::begin_load(state, load, causes);
    let (args, moment) = (state.tiltfile.args.clone(), state.next_moment());
    state.tiltfile.read_at = moment;
    let mut line = LogEvent::line(span.clone(), ManifestName::tiltfile(), entry);
    line.starts_update = true;
    let extensions = state.objects.own_extensions();
    let load = Effect::LoadTiltfile {
        load,
        span,
        args,
        extensions,
        moment,
    };
    vec![Effect::Log(line), load]
}
