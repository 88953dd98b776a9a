//! The loop of a session: it owns the engine, hands events in and effects out, and nothing else decides anything.
//!
//! One task runs [`run`]. Everything that takes time runs in a task of its own ([`Edge`] starts it) and answers with
//! an event that carries the id of its effect.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

use super::about::Session;
use super::effects::Edge;
use crate::clock;
use crate::edge::kube::ClusterAccess;
use crate::edge::lasting_tasks::words;
use crate::engine::{CiFailure, Effect, Engine, EngineConfig, Event, ExitOutcome};
use crate::model::LocalPath;
use crate::view::View;

/// How many events may wait for the engine before those who report have to wait.
const EVENT_QUEUE: usize = 1024;

/// The way to a session that runs, for whoever shows it or passes on what a user asks for.
#[derive(Clone, Debug)]
pub struct Handle {
    /// Takes what a user asks for.
    pub events: mpsc::Sender<Event>,
    /// What there is to see, each time that it changed. A reader may miss states in between.
    pub view: watch::Receiver<Arc<View>>,
    /// Takes what is told of a task that died, without which the session cannot go on: that ends it.
    pub deaths: mpsc::Sender<String>,
}

/// The other end of a [`Handle`], for the loop.
#[derive(Debug)]
pub struct Way {
    sender: mpsc::Sender<Event>,
    events: mpsc::Receiver<Event>,
    view: watch::Sender<Arc<View>>,
    died: mpsc::Sender<String>,
    deaths: mpsc::Receiver<String>,
}

/// Returns the two ends of the way to a session that is about to run.
pub fn way() -> (Handle, Way) {
    let (sender, events) = mpsc::channel(EVENT_QUEUE);
    let (publisher, view) = watch::channel(Arc::default());
    let (died, deaths) = mpsc::channel(1);
    let handle = Handle {
        events: sender.clone(),
        view,
        deaths: died.clone(),
    };
    let way = Way {
        sender,
        events,
        view: publisher,
        died,
        deaths,
    };
    (handle, way)
}

/// Runs a session until the engine ends it; returns how, and what was seen last. `stop` asks it to.
pub async fn run(session: Session, way: Way, stop: CancellationToken) -> (ExitOutcome, Arc<View>) {
    let Way {
        sender,
        mut events,
        view,
        died,
        mut deaths,
    } = way;
    let started = clock::timestamp();
    let mut engine = Engine::new(EngineConfig {
        mode: session.mode,
        started,
        started_at: clock::now(),
        tiltfile: session.request.file.clone(),
        args: session.request.args.clone(),
        cwd: session.cwd.clone(),
        forwards_ports: session.forwards_ports,
        updates_containers: session.updates_containers,
        default_namespace: session.request.kube.namespace.clone(),
        has_cluster: session.access.is_ok(),
        kubeconfig: session
            .access
            .iter()
            .flat_map(ClusterAccess::files)
            .map(LocalPath::new)
            .collect(),
    });
    let mut edge = Edge::new(session, sender, died, started);
    let mut batch = vec![Event::Started];
    let mut stopping = false;
    loop {
        for event in batch.drain(..) {
            tracing::trace!(?event, "event");
            let handled = catch_unwind(AssertUnwindSafe(|| engine.handle(clock::now(), event)));
            let effects = match handled {
                Ok(effects) => effects,
                Err(panic) => {
                    let why = words(panic.as_ref());
                    return fail(
                        edge,
                        format!("internal error: the engine died: {why}"),
                        engine.publish(),
                    )
                    .await;
                }
            };
            for effect in effects {
                tracing::trace!(?effect, "effect");
                if let Effect::Exit(outcome) = effect {
                    // Nobody reads events any more: whoever still reports must not wait for room in the queue.
                    drop(events);
                    edge.stop(stopping).await;
                    return (outcome, engine.publish());
                }
                edge.perform(effect);
            }
        }
        publish(&mut engine, &view);
        let wake = engine.next_wake().map(tokio::time::Instant::from_std);
        tokio::select! {
            biased;
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                batch.push(Event::StopRequested);
            }
            Some(death) = deaths.recv() => {
                drop(events);
                return fail(edge, death, engine.publish()).await;
            }
            Some(event) = events.recv() => {
                batch.push(event);
                while let Ok(event) = events.try_recv() {
                    batch.push(event);
                }
            }
            () = sleep_until(wake) => batch.push(Event::Wake),
        }
    }
}

/// Shows readers what changed, if anything did.
fn publish(engine: &mut Engine, view: &watch::Sender<Arc<View>>) {
    let new = engine.publish();
    view.send_if_modified(|shown| {
        let is_new = !Arc::ptr_eq(shown, &new);
        *shown = new;
        is_new
    });
}

/// Ends a session that cannot go on.
async fn fail(edge: Edge, message: String, view: Arc<View>) -> (ExitOutcome, Arc<View>) {
    edge.stop(false).await;
    let failure = CiFailure {
        message,
        resources: Vec::new(),
    };
    (ExitOutcome::Failed(failure), view)
}

async fn sleep_until(wake: Option<tokio::time::Instant>) {
    match wake {
        Some(at) => tokio::time::sleep_until(at).await,
        None => std::future::pending().await,
    }
}
