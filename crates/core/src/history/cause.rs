//! Why an update runs.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Rule, time_text};
use crate::model::{Timestamp, TriggerReason};

/// One reason for an update. An update may have several.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Cause {
    /// It is the first one of the resource, or of the Tiltfile, in this session.
    First,
    /// Files changed.
    Files {
        /// Which, and what makes each of them matter.
        files: Vec<FileCause>,
    },
    /// Somebody asked for it.
    Asked {
        /// Who.
        by: TriggerReason,
    },
    /// The Tiltfile, or what it reads, defines the resource otherwise than before.
    Definition {
        /// What differs.
        changes: Vec<DefinitionChange>,
        /// The files whose change led to the reading that found it; none where somebody asked for one.
        files: Vec<String>,
    },
    /// The Tiltfile was given other arguments.
    Args,
    /// Another resource has built an image that this one uses.
    Image {
        /// Which image.
        image: String,
        /// Who built it.
        by: Option<String>,
    },
    /// Running containers could not take the change in.
    FallBack {
        /// Why, in a word.
        reason: String,
        /// Why, in a sentence.
        message: String,
    },
    /// An update before could not reach something.
    Retry,
    /// A container started, or is older than the session: all that is synced is compared with it.
    Container {
        /// Its pod.
        pod: String,
        /// Its name in the pod.
        container: String,
    },
}

/// A file that changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FileCause {
    /// The file, with its whole path.
    pub path: String,
    /// What makes it matter to this resource.
    pub rule: Rule,
    /// The part of the resource that it belongs to, such as `image:web`.
    pub target: String,
    /// When the change was noticed, where that is known.
    #[serde(with = "time_text::maybe", default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub at: Option<Timestamp>,
}

/// One thing that differs between two definitions of a resource.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct DefinitionChange {
    /// What differs, such as `Deployment/web: spec.replicas` or `cmd`.
    pub what: String,
    /// Where it is written, where that is known, such as `/src/web.yaml:12`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<String>,
}
