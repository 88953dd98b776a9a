//! What must hold in every world: at each effect, after each step, and at rest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use tilt::engine::{
    Asker, Effect, Event, ExitOutcome, ImageAction, ImageStep, Mode, ObjectId, ServerStatus, Servers,
    UnwantedObject, UpdateOutcome, UpdatePlan,
};
use tilt::model::{
    BuildId, DeployTarget, JobState, ManifestName, PodPhase, PodTrouble, TargetId, TriggerMode, WorkloadState,
};
use tilt::view::{ResourceView, RuntimeStatus, UpdateStatus, View};

use crate::cluster::is_kept;
use crate::project::{Content, Local, Project, Resource};
use crate::world::{Brain, Update, World};

/// Whether the rules hold; if not, which does not.
pub(crate) type Verdict = Result<(), String>;

/// What the outside remembers to judge by.
#[derive(Default)]
pub(crate) struct Ledger {
    /// What the last good load said.
    pub(crate) defined: Option<Project>,
    /// Resources of it.
    pub(crate) current: BTreeMap<ManifestName, Known>,
    /// Tags that were pushed.
    pub(crate) pushed: BTreeSet<String>,
    /// Whether any update failed by itself, or because it was cancelled.
    pub(crate) has_failed: bool,
    pub(crate) was_canceled: bool,
    pub(crate) has_lost_cluster: bool,
    /// What was ever wrong with a pod, by the rule that it makes true.
    pub(crate) troubles: BTreeSet<&'static str>,
    last_build: u64,
    is_answer_unknown: bool,
}

/// A resource of the last good load.
#[derive(Default)]
pub(crate) struct Known {
    /// Whether it is to run.
    pub(crate) enabled: bool,
    /// Whether a user asked for an update that has not started.
    pub(crate) is_asked_for: bool,
    /// When updates start, if a user said so since the last load.
    pub(crate) mode: Option<TriggerMode>,
    /// Its update, since it was last switched on.
    running: Option<BuildId>,
    /// Since when its last update, which could not reach something, waits to be tried again, and whether it was to make
    /// everything anew.
    pub(crate) unreached: Option<(Instant, bool)>,
    /// What the last update that ended took in.
    pub(crate) attempted: Option<(BTreeMap<usize, Content>, u64)>,
    /// What its last good update applied.
    applied: BTreeSet<ObjectId>,
    /// Whether its last update ended well.
    is_well: bool,
    /// Whether any update ended well.
    pub(crate) was_deployed: bool,
}

impl Known {
    /// Switches it on or off; what was is forgotten.
    pub(crate) fn switch(&mut self, enabled: bool) {
        if !enabled {
            *self = Self {
                mode: self.mode,
                ..Self::default()
            };
        }
        self.enabled = enabled;
    }
}

impl Ledger {
    pub(crate) fn defined(&mut self, project: Project, sets_enabled: bool) {
        let mut before = std::mem::take(&mut self.current);
        for resource in &project.resources {
            let name = ManifestName::new(&*resource.name);
            let new = || Known {
                enabled: resource.enabled,
                ..Known::default()
            };
            let mut known = before.remove(&name).unwrap_or_else(new);
            // One of another kind is another one.
            let earlier = self.resource(&name);
            if earlier.is_some_and(|earlier| earlier.local.is_some() != resource.local.is_some()) {
                let enabled = known.enabled;
                known.switch(false);
                known.switch(enabled);
            }
            known.mode = None;
            if sets_enabled && known.enabled != resource.enabled {
                known.switch(resource.enabled);
            }
            self.current.insert(name, known);
        }
        self.defined = Some(project);
    }

    pub(crate) fn note_event(&mut self, event: &Event) {
        if let Event::PodSeen(pod) = event {
            let troubles = [
                (pod.containers[0].state.is_error(), "container"),
                (pod.phase == PodPhase::Failed, "pod"),
                (PodTrouble::of(pod).is_some(), "fail fast"),
            ];
            let seen = troubles.into_iter().filter(|(is_seen, _)| *is_seen);
            self.troubles.extend(seen.map(|(_, rule)| rule));
        }
        if let Event::WorkloadSeen(workload) = event
            && matches!(workload.state, WorkloadState::Job(JobState::Failed { .. }))
        {
            self.troubles.insert("job");
        }
        self.is_answer_unknown = match event {
            Event::UpdateFinished { outcome, .. } => **outcome == UpdateOutcome::default(),
            _ => false,
        };
    }

