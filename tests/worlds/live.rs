//! A world of containers that are changed in place: each has files, which come from its image and from what was synced.
//!
//! Small beside the other worlds: one resource, but with everything that can come between a save and its container.
//! Builds read files while they run, containers restart, pods come and go and are reported late, connections break in
//! the middle, commands fail.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tilt::engine::{
    AppliedObject, ClusterStatus, ContainerUpdate, Effect, Engine, EngineConfig, Event, FileChange,
    ImageAction, LoadOutcome, Mode, ObjectId, UpdateOutcome, UpdatePlan,
};
use tilt::k8s::{Entity, Origin};
use tilt::model::{
    BuildId, BuiltImage, Container, ContainerState, DeployTarget, DockerBuild, DockerOptions, DockerPrune,
    Exec, ImageBuild, ImageRef, ImageSelector, ImageTarget, Injection, K8sTarget, LiveUpdate, LiveUpdateId,
    LoadId, LocalPath, Manifest, ManifestName, ObjectUid, Owner, Pod, PodCondition, PodPhase, PodReadiness,
    RestartPolicy, Sync, SyncFailure, TargetId, Timestamp, TriggerMode, TriggerReason,
};
use tilt::view::UpdateStatus;

use crate::rng::Rng;
use crate::rules::{Verdict, holds};
use crate::world::Brain;

/// All files: the image that has it, and its path.
const FILES: [(&str, &str); 8] = [
    ("base", "/src/base/lib/l"),
    ("base", "/src/base/os"),
    ("app", "/src/app/code/a"),
    ("app", "/src/app/code/b"),
    ("app", "/src/app/code/stop"),
    ("app", "/src/app/other"),
    ("side", "/src/side/x"),
    ("side", "/src/side/y"),
];

/// Files by their path, and how often each was changed.
type Content = BTreeMap<&'static str, u64>;

fn files_of(images: &[&str]) -> impl Iterator<Item = &'static str> {
    let of_images = FILES.iter().filter(move |(image, _)| images.contains(image));
    of_images.map(|(_, path)| *path)
}

/// Returns the images that a container has the files of.
fn chain(container: &str) -> &'static [&'static str] {
    match container {
        "main" => &["base", "app"],
        _ => &["side"],
    }
}

/// A container of a pod, as it is.
#[derive(Clone, Debug)]
struct Running {
    id: String,
    content: Content,
}

/// A pod, as it is and as it was reported.
#[derive(Clone, Debug)]
struct FakePod {
    pod: Pod,
    /// What is in its containers, by their names; nothing before they run.
    running: BTreeMap<String, Running>,
    /// What each is made of.
    image: BTreeMap<String, Content>,
}

/// A build that runs.
struct Build {
    plan: UpdatePlan,
    /// The files as they were when it began.
    began: Content,
    /// When that was, counted in events.
    at: u64,
}

/// A change of a container that runs.
struct Syncing {
    update: LiveUpdateId,
    container: ContainerUpdate,
}

/// The outside of one session.
struct LiveWorld<B> {
    brain: B,
    rng: Rng,
    now: Instant,
    disk: Content,
    /// The files as the engine was told.
    told: Content,
    unreported: Vec<FileChange>,
    /// When the last update or load began.
    moment: tilt::engine::Moment,
    /// How often the Tiltfile changed, and what it says.
    revision: u64,
    initial_sync: bool,
    mode: TriggerMode,
    loads: u64,
    loading: bool,
    builds: BTreeMap<BuildId, Build>,
    syncing: Vec<Syncing>,
    /// What each tag stands for, by image.
    images: BTreeMap<String, (Content, u64)>,
    pods: BTreeMap<String, FakePod>,
    reported: BTreeMap<String, Pod>,
    /// The template of the last deploy, and what its containers are made of.
    deployed: Option<(String, BTreeMap<String, Content>)>,
    last_id: u64,
    /// When a full build last got a reason that none has taken in, counted in events.
    may_build: Option<u64>,
    n_events: u64,
    tried: BTreeSet<&'static str>,
    story: String,
}

