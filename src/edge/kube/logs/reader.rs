//! Reads the log of one container, over all its runs and as many connections as it takes.
//!
//! The API server knows logs by container name: the present run, or the one before it. A request can meet another run
//! than was meant, when the container was just restarted. So one reader reads all runs of a container, one after the
//! other, and the times of the lines tell which were written already.

use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures::{AsyncBufRead, AsyncBufReadExt};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp as Time;
use kube::api::LogParams;
use tokio::sync::{Mutex, mpsc};
use tokio_util::task::AbortOnDropHandle;

use super::pace::LogPace;
use crate::clock;
use crate::edge::container_log::{Interruption, LogLines, Wishes};
use crate::edge::kube::connection::{Cluster, is_login_refused, is_lost, is_not_found, message};
use crate::edge::lasting_tasks::lasting;
use crate::engine::{Event, PodLog};
use crate::logs::{Level, LogStore, LogWriter};
use crate::model::{Backoff, Timestamp};

/// The pauses before a new connection, where few wait, until something is read again.
const PAUSES: Backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(1));
/// How long a stream may be silent before it is connected anew, until something is read again. A kubelet may stop following
/// a log that was rotated.
const SILENCES: Backoff = Backoff::new(Duration::from_secs(15), Duration::from_secs(300));
/// Time for a stream that is wanted no more to come to its end.
const FAREWELL: Duration = Duration::from_secs(2);
/// The time between two readings of the log of a run that has ended. The runtime hands what is in its pipes, some
/// 50 kB, to the log's file after the container was said to have ended; nothing tells when it has done so.
const SETTLING: Duration = Duration::from_millis(100);
/// How often the log of a run that has ended is asked for, if it is refused.
const LAST_TRIES: u32 = 4;
/// How often, if its node does not answer: it may be back soon.
const LAST_TRIES_OF_NODE: u32 = 60;

/// How long the stream of a run that has ended may be silent before its log is read to the end anew.
const QUIET: Duration = Duration::from_millis(500);
/// How many chunks of a stream, of some 16 kB each, wait until they are written. A node keeps no more of a log than a file
/// of it: a burst must be read as fast as it comes, whatever writing it takes.
const CHUNKS: usize = 8192;

/// Reads one container's log.
pub(super) struct LogReader {
    cluster: Cluster,
    logs: LogStore,
    events: mpsc::Sender<Event>,
    wishes: Wishes<PodLog>,
    lines: LogLines,
    pace: Arc<LogPace>,
    pauses: Backoff,
    silences: Backoff,
    failures: u32,
    /// Whether the last connection ended while there may have been more to read.
    was_cut: bool,
    /// Lines before this time are not read any more, after a panic.
    since: Option<Timestamp>,
}

/// Which log to read, and how far.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Reading {
    /// The present run, on and on.
    Follow,
    /// The present run, to its present end.
    ToEnd,
    /// The run before the present one.
    Previous,
}

/// Why a reading stopped.
enum Stop {
    /// The server ended it.
    End,
    /// It failed.
    Failed(kube::Error),
    /// Something else has to be done.
    Interrupted(Interruption),
    /// Nothing came for long.
    Silent,
}

impl LogReader {
    pub(in crate::edge::kube) fn new(
        cluster: Cluster,
        logs: LogStore,
        events: mpsc::Sender<Event>,
        wishes: Wishes<PodLog>,
        pace: Arc<LogPace>,
    ) -> Self {
        Self {
            cluster,
            logs,
            events,
            wishes,
            lines: LogLines::default(),
            pace,
            pauses: PAUSES,
            silences: SILENCES,
            failures: 0,
            was_cut: false,
            since: None,
        }
    }

    /// Reads until it is wanted no more or drained. After a panic it goes on with what comes then: what led to it would
    /// lead to it again.
    pub(in crate::edge::kube) async fn run(self) {
        let stream = self.wishes.peek();
        let name = format!("the reader of the log of pod {}", stream.pod_name);
        let (log, reader) = (self.log(&stream), Arc::new(Mutex::new(self)));
        let mut is_first = true;
        lasting(&name, &log, || {
            let (reader, is_anew) = (Arc::clone(&reader), !std::mem::take(&mut is_first));
            async move {
                let mut reader = reader.lock().await;
                if is_anew {
                    reader.lines = LogLines::default();
                    reader.since = Some(clock::timestamp());
                }
                reader.read_all().await;
            }
        })
        .await;
    }

