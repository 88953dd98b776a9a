//! When changes are passed on: soon where a save is complete, after a longer quiet where more may come. Pure.
//!
//! A changed path is either *settled* (a known file was closed after writing, or a file was renamed into place) or
//! *open*: it is being written, it is gone and may come back, or it is new and may be a temporary file that is
//! renamed in a moment. These are the rules:
//!
//! 1. Settled paths are passed on once no file was closed for 8 ms, so that files that are saved at one moment go
//!    together; after 20 ms if there are new or gone ones too. Those that are being written stay.
//! 2. A change within 20 ms after changes were passed on begins a burst: then all wait for quiet. So does a change of what the
//!    Tiltfile is made of: what is saved with it is to be one cause with it.
//! 3. All paths are passed on after 20 ms without a change. One that was written and not closed waits for 500 ms
//!    without another write: whoever writes it may take its time. No path waits for more than 10 s.
//! 4. A new file that is gone again before it was passed on was never there; unless it was passed on as gone shortly
//!    before, so that somebody who looked late may have seen the new one.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use super::passed::After;
use crate::model::LocalPath;

/// How long nothing may happen before open paths are passed on.
pub(super) const QUIET: Duration = Duration::from_millis(20);
/// How long no file may be closed before settled paths are passed on: whoever saves several takes less between two.
const GATHER: Duration = Duration::from_millis(8);
/// How long a file that was not closed may not be written before it is passed on.
const WRITING: Duration = Duration::from_millis(500);
/// How long a path waits at most.
pub(super) const LIMIT: Duration = Duration::from_secs(10);

/// What happened to a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// It was not there before.
    Created,
    /// Its content changed, and more may follow: whoever writes it has not closed it.
    Written,
    /// It is another one than before.
    Replaced,
    /// Whoever wrote it closed it.
    Closed,
    /// It was renamed to this name.
    MovedIn,
    /// It was renamed to this name from one that is to be passed on too: both go together.
    Renamed,
    /// Its permissions or its times changed.
    Touched,
    /// It is deleted or renamed.
    Gone,
}

/// Collects changes until they are to be passed on.
#[derive(Debug, Default)]
pub(super) struct Coalescer {
    /// In order of arrival; `None` for one that turned out to be no change.
    pending: Vec<Option<Pending>>,
    places: HashMap<LocalPath, usize>,
    n_settled: usize,
    /// The places of files that were written and not closed, each with when it was written last.
    writing: HashMap<usize, Instant>,
    /// When the newest of the pending changes arrived.
    last: Option<Instant>,
    /// When a file was last closed or renamed into place.
    closed: Option<Instant>,
    delivered: Option<Instant>,
    /// What was passed on as gone within the last `LIMIT`.
    gone: HashMap<LocalPath, Instant>,
    is_burst: bool,
}

#[derive(Debug)]
struct Pending {
    path: LocalPath,
    /// When it first changed.
    since: Instant,
    /// What had passed when it last changed.
    after: After,
    is_settled: bool,
    /// Whether it was not there when changes were last passed on.
    is_new: bool,
    is_gone: bool,
    /// Whether nothing but its times was changed.
    is_touched: bool,
}

/// A changed path.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Due {
    pub(super) path: LocalPath,
    /// What had passed when it last changed.
    pub(super) after: After,
    /// When it first changed.
    pub(super) since: Instant,
    /// Whether nothing was written.
    pub(super) is_touched: bool,
}

impl Coalescer {
    /// Takes a change in; `after` is what has passed.
    pub(super) fn on_event(&mut self, now: Instant, path: LocalPath, change: Change, after: After) {
        self.is_burst |= self.delivered.is_some_and(|at| now < at + QUIET);
        self.last = Some(now);
        let place = match self.places.get(&path) {
            Some(&place) => {
                self.change_again(place, change, after);
                place
            }
            None => self.insert(now, path, change, after),
        };
        if matches!(change, Change::Closed | Change::MovedIn) {
            self.closed = Some(now);
        }
        match change {
            Change::Written => {
                self.writing.insert(place, now);
            }
            // Permissions may be set while it is written.
            Change::Touched => {}
            _ => {
                self.writing.remove(&place);
            }
        }
    }

