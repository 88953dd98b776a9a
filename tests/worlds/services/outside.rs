//! The outside of a session with services: the file, the Docker engine, compose.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::json;
use tilt::engine::{
    Effect, EngineConfig, Event, ExitOutcome, FileChange, LoadOutcome, LogId, LogStream, Mode, Transient,
    UpdateOutcome, UpdatePlan,
};
use tilt::model::{
    BuildId, CiSettings, ComposeCondition, ComposeDependency, ComposeProject, ComposeService, ComposeTarget,
    DeleteId, DeployTarget, DockerPrune, Health, LoadId, LocalPath, Manifest, ManifestName, ServiceContainer,
    ServiceId, ServiceState, TargetId, Timestamp, TriggerMode, TriggerReason, UpdateSettings,
};

use super::rules::Known;
use crate::rng::Rng;
use crate::rules::Verdict;
use crate::world::Brain;

pub(super) const PROJECT: &str = "shop";
/// The services that there can be; each may need those before it.
const NAMES: [&str; 4] = ["db", "cache", "api", "web"];

/// A service as the file says.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Service {
    pub(super) name: &'static str,
    /// How often it was changed.
    pub(super) config: u64,
    pub(super) has_check: bool,
    pub(super) ends: bool,
    pub(super) starts_again: bool,
    pub(super) needs: Vec<ComposeDependency>,
}

/// A container as it is.
#[derive(Clone, Debug)]
pub(super) struct Running {
    pub(super) container: ServiceContainer,
    pub(super) config: u64,
    has_check: bool,
    ends: bool,
    starts_again: bool,
    /// Whether it will not do well.
    is_doomed: bool,
}

/// The outside of one session.
pub(super) struct Shop<B> {
    pub(super) brain: B,
    rng: Rng,
    pub(super) mode: Mode,
    pub(super) now: Instant,
    started_at: Instant,
    /// What the file says, and what the engine of the session was told of it last.
    pub(super) file: Vec<Service>,
    pub(super) loaded: Vec<Service>,
    load: Option<(LoadId, Vec<Service>)>,
    pub(super) builds: BTreeMap<BuildId, UpdatePlan>,
    canceled: BTreeSet<BuildId>,
    pub(super) removals: Vec<(DeleteId, ServiceId)>,
    restarts: Vec<(ManifestName, ServiceId)>,
    pub(super) containers: BTreeMap<String, Running>,
    /// Containers of which something is to be told.
    untold: BTreeSet<String>,
    /// Whether the stream of events has ended, so that all containers are to be told.
    is_stream_over: bool,
    pub(super) streams: Vec<LogStream>,
    pub(super) ended_streams: BTreeSet<LogId>,
    watches: bool,
    pub(super) known: Known,
    pub(super) exit: Option<ExitOutcome>,
    last_id: u64,
    pub(super) tried: BTreeSet<&'static str>,
    pub(super) story: String,
}

impl<B: Brain> Shop<B> {
    pub(super) fn new(seed: u64, mode: Mode, brain: impl FnOnce(EngineConfig) -> B) -> Self {
        let now = tilt::clock::now();
        let config = EngineConfig {
            mode,
            started: Timestamp::from_secs(1_000),
            started_at: now,
            tiltfile: LocalPath::new("/src/Tiltfile"),
            args: Vec::new(),
            cwd: LocalPath::new("/src"),
            forwards_ports: true,
            updates_containers: true,
            default_namespace: "default".to_owned(),
            has_cluster: false,
            kubeconfig: Vec::new(),
        };
        let mut shop = Self {
            brain: brain(config),
            rng: Rng::new(seed),
            mode,
            now,
            started_at: now,
            file: Vec::new(),
            loaded: Vec::new(),
            load: None,
            builds: BTreeMap::new(),
            canceled: BTreeSet::new(),
            removals: Vec::new(),
            restarts: Vec::new(),
            containers: BTreeMap::new(),
            untold: BTreeSet::new(),
            is_stream_over: false,
            streams: Vec::new(),
            ended_streams: BTreeSet::new(),
            watches: false,
            known: Known::default(),
            exit: None,
            last_id: 0,
            tried: BTreeSet::new(),
            story: String::new(),
        };
        for _ in 0..1 + shop.rng.below(4) {
            shop.add_a_service();
        }
        // Some run since before the session, as the file says or not.
        for service in shop.file.clone() {
            if shop.rng.percent(25) {
                let mut old = service;
                old.config += u64::from(shop.rng.percent(50));
                shop.make(&old);
                shop.known.never_ours.insert(old.name);
            }
        }
        shop.untold.clear();
        shop
    }

