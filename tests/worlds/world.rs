//! The outside: files, a Tiltfile, a Docker engine and a cluster, all made up. It does what effects say, late or badly,
//! and reports it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tilt::engine::{
    ClusterWatch, Effect, Engine, EngineConfig, Event, FileChange, ImageAction, LoadOutcome, LogStream, Mode,
    Moment, ObjectId, PodLog, Server, ServerStatus, Transient, UpdateOutcome, UpdatePlan, WatchSet,
};
use tilt::history::UpdateRecord;
use tilt::model::{
    ApiObjects, BuildId, BuiltImage, CiSettings, ClusterEvent, DeleteId, DeployTarget, DockerPrune,
    ImageBuild, ImageRef, LoadId, LocalPath, ObjectUid, PruneId, ServeId, TargetId, TargetKind, Timestamp,
    UpdateSettings,
};
use tilt::view::{UpdateStatus, View};

use crate::cluster::{FakePod, Stored};
use crate::connection::Way;
use crate::coverage::Coverage;
use crate::project::{
    Content, Contents, IMAGES, LOCAL_FILES, Project, Resource, all_images, base_of, image_number,
};
use crate::questions::Question;
use crate::rng::Rng;
use crate::rules::{Ledger, Verdict};

/// What decides: the engine, or one that was made faulty on purpose.
pub(crate) trait Brain {
    fn handle(&mut self, now: Instant, event: Event) -> Vec<Effect>;
    fn next_wake(&self) -> Option<Instant>;
    fn view(&self) -> View;
    fn publish(&mut self) -> Arc<View>;
}

impl Brain for Engine {
    fn handle(&mut self, now: Instant, event: Event) -> Vec<Effect> {
        Engine::handle(self, now, event)
    }

    fn next_wake(&self) -> Option<Instant> {
        Engine::next_wake(self)
    }

    fn publish(&mut self) -> Arc<View> {
        Engine::publish(self)
    }

    fn view(&self) -> View {
        Engine::view(self)
    }
}

/// How bad a world is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chaos {
    pub(crate) mode: Mode,
    /// How much happens before it becomes quiet.
    pub(crate) steps: usize,
    /// Whether it is mostly the Tiltfile that changes.
    pub(crate) many_reloads: bool,
}

impl Default for Chaos {
    fn default() -> Self {
        Self {
            mode: Mode::Up,
            steps: 40,
            many_reloads: false,
        }
    }
}

/// An update that was started and has not answered.
pub(crate) struct Update {
    pub(crate) plan: UpdatePlan,
    /// What each image of it is made of.
    pub(crate) contents: BTreeMap<usize, Content>,
    pub(crate) is_canceled: bool,
    /// Whether it answers only when it is cancelled.
    hangs: bool,
}

/// A load that runs.
pub(crate) struct Loading {
    pub(crate) load: LoadId,
    /// What it has read.
    project: Project,
    /// How often each file of the Tiltfile had been changed then.
    config_edits: [u64; CONFIG_FILES.len()],
    /// Whether it says anew what runs.
    sets_enabled: bool,
    /// Which files it found changed since it had read them, once it has looked.
    changed: Option<Vec<LocalPath>>,
}

/// What the Tiltfile consists of.
const CONFIG_FILES: [&str; 2] = ["/src/Tiltfile", "/src/values.yaml"];