    /// Lets all that waits be passed on together, once all is quiet.
    pub(super) fn gather(&mut self) {
        self.is_burst |= !self.places.is_empty();
    }

    /// Returns whether a change of the path waits to be passed on.
    pub(super) fn is_pending(&self, path: &LocalPath) -> bool {
        self.places.contains_key(path)
    }

    /// Returns whether it waits to be passed on that the path is gone.
    pub(super) fn is_pending_gone(&self, path: &LocalPath) -> bool {
        let pending = self
            .places
            .get(path)
            .and_then(|place| self.pending[*place].as_ref());
        pending.is_some_and(|pending| pending.is_gone)
    }

    /// Returns whether the path was passed on as gone a short time ago.
    pub(super) fn was_gone(&self, path: &LocalPath) -> bool {
        self.gone.contains_key(path)
    }

    /// Returns when to call `poll` next, if nothing happens before.
    pub(super) fn next_wake(&self) -> Option<Instant> {
        let (since, last) = (self.oldest()?, self.last?);
        if let Some(gathered) = self.gathered() {
            return Some(gathered.min(last + QUIET).min(since + LIMIT));
        }
        let quiet = if self.writing.len() < self.places.len() {
            last + QUIET
        } else {
            *self.writing.values().min()? + WRITING
        };
        Some(quiet.min(since + LIMIT))
    }

    /// Returns the paths to pass on now, in the order in which they first changed.
    pub(super) fn poll(&mut self, now: Instant) -> Option<Vec<Due>> {
        let (since, last) = (self.oldest()?, self.last?);
        if now >= last + QUIET || now >= since + LIMIT {
            let writing = std::mem::take(&mut self.writing);
            return self.deliver(now, writing, |place, pending, writing| {
                let written = writing.get(&place);
                written.is_none_or(|at| now >= *at + WRITING) || now >= pending.since + LIMIT
            });
        }
        if self.gathered().is_some_and(|gathered| now >= gathered) {
            let writing = std::mem::take(&mut self.writing);
            return self.deliver(now, writing, |_, pending, _| pending.is_settled);
        }
        None
    }

    /// Returns when settled paths are passed on whatever becomes of the others, if there are some and no burst is on.
    fn gathered(&self) -> Option<Instant> {
        let closed = self.closed.filter(|_| self.n_settled > 0 && !self.is_burst)?;
        let has_loose = self.n_settled + self.writing.len() < self.places.len();
        Some(closed + if has_loose { QUIET } else { GATHER })
    }

    /// Returns when the oldest of the pending paths first changed.
    pub(super) fn oldest(&self) -> Option<Instant> {
        self.pending.iter().flatten().next().map(|pending| pending.since)
    }

    fn insert(&mut self, now: Instant, path: LocalPath, change: Change, after: After) -> usize {
        let is_settled = matches!(change, Change::Closed | Change::MovedIn);
        let place = self.pending.len();
        self.n_settled += usize::from(is_settled);
        self.places.insert(path.clone(), place);
        self.pending.push(Some(Pending {
            since: now,
            after,
            is_settled,
            is_new: change == Change::Created && !self.gone.contains_key(&path),
            is_gone: change == Change::Gone,
            is_touched: change == Change::Touched,
            path,
        }));
        place
    }

