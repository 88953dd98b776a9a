//! What the scripts are written with: short makers of events, and effects as lines.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;

use crate::engine::{
    AppliedObject, ClusterStatus, ContainerUpdate, Effect, Engine, EngineConfig, Event, ExitOutcome,
    FileChange, ImageAction, LoadOutcome, Mode, ObjectId, UpdateOutcome,
};
use crate::k8s::{Entity, Origin};
use crate::model::*;
use crate::view::{ResourceView, View};

/// When the session of a script begins, in seconds.
pub(super) const STARTED: i64 = 1_000;

/// An engine and the time.
pub(super) struct Script {
    pub(super) engine: Engine,
    started_at: std::time::Instant,
    now: std::time::Instant,
    loads: u64,
}

impl Script {
    pub(super) fn new(mode: Mode) -> Self {
        Self::with_kubeconfig(mode, Vec::new())
    }

    /// Returns a script whose cluster is named by these files.
    pub(super) fn with_kubeconfig(mode: Mode, kubeconfig: Vec<LocalPath>) -> Self {
        Self::with(mode, |config| config.kubeconfig = kubeconfig)
    }

    /// Returns a script whose engine is told something else at its start.
    pub(super) fn with(mode: Mode, change: impl FnOnce(&mut EngineConfig)) -> Self {
        let now = t0();
        let mut config = EngineConfig {
            mode,
            // Half a second into the second, as a session would begin.
            started: Timestamp(STARTED * 1_000_000 + 500_000),
            started_at: now,
            tiltfile: LocalPath::new("/src/Tiltfile"),
            args: Vec::new(),
            cwd: LocalPath::new("/src"),
            forwards_ports: true,
            default_namespace: "default".to_owned(),
            has_cluster: true,
            kubeconfig: Vec::new(),
            updates_containers: true,
        };
        change(&mut config);
        Self {
            engine: Engine::new(config),
            started_at: now,
            now,
            loads: 0,
        }
    }

    /// Returns a script of `tilt up` that is connected and has loaded these.
    pub(super) fn up(manifests: Vec<Manifest>) -> Self {
        let mut script = Self::new(Mode::Up);
        script.send(Event::ClusterChanged(ClusterStatus::Connected));
        script.send(Event::Started);
        script.load(manifests);
        script
    }

    /// Returns a script of `tilt ci` that is connected and has loaded these, with these settings.
    pub(super) fn ci(settings: CiSettings, manifests: Vec<Manifest>) -> Self {
        let mut script = Self::new(Mode::Ci {
            timeout_override: None,
            fail_fast: false,
        });
        script.send(Event::ClusterChanged(ClusterStatus::Connected));
        script.send(Event::Started);
        let outcome = LoadOutcome {
            ci_settings: settings,
            ..loaded(manifests)
        };
        script.finish_load(outcome);
        script
    }

    pub(super) fn pass(&mut self, duration: Duration) -> String {
        self.now += duration;
        self.send(Event::Wake)
    }

    /// Returns how long it is until the engine wants to be woken.
    pub(super) fn wakes_in(&self) -> Option<Duration> {
        self.engine.next_wake().map(|wake| wake - self.now)
    }

    pub(super) fn send(&mut self, event: Event) -> String {
        lines(&self.effects(event))
    }

    pub(super) fn effects(&mut self, event: Event) -> Vec<Effect> {
        self.engine.handle(self.now, event)
    }

    pub(super) fn load(&mut self, manifests: Vec<Manifest>) -> String {
        self.finish_load(loaded(manifests))
    }

    pub(super) fn finish_load(&mut self, outcome: LoadOutcome) -> String {
        self.loads += 1;
        self.send(Event::TiltfileLoaded {
            load: LoadId(self.loads),
            outcome: Box::new(outcome),
        })
    }

    /// Returns the number of the load that runs, which the caller ends.
    pub(super) fn begin_load(&mut self) -> u64 {
        self.loads += 1;
        self.loads
    }

