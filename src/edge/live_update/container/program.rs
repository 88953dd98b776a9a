//! Ways to start a program in a container and to talk with it.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures::FutureExt;
use futures::future::BoxFuture;
use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::Resource;
use kube::api::AttachParams;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_util::task::AbortOnDropHandle;

use super::failure::{of_end, of_opening};
use super::socket::Socket;
use crate::edge::docker::{ApiError, Docker, Exec};
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
        let pods = Pod::url_path(&(), self.address.namespace.as_deref());
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

/// The way over the Docker engine.
pub(super) struct DockerExec {
    pub(super) docker: Arc<Docker>,
    pub(super) container: String,
}

impl Way for DockerExec {
    fn open(&self, argv: Vec<String>) -> BoxFuture<'_, Result<Streams, SyncFailure>> {
        async move {
            let program = self.start_with(argv, false).await?;
            let (ended, docker) = (program.ended, Arc::clone(&self.docker));
            let ended = async move {
                match ended.said(&docker).await {
                    // Nothing was started: the engine has said why.
                    (Some(126 | 127), said) => of_end(&said),
                    (Some(code), _) => of_end(&format!("it ended with exit code {code}")),
                    (None, _) => lost(),
                }
            };
            Ok(Streams {
                to: program.to,
                from: program.out,
                ended: ended.boxed(),
                _task: Some(program.task),
            })
        }
        .boxed()
    }

    fn start(&self, argv: Vec<String>) -> BoxFuture<'_, Result<Program, SyncFailure>> {
        async move {
            let name = argv.first().cloned().unwrap_or_default();
            let program = self.start_with(argv, true).await?;
            let (ended, docker) = (program.ended, Arc::clone(&self.docker));
            let ended = async move {
                match ended.said(&docker).await {
                    (Some(126 | 127), said) => match of_end(&said) {
                        SyncFailure::MissingProgram { .. } => {
                            Err(SyncFailure::MissingProgram { program: name })
                        }
                        failure => Err(failure),
                    },
                    (Some(code), _) => Ok(code),
                    (None, _) => Err(lost()),
                }
            };
            Ok(Program {
                to: program.to,
                out: program.out,
                err: program.err,
                ended: ended.boxed(),
                _task: Some(program.task),
            })
        }
        .boxed()
    }
}

/// A program that the Docker engine runs.
struct Started {
    to: Box<dyn AsyncWrite + Send + Unpin>,
    out: Box<dyn AsyncRead + Send + Unpin>,
    err: Box<dyn AsyncRead + Send + Unpin>,
    ended: EndOfExec,
    task: AbortOnDropHandle<()>,
}

/// Tells how a program ended.
struct EndOfExec {
    id: String,
    /// The first that it printed, once it prints no more.
    said: oneshot::Receiver<Vec<u8>>,
}

impl EndOfExec {
    /// Returns its exit code, if that is known, and what it printed first.
    async fn said(self, docker: &Docker) -> (Option<i32>, String) {
        let said = self.said.await.unwrap_or_default();
        let code = docker.exec_exit(&self.id).await.ok().flatten();
        (code, String::from_utf8_lossy(&said).into_owned())
    }
}

impl DockerExec {
    async fn start_with(&self, argv: Vec<String>, stderr: bool) -> Result<Started, SyncFailure> {
        match timeout(OPENING, self.docker.exec(&self.container, &argv, stderr)).await {
            Ok(Ok(exec)) => Ok(started(exec)),
            Ok(Err(ApiError::Refused { status, message })) => Err(of_opening(status, &message)),
            Ok(Err(error)) => Err(SyncFailure::ConnectionLost(error.to_string())),
            Err(_) => Err(SyncFailure::ConnectionLost(format!(
                "no answer within {} s",
                OPENING.as_secs()
            ))),
        }
    }
}

fn started(exec: Exec) -> Started {
    let (from, mut input) = tokio::io::split(TokioIo::new(exec.upgraded));
    let (to, mut typed) = tokio::io::duplex(BUFFER);
    let (out, to_out) = tokio::io::duplex(BUFFER);
    let (err, to_err) = tokio::io::duplex(BUFFER);
    let (has_ended, said) = oneshot::channel();
    let connection = exec.connection;
    let task = AbortOnDropHandle::new(tokio::spawn(async move {
        let _connection = connection;
        let feeding = async {
            // A program need not read its input; whatever ends that, it ends here too.
            let _ = tokio::io::copy(&mut typed, &mut input).await;
            let _ = input.shutdown().await;
            std::future::pending::<()>().await;
        };
        let mut first = Vec::new();
        tokio::select! {
            () = feeding => {}
            // Output that cannot be read any more has ended.
            _ = take_frames(from, to_out, to_err, &mut first) => {}
        }
        let _ = has_ended.send(first);
    }));
    Started {
        to: Box::new(to),
        out: Box::new(out),
        err: Box::new(err),
        ended: EndOfExec { id: exec.id, said },
        task,
    }
}

/// Takes the frames off that the engine puts around what a program prints: 8 bytes, of which the first says whether it is
/// error output, and the last 4 how long one is. `first` gets the first of them.
async fn take_frames(
    mut from: impl AsyncRead + Unpin,
    mut out: impl AsyncWrite + Unpin,
    mut err: impl AsyncWrite + Unpin,
    first: &mut Vec<u8>,
) -> std::io::Result<()> {
    loop {
        let mut header = [0; 8];
        from.read_exact(&mut header).await?;
        let length = u32::from_be_bytes([header[4], header[5], header[6], header[7]]);
        let mut frame = vec![0; length as usize];
        from.read_exact(&mut frame).await?;
        match header[0] {
            2 => err.write_all(&frame).await?,
            _ => out.write_all(&frame).await?,
        }
        if first.is_empty() {
            *first = frame;
        }
    }
}

/// Any way, shared.
pub(super) type AnyWay = Arc<dyn Way>;
