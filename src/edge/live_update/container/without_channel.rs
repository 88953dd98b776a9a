//! The way into containers whose images lack what a channel needs: a program is started for each thing, and none is needed
//! but `tar`, and `rm` where something is deleted.
//!
//! Files are unpacked in their places, so a reader may see part of one. No journal is kept: what is known of the container
//! is what this session brought there.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use super::commit::chunks;
use super::differences::{Differences, Kind, Write};
use super::failure::of_program;
use super::journal::Known;
use super::program::{AnyWay, Program};
use super::shared_reads::SharedReads;
use super::stage::{Piece, Stop, archive};
use crate::model::{ContainerPath, SyncFailure};

/// How long nothing may happen while files are unpacked or deleted.
const PATIENCE: Duration = Duration::from_secs(30);
/// Pieces that are read ahead of what the container takes.
const AHEAD: usize = 1;

/// What was brought into a container.
pub(super) enum Brought {
    /// All of it: what each write holds, and how long it is.
    All(Differences, Vec<(Known, u64)>),
    /// Files became something else meanwhile.
    Changed,
}

/// Differences that could not be made true.
struct Failed {
    failure: SyncFailure,
    differences: Differences,
}

/// Makes differences true.
///
/// # Errors
/// Where a program cannot be started, is missing, or fails.
pub(super) async fn bring(
    way: &AnyWay,
    differences: Differences,
    reads: &SharedReads,
) -> Result<Brought, SyncFailure> {
    let was_link = |write: &&Write| matches!(write.kind, Kind::Dir { was_link: true, .. });
    let links = differences.writes.iter().filter(was_link);
    let deleted = differences.deletes.iter().map(|(path, _)| path);
    let in_the_way: Vec<&ContainerPath> = deleted.chain(links.map(|write| &write.container)).collect();
    delete(way, &in_the_way).await?;
    if differences.writes.is_empty() {
        return Ok(Brought::All(differences, Vec::new()));
    }
    let Failed { failure, differences } = match unpack(way, differences, reads.clone()).await {
        Ok(brought) => return Ok(brought),
        Err(failed) => *failed,
    };
    if !matches!(failure, SyncFailure::Other(_)) {
        return Err(failure);
    }
    // Directories may be where files go, and the other way round.
    let paths = |dirs: bool| -> Vec<ContainerPath> {
        let is_wanted = |write: &&Write| matches!(write.kind, Kind::Dir { .. }) == dirs;
        let writes = differences.writes.iter().filter(is_wanted);
        writes.map(|write| write.container.clone()).collect()
    };
    let (dirs, files) = (paths(true), paths(false));
    // This leaves directories alone, and says so.
    for argv in commands(&["rm", "-f", "--"], &dirs.iter().collect::<Vec<_>>())? {
        follow(way, argv, None, Some(PATIENCE), &mut |_| {}).await?;
    }
    delete(way, &files.iter().collect::<Vec<_>>()).await?;
    let unpacked = unpack(way, differences, reads.clone()).await;
    unpacked.map_err(|failed| failed.failure)
}

/// Runs a program of the user's; `hear` gets what it prints. Returns its exit code.
///
/// # Errors
/// Where the container cannot be reached.
pub(super) async fn run(
    way: &AnyWay,
    argv: &[String],
    hear: &mut (dyn FnMut(&[u8]) + Send),
) -> Result<i32, SyncFailure> {
    match follow(way, argv.to_vec(), None, None, hear).await {
        Err(SyncFailure::MissingProgram { program }) => {
            hear(format!("{program}: not found\n").as_bytes());
            Ok(127)
        }
        ended => ended,
    }
}

async fn delete(way: &AnyWay, paths: &[&ContainerPath]) -> Result<(), SyncFailure> {
    for argv in commands(&["rm", "-rf", "--"], paths)? {
        let mut said = Vec::new();
        let mut hear = |text: &[u8]| said.extend_from_slice(text);
        let exit_code = follow(way, argv, None, Some(PATIENCE), &mut hear).await?;
        // One that is below what is no directory is gone already.
        let is_gone = |line: &str| line.to_lowercase().ends_with("not a directory");
        if said.is_empty() || !String::from_utf8_lossy(&said).trim().lines().all(is_gone) {
            judge(exit_code, &said, "rm")?;
        }
    }
    Ok(())
}

/// Returns commands for paths: as many as are needed so that none gets too long.
fn commands(words: &[&str], paths: &[&ContainerPath]) -> Result<Vec<Vec<String>>, SyncFailure> {
    let lengths = paths.iter().map(|path| path.as_path().as_os_str().len());
    let command = |chunk: std::ops::Range<usize>| {
        let words = words.iter().map(|word| Ok((*word).to_owned()));
        words.chain(paths[chunk].iter().map(|path| text(path))).collect()
    };
    chunks(lengths).into_iter().map(command).collect()
}