/// The outside of one session.
pub(crate) struct World<B> {
    brain: B,
    pub(crate) rng: Rng,
    pub(crate) chaos: Chaos,
    pub(crate) now: Instant,
    pub(crate) started_at: Instant,
    /// What the Tiltfile says now.
    pub(crate) project: Project,
    /// How often the files of each image were changed.
    pub(crate) files: [u64; 4],
    /// Loads that run.
    pub(crate) loads: Vec<Loading>,
    /// The last load that had read all.
    compared_load: LoadId,
    config_edits: [u64; CONFIG_FILES.len()],
    /// Whether the next load does, because the arguments are others.
    pub(crate) sets_enabled: bool,
    pub(crate) args: usize,
    /// The arguments that the session was told last.
    pub(crate) told_args: Vec<String>,
    pub(crate) coverage: Coverage,
    /// What the Tiltfile says of `tilt ci`.
    pub(crate) ci_settings: CiSettings,
    pub(crate) updates: BTreeMap<BuildId, Update>,
    /// Deletions that were not carried out yet.
    pub(crate) deletions: Vec<(DeleteId, Vec<ObjectId>)>,
    /// A pruning that has not answered yet.
    pub(crate) pruning: Option<PruneId>,
    /// Changes of files that were not reported yet.
    unreported: Vec<FileChange>,
    /// When the last update or load began.
    moment: Moment,
    pub(crate) watched: WatchSet,
    pub(crate) cluster_watch: ClusterWatch,
    pub(crate) streams: Vec<PodLog>,
    pub(crate) servers: Vec<Server>,
    /// What was last told of each server that ever was.
    pub(crate) told: BTreeMap<ServeId, ServerStatus>,
    /// How often the files of local resources were changed.
    pub(crate) local_files: u64,
    pub(crate) ended_streams: BTreeSet<(ObjectUid, String)>,
    pub(crate) objects: BTreeMap<ObjectId, Stored>,
    pub(crate) pods: BTreeMap<ObjectUid, FakePod>,
    /// Workloads that changed and were not reported yet.
    pub(crate) untold: BTreeSet<ObjectId>,
    /// Objects that are gone and were not reported yet.
    pub(crate) untold_gone: Vec<ObjectUid>,
    pub(crate) contents: Contents,
    pub(crate) exit: Option<tilt::engine::ExitOutcome>,
    /// Whether the cluster answers.
    pub(crate) is_connected: bool,
    pub(crate) way: Way,
    pub(crate) last_uid: u64,
    pub(crate) ledger: Ledger,
    /// What became of updates.
    pub(crate) records: Vec<Arc<UpdateRecord>>,
    /// Marks that were not answered yet.
    pub(crate) marks: Vec<u64>,
    pub(crate) last_mark: u64,
    /// What was asked of the session and is not answered yet.
    pub(crate) questions: Vec<Question>,
    /// How often the Tiltfile was changed, how often it had been when each load began, and when the last that ended did.
    pub(crate) tiltfile_edits: u64,
    tiltfile_edits_at: BTreeMap<LoadId, u64>,
    pub(crate) tiltfile_edits_read: u64,
    /// What happened, if anyone wants to know.
    story: Option<String>,
}

impl<B: Brain> World<B> {
    pub(crate) fn new(seed: u64, brain: impl FnOnce(EngineConfig) -> B, chaos: Chaos) -> Self {
        let mut rng = Rng::new(seed);
        let now = tilt::clock::now();
        let config = EngineConfig {
            mode: chaos.mode,
            started: Timestamp::from_secs(1_000),
            started_at: now,
            tiltfile: LocalPath::new("/src/Tiltfile"),
            args: Vec::new(),
            cwd: LocalPath::new("/src"),
            forwards_ports: true,
            updates_containers: true,
            default_namespace: "default".to_owned(),
            has_cluster: true,
            kubeconfig: vec![LocalPath::new("/home/kubeconfig")],
        };
        let mut project = Project::random(&mut rng);
        project.is_broken = chaos.mode != Mode::Up && rng.percent(3);
        let ci_settings = crate::ci::settings(&mut rng);
        Self {
            brain: brain(config),
            project,
            rng,
            chaos,
            now,
            started_at: now,
            files: [0; 4],
            loads: Vec::new(),
            compared_load: LoadId(0),
            config_edits: [0; CONFIG_FILES.len()],
            sets_enabled: false,
            args: 0,
            told_args: Vec::new(),
            coverage: Coverage::default(),
            ci_settings,
            updates: BTreeMap::new(),
            deletions: Vec::new(),
            pruning: None,
            unreported: Vec::new(),
            moment: 0,
            watched: WatchSet::default(),
            cluster_watch: ClusterWatch::default(),
            streams: Vec::new(),
            servers: Vec::new(),
            told: BTreeMap::new(),
            local_files: 0,
            ended_streams: BTreeSet::new(),
            objects: BTreeMap::new(),
            pods: BTreeMap::new(),
            untold: BTreeSet::new(),
            untold_gone: Vec::new(),
            contents: Contents::default(),
            exit: None,
            is_connected: false,
            way: Way::default(),
            last_uid: 0,
            ledger: Ledger::default(),
            records: Vec::new(),
            marks: Vec::new(),
            last_mark: 0,
            questions: Vec::new(),
            tiltfile_edits: 0,
            tiltfile_edits_at: BTreeMap::new(),
            tiltfile_edits_read: 0,
            story: None,
        }
    }

