//! One container that live updates go to: its channel, what is known of it, and how a batch is carried out.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use super::channel::{Answer, Channel};
use super::claims;
use super::commit::groups;
use super::differences::{Differences, Kind, differences};
use super::journal::{Content, Held, ImageContent, Known};
use super::output::Output;
use super::program::AnyWay;
use super::progress::Progress;
use super::shared_reads::SharedReads;
use super::stage::{Destinations, Stop, stage};
use super::without_channel::{self, Brought};
use crate::clock;
use crate::logs::LogWriter;
use crate::model::{
    Batch, BatchRun, Command, ContainerPath, InPlace, LocalPath, SentFile, SyncFailure, Synced,
};

/// How often a batch is begun anew because files here became something else meanwhile.
const TRIES: u32 = 10;
/// Pieces that are read ahead of what the container takes.
const AHEAD: usize = 1;
/// From how many stages on what is left of them is removed at once, not when the channel is opened next.
const MANY_STAGES: usize = 64;
/// How long a command has to end once it was asked to, and once it was killed.
const GRACE: Duration = Duration::from_secs(3);

/// A container that live updates go to.
pub(super) struct Target {
    way: AnyWay,
    channel: Option<Channel>,
    held: Held,
    /// What the image lacks that a channel needs: then each thing takes a program of its own.
    lacks: Option<String>,
    /// What is written in place there, as was told.
    told: BTreeSet<ContainerPath>,
}

/// What is done with a batch, and for whom.
pub struct Job<'a> {
    /// What shall be so.
    pub batch: &'a Batch,
    /// Hears what is done.
    pub progress: &'a mut (dyn FnMut(Progress<'_>) + Send + Sync),
    /// Where the output of commands goes.
    pub log: &'a LogWriter,
    /// Ends it early.
    pub cancel: &'a CancellationToken,
    /// What is read for all containers of a round.
    pub reads: &'a SharedReads,
    /// When it was begun.
    pub started: Instant,
}

enum Carried {
    Through(Synced),
    /// Files became something else meanwhile.
    Changed,
}

impl Target {
    pub(super) fn new(way: AnyWay, image: ImageContent) -> Self {
        Self {
            way,
            channel: None,
            held: Held::of_image(image),
            lacks: None,
            told: BTreeSet::new(),
        }
    }

    /// Opens the channel if it is not open. Returns whether it was.
    ///
    /// # Errors
    /// Where nothing can be started in the container, or it lacks what is needed.
    pub(super) async fn open(&mut self) -> Result<bool, SyncFailure> {
        if self.lacks.is_some() {
            return Ok(true);
        }
        if let Some(channel) = &mut self.channel {
            if channel.is_alive().await {
                return Ok(true);
            }
            self.channel = None;
        }
        match Channel::open(self.way.as_ref(), &mut self.held).await {
            Ok(channel) => self.channel = Some(channel),
            Err(SyncFailure::MissingProgram { program }) if program != "tar" => {
                // Without a journal nobody knows what others have changed there.
                self.held = Held::default();
                self.lacks = Some(program);
            }
            Err(failure) => return Err(failure),
        }
        Ok(false)
    }

    /// Opens the channel after what held it has ended.
    pub(super) async fn open_anew(&mut self) {
        self.channel = None;
        // Who wants to use it opens it again, and then hears what is wrong.
        let _ = self.open().await;
    }

    /// Carries a batch out.
    pub(super) async fn sync(&mut self, mut job: Job<'_>) -> Result<Synced, SyncFailure> {
        let was_open = self.channel.is_some();
        let arrived = match self.files(&mut job).await {
            // It may have been lost long ago, and nobody noticed.
            Err(SyncFailure::ConnectionLost(_)) if was_open => self.files(&mut job).await,
            arrived => arrived,
        };
        let mut synced = arrived?;
        let runs = due(job.batch, &synced);
        for (at, run) in runs.iter().enumerate() {
            (job.progress)(Progress::Run {
                nth: at + 1,
                of: runs.len(),
                run,
            });
            self.run(run, &job).await?;
        }
        synced.times.done = clock::now().saturating_duration_since(job.started);
        Ok(synced)
    }

    /// Makes all files of a batch true.
    async fn files(&mut self, job: &mut Job<'_>) -> Result<Synced, SyncFailure> {
        let cancel = job.cancel;
        let arrived = tokio::select! {
            biased;
            () = cancel.cancelled() => Err(SyncFailure::Canceled),
            arrived = self.try_files(job) => arrived,
        };
        if arrived.is_err() {
            // What is on its way, or was left there, must not meet what comes next.
            self.channel = None;
        }
        arrived
    }