    pub(super) fn live(&mut self) -> Verdict {
        self.send(Event::Started)?;
        for _ in 0..50 {
            self.now += Duration::from_millis(self.rng.below(900) as u64);
            self.step()?;
            if self.exit.is_some() {
                return Ok(());
            }
        }
        for _ in 0..600 {
            if self.exit.is_some() {
                return Ok(());
            }
            if !self.quiet_step()? {
                return self.check_at_rest();
            }
        }
        Err("it never comes to rest".to_owned())
    }

    fn send(&mut self, event: Event) -> Verdict {
        let _ = writeln!(self.story, "{}", shortened(&event));
        self.known.note(&event);
        for effect in self.brain.handle(self.now, event) {
            let _ = writeln!(self.story, "    -> {}", shortened(&effect));
            self.check_effect(&effect)?;
            self.obey(effect);
        }
        self.check_shown()
    }

    fn obey(&mut self, effect: Effect) {
        match effect {
            Effect::LoadTiltfile { load, .. } => self.load = Some((load, self.file.clone())),
            Effect::StartUpdate(plan) => {
                self.builds.insert(plan.build, *plan);
            }
            Effect::CancelUpdate { build } => {
                self.canceled.insert(build);
            }
            Effect::RemoveService { delete, service } => self.removals.push((delete, service)),
            Effect::RestartService {
                manifest, service, ..
            } => {
                self.tried.insert("a restart after what it needs");
                self.restarts.push((manifest, service));
            }
            Effect::WatchServices(projects) => {
                // Whoever begins to watch looks at all first.
                self.watches = !projects.is_empty();
                self.is_stream_over = self.watches;
            }
            Effect::StreamLogs(logs) => self.streams = logs.values().cloned().collect(),
            Effect::Exit(outcome) => self.exit = Some(outcome),
            _ => {}
        }
    }

    fn step(&mut self) -> Verdict {
        let edits = self.mode == Mode::Up;
        match self.rng.below(24) {
            0 | 1 if edits => self.edit(),
            2..=4 => self.end_a_load(),
            5..=8 => self.end_an_update(),
            9..=12 => self.move_a_container(),
            13..=16 => self.tell(),
            17 if edits => self.kill_by_hand(),
            18 if edits => self.restart_the_engine(),
            19 => self.end_a_removal(),
            20 => self.end_a_restart(),
            21 => self.end_a_stream(),
            22 if edits => self.ask_for(),
            _ => self.send(Event::Wake),
        }
    }

    /// Ends one thing that is under way; returns whether there was one.
    fn quiet_step(&mut self) -> Result<bool, String> {
        self.now += Duration::from_millis(20);
        let unsettled: Vec<String> = self
            .containers
            .iter()
            .filter(|(_, running)| !running.has_settled())
            .map(|(id, _)| id.clone())
            .collect();
        if self.load.is_some() {
            self.end_a_load()?;
        } else if self.has_news() {
            self.tell()?;
        } else if !self.builds.is_empty() {
            self.end_an_update()?;
        } else if !self.removals.is_empty() {
            self.end_a_removal()?;
        } else if !self.restarts.is_empty() {
            self.end_a_restart()?;
        } else if let Some(id) = unsettled.first() {
            self.move_container(id);
        } else if self.ending_streams().next().is_some() {
            self.end_a_stream()?;
        } else if let Some(wake) = self.brain.next_wake() {
            self.now = wake.max(self.now);
            self.send(Event::Wake)?;
        } else {
            return Ok(false);
        }
        Ok(true)
    }