fn config() -> EngineConfig {
    EngineConfig {
        mode: Mode::Up,
        started: Timestamp::from_secs(1_000),
        started_at: tilt::clock::now(),
        tiltfile: LocalPath::new("/src/Tiltfile"),
        args: Vec::new(),
        cwd: LocalPath::new("/src"),
        forwards_ports: true,
        updates_containers: true,
        default_namespace: "default".to_owned(),
        has_cluster: true,
        kubeconfig: Vec::new(),
    }
}

fn reference(image: &str, tag: &str) -> ImageRef {
    ImageRef::parse(&format!("{image}:{tag}")).expect("a valid reference")
}

impl<B: Brain> LiveWorld<B> {
    fn new(seed: u64, brain: impl FnOnce(EngineConfig) -> B) -> Self {
        let mut rng = Rng::new(seed);
        let config = config();
        let disk: Content = FILES.iter().map(|(_, path)| (*path, 0)).collect();
        Self {
            now: config.started_at,
            initial_sync: rng.percent(25),
            mode: if rng.percent(15) {
                TriggerMode::ManualWithAutoInit
            } else {
                TriggerMode::Auto
            },
            brain: brain(config),
            rng,
            told: disk.clone(),
            disk,
            unreported: Vec::new(),
            moment: 0,
            revision: 0,
            loads: 0,
            loading: false,
            builds: BTreeMap::new(),
            syncing: Vec::new(),
            images: BTreeMap::new(),
            pods: BTreeMap::new(),
            reported: BTreeMap::new(),
            deployed: None,
            last_id: 0,
            may_build: Some(0),
            n_events: 0,
            tried: BTreeSet::new(),
            story: String::new(),
        }
    }

    fn live(&mut self) -> Verdict {
        self.send(Event::ClusterChanged(ClusterStatus::Connected))?;
        self.send(Event::Started)?;
        for _ in 0..60 {
            self.now += Duration::from_millis(self.rng.below(700) as u64);
            self.step()?;
        }
        self.come_to_rest()
    }

    fn send(&mut self, event: Event) -> Verdict {
        let _ = writeln!(self.story, "{}", shortened(&event));
        self.n_events += 1;
        for effect in self.brain.handle(self.now, event) {
            let _ = writeln!(self.story, "    -> {}", shortened(&effect));
            self.obey(effect)?;
        }
        self.check_shown()
    }

