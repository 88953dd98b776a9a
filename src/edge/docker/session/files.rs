//! Sends the files of a build over a session: the engine gets a list, and asks for the contents it lacks.
//!
//! Rule: BuildKit's `DiffCopy` with the packets of its `fsutil` package: a `STAT` per entry in order, an empty one at
//! the end; a `REQ` names an entry by its number; contents are answered as `DATA`, an empty one ends them; `FIN` ends all.

use std::io::{self, Read};
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use crate::clock;
use crate::edge::docker::sent_times::{SentTimes, Transfer, hex};
use crate::logs::LogWriter;

use bollard::fsutil::types::packet::PacketType;
use bollard::fsutil::types::{Packet, Stat};
use bollard::moby::filesync::v1::file_sync_server::FileSync;
use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use sha2::{Digest, Sha256};
use tokio::sync::mpsc;
use tonic::{Request, Response, Status, Streaming};

use super::request::{directory, wanted};
use super::unfit::Unfit;
use crate::edge::docker::context::{Context, Entry, Kind, ReadFault, Wanted};
use crate::model::octets::bytes_of;
use crate::model::{IgnoreMatcher, LocalPath};

/// The name that the Dockerfile has for the engine.
pub(in crate::edge::docker) const DOCKERFILE_NAME: &str = "Dockerfile";
/// Stands beside the Dockerfile so that the engine does not look for ignores in the context: they are applied already.
const IGNORE_FILE: (&str, &str) = (
    "Dockerfile.dockerignore",
    "# Ignored files are not sent in the first place.\n",
);
/// How much content goes into a packet, and how many packets may wait.
const CHUNK: usize = 32 * 1024;
const MAX_WAITING_PACKETS: usize = 64;

/// The files that a build may use.
pub(in crate::edge::docker) struct SessionFiles {
    context: LocalPath,
    ignores: IgnoreMatcher,
    dockerfile: String,
    fault: ReadFault,
    transfer: Arc<Transfer>,
    log: LogWriter,
}

impl SessionFiles {
    pub(in crate::edge::docker) fn new(
        context: LocalPath,
        ignores: IgnoreMatcher,
        dockerfile: String,
        fault: ReadFault,
        times: &Arc<SentTimes>,
        log: LogWriter,
    ) -> Self {
        let transfer = times.begin(&key(&context, &ignores, &dockerfile), clock::timestamp());
        Self {
            context,
            ignores,
            dockerfile,
            fault,
            transfer: Arc::new(transfer),
            log,
        }
    }

    /// Returns the key under which the engine keeps what it gets, so that the next such build sends only what changed.
    pub(super) fn shared_key(&self) -> &str {
        self.transfer.shared_key()
    }

    /// Returns what lists the entries that a request asks for.
    fn lister(&self, request: &tonic::metadata::MetadataMap) -> Result<Lister, Status> {
        match directory(request).as_deref() {
            Some("context") => Ok(Lister::Context {
                context: self.context.clone(),
                ignores: self.ignores.clone(),
                wanted: wanted(&self.context, request),
                transfer: Arc::clone(&self.transfer),
                log: self.log.clone(),
            }),
            Some("dockerfile") => Ok(Lister::Dockerfile(self.dockerfile.clone())),
            other => Err(Status::not_found(format!("no directory {other:?} in this build"))),
        }
    }
}

/// Returns the same text for builds that use the same part of the same context, and another for others: what the engine
/// keeps for one would be thrown away for the other, again and again.
fn key(context: &LocalPath, ignores: &IgnoreMatcher, dockerfile: &str) -> String {
    let mut hash = Sha256::new();
    hash.update(format!("tilt\0{context}\0{ignores:?}"));
    for line in dockerfile.lines().map(str::trim_start) {
        if line
            .get(..4)
            .is_some_and(|word| matches!(word.to_ascii_uppercase().as_str(), "COPY" | "ADD "))
        {
            hash.update(line);
        }
    }
    hex(&hash.finalize())
}

#[tonic::async_trait]
impl FileSync for SessionFiles {
    type DiffCopyStream = BoxStream<'static, Result<Packet, Status>>;
    type TarStreamStream = BoxStream<'static, Result<Packet, Status>>;

