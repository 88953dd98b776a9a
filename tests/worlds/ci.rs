//! Worlds of `tilt ci`: whatever happens, the run ends, and for the right reason.

use std::time::Duration;

use tilt::engine::{CiFailure, Engine, Event, ExitOutcome, Mode};
use tilt::view::{ResourceView, RuntimeStatus, UpdateStatus};

use crate::rules::Verdict;
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
        let all_fine = view.resources.iter().filter(ran).all(is_fine);
        match &self.exit {
            Some(ExitOutcome::Succeeded) if !all_fine => {
                Err(format!("not all is well: {:?}", view.resources))
            }
            Some(ExitOutcome::Failed(failure)) if failure.message.is_empty() => {
                Err("no reason is given".to_owned())
            }
            _ => Ok(()),
        }
    }
}

#[test]
fn every_run_ends() {
    let exits = crate::check_worlds(crate::seeds(500), CI, World::live_until_exit);
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
