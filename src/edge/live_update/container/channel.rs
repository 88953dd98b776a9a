//! A shell in a container that is kept open and does what it is told, one thing after the other.
//!
//! Starting a program in a container costs more than all that a save needs; a shell that waits costs nothing. What it
//! understands is in `container.sh`.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::failure::of_program;
use super::journal::Held;
use super::marked_output::{Item, Marks};
use super::program::{Streams, Way};
use super::quoting::quote_path;
use super::stage::{Destinations, FrameKind, Piece};
use super::staging_place::{Mounts, NAME, Place, elsewhere};
use crate::clock;
use crate::model::{ContainerPath, Remedy, SyncFailure};

/// Reads the script of the channel and runs it. It goes in as input: some proxies take no address that is as long.
const BOOTSTRAP: &str = "s=
while IFS= read -r l || exit; do
[ \"$l\" = \"$0\" ] && break
s=\"$s$l
\"
done
eval \"$s\"";
const SCRIPT: &str = include_str!("container.sh");
const KILL: &str = include_str!("kill.sh");

/// How long nothing may happen while something is awaited. A container whose processor time is used up is slow.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a channel may be unused before it is asked whether it is still there, and how long it has for an answer.
const IDLE: Duration = Duration::from_secs(10);
const ANSWER: Duration = Duration::from_secs(2);
/// What is shorter goes in one message with the line that begins its frame.
const SHORT: usize = 64 * 1024;
/// How long the reason of an end is waited for.
const REASON: Duration = Duration::from_secs(1);

/// A shell in a container.
pub(super) struct Channel {
    streams: Streams,
    marks: Marks,
    /// The line that begins a frame: it goes with what follows, in one message.
    head: Vec<u8>,
    /// The shell's process in the container.
    pid: String,
    mounts: Mounts,
    first_places: Vec<PathBuf>,
    places: Vec<Place>,
    /// Where directories really are; forgotten with what is above them.
    real: BTreeMap<ContainerPath, PathBuf>,
    used: Instant,
    /// Whether a frame was begun and its answer not heard: whoever waited for it may have been dropped.
    is_busy: bool,
}

/// What a frame was answered with.
#[derive(Debug, Default)]
pub(super) struct Answer {
    status: i32,
    /// What programs printed.
    text: Vec<u8>,
    /// Our own lines.
    marks: Vec<Vec<u8>>,
}

impl Answer {
    fn failure(&self, what: &str) -> SyncFailure {
        // Somebody else took the place over, or removed it: a new channel makes it anew.
        if self.marks.iter().any(|mark| mark == b"lost") {
            return SyncFailure::ConnectionLost("another live update took over".to_owned());
        }
        of_program(&String::from_utf8_lossy(&self.text), what)
    }

    /// Returns what was written in place: the number of its stage, its number there, and why.
    pub(super) fn in_place(&self) -> Vec<(usize, usize, String)> {
        let read = |mark: &Vec<u8>| {
            let text = String::from_utf8_lossy(mark.strip_prefix(b"inplace ")?).into_owned();
            let mut words = text.splitn(3, ' ');
            let (stage, at) = (words.next()?.parse().ok()?, words.next()?.parse().ok()?);
            Some((stage, at, words.next().unwrap_or_default().to_owned()))
        };
        self.marks.iter().filter_map(read).collect()
    }
}

impl Channel {
    /// Opens a channel and takes in what journals in the container say.
    pub(super) async fn open(way: &dyn Way, held: &mut Held) -> Result<Self, SyncFailure> {
        let mark = mark();
        let first_places = way.first_places();
        let journals = first_places.iter().map(|place| place.join(NAME));
        let mut argv = vec!["sh".to_owned(), "-c".to_owned(), BOOTSTRAP.to_owned()];
        argv.extend([mark.clone(), mark.clone()]);
        argv.extend(journals.map(|place| place.display().to_string()));
        let streams = way.open(argv).await?;
        let mut channel = Self {
            streams,
            marks: Marks::new(&mark),
            head: Vec::new(),
            pid: String::new(),
            mounts: Mounts::default(),
            first_places,
            places: Vec::new(),
            real: BTreeMap::new(),
            used: clock::now(),
            is_busy: false,
        };
        channel.write(format!("{SCRIPT}\n{mark}\n").as_bytes()).await?;
        channel.greet(held).await?;
        Ok(channel)
    }

    async fn greet(&mut self, held: &mut Held) -> Result<(), SyncFailure> {
        let (mut missing, mut sections) = (None, Vec::<(Vec<u8>, Vec<u8>)>::new());
        let mut noise = Vec::new();
        loop {
            match self.next(Some(PATIENCE)).await {
                Ok(Item::Mark(mark)) if mark == b"ready" => break,
                Ok(Item::Mark(mark)) => sections.push((mark, Vec::new())),
                Ok(Item::Text(text)) => match sections.last_mut() {
                    Some((_, section)) => section.extend(text),
                    None => noise.extend(text),
                },
                Err(SyncFailure::ConnectionLost(why)) if !noise.is_empty() => {
                    let noise = String::from_utf8_lossy(&noise);
                    return Err(SyncFailure::ConnectionLost(format!("{why}: {}", noise.trim())));
                }
                Err(failure) => return Err(failure),
            }
        }
        held.begin_anew();
        for (name, text) in sections {
            if let Some(rest) = name.strip_prefix(b"hello ") {
                let rest = String::from_utf8_lossy(rest).into_owned();
                let mut words = rest.split_whitespace();
                self.pid = words.next().unwrap_or_default().to_owned();
                missing = words.next().map(str::to_owned);
            } else if name == b"mounts" {
                self.mounts = Mounts::read(&text);
            } else if name.starts_with(b"journal ") {
                for line in String::from_utf8_lossy(&text).lines() {
                    held.replay(line);
                }
            }
        }
        match missing {
            Some(program) => Err(SyncFailure::MissingProgram { program }),
            None => Ok(()),
        }
    }

    /// Returns whether it can be used; one that was not for a while is asked.
    pub(super) async fn is_alive(&mut self) -> bool {
        if self.is_busy {
            return false;
        }
        if clock::now().saturating_duration_since(self.used) < IDLE {
            return true;
        }
        matches!(timeout(ANSWER, self.confirm()).await, Ok(Ok(())))
    }

    /// Fails unless the shell answers: then the container is the one that its journals told of.
    pub(super) async fn confirm(&mut self) -> Result<(), SyncFailure> {
        self.run(b":".to_vec()).await.map(drop)
    }

    /// Runs a script in the shell itself. Returns what it printed, and our own lines in it.
    pub(super) async fn ask(&mut self, script: Vec<u8>) -> Result<(Vec<u8>, Vec<Vec<u8>>), SyncFailure> {
        let answer = self.run(script).await?;
        Ok((answer.text, answer.marks))
    }

    /// Runs a script in the shell itself.
    async fn run(&mut self, script: Vec<u8>) -> Result<Answer, SyncFailure> {
        self.begin(FrameKind::Run, 0, script.len() as u64);
        self.write(&script).await?;
        self.answer(Some(PATIENCE), &mut |_| {}).await
    }

    fn begin(&mut self, kind: FrameKind, place: usize, length: u64) {
        self.used = clock::now();
        self.is_busy = true;
        self.head = format!("{} {length} {place}\n", kind.word()).into_bytes();
    }

    /// Sends frames as they are made, each once the one before it succeeded. Returns the last one's answer.
    pub(super) async fn send(&mut self, pieces: &mut mpsc::Receiver<Piece>) -> Result<Answer, SyncFailure> {
        let mut left = None;
        while let Some(piece) = pieces.recv().await {
            match piece {
                Piece::Begin { kind, place, length } => {
                    if left.is_some() {
                        self.succeeded().await?;
                    }
                    left = Some(length);
                    self.begin(kind, place, length);
                }
                Piece::Data(bytes) => {
                    left = left.map(|left| left.saturating_sub(bytes.len() as u64));
                    self.write(&bytes).await?;
                }
            }
        }
        match left {
            Some(0) => self.succeeded().await,
            // Whoever makes the frames gave up in the middle of one, and says why.
            _ => Ok(Answer::default()),
        }
    }

    async fn succeeded(&mut self) -> Result<Answer, SyncFailure> {
        let answer = self.answer(Some(PATIENCE), &mut |_| {}).await?;
        if answer.status == 0 {
            return Ok(answer);
        }
        let is_staged = answer.marks.iter().any(|mark| mark == b"staged");
        Err(answer.failure(if is_staged { "replacing files" } else { "tar" }))
    }

    /// Runs a program; `hear` gets what it prints. Returns its exit code.
    pub(super) async fn program(
        &mut self,
        argv: &[String],
        hear: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<i32, SyncFailure> {
        // Its directory may have been replaced since the shell was started.
        let mut script = b"(cd \"$W\" 2>/dev/null; exec".to_vec();
        for arg in argv {
            script.push(b' ');
            quote_path(arg, &mut script);
        }
        script.extend_from_slice(b") </dev/null");
        self.begin(FrameKind::Run, 0, script.len() as u64);
        self.write(&script).await?;
        Ok(self.answer(None, hear).await?.status)
    }

    /// Returns a command that sends a signal to what the channel runs just now; it must be started beside it.
    pub(super) fn kill_command(&self, signal: &str) -> Vec<String> {
        let words = ["sh", "-c", KILL, "tilt", &self.pid, signal];
        words.map(str::to_owned).to_vec()
    }

    /// Finds out where things go that are in these directories, and makes places for them.
    pub(super) async fn destinations(
        &mut self,
        directories: &BTreeSet<ContainerPath>,
    ) -> Result<Destinations, SyncFailure> {
        self.look_up(directories).await?;
        let mut to = Destinations::default();
        for directory in directories {
            let real = self.real.get(directory).cloned();
            let real = real.unwrap_or_else(|| directory.as_path().to_owned());
            to.places.insert(directory.clone(), self.place(real).await?);
        }
        to.has_journal = self.places.iter().map(|place| place.is_on_mount).collect();
        Ok(to)
    }

    /// Forgets where things really are that are at or below these paths.
    pub(super) fn forget<'a>(&mut self, changed: impl Iterator<Item = &'a ContainerPath>) {
        for path in changed {
            self.real.retain(|directory, _| !directory.is_within(path));
        }
    }

    async fn look_up(&mut self, directories: &BTreeSet<ContainerPath>) -> Result<(), SyncFailure> {
        let unknown: Vec<&ContainerPath> = directories
            .iter()
            .filter(|directory| !self.real.contains_key(directory))
            .collect();
        if unknown.is_empty() {
            return Ok(());
        }
        let mut script = Vec::new();
        for (number, directory) in unknown.iter().enumerate() {
            script.extend_from_slice(format!("where {number} ").as_bytes());
            quote_path(directory.as_path(), &mut script);
            script.push(b'\n');
        }
        let answer = self.run(script).await?;
        for mark in answer.marks {
            if let Some((number, real)) = position(&mark)
                && let Some(directory) = unknown.get(number)
            {
                self.real.insert((*directory).clone(), real);
            }
        }
        Ok(())
    }

    /// Returns the number of the place for a directory.
    async fn place(&mut self, directory: PathBuf) -> Result<usize, SyncFailure> {
        let mount = self.mounts.of(&directory);
        let serves = |place: &Place| place.mount == mount && place.is_on_mount;
        if let Some(number) = self.places.iter().position(serves) {
            return Ok(number);
        }
        let candidates = self.mounts.candidates(&self.first_places, &directory);
        let failure = match self.make_place(&candidates, &mount, true).await {
            Err(failure) if failure.remedy() == Remedy::FullBuild => failure,
            made_or_lost => return made_or_lost,
        };
        let serves = |place: &Place| place.mount == mount;
        if let Some(number) = self.places.iter().position(serves) {
            return Ok(number);
        }
        match self.make_place(&elsewhere(), &mount, false).await {
            // What is wrong where the files go says more.
            Err(other) if other.remedy() == Remedy::FullBuild => Err(failure),
            made_or_lost => made_or_lost,
        }
    }

    async fn make_place(
        &mut self,
        candidates: &[PathBuf],
        mount: &std::path::Path,
        is_on_mount: bool,
    ) -> Result<usize, SyncFailure> {
        let number = self.places.len();
        let mut script = format!("place {number}").into_bytes();
        for candidate in candidates {
            script.push(b' ');
            quote_path(candidate, &mut script);
        }
        let answer = self.run(script).await?;
        if answer.status != 0 {
            return Err(answer.failure("mkdir"));
        }
        self.places.push(Place {
            mount: mount.to_owned(),
            is_on_mount,
        });
        Ok(number)
    }

    /// Removes what is left of stages.
    pub(super) async fn clean(&mut self) -> Result<(), SyncFailure> {
        let mut script = Vec::new();
        for number in 0..self.places.len() {
            script.extend_from_slice(format!("rm -rf \"$P{number}/$N\"/*\n").as_bytes());
        }
        self.run(script).await.map(drop)
    }

    /// Waits for the answer to a frame.
    async fn answer(
        &mut self,
        patience: Option<Duration>,
        hear: &mut (dyn FnMut(&[u8]) + Send),
    ) -> Result<Answer, SyncFailure> {
        let mut answer = Answer::default();
        let keep = patience.is_some();
        loop {
            match self.next(patience).await? {
                Item::Text(text) => {
                    hear(&text);
                    if keep {
                        answer.text.extend(text);
                    }
                }
                Item::Mark(mark) => match mark.strip_prefix(b"done ") {
                    Some(status) => {
                        let status = String::from_utf8_lossy(status);
                        answer.status = status.trim().parse().unwrap_or(-1);
                        self.used = clock::now();
                        self.is_busy = false;
                        return Ok(answer);
                    }
                    None => answer.marks.push(mark),
                },
            }
        }
    }

    async fn next(&mut self, patience: Option<Duration>) -> Result<Item, SyncFailure> {
        let mut buffer = vec![0; 16 * 1024];
        loop {
            if let Some(item) = self.marks.next() {
                return Ok(item);
            }
            let read = self.streams.from.read(&mut buffer);
            let read = match patience {
                Some(patience) => timeout(patience, read).await.map_err(|_| silent())?,
                None => read.await,
            };
            match read {
                Ok(n @ 1..) => self.marks.push(&buffer[..n]),
                _ => return Err(self.why_ended().await),
            }
        }
    }

    async fn write(&mut self, bytes: &[u8]) -> Result<(), SyncFailure> {
        let mut head = std::mem::take(&mut self.head);
        let mut rest = bytes;
        if bytes.len() < SHORT {
            head.extend_from_slice(bytes);
            rest = &[];
        }
        let Streams { to, from, .. } = &mut self.streams;
        let write = async {
            to.write_all(&head).await?;
            to.write_all(rest).await?;
            to.flush().await
        };
        tokio::pin!(write);
        let mut buffer = vec![0; 4096];
        let mut can_read = true;
        let written = loop {
            tokio::select! {
                written = &mut write => break written,
                // Programs that complain must not be kept from reading on.
                read = from.read(&mut buffer), if can_read => match read {
                    Ok(n @ 1..) => self.marks.push(&buffer[..n]),
                    _ => can_read = false,
                },
                () = tokio::time::sleep(PATIENCE) => return Err(silent()),
            }
        };
        match written {
            Ok(()) => Ok(()),
            Err(_) => Err(self.why_written_in_vain().await),
        }
    }

    /// Says what the shell said before it went.
    async fn why_written_in_vain(&mut self) -> SyncFailure {
        match timeout(REASON, self.answer(Some(REASON), &mut |_| {})).await {
            Ok(Ok(answer)) if answer.status != 0 => answer.failure("tar"),
            Ok(Err(failure)) => failure,
            _ => self.why_ended().await,
        }
    }

    async fn why_ended(&mut self) -> SyncFailure {
        let lost = || SyncFailure::ConnectionLost("the connection to the container was lost".to_owned());
        match timeout(REASON, &mut self.streams.ended).await {
            Ok(failure) => {
                // It cannot be asked twice.
                self.streams.ended = Box::pin(std::future::pending());
                failure
            }
            Err(_) => lost(),
        }
    }
}

fn silent() -> SyncFailure {
    SyncFailure::ConnectionLost(format!(
        "the container did not answer within {} s",
        PATIENCE.as_secs()
    ))
}

/// Returns the number of a directory that was looked up, and where it, or the nearest one above it, is.
fn position(mark: &[u8]) -> Option<(usize, PathBuf)> {
    let mut words = mark.strip_prefix(b"where ")?.splitn(2, |byte| *byte == b' ');
    let number = std::str::from_utf8(words.next()?).ok()?.parse().ok()?;
    let real = std::ffi::OsString::from_vec(words.next()?.to_vec());
    Some((number, PathBuf::from(real)))
}

/// Returns a word that nobody else uses, and that no program can guess.
fn mark() -> String {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).expect("the system gives random numbers");
    format!("{:032x}", u128::from_ne_bytes(bytes))
}