    /// Writes down what happens from now on.
    pub(crate) fn telling(mut self) -> Self {
        self.story = Some(String::new());
        self
    }

    /// Returns what happened.
    pub(crate) fn story(&self) -> &str {
        self.story.as_deref().unwrap_or_default()
    }

    fn tell(&mut self, line: impl FnOnce() -> String) {
        if let Some(story) = &mut self.story {
            let _ = writeln!(story, "{}", line());
        }
    }

    pub(crate) fn publish(&mut self) -> Arc<View> {
        self.brain.publish()
    }

    pub(crate) fn view(&self) -> View {
        self.brain.view()
    }

    pub(crate) fn next_wake(&self) -> Option<Instant> {
        self.brain.next_wake()
    }

    /// Lets a world live: first everything happens, then it becomes quiet, and all must come to rest.
    pub(crate) fn live(&mut self) -> Verdict {
        self.send(Event::Started)?;
        let stops_at = self.rng.percent(5).then(|| self.rng.below(self.chaos.steps));
        for step in 0..self.chaos.steps {
            if stops_at == Some(step) {
                return self.stop();
            }
            self.step()?;
        }
        self.become_quiet()?;
        self.check_at_rest()
    }

    /// Lets a run begin, and much happen in it.
    pub(crate) fn run_started(&mut self) -> Verdict {
        self.send(Event::Started)?;
        for _ in 0..self.chaos.steps {
            self.step()?;
        }
        while self.exit.is_none() && self.settle_connection()? {}
        Ok(())
    }

    /// Reports an event, then does what the effects say.
    pub(crate) fn send(&mut self, event: Event) -> Verdict {
        self.tell(|| format!("{event:?}").chars().take(300).collect());
        self.ledger.note_event(&event);
        let effects = self.brain.handle(self.now, event);
        for effect in &effects {
            self.tell(|| {
                format!(
                    "    -> {}",
                    format!("{effect:?}").chars().take(160).collect::<String>()
                )
            });
        }
        for effect in effects {
            self.check_effect(&effect)?;
            self.obey(effect);
        }
        self.check_step()
    }

    fn obey(&mut self, effect: Effect) {
        match effect {
            Effect::CancelLoad { .. } => self.abandon_loads(),
            Effect::LoadTiltfile { load, moment, .. } => {
                self.moment = moment;
                // What still ran is abandoned.
                self.abandon_loads();
                let sets_enabled = std::mem::take(&mut self.sets_enabled);
                self.tiltfile_edits_at.insert(load, self.tiltfile_edits);
                self.loads.push(Loading {
                    load,
                    project: self.project.clone(),
                    config_edits: self.config_edits,
                    sets_enabled,
                    changed: None,
                });
            }
            Effect::StartUpdate(plan) => {
                self.moment = plan.moment;
                let contents = self.contents_of(&plan);
                let hangs = self.rng.percent(5);
                self.updates.insert(
                    plan.build,
                    Update {
                        plan: *plan,
                        contents,
                        is_canceled: false,
                        hangs,
                    },
                );
            }
            Effect::CancelUpdate { build } => {
                if let Some(update) = self.updates.get_mut(&build) {
                    update.is_canceled = true;
                }
            }
            Effect::DeleteObjects { delete, objects, .. } => {
                let objects = objects.into_iter().map(|object| object.id).collect();
                self.deletions.push((delete, objects));
            }
            Effect::WatchFiles(set) => self.watched = set,
            Effect::WatchCluster(watch) => self.cluster_watch = watch,
            Effect::StreamLogs(streams) => {
                self.streams = streams
                    .values()
                    .cloned()
                    .filter_map(LogStream::into_pod)
                    .collect();
            }
            Effect::Serve(servers) => self.servers = servers.values().cloned().collect(),
            Effect::Prune(request) => self.pruning = Some(request.prune),
            Effect::ExpectContainers(_) | Effect::UpdateContainers(_) | Effect::CancelLiveUpdate { .. } => {}
            Effect::Record(record) => self.records.push(record),
            Effect::CatchUp { mark } => self.marks.push(mark),
            Effect::WatchServices(_) | Effect::RemoveService { .. } | Effect::RestartService { .. } => {}
            effect @ (Effect::ConnectCluster { .. } | Effect::LookOut(_) | Effect::ForwardPorts(_)) => {
                self.obey_connection(effect);
            }
            Effect::Log(_) | Effect::CheckKubeconfig => {}
            Effect::Exit(outcome) => self.exit = Some(outcome),
        }
    }