    pub(super) fn edit(&mut self, target: TargetId, paths: &[&str]) -> String {
        let change = |path: &&str| FileChange::new(target.clone(), LocalPath::new(path));
        self.send(Event::FilesChanged(paths.iter().map(change).collect()))
    }

    pub(super) fn edit_tiltfile(&mut self) -> String {
        self.edit(TargetId::configs(), &["/src/Tiltfile"])
    }

    pub(super) fn finish(&mut self, build: u64, outcome: UpdateOutcome) -> String {
        self.send(Event::UpdateFinished {
            build: BuildId(build),
            outcome: Box::new(outcome),
        })
    }

    pub(super) fn see_workload(&mut self, workload: Workload) -> String {
        self.send(Event::WorkloadSeen(Box::new(workload)))
    }

    pub(super) fn see(&mut self, pod: Pod) -> String {
        self.send(Event::PodSeen(Box::new(pod)))
    }

    /// Returns the time of day.
    pub(super) fn time(&self) -> Timestamp {
        let since =
            i64::try_from(self.now.duration_since(self.started_at).as_micros()).expect("a session is short");
        Timestamp(STARTED * 1_000_000 + 500_000 + since)
    }

    pub(super) fn view(&self) -> View {
        self.engine.view()
    }

    #[track_caller]
    pub(super) fn resource(&self, name: &str) -> ResourceView {
        let mut resources = self.view().resources.into_iter();
        resources
            .find(|resource| resource.name.as_str() == name)
            .map(Arc::unwrap_or_clone)
            .expect("the resource is there")
    }
}

pub(super) fn loaded(manifests: Vec<Manifest>) -> LoadOutcome {
    LoadOutcome {
        enabled: manifests.iter().map(|manifest| manifest.name.clone()).collect(),
        manifests: Some(manifests),
        config_files: vec![LocalPath::new("/src/Tiltfile")],
        // Only the scripts of its own are to see it.
        docker_prune: DockerPrune {
            enabled: false,
            ..DockerPrune::default()
        },
        ..LoadOutcome::default()
    }
}

pub(super) fn broken(error: &str) -> LoadOutcome {
    LoadOutcome {
        error: Some(error.to_owned()),
        config_files: vec![LocalPath::new("/src/Tiltfile")],
        ..LoadOutcome::default()
    }
}

/// Returns the moment at which a script begins. What it is does not matter: a script counts from there.
#[allow(
    clippy::disallowed_methods,
    reason = "the engine is given the time, and this is the first"
)]
fn t0() -> std::time::Instant {
    std::time::Instant::now()
}