    pub(crate) fn ended(&mut self, update: &Update, outcome: &UpdateOutcome, now: Instant) {
        let known = self.current.get_mut(&update.plan.manifest);
        // One that was switched off since, even if it is on again, has nothing to do with it.
        let Some(known) = known.filter(|known| known.enabled && known.running == Some(update.plan.build))
        else {
            return;
        };
        let applied = || outcome.applied.iter().map(|object| object.id.clone());
        known.attempted = Some((update.contents.clone(), revision(&update.plan)));
        known.unreached = outcome.transient.map(|_| (now, update.plan.force));
        known.is_well = outcome.error.is_none();
        if known.is_well {
            known.was_deployed = true;
            known.applied = applied().collect();
        }
    }

    pub(crate) fn resource(&self, name: &ManifestName) -> Option<&Resource> {
        self.defined
            .as_ref()?
            .resources
            .iter()
            .find(|resource| resource.name == name.as_str())
    }
}

fn revision(plan: &UpdatePlan) -> u64 {
    let text = match &plan.deploy {
        DeployTarget::K8s(k8s) => k8s.entities[0].annotation("revision"),
        DeployTarget::Local(local) => {
            let commands = [local.update_cmd.as_ref(), Some(&local.serve_cmd)];
            let mut words = commands.into_iter().flatten().flat_map(|command| &command.argv);
            words.next().map(String::as_str)
        }
        DeployTarget::Compose(_) => None,
    };
    text.expect("everything of ours has one")
        .parse()
        .expect("a number")
}

pub(crate) fn holds(rule: bool, broken: impl FnOnce() -> String) -> Verdict {
    if rule { Ok(()) } else { Err(broken()) }
}

impl<B: Brain> World<B> {
    /// Judges an effect before it is done.
    pub(crate) fn check_effect(&mut self, effect: &Effect) -> Verdict {
        holds(self.exit.is_none(), || {
            format!("an effect after the end: {effect:?}")
        })?;
        holds(
            !self.ledger.is_answer_unknown || !matches!(effect, Effect::Log(_)),
            || format!("an answer that nobody waits for has an effect: {effect:?}"),
        )?;
        self.check_connection(effect)?;
        match effect {
            Effect::StartUpdate(plan) => self.check_start(plan),
            Effect::DeleteObjects { objects, .. } => self.check_delete(objects),
            Effect::Prune(request) => holds(self.updates.is_empty() && self.pruning.is_none(), || {
                format!("{request:?} beside something else")
            }),
            Effect::Serve(servers) => self.check_servers(servers),
            Effect::Exit(ExitOutcome::Succeeded) => self.check_success(),
            Effect::CancelUpdate { build } => holds(self.updates.contains_key(build), || {
                format!("build {build} is cancelled, but does not run")
            }),
            Effect::StreamLogs(streams) => streams
                .values()
                .try_for_each(|stream| self.check_known(stream.manifest())),
            Effect::Log(line) => match &line.manifest {
                Some(name) if *name != ManifestName::tiltfile() => self.check_known(name),
                _ => Ok(()),
            },
            _ => Ok(()),
        }
    }

    fn check_known(&self, name: &ManifestName) -> Verdict {
        holds(self.ledger.current.contains_key(name), || {
            format!("{name} is gone and still has effects")
        })
    }