    fn edit(&mut self) -> Verdict {
        let at = self.rng.below(self.file.len().max(1));
        match self.rng.below(6) {
            0 if self.file.len() > 1 => {
                let gone = self.file.remove(at).name;
                self.file
                    .iter_mut()
                    .for_each(|service| service.needs.retain(|needed| needed.service != gone));
                self.tried.insert("a service is removed");
            }
            1 if self.file.len() < NAMES.len() => self.add_a_service(),
            2 => self.file[at].has_check ^= true,
            _ => {}
        }
        if let Some(service) = self.file.get_mut(at) {
            service.config += 1;
        }
        let _ = writeln!(self.story, "edit: {:?}", self.file);
        self.send(Event::FilesChanged(vec![FileChange::new(
            TargetId::configs(),
            LocalPath::new("/src/compose.yml"),
        )]))
    }

    fn add_a_service(&mut self) {
        let is_free = |name: &&&str| self.file.iter().all(|service| service.name != **name);
        let free: Vec<&str> = NAMES.iter().filter(is_free).copied().collect();
        let Some(name) = self.rng.pick(&free) else { return };
        if self.known.was_removed.contains(name) {
            self.tried.insert("a service comes back");
        }
        let before = |other: &Service| {
            let place = |name: &str| NAMES.iter().position(|known| *known == name);
            place(other.name) < place(name)
        };
        let others: Vec<(&'static str, bool, bool)> = self
            .file
            .iter()
            .filter(|other| before(other))
            .map(|other| (other.name, other.ends, other.has_check))
            .collect();
        let mut needs = Vec::new();
        for (other, ends, has_check) in others {
            if !self.rng.percent(50) {
                continue;
            }
            let condition = match (ends, has_check) {
                (true, _) => ComposeCondition::Completed,
                (_, true) => ComposeCondition::Healthy,
                _ => ComposeCondition::Started,
            };
            needs.push(ComposeDependency {
                service: other.to_owned(),
                resource: ManifestName::new(other),
                condition,
                restart: self.rng.percent(40),
                required: true,
            });
        }
        let ends = self.rng.percent(25);
        let service = Service {
            name,
            config: 0,
            has_check: !ends && self.rng.percent(40),
            ends,
            starts_again: self.rng.percent(30),
            needs,
        };
        let place = self.file.iter().position(|other| !before(other));
        self.file.insert(place.unwrap_or(self.file.len()), service);
    }

    fn end_a_load(&mut self) -> Verdict {
        let Some((load, read)) = self.load.take() else {
            return Ok(());
        };
        let changed = (read != self.file).then(|| LocalPath::new("/src/compose.yml"));
        let manifests: Vec<Manifest> = read.iter().map(manifest).collect();
        self.known.defined(&self.loaded, &read);
        self.loaded = read;
        let outcome = LoadOutcome {
            enabled: manifests.iter().map(|manifest| manifest.name.clone()).collect(),
            manifests: Some(manifests),
            changed_meanwhile: changed.into_iter().collect(),
            config_files: vec![LocalPath::new("/src/compose.yml")],
            update_settings: UpdateSettings::default(),
            ci_settings: CiSettings::default(),
            docker_prune: DockerPrune {
                enabled: false,
                ..DockerPrune::default()
            },
            ..LoadOutcome::default()
        };
        self.send(Event::TiltfileLoaded {
            load,
            outcome: Box::new(outcome),
        })
    }

    /// Compose does what an update asks for, or fails before or in the middle of it.
    fn end_an_update(&mut self) -> Verdict {
        let going: Vec<BuildId> = self.builds.keys().copied().collect();
        let Some(build) = self.rng.pick(&going) else {
            return Ok(());
        };
        let plan = self.builds.remove(&build).expect("it runs");
        let target = plan.deploy.compose().expect("there are only services");
        let service = definition_of(target);
        let luck = self.rng.below(100);
        if plan.force {
            self.remove(service.name);
        }
        let mut transient = None;
        let error = match luck {
            _ if self.canceled.remove(&build) => Some("build canceled"),
            0..88 => {
                self.up(&service);
                None
            }
            88..92 => Some("compose broke"),
            92..95 => {
                self.tried.insert("compose is killed");
                transient = Some(Transient::Killed);
                Some("signal: killed")
            }
            _ => {
                self.remove(service.name);
                let id = self.make(&service);
                let running = self.containers.get_mut(&id).expect("it was just made");
                running.container.state = ServiceState::Created;
                running.container.error = "the port is taken".to_owned();
                Some("the port is taken")
            }
        };
        if error.is_some() {
            self.tried.insert("an update fails");
        }
        // Whoever judges the outcome must know what there is now.
        self.tell_all()?;
        let outcome = UpdateOutcome {
            deployed: error.is_none(),
            error: error.map(str::to_owned),
            transient,
            ..UpdateOutcome::default()
        };
        self.known.updated(service.name, service.config, error.is_none());
        self.known.killed(service.name, transient.is_some());
        self.send(Event::UpdateFinished {
            build,
            outcome: Box::new(outcome),
        })
    }

    /// What `docker compose up` does.
    fn up(&mut self, service: &Service) {
        let own = self.containers.values_mut();
        let own: Vec<&mut Running> = own.filter(|running| running.is_of(service.name)).collect();
        if own.iter().any(|running| running.config != service.config) {
            self.tried.insert("a container is replaced");
            self.remove(service.name);
        } else if let Some(running) = own.into_iter().next() {
            if running.container.state != ServiceState::Running {
                running.start(self.started_at, self.now);
            }
            return;
        }
        self.make(service);
    }

    /// Makes a container and starts it; returns its id.
    fn make(&mut self, service: &Service) -> String {
        self.last_id += 1;
        let id = format!("id{}", self.last_id);
        let mut running = Running {
            container: ServiceContainer {
                id: id.clone(),
                name: format!("{PROJECT}-{}-1", service.name),
                service: service_id(service.name),
                image: "busybox".to_owned(),
                directory: "/src".to_owned(),
                created: moment(self.started_at, self.now),
                state: ServiceState::Created,
                exit_code: 0,
                error: String::new(),
                started: None,
                finished: None,
                restarts: 0,
                health: None,
                has_tty: false,
                ports: Vec::new(),
            },
            config: service.config,
            has_check: service.has_check,
            ends: service.ends,
            starts_again: service.starts_again,
            is_doomed: self.rng.percent(20),
        };
        running.start(self.started_at, self.now);
        self.containers.insert(id.clone(), running);
        self.untold.insert(id.clone());
        id
    }

    fn remove(&mut self, service: &str) {
        let own = self.containers.iter();
        let own: Vec<String> = own
            .filter(|(_, running)| running.is_of(service))
            .map(|(id, _)| id.clone())
            .collect();
        for id in own {
            self.containers.remove(&id);
            self.untold.insert(id);
        }
    }

    fn move_a_container(&mut self) -> Verdict {
        let ids: Vec<String> = self.containers.keys().cloned().collect();
        if let Some(id) = self.rng.pick(&ids) {
            self.move_container(&id);
        }
        Ok(())
    }

    /// Lets a container go one step of its life.
    fn move_container(&mut self, id: &str) {
        let (began, now) = (self.started_at, self.now);
        let Some(running) = self.containers.get_mut(id) else {
            return;
        };
        let container = &mut running.container;
        match (container.state, &container.health) {
            (ServiceState::Restarting, _) => {
                container.restarts += 1;
                // What it needed may be there by now.
                running.is_doomed &= running.container.restarts < 3;
                running.start(began, now);
                self.tried.insert("started again by its policy");
            }
            (ServiceState::Running, Some(Health::Starting)) if running.is_doomed => {
                container.health = Some(Health::Unhealthy("it hurts".to_owned()));
                self.tried.insert("a health check fails");
            }
            (ServiceState::Running, Some(Health::Starting)) => container.health = Some(Health::Healthy),
            (ServiceState::Running, None) if running.is_doomed => {
                running.end(3);
                self.tried.insert("a container ends badly");
            }
            (ServiceState::Running, None) if running.ends => running.end(0),
            _ => return,
        }
        let _ = writeln!(self.story, "{id} goes on: {:?}", self.containers[id].container);
        self.untold.insert(id.to_owned());
    }

    fn kill_by_hand(&mut self) -> Verdict {
        let ids: Vec<String> = self.containers.keys().cloned().collect();
        let Some(id) = self.rng.pick(&ids) else {
            return Ok(());
        };
        let _ = writeln!(self.story, "somebody kills or removes {id}");
        if self.rng.percent(50) {
            self.tried.insert("removed by hand");
            let gone = self.containers.remove(&id).expect("it is there");
            self.known.taken.insert(gone.container.service.service);
        } else if let Some(running) = self.containers.get_mut(&id)
            && matches!(
                running.container.state,
                ServiceState::Running | ServiceState::Restarting
            )
        {
            self.tried.insert(match running.container.state {
                ServiceState::Running => "killed by hand",
                _ => "killed before it is started again",
            });
            running.starts_again = false;
            running.end(137);
        }
        self.untold.insert(id);
        Ok(())
    }

    /// All containers end, those with a policy run again, and nobody was told.
    fn restart_the_engine(&mut self) -> Verdict {
        if !self.rng.percent(40) {
            return Ok(());
        }
        self.tried.insert("the engine is restarted");
        self.story.push_str("the engine is restarted\n");
        let (began, now) = (self.started_at, self.now);
        for running in self.containers.values_mut() {
            if running.container.state == ServiceState::Running {
                running.container.exit_code = 137;
                running.container.state = ServiceState::Exited;
                running.container.health = None;
                if running.starts_again {
                    running.start(began, now);
                }
            }
        }
        self.untold.clear();
        self.is_stream_over = true;
        Ok(())
    }

    fn has_news(&self) -> bool {
        self.watches && (self.is_stream_over || !self.untold.is_empty())
    }

    /// Tells of one container, as it is now; or of all, where the stream had ended.
    fn tell(&mut self) -> Verdict {
        if !self.watches {
            return Ok(());
        }
        if self.is_stream_over {
            return self.tell_all();
        }
        let untold: Vec<String> = self.untold.iter().cloned().collect();
        let Some(id) = self.rng.pick(&untold) else {
            return Ok(());
        };
        self.untold.remove(&id);
        let event = match self.containers.get(&id) {
            Some(running) => Event::ServiceContainerSeen(Box::new(running.container.clone())),
            None => Event::ServiceContainerGone(id),
        };
        self.send(event)
    }

    fn tell_all(&mut self) -> Verdict {
        self.is_stream_over = false;
        self.untold.clear();
        let containers = self.containers.values();
        let containers = containers.map(|running| running.container.clone()).collect();
        self.send(Event::ServiceContainersListed {
            project: PROJECT.to_owned(),
            containers,
        })
    }

    fn end_a_removal(&mut self) -> Verdict {
        let Some((delete, service)) = self.removals.pop() else {
            return Ok(());
        };
        self.remove(&service.service);
        self.known.removed(&service.service);
        self.send(Event::ObjectsDeleted { delete })
    }

    fn end_a_restart(&mut self) -> Verdict {
        let Some((manifest, service)) = self.restarts.pop() else {
            return Ok(());
        };
        let (began, now) = (self.started_at, self.now);
        let own = self.containers.iter_mut();
        for (id, running) in own.filter(|(_, running)| running.is_of(&service.service)) {
            running.start(began, now);
            self.untold.insert(id.clone());
        }
        self.tell_all()?;
        self.send(Event::ServiceRestarted(manifest))
    }

    fn ending_streams(&self) -> impl Iterator<Item = LogId> {
        let over = self.streams.iter().filter(|stream| stream.is_terminated());
        let open = over.filter(|stream| !self.ended_streams.contains(&stream.id()));
        open.map(LogStream::id)
    }

    fn end_a_stream(&mut self) -> Verdict {
        let over: Vec<LogId> = self.ending_streams().collect();
        let Some(id) = self.rng.pick(&over) else {
            return Ok(());
        };
        self.ended_streams.insert(id.clone());
        self.send(Event::LogStreamEnded(id))
    }

    fn ask_for(&mut self) -> Verdict {
        let Some(service) = self.rng.pick(&self.loaded) else {
            return Ok(());
        };
        self.known.asked_for.insert(service.name);
        self.send(Event::Triggered {
            manifest: ManifestName::new(service.name),
            reason: TriggerReason::Cli,
        })
    }
}

impl<B> Shop<B> {
    /// Returns when that was.
    pub(super) fn instant(&self, at: Timestamp) -> Instant {
        let since = at.0 - Timestamp::from_secs(1_000).0;
        self.started_at + Duration::from_micros(u64::try_from(since).unwrap_or_default())
    }
}

impl Running {
    pub(super) fn is_of(&self, service: &str) -> bool {
        self.container.service.service == service
    }