    async fn diff_copy(
        &self,
        request: Request<Streaming<Packet>>,
    ) -> Result<Response<Self::DiffCopyStream>, Status> {
        let lister = self.lister(request.metadata())?;
        let context = lister.open().map_err(|err| {
            self.fault.note(&err);
            Status::unknown(err.to_string())
        })?;
        let context = Arc::new(context);
        let complete = lister.transfer();
        let (sender, receiver) = mpsc::channel(MAX_WAITING_PACKETS);
        let (asked, to_answer) = std::sync::mpsc::channel();
        let contents = Arc::new(Mutex::new(Vec::new()));
        let out = Outgoing {
            sender,
            fault: self.fault.clone(),
        };
        let (list_to, listed, from) = (out.clone(), contents.clone(), Arc::clone(&context));
        tokio::task::spawn_blocking(move || list_to.list(&lister, &from, &listed));
        let answer_to = out.clone();
        tokio::task::spawn_blocking(move || answer_to.answer(&to_answer, &context, &contents));
        tokio::spawn(out.follow(request.into_inner(), asked, complete));
        Ok(Response::new(packets(receiver).boxed()))
    }

    async fn tar_stream(
        &self,
        _: Request<Streaming<Packet>>,
    ) -> Result<Response<Self::TarStreamStream>, Status> {
        Err(Status::unimplemented("tar_stream"))
    }
}

fn packets(receiver: mpsc::Receiver<Result<Packet, Status>>) -> impl Stream<Item = Result<Packet, Status>> {
    futures::stream::unfold(receiver, |mut receiver| async move {
        let packet = receiver.recv().await?;
        Some((packet, receiver))
    })
}

/// What is behind a number that the engine may ask for.
#[derive(Clone)]
enum Content {
    /// By its name in the context.
    File(PathBuf),
    Text(Arc<str>),
    None,
}

enum Lister {
    Context {
        context: LocalPath,
        ignores: IgnoreMatcher,
        wanted: Wanted,
        transfer: Arc<Transfer>,
        log: LogWriter,
    },
    Dockerfile(String),
}

impl Lister {
    fn open(&self) -> io::Result<Option<Context>> {
        match self {
            Self::Context { context, .. } => Context::open(context).map(Some),
            Self::Dockerfile(_) => Ok(None),
        }
    }

    fn transfer(&self) -> Option<Arc<Transfer>> {
        match self {
            Self::Context { transfer, .. } => Some(Arc::clone(transfer)),
            Self::Dockerfile(_) => None,
        }
    }

    fn list(
        &self,
        from: Option<&Context>,
        found: &mut dyn FnMut(Stat, Content) -> io::Result<()>,
    ) -> io::Result<()> {
        match (self, from) {
            (
                Self::Context {
                    ignores,
                    wanted,
                    transfer,
                    log,
                    ..
                },
                Some(from),
            ) => {
                let mut unfit = Unfit::default();
                from.walk(ignores, wanted, &mut |entry| {
                    let Some(stat) = stat(&entry, transfer) else {
                        unfit.note(entry);
                        return Ok(());
                    };
                    let content = match entry.kind {
                        Kind::File { .. } => Content::File(entry.name),
                        _ => Content::None,
                    };
                    found(stat, content)
                })?;
                unfit.tell(log);
            }
            (Self::Context { .. }, None) => {}
            (Self::Dockerfile(text), _) => {
                for (name, text) in [(DOCKERFILE_NAME, text.as_str()), IGNORE_FILE] {
                    found(text_stat(name, text), Content::Text(text.into()))?;
                }
            }
        }
        Ok(())
    }
}

/// The end of the stream that goes to the engine.
#[derive(Clone)]
struct Outgoing {
    sender: mpsc::Sender<Result<Packet, Status>>,
    fault: ReadFault,
}

impl Outgoing {
    /// Sends the list. Its numbers are known before the engine can ask for them.
    fn list(&self, lister: &Lister, from: &Option<Context>, contents: &Mutex<Vec<Content>>) {
        let listed = lister.list(from.as_ref(), &mut |stat, content| {
            contents.lock().expect("no panic while held").push(content);
            self.send(packet(PacketType::PacketStat, 0, Vec::new(), Some(stat)))
        });
        match listed {
            Ok(()) => {
                let _ = self.send(packet(PacketType::PacketStat, 0, Vec::new(), None));
            }
            Err(err) => self.fail(&err),
        }
    }

    /// Sends the contents that are asked for, one after the other.
    fn answer(
        &self,
        to_answer: &std::sync::mpsc::Receiver<u32>,
        from: &Option<Context>,
        contents: &Mutex<Vec<Content>>,
    ) {
        for id in to_answer {
            let content = contents
                .lock()
                .expect("no panic while held")
                .get(id as usize)
                .cloned();
            if let Err(err) = self.content(id, from.as_ref(), content.unwrap_or(Content::None)) {
                self.fail(&err);
                return;
            }
        }
    }

