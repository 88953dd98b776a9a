//! Tells the keeper of the history what happens to updates: with which causes each begins, how it ends, and when what it deployed
//! is ready.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Instant;

use super::effect::{ContainerUpdate, Effect};
use super::event::UpdateOutcome;
use super::state::live::Standing;
use super::state::{Reasons, Row, State};
use crate::history::{
    Cause, Draft, Ending, Facts, FileCause, Outcome, Result, Rule, RunId, StageKind, StageTime, UpdateKind,
    rule_of,
};
use crate::model::{
    BuildId, LiveUpdateId, LoadId, LocalPath, ManifestName, PodReadiness, RuntimeStatus, SpanId, Synced,
    TargetId,
};

/// What an update says that was stopped.
const CANCELED: &str = "build canceled";

/// Why something begins, and when the first change was noticed that led to it.
#[derive(Debug, Default)]
pub(super) struct Causes {
    pub(super) causes: Vec<Cause>,
    noticed: Option<Instant>,
}

impl Causes {
    /// Returns why the next update of a resource is due.
    pub(super) fn of_update(state: &State, name: &ManifestName) -> Self {
        let Some(row) = state.rows.get(name).filter(|_| !state.history.is_off) else {
            return Self::default();
        };
        let reasons = row.reasons();
        let mut causes = Vec::new();
        if reasons.init {
            causes.push(Cause::First);
        }
        causes.extend(reasons.triggers.iter().map(|by| Cause::Asked { by: *by }));
        if reasons.config {
            causes.push(Cause::Definition {
                changes: row.definition_changes.clone(),
                files: row.config_edits.iter().map(ToString::to_string).collect(),
            });
        }
        let (files, noticed) = changed_files(state, row);
        if !files.is_empty() {
            causes.push(Cause::Files { files });
            causes.extend(fall_backs(row));
        }
        for image in row.targets.values().flat_map(|target| target.dependencies.keys()) {
            let by = state.history.builder(image).map(ToString::to_string);
            let image = image.name.clone();
            causes.push(Cause::Image { image, by });
        }
        if row.retry.is_some() || causes.is_empty() {
            causes.push(Cause::Retry);
        }
        let by_itself = row.manifest.trigger_mode.auto_on_change() && !reasons.init;
        Self {
            causes,
            noticed: noticed.filter(|_| by_itself && reasons.triggers.is_empty()),
        }
    }

    /// Returns why running containers are changed: these files, or what `container` says.
    pub(super) fn of_sync(
        state: &State,
        row: &Row,
        asked: bool,
        work: &[(ContainerUpdate, BTreeSet<LocalPath>)],
    ) -> Self {
        if state.history.is_off {
            return Self::default();
        }
        let files: BTreeSet<&LocalPath> = work.iter().flat_map(|(_, files)| files).collect();
        let triggers = row.triggers.iter().filter(|_| asked);
        let mut noticed: Option<Instant> = None;
        let mut told = Vec::new();
        for file in files {
            let mut of_targets = row.targets.iter();
            let target = of_targets.find(|(_, target)| target.since_build.contains_key(file));
            let Some((id, target)) = target else { continue };
            let seen = target.files.get(file).and_then(|edit| edit.seen);
            noticed = noticed.into_iter().chain(seen).min();
            told.push(file_cause(state, row, id, file, seen));
        }
        let mut causes: Vec<Cause> = triggers.map(|by| Cause::Asked { by: *by }).collect();
        if !told.is_empty() {
            causes.push(Cause::Files { files: told });
        } else if let Some((update, _)) = work.first() {
            let (pod, container) = (update.container.pod.clone(), update.container.container.clone());
            causes.push(Cause::Container { pod, container });
        }
        if causes.is_empty() {
            causes.push(Cause::Retry);
        }
        Self {
            causes,
            noticed: noticed.filter(|_| !asked),
        }
    }