    async fn try_files(&mut self, job: &mut Job<'_>) -> Result<Synced, SyncFailure> {
        self.open().await?;
        for _ in 0..TRIES {
            let differences = self.compare(job.batch, job.reads).await?;
            if let Carried::Through(synced) = self.carry(differences, job).await? {
                return Ok(synced);
            }
            // The frame was left in the middle.
            self.channel = None;
            self.open().await?;
        }
        Err(SyncFailure::ConnectionLost(
            "files became directories or links, and back, all the time".to_owned(),
        ))
    }

    async fn compare(&mut self, batch: &Batch, reads: &SharedReads) -> Result<Differences, SyncFailure> {
        let mut differences = self.look(batch, reads).await?;
        if let Some(channel) = self.channel.as_mut().filter(|_| !differences.claimed.is_empty()) {
            let claimed = std::mem::take(&mut differences.claimed);
            let is_false = claims::false_ones(channel, &claimed).await?;
            let are_true = is_false.is_empty();
            self.held.prove(claimed, is_false);
            if !are_true {
                return self.look(batch, reads).await;
            }
        }
        Ok(differences)
    }

    async fn look(&mut self, batch: &Batch, reads: &SharedReads) -> Result<Differences, SyncFailure> {
        let (files, held, reads) = (batch.files.clone(), std::mem::take(&mut self.held), reads.clone());
        let compared = spawn_blocking(move || (differences(&files, &held, &reads), held)).await;
        let (differences, held) = compared.map_err(|error| SyncFailure::Other(error.to_string()))?;
        self.held = held;
        differences
    }

    async fn carry(&mut self, differences: Differences, job: &mut Job<'_>) -> Result<Carried, SyncFailure> {
        let mut synced = Synced {
            n_unchanged: differences.n_unchanged,
            ..Synced::default()
        };
        if let Some(lacks) = self.lacks.clone() {
            return Box::pin(self.carry_plainly(differences, synced, &lacks, job)).await;
        }
        let Some(channel) = &mut self.channel else {
            return Err(SyncFailure::ConnectionLost("the channel was closed".to_owned()));
        };
        if differences.is_empty() {
            channel.confirm().await?;
            let now = clock::now().saturating_duration_since(job.started);
            (synced.times.ready, synced.times.visible) = (now, now);
            return Ok(Carried::Through(synced));
        }
        tell(&differences, job);
        let directories = directories(&differences);
        let to = channel.destinations(&directories).await?;
        synced.times.ready = clock::now().saturating_duration_since(job.started);
        forget(&mut self.held, &differences);
        let arrived = match send(channel, differences, to, job.reads.clone()).await? {
            Sent::Answered(arrived) => *arrived,
            Sent::Changed => return Ok(Carried::Changed),
        };
        let Arrived {
            differences,
            to,
            known,
            answer,
        } = arrived;
        synced.times.visible = clock::now().saturating_duration_since(job.started);
        synced.in_place = self.in_place(&differences, &to, answer);
        if let Some(channel) = &mut self.channel {
            let is_other = |kind: &Kind| !matches!(kind, Kind::File { .. });
            let moved = differences.writes.iter().filter(|write| is_other(&write.kind));
            channel.forget(moved.map(|write| &write.container));
            channel.forget(differences.deletes.iter().map(|(path, _)| path));
            if groups(&differences.writes, &to.places).len() > MANY_STAGES {
                channel.clean().await?;
            }
        }
        self.note(differences, known, &mut synced);
        Ok(Carried::Through(synced))
    }

    /// Carries differences out where the image lacks something.
    async fn carry_plainly(
        &mut self,
        differences: Differences,
        mut synced: Synced,
        lacks: &str,
        job: &mut Job<'_>,
    ) -> Result<Carried, SyncFailure> {
        let since = |started| clock::now().saturating_duration_since(started);
        synced.times.ready = since(job.started);
        if !differences.is_empty() {
            tell(&differences, job);
            forget(&mut self.held, &differences);
            let (differences, known) = match without_channel::bring(&self.way, differences, job.reads).await?
            {
                Brought::All(differences, known) => (differences, known),
                Brought::Changed => return Ok(Carried::Changed),
            };
            let files = differences.writes.iter();
            let mut files = files.filter(|write| matches!(write.kind, Kind::File { .. }));
            if let Some(file) = files.next().filter(|_| self.told.is_empty()) {
                self.told.insert(file.container.clone());
                synced.in_place.push(InPlace {
                    container: file.container.clone(),
                    why: format!("the image has no `{lacks}`"),
                });
            }
            self.note(differences, known, &mut synced);
        }
        synced.times.visible = since(job.started);
        Ok(Carried::Through(synced))
    }

