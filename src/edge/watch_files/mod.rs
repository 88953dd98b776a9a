//! Watches files, all of them through one watcher of the operating system, and reports what changed.
//!
//! `rules` says whose file a path is and which directories matter, `tree` keeps the watches and compares files with
//! what they were, `coalesce` decides when changes are passed on, `contents` knows whether they changed anything, and
//! `mark` tells what happened before an update began, `passed` keeps that. A thread of its own drives them: reading directories blocks, and
//! changes must not wait for other work.

mod coalesce;
mod contents;
mod faults;
mod mark;
mod own_output;
mod passed;
mod rules;
mod tree;

use std::collections::{BTreeSet, HashSet};
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{EventKind, RecommendedWatcher, Watcher};
use tokio::sync::{mpsc, oneshot};

use self::coalesce::{Change, Coalescer, Due};
use self::contents::Contents;
pub(in crate::edge) use self::contents::print;
use self::mark::Mark;
use self::own_output::is_own_output;
use self::passed::{After, Passed};
use self::rules::WatchRules;
use self::tree::{Found, Tree};
use crate::clock;
use crate::engine::{Event, FileChange, Moment, WatchSet};
use crate::logs::LogWriter;
use crate::model::{LoadId, LocalPath, TargetId, Timestamp};

/// How often directories that cannot be watched are looked at, at most.
const LOOK: Duration = Duration::from_secs(2);
/// How much longer than a look took is waited before the next one, at least.
const LOOK_REST: u32 = 20;

/// How long the beginning of an update waits until it is known what changed before; then all later news count as changes
/// after it.
const PATIENCE: Duration = Duration::from_millis(250);

/// A set of files, and since when their changes matter: setting up a watch takes time.
#[derive(Clone, Debug, Default)]
struct WantedFiles {
    /// The files.
    set: WatchSet,
    /// When the set was asked for. A new file of it that changed since then has changed.
    since: Timestamp,
}

/// The door to the thread that watches.
#[derive(Clone, Debug)]
pub struct FileWatcher {
    sender: Sender<Message>,
    passed: Passed,
}

impl FileWatcher {
    /// Starts the thread, which reports changes until the returned future is dropped or nobody listens any more; then the
    /// future ends. What cannot be watched is told to the log.
    pub fn start(events: mpsc::Sender<Event>, log: LogWriter) -> (Self, impl Future<Output = ()> + Send) {
        let (sender, inbox) = channel();
        let passed = Passed::default();
        let (ended, end) = oneshot::channel();
        let thread = Thread(sender.clone());
        let watch = FileWatch::new(sender.clone(), passed.clone());
        std::thread::spawn(move || {
            let ending = catch_unwind(AssertUnwindSafe(|| watch.run(&inbox, &events, &log)));
            // Nobody waits for it when the session was abandoned.
            let _ = ended.send(ending);
        });
        let watching = async move {
            let ending = end.await;
            drop(thread);
            if let Ok(Err(panic)) = ending {
                resume_unwind(panic);
            }
        };
        (Self { sender, passed }, watching)
    }

    /// Watches these files from now on, and no others. A change between two sets, or while a watch is set up, is not missed.
    pub fn watch(&self, set: WatchSet) {
        let since = clock::timestamp();
        self.send(Message::Wanted(WantedFiles { set, since }));
    }

    /// Returns once something may begin that reads files: what changed until now is known to be older.
    pub fn begin(&self, moment: Moment) -> impl Future<Output = ()> + Send + use<> {
        self.pass(After::moment(moment))
    }

    /// Takes in what a load of the Tiltfile has read: while a file holds that, it is no news. Returns once what was read may
    /// be compared with the disk: what changed until now is known to be older.
    pub(super) fn end_load(
        &self,
        load: LoadId,
        prints: Vec<(LocalPath, u64)>,
    ) -> impl Future<Output = ()> + Send + use<> {
        self.send(Message::Read(prints, clock::timestamp()));
        self.pass(After::load(load))
    }

