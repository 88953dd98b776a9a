//! The steps of live updates that were made, until a live update has them.

use std::collections::HashMap;

use super::CallSite;
use crate::diag::Diagnostic;

/// The steps that were made and that no live update has. Steps made at one place count as one, as in Tilt.
#[derive(Clone, Debug, Default)]
pub struct StepLedger {
    unused: HashMap<String, MadeStep>,
    n_made: usize,
}

#[derive(Clone, Debug)]
struct MadeStep {
    order: usize,
    shown: String,
    kind: &'static str,
    site: CallSite,
}

impl StepLedger {
    /// Notes a step: how it is shown, its type, and the call that made it.
    pub fn made(&mut self, shown: String, kind: &'static str, site: CallSite) {
        self.n_made += 1;
        let step = MadeStep {
            order: self.n_made,
            shown,
            kind,
            site,
        };
        self.unused.insert(step.site.position(), step);
    }

    /// Notes that a live update has the step that was made at this position.
    pub fn used(&mut self, position: &str) {
        self.unused.remove(position);
    }

    /// Returns an error that names the steps that nothing uses.
    pub(super) fn unused(self) -> Option<Diagnostic> {
        let mut steps: Vec<MadeStep> = self.unused.into_values().collect();
        steps.sort_by_key(|step| step.order);
        let first = steps.first()?;
        let lines: Vec<String> = steps
            .iter()
            .map(|step| {
                let at = step.site.position();
                format!("{at}: value '{}' of type '{}'", step.shown, step.kind)
            })
            .collect();
        let message = format!(
            "found {} live_update steps that were created but not used in a live_update:\n{}",
            steps.len(),
            lines.join("\n\t")
        );
        let error = Diagnostic::error(message).at(first.site.place());
        Some(error.hint(
            "steps go into the live_update list of docker_build(), custom_build() or k8s_custom_deploy()",
        ))
    }
}
