//! Watches files, all of them through one watcher of the operating system, and reports what changed.
//!
//! `rules` says whose file a path is and which directories matter, `tree` keeps the watches and compares files with
//! what they were, `coalesce` decides when changes are passed on. A thread of its own drives them: reading
//! directories blocks, and changes must not wait for other work.

mod coalesce;
mod faults;
mod own_output;
mod rules;
mod tree;

use std::collections::BTreeSet;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use notify::event::{AccessKind, AccessMode, ModifyKind, RenameMode};
use notify::{EventKind, RecommendedWatcher, Watcher};
use tokio::sync::{mpsc, oneshot, watch};

use self::coalesce::{Change, Coalescer};
use self::own_output::is_own_output;
use self::rules::WatchRules;
use self::tree::{Found, Tree};
use crate::edge::clock;
use crate::engine::{Event, FileChange, WatchSet};
use crate::logs::LogWriter;
use crate::model::{LocalPath, Timestamp};

/// How often directories that cannot be watched are looked at, at most.
const LOOK: Duration = Duration::from_secs(2);
/// How much longer than a look took is waited before the next one, at least.
const LOOK_REST: u32 = 20;

/// A set of files, and since when their changes matter: setting up a watch takes time.
#[derive(Clone, Debug, Default)]
pub struct WantedFiles {
    /// The files.
    pub set: WatchSet,
    /// When the set was asked for. A new file of it that changed since then has changed.
    pub since: Timestamp,
}

/// Watches what `wanted` holds, from one set to the next, and reports changes until either end is closed.
///
/// A change between two sets, or while a watch is set up, is not missed. What cannot be watched is told to the log.
pub async fn watch_files(
    mut wanted: watch::Receiver<WantedFiles>,
    events: mpsc::Sender<Event>,
    log: LogWriter,
) {
    let (sender, inbox) = channel();
    let thread = Thread(sender.clone());
    let (ended, mut end) = oneshot::channel();
    std::thread::spawn(move || {
        FileWatch::new(sender).run(&inbox, &events, &log);
        // Nobody waits for it when this task was abandoned.
        let _ = ended.send(());
    });
    loop {
        let files = wanted.borrow_and_update().clone();
        // The thread ends early when nobody listens any more, or by a panic.
        if thread.0.send(Message::Wanted(files)).is_err() {
            break;
        }
        tokio::select! {
            changed = wanted.changed() => if changed.is_err() { break },
            _ = &mut end => return,
        }
    }
    drop(thread);
    let _ = end.await;
}

/// The thread, as the task sees it: it ends with the task, also with one that is abandoned.
struct Thread(Sender<Message>);

impl Drop for Thread {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.send(Message::Stop);
    }
}

/// What the thread is told.
enum Message {
    Wanted(WantedFiles),
    Seen(notify::Result<notify::Event>),
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
    fn new(sender: Sender<Message>) -> Self {
        Self {
            sender,
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
            if events.blocking_send(Event::FilesChanged(changes)).is_err() {
                return;
            }
        }
    }

    /// Returns the next changes to report; `None` when it is over.
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
            let paths = self.coalescer.poll(clock::now()).unwrap_or_default();
            let changes: Vec<_> = paths.iter().flat_map(|path| self.changes_of(path)).collect();
            if !changes.is_empty() {
                return Some(changes);
            }
        }
    }

    fn handle(&mut self, message: Message) -> Next {
        match message {
            Message::Wanted(files) => self.apply(files),
            Message::Seen(Ok(event)) => self.see(&event),
            Message::Seen(Err(err)) => self.faults.push(err),
            Message::Stop => return Next::Stop,
        }
        Next::GoOn
    }

    /// Watches another set. A file that was watched before and differs from what is remembered has changed meanwhile.
    /// So has a new one that was touched since the set was asked for.
    fn apply(&mut self, WantedFiles { set, since }: WantedFiles) {
        if set != self.wanted {
            self.wanted = set;
            self.follow(|path| tree::is_touched_since(path, since));
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
        let found = if event.need_rescan() {
            tree.rescan_after_loss(&self.rules)
        } else {
            let Some(change) = change_of(event.kind) else {
                return;
            };
            let mut found = Vec::new();
            for path in &event.paths {
                let path = LocalPath::new(path);
                let is_pending = self.coalescer.is_pending(&path);
                let seen = tree.look(&self.rules, &path, change, is_pending);
                // It came and went unseen; but whoever looked late at the report that it was gone may have found it.
                if seen.is_empty() && change != Change::Gone && self.coalescer.was_gone(&path) {
                    found.push((path, Change::Gone));
                }
                found.extend(seen);
            }
            found
        };
        let is_link = |path: &LocalPath| self.rules.is_root(path) && !tree::led_to(path).is_empty();
        let leads_elsewhere = found.iter().any(|(path, _)| is_link(path));
        self.take_in(found);
        if leads_elsewhere {
            // What a link leads to now has changed, for whoever reads through the link; the link itself is reported.
            self.follow(|_| false);
        }
    }

    fn take_in(&mut self, found: Found) {
        let now = clock::now();
        for (path, change) in found {
            if self.rules.is_wanted(&path) && !is_own_output(&path) {
                self.coalescer.on_event(now, path, change);
            }
        }
        if let Some(tree) = &mut self.tree {
            self.faults.extend(tree.take_faults());
        }
    }

    fn changes_of(&self, path: &LocalPath) -> Vec<FileChange> {
        let targets = self.rules.targets_of(path).into_iter();
        targets
            .map(|target| FileChange {
                target: target.clone(),
                path: path.clone(),
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
        Ok(event) => event.need_rescan() || change_of(event.kind).is_some(),
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