    fn abandon_loads(&mut self) {
        self.sets_enabled |= self.loads.drain(..).any(|loading| loading.sets_enabled);
    }

    /// Returns what each image of a plan is made of, if it is built now.
    fn contents_of(&self, plan: &UpdatePlan) -> BTreeMap<usize, Content> {
        if plan.deploy.k8s().is_none() {
            return BTreeMap::from([(LOCAL_FILES, self.local_content_now())]);
        }
        let mut contents: BTreeMap<usize, Content> = BTreeMap::new();
        for step in &plan.images {
            let image = image_number(&step.image.id);
            let content = match &step.action {
                ImageAction::Reuse(built) => self.contents.of(&built.local_ref),
                ImageAction::Build => {
                    let ImageBuild::Docker(docker) = &step.image.build else {
                        panic!("worlds have no custom builds");
                    };
                    Content {
                        image,
                        files: self.files[image],
                        dockerfile: docker.dockerfile_contents.clone(),
                        base: base_of(image).map(|base| Box::new(contents[&base].clone())),
                    }
                }
            };
            contents.insert(image, content);
        }
        contents
    }

    fn local_content_now(&self) -> Content {
        Content {
            image: LOCAL_FILES,
            files: self.local_files,
            dockerfile: String::new(),
            base: None,
        }
    }

    /// Returns what an image would be made of now.
    pub(crate) fn content_now(&self, image: usize) -> Content {
        Content {
            image,
            files: self.files[image],
            dockerfile: self.project.dockerfiles[image].to_string(),
            base: base_of(image).map(|base| Box::new(self.content_now(base))),
        }
    }

    /// Lets something happen.
    fn step(&mut self) -> Verdict {
        self.now += Duration::from_millis(self.rng.below(1_500) as u64);
        let n = if self.chaos.many_reloads {
            self.rng
                .pick(&[2, 2, 2, 3, 3, 5, 5, 6, 6, 6, 8, 11, 13, 14, 15, 16, 19])
        } else {
            Some(self.rng.below(24))
        };
        match n.unwrap_or_default() {
            0 | 1 => self.edit_files(),
            2 => self.edit_tiltfile(),
            3 | 4 => self.report_files(),
            5 => self.end_a_load(),
            6 | 7 => self.end_an_update(),
            8 | 9 => self.move_a_pod(),
            10 => self.end_a_stream(),
            11 => self.report_an_event(),
            12 => self.answer_again(),
            13 => self.end_a_deletion(),
            14 => self.move_a_server(),
            16..=18 => self.wish(),
            19 | 20 => self.ask_what_came(),
            _ => self.wake_or_connect(),
        }
    }

    pub(crate) fn edit_files(&mut self) -> Verdict {
        if self.chaos.mode != Mode::Up {
            return Ok(());
        }
        let image = self.rng.below(IMAGES.len() + 1);
        if image == LOCAL_FILES {
            return self.edit_local_files();
        }
        self.files[image] += 1;
        let path = LocalPath::new(format!("/src/{}/{}.txt", IMAGES[image], self.rng.below(3)));
        self.tell(|| format!("edit {path}"));
        self.notice(crate::project::image_id(image), path);
        Ok(())
    }

