//! What must hold of services: at each effect, after each event, and at rest.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tilt::engine::{Effect, Event, ExitOutcome, LogStream, UpdatePlan};
use tilt::model::{ComposeCondition, Health, ServiceContainer, ServiceState};
use tilt::view::{ResourceView, RuntimeStatus, UpdateStatus};

use super::outside::{PROJECT, Service, Shop, service_id};
use crate::rules::{Verdict, holds};
use crate::world::Brain;

/// How long a container without a health check must have run at least before a run is a success.
const PROOF: Duration = Duration::from_secs(1);

/// What the engine of the session was told, and what follows from that.
#[derive(Default)]
pub(super) struct Known {
    /// Containers as they were told last.
    told: BTreeMap<String, ServiceContainer>,
    /// What was true of a service since it was deployed.
    reached: BTreeMap<String, BTreeSet<&'static str>>,
    /// The configuration of the last update of each service that ended, and whether that was well.
    updated: BTreeMap<&'static str, (u64, bool)>,
    /// Services that only somebody else has deployed.
    pub(super) never_ours: BTreeSet<&'static str>,
    /// Those of which somebody has removed a container since.
    pub(super) taken: BTreeSet<String>,
    pub(super) was_removed: BTreeSet<&'static str>,
    pub(super) asked_for: BTreeSet<&'static str>,
    /// Services whose last update somebody killed.
    killed: BTreeSet<&'static str>,
}

impl Known {
    pub(super) fn note(&mut self, event: &Event) {
        match event {
            Event::ServiceContainerSeen(container) => {
                self.told.insert(container.id.clone(), (**container).clone());
            }
            Event::ServiceContainerGone(id) => drop(self.told.remove(id)),
            Event::ServiceContainersListed { containers, .. } => {
                let all = containers.iter();
                self.told = all
                    .map(|container| (container.id.clone(), container.clone()))
                    .collect();
            }
            _ => {}
        }
        let deployed: Vec<&'static str> = self.updated.keys().copied().collect();
        deployed
            .into_iter()
            .for_each(|service| self.note_reached(service));
    }

    fn note_reached(&mut self, service: &str) {
        let own: Vec<&ServiceContainer> = self.told_of(service).collect();
        let are = |is_so: &dyn Fn(&ServiceContainer) -> bool| {
            !own.is_empty() && own.iter().all(|container| is_so(container))
        };
        let runs = |container: &ServiceContainer| container.state == ServiceState::Running;
        let is_done = |container: &ServiceContainer| {
            container.state == ServiceState::Exited && container.exit_code == 0
        };
        let is_healthy = |container: &ServiceContainer| {
            runs(container) && matches!(container.health, None | Some(Health::Healthy))
        };
        let mut reached = BTreeSet::new();
        if are(&|container| runs(container) || is_done(container)) {
            reached.insert(ComposeCondition::Started.as_str());
        }
        if are(&is_healthy) {
            reached.insert(ComposeCondition::Healthy.as_str());
        }
        if are(&is_done) {
            reached.insert(ComposeCondition::Completed.as_str());
        }
        self.reached
            .entry(service.to_owned())
            .or_default()
            .extend(reached);
    }

    pub(super) fn told_of(&self, service: &str) -> impl Iterator<Item = &ServiceContainer> {
        let id = service_id(service);
        self.told
            .values()
            .filter(move |container| container.service == id)
    }

    /// Takes in what a load says: what leaves the file is to be removed, and starts anew where it comes back.
    pub(super) fn defined(&mut self, before: &[Service], now: &[Service]) {
        for service in before {
            if !now.iter().any(|other| other.name == service.name) {
                self.was_removed.insert(service.name);
                self.reached.remove(service.name);
                self.updated.remove(service.name);
                self.killed.remove(service.name);
            }
        }
    }

    pub(super) fn updated(&mut self, service: &'static str, config: u64, well: bool) {
        self.updated.insert(service, (config, well));
        if well {
            self.taken.remove(service);
        }
    }

