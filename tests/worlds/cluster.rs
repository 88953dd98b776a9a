//! The cluster of a made-up outside: objects, and the pods that come from them.

use std::collections::BTreeSet;

use tilt::engine::{AppliedObject, Event, ObjectId, UpdateOutcome};
use tilt::model::{
    Container, ContainerState, ManifestName, ObjectUid, Owner, Pod, PodCondition, PodPhase, RestartPolicy,
    Timestamp,
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
            let uid = match self.objects.get(&id) {
                Some(stored) => stored.uid.clone(),
                None => self.new_uid(),
            };
            let (is_workload, keep) = (id.kind != "ConfigMap", is_kept(&id));
            let is_changed = self
                .objects
                .get(&id)
                .is_none_or(|stored| stored.template != template);
            self.objects.insert(
                id.clone(),
                Stored {
                    uid: uid.clone(),
                    template: template.clone(),
                },
            );
            if is_workload && is_changed {
                self.roll_out(&id, &uid, &template);
            }
            let template_hashes = if is_workload { vec![template] } else { Vec::new() };
            outcome.applied.push(AppliedObject {
                id,
                uid,
                template_hashes,
                keep,
                dormancy: None,
            });
        }
    }

    fn roll_out(&mut self, workload: &ObjectId, uid: &ObjectUid, template: &str) {
        for fake in self.pods.values_mut().filter(|fake| fake.workload == *workload) {
            fake.is_old = true;
        }
        let (pod_uid, set_uid) = (self.new_uid(), self.new_uid());
        let elapsed =
            i64::try_from(self.now.duration_since(self.started_at).as_secs()).expect("a short story");
        let created = Timestamp::from_secs(1_000 + elapsed);
        let owner = |uid: &ObjectUid, kind: &str| Owner {
            uid: uid.clone(),
            kind: kind.to_owned(),
            name: workload.name.clone(),
            created: Some(created),
        };
        let set = (workload.kind == "Deployment").then(|| owner(&set_uid, "ReplicaSet"));
        let name = format!("{}-{}", workload.name, pod_uid);
        let pod = Pod {
            name,
            namespace: "default".to_owned(),
            node: "node1".to_owned(),
            created,
            deleting: false,
            phase: PodPhase::Pending,
            restarts: RestartPolicy::Always,
            status: "Pending".to_owned(),
            errors: Vec::new(),
            conditions: Vec::new(),
            init_containers: Vec::new(),
            containers: vec![Container {
                name: "main".to_owned(),
                id: String::new(),
                image: String::new(),
                ready: false,
                restarts: 0,
                state: ContainerState::Waiting {
                    reason: "ContainerCreating".to_owned(),
                    message: String::new(),
                },
                last_exit: None,
            }],
            labels: vec![("tilt.dev/pod-template-hash".to_owned(), template.to_owned())],
            owners: set.into_iter().chain([owner(uid, &workload.kind)]).collect(),
            uid: pod_uid.clone(),
        };
        let dooms = [
            Doom::Crashes,
            Doom::CannotBePulled,
            Doom::CannotBeScheduled,
            Doom::LacksItsConfigMap,
            Doom::NeverReady,
        ];
        let doom = self.rng.pick(&dooms).filter(|_| self.rng.percent(20));
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

    pub(crate) fn delete(&mut self, id: &ObjectId) {
        self.objects.remove(id);
        for fake in self.pods.values_mut().filter(|fake| fake.workload == *id) {
            fake.is_old = true;
        }
    }

    pub(crate) fn move_a_pod(&mut self) -> Verdict {
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

    pub(crate) fn pod_of(&self, name: &ManifestName) -> Option<&FakePod> {
        self.pods
            .values()
            .find(|fake| fake.workload.name == name.as_str() && !fake.is_old)
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