    fn edit_local_files(&mut self) -> Verdict {
        self.local_files += 1;
        self.tell(|| "edit the files of local resources".to_owned());
        let is_local = |id: &&TargetId| id.kind == TargetKind::Local;
        let watching: Vec<TargetId> = self.watched.targets.keys().filter(is_local).cloned().collect();
        for target in watching {
            self.notice(target, LocalPath::new("/src/local/a.txt"));
        }
        Ok(())
    }

    fn edit_tiltfile(&mut self) -> Verdict {
        if self.chaos.mode != Mode::Up {
            return Ok(());
        }
        self.project.change(&mut self.rng);
        self.tiltfile_edits += 1;
        let project = self.project.clone();
        let file = self.rng.below(CONFIG_FILES.len());
        self.tell(|| format!("change {}: {project:?}", CONFIG_FILES[file]));
        self.config_edits[file] += 1;
        self.notice(TargetId::configs(), LocalPath::new(CONFIG_FILES[file]));
        Ok(())
    }

    fn notice(&mut self, target: TargetId, path: LocalPath) {
        if self.watched.targets.contains_key(&target) {
            let (after, after_load) = (self.moment, self.compared_load);
            self.unreported.push(FileChange {
                after,
                after_load,
                ..FileChange::new(target, path)
            });
        }
    }

    fn report_files(&mut self) -> Verdict {
        let changes = std::mem::take(&mut self.unreported);
        if !changes.is_empty() {
            self.send(Event::FilesChanged(changes))?;
        }
        // A mark comes out behind all that changed before it.
        let mut marks = std::mem::take(&mut self.marks).into_iter();
        marks.try_for_each(|mark| self.send(Event::FilesCaughtUp { mark }))
    }

    fn end_a_load(&mut self) -> Verdict {
        let Some(mut loading) = self.loads.pop() else {
            return Ok(());
        };
        let Some(changed_meanwhile) = loading.changed.take() else {
            loading.changed = Some(self.changed_since(&loading));
            self.compared_load = loading.load;
            self.loads.push(loading);
            return Ok(());
        };
        let Loading {
            load,
            project,
            sets_enabled,
            ..
        } = loading;
        let fails = project.is_broken;
        if let Some(edits) = self.tiltfile_edits_at.remove(&load) {
            self.tiltfile_edits_read = edits;
        }
        let outcome = LoadOutcome {
            shown_settings: std::sync::Arc::default(),
            extensions: Default::default(),
            read: CONFIG_FILES.map(LocalPath::new).into(),
            changed_meanwhile,
            manifests: (!fails).then(|| project.manifests()),
            enabled: project.enabled(),
            error: fails.then(|| "the Tiltfile is broken".to_owned()),
            error_place: None,
            config_files: CONFIG_FILES.map(LocalPath::new).into(),
            watch_ignores: Vec::new(),
            update_settings: UpdateSettings {
                max_parallel_updates: project.max_parallel,
                ..UpdateSettings::default()
            },
            ci_settings: self.ci_settings.clone(),
            docker_prune: DockerPrune {
                num_builds: 2,
                ..DockerPrune::default()
            },
            objects: ApiObjects::default(),
        };
        if fails {
            self.sets_enabled |= sets_enabled;
        } else {
            self.ledger.defined(project, sets_enabled);
        }
        self.send(Event::TiltfileLoaded {
            load,
            outcome: Box::new(outcome),
        })
    }

    /// Returns which files of the Tiltfile are others by now than those that a load has read.
    fn changed_since(&self, loading: &Loading) -> Vec<LocalPath> {
        let edits = loading.config_edits.iter().zip(&self.config_edits);
        let changed = CONFIG_FILES
            .iter()
            .zip(edits)
            .filter(|(_, (then, now))| then != now);
        changed.map(|(file, _)| LocalPath::new(file)).collect()
    }

    fn end_an_update(&mut self) -> Verdict {
        let can_end = |(_, update): &(&BuildId, &Update)| update.is_canceled || !update.hangs;
        let ready: Vec<BuildId> = self
            .updates
            .iter()
            .filter(can_end)
            .map(|(build, _)| *build)
            .collect();
        let Some(build) = self.rng.pick(&ready) else {
            return Ok(());
        };
        let luck = self.rng.below(100);
        self.end_update(build, luck)
    }