    fn obey(&mut self, effect: Effect) -> Verdict {
        match effect {
            Effect::LoadTiltfile { load, moment, .. } => {
                self.moment = moment;
                self.loads = load.0;
                self.loading = true;
            }
            Effect::StartUpdate(plan) => {
                self.moment = plan.moment;
                let is_by_files = plan.header.contains("Changed: [");
                let is_crashing = |pod: &Pod| {
                    let mut states = pod.containers.iter().map(|container| &container.state);
                    states.any(|state| *state == waiting("CrashLoopBackOff"))
                };
                let has_reason = self.may_build.is_some() || self.reported.values().any(is_crashing);
                holds(!is_by_files || has_reason, || {
                    format!("a full build without a reason: {}", plan.header)
                })?;
                let began = self.disk.clone();
                let at = self.n_events;
                self.builds.insert(
                    plan.build,
                    Build {
                        plan: *plan,
                        began,
                        at,
                    },
                );
            }
            Effect::UpdateContainers(plan) => {
                for container in plan.containers {
                    let busy = self
                        .syncing
                        .iter()
                        .any(|other| other.container.container == container.container);
                    holds(!busy, || {
                        format!("two changes at once of {:?}", container.container)
                    })?;
                    self.syncing.push(Syncing {
                        update: plan.update,
                        container,
                    });
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn step(&mut self) -> Verdict {
        match self.rng.below(20) {
            0..=3 => self.edit(),
            4 | 5 => self.report_files()?,
            6 | 7 => return self.end_a_sync(None),
            8 | 9 => return self.end_a_build(None),
            10 | 11 => self.move_a_pod(),
            12 => self.restart_a_container(),
            13 => self.replace_a_pod(),
            14 => self.scale_up(),
            15 | 16 => return self.report_a_pod(),
            17 if self.rng.percent(20) => self.revision += 1,
            17 => return self.load(),
            18 => {
                let manifest = ManifestName::new("web");
                if self.mode != TriggerMode::Auto {
                    self.tried.insert("asked for");
                    return self.send(Event::Triggered {
                        manifest,
                        reason: TriggerReason::Cli,
                    });
                }
            }
            _ => return self.send(Event::Wake),
        }
        Ok(())
    }

    fn edit(&mut self) {
        // Most edits are of what is synced.
        let at = if self.rng.percent(12) {
            self.rng.below(FILES.len())
        } else {
            self.rng.pick(&[0, 2, 3, 6, 7]).unwrap_or_default()
        };
        let (image, path) = FILES[at];
        *self.disk.entry(path).or_default() += 1;
        let _ = writeln!(self.story, "edit {path}: {}", self.disk[path]);
        self.unreported.push(FileChange {
            after: self.moment,
            ..FileChange::new(TargetId::image(image), LocalPath::new(path))
        });
    }

    fn report_files(&mut self) -> Verdict {
        let changes = std::mem::take(&mut self.unreported);
        if changes.is_empty() {
            return Ok(());
        }
        for change in &changes {
            let path = FILES.iter().map(|(_, path)| *path);
            let path = path.into_iter().find(|path| LocalPath::new(path) == change.path);
            if let Some(path) = path {
                self.told.insert(path, self.disk[path]);
                let is_synced =
                    path.contains("/code/a") || path.contains("/code/b") || path.contains("/lib/");
                if !is_synced && !path.contains("/side/") {
                    self.may_build = Some(self.n_events + 1);
                }
            }
        }
        self.send(Event::FilesChanged(changes))
    }

    fn load(&mut self) -> Verdict {
        if !std::mem::take(&mut self.loading) {
            return Ok(());
        }
        self.may_build = Some(self.n_events + 1);
        let name = ManifestName::new("web");
        let outcome = LoadOutcome {
            manifests: Some(vec![self.manifest()]),
            enabled: [name].into(),
            config_files: vec![LocalPath::new("/src/Tiltfile")],
            docker_prune: DockerPrune {
                enabled: false,
                ..DockerPrune::default()
            },
            ..LoadOutcome::default()
        };
        self.send(Event::TiltfileLoaded {
            load: LoadId(self.loads),
            outcome: Box::new(outcome),
        })
    }

    fn manifest(&self) -> Manifest {
        let name = ManifestName::new("web");
        let value = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "web"}});
        Manifest {
            images: vec![
                self.image("base", None, None),
                self.image(
                    "app",
                    Some("base"),
                    Some(&[("/src/base/lib", "/lib"), ("/src/app/code", "/code")]),
                ),
                self.image("side", None, Some(&[("/src/side", "/side")])),
            ],
            deploy: DeployTarget::K8s(K8sTarget {
                id: TargetId::k8s(&name),
                entities: vec![Entity::new(value, Origin::default())],
                images: vec![TargetId::image("app"), TargetId::image("side")],
                readiness: PodReadiness::Wait,
                extra_pod_selectors: Vec::new(),
                upsert_timeout: Duration::from_secs(30),
                options: Box::default(),
            }),
            trigger_mode: self.mode,
            resource_deps: Vec::new(),
            labels: BTreeSet::new(),
            name,
        }
    }

    fn image(&self, name: &str, base: Option<&str>, syncs: Option<&[(&str, &str)]>) -> ImageTarget {
        let dir = LocalPath::new(format!("/src/{name}"));
        let update = |syncs: &[(&str, &str)]| LiveUpdate {
            base: LocalPath::new("/src"),
            initial_sync: self.initial_sync,
            stop_paths: vec![LocalPath::new("/src/app/code/stop")],
            syncs: syncs
                .iter()
                .map(|(from, to)| Sync {
                    source: LocalPath::new(from),
                    destination: (*to).to_owned(),
                })
                .collect(),
            execs: vec![Exec {
                argv: vec!["poke".to_owned()],
                triggers: Vec::new(),
                echo_off: false,
            }],
            restart: false,
            container: None,
        };
        ImageTarget {
            id: TargetId::image(name),
            selector: ImageSelector::new(ImageRef::parse(name).expect("a valid reference")),
            build: ImageBuild::Docker(DockerBuild {
                context: dir.clone(),
                dockerfile: dir.join("Dockerfile"),
                dockerfile_contents: self.revision.to_string(),
                site: None,
                build_args: Vec::new(),
                stage: None,
                context_ignores: Vec::new(),
                options: DockerOptions::default(),
            }),
            injection: Injection::default(),
            registry: None,
            live_update: syncs.map(update),
            base_images: base.map(TargetId::image).into_iter().collect(),
            watched: vec![dir],
            watch_ignores: Vec::new(),
        }
    }

    /// Ends a build: well, or as luck has it. Each file was read at some moment of it.
    fn end_a_build(&mut self, luck: Option<usize>) -> Verdict {
        let builds: Vec<BuildId> = self.builds.keys().copied().collect();
        let Some(id) = self.rng.pick(&builds) else {
            return Ok(());
        };
        let Some(build) = self.builds.remove(&id) else {
            return Ok(());
        };
        let luck = luck.unwrap_or_else(|| self.rng.below(100));
        let mut outcome = UpdateOutcome::default();
        let mut made: BTreeMap<String, Content> = BTreeMap::new();
        let mut tags = Vec::new();
        for step in &build.plan.images {
            let name = step.image.id.name.clone();
            let content = match &step.action {
                ImageAction::Reuse(built) => {
                    let tag = built.local_ref.tag().unwrap_or_default();
                    tags.push(tag.to_owned());
                    self.images[&format!("{name}:{tag}")].0.clone()
                }
                ImageAction::Build if luck >= 90 => break,
                ImageAction::Build => {
                    let mut content = match step.image.base_images.first() {
                        Some(base) => made[&base.name].clone(),
                        None => Content::new(),
                    };
                    for path in files_of(&[&name]) {
                        let read = if self.rng.percent(50) {
                            &self.disk
                        } else {
                            &build.began
                        };
                        content.insert(path, read[path]);
                    }
                    let tag = self.tag(&name, &content);
                    tags.push(tag.clone());
                    let image = reference(&name, &tag);
                    let built = BuiltImage {
                        local_ref: image.clone(),
                        cluster_ref: image,
                    };
                    outcome.built.push((step.image.id.clone(), built));
                    content
                }
            };
            made.insert(name, content);
        }
        if luck < 80 {
            let template = format!("h{}", tags.join("-"));
            let containers: BTreeMap<String, Content> = [("main", "app"), ("side", "side")]
                .map(|(name, image)| (name.to_owned(), made[image].clone()))
                .into();
            outcome.applied = vec![AppliedObject {
                id: ObjectId {
                    api_version: "apps/v1".to_owned(),
                    kind: "Deployment".to_owned(),
                    namespace: Some("default".to_owned()),
                    name: "web".to_owned(),
                },
                uid: ObjectUid::new("deployment-web"),
                template_hashes: vec![template.clone()],
                keep: false,
                dormancy: None,
                workload: None,
            }];
            outcome.deployed = true;
            self.may_build = self.may_build.filter(|at| *at > build.at);
            self.roll_out(template, containers);
        } else {
            self.tried.insert("a build fails");
            self.may_build = Some(self.n_events + 1);
            outcome.error = Some("it broke".to_owned());
        }
        self.send(Event::UpdateFinished {
            build: id,
            outcome: Box::new(outcome),
        })
    }

    fn tag(&mut self, image: &str, content: &Content) -> String {
        let same = self.images.iter().find(|(name, (other, revision))| {
            name.starts_with(&format!("{image}:")) && other == content && *revision == self.revision
        });
        if let Some((name, _)) = same {
            return name.rsplit(':').next().unwrap_or_default().to_owned();
        }
        let tag = format!("t{}", self.images.len());
        self.images
            .insert(format!("{image}:{tag}"), (content.clone(), self.revision));
        tag
    }

    /// Lets pods of a template replace all others, unless they are there already.
    fn roll_out(&mut self, template: String, containers: BTreeMap<String, Content>) {
        let is_same = self
            .deployed
            .as_ref()
            .is_some_and(|(deployed, _)| *deployed == template);
        self.deployed = Some((template, containers));
        if is_same {
            self.tried.insert("the same image again");
            return;
        }
        self.pods.clear();
        for _ in 0..1 + self.rng.below(2) {
            self.add_pod();
        }
    }

    fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn add_pod(&mut self) {
        let Some((template, containers)) = self.deployed.clone() else {
            return;
        };
        let id = self.new_id();
        let tags: Vec<&str> = template[1..].split('-').collect();
        let container = |name: &str, image: &str, tag: &str| Container {
            name: name.to_owned(),
            id: String::new(),
            image: format!("{image}:{tag}"),
            ready: false,
            has_probe: false,
            started: None,
            restarts: 0,
            state: waiting("ContainerCreating"),
            last_exit: None,
            ports: Vec::new(),
        };
        let owner = |uid: &str, kind: &str| Owner {
            uid: ObjectUid::new(uid),
            api_version: "apps/v1".to_owned(),
            kind: kind.to_owned(),
            name: "web".to_owned(),
            created: Some(Timestamp::from_secs(1_000 + id.cast_signed())),
        };
        let pod = Pod {
            uid: ObjectUid::new(format!("pod-{id}")),
            name: format!("web-{id}"),
            namespace: "default".to_owned(),
            node: "node1".to_owned(),
            created: Timestamp::from_secs(1_000 + id.cast_signed()),
            deleting: false,
            phase: PodPhase::Pending,
            restarts: RestartPolicy::Always,
            status: "Pending".to_owned(),
            given_up: None,
            errors: Vec::new(),
            conditions: Vec::<PodCondition>::new(),
            init_containers: Vec::new(),
            containers: vec![
                container("main", "app", tags[1]),
                container("side", "side", tags[2]),
            ],
            labels: vec![("tilt.dev/pod-template-hash".to_owned(), template)],
            owners: vec![owner("set", "StatefulSet"), owner("deployment-web", "Deployment")],
        };
        self.pods.insert(
            format!("pod-{id}"),
            FakePod {
                pod,
                running: BTreeMap::new(),
                image: containers,
            },
        );
    }

    fn pick_pod(&mut self) -> Option<String> {
        let pods: Vec<String> = self.pods.keys().cloned().collect();
        self.rng.pick(&pods)
    }

    /// Lets a container start that does not run.
    fn move_a_pod(&mut self) {
        if let Some(uid) = self.pick_pod() {
            let at = self.rng.below(2);
            self.start_container(&uid, at);
        }
    }

    fn start_container(&mut self, uid: &str, at: usize) {
        let id = self.new_id();
        let Some(fake) = self.pods.get_mut(uid) else {
            return;
        };
        let container = &mut fake.pod.containers[at];
        if container.state == ContainerState::Running {
            return;
        }
        container.restarts += u32::from(!container.id.is_empty());
        container.id = format!("run-{id}");
        container.state = ContainerState::Running;
        container.ready = true;
        let running = Running {
            id: container.id.clone(),
            content: fake.image[&container.name].clone(),
        };
        fake.running.insert(container.name.clone(), running);
        fake.pod.phase = PodPhase::Running;
    }

    fn restart_a_container(&mut self) {
        let Some(uid) = self.pick_pod() else { return };
        let (at, crashes) = (self.rng.below(2), self.rng.percent(10));
        let Some(fake) = self.pods.get_mut(&uid) else {
            return;
        };
        let container = &mut fake.pod.containers[at];
        if container.state != ContainerState::Running {
            return;
        }
        container.ready = false;
        fake.running.remove(&container.name);
        container.state = if crashes {
            self.tried.insert("a crash loop");
            self.may_build = Some(self.n_events + 1);
            waiting("CrashLoopBackOff")
        } else {
            self.tried.insert("a restart");
            if container.restarts > 0 {
                self.may_build = Some(self.n_events + 1);
            }
            ContainerState::Terminated {
                reason: "Error".to_owned(),
                exit_code: 1,
            }
        };
        if self.rng.percent(50) && !crashes {
            self.start_container(&uid, at);
        }
    }

    fn replace_a_pod(&mut self) {
        if let Some(uid) = self.pick_pod() {
            self.tried.insert("a pod that is replaced");
            self.pods.remove(&uid);
            self.add_pod();
        }
    }

    fn scale_up(&mut self) {
        if !self.pods.is_empty() && self.pods.len() < 4 {
            self.tried.insert("scaled up");
            self.add_pod();
        }
    }

    /// Reports a pod whose state the engine does not know yet.
    fn report_a_pod(&mut self) -> Verdict {
        let gone = self
            .reported
            .keys()
            .find(|uid| !self.pods.contains_key(*uid))
            .cloned();
        if let Some(uid) = gone {
            self.reported.remove(&uid);
            return self.send(Event::PodGone(ObjectUid::new(uid)));
        }
        let news = self
            .pods
            .iter()
            .find(|(uid, fake)| self.reported.get(*uid) != Some(&fake.pod));
        let Some((uid, pod)) = news.map(|(uid, fake)| (uid.clone(), fake.pod.clone())) else {
            return Ok(());
        };
        self.reported.insert(uid, pod.clone());
        self.send(Event::PodSeen(Box::new(pod)))
    }

    /// Ends a change of a container: well, or as luck has it.
    fn end_a_sync(&mut self, luck: Option<usize>) -> Verdict {
        if self.syncing.is_empty() {
            return Ok(());
        }
        let at = self.rng.below(self.syncing.len());
        let Syncing { update, container } = self.syncing.remove(at);
        let luck = luck.unwrap_or_else(|| self.rng.below(100));
        let disk = self.disk.clone();
        let fake = self.pods.get_mut(container.container.pod_uid.as_str());
        let running = fake.and_then(|fake| fake.running.get_mut(&container.container.container));
        let running = running.filter(|running| running.id == container.container.id);
        let synced = |local: &LocalPath| {
            let paths = files_of(&["base", "app", "side"]);
            paths
                .filter(|path| LocalPath::new(path).is_within(local))
                .collect::<Vec<_>>()
        };
        let files: Vec<&'static str> = container
            .batch
            .files
            .iter()
            .flat_map(|file| synced(&file.local))
            .collect();
        let outcome = match running {
            None => Err(SyncFailure::ContainerGone("it is gone".to_owned())),
            Some(running) => {
                // What broke in the middle has brought some of it.
                let n_files = if (70..85).contains(&luck) {
                    files.len() / 2
                } else {
                    files.len()
                };
                let fails_at_all = luck >= 97;
                for path in files.into_iter().take(if fails_at_all { 0 } else { n_files }) {
                    running.content.insert(path, disk[path]);
                }
                match luck {
                    0..70 => Ok(Box::default()),
                    70..85 => Err(SyncFailure::ConnectionLost("eof".to_owned())),
                    85..97 => Err(SyncFailure::CommandFailed {
                        command: "poke".to_owned(),
                        exit_code: 1,
                    }),
                    _ => Err(SyncFailure::DiskFull("/".to_owned())),
                }
            }
        };
        match &outcome {
            Ok(_) => self.tried.insert("synced"),
            Err(SyncFailure::DiskFull(_)) => {
                self.may_build = Some(self.n_events + 1);
                self.tried.insert("a full disk")
            }
            Err(SyncFailure::CommandFailed { .. }) => self.tried.insert("a command fails"),
            Err(SyncFailure::ContainerGone(_)) => self.tried.insert("gone in the middle"),
            Err(_) => self.tried.insert("a connection breaks"),
        };
        self.send(Event::ContainerUpdated {
            update,
            container_id: container.container.id,
            outcome,
        })
    }

    /// No resource is shown as up to date while a container that is known to run differs from what is known of the disk.
    fn check_shown(&self) -> Verdict {
        let view = self.brain.view();
        let Some(resource) = view.resources.front() else {
            return Ok(());
        };
        if resource.update_status != UpdateStatus::Ok || self.mode != TriggerMode::Auto {
            return Ok(());
        }
        self.check_containers(&self.told)
    }

    fn check_containers(&self, wanted: &Content) -> Verdict {
        for (uid, reported) in &self.reported {
            let is_current = self
                .deployed
                .as_ref()
                .is_some_and(|(template, _)| reported.label("tilt.dev/pod-template-hash") == Some(template));
            let Some(fake) = self.pods.get(uid).filter(|_| is_current) else {
                continue;
            };
            for container in &reported.containers {
                let running = fake.running.get(&container.name);
                let known = running.filter(|running| running.id == container.id);
                let Some(running) = known.filter(|_| container.state == ContainerState::Running) else {
                    continue;
                };
                for path in files_of(chain(&container.name)) {
                    let (has, wanted) = (running.content[path], wanted[path]);
                    holds(has >= wanted, || {
                        format!("{} of {uid} has {has} of {path}, not {wanted}", container.name)
                    })?;
                }
            }
        }
        Ok(())
    }

    /// Ends everything that is under way, well, until nothing is: then all content is equal.
    fn come_to_rest(&mut self) -> Verdict {
        let _ = writeln!(self.story, "quiet");
        self.unreported.extend(
            FILES
                .iter()
                .filter(|(_, path)| self.told[path] != self.disk[path])
                .map(|(image, path)| FileChange::new(TargetId::image(image), LocalPath::new(path))),
        );
        // What failed for a reason of its own is tried again with the next save.
        self.disk
            .entry("/src/app/code/a")
            .and_modify(|version| *version += 1);
        self.disk.entry("/src/side/x").and_modify(|version| *version += 1);
        for (image, path) in [FILES[2], FILES[6]] {
            self.unreported
                .push(FileChange::new(TargetId::image(image), LocalPath::new(path)));
        }
        for _ in 0..300 {
            if !self.one_quiet_step()? {
                return self.check_at_rest();
            }
        }
        Err("it never comes to rest".to_owned())
    }

    fn one_quiet_step(&mut self) -> Result<bool, String> {
        let idle = |fake: &FakePod| fake.running.len() < 2;
        if self.loading {
            self.load()?;
        } else if !self.unreported.is_empty() {
            self.report_files()?;
        } else if !self.builds.is_empty() {
            self.end_a_build(Some(0))?;
        } else if let Some(uid) = self
            .pods
            .iter()
            .find(|(_, fake)| idle(fake))
            .map(|(uid, _)| uid.clone())
        {
            self.start_container(&uid, 0);
            self.start_container(&uid, 1);
        } else if self.reported.len() != self.pods.len()
            || self
                .pods
                .iter()
                .any(|(uid, fake)| self.reported.get(uid) != Some(&fake.pod))
        {
            self.report_a_pod()?;
        } else if !self.syncing.is_empty() {
            self.end_a_sync(Some(0))?;
        } else if let Some(wake) = self.brain.next_wake() {
            self.now = wake;
            self.send(Event::Wake)?;
        } else if self.mode != TriggerMode::Auto && self.brain.view().resources[0].has_pending_changes {
            self.send(Event::Triggered {
                manifest: ManifestName::new("web"),
                reason: TriggerReason::Cli,
            })?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn check_at_rest(&self) -> Verdict {
        let view = self.brain.view();
        let resource = &view.resources[0];
        holds(resource.update_status == UpdateStatus::Ok, || {
            format!(
                "at rest it is {:?}, held by {:?}",
                resource.update_status, resource.hold
            )
        })?;
        self.check_containers(&self.disk)
    }
}

fn waiting(reason: &str) -> ContainerState {
    ContainerState::Waiting {
        reason: reason.to_owned(),
        message: String::new(),
    }
}

fn shortened(what: &impl std::fmt::Debug) -> String {
    format!("{what:?}").chars().take(400).collect()
}

/// Returns what breaks a rule in a world, with its story.
fn broken<B: Brain>(
    seed: u64,
    brain: impl FnOnce(EngineConfig) -> B,
    tried: &mut BTreeSet<&'static str>,
) -> Option<String> {
    let mut world = LiveWorld::new(seed, brain);
    let verdict = world.live();
    tried.extend(world.tried.iter().copied());
    let why = verdict.err()?;
    Some(format!("WORLD_SEED={seed}: {why}\n{}", world.story))
}

#[test]
fn containers_hold_what_is_on_disk_whatever_comes_between() {
    let mut tried = BTreeSet::new();
    let seeds = crate::seeds(3_000);
    let is_one = seeds.len() == 1;
    for seed in seeds {
        if let Some(broken) = broken(seed, Engine::new, &mut tried) {
            panic!("{broken}");
        }
    }
    let expected = [
        "a build fails",
        "a command fails",
        "a connection breaks",
        "a crash loop",
        "a full disk",
        "a pod that is replaced",
        "a restart",
        "asked for",
        "gone in the middle",
        "scaled up",
        "synced",
        "the same image again",
    ];
    let missing: Vec<&&str> = expected.iter().filter(|what| !tried.contains(**what)).collect();
    assert!(is_one || missing.is_empty(), "no world has tried {missing:?}");
}

/// An engine that is told something else than what happened.
struct Misled {
    engine: Engine,
    mislead: fn(&mut Event),
}

impl Brain for Misled {
    fn handle(&mut self, now: Instant, mut event: Event) -> Vec<Effect> {
        (self.mislead)(&mut event);
        self.engine.handle(now, event)
    }

    fn next_wake(&self) -> Option<Instant> {
        self.engine.next_wake()
    }

    fn view(&self) -> tilt::view::View {
        self.engine.view()
    }

    fn publish(&mut self) -> Arc<tilt::view::View> {
        self.engine.publish()
    }
}

#[track_caller]
fn check_found(mislead: fn(&mut Event), expected: &str) {
    let mut found = (0..300).filter_map(|seed| {
        let brain = |config| Misled {
            engine: Engine::new(config),
            mislead,
        };
        broken(seed, brain, &mut BTreeSet::new())
    });
    assert!(
        found.any(|why| why.lines().next().is_some_and(|line| line.contains(expected))),
        "no world speaks of {expected:?}"
    );
}

#[test]
fn a_sync_that_is_taken_for_good_though_it_broke_is_found() {
    let mislead = |event: &mut Event| {
        if let Event::ContainerUpdated { outcome, .. } = event
            && outcome.is_err()
        {
            *outcome = Ok(Box::default());
        }
    };
    check_found(mislead, " has ");
}

#[test]
fn a_broken_connection_that_is_taken_for_a_fault_of_the_container_is_found() {
    let mislead = |event: &mut Event| {
        if let Event::ContainerUpdated { outcome, .. } = event
            && let Err(SyncFailure::ConnectionLost(why)) = outcome
        {
            *outcome = Err(SyncFailure::Other(why.clone()));
        }
    };
    check_found(mislead, "a full build without a reason");
}

#[test]
fn a_save_that_is_swallowed_is_found() {
    let mislead = |event: &mut Event| {
        if let Event::FilesChanged(changes) = event
            && changes.len() > 1
        {
            changes.pop();
        }
    };
    check_found(mislead, " has ");
}