    /// Notes what is there now.
    fn note(&mut self, differences: Differences, known: Vec<(Known, u64)>, synced: &mut Synced) {
        for (path, local) in &differences.deletes {
            if !differences.writes_within(path) {
                let (local, content) = (local.clone(), Content::Absent);
                self.held.note(path.clone(), Known { local, content });
            }
        }
        let deleted = differences.deletes.into_iter();
        synced.deleted = deleted.map(|(path, local)| (local, path)).collect();
        for (write, (known, bytes)) in differences.writes.into_iter().zip(known) {
            if !matches!(write.kind, Kind::Dir { .. }) {
                synced.sent.push(SentFile {
                    local: write.local,
                    container: write.container.clone(),
                    bytes,
                });
            }
            self.held.note(write.container, known);
        }
    }

    fn in_place(&mut self, differences: &Differences, to: &Destinations, answer: Answer) -> Vec<InPlace> {
        let groups = groups(&differences.writes, &to.places);
        let mut written = Vec::new();
        for (stage, at, why) in answer.in_place() {
            let Some(group) = groups.get(stage) else { continue };
            let member = group.members.get(at);
            let Some(write) = member.and_then(|(at, _)| differences.writes.get(*at)) else {
                continue;
            };
            let container = write.container.clone();
            if self.told.insert(container.clone()) {
                let why = why_in_place(&why);
                written.push(InPlace { container, why });
            }
        }
        written
    }

    /// Runs one command.
    async fn run(&mut self, run: &BatchRun, job: &Job<'_>) -> Result<(), SyncFailure> {
        self.open().await?;
        if self.lacks.is_some() {
            return Box::pin(self.run_plainly(run, job)).await;
        }
        let Some(channel) = &mut self.channel else {
            return Err(SyncFailure::ConnectionLost("the channel was closed".to_owned()));
        };
        let (terminate, kill) = (channel.kill_command("TERM"), channel.kill_command("KILL"));
        let (output, mut sink) = Output::new(job.log.clone());
        let way = self.way.clone();
        let ended = {
            let mut hear = |text: &[u8]| sink.push(text);
            let program = channel.program(&run.argv, &mut hear);
            tokio::pin!(program);
            tokio::select! {
                ended = &mut program => Some(ended),
                () = job.cancel.cancelled() => {
                    for command in [terminate, kill] {
                        signal(&way, command).await;
                        if timeout(GRACE, &mut program).await.is_ok() {
                            break;
                        }
                    }
                    None
                }
            }
        };
        drop(sink);
        output.finish().await;
        if !matches!(ended, Some(Ok(_))) {
            // If it did not end, its answer would be taken for another one's.
            self.channel = None;
        }
        judge(run, ended)
    }

    /// Runs one command where the image lacks something.
    async fn run_plainly(&mut self, run: &BatchRun, job: &Job<'_>) -> Result<(), SyncFailure> {
        let (output, mut sink) = Output::new(job.log.clone());
        let mut hear = |text: &[u8]| sink.push(text);
        let ended = tokio::select! {
            ended = without_channel::run(&self.way, &run.argv, &mut hear) => Some(ended),
            () = job.cancel.cancelled() => None,
        };
        drop(sink);
        output.finish().await;
        judge(run, ended)
    }
}

/// Forgets what is about to change.
fn forget(held: &mut Held, differences: &Differences) {
    for write in &differences.writes {
        // What is in a directory stays there.
        if !matches!(write.kind, Kind::Dir { was_link: false, .. }) {
            held.forget(&write.container);
        }
    }
    for (path, _) in &differences.deletes {
        held.forget(path);
    }
}

/// Says what the end of a command means; `None` is one that was cancelled.
fn judge(run: &BatchRun, ended: Option<Result<i32, SyncFailure>>) -> Result<(), SyncFailure> {
    match ended {
        Some(Ok(0)) => Ok(()),
        Some(Ok(exit_code)) => Err(SyncFailure::CommandFailed {
            command: shown(run),
            exit_code,
        }),
        Some(Err(failure)) => Err(failure),
        None => Err(SyncFailure::Canceled),
    }
}

/// Starts a command beside what runs, and waits for its end.
async fn signal(way: &AnyWay, command: Vec<String>) {
    let signalled = timeout(GRACE, async {
        if let Ok(mut streams) = way.open(command).await {
            let mut rest = Vec::new();
            // Whether it worked shows in the command's end.
            let _ = streams.from.read_to_end(&mut rest).await;
        }
    });
    let _ = signalled.await;
}

