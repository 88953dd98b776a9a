//! What the store's lock guards: the window in memory, the lines that are incomplete, and how far the disk is.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::disk::SegmentFile;
use super::place::{Place, weight};
use super::scrub::Scrubber;
use super::{Level, LogEvent, Segment};
use crate::clock;
use crate::model::{ManifestName, SpanId, Timestamp};

/// How far the disk may fall behind, as a multiple of the window, before an append waits for it.
const BACKLOG_WINDOWS: usize = 3;

/// What the lock guards.
pub(super) struct State {
    window: VecDeque<Arc<Segment>>,
    window_bytes: usize,
    window_limit: usize,
    /// The position of the next segment.
    pub(super) next: u64,
    /// How many segments so far continue a line.
    pub(super) pieces: u64,
    /// Up to here segments are on disk, or were lost before.
    pub(super) written: Place,
    pub(super) disk: Disk,
    /// Why the log could not be written to disk the last time that it could not.
    pub(super) fault: Option<String>,
    /// What readers can page back to.
    pub(super) files: Arc<Vec<SegmentFile>>,
    /// From which position on files are still to be scrubbed again.
    pub(super) scrub_files: Option<u64>,
    pub(super) closed: bool,
    /// Whether somebody writes to disk.
    pub(super) has_writer: bool,
    /// Since when the disk has had something to write.
    pub(super) writing_since: Option<Instant>,
    /// Whether the writer is to panic.
    #[cfg(test)]
    pub(super) is_doomed: bool,
    /// Positions from which on the disk waits, each until its hold is dropped.
    pub(super) holds: Vec<u64>,
    spans: HashMap<Source, OpenLine>,
    /// How many warnings and errors each source has; only those that have any.
    pub(super) faults: BTreeMap<SpanId, SpanFaults>,
    /// Made of the secrets; `None` after they changed, until it is needed.
    scrubber: Option<Arc<Scrubber>>,
    secrets: BTreeMap<String, String>,
    /// What a load has declared secret so far; only its end tells whether it stays so.
    early_secrets: BTreeMap<String, String>,
}

/// Whether the log is on disk.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Disk {
    /// The log is kept in memory only.
    None,
    Works,
    Failed,
}

/// How many warnings and errors a source has told, each of one or more lines.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct LogFaults {
    /// Warnings.
    pub warnings: u64,
    /// Errors.
    pub errors: u64,
}

/// What a source of a resource has told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpanFaults {
    /// The source.
    pub span: SpanId,
    /// The resource.
    pub manifest: Option<ManifestName>,
    /// How many it told.
    pub faults: LogFaults,
}

type Source = (Option<SpanId>, Option<ManifestName>);

/// The last line of a source while it is incomplete.
struct OpenLine {
    level: Level,
    /// Text that may be the start of a secret.
    held: String,
    /// Whether a part of the line is in the log already.
    begun: bool,
    /// What the first segment of the held text is to say of itself.
    starts_update: bool,
}

impl State {
    pub(super) fn new(window_limit: usize, disk: Disk) -> Self {
        Self {
            window: VecDeque::new(),
            window_bytes: 0,
            window_limit,
            next: 0,
            pieces: 0,
            written: Place::default(),
            disk,
            fault: None,
            files: Arc::default(),
            scrub_files: None,
            closed: false,
            has_writer: false,
            writing_since: None,
            #[cfg(test)]
            is_doomed: false,
            holds: Vec::new(),
            spans: HashMap::new(),
            faults: BTreeMap::new(),
            scrubber: None,
            secrets: BTreeMap::new(),
            early_secrets: BTreeMap::new(),
        }
    }

    /// Returns the position of the oldest segment in memory.
    pub(super) fn window_start(&self) -> u64 {
        self.next - self.window.len() as u64
    }

    /// Returns the place before the oldest segment in memory.
    pub(super) fn window_place(&self) -> Place {
        self.place_in_window(self.window_start())
    }

    /// Returns the place of a position in memory; for one before that, how many pieces it has is not known.
    pub(super) fn place_in_window(&self, position: u64) -> Place {
        let at = position.saturating_sub(self.window_start());
        let segment = usize::try_from(at).ok().and_then(|at| self.window.get(at));
        let pieces = segment.map_or(self.pieces, |segment| segment.pieces);
        Place { position, pieces }
    }

