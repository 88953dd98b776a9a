//! What manifests ask for that this version does not do. It is said once per resource and session; what cannot be
//! updated at all is left out.

use std::collections::BTreeSet;

use super::effect::Effect;
use super::state::State;
use crate::logs::{Level, LogEvent};
use crate::model::{DeployTarget, Manifest, ManifestName, OnChange, TriggerMode};

/// Something that a manifest asks for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Gap {
    LocalResource,
    ManualTrigger,
}

impl Gap {
    /// Returns whether the resource cannot be updated.
    fn is_fatal(self) -> bool {
        match self {
            Self::LocalResource => true,
            Self::ManualTrigger => false,
        }
    }

    fn text(self) -> &'static str {
        match self {
            Self::LocalResource => "this version does not run local resources yet; it is left out",
            Self::ManualTrigger => {
                "this version does not start updates on request yet, only at start or on a change"
            }
        }
    }
}

fn gaps(manifest: &Manifest) -> Vec<Gap> {
    let mut gaps = Vec::new();
    if matches!(manifest.deploy, DeployTarget::Local(_)) {
        gaps.push(Gap::LocalResource);
    }
    if manifest.trigger_mode != TriggerMode::new(OnChange::Update, true) {
        gaps.push(Gap::ManualTrigger);
    }
    gaps
}

/// Returns the manifests that can be updated, and what is to be said about the enabled ones.
pub(super) fn leave_out(
    state: &mut State,
    manifests: Vec<Manifest>,
    enabled: &BTreeSet<ManifestName>,
) -> (Vec<Manifest>, Vec<Effect>) {
    let span = state.tiltfile_span();
    let (mut kept, mut effects) = (Vec::new(), Vec::new());
    for manifest in manifests {
        let gaps = gaps(&manifest);
        for gap in gaps.iter().filter(|_| enabled.contains(&manifest.name)) {
            if state.told.insert((manifest.name.clone(), *gap)) {
                let text = format!("{}: {}", manifest.name, gap.text());
                let line = LogEvent::line(span.clone(), manifest.name.clone(), text);
                effects.push(Effect::Log(line.level(Level::Warn)));
            }
        }
        if !gaps.iter().any(|gap| gap.is_fatal()) {
            kept.push(manifest);
        }
    }
    (kept, effects)
}