    pub(super) fn killed(&mut self, service: &'static str, is_killed: bool) {
        match is_killed {
            true => self.killed.insert(service),
            false => self.killed.remove(service),
        };
    }

    pub(super) fn removed(&mut self, service: &str) {
        self.taken.remove(service);
    }
}

fn is_well(container: &ServiceContainer) -> bool {
    match container.state {
        ServiceState::Running => matches!(container.health, None | Some(Health::Healthy)),
        ServiceState::Exited => container.exit_code == 0 && container.error.is_empty(),
        _ => false,
    }
}

impl<B: Brain> Shop<B> {
    /// Judges an effect before it is done.
    pub(super) fn check_effect(&mut self, effect: &Effect) -> Verdict {
        holds(self.exit.is_none(), || {
            format!("an effect after the end: {effect:?}")
        })?;
        match effect {
            Effect::StartUpdate(plan) => self.check_start(plan),
            Effect::RemoveService { service, .. } => {
                let is_wanted = self.loaded.iter().any(|other| other.name == service.service);
                let is_ours = !self.never_ours(&service.service);
                holds(!is_wanted, || {
                    format!("{service} is removed, though it is wanted")
                })?;
                holds(is_ours, || {
                    format!("{service} is removed, though it was never deployed here")
                })
            }
            Effect::Exit(ExitOutcome::Succeeded) => self.check_success(),
            _ => Ok(()),
        }
    }

    fn never_ours(&self, service: &str) -> bool {
        self.known.never_ours.iter().any(|name| *name == service)
    }

    fn check_start(&mut self, plan: &UpdatePlan) -> Verdict {
        let target = plan.deploy.compose().ok_or("only services can be deployed")?;
        let name = target.service.name.as_str();
        let is_alone = self.builds.values().all(|other| other.manifest != plan.manifest);
        holds(is_alone, || format!("two updates of {name} at once"))?;
        let is_removed = self.removals.iter().any(|(_, service)| service.service == name);
        holds(!is_removed, || format!("{name} is deployed while it is removed"))?;
        // From now on there may be something of it, however the update ends.
        self.known.never_ours.retain(|known| *known != name);
        let is_first = self.known.updated.keys().all(|known| *known != name);
        let is_asked_for = self.known.asked_for.iter().any(|asked| *asked == name);
        for needed in target
            .service
            .depends_on
            .iter()
            .filter(|_| is_first && !is_asked_for)
        {
            let condition = needed.condition.as_str();
            let reached = self.known.reached.get(&needed.service);
            let is_reached = reached.is_some_and(|reached| reached.contains(condition));
            self.tried.insert("a condition is waited for");
            holds(is_reached, || {
                format!("{name} starts before {condition} of {}", needed.service)
            })?;
        }
        Ok(())
    }

    /// A success is one: by what was told, and by what is.
    fn check_success(&self) -> Verdict {
        for service in &self.loaded {
            let own: Vec<&ServiceContainer> = self.known.told_of(service.name).collect();
            holds(!own.is_empty(), || {
                format!("a success, but {} has no container", service.name)
            })?;
            for container in own {
                let ill = || format!("a success, but {} is {container:?}", service.name);
                holds(is_well(container), ill)?;
                let is_proven = container.state != ServiceState::Running
                    || container.health.is_some()
                    || self.age(container) >= PROOF;
                holds(is_proven, || {
                    format!("a success, but {} has just started", service.name)
                })?;
            }
            self.check_configuration(service)?;
        }
        Ok(())
    }

    fn age(&self, container: &ServiceContainer) -> Duration {
        let started = container
            .started
            .map_or(self.now, |started| self.instant(started));
        self.now.duration_since(started)
    }

    fn check_configuration(&self, service: &Service) -> Verdict {
        let own = self.containers.values();
        let mut own = own.filter(|running| running.is_of(service.name));
        holds(own.all(|running| running.config == service.config), || {
            format!("{} has a container of another configuration", service.name)
        })
    }

