//! An API server for tests: it answers as it is told, late or never, and remembers what it was asked.

use std::convert::Infallible;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use http::{Method, Request, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::connection::Cluster;
use crate::k8s::{KubeContext, Product};

/// What becomes of a request.
pub(in crate::edge) enum Reply {
    Json(Value),
    /// A log, which then ends.
    Text(&'static str),
    /// What a watch reports before it ends.
    Watch(Vec<Value>),
    Fails(u16, &'static str),
    /// A refusal, as a Status with all that belongs to it.
    Refuses(u16, Value),
    Never,
    /// Something to say once this is cancelled.
    After(CancellationToken, Value),
}

impl Reply {
    pub(in crate::edge) fn after(token: &CancellationToken, value: Value) -> Self {
        Self::After(token.clone(), value)
    }

    /// Returns a refusal for what one field holds, such as `("FieldValueForbidden", "spec", "no")`.
    pub(in crate::edge) fn invalid(message: &str, (reason, field, why): (&str, &str, &str)) -> Self {
        let causes = json!([{"reason": reason, "field": field, "message": why}]);
        Self::Refuses(
            422,
            json!({"message": message, "reason": "Invalid", "details": {"causes": causes}}),
        )
    }
}

/// A server on a port of its own; it is gone when it is dropped.
pub(in crate::edge) struct FakeApi {
    url: String,
    asked: AllAsked,
    _server: AbortOnDropHandle<()>,
}

impl FakeApi {
    /// Starts a server that answers a path with its query.
    pub(in crate::edge) async fn start(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        Self::start_for_methods(move |_, path| answer(path)).await
    }

    /// As `start`, but the answer also depends on the method.
    pub(in crate::edge) async fn start_for_methods(
        answer: impl Fn(&Method, &str) -> Reply + Send + Sync + 'static,
    ) -> Self {
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

    pub(in crate::edge) fn cluster(&self) -> Cluster {
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
    pub(in crate::edge) fn asked(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        asked.iter().map(|asked| asked.path.clone()).collect()
    }

    /// Returns what it was asked to change: methods, with the last word of the path.
    pub(in crate::edge) fn wrote(&self) -> Vec<String> {
        let asked = self.asked.lock().unwrap();
        let is_write = |asked: &&Asked| asked.method != Method::GET && !asked.path.contains("dryRun=");
        let writes = asked.iter().filter(is_write);
        let last = |path: &str| {
            let path = path.split('?').next().unwrap_or_default();
            path.rsplit('/').next().unwrap_or_default().to_owned()
        };
        writes
            .map(|asked| format!("{} {}", asked.method, last(&asked.path)))
            .collect()
    }

    /// Returns what was sent with the deletions that it was asked for.
    pub(in crate::edge) fn deletions(&self) -> Vec<Value> {
        let asked = self.asked.lock().unwrap();
        let deletions = asked.iter().filter(|asked| asked.method == Method::DELETE);
        deletions
            .map(|asked| serde_json::from_slice(&asked.body).unwrap_or_default())
            .collect()
    }
}

type Answer = Arc<dyn Fn(&Method, &str) -> Reply + Send + Sync>;
type AllAsked = Arc<Mutex<Vec<Asked>>>;

/// One request.
struct Asked {
    method: Method,
    path: String,
    body: Bytes,
}

async fn serve(listener: TcpListener, answer: Answer, asked: AllAsked) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
        let service = service_fn(move |request: Request<Incoming>| {
            let (answer, asked) = (Arc::clone(&answer), Arc::clone(&asked));
            async move {
                let (path, method) = (request.uri().to_string(), request.method().clone());
                let body = request.into_body().collect().await.unwrap_or_default().to_bytes();
                let reply = answer(&method, &path);
                asked.lock().unwrap().push(Asked { method, path, body });
                Ok::<_, Infallible>(respond(reply).await)
            }
        });
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn respond(reply: Reply) -> Response<Full<Bytes>> {
    let (code, body) = match reply {
        Reply::Json(value) => (200, value.to_string()),
        Reply::Text(text) => (200, text.to_owned()),
        Reply::Watch(events) => (200, events.iter().map(|event| format!("{event}\n")).collect()),
        Reply::Fails(code, message) => {
            let reason = if code == 404 { "NotFound" } else { "" };
            let status = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "message": message,
                "reason": reason, "code": code});
            (code, status.to_string())
        }
        Reply::Refuses(code, mut status) => {
            for (field, value) in [("kind", "Status"), ("apiVersion", "v1"), ("status", "Failure")] {
                status[field] = value.into();
            }
            status["code"] = code.into();
            (code, status.to_string())
        }
        Reply::Never => std::future::pending().await,
        Reply::After(token, value) => {
            token.cancelled().await;
            (200, value.to_string())
        }
    };
    Response::builder()
        .status(code)
        .header("content-type", "application/json")
        .body(Full::from(body))
        .unwrap()
}