/// The API takes arguments as text.
fn text(path: &ContainerPath) -> Result<String, SyncFailure> {
    let text = path.as_path().to_str().map(str::to_owned);
    text.ok_or_else(|| {
        SyncFailure::Other(format!(
            "{path}: an image without a shell cannot be told of a name that is no UTF-8"
        ))
    })
}

/// Reads files in a thread of its own while they are unpacked.
async fn unpack(way: &AnyWay, differences: Differences, reads: SharedReads) -> Result<Brought, Box<Failed>> {
    let (sender, mut pieces) = mpsc::channel(AHEAD);
    let reading = spawn_blocking(move || {
        let mut send = |piece| sender.blocking_send(piece).map_err(|_| Stop::Unwanted);
        let known = archive(&differences.writes, &reads, &mut send);
        (known, differences)
    });
    let argv = ["tar", "-C", "/", "-x", "-f", "-"].map(str::to_owned).to_vec();
    let mut said = Vec::new();
    let mut hear = |text: &[u8]| said.extend_from_slice(text);
    let ended = follow(way, argv, Some(&mut pieces), Some(PATIENCE), &mut hear).await;
    drop(pieces);
    let (known, differences) = match reading.await {
        Ok(read) => read,
        Err(error) => {
            return Err(Box::new(Failed {
                failure: SyncFailure::Other(error.to_string()),
                differences: Differences::default(),
            }));
        }
    };
    let ended = ended.and_then(|exit_code| judge(exit_code, &said, "tar"));
    match (known, ended) {
        (Err(Stop::Failed(failure)), _) | (Ok(_) | Err(Stop::Unwanted), Err(failure)) => {
            Err(Box::new(Failed { failure, differences }))
        }
        (Err(Stop::Changed | Stop::Unwanted), _) => Ok(Brought::Changed),
        (Ok(known), Ok(())) => Ok(Brought::All(differences, known)),
    }
}

fn judge(exit_code: i32, said: &[u8], program: &str) -> Result<(), SyncFailure> {
    match exit_code {
        0 => Ok(()),
        126 | 127 => Err(SyncFailure::MissingProgram {
            program: program.to_owned(),
        }),
        _ => Err(of_program(&String::from_utf8_lossy(said), program)),
    }
}

/// Starts a program, feeds it, and hears it to its end. Returns its exit code.
async fn follow(
    way: &AnyWay,
    argv: Vec<String>,
    mut input: Option<&mut mpsc::Receiver<Piece>>,
    patience: Option<Duration>,
    hear: &mut (dyn FnMut(&[u8]) + Send),
) -> Result<i32, SyncFailure> {
    let Program {
        to,
        mut out,
        mut err,
        mut ended,
        _task,
    } = way.start(argv).await?;
    let mut to: Option<Box<dyn AsyncWrite + Send + Unpin>> = Some(to);
    let (mut out_buffer, mut err_buffer) = (vec![0; 16 * 1024], vec![0; 16 * 1024]);
    let (mut is_out_open, mut is_err_open, mut exit_code) = (true, true, None);
    let mut pending = bytes::Bytes::new();
    while exit_code.is_none() || is_out_open || is_err_open {
        let next = async {
            match (&mut to, &mut input) {
                (Some(to), _) if !pending.is_empty() => Some(to.write(&pending).await.map(Fed::Written)),
                (Some(_), Some(input)) => input.recv().await.map(|piece| Ok(Fed::Next(piece))),
                (Some(_), None) => None,
                (None, _) => std::future::pending().await,
            }
        };
        tokio::select! {
            fed = next => match fed {
                Some(Ok(Fed::Next(Piece::Data(bytes)))) => pending = bytes,
                Some(Ok(Fed::Next(Piece::Begin { .. }))) => {}
                Some(Ok(Fed::Written(n @ 1..))) => pending = pending.slice(n..),
                // It reads no more, or has got all; why is said by how it ends.
                Some(_) | None => {
                    if let Some(mut to) = to.take() {
                        let _ = to.shutdown().await;
                    }
                }
            },
            read = out.read(&mut out_buffer), if is_out_open => match read {
                Ok(n @ 1..) => hear(&out_buffer[..n]),
                _ => is_out_open = false,
            },
            read = err.read(&mut err_buffer), if is_err_open => match read {
                Ok(n @ 1..) => hear(&err_buffer[..n]),
                _ => is_err_open = false,
            },
            code = &mut ended, if exit_code.is_none() => {
                exit_code = Some(code?);
                to = None;
            }
            () = silence(patience) => {
                return Err(SyncFailure::ConnectionLost(format!(
                    "the container did not answer within {} s",
                    PATIENCE.as_secs()
                )));
            }
        }
    }
    Ok(exit_code.unwrap_or(0))
}

/// What happened to the input of a program.
enum Fed {
    Next(Piece),
    Written(usize),
}

async fn silence(patience: Option<Duration>) {
    match patience {
        Some(patience) => tokio::time::sleep(patience).await,
        None => std::future::pending().await,
    }
}
