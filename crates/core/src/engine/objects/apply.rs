//! What users ask to apply to the cluster: YAML, or commands that deploy and take away again.
//!
//! An object is applied once the cluster is there, again with another definition, and again when a button or a file watch
//! that `restartOn` names says so; by the same update as a resource. What it applied goes with it.
//!
//! Rule: `docs/rules/api.md`, "Applying and discovering".

use std::time::{Duration, Instant};

use serde_json::{Map, Value, json};

use crate::engine::effect::{Effect, UpdatePlan};
use crate::engine::event::{ClusterStatus, UpdateOutcome};
use crate::engine::object_id::ObjectId;
use crate::engine::state::objects::apply::{ApplyState, Orphan};
use crate::engine::state::objects::table::{Does, Object};
use crate::engine::state::objects::{Disable, spec};
use crate::engine::state::{Deployed, Remains, State};
use crate::engine::{gc, workloads};
use crate::k8s::order::rank;
use crate::k8s::{Entity, deployable, yaml};
use crate::model::{
    ApiKind, ApiObject, BuildId, Command, CustomDeploy, DeployTarget, K8sOptions, K8sTarget, Level,
    LocalPath, LogEvent, ManifestName, PodReadiness, SpanId, TargetId, Timestamp, parse_go_duration,
};

/// How long applying one object may take where nothing is said.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Why what was applied is deleted, as shown.
const REMOVED: &str = "garbage collecting removed Kubernetes objects";

/// Applies what is to be applied now.
pub(super) fn refresh(state: &mut State) -> Vec<Effect> {
    let names = state.objects.names(ApiKind::KubernetesApply);
    names.iter().flat_map(|name| refresh_one(state, name)).collect()
}

fn refresh_one(state: &mut State, name: &str) -> Vec<Effect> {
    let Some(row) = state.objects.get(ApiKind::KubernetesApply, name) else {
        return Vec::new();
    };
    let Does::Apply(apply) = &row.does else {
        return Vec::new();
    };
    if apply.running.is_some() {
        return Vec::new();
    }
    if row.disable.is_off() {
        if apply.applied.is_none() {
            return Vec::new();
        }
        let (manifest, span) = place(name, &row.object);
        let deployed = change(state, name, std::mem::take).unwrap_or_default().deployed;
        return delete(state, &manifest, span, deployed);
    }
    let restart_on = spec::field(&row.object.spec, "restartOn");
    let click = state
        .objects
        .last_click(&spec::texts(&restart_on["uiButtons"]))
        .map_or(0, |click| click.seq);
    let restarted = state
        .last_file_event(&spec::texts(&restart_on["fileWatches"]))
        .max(click);
    let is_wanted = apply.applied.as_ref() != Some(&row.object.spec) || restarted > apply.restarted;
    if !is_wanted || state.cluster != ClusterStatus::Connected {
        return Vec::new();
    }
    let (wanted, object) = (row.object.spec.clone(), row.object.clone());
    let (manifest, span) = place(name, &object);
    let (now, is_again) = (state.now, apply.applied.is_some());
    let target = target(&state.config.cwd, &manifest, &wanted);
    let build = BuildId(state.last_build + 1);
    let running = target.is_ok().then_some((build, now));
    let error = target.as_ref().err().cloned();
    change(state, name, |apply| {
        (apply.applied, apply.restarted) = (Some(wanted), restarted);
        apply.running = running;
        if let Some(error) = error {
            apply.last = Some((now, now, Some(error)));
        }
    });
    let deploy = match target {
        Ok(target) => DeployTarget::K8s(target),
        Err(error) => return vec![failure(name, span, manifest, &error)],
    };
    state.last_build = build.0;
    let plan = UpdatePlan {
        build,
        manifest,
        span,
        header: if is_again { "Applying again" } else { "Applying" }.to_owned(),
        images: Vec::new(),
        parallel_images: 1,
        deploy,
        force: false,
        moment: state.next_moment(),
    };
    vec![Effect::StartUpdate(Box::new(plan))]
}

