//! The cluster of a made-up outside: objects, and the pods that come from them.

use std::collections::BTreeSet;

use tilt::engine::{AppliedObject, Event, ObjectId, UpdateOutcome};
use tilt::model::{
    Container, ContainerExit, ContainerState, JobState, ManifestName, ObjectUid, Owner, Pod, PodCondition,
    PodCounts, PodPhase, RestartPolicy, Timestamp, Workload, WorkloadKind, WorkloadState,
};

use crate::project::{Content, image_number};
use crate::rules::Verdict;
use crate::world::{Brain, Update, World};

/// A pod, and what is to become of it.
pub(crate) struct FakePod {
    pub(crate) pod: Pod,
    pub(crate) workload: ObjectId,
    /// What is wrong with it, for ever.
    doom: Option<Doom>,
    is_old: bool,
}

/// What can be wrong with a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Doom {
    Crashes,
    CannotBePulled,
    CannotBeScheduled,
    LacksItsConfigMap,
    NeverReady,
}

/// An object in the cluster.
pub(crate) struct Stored {
    pub(crate) uid: ObjectUid,
    /// What its pods are made from.
    template: String,
    /// How far it is, if it makes pods.
    pub(crate) work: Option<Work>,
}

/// How far a made-up workload is.
#[derive(Clone, Debug)]
pub(crate) struct Work {
    generation: i64,
    /// How many pods it wants: at a time, or, for a Job, that end well.
    wanted: u32,
    /// How many pods of a Job may fail.
    retries: u32,
    succeeded: u32,
    failed: u32,
}

impl Work {
    fn is_complete(&self) -> bool {
        self.succeeded >= self.wanted
    }

    fn has_failed(&self) -> bool {
        self.failed > self.retries
    }

    fn job(&self) -> JobState {
        if self.has_failed() {
            return JobState::Failed {
                reason: "BackoffLimitExceeded".to_owned(),
                message: "it gave up".to_owned(),
            };
        }
        if self.is_complete() {
            return JobState::Complete;
        }
        JobState::Running { wanted: 1 }
    }
}

impl<B: Brain> World<B> {
    pub(crate) fn apply(&mut self, update: &Update, all: bool, outcome: &mut UpdateOutcome) {
        let Some(deploy) = update.plan.deploy.k8s() else {
            return;
        };
        let entities = &deploy.entities;
        let n_applied = if all {
            entities.len()
        } else {
            self.rng.below(entities.len())
        };
        for entity in &entities[..n_applied] {
            let id = crate::project::object(entity.api_version(), entity.kind(), entity.name());
            let direct: BTreeSet<usize> = deploy.images.iter().map(image_number).collect();
            let revision = entity.annotation("revision").unwrap_or_default().to_owned();
            let images: Vec<&Content> = direct.iter().map(|image| &update.contents[image]).collect();
            let template = format!("h{:x}", hash(&format!("{revision}{images:?}")));
            let before = self.objects.get(&id);
            let is_changed = before.is_none_or(|stored| stored.template != template);
            let work = before.and_then(|stored| stored.work.clone());
            // A Job cannot be changed, and one that failed is run again: it is made anew.
            let is_anew = id.kind == "Job" && (is_changed || work.as_ref().is_some_and(Work::has_failed));
            let uid = match before {
                Some(stored) if !is_anew => stored.uid.clone(),
                _ => {
                    self.delete(&id);
                    self.new_uid()
                }
            };
            let (is_workload, keep) = (id.kind != "ConfigMap", is_kept(&id));
            let begins = is_workload && (is_changed || is_anew);
            let replicas = entity.annotation("replicas").unwrap_or("1");
            let work = match work.filter(|_| !begins || !is_anew) {
                Some(mut work) => {
                    work.generation += i64::from(begins);
                    Some(work)
                }
                None if is_workload => Some(Work {
                    generation: 1,
                    wanted: replicas.parse().expect("a number"),
                    retries: u32::from(self.rng.percent(50)),
                    succeeded: 0,
                    failed: 0,
                }),
                None => None,
            };
            let stored = Stored {
                uid: uid.clone(),
                template: template.clone(),
                work,
            };
            self.objects.insert(id.clone(), stored);
            if begins {
                self.roll_out(&id);
            }
            let template_hashes = if is_workload { vec![template] } else { Vec::new() };
            outcome.applied.push(AppliedObject {
                workload: self.workload(&id),
                id,
                uid,
                template_hashes,
                keep,
                dormancy: None,
            });
        }
    }

