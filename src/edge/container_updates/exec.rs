//! One command in a container, over the API server.

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Status;
use kube::api::AttachParams;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::edge::kube::{Cluster, error_message};
use crate::edge::process::pump_to_log;
use crate::logs::LogWriter;
use crate::model::{ContainerAddress, SyncFailure};

/// How long opening a stream may take.
const OPENING: Duration = Duration::from_secs(10);
/// How much may wait in a pipe.
const PIPE: usize = 256 * 1024;

/// A container in which commands are run.
pub(super) struct Target {
    pub(super) cluster: Cluster,
    pub(super) container: ContainerAddress,
}

/// How a command ended.
#[derive(Debug)]
pub(super) struct Ended {
    pub(super) exit_code: i32,
    /// What is said about it, where it did not run.
    pub(super) message: String,
}

impl Target {
    /// Runs a command and writes what it prints to the log as it comes.
    pub(super) async fn run(&self, argv: &[String], log: &LogWriter) -> Result<Ended, SyncFailure> {
        let mut process = self.open(argv, false).await?;
        let status = process.take_status();
        let out = process.stdout().map(|out| pump_to_log(out, log.clone()));
        let err = process.stderr().map(|err| pump_to_log(err, log.clone()));
        let pump = async {
            tokio::join!(
                async {
                    if let Some(out) = out {
                        out.await
                    }
                },
                async {
                    if let Some(err) = err {
                        err.await
                    }
                }
            )
        };
        let status = async {
            match status {
                Some(status) => status.await,
                None => None,
            }
        };
        let (_, status) = tokio::join!(pump, status);
        ended(status)
    }

    /// Runs a command with this as its input; returns what it printed.
    pub(super) async fn feed(&self, argv: &[String], input: Vec<u8>) -> Result<(Ended, String), SyncFailure> {
        let mut process = self.open(argv, true).await?;
        let status = process.take_status();
        let stdin = process.stdin();
        let (out, err) = (process.stdout(), process.stderr());
        let write = async move {
            if let Some(mut stdin) = stdin {
                // One that has ended reads no more; its status says why.
                let _ = stdin.write_all(&input).await;
                let _ = stdin.shutdown().await;
            }
        };
        let read = async move {
            let mut text = Vec::new();
            if let Some(mut err) = err {
                let _ = err.read_to_end(&mut text).await;
            }
            text
        };
        let drain = async move {
            let mut text = Vec::new();
            if let Some(mut out) = out {
                let _ = out.read_to_end(&mut text).await;
            }
            text
        };
        let status = async {
            match status {
                Some(status) => status.await,
                None => None,
            }
        };
        let writing = tokio::spawn(write);
        let (err, out, status) = tokio::join!(read, drain, status);
        writing.abort();
        let text = [err, out].concat();
        let text = String::from_utf8_lossy(&text).trim().to_owned();
        ended(status).map(|ended| (ended, text))
    }

    async fn open(&self, argv: &[String], stdin: bool) -> Result<kube::api::AttachedProcess, SyncFailure> {
        let pods: kube::Api<Pod> = kube::Api::namespaced(self.cluster.client(), &self.container.namespace);
        let params = AttachParams {
            container: Some(self.container.container.clone()),
            stdin,
            stdout: true,
            stderr: true,
            tty: false,
            max_stdin_buf_size: Some(PIPE),
            max_stdout_buf_size: Some(PIPE),
            max_stderr_buf_size: Some(PIPE),
        };
        let opened = timeout(OPENING, pods.exec(&self.container.pod, argv, &params)).await;
        match opened {
            Ok(Ok(process)) => Ok(process),
            Ok(Err(error)) => Err(SyncFailure::ConnectionLost(error_message(&error))),
            Err(_) => Err(SyncFailure::ConnectionLost(format!(
                "no answer within {} s",
                OPENING.as_secs()
            ))),
        }
    }
}

/// Returns how a command ended, as the kubelet tells it.
fn ended(status: Option<Status>) -> Result<Ended, SyncFailure> {
    let Some(status) = status else {
        return Err(SyncFailure::ConnectionLost(
            "the connection to the container was lost".to_owned(),
        ));
    };
    let message = status.message.unwrap_or_default();
    if status.status.as_deref() == Some("Success") {
        return Ok(Ended {
            exit_code: 0,
            message,
        });
    }
    let causes = status
        .details
        .and_then(|details| details.causes)
        .unwrap_or_default();
    let code = causes
        .iter()
        .find(|cause| cause.reason.as_deref() == Some("ExitCode"))
        .and_then(|cause| cause.message.as_deref()?.parse().ok());
    match code {
        Some(exit_code) => Ok(Ended { exit_code, message }),
        None if message.contains("executable file not found")
            || message.contains("no such file or directory") =>
        {
            Ok(Ended {
                exit_code: 127,
                message,
            })
        }
        None => Err(SyncFailure::ConnectionLost(message)),
    }
}
