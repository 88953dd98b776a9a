//! Ways to start a program in a container and to talk with it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Resource;
use kube::api::AttachParams;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::failure::{of_end, of_opening};
use super::socket::Socket;
use crate::edge::kube::{Cluster, error_message};
use crate::model::{ContainerAddress, SyncFailure};

/// How long starting something in a container may take.
const OPENING: Duration = Duration::from_secs(10);

/// A way into a container.
pub(super) trait Way: Send + Sync {
    /// Starts a program.
    fn open(&self, argv: Vec<String>) -> BoxFuture<'_, Result<Streams, SyncFailure>>;

    /// Starts a program that runs to its end; its output and its error output are heard.
    fn start(&self, argv: Vec<String>) -> BoxFuture<'_, Result<Program, SyncFailure>>;

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
    pub(super) _task: Option<AbortOnDropHandle<()>>,
}

/// A program that runs in a container by itself.
pub(super) struct Program {
    /// Its input; it ends when this is dropped.
    pub(super) to: Box<dyn AsyncWrite + Send + Unpin>,
    /// Its output.
    pub(super) out: Box<dyn AsyncRead + Send + Unpin>,
    /// Its error output.
    pub(super) err: Box<dyn AsyncRead + Send + Unpin>,
    /// Returns its exit code, once it has ended.
    pub(super) ended: BoxFuture<'static, Result<i32, SyncFailure>>,
    /// What must live as long.
    pub(super) _task: Option<AbortOnDropHandle<()>>,
}

/// The way over the API server.
pub(super) struct PodExec {
    pub(super) cluster: Cluster,
    pub(super) address: ContainerAddress,
}

impl Way for PodExec {
    fn open(&self, argv: Vec<String>) -> BoxFuture<'_, Result<Streams, SyncFailure>> {
        async move { Ok(streams(self.exec(argv, false).await?)) }.boxed()
    }

    fn start(&self, argv: Vec<String>) -> BoxFuture<'_, Result<Program, SyncFailure>> {
        async move {
            let name = argv.first().cloned().unwrap_or_default();
            Ok(program(self.exec(argv, true).await?, name))
        }
        .boxed()
    }
}

impl PodExec {
    async fn exec(&self, argv: Vec<String>, stderr: bool) -> Result<Socket, SyncFailure> {
        let pods = Pod::url_path(&(), Some(&self.address.namespace));
        let params = AttachParams::default()
            .container(&self.address.container)
            .stdin(true)
            .stdout(true)
            .stderr(stderr);
        let request = kube::core::Request::new(pods).exec(&self.address.pod, argv, &params);
        let request = request.map_err(|error| SyncFailure::Other(error.to_string()))?;
        match timeout(OPENING, self.cluster.client().connect(request)).await {
            Ok(Ok(connection)) => Ok(Socket::new(connection)),
            Ok(Err(error)) => Err(self.refused(&error).await),
            Err(_) => Err(SyncFailure::ConnectionLost(format!(
                "no answer within {} s",
                OPENING.as_secs()
            ))),
        }
    }

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

fn streams(socket: Socket) -> Streams {
    let status = socket.status;
    let ended = async move {
        match status.await {
            Ok(status) => of_end(&status.message.unwrap_or_default()),
            Err(_) => lost(),
        }
    };
    Streams {
        to: Box::new(socket.input),
        from: Box::new(socket.output),
        ended: ended.boxed(),
        _task: Some(socket.task),
    }
}

fn program(socket: Socket, name: String) -> Program {
    let status = socket.status;
    let ended = async move { exit_code(&status.await.map_err(|_| lost())?, &name) };
    Program {
        to: Box::new(socket.input),
        out: Box::new(socket.output),
        err: Box::new(socket.errors),
        ended: ended.boxed(),
        _task: Some(socket.task),
    }
}

fn lost() -> SyncFailure {
    SyncFailure::ConnectionLost("the connection to the container was lost".to_owned())
}

/// Reads how a program ended.
fn exit_code(status: &Status, name: &str) -> Result<i32, SyncFailure> {
    if status.status.as_deref() == Some("Success") {
        return Ok(0);
    }
    let causes = status
        .details
        .iter()
        .flat_map(|details| details.causes.iter().flatten());
    let code = causes
        .filter(|cause| cause.reason.as_deref() == Some("ExitCode"))
        .find_map(|cause| cause.message.as_deref()?.parse().ok());
    if let Some(code) = code.filter(|_| status.reason.as_deref() == Some("NonZeroExitCode")) {
        return Ok(code);
    }
    match of_end(status.message.as_deref().unwrap_or_default()) {
        SyncFailure::MissingProgram { .. } => Err(SyncFailure::MissingProgram {
            program: name.to_owned(),
        }),
        failure => Err(failure),
    }
}

/// Any way, shared.
pub(super) type AnyWay = Arc<dyn Way>;