    /// What is shown follows from what was told.
    pub(super) fn check_shown(&self) -> Verdict {
        if self.exit.is_some() {
            return Ok(());
        }
        let view = self.brain.view();
        for service in &self.loaded {
            let shown = view
                .resources
                .iter()
                .find(|row| row.name.as_str() == service.name);
            let Some(shown) = shown.filter(|row| row.enabled) else {
                return Err(format!("{} is not shown", service.name));
            };
            self.check_row(service, shown)?;
        }
        Ok(())
    }

    fn check_row(&self, service: &Service, shown: &ResourceView) -> Verdict {
        let name = service.name;
        if shown.runtime_status == RuntimeStatus::Ok {
            let own: Vec<&ServiceContainer> = self.known.told_of(name).collect();
            let is_well = !own.is_empty() && own.into_iter().all(is_well);
            holds(is_well, || {
                format!("{name} is shown as well: {:?}", self.told_text(name))
            })?;
        }
        let is_up_to_date = shown.update_status == UpdateStatus::Ok
            && shown.building.is_none()
            && shown.hold.is_none()
            && !shown.has_pending_changes;
        if is_up_to_date {
            let done = self.known.updated.get(name);
            holds(done == Some(&(service.config, true)), || {
                format!("{name} is shown as up to date, but it is still building or was never: {done:?}")
            })?;
        }
        Ok(())
    }

    fn told_text(&self, service: &str) -> Vec<String> {
        let own = self.known.told_of(service);
        own.map(|container| {
            format!(
                "{:?} {} {:?}",
                container.state, container.exit_code, container.health
            )
        })
        .collect()
    }

    /// How all is once nothing more happens.
    pub(super) fn check_at_rest(&self) -> Verdict {
        let view = self.brain.view();
        for service in &self.loaded {
            let shown = view
                .resources
                .iter()
                .find(|row| row.name.as_str() == service.name);
            let shown = shown.ok_or_else(|| format!("{} is not shown", service.name))?;
            let waits = shown
                .hold
                .as_ref()
                .is_some_and(|hold| hold.reason == "waiting-for-dep");
            let has_ended = matches!(shown.update_status, UpdateStatus::Ok | UpdateStatus::Error);
            holds(has_ended || waits, || {
                format!(
                    "at rest {} is {:?}, it is still building",
                    service.name, shown.update_status
                )
            })?;
            holds(waits || !self.known.killed.contains(service.name), || {
                format!("at rest {} was killed and not tried again", service.name)
            })?;
            if shown.update_status == UpdateStatus::Ok {
                self.check_configuration(service)?;
                self.check_rest_of(service, shown)?;
            }
        }
        self.check_nothing_is_left()
    }

    fn check_rest_of(&self, service: &Service, shown: &ResourceView) -> Verdict {
        let own = self.containers.values();
        let own: Vec<_> = own.filter(|running| running.is_of(service.name)).collect();
        let is_well = !own.is_empty() && own.iter().all(|running| is_well(&running.container));
        let expected = match is_well {
            true => RuntimeStatus::Ok,
            false => RuntimeStatus::Error,
        };
        holds(shown.runtime_status == expected, || {
            format!(
                "at rest {} is shown as {:?}, not {expected:?}",
                service.name, shown.runtime_status
            )
        })?;
        holds(!own.is_empty() || self.known.taken.contains(service.name), || {
            format!("at rest {} has no container", service.name)
        })?;
        for running in own {
            let is_read = self.streams.iter().any(|log| match log {
                LogStream::Container(log) => log.container == running.container.id,
                LogStream::Pod(_) => false,
            });
            holds(is_read || running.container.state == ServiceState::Exited, || {
                format!("nobody reads the log of {}", running.container.name)
            })?;
        }
        Ok(())
    }

    /// What left the file has left the engine, if it was ever deployed here.
    fn check_nothing_is_left(&self) -> Verdict {
        for running in self.containers.values() {
            let service = &running.container.service;
            let is_wanted = self.loaded.iter().any(|other| other.name == service.service);
            holds(is_wanted || self.never_ours(&service.service), || {
                format!("{PROJECT}/{} is still there", service.service)
            })?;
        }
        Ok(())
    }
}
