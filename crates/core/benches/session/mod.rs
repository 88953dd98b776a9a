//! A session of many resources, each with a pod of two containers whose logs are read, that has come to rest.

#![allow(dead_code, reason = "each benchmark uses a part of it")]

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use serde_json::json;
use tilt_core::engine::{
    AppliedObject, ClusterStatus, Effect, Engine, EngineConfig, Event, ExitOutcome, LoadOutcome, Mode,
    ObjectId, UpdateOutcome,
};
use tilt_core::k8s::{Entity, Origin};
use tilt_core::model::{
    BuildId, ClusterEvent, Container, ContainerState, DeployTarget, DockerPrune, K8sTarget, LoadId,
    LocalPath, LocalTarget, Manifest, ManifestName, ObjectUid, Owner, Pod, PodCondition, PodCounts, PodPhase,
    PodReadiness, RestartPolicy, TargetId, Timestamp, TriggerMode, Workload, WorkloadKind, WorkloadState,
};

/// A session, and the time in it.
pub(crate) struct Session {
    pub(crate) engine: Engine,
    pub(crate) count: usize,
    pub(crate) now: Instant,
}

impl Session {
    /// Returns a session that has deployed so many resources, whose pods are ready; and as many that wait to be asked for.
    pub(crate) fn settled(count: usize, with_records: bool) -> Self {
        let manifests = (0..count).map(deployment).chain((0..count).map(local));
        let (mut session, effects) = Self::begun(count, Mode::Up, with_records, manifests.collect());
        let mut started = builds(&effects);
        while let Some((build, number)) = started.pop() {
            let ended = Event::UpdateFinished {
                build,
                outcome: Box::new(applied(number)),
            };
            started.extend(builds(&session.timed(ended).1));
            session.timed(pod_seen(number, true));
        }
        session
    }

    /// Lets a run of `ci` end that has so many commands and nothing else, one after the other if they run alone.
    pub(crate) fn runs_commands(count: usize, alone: bool) {
        let command = |number| {
            let mut manifest = local(number);
            manifest.trigger_mode = TriggerMode::Auto;
            if let DeployTarget::Local(target) = &mut manifest.deploy {
                target.allow_parallel = !alone;
                target.update_cmd = Some(tilt_core::model::Command::default());
            }
            manifest
        };
        let mode = Mode::Ci {
            timeout_override: None,
            fail_fast: false,
        };
        let (mut session, mut effects) = Self::begun(count, mode, true, (0..count).map(command).collect());
        let mut started = Vec::new();
        loop {
            started.extend(effects.iter().filter_map(|effect| match effect {
                Effect::StartUpdate(plan) => Some(plan.build),
                _ => None,
            }));
            let Some(build) = started.pop() else { break };
            let outcome = Box::new(UpdateOutcome::default());
            effects = session.timed(Event::UpdateFinished { build, outcome }).1;
        }
        let is_over = |effect: &Effect| matches!(effect, Effect::Exit(ExitOutcome::Succeeded));
        assert!(effects.iter().any(is_over), "the run ends: {effects:?}");
    }

    /// Returns a session that has just loaded these resources, and what is to be done.
    fn begun(count: usize, mode: Mode, with_records: bool, manifests: Vec<Manifest>) -> (Self, Vec<Effect>) {
        let now = Instant::now();
        let engine = Engine::new(EngineConfig {
            mode,
            started: Timestamp::from_secs(1_000),
            started_at: now,
            tiltfile: LocalPath::new("/src/Tiltfile"),
            args: Vec::new(),
            cwd: LocalPath::new("/src"),
            forwards_ports: true,
            updates_containers: true,
            default_namespace: "default".to_owned(),
            has_cluster: true,
            kubeconfig: Vec::new(),
        });
        let engine = if with_records {
            engine
        } else {
            engine.without_records()
        };
        let mut session = Self { engine, count, now };
        session.send(Event::Started);
        session.send(Event::ClusterChanged(ClusterStatus::Connected));
        let outcome = LoadOutcome {
            enabled: manifests.iter().map(|manifest| manifest.name.clone()).collect(),
            manifests: Some(manifests),
            docker_prune: DockerPrune {
                enabled: false,
                ..DockerPrune::default()
            },
            ..LoadOutcome::default()
        };
        let effects = session.send(Event::TiltfileLoaded {
            load: LoadId(1),
            outcome: Box::new(outcome),
        });
        (session, effects)
    }

    fn send(&mut self, event: Event) -> Vec<Effect> {
        self.now += Duration::from_millis(1);
        self.engine.handle(self.now, event)
    }

    /// Does what the loop does with an event; returns how long that took, and what is to be done.
    pub(crate) fn timed(&mut self, event: Event) -> (Duration, Vec<Effect>) {
        let begun = Instant::now();
        let effects = self.send(event);
        std::hint::black_box(self.engine.publish());
        std::hint::black_box(self.engine.next_wake());
        (begun.elapsed(), effects)
    }
}

/// Returns the updates that were started, each with the number of its resource.
pub(crate) fn builds(effects: &[Effect]) -> Vec<(BuildId, usize)> {
    let started = effects.iter().filter_map(|effect| match effect {
        Effect::StartUpdate(plan) => Some(plan),
        _ => None,
    });
    started
        .filter_map(|plan| {
            let number = plan.manifest.as_str().strip_prefix("service-")?;
            Some((plan.build, number.parse().ok()?))
        })
        .collect()
}