    fn change_again(&mut self, place: usize, change: Change, after: After) {
        let Some(pending) = &mut self.pending[place] else {
            return;
        };
        let was_settled = pending.is_settled;
        pending.after = pending.after.max(after);
        pending.is_touched &= matches!(change, Change::Touched | Change::Closed);
        pending.is_gone = change == Change::Gone || (pending.is_gone && change == Change::Touched);
        match change {
            Change::MovedIn => (pending.is_settled, pending.is_new) = (true, false),
            Change::Closed => pending.is_settled = !pending.is_new,
            Change::Created | Change::Written | Change::Replaced | Change::Renamed | Change::Gone => {
                pending.is_settled = false;
            }
            Change::Touched => {}
        }
        self.n_settled = self.n_settled + usize::from(pending.is_settled) - usize::from(was_settled);
        if change == Change::Gone && pending.is_new {
            self.places.remove(&pending.path);
            self.pending[place] = None;
            if self.places.is_empty() {
                self.pending.clear();
                (self.last, self.is_burst) = (None, false);
            }
        }
    }

    fn deliver(
        &mut self,
        now: Instant,
        writing: HashMap<usize, Instant>,
        is_due: impl Fn(usize, &Pending, &HashMap<usize, Instant>) -> bool,
    ) -> Option<Vec<Due>> {
        let (mut due, mut kept) = (Vec::new(), Vec::new());
        for (place, pending) in std::mem::take(&mut self.pending).into_iter().enumerate() {
            let Some(pending) = pending else { continue };
            if is_due(place, &pending, &writing) {
                due.push(pending);
            } else {
                if let Some(at) = writing.get(&place) {
                    self.writing.insert(kept.len(), *at);
                }
                kept.push(pending);
            }
        }
        self.n_settled = 0;
        self.is_burst = false;
        self.places = kept
            .iter()
            .enumerate()
            .map(|(place, pending)| (pending.path.clone(), place))
            .collect();
        self.pending = kept.into_iter().map(Some).collect();
        if self.pending.is_empty() {
            self.last = None;
        }
        if due.is_empty() {
            return None;
        }
        self.gone.retain(|_, at| now < *at + LIMIT);
        let gone = due.iter().filter(|pending| pending.is_gone);
        self.gone.extend(gone.map(|pending| (pending.path.clone(), now)));
        self.delivered = Some(now);
        let due = due.into_iter().map(|pending| Due {
            path: pending.path,
            after: pending.after,
            since: pending.since,
            is_touched: pending.is_touched,
        });
        Some(due.collect())
    }
}

#[cfg(test)]
mod tests {
    use super::Change::{Closed, Created, Gone, MovedIn, Renamed, Replaced, Touched, Written};
    use super::*;

    /// Plays changes, each at a number of milliseconds, and returns what is passed on when: `5: a b`.
    fn play(changes: &[(u64, &str, Change)]) -> Vec<String> {
        #[allow(clippy::disallowed_methods, reason = "a point to add durations to")]
        let start = Instant::now();
        let (mut coalescer, mut out) = (Coalescer::default(), Vec::new());
        let mut poll = |coalescer: &mut Coalescer, at: Instant| {
            if let Some(due) = coalescer.poll(at) {
                let names: Vec<_> = due
                    .iter()
                    .map(|due| due.path.to_string().replace('/', ""))
                    .collect();
                out.push(format!("{}: {}", (at - start).as_millis(), names.join(" ")));
            }
        };
        let mut changes = changes.iter().peekable();
        loop {
            let next = changes
                .peek()
                .map(|(millis, ..)| start + Duration::from_millis(*millis));
            let wake = coalescer.next_wake();
            match (next, wake) {
                (None, None) => return out,
                (Some(next), wake) if wake.is_none_or(|wake| next <= wake) => {
                    for (_, path, change) in
                        std::iter::from_fn(|| changes.next_if(|c| start + Duration::from_millis(c.0) == next))
                    {
                        coalescer.on_event(next, LocalPath::new(path), *change, After::default());
                    }
                    poll(&mut coalescer, next);
                }
                (_, Some(wake)) => poll(&mut coalescer, wake),
                (Some(_), None) => unreachable!("covered by the guard"),
            }
        }
    }

    #[test]
    fn a_truncating_save_is_passed_on_when_the_file_is_closed() {
        // VS Code, nano, shell redirection.
        assert_eq!(
            play(&[(0, "a", Written), (3, "a", Written), (4, "a", Closed)]),
            ["12: a"]
        );
    }

