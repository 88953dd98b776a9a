//! One evaluation of a Tiltfile, from request to result.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use super::Host;
use crate::diag::Diagnostic;
use crate::engine::LoadOutcome;
use crate::k8s::KubeContext;
use crate::logs::LogWriter;
use crate::model::{CiSettings, Ignore, LocalPath, Manifest, ManifestName, UpdateSettings};

/// The stack of a thread that evaluates: Starlark functions recurse on it, up to 10,000 deep.
const STACK_BYTES: usize = 256 << 20;

/// What to evaluate, and for whom.
#[derive(Clone, Debug)]
pub struct LoadRequest {
    /// The Tiltfile.
    pub file: LocalPath,
    /// Arguments after the command. Unless the file reads them itself, they are names of the resources to run.
    pub args: Vec<String>,
    /// The command that was typed: `up`, `ci`, `down`, ...
    pub subcommand: &'static str,
    /// The cluster that the kubeconfig means.
    pub kube: KubeContext,
    /// Whether this is the session's own Tiltfile: only that one must have resources and an allowed context.
    pub is_main: bool,
}

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
    /// Ignores that hold for every watch: `.tiltignore`, `watch_settings()`.
    pub watch_ignores: Vec<Ignore>,
    /// Settings for updates.
    pub update_settings: UpdateSettings,
    /// Settings for `tilt ci`.
    pub ci_settings: CiSettings,
    /// The content of `.tiltignore` beside the Tiltfile.
    pub tiltignore: Option<Ignore>,
    /// Values that must not be shown, by value.
    pub secrets: BTreeMap<String, Secret>,
    /// What was executed.
    pub hashes: Hashes,
}

/// A value of a Secret object.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// The name of the object.
    pub name: String,
    /// The key within it.
    pub key: String,
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

    /// Returns what the engine is told.
    pub fn outcome(&self) -> LoadOutcome {
        LoadOutcome {
            manifests: self.manifests.clone(),
            enabled: self.enabled.clone(),
            error: self.error_text(),
            config_files: self.config_files.clone(),
            watch_ignores: self.watch_ignores.clone(),
            update_settings: self.update_settings.clone(),
            ci_settings: self.ci_settings.clone(),
        }
    }
}

/// Evaluates a Tiltfile. Blocks, and needs the stack that [`load_on_big_stack`] gives.
///
/// Prints and warnings go to `log` as they come; errors only to the result. Once `cancelled` is set the evaluation
/// stops soon, with an error.
pub fn load(request: &LoadRequest, host: &dyn Host, log: &LogWriter, cancelled: Arc<AtomicBool>) -> Load {
    let _ = (log, cancelled);
    let mut load = Load {
        config_files: vec![request.file.clone()],
        ..Load::default()
    };
    if !host.exists(&request.file) {
        load.errors.push(Diagnostic::error(format!(
            "No Tiltfile found at paths '{}'. Check out https://docs.tilt.dev/tutorial.html",
            request.file
        )));
    }
    load
}

/// Evaluates a Tiltfile on a thread of its own, whose stack is large enough, and waits for it.
pub fn load_on_big_stack(
    request: &LoadRequest,
    host: &dyn Host,
    log: &LogWriter,
    cancelled: Arc<AtomicBool>,
) -> Load {
    std::thread::scope(|scope| {
        let thread = std::thread::Builder::new()
            .name("tiltfile".to_owned())
            .stack_size(STACK_BYTES)
            .spawn_scoped(scope, || load(request, host, log, cancelled));
        match thread.map(std::thread::ScopedJoinHandle::join) {
            Ok(Ok(load)) => load,
            Ok(Err(panic)) => std::panic::resume_unwind(panic),
            Err(cause) => Load {
                errors: vec![Diagnostic::error(format!("cannot start a thread: {cause}"))],
                ..Load::default()
            },
        }
    })
}
