//! Streams the logs of containers of services into the log: one reader for each container, over all its runs and as many
//! connections as it takes.
//!
//! The Docker engine keeps what all runs of a container printed in one log. What was read is known by the times of the lines,
//! so a new connection begins in the last second that was read and leaves out what came from there already.

use std::sync::Arc;
use std::time::Duration;

use futures::StreamExt;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

use super::frames::Frames;
use crate::edge::container_log::{AskedLogs, Interruption, LogLines, Readers, Wishes};
use crate::edge::docker::{ApiError, Docker};
use crate::edge::lasting_tasks::lasting;
use crate::engine::{ContainerLog, Event, LogStream, LogStreams};
use crate::logs::{Level, LogStore, LogWriter};
use crate::model::ManifestName;

/// The pause before a new connection, doubled up to the longest until something is read again.
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);
/// Time for a log that is wanted no more to come to its end.
const FAREWELL: Duration = Duration::from_secs(2);
/// How often the log of a run that has ended is asked for, if it is refused.
const LAST_TRIES: u32 = 4;

/// All streams of logs. Dropping it ends them.
pub(in crate::edge) struct ContainerLogs {
    logs: LogStore,
    events: mpsc::Sender<Event>,
    asked: AskedLogs,
    readers: Readers<Key, ContainerLog>,
}

/// A container, for one resource.
type Key = (ManifestName, String);

impl ContainerLogs {
    pub(in crate::edge) fn new(logs: LogStore, events: mpsc::Sender<Event>) -> Self {
        Self {
            logs,
            events,
            asked: AskedLogs::default(),
            readers: Readers::default(),
        }
    }

    /// Streams these logs from now on. One that is wanted no more is read to its end first, if that comes within 2 s.
    pub(in crate::edge) fn set(&self, wanted: &LogStreams, docker: Option<&Arc<Docker>>) {
        let Some(docker) = docker else { return };
        let changes = self.asked.set(wanted, |log| match log {
            LogStream::Container(log) => Some(((log.manifest.clone(), log.container.clone()), log.clone())),
            LogStream::Pod(_) => None,
        });
        for (key, log) in changes {
            self.readers.set(key, log, |wishes| self.start(wishes, docker));
        }
    }

    /// Reads each stream to its present end and ends it; returns after 2 s at the latest.
    pub(in crate::edge) async fn drain(&self) {
        self.readers.drain().await;
    }

    fn start(&self, wishes: Wishes<ContainerLog>, docker: &Arc<Docker>) {
        let reader = Reader {
            docker: Arc::clone(docker),
            logs: self.logs.clone(),
            events: self.events.clone(),
            wishes,
            lines: LogLines::default(),
            pause: FIRST_PAUSE,
            failures: 0,
        };
        tokio::spawn(reader.run());
    }
}

struct Reader {
    docker: Arc<Docker>,
    logs: LogStore,
    events: mpsc::Sender<Event>,
    wishes: Wishes<ContainerLog>,
    lines: LogLines,
    pause: Duration,
    /// How often in a row the log was refused.
    failures: u32,
}

/// Why a reading stopped.
enum Stop {
    /// The engine ended it.
    End,
    /// It failed.
    Failed(ApiError),
    /// Something else has to be done.
    Interrupted(Interruption),
}

impl Reader {
    async fn run(self) {
        let log = self.wishes.peek();
        let name = format!("the reader of the log of container {}", log.name);
        let (writer, reader) = (self.writer(&log), Arc::new(tokio::sync::Mutex::new(self)));
        lasting(&name, &writer, || {
            let reader = Arc::clone(&reader);
            async move { reader.lock().await.read_all().await }
        })
        .await;
    }

    async fn read_all(&mut self) {
        let mut log = self.wishes.take();
        let mut has_ended = false;
        loop {
            let now = self.wishes.take();
            if now.run != log.run {
                // What the run before printed is read with what this one does.
                if !has_ended {
                    self.tell_end(&log).await;
                }
                has_ended = false;
                self.failures = 0;
            }
            log = now;
            let stop = match log.terminated && has_ended {
                true => Stop::Interrupted(self.wishes.interruption().await),
                false => self.read(&log, !log.terminated).await,
            };
            match stop {
                Stop::End if log.terminated => {
                    self.tell_end(&log).await;
                    has_ended = true;
                }
                Stop::Failed(error) if log.terminated && !self.may_try_again(&error) => {
                    self.tell_end(&log).await;
                    has_ended = true;
                }
                Stop::End => {
                    if let Some(why) = self.wait().await {
                        return self.leave(&log, why).await;
                    }
                }
                Stop::Failed(error) => {
                    self.report(&log, &error);
                    if let Some(why) = self.wait().await {
                        return self.leave(&log, why).await;
                    }
                }
                Stop::Interrupted(Interruption::Changed) => {}
                Stop::Interrupted(why) => return self.leave(&log, why).await,
            }
        }
    }