    /// Returns why the Tiltfile is evaluated.
    pub(super) fn of_load(
        state: &State,
        files: &BTreeSet<LocalPath>,
        reasons: &Reasons,
        noticed: Option<Instant>,
    ) -> Self {
        if state.history.is_off {
            return Self::default();
        }
        let mut causes: Vec<Cause> = Vec::new();
        causes.extend(reasons.triggers.iter().map(|by| Cause::Asked { by: *by }));
        causes.extend(reasons.args.then_some(Cause::Args));
        if !files.is_empty() {
            let target = TargetId::configs().to_string();
            let at = noticed.map(state.clock());
            let file = |file: &LocalPath| FileCause {
                path: file.to_string(),
                rule: Rule::Config,
                target: target.clone(),
                at,
            };
            causes.push(Cause::Files {
                files: files.iter().map(file).collect(),
            });
        }
        if causes.is_empty() {
            causes.push(Cause::First);
        }
        Self { causes, noticed }
    }
}

fn changed_files(state: &State, row: &Row) -> (Vec<FileCause>, Option<Instant>) {
    let mut files: BTreeMap<&LocalPath, FileCause> = BTreeMap::new();
    let mut noticed: Option<Instant> = None;
    for (id, target) in &row.targets {
        for (file, edit) in &target.files {
            noticed = noticed.into_iter().chain(edit.seen).min();
            files
                .entry(file)
                .or_insert_with(|| file_cause(state, row, id, file, edit.seen));
        }
    }
    (files.into_values().collect(), noticed)
}

fn file_cause(
    state: &State,
    row: &Row,
    target: &TargetId,
    file: &LocalPath,
    seen: Option<Instant>,
) -> FileCause {
    FileCause {
        path: file.to_string(),
        rule: rule_of(&row.manifest, target, file),
        target: target.to_string(),
        at: seen.map(state.clock()),
    }
}

/// Returns why running containers do not take in what changed.
fn fall_backs(row: &Row) -> impl Iterator<Item = Cause> {
    row.live.standing.values().filter_map(|standing| match standing {
        Standing::Failed(why) => Some(Cause::FallBack {
            reason: why.reason.to_owned(),
            message: why.message.clone(),
        }),
        Standing::Unmatched => Some(Cause::FallBack {
            reason: "NoContainer".to_owned(),
            message: "the live update matches none of the containers".to_owned(),
        }),
        Standing::NoContainer | Standing::Well { .. } => None,
    })
}

/// Takes in that an update of a resource begins.
pub(super) fn begin_update(state: &mut State, name: &ManifestName, build: BuildId, causes: Causes) {
    let waits = state.history.take_waits(name);
    let span = SpanId::new(format!("build:{build}"));
    let draft = Draft {
        due: waits.as_ref().map_or(state.now, |waits| waits.since()),
        waits,
        ..draft(state, name.clone(), UpdateKind::Full, causes, span)
    };
    begin(state, RunId::Update(build), draft);
}

/// Takes in that running containers of a resource begin to be changed.
pub(super) fn begin_sync(
    state: &mut State,
    name: &ManifestName,
    update: LiveUpdateId,
    span: SpanId,
    causes: Causes,
) {
    // A container that starts has waited for nothing.
    let noticed = causes.noticed;
    let waits = state.history.waits(name).zip(noticed);
    let waits = waits.map(|(waits, noticed)| waits.since_then(state.at(noticed)));
    let draft = Draft {
        due: waits.as_ref().map_or(state.now, |waits| waits.since()),
        waits,
        ..draft(state, name.clone(), UpdateKind::Sync, causes, span)
    };
    begin(state, RunId::Sync(update), draft);
}

/// Takes in that an evaluation of the Tiltfile begins.
pub(super) fn begin_load(state: &mut State, load: LoadId, causes: Causes) {
    let span = state.tiltfile_span();
    let draft = draft(state, ManifestName::tiltfile(), UpdateKind::Load, causes, span);
    begin(state, RunId::Load(load), draft);
}