    /// Returns a workload as a watch would report it.
    fn workload(&self, id: &ObjectId) -> Option<Workload> {
        let stored = self.objects.get(id)?;
        let work = stored.work.as_ref()?;
        let kind = WorkloadKind::of(&id.api_version, &id.kind)?;
        Some(Workload {
            uid: stored.uid.clone(),
            kind,
            namespace: "default".to_owned(),
            name: id.name.clone(),
            created: Timestamp::from_secs(1_000),
            generation: work.generation,
            owners: Vec::new(),
            min_ready: std::time::Duration::ZERO,
            state: match kind {
                WorkloadKind::Job => WorkloadState::Job(work.job()),
                _ => WorkloadState::Pods(PodCounts {
                    wanted: Some(work.wanted),
                    is_rolled_out: false,
                }),
            },
            trouble: None,
        })
    }

    /// Reports a workload that has changed, or an object that is gone, late as a watch may.
    pub(crate) fn report_a_workload(&mut self) -> Verdict {
        let event = match self.untold.pop_first() {
            Some(id) => {
                let Some(workload) = self.workload(&id) else {
                    return Ok(());
                };
                Event::WorkloadSeen(Box::new(workload))
            }
            None => match self.untold_gone.pop() {
                Some(uid) => Event::ObjectGone(uid),
                None => return Ok(()),
            },
        };
        self.send(event)
    }

    pub(crate) fn has_untold_workloads(&self) -> bool {
        !self.untold.is_empty() || !self.untold_gone.is_empty()
    }

    /// Makes the pods that a workload needs now: a Job runs them one after the other.
    fn roll_out(&mut self, workload: &ObjectId) {
        for fake in self.pods.values_mut().filter(|fake| fake.workload == *workload) {
            fake.is_old = true;
        }
        let stored = &self.objects[workload];
        let is_job = workload.kind == "Job";
        let wanted = stored
            .work
            .as_ref()
            .map_or(0, |work| if is_job { 1 } else { work.wanted });
        let set = self.new_uid();
        for _ in 0..wanted {
            self.make_pod(workload, &set);
        }
    }

    fn make_pod(&mut self, workload: &ObjectId, set_uid: &ObjectUid) {
        let stored = &self.objects[workload];
        let (uid, template) = (stored.uid.clone(), stored.template.clone());
        let pod_uid = self.new_uid();
        let elapsed =
            i64::try_from(self.now.duration_since(self.started_at).as_secs()).expect("a short story");
        let created = Timestamp::from_secs(1_000 + elapsed);
        let owner = |uid: &ObjectUid, api_version: &str, kind: &str| Owner {
            uid: uid.clone(),
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            name: workload.name.clone(),
            created: Some(created),
        };
        let set = (workload.kind == "Deployment").then(|| owner(set_uid, "apps/v1", "ReplicaSet"));
        let name = format!("{}-{}", workload.name, pod_uid);
        let has_probe = self.rng.percent(50);
        let pod = Pod {
            name,
            namespace: "default".to_owned(),
            node: "node1".to_owned(),
            created,
            deleting: false,
            phase: PodPhase::Pending,
            restarts: RestartPolicy::Always,
            status: "Pending".to_owned(),
            given_up: None,
            errors: Vec::new(),
            conditions: Vec::new(),
            init_containers: Vec::new(),
            containers: vec![Container {
                name: "main".to_owned(),
                id: String::new(),
                image: String::new(),
                ready: false,
                has_probe,
                started: None,
                restarts: 0,
                state: ContainerState::Waiting {
                    reason: "ContainerCreating".to_owned(),
                    message: String::new(),
                },
                last_exit: None,
                ports: Vec::new(),
            }],
            labels: vec![("tilt.dev/pod-template-hash".to_owned(), template)],
            owners: set
                .into_iter()
                .chain([owner(&uid, &workload.api_version, &workload.kind)])
                .collect(),
            uid: pod_uid.clone(),
        };
        let dooms = [
            Doom::Crashes,
            Doom::CannotBePulled,
            Doom::CannotBeScheduled,
            Doom::LacksItsConfigMap,
            Doom::NeverReady,
        ];
        let doom = self.rng.pick(&dooms).filter(|_| self.rng.percent(12));
        self.pods.insert(
            pod_uid,
            FakePod {
                pod,
                workload: workload.clone(),
                doom,
                is_old: false,
            },
        );
    }