    /// Ends an update: below 70 well, below 85 at its images, else at its objects. Cancelled ones stop anywhere.
    fn end_update(&mut self, build: BuildId, luck: usize) -> Verdict {
        let update = self.updates.remove(&build).expect("it runs");
        // What has nothing to do cannot fail.
        let only_serves = |deploy: &DeployTarget| match deploy {
            DeployTarget::Local(local) => local.update_cmd.is_none(),
            DeployTarget::K8s(_) | DeployTarget::Compose(_) => false,
        };
        let luck = if only_serves(&update.plan.deploy) { 0 } else { luck };
        let mut outcome = UpdateOutcome::default();
        if let Some(k8s) = update.plan.deploy.k8s().filter(|_| update.plan.force) {
            for entity in &k8s.entities {
                self.delete(&crate::project::object(
                    entity.api_version(),
                    entity.kind(),
                    entity.name(),
                ));
            }
        }
        let is_built = |action: &ImageAction| *action == ImageAction::Build;
        let to_build: Vec<&tilt::engine::ImageStep> = update
            .plan
            .images
            .iter()
            .filter(|step| is_built(&step.action))
            .collect();
        let n_built = if luck < 70 {
            to_build.len()
        } else {
            self.rng.below(to_build.len() + 1)
        };
        for step in &to_build[..n_built] {
            let tag = self.contents.tag(&update.contents[&image_number(&step.image.id)]);
            let image = ImageRef::parse(&format!("{}:{tag}", step.image.id.name)).expect("a valid reference");
            if step.needs_push {
                self.ledger.pushed.insert(tag);
            }
            let built = BuiltImage {
                local_ref: image.clone(),
                cluster_ref: image,
            };
            outcome.built.push((step.image.id.clone(), built));
        }
        if n_built == to_build.len() && !(70..85).contains(&luck) {
            self.apply(&update, luck < 70, &mut outcome);
        }
        outcome.deployed = luck < 70;
        if luck >= 70 {
            let canceled = update.is_canceled;
            self.ledger.has_failed |= !canceled;
            self.ledger.was_canceled |= canceled;
            outcome.transient = Transient::if_unreachable(!canceled && self.rng.percent(30));
            outcome.error = Some(if canceled { "build canceled" } else { "it broke" }.to_owned());
        }
        outcome.stages = self.made_up_stages();
        self.ledger.ended(&update, &outcome, self.now);
        self.send(Event::UpdateFinished {
            build,
            outcome: Box::new(outcome),
        })
    }

    fn end_a_deletion(&mut self) -> Verdict {
        let Some((delete, objects)) = self.deletions.pop() else {
            return Ok(());
        };
        objects.iter().for_each(|id| self.delete(id));
        self.send(Event::ObjectsDeleted { delete })
    }

    fn end_a_stream(&mut self) -> Verdict {
        let is_over = |stream: &&PodLog| stream.terminated;
        let over: Vec<PodLog> = self.streams.iter().filter(is_over).cloned().collect();
        let Some(stream) = self.rng.pick(&over) else {
            return Ok(());
        };
        self.ended_streams
            .insert((stream.pod.clone(), stream.container_id.clone()));
        self.send(Event::LogStreamEnded(stream.id()))
    }

    fn report_an_event(&mut self) -> Verdict {
        let uids: Vec<ObjectUid> = self.pods.keys().cloned().collect();
        let Some(fake) = self.rng.pick(&uids).and_then(|uid| self.pods.get(&uid)) else {
            return Ok(());
        };
        let owners = fake.pod.owners.iter().map(|owner| owner.uid.clone());
        let event = ClusterEvent {
            uid: ObjectUid::new(format!("event-{}", fake.pod.uid)),
            count: 1,
            kind: "Warning".to_owned(),
            reason: "BackOff".to_owned(),
            message: "it hurts".to_owned(),
            last_seen: Timestamp::from_secs(1_001),
            about: ("Pod".to_owned(), "default".to_owned(), fake.pod.name.clone()),
            owner_chain: [fake.pod.uid.clone()].into_iter().chain(owners).collect(),
        };
        self.send(Event::ClusterEventSeen(Box::new(event)))
    }