    async fn read_all(&mut self) {
        let mut stream = self.wishes.take();
        let mut ended = false;
        if stream.missed_run {
            self.read_out(&stream, Reading::Previous).await;
        }
        loop {
            let now = self.wishes.take();
            if now.container_id != stream.container_id {
                self.read_out(&stream, Reading::Previous).await;
                if !ended {
                    self.end(&stream).await;
                }
                ended = false;
                self.failures = 0;
            }
            stream = now;
            let stop = if ended {
                Stop::Interrupted(self.wishes.interruption().await)
            } else if stream.terminated {
                self.read_out(&stream, Reading::ToEnd).await
            } else {
                self.read(&stream, Reading::Follow).await
            };
            match stop {
                Stop::End if stream.terminated => ended = self.end(&stream).await,
                Stop::Failed(error) if stream.terminated && !self.may_try_again(&error) => {
                    ended = self.end(&stream).await;
                }
                Stop::End => {
                    if let Some(why) = self.wait(None).await {
                        return self.leave(&stream, why, ended).await;
                    }
                }
                Stop::Failed(error) => {
                    self.report(&stream, &error);
                    if let Some(why) = self.wait(Some(error)).await {
                        return self.leave(&stream, why, ended).await;
                    }
                }
                Stop::Silent | Stop::Interrupted(Interruption::Changed) => {}
                Stop::Interrupted(why) => return self.leave(&stream, why, ended).await,
            }
        }
    }

    /// Reads the log of a run that has ended to its very end: until a reading brings nothing new, as the runtime may
    /// still be writing, and may have written half a line.
    async fn read_out(&mut self, stream: &PodLog, reading: Reading) -> Stop {
        let mut before = None;
        loop {
            match self.read(stream, reading).await {
                Stop::End if before == Some(self.lines.extent()) => break,
                Stop::End => before = Some(self.lines.extent()),
                stop => return stop,
            }
            tokio::time::sleep(SETTLING).await;
        }
        self.finish(stream);
        Stop::End
    }

    /// Reads until something else has to be done.
    async fn read(&mut self, stream: &PodLog, reading: Reading) -> Stop {
        // That the log of a run before is gone is no news: it was read while it ran.
        let was_cut = std::mem::replace(&mut self.was_cut, true);
        self.lines.reconnect(reading == Reading::Previous, was_cut);
        let pods: kube::Api<Pod> = kube::Api::namespaced(self.cluster.client(), &stream.namespace);
        let params = self.params(stream, reading);
        // A connection may be dead without knowing.
        let mut renewals = self.cluster.outages().renewals();
        let opening = pods.log_stream(&stream.pod_name, &params);
        let opened = if reading == Reading::Follow {
            tokio::select! {
                biased;
                why = self.wishes.interruption() => return Stop::Interrupted(why),
                opened = opening => opened,
                _ = renewals.changed() => return Stop::Silent,
            }
        } else {
            tokio::select! {
                opened = opening => opened,
                _ = renewals.changed() => return dead(),
            }
        };
        let mut chunks = match opened {
            Ok(bytes) => Chunks::of(bytes),
            Err(error) => {
                // Nothing was read of it.
                self.was_cut = was_cut;
                return Stop::Failed(error);
            }
        };
        let mut any = false;
        // A run that has ended is followed to the end: whoever connects anew may find another file.
        let mut has_ended = false;
        loop {
            // Only a stream that goes on has to listen for what else is wanted.
            let chunk = if reading == Reading::Follow {
                let silence = if has_ended { QUIET } else { self.silences.current() };
                tokio::select! {
                    biased;
                    why = self.wishes.interruption(), if !has_ended => {
                        let now = self.wishes.peek();
                        let is_over = now.terminated || now.container_id != stream.container_id;
                        if !matches!(why, Interruption::Changed) || !is_over {
                            return Stop::Interrupted(why);
                        }
                        has_ended = true;
                        continue;
                    }
                    chunk = chunks.next() => chunk,
                    _ = renewals.changed() => return Stop::Silent,
                    () = tokio::time::sleep(silence), if any || has_ended => {
                        self.was_cut = false;
                        if !has_ended {
                            self.silences.pause();
                        }
                        return Stop::Silent;
                    }
                }
            } else {
                tokio::select! {
                    chunk = chunks.next() => chunk,
                    _ = renewals.changed() => return dead(),
                }
            };
            match chunk {
                None => break,
                Some(Ok(chunk)) => {
                    let text = self.lines.feed(&chunk, &prefix(stream));
                    if !text.is_empty() {
                        if !self.pauses.is_fresh() {
                            self.pace.works();
                        }
                        (self.pauses, self.silences, self.failures) = (PAUSES, SILENCES, 0);
                        any = true;
                    }
                    self.write(stream, text);
                }
                Some(Err(error)) => return Stop::Failed(kube::Error::ReadEvents(error)),
            }
        }
        self.was_cut = false;
        self.lines.connection_ended();
        self.warn_of_watches(stream);
        Stop::End
    }

    /// Writes what was read of a last line without a newline.
    fn finish(&mut self, stream: &PodLog) {
        let text = self.lines.finish(&prefix(stream));
        self.write(stream, text);
    }

