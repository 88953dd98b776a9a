//! Whether the cluster that answers is still the one that the session was started with.
//!
//! The address of a cluster says little: it may have been created anew, or another network may be in use. So every
//! operation that writes asks once for the UID of the namespace `kube-system`, right before its first write.

use tokio::sync::OnceCell;

use super::cluster::{Cluster, identity};
use super::error::RequestError;
use crate::edge::failure::Failure;
use crate::engine::Transient;

/// The right to write to a cluster, for one operation. Costs nothing until something is written.
pub(in crate::edge::kube) struct WritePermit {
    cluster: Cluster,
    granted: OnceCell<()>,
}

impl Cluster {
    /// Returns a permit for an operation that begins now.
    pub(in crate::edge::kube) fn permit(&self) -> WritePermit {
        WritePermit {
            cluster: self.clone(),
            granted: OnceCell::new(),
        }
    }

    /// Checks that it is the cluster that was connected to: before a command is run that may write to it.
    ///
    /// # Errors
    /// When another one answers, or none.
    pub(in crate::edge) async fn confirm(&self) -> Result<(), Failure> {
        self.permit().check().await.map_err(|error| Failure {
            text: error.message(),
            transient: Transient::if_unreachable(error.is_unreachable()),
        })
    }
}

impl WritePermit {
    /// Returns the cluster, for reading.
    pub(in crate::edge::kube) fn cluster(&self) -> &Cluster {
        &self.cluster
    }

    /// Returns once writing is allowed.
    ///
    /// # Errors
    /// When another cluster answers, or none. Whoever could not read the namespace at the start is not held up.
    pub(in crate::edge::kube) async fn check(&self) -> Result<(), RequestError> {
        let Some(expected) = &self.cluster.info().identity else {
            return Ok(());
        };
        let ask = || async {
            if identity(&self.cluster).await?.as_ref() == Some(expected) {
                Ok(())
            } else {
                Err(RequestError::OtherCluster {
                    context: self.cluster.context().name.clone(),
                })
            }
        };
        self.granted.get_or_try_init(ask).await.map(drop)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hyper::body::Incoming;
    use hyper::{Method, Request, Response, StatusCode};
    use hyper_util::rt::TokioIo;
    use serde_json::json;
    use std::convert::Infallible;
    use std::sync::{Arc, Mutex};
    use tokio_util::sync::CancellationToken;

    use super::*;
    use crate::edge::kube::{ApplyRequest, apply, delete, read_context};
    use crate::engine::ObjectId;
    use crate::k8s::labels::Ownership;
    use crate::k8s::{Entity, Origin};
    use crate::logs::{LogStore, LogWriter};
    use crate::model::ManifestName;

    /// A cluster that says who it is if it has a UID, has no objects, and notes what is written.
    #[derive(Default)]
    struct FakeCluster {
        uid: String,
        writes: Vec<Method>,
    }

    impl FakeCluster {
        fn answer(&mut self, request: &Request<Incoming>) -> Response<String> {
            let is_write = request.method() != Method::GET;
            let (code, body) = if is_write {
                self.writes.push(request.method().clone());
                let metadata = json!({"name": "x", "uid": "u"});
                (
                    StatusCode::OK,
                    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata}),
                )
            } else if request.uri().path() == "/api/v1/namespaces/kube-system" && !self.uid.is_empty() {
                (StatusCode::OK, json!({"metadata": {"uid": self.uid}}))
            } else {
                let status = json!({"kind": "Status", "status": "Failure", "code": 404, "reason": "NotFound",
                    "message": "not found"});
                (StatusCode::NOT_FOUND, status)
            };
            let mut response = Response::new(body.to_string());
            *response.status_mut() = code;
            response
        }
    }

    /// Starts a cluster and connects to it.
    async fn connected(uid: &str) -> (Arc<Mutex<FakeCluster>>, Cluster) {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let fake = Arc::new(Mutex::new(FakeCluster {
            uid: uid.to_owned(),
            ..FakeCluster::default()
        }));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let served = Arc::clone(&fake);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let fake = Arc::clone(&served);
                let service = hyper::service::service_fn(move |request| {
                    let response = fake.lock().unwrap().answer(&request);
                    async move { Ok::<_, Infallible>(response) }
                });
                let connection = hyper::server::conn::http1::Builder::new();
                tokio::spawn(connection.serve_connection(TokioIo::new(stream), service));
            }
        });
        let file = tempfile::NamedTempFile::new().unwrap();
        let config = format!(
            "{{clusters: [{{name: c, cluster: {{server: 'http://{address}'}}}}], \
             contexts: [{{name: dev, context: {{cluster: c}}}}], current-context: dev}}"
        );
        std::fs::write(file.path(), config).unwrap();
        let env = |key: &str| (key == "KUBECONFIG").then(|| file.path().display().to_string());
        let access = read_context(None, None, &env).1.unwrap();
        (fake, Cluster::connect(access).await.unwrap())
    }

    /// Applies two objects; returns why that failed.
    async fn apply_two(cluster: &Cluster) -> Option<String> {
        let object = |name| {
            let value = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
            Entity::new(value, Origin::default())
        };
        let request = ApplyRequest {
            manifest: &ManifestName::from("web"),
            entities: vec![object("one"), object("two")],
            images: &[],
            locators: &[],
            ownership: &Ownership::default(),
            timeout: Duration::from_secs(30),
        };
        let log = LogWriter::global(LogStore::in_memory());
        apply(cluster, request, &log, &CancellationToken::new())
            .await
            .error
    }

    #[tokio::test]
    async fn nothing_is_written_to_a_cluster_that_took_the_place_of_ours() {
        let (fake, cluster) = connected("ours").await;
        assert_eq!(apply_two(&cluster).await, None);
        assert_eq!(fake.lock().unwrap().writes.len(), 2);

        *fake.lock().unwrap() = FakeCluster {
            uid: "another".to_owned(),
            ..FakeCluster::default()
        };
        insta::assert_snapshot!(apply_two(&cluster).await.unwrap(), @r#"
        another cluster answers in context "dev" than when this session began: nothing was written to it
        hint: to deploy to this one, start tilt again; if it is not the one you mean, bring back the other (your VPN, your kubeconfig), then save a file
        "#);
        let object = ObjectId {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            namespace: None,
            name: "one".to_owned(),
        };
        let log = LogWriter::global(LogStore::in_memory());
        let deleted = delete(&cluster, &[object.clone(), object], &Ownership::default(), &log).await;
        assert_eq!(deleted.unwrap_err(), apply_two(&cluster).await.unwrap());
        assert!(cluster.confirm().await.is_err());
        assert!(fake.lock().unwrap().writes.is_empty());

        fake.lock().unwrap().uid = "ours".to_owned();
        assert_eq!(apply_two(&cluster).await, None, "ours is back");
    }

    #[tokio::test]
    async fn a_user_who_may_not_see_the_namespace_can_write() {
        let (fake, cluster) = connected("").await;
        assert_eq!(apply_two(&cluster).await, None);
        assert_eq!(fake.lock().unwrap().writes.len(), 2);
    }
}