    fn check_start(&mut self, plan: &UpdatePlan) -> Verdict {
        let name = &plan.manifest;
        self.check_known(name)?;
        let known = &self.ledger.current[name];
        holds(known.enabled, || format!("{name} is disabled and built"))?;
        self.check_wish(plan)?;
        if let Some(known) = self.ledger.current.get_mut(name) {
            known.running = Some(plan.build);
        }
        holds(plan.build == BuildId(self.ledger.last_build + 1), || {
            format!("build {} is out of order", plan.build)
        })?;
        self.ledger.last_build = plan.build.0;
        let max = self
            .ledger
            .defined
            .as_ref()
            .map_or(0, |project| project.max_parallel);
        holds(self.updates.len() < max, || {
            format!("more than {max} updates at once")
        })?;
        let busy: BTreeSet<TargetId> = self
            .updates
            .values()
            .flat_map(|update| made_by(&update.plan))
            .collect();
        for target in made_by(plan) {
            holds(!busy.contains(&target), || {
                format!("two builds of {target} at once")
            })?;
        }
        // A resource that is gone is judged by what was started.
        let is_alone = |plan: &UpdatePlan| match (&plan.deploy, self.ledger.resource(&plan.manifest)) {
            (
                DeployTarget::Local(_),
                Some(Resource {
                    local: Some(local), ..
                }),
            ) => local.is_alone,
            (DeployTarget::Local(local), _) => !local.allow_parallel,
            (DeployTarget::K8s(_) | DeployTarget::Compose(_), _) => false,
        };
        let runs_alone = self.updates.values().any(|update| is_alone(&update.plan));
        holds(
            !runs_alone && (self.updates.is_empty() || !is_alone(plan)),
            || format!("{name} is not alone"),
        )?;
        for need in &self.ledger.resource(name).expect("it is known").needs {
            let need = self.ledger.current.get(&ManifestName::new(need));
            let was_attempted = self.ledger.current[name].attempted.is_some();
            let is_met = need.is_none_or(|need| need.was_deployed);
            // A dependency that was added later does not hold a resource that ran before.
            holds(is_met || was_attempted || plan.header != "Initial Build", || {
                format!("{name} did not wait")
            })?;
        }
        let resource = self.ledger.resource(name).expect("it is known");
        let going: Vec<&ObjectId> = self.deletions.iter().flat_map(|(_, objects)| objects).collect();
        let doomed = resource
            .objects()
            .into_iter()
            .find(|object| going.contains(&object));
        holds(doomed.is_none(), || {
            format!("{name} is deployed while {doomed:?} is being deleted")
        })?;
        self.check_pushed(plan)
    }

    /// One server at most for each resource that is to serve.
    fn check_servers(&self, servers: &Servers) -> Verdict {
        let mut names = BTreeSet::new();
        for server in servers.values() {
            let Asker::Resource(name) = &server.asker else {
                continue;
            };
            self.check_known(name)?;
            holds(names.insert(name), || format!("{name} has two servers"))?;
            let is_enabled = self.ledger.current[name].enabled;
            holds(is_enabled, || format!("{name} is disabled and serves"))?;
        }
        Ok(())
    }

    fn check_pushed(&self, plan: &UpdatePlan) -> Verdict {
        for step in plan.images.iter().filter(|step| {
            plan.deploy
                .k8s()
                .is_some_and(|k8s| k8s.images.contains(&step.image.id))
        }) {
            let is_pushed = match &step.action {
                ImageAction::Build => step.needs_push,
                ImageAction::Reuse(built) => built
                    .cluster_ref
                    .tag()
                    .is_some_and(|tag| self.ledger.pushed.contains(tag)),
            };
            holds(is_pushed, || {
                format!("{} is deployed and was not pushed", step.image.id)
            })?;
        }
        Ok(())
    }

    fn check_delete(&self, objects: &[UnwantedObject]) -> Verdict {
        for UnwantedObject { id: object, uid } in objects {
            holds(uid.is_some(), || format!("{object:?} is deleted whoever made it"))?;
            holds(!is_kept(object), || format!("{object:?} asks to be kept"))?;
            for (name, known) in &self.ledger.current {
                let declares = |resource: &Resource| known.enabled && resource.objects().contains(object);
                let is_wanted = self.ledger.resource(name).is_some_and(declares);
                holds(!is_wanted, || {
                    format!("{object:?} is deleted, but {name} wants it")
                })?;
            }
        }
        Ok(())
    }

    /// Judges the state after an event.
    pub(crate) fn check_step(&mut self) -> Verdict {
        let view = self.view();
        self.check_published(&view)?;
        self.check_way()?;
        self.coverage.note_holds(&view);
        self.check_records()?;
        self.check_questions(&view)?;
        if self.chaos.mode == Mode::Up && self.exit.is_none() {
            self.check_holds(&view)?;
        }
        if self.exit.is_none()
            && let Some(wake) = self.next_wake()
        {
            holds(wake > self.now, || {
                "it wants to be woken at once, again and again".to_owned()
            })?;
        }
        Ok(())
    }

