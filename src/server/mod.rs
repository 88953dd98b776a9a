//! A session that can be talked to: the API on a TLS port of its own, and the endpoints of the web page.
//!
//! [`start`] opens both ports and keeps the objects of the API up to date with what the engine shows; what a client asks for
//! becomes an event of the engine. Nothing here decides anything about resources. `shared` is what all requests have in
//! common, `api` and `web` are the two sides, `registry` is how clients find a session.

mod api;
mod api_call;
pub mod client;
mod connections;
mod dump;
mod identity;
mod json_text;
mod log_pages;
mod page;
mod questions;
mod registry;
mod settle;
mod shared;
mod show;
mod tls;
mod view_stream;
pub mod viewer;
mod watch;
mod web;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use anyhow::Context;
use futures::future::BoxFuture;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::api::SessionFacts;
use crate::edge::session::Handle;
use crate::edge::{lasting, vital};
use crate::logs::{LogStore, LogWriter};

pub use identity::user_token;
pub use questions::AwaitRequest;
pub use registry::{Entry, entries, entry, forget_dead_sessions, server_name, tilt_dir};
use registry::{Newcomer, Registered};
use shared::Shared;

/// What a server is started with.
#[allow(missing_debug_implementations, reason = "a log has no short description")]
pub struct Options {
    /// The way to the session.
    pub handle: Handle,
    /// Its log.
    pub log: LogStore,
    /// What the API tells of it.
    pub facts: SessionFacts,
    /// The listener of the web page.
    pub web: std::net::TcpListener,
    /// The port that the session was asked for; 0 for any.
    pub asked_port: u16,
}

/// A server that runs. Dropping it leaves it running; [`Server::stop`] ends it.
#[derive(Debug)]
pub struct Server {
    stop: CancellationToken,
    tasks: TaskTracker,
    registered: Option<Registered>,
}

/// Starts serving.
///
/// # Errors
/// The port of the API cannot be opened, or its certificate not be made.
pub async fn start(options: Options) -> anyhow::Result<Server> {
    let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
    let (log, deaths) = (
        LogWriter::global(options.log.clone()),
        options.handle.deaths.clone(),
    );
    let shared = Arc::new(Shared::new(options.handle, options.log, options.facts)?);
    let listener = TcpListener::bind(SocketAddr::from((Ipv4Addr::LOCALHOST, 0)))
        .await
        .context("cannot open a port for the API")?;
    let address = listener
        .local_addr()
        .context("the port of the API has no address")?;
    let (acceptor, certificate) = tls::make().context("cannot make a certificate for the API")?;
    let serve = |name: &'static str, work: BoxFuture<'static, ()>| {
        let (stop, log, deaths) = (stop.clone(), log.clone(), deaths.clone());
        tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = vital(name, &log, &deaths, work) => {}
            }
        });
    };
    serve("what the API shows", show_without_end(&shared, &log));
    let listener = tls::Listener::new(listener, acceptor, log.clone());
    let routes = api::routes(Arc::clone(&shared));
    serve(
        "the server of the API",
        Box::pin(async move {
            connections::serve(listener, routes).await;
        }),
    );
    let web_port = options
        .web
        .local_addr()
        .map_or(options.asked_port, |address| address.port());
    options
        .web
        .set_nonblocking(true)
        .context("cannot listen for the web page")?;
    let web = TcpListener::from_std(options.web).context("cannot listen for the web page")?;
    let routes = web::routes(Arc::clone(&shared));
    serve(
        "the server of the web page",
        Box::pin(async move {
            connections::serve(web, routes).await;
        }),
    );
    let registered = match registry::register(Newcomer {
        asked_port: options.asked_port,
        web_port,
        api_port: address.port(),
        certificate: &certificate,
        token: shared.token(),
    }) {
        Ok(registered) => Some(registered),
        Err(error) => {
            shared.warn(&format!("commands will not find this session: {error:#}"));
            None
        }
    };
    Ok(Server {
        stop,
        tasks,
        registered,
    })
}

/// Keeps the objects of the API up to date until the session ends, which it does not outlive.
fn show_without_end(shared: &Arc<Shared>, log: &LogWriter) -> BoxFuture<'static, ()> {
    let (shared, log) = (Arc::clone(shared), log.clone());
    Box::pin(async move {
        let begin = || show::keep_up_to_date(Arc::clone(&shared));
        lasting("the keeper of what the API shows", &log, begin).await;
        std::future::pending().await
    })
}

impl Server {
    /// Stops serving; nobody finds the session any more.
    pub async fn stop(self) {
        drop(self.registered);
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}
