//! How what a resource deployed is doing: it is well when each of its parts is.
//!
//! A part is an object that was applied and makes pods, or a workload that makes pods for one. A Job is judged by its
//! conditions, a workload by all the pods that it wants, and pods that nobody answers for by themselves.
//!
//! Rule: `docs/rules/runtime.md`, "Runtime status": Tilt looks at the newest pod alone; what differs from that is in `docs/differences.md`.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use crate::engine::deploy::Judgement;
use crate::engine::event::AppliedObject;
use crate::engine::state::{Health, Row, State};
use crate::engine::{pod_claims, workloads};
use crate::model::{
    ContainerState, JobState, ObjectUid, Pod, PodPhase, PodReadiness, PodTrouble, RuntimeStatus, Workload,
    WorkloadKind, WorkloadState,
};

/// How long a container that has ended before must stay up to count as ready again.
const STEADY: Duration = Duration::from_secs(10);
/// How long a container must have run that nothing but its running speaks for, before a run of `ci` is a success. The
/// kubelet looks at containers each second, and may tell of an end a second later than of a beginning.
const PROOF: Duration = Duration::from_secs(4);
/// How long it is waited for what a workload says of itself that makes pods for us.
const LOOK_UP: Duration = Duration::from_secs(5);

/// Returns how what a resource deployed to a cluster is doing.
pub(super) fn judge(state: &State, row: &Row) -> Judgement {
    if row.deployed.at.is_none() {
        return Judgement::plain(RuntimeStatus::Pending);
    }
    if row.readiness() == PodReadiness::Ignore {
        return Judgement::plain(RuntimeStatus::Ok);
    }
    let mut look = Look::new(state, row);
    let (status, health) = sum_up(look.findings());
    Judgement {
        status,
        health,
        makers: look.makers,
    }
}

/// What one part comes to.
enum Finding {
    Well {
        is_done: bool,
        proven_at: Option<Instant>,
    },
    /// It wants no pods.
    Asleep,
    Unwell(Unwell),
}

#[derive(Default)]
struct Unwell {
    is_error: bool,
    is_final: bool,
    culprit: Option<ObjectUid>,
    why: Option<String>,
    look_again: Option<Instant>,
}

/// Pods of one part that count.
#[derive(Default)]
struct Available {
    number: usize,
    /// When the next one counts.
    next: Option<Instant>,
    proven_at: Option<Instant>,
}

/// A look at one resource.
struct Look<'a> {
    state: &'a State,
    row: &'a Row,
    /// Workloads that make pods for what was applied, with kind and namespace.
    makers: BTreeMap<ObjectUid, (WorkloadKind, String)>,
}

impl<'a> Look<'a> {
    fn new(state: &'a State, row: &'a Row) -> Self {
        Self {
            state,
            row,
            makers: BTreeMap::new(),
        }
    }

    fn findings(&mut self) -> Vec<Finding> {
        let (mut of_objects, mut of_makers) = (BTreeMap::new(), BTreeMap::new());
        let (mut strays, mut scheduled) = (Vec::new(), Vec::new());
        for pod in pod_claims::counting(self.state, self.row) {
            let object = self.nearest(pod);
            if let Some(object) = object.filter(|object| workloads::is_part(object)) {
                of_objects.entry(&object.uid).or_insert_with(Vec::new).push(pod);
            } else if object.is_some_and(|object| object.id.kind == "CronJob") {
                scheduled.push(pod);
            } else if let Some((owner, kind)) = workloads::maker(pod, object.map(|object| &object.uid)) {
                self.makers
                    .insert(owner.uid.clone(), (kind, pod.namespace.clone()));
                of_makers
                    .entry(owner.uid.clone())
                    .or_insert_with(Vec::new)
                    .push(pod);
            } else {
                strays.push(pod);
            }
        }
        self.add_makers_without_pods();
        let mut findings = Vec::new();
        for object in self
            .row
            .deployed
            .objects
            .iter()
            .filter(|object| workloads::is_part(object))
        {
            let pods = of_objects.remove(&object.uid).unwrap_or_default();
            findings.push(self.of_object(object, &pods));
        }
        for uid in self.makers.keys() {
            let pods = of_makers.remove(uid).unwrap_or_default();
            findings.extend(self.of_maker(uid, &pods));
        }
        // What runs at its times is nobody's readiness, unless there is nothing else.
        if findings.is_empty() && strays.is_empty() {
            strays = scheduled;
        }
        if !strays.is_empty() {
            findings.push(self.of_pods(&strays, false));
        }
        findings
    }