    #[test]
    fn a_save_by_rename_is_passed_on_at_the_rename() {
        // sed -i, many formatters: the temporary file is never seen.
        let events = [
            (0, "sedX", Created),
            (1, "sedX", Written),
            (2, "sedX", Closed),
            (3, "sedX", Gone),
            (3, "a", MovedIn),
        ];
        assert_eq!(play(&events), ["11: a"]);
    }

    #[test]
    fn a_save_by_backup_is_not_passed_on_while_the_file_is_missing() {
        // vim: a becomes a~ (ignored), then a is written anew.
        let events = [
            (0, "a", Gone),
            (1, "a", Created),
            (2, "a", Written),
            (3, "a", Closed),
            (3, "a", Touched),
        ];
        assert_eq!(play(&events), ["11: a"]);
    }

    #[test]
    fn a_safe_write_is_one_change() {
        // JetBrains: the file becomes ___jb_old___ (ignored), ___jb_tmp___ (ignored) becomes the file.
        assert_eq!(play(&[(0, "a", Gone), (1, "a", MovedIn)]), ["9: a"]);
    }

    #[test]
    fn a_deletion_waits_for_what_may_come_in_its_place() {
        assert_eq!(play(&[(0, "a", Gone)]), ["20: a"]);
    }

    #[test]
    fn a_new_file_waits_for_quiet() {
        assert_eq!(play(&[(0, "a", Created), (0, "a", Closed)]), ["20: a"]);
    }

    #[test]
    fn a_file_that_comes_and_goes_is_no_change() {
        assert_eq!(
            play(&[(0, "a", Created), (1, "a", Closed), (2, "a", Gone)]),
            [""; 0]
        );
    }

    #[test]
    fn a_file_that_comes_and_goes_after_it_was_passed_on_as_gone_is_a_change() {
        // Whoever looked at the first report late may have found the file.
        let events = [(0, "a", Gone), (30, "a", Created), (31, "a", Gone)];
        assert_eq!(play(&events), ["20: a", "51: a"]);
    }

    #[test]
    fn a_writer_that_never_closes_is_passed_on_after_quiet() {
        assert_eq!(play(&[(0, "a", Written), (15, "a", Written)]), ["515: a"]);
    }

    #[test]
    fn a_file_that_is_written_in_parts_is_passed_on_once_when_it_is_closed() {
        let mut events: Vec<_> = (0..10).map(|n| (n * 400, "a", Written)).collect();
        events.push((3_700, "a", Closed));
        assert_eq!(play(&events), ["3708: a"]);
        events.insert(0, (0, "a", Created));
        assert_eq!(play(&events), ["3720: a"], "a new one");
    }

    #[test]
    fn what_is_replaced_as_a_whole_waits_for_a_short_quiet_only() {
        assert_eq!(play(&[(0, "a", Written), (5, "a", Replaced)]), ["25: a"]);
    }

    #[test]
    fn both_names_of_a_renamed_file_are_passed_on_together() {
        assert_eq!(play(&[(0, "f", Gone), (0, "g", Renamed)]), ["20: f g"]);
    }

    #[test]
    fn a_change_is_as_young_as_the_last_event_of_it() {
        #[allow(clippy::disallowed_methods, reason = "a point to add durations to")]
        let now = Instant::now();
        let mut coalescer = Coalescer::default();
        for (after, change) in [(1, Gone), (2, Created)] {
            coalescer.on_event(now, LocalPath::new("a"), change, After::moment(after));
        }
        let due = coalescer.poll(now + QUIET);
        let expected = Due {
            path: LocalPath::new("a"),
            after: After::moment(2),
            since: now,
            is_touched: false,
        };
        assert_eq!(due, Some(vec![expected]));
    }

