//! A Docker engine for tests, on a socket of its own: it answers as it is told, late, or not at all.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures::{StreamExt, stream};
use http_body_util::{BodyExt, StreamBody, combinators::UnsyncBoxBody};
use hyper::body::{Bytes, Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::UnixListener;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::client::{ApiVersion, Docker};
use super::endpoint::Endpoint;
use super::http::Http;
use super::patience::Patience;
use super::sent_times::SentTimes;
use crate::edge::process::Environment;

/// What becomes of a request.
pub(in crate::edge) enum Answer {
    /// A status and a text.
    Says(u16, String),
    /// The same, once it was asked so often whether it is there.
    Late(u32, u16, String),
    /// A text, and then nothing any more.
    Begins(String),
    Never,
}

/// An engine; it is gone when it is dropped.
pub(in crate::edge) struct FakeEngine {
    dir: tempfile::TempDir,
    asked: Arc<Mutex<Vec<String>>>,
    _serving: AbortOnDropHandle<()>,
}

impl FakeEngine {
    /// Starts one that takes connections and says nothing, as one that was halted.
    pub(in crate::edge) fn halted() -> Self {
        Self::start(|_| Answer::Never)
    }

    /// Starts one that answers `METHOD /path?query`.
    pub(in crate::edge) fn start(answer: impl Fn(&str) -> Answer + Send + Sync + 'static) -> Self {
        let dir = tempfile::tempdir().expect("a scratch folder");
        let listener = UnixListener::bind(dir.path().join("d.sock")).expect("a socket");
        let asked = Arc::default();
        let serving = serve(listener, Arc::new(answer), Arc::clone(&asked));
        Self {
            dir,
            asked,
            _serving: AbortOnDropHandle::new(tokio::spawn(serving)),
        }
    }

    /// Returns a client that is not patient, and builds without BuildKit.
    pub(in crate::edge) fn docker(&self) -> Docker {
        let endpoint = Endpoint::Unix(self.dir.path().join("d.sock"));
        Docker {
            host: endpoint.to_string(),
            http: Http {
                endpoint,
                version_prefix: String::new(),
                patience: Patience {
                    pause: Duration::from_millis(10),
                    silence: Duration::from_secs(1),
                    question: Duration::from_secs(60),
                },
            },
            env: Arc::new(Environment::default()),
            uses_buildkit: false,
            sent_times: SentTimes::new(None),
            records: None,
            api: ApiVersion(1, 41),
            is_minikubes: false,
            fixed_refs: Arc::default(),
        }
    }

    /// Returns what it was asked for, but for whether it is there.
    pub(in crate::edge) fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().expect("no panic while held");
        asked.iter().filter(|asked| !is_ping(asked)).cloned().collect()
    }
}

fn is_ping(asked: &str) -> bool {
    asked.ends_with("/_ping")
}

type Said = Response<UnsyncBoxBody<Bytes, Infallible>>;

async fn serve(
    listener: UnixListener,
    answer: Arc<dyn Fn(&str) -> Answer + Send + Sync>,
    asked: Arc<Mutex<Vec<String>>>,
) {
    let pings = watch::Sender::new(0);
    while let Ok((stream, _)) = listener.accept().await {
        let (answer, asked, pings) = (Arc::clone(&answer), Arc::clone(&asked), pings.clone());
        let service = service_fn(move |request: Request<Incoming>| {
            let wanted = format!("{} {}", request.method(), request.uri());
            asked.lock().expect("no panic while held").push(wanted.clone());
            if is_ping(&wanted) {
                pings.send_modify(|pings| *pings += 1);
            }
            let (answer, mut pings) = (answer(&wanted), pings.subscribe());
            async move {
                // What is sent is read, as an engine does.
                let _ = request.into_body().collect().await;
                Ok::<_, Infallible>(match answer {
                    Answer::Says(status, text) => said(status, text, false),
                    Answer::Late(after, status, text) => {
                        let _ = pings.wait_for(|pings| *pings >= after).await;
                        said(status, text, false)
                    }
                    Answer::Begins(text) => said(200, text, true),
                    Answer::Never => std::future::pending().await,
                })
            }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
        );
    }
}

fn said(status: u16, text: String, goes_on: bool) -> Said {
    let text = stream::once(async { Ok(Frame::data(Bytes::from(text))) });
    let rest = match goes_on {
        true => stream::pending().boxed(),
        false => stream::empty().boxed(),
    };
    let body = StreamBody::new(text.chain(rest).boxed());
    let mut response = Response::new(body.boxed_unsync());
    *response.status_mut() = hyper::StatusCode::from_u16(status).expect("a status");
    response
}
