//! What an evaluation gives.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::secrets::Secret;
use crate::assembly::{CallSite, Ignorefile};
use crate::diag::Diagnostic;
use crate::engine::ExtensionEnd;
use crate::model::{
    ApiObjects, CiSettings, Ignore, LocalPath, Manifest, ManifestName, Registry, SessionSettings,
    UpdateSettings,
};

/// What an evaluation gave.
#[derive(Clone, Debug, Default)]
pub struct Load {
    /// All resources in definition order; `None` when the load failed.
    pub manifests: Option<Vec<Manifest>>,
    /// Which of them are to run.
    pub enabled: BTreeSet<ManifestName>,
    /// What is probably not as meant. Already in the log.
    pub warnings: Vec<Diagnostic>,
    /// Why the load failed, in the order found; the first one is what Tilt reports. Not in the log.
    pub errors: Vec<Diagnostic>,
    /// Files whose change makes another evaluation necessary; sorted.
    pub config_files: Vec<LocalPath>,
    /// Files that count like those, though Tilt does not list them; sorted.
    pub unlisted_files: Vec<LocalPath>,
    /// Ignores that hold for every watch: `.tiltignore`, `watch_settings()`.
    pub watch_ignores: Vec<Ignore>,
    /// Settings for updates.
    pub update_settings: UpdateSettings,
    /// Where images are pushed, if the Tiltfile says so.
    pub default_registry: Option<Registry>,
    /// The same, with where that was said.
    pub registry: Option<(Registry, CallSite)>,
    /// Which contexts may be deployed to.
    pub allowed_contexts: BTreeSet<String>,
    /// Settings for `tilt ci`.
    pub ci_settings: CiSettings,
    /// Other settings of the session.
    pub session_settings: SessionSettings,
    /// The content of `.tiltignore` beside the Tiltfile.
    pub tiltignore: Option<Ignorefile>,
    /// Values that must not be shown, by value.
    pub secrets: BTreeMap<String, Secret>,
    /// Objects of the API that were registered; also those of a load that failed.
    pub objects: ApiObjects,
    /// What became of the extensions that ran on their own, by name.
    pub extensions: BTreeMap<String, ExtensionEnd>,
    /// The host of the session's web page.
    pub web_host: String,
    /// The calls of built-ins in the order in which they ended, if they were timed.
    pub calls: Vec<BuiltinCall>,
    /// What was executed.
    pub hashes: Hashes,
}

/// A call of a built-in that has ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuiltinCall {
    /// The built-in.
    pub name: &'static str,
    /// Its arguments, as they could be written; long ones are cut off.
    pub arguments: String,
    /// How long it took, with all that it called.
    pub took: Duration,
    /// Whether it gave a result that was there from before.
    pub reused: bool,
}

/// Hex SHA-256 of what was executed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hashes {
    /// Of the Tiltfile alone.
    pub tiltfile: String,
    /// Of all executed files, one after the other in the order in which they started.
    pub all_files: String,
}

impl Load {
    /// Returns all errors as they are shown, Tilt's own lines first; `None` when the load succeeded.
    pub fn error_text(&self) -> Option<String> {
        let texts: Vec<String> = self.errors.iter().map(Diagnostic::render).collect();
        (!texts.is_empty()).then(|| texts.join("\n\n"))
    }
}