    /// Returns the object of the last deploy that the pod is, or nearest comes from.
    fn nearest(&self, pod: &Pod) -> Option<&'a AppliedObject> {
        let objects = &self.row.deployed.objects;
        let mut chain = std::iter::once(&pod.uid).chain(pod.owners.iter().map(|owner| &owner.uid));
        chain.find_map(|uid| objects.iter().find(|object| object.uid == *uid))
    }

    /// Adds workloads whose pods cannot be seen, because they have none now.
    fn add_makers_without_pods(&mut self) {
        if self.row.runtime.borrowed_kinds.is_empty() {
            return;
        }
        let objects = self.row.deployed.objects.iter();
        let lends = |object: &&AppliedObject| !workloads::is_part(object) && object.id.kind != "CronJob";
        let lending: Vec<&ObjectUid> = objects.filter(lends).map(|object| &object.uid).collect();
        let known = self.state.workloads.values();
        let made = known.filter(|workload| workload.owners.iter().any(|owner| lending.contains(&owner)));
        let made = made.map(|made| (made.uid.clone(), (made.kind, made.namespace.clone())));
        self.makers.extend(made);
    }

    fn of_object(&self, object: &AppliedObject, pods: &[&Pod]) -> Finding {
        if object.id.kind == "Pod" {
            return self.of_pods(pods, true);
        }
        let Some(workload) = self.state.workloads.get(&object.uid) else {
            let is_gone = self.row.deployed.gone.contains(&object.uid);
            return Finding::Unwell(Unwell {
                why: is_gone.then(|| format!("{} was deleted", object.id)),
                ..self.trouble(pods, Duration::ZERO, false)
            });
        };
        self.of_workload(workload, pods, !object.template_hashes.is_empty())
    }

    /// Returns what a workload comes to that makes pods for us, once it is known; where nothing is heard of it, its pods
    /// speak for themselves.
    fn of_maker(&self, uid: &ObjectUid, pods: &[&Pod]) -> Option<Finding> {
        if let Some(workload) = self.state.workloads.get(uid) {
            return Some(self.of_workload(workload, pods, false));
        }
        let seen = pods.iter().filter_map(|pod| self.state.pods.get(&pod.uid));
        let until = seen.map(|seen| seen.first_seen).min()? + LOOK_UP;
        if self.state.now >= until {
            return Some(self.of_pods(pods, false));
        }
        Some(Finding::Unwell(Unwell {
            look_again: Some(until),
            ..self.trouble(pods, Duration::ZERO, false)
        }))
    }

    /// `told_apart`: whether pods of an earlier template can be told from those that count.
    fn of_workload(&self, workload: &Workload, pods: &[&Pod], told_apart: bool) -> Finding {
        match &workload.state {
            WorkloadState::Job(job) => self.of_job(workload, job, pods),
            WorkloadState::Pods(_) if self.row.readiness() == PodReadiness::Succeeded => {
                self.of_pods(pods, false)
            }
            WorkloadState::Pods(counts) if counts.wanted == Some(0) => Finding::Asleep,
            WorkloadState::Pods(counts) => {
                let available = self.available(pods, workload.min_ready);
                let wanted = counts.wanted.map(|wanted| wanted as usize);
                let has_all = wanted.is_some_and(|wanted| available.number >= wanted);
                if has_all && (told_apart || counts.is_rolled_out) {
                    return Finding::Well {
                        is_done: false,
                        proven_at: available.proven_at,
                    };
                }
                Finding::Unwell(Unwell {
                    why: shortage(workload, pods, available.number, wanted),
                    look_again: available.next,
                    ..self.trouble(pods, workload.min_ready, false)
                })
            }
        }
    }

    fn of_job(&self, job: &Workload, state: &JobState, pods: &[&Pod]) -> Finding {
        match state {
            JobState::Complete => Finding::Well {
                is_done: true,
                proven_at: None,
            },
            JobState::Suspended => Finding::Asleep,
            JobState::Failed { reason, message } => {
                let failed = pods.iter().filter(|pod| pod.phase == PodPhase::Failed);
                let last = failed.max_by_key(|pod| (pod.created, &pod.name));
                // Its pods tell better than that there were too many of that kind.
                let is_told_by_pod = reason == "BackoffLimitExceeded" && last.is_some();
                Finding::Unwell(Unwell {
                    is_error: true,
                    is_final: true,
                    culprit: last.filter(|_| is_told_by_pod).map(|pod| pod.uid.clone()),
                    why: Some(failure(job, reason, message)),
                    look_again: None,
                })
            }
            JobState::Running { wanted } => {
                let available = self.available(pods, Duration::ZERO);
                if self.lets_jobs_run_on() && *wanted > 0 && available.number >= *wanted as usize {
                    return Finding::Well {
                        is_done: false,
                        proven_at: available.proven_at,
                    };
                }
                Finding::Unwell(Unwell {
                    look_again: available.next.filter(|_| self.lets_jobs_run_on()),
                    ..self.trouble(pods, Duration::ZERO, true)
                })
            }
        }
    }

    /// Returns whether the Tiltfile says that a Job need only be ready: without that a resource with a Job waits for its
    /// end. What a command deploys may be anything.
    fn lets_jobs_run_on(&self) -> bool {
        let is_by_command = self.row.delete_command().is_some();
        self.row.readiness() == PodReadiness::Wait && !is_by_command
    }

    /// Returns what pods come to that no workload answers for. `applied`: whether one of them was applied as it is, so that
    /// nobody makes another when it has failed.
    fn of_pods(&self, pods: &[&Pod], applied: bool) -> Finding {
        let newest = pods.iter().max_by_key(|pod| (pod.created, &pod.name));
        if let Some(failed) = newest.filter(|pod| pod.phase == PodPhase::Failed) {
            return Finding::Unwell(Unwell {
                is_error: true,
                is_final: applied,
                culprit: Some(failed.uid.clone()),
                ..Unwell::default()
            });
        }
        let is_over = |pod: &&&Pod| matches!(pod.phase, PodPhase::Succeeded | PodPhase::Failed);
        let alive: Vec<&Pod> = pods.iter().filter(|pod| !is_over(pod)).copied().collect();
        let available = self.available(&alive, Duration::ZERO);
        let all_ready = available.number == alive.len();
        let may_run = alive.is_empty() || self.row.readiness() != PodReadiness::Succeeded;
        if newest.is_some() && all_ready && may_run {
            return Finding::Well {
                is_done: alive.is_empty(),
                proven_at: available.proven_at,
            };
        }
        Finding::Unwell(Unwell {
            look_again: available.next,
            ..self.trouble(&alive, Duration::ZERO, false)
        })
    }

    /// Counts pods that are ready, and have been for as long as they must.
    fn available(&self, pods: &[&Pod], min_ready: Duration) -> Available {
        let mut available = Available::default();
        for (pod, since) in pods.iter().filter_map(|pod| Some((pod, self.serves_since(pod)?))) {
            let counts_at = since + settling(pod, min_ready);
            if counts_at > self.state.now {
                available.next = Some(available.next.map_or(counts_at, |next| next.min(counts_at)));
                continue;
            }
            available.number += 1;
            if pod.containers.iter().any(|container| !container.has_probe) {
                available.proven_at = available.proven_at.max(Some(since + PROOF));
            }
        }
        available
    }

    fn serves_since(&self, pod: &Pod) -> Option<Instant> {
        self.state
            .pods
            .get(&pod.uid)?
            .serves_since
            .filter(|_| !pod.deleting)
    }

    /// Returns what is wrong with pods that do not count yet: the worst of it, of the newest. Those of a Job may fail.
    fn trouble(&self, pods: &[&Pod], min_ready: Duration, of_job: bool) -> Unwell {
        let counts = |pod: &Pod| self.available(&[pod], min_ready).number > 0;
        let waits = |pod: &&&Pod| !pod.deleting && pod.phase != PodPhase::Succeeded && !counts(pod);
        let worst = pods.iter().filter(waits).max_by_key(|pod| {
            let trouble = PodTrouble::of(pod);
            let is_grave = trouble.as_ref().is_some_and(PodTrouble::is_grave);
            (
                is_error(pod, of_job),
                is_grave,
                trouble.is_some(),
                pod.created,
                &pod.name,
            )
        });
        Unwell {
            is_error: worst.is_some_and(|pod| is_error(pod, of_job)),
            culprit: worst.map(|pod| pod.uid.clone()),
            ..Unwell::default()
        }
    }
}