fn draft(state: &mut State, resource: ManifestName, kind: UpdateKind, causes: Causes, span: SpanId) -> Draft {
    Draft {
        resource,
        number: state.history.next_number(),
        kind,
        causes: causes.causes,
        noticed: causes.noticed,
        due: state.now,
        waits: None,
        started: state.now,
        span,
        stages: Vec::new(),
        rollout: None,
        outcome: Outcome {
            result: Result::Running,
            reason: None,
            message: None,
        },
        logs: None,
    }
}

fn begin(state: &mut State, run: RunId, draft: Draft) {
    let clock = state.clock();
    // What is changed in place replaces nothing that is rolled out.
    let keeps_rollout = draft.kind == UpdateKind::Sync;
    state.history.begin(run, draft, keeps_rollout, state.now, clock);
}

/// Takes in how an update ended. What it deployed may still have to become ready.
pub(super) fn end_update(state: &mut State, build: BuildId, outcome: &UpdateOutcome) {
    let (now, clock) = (state.now, state.clock());
    let Some(mut draft) = state.history.take(RunId::Update(build)) else {
        return;
    };
    let Some(row) = state.rows.get(&draft.resource) else {
        return;
    };
    draft.stages.clone_from(&outcome.stages);
    draft.logs = outcome.log;
    for (image, _) in &outcome.built {
        state.history.note_built(image.clone(), draft.resource.clone());
    }
    draft.note_end(Ending {
        error: outcome.error.clone(),
        reason: outcome.transient.map(|why| why.as_str().to_owned()),
        is_canceled: outcome.error.as_deref() == Some(CANCELED),
    });
    let is_current = row.enabled && row.building == Some(build);
    if outcome.error.is_none() && is_current && becomes_ready(row) {
        state.history.roll_out(draft, now);
    } else {
        state.history.keep(&draft, now, &clock);
    }
}

/// Returns whether what a resource deploys has to become ready.
fn becomes_ready(row: &Row) -> bool {
    match row.local() {
        Some(local) => !local.serve_cmd.is_empty(),
        None => row.k8s().is_none() || row.readiness() != PodReadiness::Ignore,
    }
}

/// Takes in what was done in one container of a round.
pub(super) fn note_synced(state: &mut State, update: LiveUpdateId, container: String, synced: &Synced) {
    let Some(draft) = state.history.running_mut(RunId::Sync(update)) else {
        return;
    };
    let (began, now) = (draft.started, state.now);
    let at = |after| (began + after).min(now);
    let mut part = StageTime::new(
        StageKind::Sync,
        container.clone(),
        began,
        at(synced.times.visible),
    );
    let bytes = synced.sent.iter().map(|file| file.bytes).sum();
    part.facts = Facts {
        files: u32::try_from(synced.sent.len() + synced.deleted.len()).ok(),
        bytes: Some(bytes),
        ..Facts::default()
    };
    let commands = (synced.times.done > synced.times.visible)
        .then(|| StageTime::new(StageKind::Command, container, part.until, at(synced.times.done)));
    if draft.stages.is_empty() {
        draft.stages.push(StageTime::new(StageKind::Sync, "", began, now));
    }
    if let Some(whole) = draft.stages.first_mut() {
        whole.until = now;
        whole.parts.push(part);
        whole.parts.extend(commands);
    }
}

/// Takes in that a round of changes of containers ended, and what went wrong; one that is no news is forgotten.
pub(super) fn end_sync(state: &mut State, update: LiveUpdateId, ended: Option<Option<String>>) {
    let (now, clock) = (state.now, state.clock());
    let draft = state.history.take(RunId::Sync(update));
    if let Some((mut draft, error)) = draft.zip(ended) {
        draft.note_end(Ending {
            is_canceled: error.as_deref() == Some("live update canceled"),
            error,
            reason: None,
        });
        state.history.keep(&draft, now, &clock);
    }
}