    fn pass(&self, after: After) -> impl Future<Output = ()> + Send + use<> {
        let (sender, known) = oneshot::channel();
        self.send(Message::Passes(after, sender));
        let passed = self.passed.clone();
        async move {
            if !matches!(tokio::time::timeout(PATIENCE, known).await, Ok(Ok(()))) {
                // What was not reported by now counts as younger: rather once too often than never.
                passed.pass(after);
            }
        }
    }

    /// Lets all changes until now be reported, and then [`Event::FilesCaughtUp`].
    pub fn catch_up(&self, mark: u64) -> impl Future<Output = ()> + Send + use<> {
        let (sender, known) = oneshot::channel();
        // It is no beginning of anything: nothing passes.
        self.send(Message::Passes(After::default(), sender));
        let sender = self.sender.clone();
        async move {
            let is_known = matches!(tokio::time::timeout(PATIENCE, known).await, Ok(Ok(())));
            // Where the system does not tell, all is looked at.
            let _ = sender.send(Message::CatchUp(mark, !is_known));
        }
    }

    fn send(&self, message: Message) {
        // The thread ends early only when nobody listens any more.
        let _ = self.sender.send(message);
    }
}

/// The thread, as the session sees it: it ends with it.
struct Thread(Sender<Message>);

impl Drop for Thread {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.send(Message::Stop);
    }
}

/// What the thread is told.
#[derive(Debug)]
enum Message {
    Wanted(WantedFiles),
    Seen(notify::Result<notify::Event>),
    /// Something begins that reads files, or has read all; it waits for the answer.
    Passes(After, oneshot::Sender<()>),
    /// All that happened before is to be reported; whether it has to be looked for.
    CatchUp(u64, bool),
    /// A load has read these files, and all of them by this time.
    Read(Vec<(LocalPath, u64)>, Timestamp),
    Stop,
}

/// What the thread owns.
struct FileWatch {
    sender: Sender<Message>,
    wanted: WatchSet,
    rules: WatchRules,
    /// Made when there is something to watch.
    tree: Option<Tree>,
    coalescer: Coalescer,
    contents: Contents,
    /// What the last load has read, and when it had.
    read: Option<(HashSet<LocalPath>, Timestamp)>,
    passed: Passed,
    /// What waits until all that happened before was seen: until the mark is met.
    passing: Vec<(After, oneshot::Sender<()>)>,
    /// What came after the mark was set, which says nothing about it: it waits for the next one.
    passing_later: Vec<(After, oneshot::Sender<()>)>,
    /// When the mark was set.
    mark_set: Option<Instant>,
    /// Marks before which all is to be reported, and when each was set.
    marks: Vec<(u64, Instant)>,
    /// The last rename of which the new name is still to come.
    renamed: Option<(usize, Vec<LocalPath>)>,
    /// When to look at what cannot be watched.
    next_look: Option<Instant>,
    /// What is to be told to the log.
    faults: Vec<notify::Error>,
}

/// Whether to go on.
enum Next {
    GoOn,
    Stop,
}

impl FileWatch {
    fn new(sender: Sender<Message>, passed: Passed) -> Self {
        Self {
            sender,
            passed,
            contents: Contents::default(),
            read: None,
            passing: Vec::new(),
            passing_later: Vec::new(),
            mark_set: None,
            marks: Vec::new(),
            renamed: None,
            wanted: WatchSet::default(),
            rules: WatchRules::default(),
            tree: None,
            coalescer: Coalescer::default(),
            next_look: None,
            faults: Vec::new(),
        }
    }

