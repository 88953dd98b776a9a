//! One evaluation of the Tiltfile in a session: the lines around it, and the check that Docker answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Instant;

use tokio::sync::OnceCell;

use super::RealHost;
use crate::clock;
use crate::diag::Diagnostic;
use crate::edge::docker::Docker;
use crate::edge::process::Environment;
use crate::edge::watch_files::FileWatcher;
use crate::engine::LoadOutcome;
use crate::logs::{LogStore, LogWriter};
use crate::model::{LoadId, Manifest, format_go_duration};
use crate::tiltfile::{Host, Load, LoadRequest, load_on_big_stack, stand_ins};

/// Evaluates the Tiltfile, connects Docker if an image is to be built, and logs how it went. `files` hears what was read.
pub async fn run(
    load_id: LoadId,
    files: FileWatcher,
    request: Arc<LoadRequest>,
    docker: Arc<OnceCell<Arc<Docker>>>,
    store: LogStore,
    log: LogWriter,
    cancelled: Arc<AtomicBool>,
) -> LoadOutcome {
    let began = clock::now();
    let hold = store.hold_disk();
    let host = Arc::new(RealHost::default());
    let mut load = evaluate(request, Arc::clone(&host), log.clone(), Arc::clone(&cancelled)).await;
    // Also of one that failed or is abandoned: its words are in the log.
    hide_secrets(&load, &store, hold.position());
    drop(hold);
    if cancelled.load(Ordering::Relaxed) {
        // Nobody waits for it any more, and its words would only confuse.
        return LoadOutcome::default();
    }
    if load.errors.is_empty()
        && needs_docker(&load)
        && let Err(error) = connect(&docker).await
    {
        load.errors.push(error);
        load.manifests = None;
    }
    match load.error_text() {
        Some(error) => log.error(&error),
        None => announce_success(began, &log),
    }
    let prints = host.read_files();
    let read = prints.iter().map(|(path, _)| path.clone()).collect();
    // What changes later than that is reported as later than this load; so what it read is compared only then.
    files.end_load(load_id, prints).await;
    LoadOutcome {
        read,
        changed_meanwhile: host.changed_since_read(),
        ..load.outcome()
    }
}

/// Hides the secrets of a Tiltfile in what is logged from now on, and in what is in the log from a position on.
pub fn hide_secrets(load: &Load, store: &LogStore, since: u64) {
    store.add_secrets(&stand_ins(&load.secrets));
    store.scrub_since(since);
}

/// Says that a Tiltfile is being evaluated, if there is one.
pub fn announce(request: &LoadRequest, host: &dyn Host, log: &LogWriter) {
    if host.exists(&request.file) {
        log.info(&format!("Loading Tiltfile at: {}", request.file));
    }
}

/// Says that a Tiltfile was evaluated, and how long that took.
pub fn announce_success(began: Instant, log: &LogWriter) {
    let took = format_go_duration(clock::now().duration_since(began));
    log.info(&format!("Successfully loaded Tiltfile ({took})"));
}

/// Evaluates on a thread with a large stack, without blocking the runtime.
pub async fn evaluate(
    request: Arc<LoadRequest>,
    host: Arc<RealHost>,
    log: LogWriter,
    cancelled: Arc<AtomicBool>,
) -> Load {
    announce(&request, host.as_ref(), &log);
    let task =
        tokio::task::spawn_blocking(move || load_on_big_stack(&request, host.as_ref(), &log, cancelled));
    match task.await {
        Ok(load) => load,
        Err(error) => Load {
            errors: vec![Diagnostic::error(format!("internal error: {error}"))],
            ..Load::default()
        },
    }
}

/// Returns whether an image is to be built, or a service runs on the engine.
fn needs_docker(load: &Load) -> bool {
    let has_images = |manifest: &Manifest| manifest.images.iter().any(|image| !image.is_live_update_only());
    let mut manifests = load.manifests.iter().flatten();
    manifests.any(|manifest| manifest.deploy.compose().is_some() || has_images(manifest))
}

async fn connect(docker: &OnceCell<Arc<Docker>>) -> Result<(), Diagnostic> {
    let environment = Environment::inherited();
    match docker
        .get_or_try_init(|| async { Docker::connect(environment).await.map(Arc::new) })
        .await
    {
        Ok(_) => Ok(()),
        Err(error) => {
            Err(Diagnostic::error(format!("Failed to connect to Docker: {}", error.message)).hint(error.hint))
        }
    }
}