    #[test]
    fn a_file_is_touched_if_nothing_was_written() {
        for (changes, expected) in [
            (&[Touched][..], true),
            (&[Touched, Closed], true),
            (&[Written, Touched, Closed], false),
            (&[Touched, Written, Closed], false),
            (&[Closed], false),
            (&[MovedIn, Touched], false),
        ] {
            let (mut coalescer, now) = (Coalescer::default(), crate::clock::now());
            for change in changes {
                coalescer.on_event(now, LocalPath::new("a"), *change, After::default());
            }
            let due = coalescer.poll(now + WRITING).expect("one path");
            assert_eq!(due[0].is_touched, expected, "{changes:?}");
        }
    }

    #[test]
    fn names_that_come_and_go_leave_nothing_behind() {
        let mut coalescer = Coalescer::default();
        #[allow(clippy::disallowed_methods, reason = "a point to add durations to")]
        let now = Instant::now();
        for change in [Created, Written, Gone] {
            coalescer.on_event(now, LocalPath::new("a"), change, After::default());
        }
        assert_eq!((coalescer.next_wake(), coalescer.pending.len()), (None, 0));
    }

    #[test]
    fn an_open_file_does_not_hold_up_a_settled_one() {
        let events = [(0, "a", Written), (5, "b", Closed), (40, "a", Closed)];
        assert_eq!(play(&events), ["13: b", "48: a"]);
    }

    #[test]
    fn what_is_saved_at_one_moment_is_passed_on_together() {
        // An editor saves all; a refactoring also makes new files and takes others away.
        let events = [(0, "a", Closed), (4, "b", Closed), (7, "c", MovedIn)];
        assert_eq!(play(&events), ["15: a b c"]);
        let events = [
            (0, "a", Closed),
            (1, "old", Gone),
            (2, "new", Created),
            (3, "new", Closed),
        ];
        assert_eq!(play(&events), ["23: a old new"]);
    }

    #[test]
    fn names_that_come_and_go_all_the_time_hold_a_save_up_only_shortly() {
        let mut events = vec![(0, "a", Closed)];
        events.extend((0..100).map(|n| (n * 5, "log", if n % 2 == 0 { Gone } else { Created })));
        assert_eq!(play(&events)[0], "20: a");
    }

    #[test]
    fn a_burst_is_gathered_until_quiet() {
        // git checkout of many files: what comes after the first goes together.
        let mut events = Vec::new();
        for (millis, file) in [(0, "a"), (25, "b"), (35, "c"), (45, "d")] {
            events.extend([
                (millis, file, Gone),
                (millis, file, Created),
                (millis, file, Closed),
            ]);
        }
        assert_eq!(play(&events), ["8: a", "65: b c d"]);
    }

    #[test]
    #[allow(clippy::disallowed_methods, reason = "a point to add durations to")]
    fn what_is_gathered_waits_for_what_comes_soon_after() {
        let (start, mut coalescer) = (Instant::now(), Coalescer::default());
        let at = |millis| start + Duration::from_millis(millis);
        coalescer.on_event(at(0), LocalPath::new("/Tiltfile"), Closed, After::default());
        coalescer.gather();
        assert_eq!(coalescer.next_wake(), Some(at(20)));
        coalescer.on_event(at(5), LocalPath::new("/web/page"), Closed, After::default());
        assert_eq!(coalescer.poll(at(24)), None);
        let due = coalescer.poll(at(25)).expect("all is quiet");
        assert_eq!(due.len(), 2);
        coalescer.on_event(at(60), LocalPath::new("/web/page"), Closed, After::default());
        assert_eq!(coalescer.next_wake(), Some(at(68)), "it is over");
    }

    #[test]
    fn after_a_burst_a_save_is_quick_again() {
        let events = [(0, "a", Closed), (12, "b", Closed), (100, "a", Closed)];
        assert_eq!(play(&events), ["8: a", "32: b", "108: a"]);
    }

    #[test]
    fn a_change_that_never_stops_is_passed_on_after_10_s() {
        let events: Vec<_> = (0..=1000).map(|n| (n * 10, "a", Written)).collect();
        assert_eq!(play(&events), ["10000: a"]);
    }
}