    /// Judges what readers see: it must be what a view made anew shows.
    fn check_published(&mut self, view: &View) -> Verdict {
        let published = self.publish();
        let is_same = published.resources == view.resources
            && published.tiltfile == view.tiltfile
            && published.cluster == view.cluster;
        holds(is_same, || {
            let differs = published
                .resources
                .iter()
                .zip(&view.resources)
                .find(|(shown, made)| shown != made);
            format!("readers see something old: {differs:#?}")
        })
    }

    /// Judges the end by a user's wish.
    pub(crate) fn check_stopped(&self) -> Verdict {
        let is_stopped = matches!(self.exit, Some(ExitOutcome::Stopped | ExitOutcome::Interrupted));
        holds(is_stopped, || "a wish to stop was ignored".to_owned())?;
        let all = self.updates.values().all(|update| update.is_canceled);
        holds(all, || "an update goes on after the end".to_owned())?;
        holds(self.next_wake().is_none(), || {
            "it wants to be woken after the end".to_owned()
        })
    }

    /// Judges a world that has come to rest.
    pub(crate) fn check_at_rest(&self) -> Verdict {
        let view = self.view();
        holds(view.tiltfile.update_status == UpdateStatus::Ok, || {
            format!("{:?}", view.tiltfile)
        })?;
        let names: Vec<String> = view
            .resources
            .iter()
            .map(|resource| resource.name.to_string())
            .collect();
        let wanted: Vec<String> = self
            .project
            .resources
            .iter()
            .map(|resource| resource.name.clone())
            .collect();
        holds(names == wanted, || {
            format!("resources are {names:?} and not {wanted:?}")
        })?;
        for (shown, resource) in view.resources.iter().zip(&self.project.resources) {
            self.check_resource_at_rest(shown, resource)?;
        }
        self.check_connected()?;
        self.check_no_leaks()?;
        self.check_streams()
    }

    fn check_resource_at_rest(&self, shown: &ResourceView, resource: &Resource) -> Verdict {
        let (name, known) = (&shown.name, &self.ledger.current[&shown.name]);
        holds(shown.building.is_none(), || format!("{name} is still building"))?;
        self.check_wishes_at_rest(shown)?;
        let waits_for_dep = shown
            .hold
            .as_ref()
            .is_some_and(|hold| hold.reason == "waiting-for-dep");
        holds(shown.hold.is_none() || waits_for_dep, || {
            format!("{name} is held: {:?}", shown.hold)
        })?;
        if waits_for_dep {
            let is_ready = |need: &String| {
                let need = &ManifestName::new(need);
                if let Some(local) = self.ledger.resource(need).and_then(|resource| resource.local) {
                    let was_updated = self.ledger.current[need].was_deployed;
                    let is_running = self.server_of(need).is_some_and(|(_, status)| {
                        matches!(status, Some(ServerStatus::Running { ready: true, .. }))
                    });
                    return was_updated && (!local.has_probe || is_running);
                }
                let workload = self.ledger.resource(need).map(Resource::workload);
                self.ledger.current.get(need).is_none_or(|need| need.was_deployed)
                    && workload.is_some_and(|workload| self.is_workload_well(&workload))
            };
            let all_ready = resource.needs.iter().all(is_ready);
            return holds(!all_ready, || {
                format!("{name} waits for {:?}, which are ready", resource.needs)
            });
        }
        holds(shown.update_status != UpdateStatus::Pending, || {
            format!("{name} is pending and nothing happens")
        })?;
        if !known.enabled {
            return Ok(());
        }
        let must_run = resource.trigger_mode.auto_init();
        holds(known.attempted.is_some() || !must_run, || {
            format!("{name} was never built")
        })?;
        let Some((contents, yaml)) = known
            .attempted
            .as_ref()
            .filter(|_| resource.trigger_mode.auto_on_change())
        else {
            return Ok(());
        };
        let wanted = self.wanted_contents(resource);
        holds(*contents == wanted, || {
            format!("an edit is lost: {name} was last built with {contents:?} and not with {wanted:?}")
        })?;
        holds(*yaml == resource.yaml, || {
            format!("an edit is lost: {name} was deployed as {yaml}")
        })?;
        if let Some(local) = resource.local {
            return self.check_server(shown, known, local, *yaml);
        }
        self.check_runtime(shown, known)
    }