    /// Lets a Job take in that a pod of it has ended.
    fn job_goes_on(&mut self, job: &ObjectId, well: bool) {
        let Some(work) = self.objects.get_mut(job).and_then(|stored| stored.work.as_mut()) else {
            return;
        };
        if well {
            work.succeeded += 1;
        } else {
            work.failed += 1;
        }
        let goes_on = !work.is_complete() && !work.has_failed();
        self.untold.insert(job.clone());
        if goes_on {
            let nobody = ObjectUid::new("");
            self.make_pod(job, &nobody);
        }
    }

    pub(crate) fn delete(&mut self, id: &ObjectId) {
        if let Some(stored) = self.objects.remove(id) {
            self.untold_gone.push(stored.uid);
        }
        for fake in self.pods.values_mut().filter(|fake| fake.workload == *id) {
            fake.is_old = true;
        }
    }

    pub(crate) fn move_a_pod(&mut self) -> Verdict {
        if self.has_untold_workloads() && self.rng.percent(50) {
            return self.report_a_workload();
        }
        let uids: Vec<ObjectUid> = self.pods.keys().cloned().collect();
        let Some(uid) = self.rng.pick(&uids) else {
            return Ok(());
        };
        let crashes = self.rng.percent(20);
        self.move_pod(&uid, crashes)
    }

    /// Lets a pod go one step: an old one goes away, another one comes up, or crashes.
    pub(crate) fn move_pod(&mut self, uid: &ObjectUid, crashes: bool) -> Verdict {
        let fake = self.pods.get_mut(uid).expect("it is there");
        if fake.is_old {
            self.pods.remove(uid);
            return self.report_gone(uid);
        }
        let is_job = fake.workload.kind == "Job";
        let phase_before = fake.pod.phase;
        let doom = fake.doom;
        let crashes = crashes || doom == Some(Doom::Crashes);
        let (pod, id) = (&mut fake.pod, format!("run-{uid}"));
        let container = &mut pod.containers[0];
        match (pod.phase, crashes) {
            (PodPhase::Pending, _) if doom == Some(Doom::CannotBeScheduled) => {
                pod.conditions = vec![PodCondition {
                    kind: "PodScheduled".to_owned(),
                    status: "False".to_owned(),
                    reason: "Unschedulable".to_owned(),
                    message: "there is no room".to_owned(),
                    last_transition: None,
                }];
            }
            (PodPhase::Pending, _) if let Some(reason) = doom.and_then(Doom::waits_for) => {
                pod.status = reason.to_owned();
                container.state = ContainerState::Waiting {
                    reason: reason.to_owned(),
                    message: String::new(),
                };
            }
            (PodPhase::Running, false) if doom == Some(Doom::NeverReady) => {}
            (PodPhase::Pending, _) => {
                (pod.phase, pod.status) = (PodPhase::Running, "Running".to_owned());
                (container.id, container.state) = (id, ContainerState::Running);
            }
            (PodPhase::Running, true) if is_job => {
                (pod.phase, pod.status) = (PodPhase::Failed, "Error".to_owned());
                container.state = ContainerState::Terminated {
                    reason: "Error".to_owned(),
                    exit_code: 1,
                };
            }
            (PodPhase::Running, true) => {
                container.restarts += 1;
                container.ready = false;
                container.last_exit = Some(ContainerExit {
                    id: container.id.clone(),
                    ended: None,
                    reason: "Error".to_owned(),
                    message: String::new(),
                    exit_code: 1,
                });
                container.state = ContainerState::Waiting {
                    reason: "CrashLoopBackOff".to_owned(),
                    message: String::new(),
                };
                container.id = format!("{id}-{}", container.restarts);
            }
            (PodPhase::Running, false) if is_job => {
                (pod.phase, pod.status) = (PodPhase::Succeeded, "Completed".to_owned());
                container.state = ContainerState::Terminated {
                    reason: "Completed".to_owned(),
                    exit_code: 0,
                };
            }
            (PodPhase::Running, false) => {
                container.state = ContainerState::Running;
                container.ready = true;
            }
            _ => {}
        }
        let pod = Box::new(fake.pod.clone());
        if is_job && pod.phase != phase_before && pod.phase != PodPhase::Running {
            let job = fake.workload.clone();
            self.job_goes_on(&job, pod.phase == PodPhase::Succeeded);
        }
        if self.sees_pods() {
            self.send(Event::PodSeen(pod))
        } else {
            Ok(())
        }
    }