/// Returns a resource with a Deployment of its name and nothing to build.
pub(super) fn manifest(name: &str) -> Manifest {
    let name = ManifestName::new(name);
    Manifest {
        images: Vec::new(),
        deploy: DeployTarget::K8s(K8sTarget {
            id: TargetId::k8s(&name),
            entities: vec![entity("Deployment", name.as_str(), "1")],
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

/// Returns the same resource after a change of what it deploys.
pub(super) fn k8s(mut manifest: Manifest, change: impl FnOnce(&mut K8sTarget)) -> Manifest {
    if let DeployTarget::K8s(target) = &mut manifest.deploy {
        change(target);
    }
    manifest
}

/// Returns a resource that deploys the last of these images, each built on the one before it.
pub(super) fn with_images(name: &str, images: &[&str]) -> Manifest {
    let mut manifest = manifest(name);
    for (at, image) in images.iter().enumerate() {
        let base = at.checked_sub(1).map(|base| TargetId::image(images[base]));
        manifest.images.push(image_target(image, base));
    }
    let deployed = images.last().map(|image| TargetId::image(image));
    k8s(manifest, |target| target.images = deployed.into_iter().collect())
}

/// Returns a local resource that runs a command, serves, or both.
pub(super) fn local(name: &str, update: &str, serve: &str) -> Manifest {
    let command = |text: &str| Command {
        argv: match text {
            "" => Vec::new(),
            text => ["sh", "-c", text].map(str::to_owned).into(),
        },
        ..Command::default()
    };
    let name = ManifestName::new(name);
    Manifest {
        deploy: DeployTarget::Local(Box::new(LocalTarget {
            id: TargetId::local(&name),
            update_cmd: Some(command(update)).filter(|command| !command.is_empty()),
            serve_cmd: command(serve),
            deps: None,
            watch_ignores: Vec::new(),
            allow_parallel: false,
            links: Vec::new(),
            readiness_probe: None,
        })),
        ..manifest(name.as_str())
    }
}

fn image_target(name: &str, base: Option<TargetId>) -> ImageTarget {
    let dir = LocalPath::new(format!("/src/{name}"));
    ImageTarget {
        id: TargetId::image(name),
        selector: ImageSelector::new(ImageRef::parse(name).unwrap()),
        build: ImageBuild::Docker(DockerBuild {
            context: dir.clone(),
            dockerfile: dir.join("Dockerfile"),
            dockerfile_contents: "FROM scratch".to_owned(),
            site: None,
            build_args: Vec::new(),
            stage: None,
            context_ignores: Vec::new(),
            options: DockerOptions::default(),
        }),
        injection: Injection::default(),
        registry: None,
        live_update: None,
        base_images: base.into_iter().collect(),
        watched: vec![dir],
        watch_ignores: Vec::new(),
    }
}

pub(super) fn entity(kind: &str, name: &str, revision: &str) -> Entity {
    let api_version = if kind == "Deployment" { "apps/v1" } else { "v1" };
    let value = json!({
        "apiVersion": api_version, "kind": kind, "metadata": {"name": name, "labels": {"revision": revision}},
    });
    Entity::new(value, Origin::default())
}

/// Returns an object as it was applied; a workload wants one pod, a Job goes on.
pub(super) fn object(kind: &str, name: &str) -> AppliedObject {
    let known = WorkloadKind::ALL.into_iter().find(|known| known.as_str() == kind);
    let state = match known {
        Some(WorkloadKind::Job) => WorkloadState::Job(JobState::Running { wanted: 1 }),
        _ => wants(1),
    };
    let uid = ObjectUid::new(format!("{}-{name}", kind.to_lowercase()));
    AppliedObject {
        id: ObjectId {
            api_version: known.map_or("v1", WorkloadKind::api_version).to_owned(),
            kind: kind.to_owned(),
            namespace: Some("default".to_owned()),
            name: name.to_owned(),
        },
        workload: known.map(|kind| Workload {
            uid: uid.clone(),
            kind,
            namespace: "default".to_owned(),
            name: name.to_owned(),
            created: Timestamp::from_secs(STARTED),
            generation: 1,
            owners: Vec::new(),
            min_ready: Duration::ZERO,
            state,
            trouble: None,
        }),
        uid,
        template_hashes: if known.is_some() {
            vec!["h1".to_owned()]
        } else {
            Vec::new()
        },
        keep: false,
        dormancy: None,
    }
}

/// Returns the state of a workload that wants so many pods and does not have them yet.
pub(super) fn wants(pods: u32) -> WorkloadState {
    WorkloadState::Pods(PodCounts {
        wanted: Some(pods),
        is_rolled_out: false,
    })
}

/// Returns a workload as it was applied, in another state.
pub(super) fn workload(kind: &str, name: &str, state: WorkloadState) -> Workload {
    let applied = object(kind, name).workload.expect("a workload");
    Workload { state, ..applied }
}

/// Returns an object whose workload is in another state when it is applied.
pub(super) fn in_state(kind: &str, name: &str, state: WorkloadState) -> AppliedObject {
    AppliedObject {
        workload: Some(workload(kind, name, state)),
        ..object(kind, name)
    }
}

pub(super) fn job_failed(reason: &str) -> WorkloadState {
    WorkloadState::Job(JobState::Failed {
        reason: reason.to_owned(),
        message: "it is so".to_owned(),
    })
}

pub(super) const COMPLETE: WorkloadState = WorkloadState::Job(JobState::Complete);

/// Returns a pod that a workload makes itself.
pub(super) fn pod_of(kind: &str, name: &str, pod_name: &str, second: i64) -> Pod {
    let mut pod = pod(name, pod_name, second);
    pod.owners.remove(0);
    kind.clone_into(&mut pod.owners[0].kind);
    let api_version = WorkloadKind::ALL.into_iter().find(|known| known.as_str() == kind);
    api_version
        .map_or("example.com/v1", WorkloadKind::api_version)
        .clone_into(&mut pod.owners[0].api_version);
    pod.owners[0].uid = ObjectUid::new(format!("{}-{name}", kind.to_lowercase()));
    pod
}

/// Returns how an update ends that built these images and applied these objects.
pub(super) fn deployed(built: &[(&str, &str)], applied: &[AppliedObject]) -> UpdateOutcome {
    let image = |(name, tag): &(&str, &str)| {
        let image = ImageRef::parse(&format!("{name}:{tag}")).unwrap();
        (
            TargetId::image(name),
            BuiltImage {
                local_ref: image.clone(),
                cluster_ref: image,
            },
        )
    };
    UpdateOutcome {
        built: built.iter().map(image).collect(),
        applied: applied.to_vec(),
        deployed: true,
        ..UpdateOutcome::default()
    }
}

pub(super) fn failed(error: &str) -> UpdateOutcome {
    UpdateOutcome {
        error: Some(error.to_owned()),
        ..UpdateOutcome::default()
    }
}

/// Returns a pod of a Deployment, made some seconds after the session began, whose only container runs and is ready.
pub(super) fn pod(deployment: &str, name: &str, second: i64) -> Pod {
    let owner = |uid: String, kind: &str| Owner {
        uid: ObjectUid::new(uid),
        api_version: "apps/v1".to_owned(),
        kind: kind.to_owned(),
        name: deployment.to_owned(),
        created: Some(Timestamp::from_secs(STARTED)),
    };
    Pod {
        uid: ObjectUid::new(format!("pod-{name}")),
        name: name.to_owned(),
        namespace: "default".to_owned(),
        node: "node1".to_owned(),
        created: Timestamp::from_secs(STARTED + second),
        deleting: false,
        phase: PodPhase::Running,
        restarts: RestartPolicy::Always,
        status: "Running".to_owned(),
        given_up: None,
        errors: Vec::new(),
        conditions: Vec::new(),
        init_containers: Vec::new(),
        containers: vec![container("main", ContainerState::Running, true)],
        labels: vec![("tilt.dev/pod-template-hash".to_owned(), "h1".to_owned())],
        owners: vec![
            owner(format!("set-{deployment}"), "ReplicaSet"),
            owner(format!("deployment-{deployment}"), "Deployment"),
        ],
    }
}

pub(super) fn container(name: &str, state: ContainerState, ready: bool) -> Container {
    Container {
        name: name.to_owned(),
        id: format!("id-{name}"),
        image: "app:t1".to_owned(),
        ready,
        // What has none must have lived for a moment; scripts about that say so.
        has_probe: true,
        started: None,
        restarts: 0,
        state,
        last_exit: None,
        ports: Vec::new(),
    }
}

pub(super) fn waiting(reason: &str) -> ContainerState {
    ContainerState::Waiting {
        reason: reason.to_owned(),
        message: String::new(),
    }
}

pub(super) fn terminated(exit_code: i32) -> ContainerState {
    ContainerState::Terminated {
        reason: "Error".to_owned(),
        exit_code,
    }
}

pub(super) fn condition(kind: &str, status: &str, why: (&str, &str), second: i64) -> PodCondition {
    PodCondition {
        kind: kind.to_owned(),
        status: status.to_owned(),
        reason: why.0.to_owned(),
        message: why.1.to_owned(),
        last_transition: Some(Timestamp::from_secs(STARTED + second)),
    }
}

/// Returns a warning about a pod, seen so many times.
pub(super) fn warning(pod: &Pod, count: u32) -> ClusterEvent {
    let owners = pod.owners.iter().map(|owner| owner.uid.clone());
    ClusterEvent {
        uid: ObjectUid::new(format!("event-{}", pod.name)),
        count,
        kind: "Warning".to_owned(),
        reason: "BackOff".to_owned(),
        message: " it hurts\n".to_owned(),
        last_seen: Timestamp::from_secs(STARTED + 1),
        about: ("Pod".to_owned(), "default".to_owned(), pod.name.clone()),
        owner_chain: [pod.uid.clone()].into_iter().chain(owners).collect(),
    }
}

/// Returns effects as lines for people.
pub(super) fn lines(effects: &[Effect]) -> String {
    let told = effects
        .iter()
        .filter(|effect| !matches!(effect, Effect::Record(_)));
    told.map(line).collect::<Vec<_>>().join("\n")
}

fn line(effect: &Effect) -> String {
    match effect {
        Effect::LoadTiltfile { load, span, args, .. } if args.is_empty() => format!("load {load} as {span}"),
        Effect::LoadTiltfile { load, span, args, .. } => format!("load {load} as {span} with {args:?}"),
        Effect::CancelLoad { load } => format!("cancel load {load}"),
        Effect::StartUpdate(plan) => {
            let mut steps: Vec<String> = plan.images.iter().map(step).collect();
            steps.push(format!("deploy {}", plan.deploy.id()));
            let force = if plan.force { "force, " } else { "" };
            format!(
                "start {} {:?}: {force}{}",
                plan.span,
                plan.header,
                steps.join(", ")
            )
        }
        Effect::CancelUpdate { build } => format!("cancel {build}"),
        Effect::UpdateContainers(plan) => {
            let containers: Vec<String> = plan.containers.iter().map(container_update).collect();
            format!(
                "update {} {:?}: {}",
                plan.span,
                plan.header,
                containers.join(", ")
            )
        }
        Effect::ExpectContainers(containers) => {
            let shown = containers
                .keys()
                .map(|container| format!("{}/{}", container.pod, container.id));
            format!("expect [{}]", shown.collect::<Vec<_>>().join(" "))
        }
        Effect::CancelLiveUpdate { update } => format!("cancel live update {update}"),
        Effect::DeleteObjects {
            manifest,
            span,
            reason,
            objects,
            command,
            ..
        } => {
            let objects: Vec<String> = objects.iter().map(|object| object.id.to_string()).collect();
            let by = command
                .iter()
                .map(|(command, _)| format!("by {}", command.display()));
            let what = objects.into_iter().chain(by).collect::<Vec<_>>().join(" ");
            format!("delete of {manifest} in {span} ({reason}): {what}")
        }
        Effect::WatchFiles(set) => {
            let targets: BTreeMap<String, usize> = set
                .targets
                .iter()
                .map(|(id, target)| (id.to_string(), target.paths.len()))
                .collect();
            let left_out: Vec<String> = set.ignores.iter().map(|ignore| ignore.base.to_string()).collect();
            let but = if left_out.is_empty() {
                String::new()
            } else {
                format!(" but {left_out:?}")
            };
            format!("watch files {targets:?}{but}")
        }
        Effect::WatchCluster(watch) => {
            let uids: Vec<&str> = watch.uids.iter().map(ObjectUid::as_str).collect();
            format!("watch cluster {:?} {uids:?}", watch.namespaces)
        }
        Effect::CatchUp { mark } => format!("catch up with {mark}"),
        Effect::Record(record) => format!("record {} {}", record.resource, record.number),
        Effect::ConnectCluster { .. } => "connect the cluster".to_owned(),
        Effect::LookOut(true) => "look out".to_owned(),
        Effect::LookOut(false) => "look out no more".to_owned(),
        Effect::CheckKubeconfig => "check the kubeconfig".to_owned(),
        Effect::StreamLogs(streams) => {
            let streams: Vec<String> = streams.values().map(stream).collect();
            format!("read logs [{}]", streams.join(", "))
        }
        Effect::ForwardPorts(forwards) => {
            let shown = |forward: &crate::engine::Forward| match &forward.pod {
                Some(pod) => format!("{} to {}:{}", forward.local_port, pod.pod_name, pod.port),
                None => format!("{} to nowhere", forward.local_port),
            };
            let forwards: Vec<String> = forwards.values().map(shown).collect();
            format!("forward [{}]", forwards.join(", "))
        }
        Effect::WatchServices(projects) => {
            let projects: Vec<&str> = projects.iter().map(String::as_str).collect();
            format!("watch services [{}]", projects.join(" "))
        }
        Effect::RemoveService { service, .. } => format!("remove service {service}"),
        Effect::RestartService { service, anew, .. } => match anew {
            Some(_) => format!("deploy service {service} in place of a restart"),
            None => format!("restart service {service}"),
        },
        Effect::Serve(servers) => {
            let servers: Vec<String> = servers
                .values()
                .map(|server| format!("{} as {}", server.command.display(), server.span))
                .collect();
            format!("serve [{}]", servers.join(", "))
        }
        Effect::Prune(request) => {
            let images: Vec<String> = request
                .images
                .iter()
                .map(|image| image.selector.image.familiar())
                .collect();
            format!(
                "prune {:?}, but the last {} and {:?}",
                images, request.keep_recent, request.in_use
            )
        }
        Effect::Log(event) => {
            let span = event.span.as_ref().map_or("-", SpanId::as_str);
            let starts = if event.starts_update {
                " (starts an update)"
            } else {
                ""
            };
            format!("{:?} {span}{starts} {:?}", event.level, event.text)
        }
        Effect::Exit(ExitOutcome::Failed(failure)) => format!("exit Failed({:?})", failure.message),
        Effect::Exit(outcome) => format!("exit {outcome:?}"),
    }
}

fn container_update(update: &ContainerUpdate) -> String {
    let changes = if update.whole.is_empty() {
        let files = update.batch.files.iter();
        files
            .map(|file| format!("{}->{}", file.local, file.container))
            .collect::<Vec<_>>()
            .join(" ")
    } else if update.is_check {
        "everything that differs".to_owned()
    } else {
        "everything".to_owned()
    };
    let runs = update.batch.runs.iter();
    let runs: String = runs.map(|run| format!(" run {}", run.argv.join(" "))).collect();
    let due = if update.batch.runs_are_due { " due" } else { "" };
    let retry = if update.is_retry { " again" } else { "" };
    let container = &update.container;
    format!("{}/{} [{changes}]{runs}{due}{retry}", container.pod, container.id)
}

fn step(step: &crate::engine::ImageStep) -> String {
    let push = if step.needs_push { " and push" } else { "" };
    match &step.action {
        ImageAction::Build => format!("build {}{push}", step.image.id.name),
        ImageAction::Reuse(built) => format!("reuse {}", built.local_ref.familiar()),
    }
}

fn stream(stream: &crate::engine::LogStream) -> String {
    let stream = match stream {
        crate::engine::LogStream::Pod(stream) => stream,
        crate::engine::LogStream::Container(stream) => {
            let mut words = vec![format!("{} run {}", stream.container, stream.run.0)];
            words.extend(stream.since.map(|since| format!("since {}", since.0)));
            words.extend(stream.terminated.then(|| "ended".to_owned()));
            return words.join(" ");
        }
    };
    let mut words = vec![format!("{}/{}", stream.pod_name, stream.container_id)];
    words.extend(stream.prefixed.then(|| "prefixed".to_owned()));
    words.extend(stream.since.map(|since| format!("since {}", since.0)));
    words.extend(stream.missed_run.then(|| "after a missed run".to_owned()));
    words.extend(stream.terminated.then(|| "ended".to_owned()));
    words.join(" ")
}