    fn start(&mut self, began: Instant, now: Instant) {
        let container = &mut self.container;
        container.state = ServiceState::Running;
        container.exit_code = 0;
        container.error = String::new();
        container.started = Some(moment(began, now));
        container.health = self.has_check.then_some(Health::Starting);
    }

    fn end(&mut self, exit_code: i32) {
        let again = self.starts_again && exit_code != 0;
        self.container.exit_code = exit_code;
        self.container.health = None;
        self.container.state = match again {
            true => ServiceState::Restarting,
            false => ServiceState::Exited,
        };
    }

    /// Returns whether nothing more happens to it by itself.
    fn has_settled(&self) -> bool {
        match self.container.state {
            ServiceState::Restarting => false,
            ServiceState::Running => match self.container.health {
                Some(Health::Starting) => false,
                Some(_) => true,
                None => !self.is_doomed && !self.ends,
            },
            _ => true,
        }
    }
}

pub(super) fn service_id(name: &str) -> ServiceId {
    ServiceId {
        project: PROJECT.to_owned(),
        service: name.to_owned(),
    }
}

fn moment(began: Instant, now: Instant) -> Timestamp {
    let since = i64::try_from(now.duration_since(began).as_micros()).expect("a short story");
    Timestamp(Timestamp::from_secs(1_000).0 + since)
}

fn manifest(service: &Service) -> Manifest {
    let name = ManifestName::new(service.name);
    let target = ComposeTarget {
        id: TargetId::compose(&name),
        project: Arc::new(ComposeProject {
            command: vec!["docker".to_owned(), "compose".to_owned()],
            name: PROJECT.to_owned(),
            directory: LocalPath::new("/src"),
            config_paths: vec![LocalPath::new("/src/compose.yml")],
            env_file: None,
            profiles: Vec::new(),
            wait: false,
        }),
        service: ComposeService {
            name: service.name.to_owned(),
            image: "busybox".to_owned(),
            depends_on: service.needs.clone(),
            has_healthcheck: service.has_check,
            restart: if service.starts_again { "always" } else { "" }.to_owned(),
            config_hash: service.config.to_string(),
            definition: json!({"revision": service.config, "ends": service.ends}),
            ..ComposeService::default()
        },
        images: Vec::new(),
        links: Vec::new(),
        infer_links: true,
    };
    Manifest {
        images: Vec::new(),
        deploy: DeployTarget::Compose(Box::new(target)),
        trigger_mode: TriggerMode::Auto,
        resource_deps: service
            .needs
            .iter()
            .map(|needed| needed.resource.clone())
            .collect(),
        labels: BTreeSet::new(),
        name,
    }
}

/// Returns what a plan deploys.
pub(super) fn definition_of(target: &ComposeTarget) -> Service {
    let service = &target.service;
    let name = NAMES.iter().find(|name| **name == service.name);
    Service {
        name: name.expect("one of ours"),
        config: service.config_hash.parse().expect("a number"),
        has_check: service.has_healthcheck,
        ends: service.definition["ends"] == true,
        starts_again: service.restart == "always",
        needs: service.depends_on.clone(),
    }
}

fn shortened(what: &impl std::fmt::Debug) -> String {
    format!("{what:?}").chars().take(400).collect()
}