    fn params(&self, stream: &PodLog, reading: Reading) -> LogParams {
        let since = stream.since.max(self.since);
        let since = since.map(|since| since.0.div_euclid(1_000_000));
        let second = self.lines.second().max(since);
        LogParams {
            container: Some(stream.container.clone()),
            follow: reading == Reading::Follow,
            previous: reading == Reading::Previous,
            since_time: second.and_then(|second| Time::from_second(second).ok()),
            timestamps: true,
            ..LogParams::default()
        }
    }

    /// Waits before the next connection. Returns why there will be none.
    async fn wait(&mut self, error: Option<kube::Error>) -> Option<Interruption> {
        let pause = self.pauses.pause();
        let (cluster, pace) = (self.cluster.clone(), Arc::clone(&self.pace));
        let again = async move {
            match error {
                Some(error) if is_lost(&error) => cluster.answers_again().await,
                Some(error) => {
                    if is_login_refused(&error) {
                        cluster.login_refused().await;
                    }
                    pace.wait(pause).await;
                }
                None => tokio::time::sleep(pause).await,
            }
        };
        tokio::select! {
            biased;
            why = self.wishes.interruption() => match why {
                Interruption::Changed => {
                    self.pauses.reset();
                    None
                }
                why => Some(why),
            },
            () = again => None,
        }
    }

    /// Reads what is still there, then stops for good.
    async fn leave(&mut self, stream: &PodLog, why: Interruption, ended: bool) {
        if !ended {
            let reading = async {
                if stream.terminated {
                    self.read_out(stream, Reading::ToEnd).await
                } else {
                    self.read(stream, Reading::ToEnd).await
                }
            };
            // What could not be read by then is not waited for.
            let _ = tokio::time::timeout(FAREWELL, reading).await;
            self.finish(stream);
        }
        why.obeyed();
    }

    /// Says that a run was read to its end. Returns `true`, for the caller to remember.
    async fn end(&mut self, stream: &PodLog) -> bool {
        let event = Event::LogStreamEnded(stream.id());
        // The loop may be gone already at exit.
        let _ = self.events.send(event).await;
        true
    }

    /// A run that has ended may be gone with its log; then there is nothing to wait for.
    fn may_try_again(&mut self, error: &kube::Error) -> bool {
        let tries = match error {
            error if is_lost(error) => return true,
            error if is_not_found(error) => return false,
            kube::Error::Api(status) if status.code >= 500 => LAST_TRIES_OF_NODE,
            _ => LAST_TRIES,
        };
        self.failures += 1;
        self.failures < tries
    }

    fn report(&mut self, stream: &PodLog, error: &kube::Error) {
        let text = message(error);
        let expected = is_not_found(error)
            || is_login_refused(error)
            || text.contains("is waiting to start")
            || text.contains("unexpected EOF");
        if !expected {
            self.write(
                stream,
                format!("Error streaming {} logs: {text}\n", stream.pod_name),
            );
        }
    }

    fn write(&mut self, stream: &PodLog, text: String) {
        if !text.is_empty() {
            self.log(stream).raw(Level::Info, text);
        }
        self.warn_of_watches(stream);
    }

    fn warn_of_watches(&mut self, stream: &PodLog) {
        if self.lines.take_out_of_watches() {
            self.log(stream).warn(&format!(
                "Error streaming {} logs: too many inotify watches are in use on the node\n\
                 hint: raise the limit there: `sysctl fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=524288`",
                stream.pod_name
            ));
        }
    }

    fn log(&self, stream: &PodLog) -> LogWriter {
        LogWriter::new(self.logs.clone(), stream.span.clone(), stream.manifest.clone())
    }
}

/// What comes of a stream, taken from the network as soon as it comes.
struct Chunks {
    arrived: mpsc::Receiver<std::io::Result<Bytes>>,
    _taking: AbortOnDropHandle<()>,
}

impl Chunks {
    fn of(stream: impl AsyncBufRead + Send + 'static) -> Self {
        let (sender, arrived) = mpsc::channel(CHUNKS);
        let taking = tokio::spawn(async move {
            let mut stream = Box::pin(stream);
            loop {
                let chunk = match stream.fill_buf().await {
                    Ok([]) => return,
                    Ok(chunk) => Ok(Bytes::copy_from_slice(chunk)),
                    Err(error) => Err(error),
                };
                let is_last = chunk.is_err();
                stream.as_mut().consume(chunk.as_ref().map_or(0, Bytes::len));
                if sender.send(chunk).await.is_err() || is_last {
                    return;
                }
            }
        });
        Self {
            arrived,
            _taking: AbortOnDropHandle::new(taking),
        }
    }

    /// Returns what came next; `None` at the end.
    async fn next(&mut self) -> Option<std::io::Result<Bytes>> {
        self.arrived.recv().await
    }
}

/// A reading whose connection was dead.
fn dead() -> Stop {
    Stop::Failed(kube::Error::ReadEvents(std::io::ErrorKind::TimedOut.into()))
}

fn prefix(stream: &PodLog) -> String {
    if stream.prefixed {
        format!("[{}] ", stream.container)
    } else {
        String::new()
    }
}