    /// A resource that was updated well serves what that update was about.
    fn check_server(&self, shown: &ResourceView, known: &Known, local: Local, yaml: u64) -> Verdict {
        let name = &shown.name;
        let (server, expected) = match self.server_of(name) {
            Some((server, Some(ServerStatus::Running { ready: true, .. }))) => {
                (Some(server), RuntimeStatus::Ok)
            }
            Some((server, Some(ServerStatus::Exited { .. }))) => (Some(server), RuntimeStatus::Error),
            Some((server, _)) => (Some(server), RuntimeStatus::Pending),
            None if local.serves => (None, RuntimeStatus::Pending),
            None => (None, RuntimeStatus::NotApplicable),
        };
        holds(shown.runtime_status == expected, || {
            format!("{name} is {:?} and not {expected:?}", shown.runtime_status)
        })?;
        if !known.is_well {
            return Ok(());
        }
        let serves = server.map(|server| server.command.argv.clone());
        let wanted = local.serves.then(|| vec![yaml.to_string()]);
        holds(serves == wanted, || {
            format!("{name} serves {serves:?} and not {wanted:?}")
        })
    }

    fn check_runtime(&self, shown: &ResourceView, known: &Known) -> Verdict {
        let workload = self.ledger.resource(&shown.name).map(Resource::workload);
        let Some((fake, workload)) = self
            .newest_pod_of(&shown.name)
            .zip(workload)
            .filter(|_| known.is_well)
        else {
            return Ok(());
        };
        let is_ok = shown.runtime_status == RuntimeStatus::Ok;
        let ignores = shown.name.as_str() == ManifestName::UNCATEGORIZED;
        holds(is_ok == (self.is_workload_well(&workload) || ignores), || {
            format!("{} is {:?}", shown.name, shown.runtime_status)
        })?;
        let pod = shown.pod.as_ref().map(|pod| pod.name.as_str());
        holds(pod == Some(&*fake.pod.name), || {
            format!("{} shows pod {pod:?}", shown.name)
        })
    }

    /// Every object is wanted by a resource, or is left from an update that failed and will be looked at by the next.
    fn check_no_leaks(&self) -> Verdict {
        for object in self.objects.keys().filter(|object| !is_kept(object)) {
            let has_reason = self.ledger.current.iter().any(|(name, known)| {
                let declares = |resource: &Resource| known.enabled && resource.objects().contains(object);
                let is_behind = !known.is_well || self.view_is_behind(name);
                self.ledger.resource(name).is_some_and(declares) || (known.enabled && is_behind)
            });
            holds(has_reason, || format!("{object:?} was forgotten"))?;
        }
        Ok(())
    }

    /// Returns whether a resource waits for its user before it takes in a change.
    fn view_is_behind(&self, name: &ManifestName) -> bool {
        self.ledger
            .resource(name)
            .is_some_and(|resource| !resource.trigger_mode.auto_on_change())
    }

    fn check_streams(&self) -> Verdict {
        for stored in &self.pods {
            let (uid, container) = (stored.0, &stored.1.pod.containers[0]);
            let name = ManifestName::new(&*stored.1.workload.name);
            let is_ours = self
                .ledger
                .current
                .get(&name)
                .is_some_and(|known| known.was_deployed);
            let is_read = self.streams.iter().any(|stream| {
                stream.pod == *uid && stream.container_id == container.id && stream.manifest == name
            });
            let is_over = self.ended_streams.contains(&(uid.clone(), container.id.clone()));
            holds(is_read || is_over || !is_ours || container.id.is_empty(), || {
                format!("the log of {uid} is not read")
            })?;
        }
        Ok(())
    }
}

/// Returns the targets that an update makes, and does not only use.
fn made_by(plan: &UpdatePlan) -> Vec<TargetId> {
    let is_built = |step: &&ImageStep| step.action == ImageAction::Build;
    let images = plan
        .images
        .iter()
        .filter(is_built)
        .map(|step| step.image.id.clone());
    images.chain([plan.deploy.id().clone()]).collect()
}