    /// Reports that a pod is gone, or, as after a lost connection, only which others are there.
    fn report_gone(&mut self, uid: &ObjectUid) -> Verdict {
        if !self.sees_pods() {
            return Ok(());
        }
        if self.rng.percent(80) {
            return self.send(Event::PodGone(uid.clone()));
        }
        let pods = self.pods.keys().cloned().collect();
        self.send(Event::PodsListed {
            namespace: "default".to_owned(),
            pods,
        })
    }

    pub(crate) fn sees_pods(&self) -> bool {
        self.cluster_watch.namespaces.contains("default")
    }

    /// Returns the newest pod of a resource.
    pub(crate) fn newest_pod_of(&self, name: &ManifestName) -> Option<&FakePod> {
        let current = self
            .pods
            .values()
            .filter(|fake| fake.workload.name == name.as_str() && !fake.is_old);
        current.max_by_key(|fake| (fake.pod.created, fake.pod.name.clone()))
    }

    /// Returns whether the workload of a resource has all that it wants.
    pub(crate) fn is_workload_well(&self, workload: &ObjectId) -> bool {
        let Some(work) = self.objects.get(workload).and_then(|stored| stored.work.as_ref()) else {
            return false;
        };
        if workload.kind == "Job" {
            return work.is_complete() && !work.has_failed();
        }
        let pods = self.pods.values();
        let well = pods.filter(|fake| fake.workload == *workload && !fake.is_old && fake.is_well());
        well.count() >= work.wanted as usize
    }

    fn new_uid(&mut self) -> ObjectUid {
        self.last_uid += 1;
        ObjectUid::new(format!("u{}", self.last_uid))
    }
}

impl Doom {
    /// Returns what a container waits for in vain before it runs.
    fn waits_for(self) -> Option<&'static str> {
        match self {
            Self::CannotBePulled => Some("ImagePullBackOff"),
            Self::LacksItsConfigMap => Some("CreateContainerConfigError"),
            Self::Crashes | Self::CannotBeScheduled | Self::NeverReady => None,
        }
    }
}

impl FakePod {
    /// Returns whether nothing more happens to it.
    pub(crate) fn has_settled(&self) -> bool {
        let is_over = matches!(self.pod.phase, PodPhase::Succeeded | PodPhase::Failed);
        let container = &self.pod.containers[0];
        let is_doomed = match self.doom {
            Some(Doom::Crashes) => container.restarts > 0,
            Some(Doom::CannotBeScheduled) => !self.pod.conditions.is_empty(),
            Some(Doom::CannotBePulled | Doom::LacksItsConfigMap) => self.pod.status != "Pending",
            Some(Doom::NeverReady) => self.pod.phase == PodPhase::Running,
            None => false,
        };
        !self.is_old && (is_over || is_doomed || container.ready)
    }

    pub(crate) fn is_well(&self) -> bool {
        self.pod.phase == PodPhase::Succeeded || self.pod.containers[0].ready
    }
}

fn hash(text: &str) -> u64 {
    text.bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

/// Returns whether an object asks to be kept.
pub(crate) fn is_kept(id: &ObjectId) -> bool {
    id.kind == "ConfigMap" && id.name.ends_with("-1")
}