fn change<T>(state: &mut State, name: &str, change: impl FnOnce(&mut ApplyState) -> T) -> Option<T> {
    state.dirty.cluster = true;
    state
        .objects
        .stale_pods
        .insert((ApiKind::KubernetesApply, name.to_owned()));
    match state.objects.get_mut(ApiKind::KubernetesApply, name) {
        Some(Object {
            does: Does::Apply(apply),
            ..
        }) => Some(change(apply)),
        _ => None,
    }
}

/// Returns whose log the lines of an object belong to, and their source. What belongs to no resource has a name of its own.
fn place(name: &str, object: &ApiObject) -> (ManifestName, SpanId) {
    let (span, manifest) = spec::log_place(ApiKind::KubernetesApply, name, object);
    let own = manifest.filter(|manifest| *manifest != ManifestName::tiltfile());
    (own.unwrap_or_else(|| name.into()), span)
}

fn failure(name: &str, span: SpanId, manifest: ManifestName, error: &str) -> Effect {
    let text = format!("kubernetesapply {name}: {error}");
    Effect::Log(LogEvent::line(span, manifest, text).level(Level::Error))
}

/// Returns what is deployed, or why nothing can be.
fn target(cwd: &LocalPath, manifest: &ManifestName, spec: &Map<String, Value>) -> Result<K8sTarget, String> {
    if !spec::texts(spec::field(spec, "imageMaps")).is_empty() {
        return Err(
            "images of a Tiltfile are put into what its resources deploy, not into objects of your own"
                .to_owned(),
        );
    }
    let (apply, delete) = (spec::field(spec, "applyCmd"), spec::field(spec, "deleteCmd"));
    let custom_deploy = apply.is_object().then(|| CustomDeploy {
        apply: command(cwd, apply),
        delete: command(cwd, delete),
        deps: Vec::new(),
        watch_ignores: Vec::new(),
    });
    let text = spec::text(spec::field(spec, "yaml"));
    let read = yaml::read(&text, manifest.as_str()).map_err(|fault| fault.message)?;
    let mut entities: Vec<Entity> = deployable(read.entities);
    entities.sort_by_key(|entity| rank(entity.kind()));
    Ok(K8sTarget {
        id: TargetId::k8s(manifest),
        entities,
        images: Vec::new(),
        readiness: PodReadiness::Ignore,
        extra_pod_selectors: Vec::new(),
        upsert_timeout: timeout(spec),
        options: Box::new(K8sOptions {
            custom_deploy,
            ..K8sOptions::default()
        }),
    })
}

fn command(cwd: &LocalPath, value: &Value) -> Command {
    Command {
        argv: spec::texts(&value["args"]),
        dir: Some(cwd.join(spec::text(&value["dir"]))),
        env: spec::texts(&value["env"]),
    }
}

/// Returns the command that takes away what an object deploys by a command, and how long it may take.
fn delete_command(cwd: &LocalPath, spec: &Map<String, Value>) -> Option<(Command, Duration)> {
    let delete = spec::field(spec, "deleteCmd");
    delete.is_object().then(|| (command(cwd, delete), timeout(spec)))
}

/// Returns how long an apply or a deletion may take: none at all stands for no choice, as an API server writes it.
fn timeout(spec: &Map<String, Value>) -> Duration {
    let chosen = parse_go_duration(&spec::text(spec::field(spec, "timeout"))).ok();
    chosen.filter(|chosen| !chosen.is_zero()).unwrap_or(TIMEOUT)
}