fn sum_up(findings: Vec<Finding>) -> (RuntimeStatus, Health) {
    let mut health = Health {
        is_done: true,
        ..Health::default()
    };
    let (mut n_well, mut worst) = (0, None::<Unwell>);
    for finding in findings {
        match finding {
            Finding::Well { is_done, proven_at } => {
                n_well += 1;
                health.is_done &= is_done;
                health.proven_at = health.proven_at.max(proven_at);
            }
            Finding::Asleep => {}
            Finding::Unwell(unwell) => {
                let earliest = health.look_again.into_iter().chain(unwell.look_again).min();
                health.look_again = earliest;
                let badness = |unwell: &Unwell| (unwell.is_final, unwell.is_error, unwell.why.is_some());
                if worst
                    .as_ref()
                    .is_none_or(|worst| badness(worst) < badness(&unwell))
                {
                    worst = Some(unwell);
                }
            }
        }
    }
    let Some(worst) = worst else {
        let is_well = n_well > 0;
        health.is_done &= is_well;
        let status = if is_well {
            RuntimeStatus::Ok
        } else {
            RuntimeStatus::Pending
        };
        return (status, health);
    };
    health.is_done = false;
    (health.is_final, health.culprit, health.why) = (worst.is_final, worst.culprit, worst.why);
    let status = if worst.is_error {
        RuntimeStatus::Error
    } else {
        RuntimeStatus::Pending
    };
    (status, health)
}