    fn content(&self, id: u32, from: Option<&Context>, content: Content) -> io::Result<()> {
        match content {
            Content::File(name) => {
                let named = |err: io::Error| io::Error::new(err.kind(), format!("{}: {err}", name.display()));
                let from = from.ok_or(io::ErrorKind::NotFound)?;
                let mut file = from.file(&name)?;
                let mut buffer = vec![0; CHUNK];
                loop {
                    let n = file.read(&mut buffer).map_err(named)?;
                    if n == 0 {
                        break;
                    }
                    self.send(packet(PacketType::PacketData, id, buffer[..n].to_vec(), None))?;
                }
            }
            Content::Text(text) if !text.is_empty() => {
                self.send(packet(
                    PacketType::PacketData,
                    id,
                    bytes_of(&text).into_owned(),
                    None,
                ))?;
            }
            Content::Text(_) | Content::None => {}
        }
        self.send(packet(PacketType::PacketData, id, Vec::new(), None))
    }

    /// Reads what the engine says until it has all.
    async fn follow(
        self,
        mut incoming: Streaming<Packet>,
        asked: std::sync::mpsc::Sender<u32>,
        transfer: Option<Arc<Transfer>>,
    ) {
        while let Some(Ok(packet)) = incoming.next().await {
            match packet.r#type() {
                PacketType::PacketReq if asked.send(packet.id).is_err() => return,
                PacketType::PacketFin => {
                    if let Some(transfer) = &transfer {
                        transfer.is_complete();
                    }
                    let fin = self::packet(PacketType::PacketFin, 0, Vec::new(), None);
                    let _ = self.sender.send(Ok(fin)).await;
                    return;
                }
                _ => {}
            }
        }
    }

    fn send(&self, packet: Packet) -> io::Result<()> {
        let gone = |_| io::Error::from(io::ErrorKind::BrokenPipe);
        self.sender.blocking_send(Ok(packet)).map_err(gone)
    }

    fn fail(&self, err: &io::Error) {
        self.fault.note(err);
        // When the engine has hung up, it knows why.
        let _ = self.sender.blocking_send(Err(Status::unknown(err.to_string())));
    }
}

fn packet(kind: PacketType, id: u32, data: Vec<u8>, stat: Option<Stat>) -> Packet {
    Packet {
        r#type: kind.into(),
        stat,
        id,
        data,
    }
}

/// The bits of Go's `os.FileMode`.
mod go_mode {
    pub(super) const DIRECTORY: u32 = 1 << 31;
    pub(super) const SYMLINK: u32 = 1 << 27;
    pub(super) const SET_UID: u32 = 1 << 23;
    pub(super) const SET_GID: u32 = 1 << 22;
    pub(super) const STICKY: u32 = 1 << 20;
}

/// Returns what the engine is told of an entry; `None` where it cannot be told.
fn stat(entry: &Entry, transfer: &Transfer) -> Option<Stat> {
    let mut mode = entry.mode & 0o777;
    for (bit, go_bit) in [
        (0o4000, go_mode::SET_UID),
        (0o2000, go_mode::SET_GID),
        (0o1000, go_mode::STICKY),
    ] {
        if entry.mode & bit != 0 {
            mode |= go_bit;
        }
    }
    let mut stat = Stat {
        path: entry.name.to_str()?.to_owned(),
        mode,
        mod_time: entry.modified_nanos,
        ..Stat::default()
    };
    match &entry.kind {
        Kind::Directory => stat.mode |= go_mode::DIRECTORY,
        Kind::File { size } => {
            stat.size = i64::try_from(*size).unwrap_or(i64::MAX);
            stat.mod_time = transfer.time_of(entry);
        }
        Kind::Symlink(target) => {
            stat.mode |= go_mode::SYMLINK;
            target.to_str()?.clone_into(&mut stat.linkname);
        }
    }
    Some(stat)
}

fn text_stat(name: &str, text: &str) -> Stat {
    // The engine takes a file of the same size and time for unchanged, so the time must follow the content.
    let hash = text.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    Stat {
        path: name.to_owned(),
        mode: 0o600,
        size: i64::try_from(bytes_of(text).len()).unwrap_or(i64::MAX),
        mod_time: (hash >> 4).cast_signed(),
        ..Stat::default()
    }
}

#[cfg(test)]
#[path = "files_tests.rs"]
mod tests;