/// Takes in how applying an object ended.
pub(crate) fn on_finished(state: &mut State, build: BuildId, outcome: UpdateOutcome) -> Vec<Effect> {
    if let Some(at) = state
        .objects
        .orphans
        .iter()
        .position(|orphan| orphan.build == build)
    {
        let Orphan {
            manifest,
            span,
            state: mut apply,
            ..
        } = state.objects.orphans.swap_remove(at);
        let command = apply
            .applied
            .as_ref()
            .and_then(|spec| delete_command(&state.config.cwd, spec));
        note(&mut apply.deployed, &outcome, command);
        return delete(state, &manifest, span, apply.deployed);
    }
    let runs = |name: &String| {
        matches!(state.objects.get(ApiKind::KubernetesApply, name).map(|row| &row.does),
            Some(Does::Apply(apply)) if apply.running.is_some_and(|(running, _)| running == build))
    };
    let names = state.objects.names(ApiKind::KubernetesApply);
    let Some(name) = names.into_iter().find(runs) else {
        return Vec::new();
    };
    let (now, cwd) = (state.now, state.config.cwd.clone());
    let error = outcome.error.clone();
    let gone = change(state, &name, |apply| {
        let began = apply.running.take().map_or(now, |(_, began)| began);
        apply.last = Some((began, now, outcome.error.clone()));
        let command = apply.applied.as_ref().and_then(|spec| delete_command(&cwd, spec));
        note(&mut apply.deployed, &outcome, command)
    });
    state.objects.is_stale = true;
    workloads::on_applied(state, &outcome.applied);
    let Some(row) = state.objects.get(ApiKind::KubernetesApply, &name) else {
        return Vec::new();
    };
    let (manifest, span) = place(&name, &row.object);
    let failed = error.map(|error| failure(&name, span.clone(), manifest.clone(), &error));
    let deleted = delete(state, &manifest, span, gone.unwrap_or_default());
    failed.into_iter().chain(deleted).collect()
}

/// Writes down what was applied; returns what is no longer wanted of what was there before.
fn note(deployed: &mut Deployed, outcome: &UpdateOutcome, command: Option<(Command, Duration)>) -> Deployed {
    if command.is_some() && (outcome.deploy_began || outcome.error.is_none()) {
        deployed.delete_command = command;
    }
    let by_command = deployed.delete_command.is_some();
    if !by_command {
        let applied = outcome
            .applied
            .iter()
            .map(|object| (object.id.clone(), object.clone()));
        deployed.owned.extend(applied);
    }
    if outcome.error.is_some() {
        return Deployed::default();
    }
    deployed.objects.clone_from(&outcome.applied);
    let is_wanted = |id: &ObjectId| outcome.applied.iter().any(|object| object.id == *id);
    Deployed {
        owned: deployed.owned.extract_if(.., |id, _| !is_wanted(id)).collect(),
        ..Deployed::default()
    }
}

fn delete(state: &mut State, manifest: &ManifestName, span: SpanId, deployed: Deployed) -> Vec<Effect> {
    let remains = Remains {
        deployed,
        reason: REMOVED,
    };
    gc::delete_remains(state, manifest, span, remains)
}

/// Takes away what an object applied that is gone. While it is still being applied that waits until that was cancelled.
pub(super) fn release(state: &mut State, name: &str, object: Object) -> Vec<Effect> {
    let Does::Apply(apply) = object.does else {
        return Vec::new();
    };
    state.dirty.cluster = true;
    let (manifest, span) = place(name, &object.object);
    let Some((build, _)) = apply.running else {
        return delete(state, &manifest, span, apply.deployed);
    };
    state.objects.orphans.push(Orphan {
        build,
        manifest,
        span,
        state: *apply,
    });
    vec![Effect::CancelUpdate { build }]
}

/// Returns the namespaces of what is applied.
pub(super) fn namespaces(state: &State) -> impl Iterator<Item = &str> {
    let objects = state.objects.of_kind(ApiKind::KubernetesApply);
    let applied = objects.filter_map(|(_, row)| match &row.does {
        Does::Apply(apply) => Some(apply.deployed.all()),
        _ => None,
    });
    let default = &state.config.default_namespace;
    applied
        .flatten()
        .map(|object| object.id.namespace.as_ref().unwrap_or(default).as_str())
}

/// Returns the status of an object as the API shows it.
pub(super) fn status(state: &State, apply: &ApplyState, disable: &Disable) -> Value {
    let time = |at: Option<Instant>| at.map(|at| state.time_of(at)).map(Timestamp::to_micro_text);
    let last = apply.last.as_ref();
    let error = last.and_then(|(_, _, error)| error.as_deref());
    let began = apply
        .running
        .map(|(_, began)| began)
        .or(last.map(|(began, _, _)| *began));
    let mut status = json!({
        "error": error.unwrap_or_default(),
        "lastApplyStartTime": time(began),
        "lastApplyTime": time(last.map(|(_, ended, _)| *ended)),
    });
    if let Some(disable) = disable.to_json() {
        status["disableStatus"] = disable;
    }
    status
}