/// Returns how long a pod must have been ready before it counts.
fn settling(pod: &Pod, min_ready: Duration) -> Duration {
    let has_ended = pod
        .containers
        .iter()
        .any(|container| container.last_exit.is_some());
    if has_ended {
        min_ready.max(STEADY)
    } else {
        min_ready
    }
}

/// Returns whether a pod that does not run yet reports an error. What ends in a pod of a Job is the Job's to judge.
///
/// A container that keeps crashing in a pod that counts as running is no error: the pod's status text tells more.
fn is_error(pod: &Pod, of_job: bool) -> bool {
    let is_over = matches!(
        pod.phase,
        PodPhase::Running | PodPhase::Succeeded | PodPhase::Failed
    );
    let counts = |state: &ContainerState| match state {
        ContainerState::Terminated { .. } => !of_job,
        ContainerState::Waiting { reason, .. } => !(of_job && reason == "CrashLoopBackOff"),
        _ => true,
    };
    let mut states = pod.all_containers().map(|(_, container)| &container.state);
    !is_over && states.any(|state| state.is_error() && counts(state))
}

fn shortage(workload: &Workload, pods: &[&Pod], ready: usize, wanted: Option<usize>) -> Option<String> {
    // Where there is no pod at all, that says enough.
    let wanted = wanted.filter(|_| !pods.is_empty() || workload.trouble.is_some())?;
    let trouble = workload.trouble.iter().map(|trouble| format!("; {trouble}"));
    let text = if ready >= wanted {
        format!("{workload} is still being rolled out")
    } else {
        format!("{workload} has {ready} of {wanted} pods ready")
    };
    Some(text + &trouble.collect::<String>())
}

fn failure(job: &Workload, reason: &str, message: &str) -> String {
    let parts = [format!("{job} failed"), reason.to_owned(), message.to_owned()];
    let said: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    said.join(": ")
}
