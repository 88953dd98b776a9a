//! What manifests ask for that this version does not do. It is said once per resource and session.

use std::collections::BTreeSet;

use super::config::Mode;
use super::effect::Effect;
use super::state::State;
use crate::model::{ApiKind, ApiObjects, Manifest, ManifestName, OnChange, TriggerMode};
use crate::model::{Level, LogEvent};

/// Something that a manifest asks for in vain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Gap {
    ManualTrigger,
}

impl Gap {
    fn text(self) -> &'static str {
        match self {
            Self::ManualTrigger => {
                "this version does not start updates on request yet, only at start or on a change"
            }
        }
    }
}

fn gaps(manifest: &Manifest, mode: Mode) -> Vec<Gap> {
    let mut gaps = Vec::new();
    // Nobody can ask in a run that ends by itself.
    if mode == Mode::Up && manifest.trigger_mode != TriggerMode::new(OnChange::Update, true) {
        gaps.push(Gap::ManualTrigger);
    }
    gaps
}

/// Returns what is to be said about the enabled ones among new manifests.
pub(super) fn tell(
    state: &mut State,
    manifests: &[Manifest],
    enabled: &BTreeSet<ManifestName>,
) -> Vec<Effect> {
    let span = state.tiltfile_span();
    let mut effects = Vec::new();
    for manifest in manifests
        .iter()
        .filter(|manifest| enabled.contains(&manifest.name))
    {
        for gap in gaps(manifest, state.config.mode) {
            if state.told.insert((manifest.name.clone(), gap)) {
                let text = format!("{}: {}", manifest.name, gap.text());
                let line = LogEvent::line(span.clone(), manifest.name.clone(), text);
                effects.push(Effect::Log(line.level(Level::Warn)));
            }
        }
    }
    effects
}

/// Kinds of objects that would do something.
const ACTIVE: [ApiKind; 5] = [
    ApiKind::Cmd,
    ApiKind::FileWatch,
    ApiKind::KubernetesApply,
    ApiKind::KubernetesDiscovery,
    ApiKind::UiButton,
];

/// Returns what is to be said about the objects that a Tiltfile registered.
pub(super) fn tell_of_objects(state: &mut State, objects: &ApiObjects) -> Option<Effect> {
    let active = ACTIVE.into_iter().flat_map(|kind| {
        let of_kind = objects.of_kind(kind);
        of_kind.map(move |(name, _)| format!("{}/{name}", kind.plural()))
    });
    let told = &mut state.told_objects;
    let new: Vec<String> = active.filter(|name| told.insert(name.clone())).collect();
    if new.is_empty() {
        return None;
    }
    let text = format!(
        "this version does not run these objects of the Tiltfile yet: {}",
        new.join(", ")
    );
    let line = LogEvent::line(state.tiltfile_span(), ManifestName::tiltfile(), text);
    Some(Effect::Log(line.level(Level::Warn)))
}
