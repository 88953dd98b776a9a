//! What to do about one container: nothing, wait, change it, or give up and build the image anew. A pure function of what
//! the container is like and of the files in which it differs from the disk.
//!
//! Rule: `docs/rules/live-update.md`, "What happens to a change".

use std::collections::BTreeSet;

use crate::engine::file_names::file_names;
use crate::engine::state::live::FallBack;
use crate::model::{
    BatchRun, Container, ContainerPath, ContainerState, Exec, LiveUpdate, LocalPath, Pod, PodPhase,
    RestartPolicy, Sync,
};

/// In what a container differs from the disk, as far as a live update is concerned.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Difference<'a> {
    /// Files that changed since it was made and are not in it as they are now.
    pub(crate) files: BTreeSet<&'a LocalPath>,
    /// Those of them that wait until a user asks for an update.
    pub(crate) unasked: BTreeSet<&'a LocalPath>,
    /// Files whose commands have not all succeeded since.
    pub(crate) unfinished: BTreeSet<&'a LocalPath>,
    /// Whether all that is synced is to be compared, and why.
    pub(crate) whole: Option<Whole>,
}

/// Why all that is synced is looked at, and not only what changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Whole {
    /// It is to be copied as soon as a container starts.
    InitialSync,
    /// The container is older than this session: what was synced into it before is not known.
    Older,
}

/// What to do about a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Plan {
    /// Nothing, it has ended for good.
    Ended,
    /// Nothing, it is as it should be.
    Nothing,
    /// It cannot be changed now.
    Wait(Wait),
    /// Change it.
    Change(Work),
    /// Build the image anew.
    Build(FallBack),
}

/// What a container waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wait {
    /// Until it runs.
    Container,
    /// Until a user asks.
    Trigger,
}

/// What to change in a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Work {
    /// What is copied, and where to.
    pub(crate) files: Vec<(LocalPath, ContainerPath)>,
    /// What is run then.
    pub(crate) runs: Vec<BatchRun>,
    /// The steps whose files are all looked at, and why.
    pub(crate) whole: Option<(Whole, Vec<Sync>)>,
}

/// Returns what to do about a container; paths are shown relative to `cwd`.
pub(crate) fn plan(
    update: &LiveUpdate,
    (pod, container): (&Pod, &Container),
    difference: &Difference<'_>,
    cwd: &LocalPath,
) -> Plan {
    if has_ended(pod, container) {
        return Plan::Ended;
    }
    if let Some(fall_back) = fall_back(update, &difference.files, cwd) {
        return Plan::Build(fall_back);
    }
    if difference.files.is_empty() && difference.whole.is_none() {
        return Plan::Nothing;
    }
    if is_crashing(container) {
        return Plan::Build(FallBack {
            reason: "CrashLoopBackOff",
            message: format!("Cannot live update because container crashing. Pod: {}", pod.name),
        });
    }
    if container.state != ContainerState::Running || container.id.is_empty() {
        return Plan::Wait(Wait::Container);
    }
    let asked: Vec<&LocalPath> = difference
        .files
        .difference(&difference.unasked)
        .copied()
        .collect();
    if asked.is_empty() && difference.whole.is_none() {
        return Plan::Wait(Wait::Trigger);
    }
    Plan::Change(work(update, &asked, difference))
}

/// Returns why these files cannot be changed in place, if one of them cannot: because no step copies it, or because it
/// stops live updates.
pub(crate) fn fall_back(
    update: &LiveUpdate,
    files: &BTreeSet<&LocalPath>,
    cwd: &LocalPath,
) -> Option<FallBack> {
    let is_synced = |file: &LocalPath| update.syncs.iter().any(|sync| file.is_within(&sync.source));
    let unmatched: Vec<&LocalPath> = files.iter().copied().filter(|file| !is_synced(file)).collect();
    let stop_of = |file: &LocalPath| update.stop_paths.iter().find(|stop| file.is_within(stop));
    if !unmatched.is_empty() {
        let synced = update.syncs.iter().map(|sync| shown(&sync.source, update));
        // A stop path seldom is in a sync: it stays the rule that matched.
        let stop = unmatched.iter().find_map(|file| stop_of(file));
        let stop = stop.map(|rule| format!("; fall_back_on: [{}]", shown(rule, update)));
        return Some(FallBack {
            reason: STOPPED,
            message: format!(
                "Found file(s) not matching any sync (files: [{}]); synced: [{}]{}",
                file_names(cwd, unmatched),
                synced.collect::<Vec<_>>().join(" "),
                stop.unwrap_or_default()
            ),
        });
    }
    files.iter().find_map(|file| {
        let rule = stop_of(file)?;
        Some(FallBack {
            reason: STOPPED,
            message: format!(
                "Detected change to stop file \"{file}\"; fall_back_on: [{}]",
                shown(rule, update)
            ),
        })
    })
}