    /// Returns the segments in memory from this position on, as many as fit the limits but at least one.
    pub(super) fn copy_window(&self, from: u64, max_segments: usize, max_bytes: usize) -> Vec<Arc<Segment>> {
        let skip = usize::try_from(from - self.window_start()).unwrap_or(usize::MAX);
        let mut bytes = 0;
        self.window
            .iter()
            .skip(skip)
            .take(max_segments)
            .take_while(|segment| {
                let fits = bytes < max_bytes;
                bytes += segment.text.len();
                fits
            })
            .cloned()
            .collect()
    }

    /// Returns whether the disk has not answered for so long that nobody should ask it.
    pub(super) fn hangs(&self, patience: Duration) -> bool {
        let now = clock::now();
        self.writing_since
            .is_some_and(|since| now.duration_since(since) >= patience)
    }

    /// Returns whether there is nothing to do for the disk.
    pub(super) fn is_idle(&self) -> bool {
        self.written.position >= self.disk_limit() && self.scrub_files.is_none()
    }

    /// Returns the position up to which segments go to disk now. A hold gives way where the window is full: nothing is
    /// lost for it.
    pub(super) fn disk_limit(&self) -> u64 {
        let held_from = self.holds.iter().min().copied();
        held_from
            .filter(|_| !self.closed && self.window_bytes <= self.window_limit)
            .map_or(self.next, |from| from.min(self.next))
    }

    /// Adds to the secrets, each with what stands in for it. What was one only during a load is forgotten.
    pub(super) fn add_secrets(&mut self, secrets: &[(String, String)]) {
        let is_known = |(secret, stand_in): &(String, String)| self.secrets.get(secret) == Some(stand_in);
        if self.early_secrets.is_empty() && secrets.iter().all(is_known) {
            return;
        }
        self.early_secrets.clear();
        self.secrets.extend(secrets.iter().cloned());
        self.scrubber = None;
    }

    /// Adds secrets that a load has declared so far.
    pub(super) fn add_early_secrets(&mut self, secrets: Vec<(String, String)>) {
        self.early_secrets.extend(secrets);
        self.scrubber = None;
    }

    /// Returns what replaces secrets.
    pub(super) fn scrubber(&mut self) -> Arc<Scrubber> {
        let (secrets, early) = (&self.secrets, &self.early_secrets);
        let scrubber = self.scrubber.get_or_insert_with(|| {
            let all = early.iter().chain(secrets);
            let all: Vec<_> = all
                .map(|(secret, shown)| (secret.clone(), shown.clone()))
                .collect();
            Arc::new(Scrubber::new(&all))
        });
        Arc::clone(scrubber)
    }

    pub(super) fn secret_count(&self) -> usize {
        self.secrets.len()
    }

    pub(super) fn scrub_window(&mut self, from: u64) {
        let scrubber = self.scrubber();
        for segment in self.window.iter_mut().rev() {
            if segment.position < from {
                break;
            }
            if let Some(text) = scrubber.scrubbed(&segment.text) {
                self.window_bytes -= weight(segment);
                Arc::make_mut(segment).text = text;
                self.window_bytes += weight(segment);
            }
        }
    }

    pub(super) fn is_behind(&self) -> bool {
        let backlog = self.window_limit * BACKLOG_WINDOWS;
        self.disk == Disk::Works && !self.closed && self.window_bytes > backlog
    }

    pub(super) fn append(&mut self, event: LogEvent, time: Timestamp) {
        let source = source_of(&event);
        let mut line = self.open_line(source.clone(), &event, time);
        let mut raw = std::mem::take(&mut line.held);
        raw.push_str(&event.text);
        let mut text = String::with_capacity(raw.len());
        self.scrubber().scrub(&mut raw, &mut text);
        line.held = raw;
        let line = self.push_lines(&source, line, &text, event.progress.as_ref(), time);
        if line.begun || !line.held.is_empty() {
            self.spans.insert(source, line);
        }
    }

    /// Returns the incomplete line that the event continues; one of another level is ended first.
    fn open_line(&mut self, source: Source, event: &LogEvent, time: Timestamp) -> OpenLine {
        match self.spans.remove(&source) {
            Some(line) if line.level == event.level => OpenLine {
                starts_update: line.starts_update || event.starts_update,
                ..line
            },
            other => {
                if let Some(line) = other {
                    self.push_held(&source, line, time);
                }
                OpenLine {
                    level: event.level,
                    held: String::new(),
                    begun: false,
                    starts_update: event.starts_update,
                }
            }
        }
    }