fn shown(run: &BatchRun) -> String {
    let command = Command {
        argv: run.argv.clone(),
        ..Command::default()
    };
    command.display()
}

/// Returns the directories that what changes is in.
fn directories(differences: &Differences) -> BTreeSet<ContainerPath> {
    let writes = differences.writes.iter().map(|write| write.container.parent());
    let deletes = differences.deletes.iter().map(|(path, _)| path.parent());
    writes.chain(deletes).collect()
}

fn tell(differences: &Differences, job: &mut Job<'_>) {
    if !differences.deletes.is_empty() {
        let deletes: Vec<(&LocalPath, &ContainerPath)> = differences
            .deletes
            .iter()
            .map(|(path, local)| (local, path))
            .collect();
        (job.progress)(Progress::Delete(&deletes));
    }
    let files: Vec<(&LocalPath, &ContainerPath)> = differences
        .writes
        .iter()
        .filter(|write| !matches!(write.kind, Kind::Dir { .. }))
        .map(|write| (&write.local, &write.container))
        .collect();
    if !files.is_empty() {
        (job.progress)(Progress::Copy(&files));
    }
}

/// Returns the commands that a batch runs, after what was done.
fn due<'a>(batch: &'a Batch, synced: &Synced) -> Vec<&'a BatchRun> {
    let sent = synced.sent.iter().map(|sent| &sent.local);
    let deleted = synced.deleted.iter().map(|(local, _)| local);
    let changed: Vec<&LocalPath> = sent.chain(deleted).collect();
    if changed.is_empty() && !batch.runs_are_due {
        return Vec::new();
    }
    let is_due = |run: &&BatchRun| {
        let matches = |trigger: &LocalPath| changed.iter().any(|path| path.is_within(trigger));
        batch.runs_are_due || run.only_for.is_empty() || run.only_for.iter().any(matches)
    };
    batch.runs.iter().filter(is_due).collect()
}

fn why_in_place(said: &str) -> String {
    // What stands before the last cause names files, which may be called anything.
    let cause = said.trim_end().rsplit(": ").next().unwrap_or_default();
    let lower = cause.to_lowercase();
    let why = if lower.contains("busy") {
        "it is a mount point"
    } else if lower.contains("permission denied") || lower.contains("not permitted") {
        "its directory cannot be written"
    } else if lower.contains("read-only") {
        "its directory is on a read-only file system"
    } else {
        said
    };
    why.to_owned()
}

enum Sent {
    Answered(Box<Arrived>),
    /// Files became something else meanwhile.
    Changed,
}

/// What was sent, and answered.
struct Arrived {
    differences: Differences,
    to: Destinations,
    /// What each write holds, and how long it is.
    known: Vec<(Known, u64)>,
    answer: Answer,
}

/// Reads files in a thread of its own while they are sent.
async fn send(
    channel: &mut Channel,
    differences: Differences,
    to: Destinations,
    reads: SharedReads,
) -> Result<Sent, SyncFailure> {
    let (sender, mut pieces) = mpsc::channel(AHEAD);
    let reading = spawn_blocking(move || {
        let mut send = |piece| sender.blocking_send(piece).map_err(|_| Stop::Unwanted);
        let staged = stage(&differences, &to, &reads, &mut send);
        (staged, differences, to)
    });
    let answer = channel.send(&mut pieces).await;
    drop(pieces);
    let (staged, differences, to) = reading
        .await
        .map_err(|error| SyncFailure::Other(error.to_string()))?;
    match staged {
        Ok(known) => Ok(Sent::Answered(Box::new(Arrived {
            differences,
            to,
            known,
            answer: answer?,
        }))),
        Err(Stop::Changed) => Ok(Sent::Changed),
        Err(Stop::Failed(failure)) => Err(failure),
        Err(Stop::Unwanted) => answer.map(|_| Sent::Changed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn why_a_file_is_written_in_place_is_no_question_of_its_name() {
        let said = |text: &str| why_in_place(text);
        assert_eq!(
            said("mv: can't rename '/bin/busybox/x': Permission denied\n"),
            "its directory cannot be written"
        );
        assert_eq!(
            said("mv: cannot move 'a' to 'b': Device or resource busy"),
            "it is a mount point"
        );
        assert_eq!(
            said("mv: can't rename 'permission denied': Read-only file system"),
            "its directory is on a read-only file system"
        );
    }
}
