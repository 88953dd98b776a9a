//! What is known of a possible circle: an update, or a load of the Tiltfile, that writes what it reads.
//!
//! Who wrote a file is not known. It is a circle if the same file changed in each of several rounds, each time while the
//! same thing of ours ran anew or had just ended, and nothing else asked for a round.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use crate::engine::effect::Effect;
use crate::model::{Level, LocalPath, LogEvent, ManifestName, SpanId};
use crate::view::CircleView;

/// How many rounds in a row make a circle.
const ROUNDS: u32 = 5;
/// How many rounds in a row let it seem that what ran meanwhile led to them.
const SEEMS: u32 = 2;
/// The time from the start of a round to the start of the next one, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest such time.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long after the end of an update what it wrote may still be reported.
pub(crate) const LATE: Duration = Duration::from_millis(100);
/// The longest time between the end of a round and the start of the next one, without the pause.
const GAP: Duration = Duration::from_secs(10);
/// How long after an update its server may write what it reads, and what it read may have been something else.
pub(crate) const SOON: Duration = Duration::from_secs(1);

/// What is known of a possible circle of one resource, or of the Tiltfile.
#[derive(Debug, Default)]
pub(crate) struct Cycle {
    /// What changed since the last round began while something ran, and what ran.
    fresh: Files,
    /// Whether anything changed by itself since.
    by_hand: bool,
    /// What changed so in each of the last rounds, and what ran each time.
    files: Files,
    rounds: u32,
    began: Option<Instant>,
    pub(crate) ended: Option<Instant>,
    /// Whether a file that was written with the content that it had has led to a round since it last held another one.
    has_spared: bool,
}

type Files = BTreeMap<LocalPath, Runs>;

/// What ran, and the number of the run.
pub(crate) type Runs = BTreeMap<ManifestName, u64>;

/// Who ended lately.
#[derive(Debug, Default)]
pub(crate) struct RecentlyEnded(pub(crate) VecDeque<(Instant, ManifestName, u64)>);

impl RecentlyEnded {
    pub(crate) fn note(&mut self, now: Instant, name: ManifestName, run: u64) {
        while self.0.front().is_some_and(|(at, ..)| now >= *at + LATE) {
            self.0.pop_front();
        }
        self.0.push_back((now, name, run));
    }
}

impl Cycle {
    /// Notes a change, and what ran then.
    pub(crate) fn note_change(&mut self, path: &LocalPath, running: &Runs) {
        if running.is_empty() {
            self.by_hand = true;
        } else {
            let known = self.fresh.entry(path.clone()).or_default();
            known.extend(running.iter().map(|(name, run)| (name.clone(), *run)));
        }
    }

    pub(crate) fn note_end(&mut self, now: Instant) {
        self.ended = Some(now);
    }

    /// Returns whether a write that left a file as it was is to be heeded: once, if a round may have read it in between.
    pub(crate) fn heeds_same(&mut self, now: Instant, is_running: bool) -> bool {
        let may_have_read = is_running || self.ended.is_some_and(|at| now < at + SOON);
        let is_heeded = may_have_read && !self.has_spared;
        self.has_spared |= is_heeded;
        is_heeded
    }

    /// Returns whether nothing runs, or has just run, that may have touched a file itself.
    pub(crate) fn is_at_rest(&self, now: Instant, is_running: bool) -> bool {
        !is_running && self.ended.is_none_or(|at| now >= at + SOON)
    }

    pub(crate) fn note_other_content(&mut self) {
        self.has_spared = false;
    }

    /// Begins a round. Returns whether it is now clear that it is a circle.
    pub(crate) fn begin(&mut self, now: Instant, only_files: bool) -> bool {
        let fresh = std::mem::take(&mut self.fresh);
        let by_hand = std::mem::take(&mut self.by_hand) || !only_files || fresh.is_empty();
        let is_soon = self.ended.is_some_and(|at| now <= at + self.pause() + GAP);
        let common = common(&self.files, &fresh);
        self.began = Some(now);
        if by_hand {
            (self.rounds, self.files) = (0, Files::new());
        } else if self.rounds == 0 || !is_soon || common.is_empty() {
            (self.rounds, self.files) = (1, fresh);
        } else {
            (self.rounds, self.files) = (self.rounds + 1, common);
        }
        self.rounds == ROUNDS
    }

    /// Returns the time from the start of the last round to that of the next one.
    pub(crate) fn pause(&self) -> Duration {
        let Some(doublings) = self.rounds.checked_sub(ROUNDS) else {
            return Duration::ZERO;
        };
        (FIRST_PAUSE * (1 << doublings.min(8))).min(LONGEST_PAUSE)
    }

    /// Returns until when the next round waits.
    pub(crate) fn waits_until(&self, now: Instant) -> Option<Instant> {
        let mut fresh = self.fresh.keys();
        let goes_on = !self.by_hand && fresh.all(|file| self.files.contains_key(file));
        let until = self.began? + self.pause();
        (goes_on && now < until).then_some(until)
    }

    /// Returns what seems to lead to the rounds: it ran each time that the file changed which led to one.
    pub(crate) fn led_by(&self) -> BTreeSet<ManifestName> {
        let runs = self.files.values().filter(|_| self.rounds >= SEEMS);
        runs.flat_map(Runs::keys).cloned().collect()
    }

    /// Returns which files changed in each round, and while what ran.
    pub(crate) fn reason(&self, cwd: &LocalPath, name: &ManifestName) -> String {
        let shown = |file: &LocalPath| format!("\"{}\"", file.relative_to(cwd).display());
        let files: Vec<String> = self.files.keys().map(shown).collect();
        let writers: BTreeSet<&ManifestName> = self.files.values().flat_map(Runs::keys).collect();
        let writers: Vec<String> = writers.iter().map(|name| format!("\"{name}\"")).collect();
        format!(
            "{} changed in each of the last {ROUNDS} runs, while {} ran, and \"{name}\" reads it: this goes round in a circle",
            files.join(", "),
            writers.join(", ")
        )
    }

    pub(crate) fn view(&self, cwd: &LocalPath, name: &ManifestName) -> CircleView {
        CircleView {
            why: self.reason(cwd, name),
            rounds: self.rounds,
        }
    }

    /// Says that it is a circle.
    pub(crate) fn told(&self, cwd: &LocalPath, span: SpanId, name: &ManifestName, hint: &str) -> Effect {
        let text = format!(
            "{}, so from now on it runs every few seconds only\nhint: let it be written elsewhere, or {hint}",
            self.reason(cwd, name)
        );
        Effect::Log(LogEvent::line(span, name.clone(), text).level(Level::Warn))
    }
}

fn common(before: &Files, now: &Files) -> Files {
    let both = |(file, runs): (&LocalPath, &Runs)| {
        let anew = now
            .get(file)?
            .iter()
            .filter(|(name, run)| runs.get(*name).is_some_and(|before| before != *run));
        let anew: Runs = anew.map(|(name, run)| (name.clone(), *run)).collect();
        (!anew.is_empty()).then(|| (file.clone(), anew))
    };
    before.iter().filter_map(both).collect()
}