    fn run(mut self, inbox: &Receiver<Message>, events: &mpsc::Sender<Event>, log: &LogWriter) {
        let mut told = BTreeSet::new();
        while let Some(changes) = self.next_changes(inbox, |faults| faults::tell(log, &faults, &mut told)) {
            let changed = (!changes.is_empty()).then_some(Event::FilesChanged(changes));
            let marks = self.take_passed_marks();
            let marks = marks.into_iter().map(|mark| Event::FilesCaughtUp { mark });
            for event in changed.into_iter().chain(marks) {
                if events.blocking_send(event).is_err() {
                    return;
                }
            }
        }
    }

    /// Returns the next changes to report, none where only a mark has passed; `None` when it is over.
    fn next_changes(
        &mut self,
        inbox: &Receiver<Message>,
        mut tell: impl FnMut(Vec<notify::Error>),
    ) -> Option<Vec<FileChange>> {
        loop {
            let wake = self.coalescer.next_wake().into_iter().chain(self.next_look).min();
            let first = match wake {
                None => inbox.recv().map_err(|_| RecvTimeoutError::Disconnected),
                Some(wake) => inbox.recv_timeout(wake.saturating_duration_since(clock::now())),
            };
            match first {
                Ok(message) => {
                    // What came meanwhile belongs together.
                    for message in std::iter::once(message).chain(inbox.try_iter()) {
                        if let Next::Stop = self.handle(message) {
                            return None;
                        }
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return None,
            }
            self.look_again();
            if !self.faults.is_empty() {
                tell(std::mem::take(&mut self.faults));
            }
            let due = self.coalescer.poll(clock::now()).unwrap_or_default();
            let changed = due.iter().map(|due| (&due.path, due.after.moment));
            let is_same = self.contents.report(changed, || self.passed.latest().moment);
            let due = due.iter().zip(is_same);
            let changes: Vec<_> = due
                .flat_map(|(due, is_same)| self.changes_of(due, is_same))
                .collect();
            if !changes.is_empty() || self.has_passed_mark() {
                return Some(changes);
            }
        }
    }

    fn handle(&mut self, message: Message) -> Next {
        match message {
            Message::Wanted(files) => self.apply(files),
            Message::Passes(after, known) => self.wait_for_mark(after, known),
            Message::CatchUp(mark, must_look) => self.catch_up(mark, must_look),
            Message::Read(prints, at) => {
                self.read = Some((prints.iter().map(|(path, _)| path.clone()).collect(), at));
                self.contents.note_read(prints);
            }
            Message::Seen(Ok(event)) if Mark::is_met(&event) => self.pass(),
            Message::Seen(Ok(event)) => self.see(&event),
            Message::Seen(Err(err)) => self.faults.push(err),
            Message::Stop => return Next::Stop,
        }
        Next::GoOn
    }

    /// Takes in that something is to know once all that happened until now was seen.
    fn wait_for_mark(&mut self, after: After, known: oneshot::Sender<()>) {
        // A mark that is not met for long was lost with other events.
        let is_marking = |set: Instant| clock::now().saturating_duration_since(set) < PATIENCE;
        if !self.passing.is_empty() && self.mark_set.is_some_and(is_marking) {
            self.passing_later.push((after, known));
            return;
        }
        self.passing.push((after, known));
        self.set_mark();
    }

    fn set_mark(&mut self) {
        self.mark_set = Some(clock::now());
        if !self.tree.as_ref().is_some_and(Tree::mark) {
            self.pass();
        }
    }

    /// Takes in a mark: what changed before it is to be reported. What cannot be watched is looked at.
    fn catch_up(&mut self, mark: u64, must_look: bool) {
        if let Some(tree) = &mut self.tree {
            let found = match must_look {
                true => tree.rescan_after_loss(&self.rules),
                false if tree.must_look() => tree.rescan(&self.rules),
                false => Vec::new(),
            };
            self.take_in(found);
        }
        self.marks.push((mark, clock::now()));
    }

    /// Returns whether all that changed before a mark was passed on.
    fn has_passed_mark(&self) -> bool {
        let oldest = self.coalescer.oldest();
        self.marks
            .iter()
            .any(|(_, at)| oldest.is_none_or(|oldest| oldest > *at))
    }

    fn take_passed_marks(&mut self) -> Vec<u64> {
        let oldest = self.coalescer.oldest();
        let is_passed = |(_, at): &mut (u64, Instant)| oldest.is_none_or(|oldest| oldest > *at);
        self.marks
            .extract_if(.., is_passed)
            .map(|(mark, _)| mark)
            .collect()
    }

    fn pass(&mut self) {
        for (after, known) in self.passing.drain(..) {
            self.passed.pass(after);
            // It may have gone on without waiting any longer.
            let _ = known.send(());
        }
        if !self.passing_later.is_empty() {
            self.passing = std::mem::take(&mut self.passing_later);
            self.set_mark();
        }
    }

    /// Watches another set. A file that was watched before and differs from what is remembered has changed meanwhile.
    /// So has a new one that was touched since the set was asked for, or since the last load had read it.
    fn apply(&mut self, WantedFiles { set, since }: WantedFiles) {
        if set != self.wanted {
            self.wanted = set;
            let read = self.read.take();
            let read_at = |path: &LocalPath| {
                let (_, at) = read.as_ref().filter(|(read, _)| read.contains(path))?;
                Some(*at)
            };
            self.follow(|path| {
                let since = read_at(path).map_or(since, |at| at.min(since));
                tree::is_touched_since(path, since)
            });
            self.read = read;
        }
    }

    /// Watches what is wanted, as its links lead now. `is_new` returns whether a file that was not watched before has
    /// changed.
    fn follow(&mut self, is_new: impl Fn(&LocalPath) -> bool) {
        let rules = self.rules.next(&self.wanted, tree::led_to);
        let before = std::mem::replace(&mut self.rules, rules);
        self.ensure_tree();
        if let Some(tree) = &mut self.tree {
            let mut found = tree.apply(&self.rules);
            found.retain(|(path, _)| before.is_wanted(path) || is_new(path));
            self.take_in(found);
        }
    }

    /// Looks at what cannot be watched, if it is time to, and tries to watch it.
    fn look_again(&mut self) {
        let Some(tree) = &mut self.tree else { return };
        let began = clock::now();
        if self.next_look.is_some_and(|at| at <= began) {
            let found = tree.rescan(&self.rules);
            self.take_in(found);
            self.next_look = None;
        }
        let must_look = self.tree.as_ref().is_some_and(Tree::must_look);
        if must_look {
            let now = clock::now();
            let rest = now.duration_since(began) * LOOK_REST;
            self.next_look.get_or_insert(now + rest.max(LOOK));
        } else {
            self.next_look = None;
        }
    }

    fn ensure_tree(&mut self) {
        if self.tree.is_none() && !self.wanted.targets.is_empty() {
            let sender = self.sender.clone();
            self.tree = Some(Tree::new(Box::new(move || watcher(sender.clone()))));
        }
    }

    fn see(&mut self, event: &notify::Event) {
        let Some(tree) = &mut self.tree else { return };
        let is_lost = event.need_rescan();
        let found = if is_lost {
            tree.rescan_after_loss(&self.rules)
        } else {
            let Some(change) = change_of(event.kind) else {
                return;
            };
            let paths = event.paths.iter().map(LocalPath::new);
            let paths: Vec<LocalPath> = paths.flat_map(|path| tree.names_of(&path)).collect();
            let change = self.paired(event, change, &paths);
            paths.iter().flat_map(|path| self.look(path, change)).collect()
        };
        let is_link = |path: &LocalPath| self.rules.is_root(path) && !tree::led_to(path).is_empty();
        let leads_elsewhere = found.iter().any(|(path, _)| is_link(path));
        self.take_in(found);
        if leads_elsewhere {
            // What a link leads to now has changed, for whoever reads through the link; the link itself is reported.
            self.follow(|_| false);
        }
        if is_lost {
            // The mark may be among what was lost; all was looked at.
            self.pass();
        }
    }

    fn look(&mut self, path: &LocalPath, change: Change) -> Found {
        let Some(tree) = &mut self.tree else {
            return Vec::new();
        };
        let seen = tree.look(&self.rules, path, change, self.coalescer.is_pending(path));
        // It came and went unseen; but whoever looked late at the report that it was gone may have found it.
        if seen.is_empty() && change != Change::Gone && self.coalescer.was_gone(path) {
            return vec![(path.clone(), Change::Gone)];
        }
        seen
    }

    /// Returns what a change is if it is one half of a rename: where the old name is to be reported too, both go together.
    fn paired(&mut self, event: &notify::Event, change: Change, paths: &[LocalPath]) -> Change {
        match (change, event.tracker()) {
            (Change::Gone, Some(tracker)) => self.renamed = Some((tracker, paths.to_vec())),
            (Change::MovedIn, Some(tracker)) => {
                let from = self.renamed.take().filter(|(from, _)| *from == tracker);
                let from = from.iter().flat_map(|(_, paths)| paths);
                if from.into_iter().any(|path| self.coalescer.is_pending_gone(path)) {
                    return Change::Renamed;
                }
            }
            _ => {}
        }
        change
    }

    fn take_in(&mut self, found: Found) {
        let (now, after) = (clock::now(), self.passed.latest());
        for (path, change) in found {
            if self.rules.is_wanted(&path) && !is_own_output(&path) {
                let is_config = self.rules.targets_of(&path).contains(&&TargetId::configs());
                self.coalescer.on_event(now, path, change, after);
                if is_config {
                    self.coalescer.gather();
                }
            }
        }
        if let Some(tree) = &mut self.tree {
            self.faults.extend(tree.take_faults());
        }
    }

    fn changes_of(&self, due: &Due, is_same: bool) -> Vec<FileChange> {
        let targets = self.rules.targets_of(&due.path).into_iter();
        targets
            .map(|target| FileChange {
                target: target.clone(),
                path: due.path.clone(),
                after: due.after.moment,
                after_load: due.after.load,
                is_same,
                is_touched: due.is_touched,
                seen: Some(due.since),
            })
            .collect()
    }
}

/// Returns a watcher of the operating system that tells what may be a change.
fn watcher(sender: Sender<Message>) -> notify::Result<Box<dyn Watcher + Send>> {
    let tell = move |event| {
        if is_telling(&event) {
            // The thread may be gone already.
            let _ = sender.send(Message::Seen(event));
        }
    };
    Ok(Box::new(RecommendedWatcher::new(
        tell,
        notify::Config::default(),
    )?))
}

/// Returns whether an event can mean a change. Files are opened and read all the time.
fn is_telling(event: &notify::Result<notify::Event>) -> bool {
    match event {
        Ok(event) => event.need_rescan() || change_of(event.kind).is_some() || Mark::is_met(event),
        Err(_) => true,
    }
}

fn change_of(kind: EventKind) -> Option<Change> {
    match kind {
        EventKind::Create(_) => Some(Change::Created),
        EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(RenameMode::From)) => Some(Change::Gone),
        EventKind::Modify(ModifyKind::Name(RenameMode::To)) => Some(Change::MovedIn),
        // Both names were told before, each by itself.
        EventKind::Modify(ModifyKind::Name(RenameMode::Both)) => None,
        EventKind::Modify(ModifyKind::Metadata(_)) => Some(Change::Touched),
        EventKind::Modify(_) => Some(Change::Written),
        EventKind::Access(AccessKind::Close(AccessMode::Write)) => Some(Change::Closed),
        EventKind::Any | EventKind::Access(_) | EventKind::Other => None,
    }
}

#[cfg(test)]
mod saves;
#[cfg(test)]
mod tests;