    /// Adds text to the window, one segment per line; returns what is known of the line that is then incomplete.
    fn push_lines(
        &mut self,
        source: &Source,
        mut line: OpenLine,
        text: &str,
        progress: Option<&super::Progress>,
        time: Timestamp,
    ) -> OpenLine {
        let mut anchor = line.level >= Level::Warn;
        for part in text.split_inclusive('\n') {
            self.push(Segment {
                position: self.next,
                pieces: self.pieces,
                time,
                span: source.0.clone(),
                manifest: source.1.clone(),
                level: line.level,
                text: part.to_owned(),
                continues: line.begun,
                anchor: anchor && !line.begun,
                starts_update: std::mem::take(&mut line.starts_update),
                progress: progress.cloned(),
            });
            anchor = false;
            line.begun = !part.ends_with('\n');
        }
        line
    }

    /// Adds what was held of a line: nothing more of it will come.
    fn push_held(&mut self, source: &Source, mut line: OpenLine, time: Timestamp) {
        let mut text = String::new();
        self.scrubber().scrub_end(&mut line.held, &mut text);
        self.push_lines(source, line, &text, None, time);
    }

    pub(super) fn append_held(&mut self, time: Timestamp) {
        for (source, line) in std::mem::take(&mut self.spans) {
            self.push_held(&source, line, time);
        }
    }

    fn push(&mut self, segment: Segment) {
        if let Some(span) = segment.span.as_ref().filter(|_| segment.anchor) {
            let of = self.faults.entry(span.clone()).or_insert_with(|| SpanFaults {
                span: span.clone(),
                manifest: segment.manifest.clone(),
                faults: LogFaults::default(),
            });
            let faults = &mut of.faults;
            match segment.level {
                Level::Error => faults.errors += 1,
                _ => faults.warnings += 1,
            }
        }
        self.next += 1;
        self.pieces += u64::from(segment.continues);
        self.window_bytes += weight(&segment);
        self.window.push_back(Arc::new(segment));
        self.shrink_window();
    }

    /// Drops the oldest segments from memory; one that the disk is still to get stays.
    pub(super) fn shrink_window(&mut self) {
        let kept_from = match self.disk {
            Disk::Works => self.written.position,
            Disk::None | Disk::Failed => self.next,
        };
        while self.window_bytes > self.window_limit
            && let Some(oldest) = self.window.pop_front_if(|oldest| oldest.position < kept_from)
        {
            self.window_bytes -= weight(&oldest);
        }
    }

    pub(super) fn disk_failed(&mut self, err: &io::Error) {
        self.fault = Some(format!("cannot write the log to disk: {err}"));
        if self.disk != Disk::Failed {
            self.disk = Disk::Failed;
            self.tell(format!(
                "cannot write the log to disk, old lines will be lost: {err}\n"
            ));
        }
    }

    /// Takes in that the disk works; how many lines it did not get since it failed is told.
    pub(super) fn disk_works(&mut self, lost: u64) {
        if self.disk == Disk::Failed {
            self.disk = Disk::Works;
            let lines = if lost == 1 { "line" } else { "lines" };
            self.tell(match lost {
                0 => "the log is written to disk again; no line is lost\n".to_owned(),
                _ => format!("the log is written to disk again; it lacks {lost} {lines}\n"),
            });
        }
    }

    /// Adds a warning of our own.
    fn tell(&mut self, text: String) {
        self.push(Segment {
            position: self.next,
            pieces: self.pieces,
            time: clock::timestamp(),
            span: None,
            manifest: None,
            level: Level::Warn,
            text,
            continues: false,
            anchor: true,
            starts_update: false,
            progress: None,
        });
    }
}

/// Returns whose line an event is part of. A line of a resource but of no span gets a span of its own.
///
/// Rule: `docs/rules/logs.md`, "Spans", `unknown:<resource>`.
fn source_of(event: &LogEvent) -> Source {
    let unknown = || {
        let manifest = event.manifest.as_ref()?;
        Some(SpanId::new(format!("unknown:{manifest}")))
    };
    (event.span.clone().or_else(unknown), event.manifest.clone())
}