/// Takes in how an evaluation of the Tiltfile ended.
pub(super) fn end_load(state: &mut State, load: LoadId, error: Option<String>, is_canceled: bool) {
    let (now, clock) = (state.now, state.clock());
    if let Some(mut draft) = state.history.take(RunId::Load(load)) {
        draft.note_end(Ending {
            error,
            reason: None,
            is_canceled,
        });
        state.history.keep(&draft, now, &clock);
    }
}

/// Takes in that nobody wants the result of an evaluation any more.
pub(super) fn abandon_load(state: &mut State, load: LoadId) {
    let (now, clock) = (state.now, state.clock());
    if let Some(mut draft) = state.history.take(RunId::Load(load)) {
        draft.outcome.result = Result::Replaced;
        state.history.keep(&draft, now, &clock);
    }
}

/// Takes in that a resource is gone, or off: nobody waits for what it deployed.
pub(super) fn release(state: &mut State, name: &ManifestName) {
    let (now, clock) = (state.now, state.clock());
    if let Some(mut draft) = state.history.take_rolling(name) {
        if draft.outcome.result == Result::RollingOut {
            draft.outcome.result = Result::Canceled;
        }
        state.history.keep(&draft, now, &clock);
    }
}

/// Forgets the updates of resources that the Tiltfile does not have any more.
pub(super) fn retain(state: &mut State) {
    let rows = &state.rows;
    let is_there = |name: &ManifestName| rows.contains_key(name) || *name == ManifestName::tiltfile();
    state.history.retain(is_there);
}

/// Looks at how those resources are doing whose updates are over only when what they deployed is ready.
pub(super) fn look_at_rollouts(state: &mut State, names: &BTreeSet<ManifestName>) {
    let (now, clock) = (state.now, state.clock());
    for name in names {
        let Some(row) = state.rows.get(name) else { continue };
        if state.history.rolling_mut(name).is_none() || row.building.is_some() {
            continue;
        }
        let outcome = rollout(state, row);
        if outcome.result == Result::Ok {
            if let Some(mut draft) = state.history.take_rolling(name) {
                draft.outcome = outcome;
                state.history.keep(&draft, now, &clock);
            }
        } else if let Some(draft) = state.history.rolling_mut(name) {
            draft.outcome = outcome;
        }
        state.rows.touch(name);
    }
}

/// Returns how what a resource deployed is doing.
fn rollout(state: &State, row: &Row) -> Outcome {
    let well = |result| Outcome {
        result,
        reason: None,
        message: None,
    };
    let result = match row.runtime.status {
        RuntimeStatus::Ok | RuntimeStatus::NotApplicable => return well(Result::Ok),
        RuntimeStatus::Error => Result::Failed,
        RuntimeStatus::Pending | RuntimeStatus::None => Result::RollingOut,
    };
    let said = |message: String| Outcome {
        result,
        reason: None,
        message: Some(message),
    };
    if let Some(server) = &row.server {
        return server.fault().map_or(well(result), said);
    }
    let pod = state.telling_pod(row);
    let trouble = pod.and_then(|pod| row.runtime.trouble_of(pod));
    match (trouble, &row.runtime.health.why) {
        (Some(trouble), _) => Outcome {
            result,
            reason: Some(trouble.reason),
            message: Some(trouble.message).filter(|message| !message.is_empty()),
        },
        (None, Some(why)) => said(why.clone()),
        (None, None) => well(result),
    }
}

/// Returns that what ended is to be kept.
pub(super) fn news(state: &mut State) -> Vec<Effect> {
    state
        .history
        .take_news()
        .into_iter()
        .map(Effect::Record)
        .collect()
}

/// Returns that all is to be kept, also what goes on when the session ends.
pub(super) fn all_that_goes_on(state: &mut State) -> Vec<Effect> {
    let mut effects = news(state);
    let open = state.history.all_going_on(state.clock());
    effects.extend(open.into_iter().map(|record| Effect::Record(Arc::new(record))));
    effects
}
