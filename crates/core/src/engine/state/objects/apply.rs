//! What an object has in the cluster that a user asked to apply.

use std::time::Instant;

use serde_json::{Map, Value};

use crate::engine::moment::Seq;
use crate::engine::state::deployed::Deployed;
use crate::model::{BuildId, ManifestName, SpanId};

/// What an object has in the cluster.
#[derive(Debug, Default)]
pub(crate) struct ApplyState {
    /// What it was when it was last applied, or found wanting.
    pub(crate) applied: Option<Map<String, Value>>,
    /// The last click or change that applied it again.
    pub(crate) restarted: Seq,
    pub(crate) running: Option<(BuildId, Instant)>,
    /// When it was last begun and done, and what went wrong.
    pub(crate) last: Option<(Instant, Instant, Option<String>)>,
    pub(crate) deployed: Deployed,
}

/// An object that is gone while it was being applied.
#[derive(Debug)]
pub(crate) struct Orphan {
    pub(crate) build: BuildId,
    pub(crate) manifest: ManifestName,
    pub(crate) span: SpanId,
    pub(crate) state: ApplyState,
}
