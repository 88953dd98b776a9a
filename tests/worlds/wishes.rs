//! What the user of a made-up session asks for, and what becomes of it.

use std::collections::BTreeSet;
use std::time::Duration;

use tilt::engine::{Event, UpdatePlan};
use tilt::model::{ManifestName, SpanId, TriggerMode, TriggerReason};
use tilt::view::{ResourceView, UpdateStatus, View};

use crate::project::trigger_mode;
use crate::rules::{Verdict, holds};
use crate::world::{Brain, World};

/// Names that a user may come up with.
const NAMES: [&str; 8] = ["a", "b", "c", "d", "e", "uncategorized", "nobody", "(Tiltfile)"];

/// No pause before an update is tried again is longer.
const LONGEST_PAUSE: Duration = Duration::from_secs(4);

impl<B: Brain> World<B> {
    /// Lets the user ask for something.
    pub(crate) fn wish(&mut self) -> Verdict {
        let name = ManifestName::from(self.rng.pick(&NAMES).unwrap_or_default());
        match self.rng.below(8) {
            0..3 => self.ask_for(name),
            3..5 => {
                let is_on = self.ledger.current.get(&name).is_some_and(|known| known.enabled);
                let enabled = is_on == self.rng.percent(20);
                self.switch(name, enabled)
            }
            5 => {
                let mode = trigger_mode(&mut self.rng);
                if let Some(known) = self.ledger.current.get_mut(&name) {
                    known.mode = Some(mode);
                }
                self.send(Event::TriggerModeOverridden { manifest: name, mode })
            }
            6 => {
                self.args += self.rng.below(2);
                let args = vec![self.args.to_string()];
                if self.told_args != args {
                    self.told_args.clone_from(&args);
                    self.sets_enabled = true;
                }
                self.send(Event::ArgsChanged(args))
            }
            _ => {
                let spans = [
                    format!("build:{}", self.rng.below(30)),
                    format!("tiltfile:(Tiltfile):{}", self.rng.below(6)),
                ];
                let span = self.rng.pick(&spans).unwrap_or_default();
                self.send(Event::CancelRequested(SpanId::new(span)))
            }
        }
    }

    fn ask_for(&mut self, name: ManifestName) -> Verdict {
        let reasons = [
            TriggerReason::Web,
            TriggerReason::Cli,
            TriggerReason::Hud,
            TriggerReason::Unknown,
        ];
        let reason = self.rng.pick(&reasons).unwrap_or(TriggerReason::Unknown);
        let known = self.ledger.current.get_mut(&name).filter(|known| known.enabled);
        if let Some(known) = known {
            known.is_asked_for = true;
        }
        self.send(Event::Triggered {
            manifest: name,
            reason,
        })
    }

    fn switch(&mut self, manifest: ManifestName, enabled: bool) -> Verdict {
        let was_busy = self
            .updates
            .values()
            .any(|update| update.plan.manifest == manifest);
        let serves = self.server_of(&manifest).is_some();
        if let Some(known) = self
            .ledger
            .current
            .get_mut(&manifest)
            .filter(|known| known.enabled != enabled)
        {
            known.switch(enabled);
            let what = match (enabled, was_busy, serves) {
                (true, ..) => "switched on",
                (false, true, _) => "switched off while it is updated",
                (false, _, true) => "switched off while it serves",
                (false, ..) => "switched off",
            };
            self.coverage.note(what);
        }
        self.send(Event::EnablementChanged { manifest, enabled })
    }

    /// Judges the start of an update by what was asked for.
    pub(crate) fn check_wish(&mut self, plan: &UpdatePlan) -> Verdict {
        let name = &plan.manifest;
        let mode = self.mode_of(name);
        self.coverage.note_start(plan, mode);
        let known = self.ledger.current.get_mut(name).ok_or("it is gone")?;
        let was_asked_for = std::mem::take(&mut known.is_asked_for);
        let unreached = known.unreached.take();
        let is_first = known.attempted.is_none();
        let by_itself = mode.auto_on_change();
        let was_asked_before = unreached.is_some_and(|(_, force)| force);
        holds(was_asked_for || was_asked_before || !plan.force, || {
            format!("{name} is made anew and nobody asked")
        })?;
        // Where changes wait, asking may mean no more than to take them in.
        let must = was_asked_for && by_itself;
        let builds_all = plan
            .images
            .iter()
            .all(|step| step.action == tilt::engine::ImageAction::Build);
        holds(!must || (plan.force && builds_all), || {
            format!("{name} is not made anew")
        })?;
        let may_start = was_asked_for || by_itself || unreached.is_some() || (is_first && mode.auto_init());
        holds(may_start, || format!("{name} starts by itself in mode {mode:?}"))
    }

    /// Returns when updates of a resource start.
    pub(crate) fn mode_of(&self, name: &ManifestName) -> TriggerMode {
        let known = self.ledger.current.get(name).and_then(|known| known.mode);
        known
            .or_else(|| self.ledger.resource(name).map(|resource| resource.trigger_mode))
            .unwrap_or_default()
    }

    /// Judges what a resource shows of the wishes of its user.
    pub(crate) fn check_wishes_at_rest(&self, shown: &ResourceView) -> Verdict {
        let (name, known) = (&shown.name, &self.ledger.current[&shown.name]);
        holds(shown.enabled == known.enabled, || {
            format!("{name} is not as it was switched")
        })?;
        let mode = self.mode_of(name);
        holds(shown.trigger_mode == mode, || {
            format!("{name} is not in mode {mode:?}")
        })?;
        holds(shown.queued == known.is_asked_for, || {
            format!("a wish is lost: {name} was asked for")
        })
    }

    /// Judges the reasons that are shown for what does not start, and that nothing waits without one.
    pub(crate) fn check_holds(&self, view: &View) -> Verdict {
        let Some(project) = &self.ledger.defined else {
            return Ok(());
        };
        let is_full = self.updates.len() >= project.max_parallel;
        for resource in &view.resources {
            let name = &resource.name;
            let Some(hold) = &resource.hold else {
                let waits = resource.update_status == UpdateStatus::Pending && resource.building.is_none();
                holds(!waits || is_full, || format!("{name} waits for nothing"))?;
                continue;
            };
            let on: BTreeSet<&str> = hold.on.iter().map(String::as_str).collect();
            let updated = |name: &str| {
                self.updates
                    .values()
                    .any(|update| update.plan.manifest.as_str() == name)
            };
            let is_true = match hold.reason {
                "tiltfile-reload" => !self.loads.is_empty(),
                "waiting-for-local" => on.iter().all(|name| updated(name)),
                "is-unparallelizable-local" | "building-component" => !self.updates.is_empty(),
                "waiting-for-uncategorized" => updated(ManifestName::UNCATEGORIZED),
                "waiting-for-dep" => self
                    .ledger
                    .resource(name)
                    .is_some_and(|resource| on.iter().all(|need| resource.needs.iter().any(|n| n == need))),
                "waiting-for-retry" => self.ledger.current.get(name).is_some_and(|known| {
                    let since = known.unreached.map(|(since, _)| since);
                    !known.is_asked_for && since.is_some_and(|since| self.now < since + LONGEST_PAUSE)
                }),
                "waiting-for-quiet" => self.next_wake().is_some(),
                "waiting-for-cluster" => !self.is_connected,
                "waiting-for-deletion" => !self.deletions.is_empty(),
                _ => false,
            };
            holds(is_true, || format!("{name} is held for no reason: {hold:?}"))?;
        }
        Ok(())
    }
}
