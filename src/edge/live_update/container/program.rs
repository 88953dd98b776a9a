//! Ways to start a program in a container and to talk with it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{AttachParams, AttachedProcess};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;

use super::failure::{of_end, of_opening};
use crate::edge::kube::{Cluster, error_message};
use crate::model::{ContainerAddress, SyncFailure};

/// How long starting something in a container may take.
const OPENING: Duration = Duration::from_secs(10);
/// Bytes that wait on their way, in either direction.
const BUFFER: usize = 256 * 1024;

/// A way into a container.
pub(super) trait Way: Send + Sync {
    /// Starts a program.
    fn open(&self, argv: Vec<String>) -> BoxFuture<'_, Result<Streams, SyncFailure>>;

    /// Returns directories where files may be staged, if they are on the same file system, the best first.
    fn first_places(&self) -> Vec<PathBuf> {
        ["/", "/tmp", "/var/tmp"].map(PathBuf::from).to_vec()
    }
}

/// A program that runs in a container. It is cut off when this is dropped.
pub(super) struct Streams {
    /// Its input.
    pub(super) to: Box<dyn AsyncWrite + Send + Unpin>,
    /// Its output.
    pub(super) from: Box<dyn AsyncRead + Send + Unpin>,
    /// Says why it ended, once it has.
    pub(super) ended: BoxFuture<'static, SyncFailure>,
    /// What must live as long.
    pub(super) _process: Option<AttachedProcess>,
}

/// The way over the API server.
pub(super) struct PodExec {
    pub(super) cluster: Cluster,
    pub(super) address: ContainerAddress,
}

impl Way for PodExec {
    fn open(&self, argv: Vec<String>) -> BoxFuture<'_, Result<Streams, SyncFailure>> {
        async move {
            let pods: kube::Api<Pod> = kube::Api::namespaced(self.cluster.client(), &self.address.namespace);
            let params = AttachParams::default()
                .container(&self.address.container)
                .stdin(true)
                .stdout(true)
                .stderr(false)
                .max_stdin_buf_size(BUFFER)
                .max_stdout_buf_size(BUFFER);
            match timeout(OPENING, pods.exec(&self.address.pod, argv, &params)).await {
                Ok(Ok(process)) => streams(process),
                Ok(Err(error)) => Err(self.refused(&error).await),
                Err(_) => Err(SyncFailure::ConnectionLost(format!(
                    "no answer within {} s",
                    OPENING.as_secs()
                ))),
            }
        }
        .boxed()
    }
}

impl PodExec {
    async fn refused(&self, error: &kube::Error) -> SyncFailure {
        let message = error_message(error);
        match error {
            kube::Error::Api(status) if status.code == 401 => {
                self.cluster.login_refused().await;
                SyncFailure::ConnectionLost(message)
            }
            kube::Error::Api(status) => of_opening(status.code, &message),
            _ => SyncFailure::ConnectionLost(message),
        }
    }
}

fn streams(mut process: AttachedProcess) -> Result<Streams, SyncFailure> {
    let lost = || SyncFailure::ConnectionLost("the API server opened no stream".to_owned());
    let to = process.stdin().ok_or_else(lost)?;
    let from = process.stdout().ok_or_else(lost)?;
    let status = process.take_status().ok_or_else(lost)?;
    let ended = async move {
        match status.await {
            Some(status) => of_end(&status.message.unwrap_or_default()),
            None => SyncFailure::ConnectionLost("the connection to the container was lost".to_owned()),
        }
    };
    Ok(Streams {
        to: Box::new(to),
        from: Box::new(from),
        ended: ended.boxed(),
        _process: Some(process),
    })
}

/// Any way, shared.
pub(super) type AnyWay = Arc<dyn Way>;
