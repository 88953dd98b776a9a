//! Circles: updates, and loads of the Tiltfile, that write what they read. Each round is run, since the content may matter;
//! but after a few of them no faster than somebody could read what they do, and it is said which file it is.
//!
//! Who wrote a file is not known. It is a circle if the same file changed in each of several rounds, each time while the
//! same thing of ours ran anew or had just ended, and nothing else asked for a round.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::{Duration, Instant};

use super::effect::Effect;
use super::row::Row;
use super::serve::RowServer;
use super::state::State;
use crate::model::{Level, LocalPath, LogEvent, ManifestName, SpanId};
use crate::view::CircleView;

/// How many rounds in a row make a circle.
const ROUNDS: u32 = 5;
/// The time from the start of a round to the start of the next one, doubled each time.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// The longest such time.
const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How long after the end of an update what it wrote may still be reported.
const LATE: Duration = Duration::from_millis(100);
/// The longest time between the end of a round and the start of the next one, without the pause.
const GAP: Duration = Duration::from_secs(10);
/// How long after an update its server may write what it reads, and what it read may have been something else.
const SOON: Duration = Duration::from_secs(1);

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
    ended: Option<Instant>,
    /// Whether a file that was written with the content that it had has led to a round since it last held another one.
    has_spared: bool,
}

type Files = BTreeMap<LocalPath, Runs>;

/// What ran, and the number of the run.
pub(super) type Runs = BTreeMap<ManifestName, u64>;

/// Who ended lately.
#[derive(Debug, Default)]
pub(crate) struct RecentlyEnded(VecDeque<(Instant, ManifestName, u64)>);

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
    pub(super) fn note_change(&mut self, path: &LocalPath, running: &Runs) {
        if running.is_empty() {
            self.by_hand = true;
        } else {
            let known = self.fresh.entry(path.clone()).or_default();
            known.extend(running.iter().map(|(name, run)| (name.clone(), *run)));
        }
    }

    pub(super) fn note_end(&mut self, now: Instant) {
        self.ended = Some(now);
    }

    /// Returns whether a write that left a file as it was is to be heeded: once, if a round may have read it in between.
    pub(super) fn heeds_same(&mut self, now: Instant, is_running: bool) -> bool {
        let may_have_read = is_running || self.ended.is_some_and(|at| now < at + SOON);
        let is_heeded = may_have_read && !self.has_spared;
        self.has_spared |= is_heeded;
        is_heeded
    }

    pub(super) fn note_other_content(&mut self) {
        self.has_spared = false;
    }

    /// Begins a round. Returns whether it is now clear that it is a circle.
    fn begin(&mut self, now: Instant, only_files: bool) -> bool {
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
    fn pause(&self) -> Duration {
        let Some(doublings) = self.rounds.checked_sub(ROUNDS) else {
            return Duration::ZERO;
        };
        (FIRST_PAUSE * (1 << doublings.min(8))).min(LONGEST_PAUSE)
    }

    /// Returns until when the next round waits.
    pub(super) fn waits_until(&self, now: Instant) -> Option<Instant> {
        let mut fresh = self.fresh.keys();
        let goes_on = !self.by_hand && fresh.all(|file| self.files.contains_key(file));
        let until = self.began? + self.pause();
        (goes_on && now < until).then_some(until)
    }

    /// Returns which files changed in each round, and while what ran.
    fn reason(&self, cwd: &LocalPath, name: &ManifestName) -> String {
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

    fn view(&self, cwd: &LocalPath, name: &ManifestName) -> CircleView {
        CircleView {
            why: self.reason(cwd, name),
            rounds: self.rounds,
        }
    }

    /// Says that it is a circle.
    fn told(&self, cwd: &LocalPath, span: SpanId, name: &ManifestName, hint: &str) -> Effect {
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

/// Returns what runs, or ended so lately that what it wrote may be reported only now.
pub(super) fn running(state: &State) -> Runs {
    let ended = state.ended.0.iter().filter(|(at, ..)| state.now < *at + LATE);
    let ended = ended.map(|(_, name, run)| (name.clone(), *run));
    let loading = state.tiltfile.loading.iter();
    let loading = loading.map(|loading| (ManifestName::tiltfile(), loading.load.0));
    let updates = state.builds.iter();
    let updates = updates.map(|(build, running)| (running.manifest.clone(), build.0));
    ended.chain(loading).chain(updates).collect()
}

/// Returns the server of the resource if it was started a moment ago: it may write what the resource reads.
pub(super) fn starting_server(row: &Row, now: Instant) -> Runs {
    let is_soon = row.cycle.ended.is_some_and(|at| now < at + SOON);
    let server = row.server.iter().filter(|server| is_soon && !server.has_ended());
    let run = |server: &RowServer| (row.manifest.name.clone(), server.server.serve.0);
    server.map(run).collect()
}

/// Takes in that an update begins. Says so if it is clear now that it goes round in a circle.
pub(super) fn begin_update(state: &mut State, name: &ManifestName) -> Option<Effect> {
    let now = state.now;
    let row = state.rows.get_mut(name)?;
    let only_files = runs_for_files(row);
    let is_circle = row.cycle.begin(now, only_files);
    let span = SpanId::new(format!("build:{}", state.last_build + 1));
    let hint = "leave it out of what this resource watches (ignore=, .tiltignore)";
    is_circle.then(|| row.cycle.told(&state.config.cwd, span, name, hint))
}

/// The same for a load of the Tiltfile.
pub(super) fn begin_load(state: &mut State) -> Option<Effect> {
    let tiltfile = &mut state.tiltfile;
    let only_files = tiltfile.triggers.is_empty() && !tiltfile.args_changed;
    let is_circle = tiltfile.cycle.begin(state.now, only_files);
    let span = SpanId::new(format!("tiltfile:(Tiltfile):{}", tiltfile.last_load + 1));
    let hint = "let the Tiltfile ignore it: watch_settings(ignore=...)";
    let name = ManifestName::tiltfile();
    is_circle.then(|| tiltfile.cycle.told(&state.config.cwd, span, &name, hint))
}

fn runs_for_files(row: &Row) -> bool {
    row.triggers.is_empty() && !row.awaits_first() && row.changed_definition.is_none() && row.retry.is_none()
}

/// Returns whether an update goes round in a circle and waits for its next round.
pub(super) fn update_waits(state: &State, row: &Row) -> bool {
    runs_for_files(row) && row.cycle.waits_until(state.now).is_some()
}

/// The same for a load of the Tiltfile.
pub(super) fn load_waits(state: &State) -> bool {
    let tiltfile = &state.tiltfile;
    tiltfile.triggers.is_empty() && !tiltfile.args_changed && tiltfile.cycle.waits_until(state.now).is_some()
}

/// Returns that an update waits because it goes round in a circle, and which files do that.
pub(crate) fn update_circle(state: &State, row: &Row) -> Option<CircleView> {
    let waits = row.building.is_none() && row.is_due() && update_waits(state, row);
    waits.then(|| row.cycle.view(&state.config.cwd, &row.manifest.name))
}

/// The same for a load of the Tiltfile.
pub(crate) fn load_circle(state: &State) -> Option<CircleView> {
    let tiltfile = &state.tiltfile;
    let waits = tiltfile.loading.is_none() && !tiltfile.pending.is_empty() && load_waits(state);
    waits.then(|| tiltfile.cycle.view(&state.config.cwd, &ManifestName::tiltfile()))
}

/// Returns when the next load is due, if it waits for that.
pub(super) fn next_load(state: &State) -> Option<Instant> {
    state.tiltfile.cycle.waits_until(state.now)
}
