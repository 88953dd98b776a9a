//! An API server for tests: it answers as it is told, late or never, and remembers what it was asked.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::task::AbortOnDropHandle;

use super::connect::Cluster;
use crate::k8s::{KubeContext, Product};

/// What becomes of a request.
pub(super) enum Reply {
    Json(Value),
    /// What a watch reports before it ends.
    Watch(Vec<Value>),
    Fails(u16, &'static str),
    Never,
}

/// A server on a port of its own; it is gone when it is dropped.
pub(super) struct FakeApi {
    url: String,
    asked: Arc<Mutex<Vec<String>>>,
    _server: AbortOnDropHandle<()>,
}

impl FakeApi {
    /// Starts a server that answers a path with its query.
    pub(super) async fn start(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Mutex::new(Vec::new()));
        let server = serve(listener, Arc::new(answer), Arc::clone(&asked));
        Self {
            url,
            asked,
            _server: AbortOnDropHandle::new(tokio::spawn(server)),
        }
    }

    pub(super) fn cluster(&self) -> Cluster {
        let config = kube::Config::new(self.url.parse().unwrap());
        let context = KubeContext {
            name: "kind-test".to_owned(),
            cluster: "kind-test".to_owned(),
            namespace: "ns".to_owned(),
            product: Product::Kind,
        };
        Cluster::for_test(kube::Client::try_from(config).unwrap(), context)
    }

    /// Returns the paths that were asked for, with their queries.
    pub(super) fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap().clone()
    }
}

type Answer = Arc<dyn Fn(&str) -> Reply + Send + Sync>;

async fn serve(listener: TcpListener, answer: Answer, asked: Arc<Mutex<Vec<String>>>) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
        let service = service_fn(move |request: Request<Incoming>| {
            let path = request.uri().to_string();
            asked.lock().unwrap().push(path.clone());
            let reply = answer(&path);
            async move { Ok::<_, Infallible>(respond(reply).await) }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn respond(reply: Reply) -> Response<Full<Bytes>> {
    let (code, body) = match reply {
        Reply::Json(value) => (200, value.to_string()),
        Reply::Watch(events) => (200, events.iter().map(|event| format!("{event}\n")).collect()),
        Reply::Fails(code, message) => {
            let reason = if code == 404 { "NotFound" } else { "" };
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message,
                "reason": reason, "code": code});
            (code, status.to_string())
        }
        Reply::Never => std::future::pending().await,
    };
    Response::builder()
        .status(code)
        .header("content-type", "application/json")
        .body(Full::from(body))
        .unwrap()
}
