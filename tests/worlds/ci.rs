//! Worlds of `tilt ci`: whatever happens, the run ends, and for the right reason.

use std::time::Duration;

use tilt::engine::{CiFailure, Engine, Event, ExitOutcome, Mode, ServerStatus};
use tilt::model::{CiSettings, ManifestName, PodReadiness};
use tilt::view::{ResourceView, RuntimeStatus, UpdateStatus};

use crate::coverage::rule_of;
use crate::rng::Rng;
use crate::rules::{Verdict, holds};
use crate::world::{Brain, Chaos, World};

/// A run of `tilt ci` without a time-out on the command line; the made-up Tiltfile sets 90 s.
pub(crate) const CI: Chaos = Chaos {
    mode: Mode::Ci {
        timeout_override: None,
        fail_fast: false,
    },
    steps: 30,
    many_reloads: false,
};

impl<B: Brain> World<B> {
    /// Lets a run go on until it ends.
    pub(crate) fn live_until_exit(&mut self) -> Verdict {
        self.run_started()?;
        for _ in 0..1_000 {
            if self.exit.is_some() {
                return self.check_exit();
            }
            if !self.one_quiet_step()? {
                break;
            }
        }
        if self.exit.is_some() {
            self.check_exit()
        } else {
            Err("the run never ends".to_owned())
        }
    }

    fn check_exit(&self) -> Verdict {
        let view = self.view();
        let ran = |resource: &&ResourceView| resource.enabled && resource.update_status != UpdateStatus::None;
        let is_fine = |resource: &ResourceView| {
            matches!(
                (resource.update_status, resource.runtime_status),
                (
                    UpdateStatus::Ok | UpdateStatus::NotApplicable,
                    RuntimeStatus::Ok | RuntimeStatus::NotApplicable
                )
            )
        };
        let all_fine = view.resources.iter().map(AsRef::as_ref).filter(ran).all(is_fine);
        match &self.exit {
            Some(ExitOutcome::Succeeded) if !all_fine => {
                Err(format!("not all is well: {:?}", view.resources))
            }
            Some(ExitOutcome::Failed(failure)) => self.check_failure(failure),
            _ => Ok(()),
        }
    }

    /// A success is one: nothing that was applied has failed, crashes or is short of pods.
    pub(crate) fn check_success(&self) -> Verdict {
        for (name, known) in &self.ledger.current {
            let resource = self.ledger.resource(name);
            let judged = resource.filter(|resource| {
                let waits = resource.readiness() != PodReadiness::Ignore;
                known.enabled && known.was_deployed && resource.local.is_none() && waits
            });
            let is_well = judged.is_none_or(|resource| self.is_workload_well(&resource.workload()));
            holds(is_well, || {
                format!("a success, but {name} has failed, crashes or is short of pods")
            })?;
        }
        Ok(())
    }

    /// A failure tells the truth.
    fn check_failure(&self, failure: &CiFailure) -> Verdict {
        let elapsed = self.now.duration_since(self.started_at);
        let settings = &self.ci_settings;
        let ended = |status: &ServerStatus| matches!(status, ServerStatus::Exited { .. });
        let is_true = match rule_of(&failure.message) {
            "update" => self.ledger.has_failed,
            "cancelled" => self.ledger.was_canceled || failure.resources == [ManifestName::tiltfile()],
            "Tiltfile" => self.project.is_broken,
            "cluster" => self.ledger.has_lost_cluster,
            "server" => self.told.values().any(ended),
            "timeout" => elapsed >= settings.timeout.unwrap_or_default(),
            "readiness" => elapsed >= settings.readiness_timeout,
            "grace period" => !settings.k8s_grace_period.is_zero() && elapsed >= settings.k8s_grace_period,
            "never started" => failure.resources.iter().any(|name| self.waits_in_vain(name)),
            "fail fast" if !settings.fail_fast => false,
            rule => self.ledger.troubles.contains(rule),
        };
        // One may have been switched off while the last logs were waited for.
        let is_known =
            |name: &ManifestName| *name == ManifestName::tiltfile() || self.ledger.current.contains_key(name);
        let all_named = failure.resources.iter().all(is_known);
        holds(is_true && all_named, || {
            format!("a failure that is none: {failure:?}")
        })
    }
}

impl<B: Brain> World<B> {
    /// Whether a resource needs one that was not started and does not start by itself. (It may be asked for after the end.)
    fn waits_in_vain(&self, name: &ManifestName) -> bool {
        let needs = self.ledger.resource(name).map(|resource| resource.needs.clone());
        needs.into_iter().flatten().any(|need| {
            let need = ManifestName::new(need);
            let (Some(known), Some(resource)) = (self.ledger.current.get(&need), self.ledger.resource(&need))
            else {
                return false;
            };
            let modes = [Some(resource.trigger_mode), known.mode];
            let never_by_itself = modes.into_iter().flatten().any(|mode| !mode.auto_init());
            never_by_itself && known.attempted.is_none()
        })
    }
}

/// How runs must have ended in some world.
const RULES: [&str; 13] = [
    "exit Succeeded",
    "exit update",
    "exit cancelled",
    "exit Tiltfile",
    "exit cluster",
    "exit never started",
    "exit server",
    "exit timeout",
    "exit readiness",
    "exit grace period",
    "exit container",
    "exit pod",
    "exit fail fast",
];

/// Returns what a made-up Tiltfile says of `tilt ci`.
pub(crate) fn settings(rng: &mut Rng) -> CiSettings {
    let seconds = |choices: &[u64], rng: &mut Rng| Duration::from_secs(rng.pick(choices).unwrap_or_default());
    CiSettings {
        timeout: Some(Duration::from_secs(90)),
        readiness_timeout: seconds(&[300, 300, 20], rng),
        k8s_grace_period: seconds(&[0, 0, 15], rng),
        fail_fast: rng.percent(30),
    }
}

#[test]
fn every_run_ends() {
    let (exits, tried) = crate::check_worlds(crate::seeds(1_000), CI, World::live_until_exit);
    if exits.len() > 1 {
        tried.check(&RULES);
    }
    let well = exits
        .iter()
        .filter(|exit| **exit == Some(ExitOutcome::Succeeded))
        .count();
    let badly = exits.len() - well;
    assert!(
        exits.len() == 1 || (well > 50 && badly > 50),
        "both ends should be tried: {well} well, {badly} badly"
    );
}

#[test]
fn a_run_in_which_nothing_answers_ends_by_its_time_out() {
    let mut world = World::new(1, Engine::new, CI);
    world.send(Event::Started).expect("the rules hold");
    world.now += Duration::from_secs(30 * 60);
    world.send(Event::Wake).expect("the rules hold");
    let message = "Timeout after 30m0s: 1 resources not ready (tiltfile:update)";
    let failure = CiFailure {
        message: message.to_owned(),
        resources: vec!["(Tiltfile)".into()],
    };
    assert_eq!(world.exit, Some(ExitOutcome::Failed(failure)));
}