    /// Reads until the end, or until something else has to be done. Whoever follows a run is not interrupted because it
    /// ended: the engine ends the stream after the last line.
    async fn read(&mut self, log: &ContainerLog, follow: bool) -> Stop {
        self.lines.reconnect(true, false);
        let since = log.since.map(|since| since.0.div_euclid(1_000_000));
        let since = self.lines.second().max(since);
        let opened = self.docker.container_log(&log.container, since, follow).await;
        let pieces = match opened {
            Ok(pieces) => pieces,
            Err(error) => return Stop::Failed(error),
        };
        let mut pieces = std::pin::pin!(pieces);
        let mut frames = Frames::new(log.has_tty);
        loop {
            let piece = tokio::select! {
                biased;
                why = self.wishes.interruption(), if follow => match why {
                    Interruption::Changed if self.wishes.peek().run == log.run => continue,
                    why => return Stop::Interrupted(why),
                },
                piece = pieces.next() => piece,
            };
            match piece {
                None => break,
                Some(Ok(piece)) => {
                    let lines = frames.feed(&piece);
                    self.write(log, &lines);
                }
                Some(Err(error)) => return Stop::Failed(error),
            }
        }
        if log.terminated || !follow {
            let rest = frames.finish();
            self.write(log, &rest);
        }
        Stop::End
    }

    fn write(&mut self, log: &ContainerLog, lines: &[u8]) {
        let prefix = match log.prefixed {
            true => format!("[{}] ", log.name),
            false => String::new(),
        };
        let text = self.lines.feed(lines, &prefix);
        if !text.is_empty() {
            (self.pause, self.failures) = (FIRST_PAUSE, 0);
            self.writer(log).raw(Level::Info, text);
        }
    }

    /// Waits before the next connection. Returns why there will be none.
    async fn wait(&mut self) -> Option<Interruption> {
        let pause = self.pause;
        self.pause = (pause * 2).min(LONGEST_PAUSE);
        tokio::select! {
            biased;
            why = self.wishes.interruption() => match why {
                Interruption::Changed => {
                    self.pause = FIRST_PAUSE;
                    None
                }
                why => Some(why),
            },
            () = sleep(pause) => None,
        }
    }

    /// Reads what is still there, then stops for good.
    async fn leave(&mut self, log: &ContainerLog, why: Interruption) {
        // What could not be read by then is not waited for.
        let _ = timeout(FAREWELL, self.read(log, false)).await;
        why.obeyed();
    }

    async fn tell_end(&self, log: &ContainerLog) {
        // The loop may be gone already at exit.
        let _ = self.events.send(Event::LogStreamEnded(log.id())).await;
    }

    /// The container of a run that has ended may be gone with its log; then there is nothing to wait for.
    fn may_try_again(&mut self, error: &ApiError) -> bool {
        if is_gone(error) {
            return false;
        }
        self.failures += 1;
        error.is_unreachable() || self.failures < LAST_TRIES
    }

    /// An engine that is away comes back, and a container that is gone is no news.
    fn report(&mut self, log: &ContainerLog, error: &ApiError) {
        self.failures += 1;
        if self.failures == 1 && !is_gone(error) && !error.is_unreachable() {
            let text = format!("Error streaming {} logs: {error}", log.name);
            self.writer(log).info(&text);
        }
    }

    fn writer(&self, log: &ContainerLog) -> LogWriter {
        LogWriter::new(self.logs.clone(), log.span.clone(), log.manifest.clone())
    }
}

/// Returns whether an error says that the container is gone, or just being removed.
fn is_gone(error: &ApiError) -> bool {
    match error {
        ApiError::Refused { status: 404, .. } => true,
        ApiError::Refused { status: 409, message } => message.contains("marked for removal"),
        _ => false,
    }
}