pub(crate) fn service_name(number: usize) -> ManifestName {
    ManifestName::new(format!("service-{number}"))
}

pub(crate) fn local_name(number: usize) -> ManifestName {
    ManifestName::new(format!("local-{number}"))
}

pub(crate) fn container_id(container: &str, number: usize, run: usize) -> String {
    format!("{container}-{number}-{run}")
}

pub(crate) fn uid(kind: &str, number: usize) -> ObjectUid {
    ObjectUid::new(format!("{kind}-{number}"))
}

fn deployment(number: usize) -> Manifest {
    let name = service_name(number);
    let value = json!({
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name.as_str()},
        "spec": {"template": {"spec": {"containers": [{"name": "main"}, {"name": "side"}]}}},
    });
    Manifest {
        images: Vec::new(),
        deploy: DeployTarget::K8s(K8sTarget {
            id: TargetId::k8s(&name),
            entities: vec![Entity::new(value, Origin::default())],
            images: Vec::new(),
            readiness: PodReadiness::Wait,
            extra_pod_selectors: Vec::new(),
            upsert_timeout: Duration::from_secs(30),
            options: Box::default(),
        }),
        trigger_mode: TriggerMode::Auto,
        resource_deps: Vec::new(),
        labels: BTreeSet::new(),
        name,
    }
}

fn local(number: usize) -> Manifest {
    let name = local_name(number);
    Manifest {
        deploy: DeployTarget::Local(Box::new(LocalTarget {
            id: TargetId::local(&name),
            update_cmd: None,
            serve_cmd: tilt_core::model::Command::default(),
            deps: Some(vec![LocalPath::new(format!("/src/{name}"))]),
            watch_ignores: Vec::new(),
            allow_parallel: true,
            links: Vec::new(),
            readiness_probe: None,
        })),
        trigger_mode: TriggerMode::Manual,
        ..Manifest {
            name,
            ..deployment(number)
        }
    }
}

pub(crate) fn applied(number: usize) -> UpdateOutcome {
    let name = format!("service-{number}");
    UpdateOutcome {
        applied: vec![AppliedObject {
            id: ObjectId {
                api_version: "apps/v1".to_owned(),
                kind: "Deployment".to_owned(),
                namespace: Some("default".to_owned()),
                name: name.clone(),
            },
            uid: uid("deployment", number),
            template_hashes: vec!["hash".to_owned()],
            keep: false,
            dormancy: None,
            workload: Some(Workload {
                uid: uid("deployment", number),
                kind: WorkloadKind::Deployment,
                namespace: "default".to_owned(),
                name,
                created: Timestamp::from_secs(1_000),
                generation: 1,
                owners: Vec::new(),
                min_ready: Duration::ZERO,
                state: WorkloadState::Pods(PodCounts {
                    wanted: Some(1),
                    is_rolled_out: true,
                }),
                trouble: None,
            }),
        }],
        deploy_began: true,
        deployed: true,
        ..UpdateOutcome::default()
    }
}

pub(crate) fn pod_seen(number: usize, ready: bool) -> Event {
    pod_in_run(number, ready, 0)
}

pub(crate) fn pod_in_run(number: usize, ready: bool, run: usize) -> Event {
    let container = |name: &str| Container {
        name: name.to_owned(),
        id: container_id(name, number, if name == "main" { run } else { 0 }),
        image: "shop/service".to_owned(),
        ready,
        has_probe: false,
        restarts: 0,
        state: ContainerState::Running,
        started: Some(Timestamp::from_secs(1_001)),
        last_exit: None,
        ports: Vec::new(),
    };
    let owner = |kind: &str, api_version: &str, uid: ObjectUid| Owner {
        uid,
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        name: format!("service-{number}"),
        created: Some(Timestamp::from_secs(1_000)),
    };
    Event::PodSeen(Box::new(Pod {
        uid: uid("pod", number),
        name: format!("service-{number}-5d9c7"),
        namespace: "default".to_owned(),
        node: "node1".to_owned(),
        created: Timestamp::from_secs(1_000),
        deleting: false,
        phase: PodPhase::Running,
        restarts: RestartPolicy::Always,
        status: "Running".to_owned(),
        given_up: None,
        errors: Vec::new(),
        conditions: vec![PodCondition {
            kind: "Ready".to_owned(),
            status: if ready { "True" } else { "False" }.to_owned(),
            reason: String::new(),
            message: String::new(),
            last_transition: None,
        }],
        init_containers: Vec::new(),
        containers: vec![container("main"), container("side")],
        labels: vec![("tilt.dev/pod-template-hash".to_owned(), "hash".to_owned())],
        owners: vec![
            owner("ReplicaSet", "apps/v1", uid("set", number)),
            owner("Deployment", "apps/v1", uid("deployment", number)),
        ],
    }))
}

pub(crate) fn event_seen(number: usize, count: usize) -> Event {
    Event::ClusterEventSeen(Box::new(ClusterEvent {
        uid: uid("event", number),
        count: u32::try_from(count).unwrap_or(u32::MAX),
        kind: "Warning".to_owned(),
        reason: "BackOff".to_owned(),
        message: "Back-off restarting failed container".to_owned(),
        last_seen: Timestamp::from_secs(1_002),
        about: (
            "Pod".to_owned(),
            "default".to_owned(),
            format!("service-{number}-5d9c7"),
        ),
        owner_chain: vec![uid("pod", number), uid("set", number), uid("deployment", number)],
    }))
}