    /// Sends an answer that was given already, or that nobody asked for.
    fn answer_again(&mut self) -> Verdict {
        let build = BuildId(self.rng.below(20) as u64);
        if self.updates.contains_key(&build) || self.loads.iter().any(|loading| loading.load.0 == build.0) {
            return Ok(());
        }
        if self.rng.percent(50) {
            self.send(Event::UpdateFinished {
                build,
                outcome: Box::default(),
            })
        } else {
            self.send(Event::TiltfileLoaded {
                load: LoadId(build.0),
                outcome: Box::default(),
            })
        }
    }

    fn end_the_pruning(&mut self) -> Verdict {
        let Some(prune) = self.pruning.take() else {
            return Ok(());
        };
        let is_possible = self.rng.percent(90);
        self.send(Event::Pruned { prune, is_possible })
    }

    fn wake_or_connect(&mut self) -> Verdict {
        if self.pruning.is_some() && self.rng.percent(50) {
            return self.end_the_pruning();
        }
        if self.change_connection()? {
            return Ok(());
        }
        self.send(Event::Wake)
    }

    fn stop(&mut self) -> Verdict {
        self.send(Event::StopRequested)?;
        self.check_stopped()?;
        for _ in 0..5 {
            self.step()?;
        }
        Ok(())
    }

    /// Ends everything that is under way, until nothing is.
    fn become_quiet(&mut self) -> Verdict {
        if std::mem::take(&mut self.project.is_broken) {
            self.save_the_tiltfile();
        }
        self.settle_connection()?;
        self.end_all()?;
        if self.view().tiltfile.update_status != UpdateStatus::Ok {
            // A load that a user has cancelled is made up for only by an edit.
            self.save_the_tiltfile();
            self.end_all()?;
        }
        Ok(())
    }

    fn save_the_tiltfile(&mut self) {
        self.tiltfile_edits += 1;
        self.config_edits[0] += 1;
        self.notice(TargetId::configs(), LocalPath::new(CONFIG_FILES[0]));
    }

    fn end_all(&mut self) -> Verdict {
        for _ in 0..400 {
            if !self.one_quiet_step()? {
                return Ok(());
            }
        }
        Err("it never comes to rest".to_owned())
    }

    /// Ends one thing that is under way; returns whether there was one.
    pub(crate) fn one_quiet_step(&mut self) -> Result<bool, String> {
        if self.exit.is_some() {
            return Ok(false);
        }
        if !self.unreported.is_empty() || !self.marks.is_empty() {
            self.report_files()?;
        } else if !self.loads.is_empty() {
            self.end_a_load()?;
        } else if self.settle_connection()? {
        } else if !self.deletions.is_empty() {
            self.end_a_deletion()?;
        } else if self.pruning.is_some() {
            self.end_the_pruning()?;
        } else if let Some(build) = self.updates.keys().next().copied() {
            let luck = self.rng.below(100);
            self.end_update(build, luck)?;
        } else if let Some(uid) = self
            .pods
            .iter()
            .find(|(_, fake)| !fake.has_settled())
            .map(|(uid, _)| uid.clone())
        {
            self.move_pod(&uid, false)?;
        } else if self.has_untold_workloads() {
            self.report_a_workload()?;
        } else if let Some(serve) = self.unsettled_server() {
            self.move_server(serve)?;
        } else if self.streams.iter().any(|stream| stream.terminated) {
            self.end_a_stream()?;
        } else if let Some(wake) = self.next_wake() {
            // Time may have passed while nothing happened.
            self.now = wake.max(self.now);
            self.send(Event::Wake)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    /// Returns what is deployed at last if everything goes well: the images of a resource as they are now.
    pub(crate) fn wanted_contents(&self, resource: &Resource) -> BTreeMap<usize, Content> {
        if resource.local.is_some() {
            return BTreeMap::from([(LOCAL_FILES, self.local_content_now())]);
        }
        all_images(&resource.images)
            .into_iter()
            .map(|image| (image, self.content_now(image)))
            .collect()
    }
}