const STOPPED: &str = "UpdateStopped";

fn shown(path: &LocalPath, update: &LiveUpdate) -> String {
    path.relative_with_dots(&update.base)
}

/// Returns that all containers that were to be changed have ended.
pub(crate) fn all_ended(pod: &Pod) -> FallBack {
    FallBack {
        reason: "Terminated",
        message: format!("Container for live update is stopped. Pod: {}", pod.name),
    }
}

/// Returns whether a container will not run again. One that its pod starts again is only waited for.
pub(crate) fn has_ended(pod: &Pod, container: &Container) -> bool {
    if matches!(pod.phase, PodPhase::Succeeded | PodPhase::Failed) {
        return true;
    }
    match (&container.state, pod.restarts) {
        (ContainerState::Terminated { .. }, RestartPolicy::Never) => true,
        (ContainerState::Terminated { exit_code, .. }, RestartPolicy::OnFailure) => *exit_code == 0,
        _ => false,
    }
}

/// Returns whether a container will not run again soon. The first time that one ends it runs again at once, from then on the
/// kubelet waits longer and longer, and it takes a while until it says so.
fn is_crashing(container: &Container) -> bool {
    match &container.state {
        ContainerState::Waiting { reason, .. } => reason == "CrashLoopBackOff",
        ContainerState::Terminated { .. } => container.restarts > 0,
        _ => false,
    }
}

fn work(update: &LiveUpdate, files: &[&LocalPath], difference: &Difference<'_>) -> Work {
    if let Some(why) = difference.whole {
        let whole = update.syncs.iter();
        let is_due = |exec: &&Exec| {
            let triggers = triggers(update, exec);
            let is_synced = |trigger: &LocalPath| {
                let mut sources = update.syncs.iter().map(|sync| &sync.source);
                sources.any(|source| trigger.is_within(source) || source.is_within(trigger))
            };
            triggers.is_empty() || triggers.iter().any(is_synced)
        };
        return Work {
            // Whether a path is a directory, and so goes there itself or into there, is seen where it is read.
            files: whole
                .map(|sync| (sync.source.clone(), ContainerPath::new(&sync.destination)))
                .collect(),
            runs: update
                .execs
                .iter()
                .filter(is_due)
                .map(|exec| BatchRun {
                    only_for: triggers(update, exec),
                    ..run(exec)
                })
                .collect(),
            whole: Some((why, update.syncs.clone())),
        };
    }
    let is_due = |exec: &&Exec| {
        let triggers = triggers(update, exec);
        let matches = |file: &LocalPath| triggers.iter().any(|trigger| file.is_within(trigger));
        triggers.is_empty()
            || files.iter().any(|file| matches(file))
            || difference.unfinished.iter().any(|file| matches(file))
    };
    let placed = |file: &&LocalPath| {
        let sync = update.syncs.iter().find(|sync| file.is_within(&sync.source))?;
        Some(((*file).clone(), place(sync, file)))
    };
    Work {
        files: files.iter().filter_map(placed).collect(),
        runs: update.execs.iter().filter(is_due).map(run).collect(),
        whole: None,
    }
}

fn run(exec: &Exec) -> BatchRun {
    BatchRun {
        argv: exec.argv.clone(),
        echo_off: exec.echo_off,
        // Which of them are due is decided here.
        only_for: Vec::new(),
    }
}

/// Returns the files and directories of which one must have changed; none means always.
fn triggers(update: &LiveUpdate, exec: &Exec) -> Vec<LocalPath> {
    let triggers = exec.triggers.iter();
    triggers.map(|trigger| update.base.join(trigger)).collect()
}

/// Returns where a file of a step goes.
///
/// Rule: `docs/rules/live-update.md`, "Place in the container".
fn place(sync: &Sync, file: &LocalPath) -> ContainerPath {
    let to = ContainerPath::new(&sync.destination);
    if *file != sync.source {
        return to.join(file.relative_to(&sync.source));
    }
    // Of a directory it is what is in it that changes.
    match file.as_path().file_name() {
        Some(name) if sync.destination.ends_with('/') => to.join(name),
        _ => to,
    }
}
