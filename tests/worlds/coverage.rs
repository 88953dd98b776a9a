//! What was seen to happen in worlds: a rule that no world tries is not tested.

use std::collections::BTreeMap;

use tilt::engine::{ExitOutcome, UpdatePlan};
use tilt::model::{DeployTarget, TriggerMode};
use tilt::view::View;

/// How often each thing was seen.
#[derive(Clone, Debug, Default)]
pub(crate) struct Coverage(BTreeMap<String, usize>);

impl Coverage {
    pub(crate) fn note(&mut self, what: impl Into<String>) {
        *self.0.entry(what.into()).or_default() += 1;
    }

    pub(crate) fn note_holds(&mut self, view: &View) {
        for hold in view
            .resources
            .iter()
            .filter_map(|resource| resource.hold.as_ref())
        {
            self.note(format!("hold {}", hold.reason));
        }
    }

    pub(crate) fn note_start(&mut self, plan: &UpdatePlan, mode: TriggerMode) {
        let why = match plan.header.as_str() {
            "Initial Build" => "first",
            _ if plan.force => "made anew",
            header if header.contains("Changed: ") => "changed files",
            header if header.contains("Trigger") => "asked for",
            header => header,
        };
        self.note(format!("{mode:?}: {why}"));
        if let DeployTarget::Local(local) = &plan.deploy {
            let parts = [
                (local.update_cmd.is_some(), "updates"),
                (!local.serve_cmd.is_empty(), "serves"),
                (local.readiness_probe.is_some(), "has a probe"),
                (!local.allow_parallel, "runs alone"),
            ];
            for (_, part) in parts.into_iter().filter(|(is, _)| *is) {
                self.note(format!("local resource {part}"));
            }
        }
    }

    pub(crate) fn note_exit(&mut self, exit: Option<&ExitOutcome>) {
        let rule = match exit {
            None => return,
            Some(ExitOutcome::Failed(failure)) => rule_of(&failure.message).to_owned(),
            Some(other) => format!("{other:?}"),
        };
        self.note(format!("exit {rule}"));
    }

    pub(crate) fn add(&mut self, other: Self) {
        for (what, times) in other.0 {
            *self.0.entry(what).or_default() += times;
        }
    }

    /// Expects that each of these was seen.
    #[track_caller]
    pub(crate) fn check(&self, expected: &[&str]) {
        let missing: Vec<&&str> = expected
            .iter()
            .filter(|what| !self.0.contains_key(**what))
            .collect();
        assert!(
            missing.is_empty(),
            "no world has tried {missing:?}; these were: {:#?}",
            self.0
        );
    }
}

/// Returns which rule a failure of `tilt ci` is due to.
pub(crate) fn rule_of(message: &str) -> &'static str {
    let rules = [
        ("exceeded grace period: ", "grace period"),
        ("cluster connection failed", "cluster"),
        ("Readiness timeout after ", "readiness"),
        ("Timeout after ", "timeout"),
        ("Process ", "server"),
        ("Job/", "job"),
        ("the Tiltfile is broken", "Tiltfile"),
        ("it broke", "update"),
        ("build canceled", "cancelled"),
    ];
    let starting = rules.iter().find(|(start, _)| message.starts_with(start));
    match starting {
        Some((_, rule)) => rule,
        None if message.contains("in error state due to container") => "container",
        None if message.contains("in error state: ") => "fail fast",
        None if message.contains(", which has auto_init=False: ") => "never started",
        None if message.ends_with("failed") => "pod",
        None => "unknown",
    }
}
