//! Real files and real events. Each test waits for the report it is about, and for nothing else.

use std::fs;
use std::path::Path;
use std::sync::mpsc::{Receiver, channel};

use tempfile::TempDir;

use super::*;
use crate::engine::WatchedTarget;
use crate::model::{Ignore, TargetId};

/// A directory with files, watched.
pub(super) struct World {
    dir: TempDir,
    pub(super) watch: FileWatch,
    inbox: Receiver<Message>,
}

impl World {
    /// Files and directories (with a `/` at the end) that are there before the watch is set.
    pub(super) fn new(paths: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (sender, inbox) = channel();
        let watch = FileWatch::new(sender, Passed::default());
        let world = Self { dir, watch, inbox };
        for path in paths {
            world.write(path);
        }
        world
    }

    pub(super) fn path(&self, name: &str) -> std::path::PathBuf {
        // Temporary directories may be reached through a link.
        self.dir.path().canonicalize().unwrap().join(name)
    }

    /// Writes a file, or makes a directory if the name ends with `/`.
    fn write(&self, name: &str) {
        let path = self.path(name);
        if name.ends_with('/') {
            return fs::create_dir_all(path).unwrap();
        }
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }

    /// Watches paths for `web`, without what is ignored.
    pub(super) fn watch(&mut self, paths: &[&str], ignored: &[&str]) {
        let local = |name: &&str| LocalPath::new(self.path(name));
        let target = WatchedTarget {
            paths: paths.iter().map(local).collect(),
            ignores: ignored
                .iter()
                .map(|name| Ignore {
                    base: local(name),
                    patterns: Vec::new(),
                })
                .collect(),
        };
        self.watch_since(target, Timestamp(i64::MAX));
    }

    fn watch_since(&mut self, target: WatchedTarget, since: Timestamp) {
        let set = WatchSet {
            targets: [(TargetId::image("web"), target)].into(),
            ignores: Vec::new(),
        };
        self.watch.apply(WantedFiles { set, since });
    }

    /// Returns the names in the next report.
    pub(super) fn report(&mut self) -> Vec<String> {
        let base = LocalPath::new(self.path(""));
        let changes = self
            .watch
            .next_changes(&self.inbox, |faults| panic!("{faults:?}"));
        let name = |change: FileChange| change.path.relative_to(&base).display().to_string();
        changes.unwrap().into_iter().map(name).collect()
    }

    /// Reads reports until one names the file; fails if an unexpected name comes.
    #[track_caller]
    fn expect(&mut self, expected: &[&str]) {
        let mut missing: Vec<_> = expected.to_vec();
        while !missing.is_empty() {
            for name in self.report() {
                assert!(
                    expected.contains(&name.as_str()),
                    "{name} is reported, not only {expected:?}"
                );
                missing.retain(|missing| *missing != name);
            }
        }
    }

    /// Forgets all that the operating system told and will tell of what happened so far in `src`.
    pub(super) fn lose_all_events(&mut self) {
        self.lose_events_to("src/4913");
    }

    fn lose_events(&mut self) {
        self.lose_events_to("ignored-mark");
    }

    fn lose_events_to(&mut self, mark: &str) {
        let mark = self.path(mark);
        fs::write(&mark, "").unwrap();
        while let Ok(message) = self.inbox.recv() {
            if matches!(&message, Message::Seen(Ok(event)) if event.paths.contains(&mark)) {
                break;
            }
        }
        fs::remove_file(&mark).unwrap();
    }
}

fn rename(from: &Path, to: &Path) {
    fs::rename(from, to).unwrap();
}

#[test]
fn a_saved_file_is_reported() {
    let mut world = World::new(&["src/a"]);
    world.watch(&["src"], &[]);
    world.write("src/a");
    assert_eq!(world.report(), ["src/a"]);
}

#[test]
fn a_file_renamed_into_place_is_reported_alone() {
    let mut world = World::new(&["src/a"]);
    world.watch(&["src"], &[]);
    world.write("src/sedX");
    rename(&world.path("src/sedX"), &world.path("src/a"));
    world.expect(&["src/a"]);
}

#[test]
fn a_deleted_file_is_reported() {
    let mut world = World::new(&["src/a"]);
    world.watch(&["src"], &[]);
    fs::remove_file(world.path("src/a")).unwrap();
    world.expect(&["src/a"]);
}

#[test]
fn files_in_a_new_directory_are_reported() {
    let mut world = World::new(&["src/"]);
    world.watch(&["src"], &[]);
    world.write("src/x/y/z/a");
    world.expect(&["src/x", "src/x/y", "src/x/y/z", "src/x/y/z/a"]);
    world.write("src/x/y/z/a");
    world.expect(&["src/x/y/z/a"]);
}

#[test]
fn files_of_a_renamed_directory_are_reported_under_both_names() {
    let mut world = World::new(&["src/old/a"]);
    world.watch(&["src"], &[]);
    rename(&world.path("src/old"), &world.path("src/new"));
    world.expect(&["src/old", "src/old/a", "src/new", "src/new/a"]);
    world.write("src/new/a");
    world.expect(&["src/new/a"]);
}

#[test]
fn what_is_ignored_is_not_entered() {
    let mut world = World::new(&["src/a", "src/node_modules/x/y"]);
    world.watch(&["src"], &["src/node_modules"]);
    world.write("src/node_modules/x/y");
    world.write("src/a");
    world.expect(&["src/a"]);
    let tree = world.watch.tree.as_ref().unwrap();
    let modules = LocalPath::new(world.path("src/node_modules"));
    assert!(tree.dirs().all(|dir| !dir.is_within(&modules)));
}

#[test]
fn a_watched_file_is_seen_without_its_siblings() {
    let mut world = World::new(&["conf/a", "conf/b"]);
    world.watch(&["conf/a"], &[]);
    world.write("conf/b");
    world.write("conf/a");
    world.expect(&["conf/a"]);
}

#[test]
fn a_file_that_is_missing_is_reported_when_it_comes() {
    let mut world = World::new(&["conf/"]);
    world.watch(&["conf/a"], &[]);
    world.write("conf/a");
    world.expect(&["conf/a"]);
}

#[test]
fn a_path_whose_directories_are_missing_is_reported_when_it_comes() {
    let mut world = World::new(&["b/"]);
    world.watch(&["x/y/z/a"], &[]);
    world.write("x/y/z/a");
    world.expect(&["x/y/z/a"]);
}

#[test]
fn a_watched_directory_may_go_and_come_back() {
    let mut world = World::new(&["app/src/a"]);
    world.watch(&["app/src"], &[]);
    fs::remove_dir_all(world.path("app")).unwrap();
    world.expect(&["app/src/a"]);
    for _ in 0..2 {
        world.write("app/src/a");
        world.expect(&["app/src/a"]);
    }
}

#[test]
fn a_directory_that_takes_the_place_of_another_is_compared_and_watched() {
    let mut world = World::new(&["app/src/a", "app/src/sub/b", "other/a", "other/sub/c"]);
    world.watch(&["app"], &[]);
    rename(&world.path("app/src"), &world.path("before"));
    rename(&world.path("other"), &world.path("app/src"));
    world.expect(&["app/src/a", "app/src/sub/b", "app/src/sub/c"]);
    world.write("app/src/sub/c");
    world.expect(&["app/src/sub/c"]);
}

#[test]
fn lost_events_lead_to_a_comparison() {
    let mut world = World::new(&["src/a", "src/b", "src/c", "src/old/d"]);
    // A file that was written just before it was seen would count as changed.
    let unchanged = fs::File::open(world.path("src/c")).unwrap();
    unchanged.set_modified(std::time::UNIX_EPOCH).unwrap();
    world.watch(&["src", "ignored-mark"], &["ignored-mark"]);
    fs::write(world.path("src/a"), "longer than before").unwrap();
    fs::remove_file(world.path("src/b")).unwrap();
    fs::remove_dir_all(world.path("src/old")).unwrap();
    world.write("src/new/e");
    world.lose_events();
    let overflow = notify::Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
    world.watch.see(&overflow);
    world.expect(&["src/a", "src/b", "src/old", "src/old/d", "src/new", "src/new/e"]);
}

#[test]
fn a_change_between_two_sets_is_not_missed() {
    let mut world = World::new(&["src/a", "conf/b"]);
    world.watch(&["src", "ignored-mark"], &["ignored-mark"]);
    fs::write(world.path("src/a"), "longer than before").unwrap();
    world.write("src/new");
    world.lose_events();
    world.watch(&["src", "conf"], &[]);
    world.expect(&["src/a", "src/new"]);
}

#[test]
fn what_is_newly_watched_has_not_changed() {
    let mut world = World::new(&["src/a", "conf/b"]);
    world.watch(&["src"], &[]);
    world.watch(&["src", "conf"], &[]);
    world.write("conf/b");
    world.expect(&["conf/b"]);
}

#[test]
fn what_is_no_longer_watched_is_let_go() {
    let mut world = World::new(&["src/a", "conf/b"]);
    world.watch(&["src", "conf"], &[]);
    world.watch(&["conf"], &[]);
    world.write("src/a");
    world.write("conf/b");
    world.expect(&["conf/b"]);
}

#[test]
fn opening_a_file_for_writing_is_no_change() {
    let mut world = World::new(&["src/lock", "src/a"]);
    world.watch(&["src"], &[]);
    drop(
        fs::OpenOptions::new()
            .append(true)
            .open(world.path("src/lock"))
            .unwrap(),
    );
    world.write("src/a");
    world.expect(&["src/a"]);
}

#[test]
fn a_file_that_is_saved_while_the_watch_is_set_up_is_reported() {
    let mut world = World::new(&["src/a"]);
    let saved = fs::metadata(world.path("src/a")).unwrap().modified().unwrap();
    let micros = saved.duration_since(std::time::UNIX_EPOCH).unwrap().as_micros();
    let target = WatchedTarget {
        paths: vec![LocalPath::new(world.path("src"))],
        ignores: Vec::new(),
    };
    world.watch_since(target, Timestamp(i64::try_from(micros).unwrap()));
    world.expect(&["src/a"]);
}

#[test]
fn changes_become_events() {
    let mut world = World::new(&["src/a"]);
    world.watch(&["src"], &[]);
    world.write("src/a");
    let path = LocalPath::new(world.path("src/a"));
    let (sender, mut events) = mpsc::channel(8);
    let log = LogWriter::global(crate::logs::LogStore::in_memory());
    let stop = world.watch.sender.clone();
    let watching = std::thread::spawn(move || world.watch.run(&world.inbox, &sender, &log));
    let target = TargetId::image("web");
    let Some(Event::FilesChanged(changes)) = events.blocking_recv() else {
        panic!("no change of a file");
    };
    let change = FileChange {
        after: 0,
        after_load: LoadId(0),
        seen: changes[0].seen,
        ..FileChange::new(target, path)
    };
    assert!(change.seen.is_some(), "when it was seen is known");
    assert_eq!(changes, [change]);
    stop.send(Message::Stop).unwrap();
    watching.join().unwrap();
}

#[tokio::test]
async fn the_watch_ends_with_the_session() {
    let (sender, mut events) = mpsc::channel(8);
    let log = LogWriter::global(crate::logs::LogStore::in_memory());
    let (_watcher, watching) = FileWatcher::start(sender, log);
    drop(watching);
    assert_eq!(events.recv().await, None);
}

#[test]
fn a_link_to_a_directory_that_leads_elsewhere_is_compared_and_watched() {
    let mut world = World::new(&["v1/a", "v1/sub/b", "v2/a", "v2/c"]);
    let link = world.path("app");
    std::os::unix::fs::symlink(world.path("v1"), &link).unwrap();
    world.watch(&["app"], &[]);
    std::os::unix::fs::symlink(world.path("v2"), world.path("next")).unwrap();
    rename(&world.path("next"), &link);
    world.expect(&["app", "app/a", "app/sub", "app/sub/b", "app/c"]);
    world.write("v2/c");
    world.expect(&["app/c"]);
}

#[test]
fn a_link_to_a_file_is_followed_wherever_it_leads() {
    let mut world = World::new(&["shared/a", "shared/b", "app/"]);
    let link = world.path("app/conf");
    std::os::unix::fs::symlink("../shared/a", &link).unwrap();
    world.watch(&["app/conf"], &[]);
    world.write("shared/a");
    world.expect(&["shared/a"]);
    std::os::unix::fs::symlink("../shared/b", world.path("app/next")).unwrap();
    rename(&world.path("app/next"), &link);
    world.expect(&["app/conf"]);
    world.write("shared/a");
    world.write("shared/b");
    world.expect(&["shared/b"]);
}

#[test]
fn a_directory_above_may_be_moved_away_and_made_anew() {
    let mut world = World::new(&["Tiltfile", "app/web/src/a"]);
    world.watch(&["Tiltfile", "app/web/src"], &[]);
    rename(&world.path("app"), &world.path("before"));
    world.expect(&["app/web/src/a"]);
    world.write("app/web/src/a");
    world.expect(&["app/web/src/a"]);
    world.write("before/web/src/a");
    world.write("app/web/src/b");
    world.expect(&["app/web/src/b"]);
}

#[test]
fn a_directory_without_what_was_in_the_one_before_takes_it_away() {
    let mut world = World::new(&["app/src/sub/b", "other/c"]);
    world.watch(&["app"], &[]);
    rename(&world.path("app/src"), &world.path("before"));
    rename(&world.path("other"), &world.path("app/src"));
    world.expect(&["app/src/sub", "app/src/sub/b", "app/src/c"]);
}

/// A watcher that the system allows only so many directories.
struct Limited {
    watcher: RecommendedWatcher,
    left: std::sync::Arc<std::sync::atomic::AtomicUsize>,
}

impl Watcher for Limited {
    fn new<F: notify::EventHandler>(_: F, _: notify::Config) -> notify::Result<Self> {
        Err(notify::Error::generic("made by hand"))
    }

    fn watch(&mut self, path: &Path, mode: notify::RecursiveMode) -> notify::Result<()> {
        let take = |left: usize| left.checked_sub(1);
        let relaxed = std::sync::atomic::Ordering::Relaxed;
        match self.left.fetch_update(relaxed, relaxed, take) {
            Ok(_) => self.watcher.watch(path, mode),
            Err(_) => Err(notify::Error::new(notify::ErrorKind::MaxFilesWatch)),
        }
    }

    fn unwatch(&mut self, path: &Path) -> notify::Result<()> {
        self.watcher.unwatch(path)
    }

    fn kind() -> notify::WatcherKind {
        notify::WatcherKind::Inotify
    }
}

#[test]
fn what_a_limit_keeps_from_being_watched_is_looked_at_until_it_can_be() {
    let mut world = World::new(&["src/a", "src/sub/b"]);
    let left = std::sync::Arc::new(std::sync::atomic::AtomicUsize::new(0));
    let (sender, limit) = (world.watch.sender.clone(), std::sync::Arc::clone(&left));
    world.watch.tree = Some(Tree::new(Box::new(move || {
        let sender = sender.clone();
        let tell = move |event| drop(sender.send(Message::Seen(event)));
        let watcher = RecommendedWatcher::new(tell, notify::Config::default())?;
        let left = std::sync::Arc::clone(&limit);
        Ok(Box::new(Limited { watcher, left }))
    })));
    world.watch(&["src"], &[]);
    let faults: Vec<_> = std::mem::take(&mut world.watch.faults);
    assert_eq!(faults.len(), 1, "told once: {faults:?}");
    fs::write(world.path("src/a"), "longer than before").unwrap();
    fs::write(world.path("src/sub/b"), "longer than before").unwrap();
    let look = |world: &mut World| {
        world.watch.next_look = Some(clock::now());
        world.watch.look_again();
        world.watch.faults.clear();
    };
    look(&mut world);
    assert!(world.watch.next_look.is_some(), "it is looked again");
    world.expect(&["src/a", "src/sub/b"]);
    left.store(100, std::sync::atomic::Ordering::Relaxed);
    look(&mut world);
    assert_eq!(world.watch.next_look, None, "all is watched");
    world.write("src/sub/b");
    world.expect(&["src/sub/b"]);
}

#[test]
fn a_directory_that_becomes_readable_is_watched() {
    let mut world = World::new(&["src/shut/a", "src/b"]);
    world.watch(&["src"], &[]);
    // Nothing is shut for an administrator; so what a failed attempt leaves behind is made by hand.
    let shut = LocalPath::new(world.path("src/shut"));
    world.watch.tree.as_mut().unwrap().forget(&shut);
    let mode = fs::metadata(&shut).unwrap().permissions();
    fs::set_permissions(&shut, mode).unwrap();
    world.expect(&["src/shut", "src/shut/a"]);
    world.write("src/shut/a");
    world.expect(&["src/shut/a"]);
}

/// Returns what answers once all that happened before was seen.
fn begin(world: &mut World, moment: Moment) -> oneshot::Receiver<()> {
    let (sender, known) = oneshot::channel();
    world.watch.handle(Message::Passes(After::moment(moment), sender));
    known
}

/// Returns the next changes, each with the moment after which it came.
fn changes(world: &mut World) -> Vec<FileChange> {
    let changes = world
        .watch
        .next_changes(&world.inbox, |faults| panic!("{faults:?}"));
    changes.expect("the watch goes on")
}

#[test]
fn what_changed_before_an_update_began_is_known_to_be_older() {
    let mut world = World::new(&["src/a"]);
    world.watch(&["src"], &[]);
    let mut known = Vec::new();
    for moment in 1..=50 {
        // A new file is reported late.
        world.write(&format!("src/new{moment}"));
        known.push(begin(&mut world, moment));
        let reported: Vec<Moment> = changes(&mut world).iter().map(|change| change.after).collect();
        assert_eq!(reported, [moment - 1]);
        world.write("src/a");
        assert_eq!(changes(&mut world)[0].after, moment);
    }
    assert!(known.into_iter().all(|mut known| known.try_recv().is_ok()));
}

#[test]
fn what_changed_before_a_load_had_read_all_is_known_to_be_older() {
    let mut world = World::new(&["src/a"]);
    world.watch(&["src"], &[]);
    for load in 1..=50 {
        // A new file is reported late.
        world.write(&format!("src/new{load}"));
        let (sender, mut known) = oneshot::channel();
        world
            .watch
            .handle(Message::Passes(After::load(LoadId(load)), sender));
        let reported: Vec<LoadId> = changes(&mut world)
            .iter()
            .map(|change| change.after_load)
            .collect();
        assert_eq!(reported, [LoadId(load - 1)]);
        world.write("src/a");
        let change = changes(&mut world).remove(0);
        assert_eq!((change.after_load, change.after), (LoadId(load), 0));
        assert_eq!(known.try_recv(), Ok(()));
    }
}

#[test]
fn what_changed_after_a_load_had_read_it_and_before_it_is_watched_is_reported() {
    let mut world = World::new(&["src/a", "src/b"]);
    let path = LocalPath::new(world.path("src/a"));
    let read = Message::Read(vec![(path, 0)], clock::timestamp());
    world.watch.handle(read);
    world.write("src/a");
    world.write("src/b");
    world.watch(&["src"], &[]);
    world.expect(&["src/a"]);
}

#[test]
fn a_mark_says_nothing_of_what_began_after_it_was_set() {
    let mut world = World::new(&["src/a"]);
    world.watch(&["src"], &[]);
    let until_mark = |world: &mut World| loop {
        let message = world.inbox.recv().unwrap();
        let is_met = matches!(&message, Message::Seen(Ok(event)) if Mark::is_met(event));
        world.watch.handle(message);
        if is_met {
            return;
        }
    };
    let mut first = begin(&mut world, 1);
    world.write("src/a");
    let mut second = begin(&mut world, 2);
    until_mark(&mut world);
    assert!(first.try_recv().is_ok());
    assert!(
        second.try_recv().is_err(),
        "the change before it was not seen yet"
    );
    until_mark(&mut world);
    assert!(second.try_recv().is_ok());
    assert!(world.watch.coalescer.oldest().is_some(), "now it was");
}

#[test]
fn what_was_written_just_before_it_is_watched_is_older_than_what_begins_then() {
    let mut world = World::new(&["src/a"]);
    let target = WatchedTarget {
        paths: vec![LocalPath::new(world.path("src"))],
        ignores: Vec::new(),
    };
    world.watch_since(target, Timestamp(0));
    let mut known = begin(&mut world, 1);
    assert_eq!(changes(&mut world)[0].after, 0);
    world.write("src/a");
    assert_eq!(changes(&mut world)[0].after, 1);
    assert!(known.try_recv().is_ok());
}

#[tokio::test]
async fn an_update_begins_also_where_nothing_is_watched() {
    let (sender, _events) = mpsc::channel(8);
    let log = LogWriter::global(crate::logs::LogStore::in_memory());
    let (watcher, watching) = FileWatcher::start(sender, log);
    watcher.begin(3).await;
    assert_eq!(watcher.passed.latest().moment, 3);
    drop(watching);
    watcher.begin(4).await;
    assert_eq!(watcher.passed.latest().moment, 4, "also without the thread");
}

#[test]
fn lost_events_hold_up_no_update() {
    let mut world = World::new(&["src/a"]);
    world.watch(&["src"], &[]);
    fs::write(world.path("src/a"), "longer than before").unwrap();
    let mut known = begin(&mut world, 1);
    world.lose_all_events();
    let overflow = notify::Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
    world.watch.see(&overflow);
    assert_eq!(known.try_recv(), Ok(()));
    assert_eq!(changes(&mut world)[0].after, 0);
}

#[test]
fn a_save_of_the_same_content_is_known_as_such() {
    let mut world = World::new(&["src/a"]);
    world.watch(&["src"], &[]);
    let mut same = || {
        world.write("src/a");
        changes(&mut world)[0].is_same
    };
    assert_eq!([same(), same(), same()], [false, true, true]);
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs::set_permissions(world.path("src/a"), executable).unwrap();
    assert!(!changes(&mut world)[0].is_same, "its permissions are others");
}

#[test]
fn a_touch_is_told_from_a_save_of_the_same_content() {
    let mut world = World::new(&["src/a"]);
    world.watch(&["src"], &[]);
    let report = |world: &mut World| {
        let change = &changes(world)[0];
        (change.is_same, change.is_touched)
    };
    world.write("src/a");
    assert_eq!(report(&mut world), (false, false), "the first");
    let touch = |world: &World, secs: u64| {
        let file = fs::File::options().write(true).open(world.path("src/a")).unwrap();
        let time = std::time::UNIX_EPOCH + Duration::from_secs(secs);
        // Both, as `touch` does: the system tells of a write where only one of them is set.
        let times = fs::FileTimes::new().set_accessed(time).set_modified(time);
        file.set_times(times).unwrap();
    };
    for secs in [1_000, 2_000] {
        touch(&world, secs);
        assert_eq!(report(&mut world), (true, true), "{secs}");
    }
    world.write("src/a");
    assert_eq!(report(&mut world), (true, false), "a save");
}

#[test]
fn a_file_is_as_a_load_has_read_it_until_it_differs() {
    let mut world = World::new(&["src/a"]);
    world.watch(&["src"], &[]);
    let path = LocalPath::new(world.path("src/a"));
    let mode = std::os::unix::fs::MetadataExt::mode(&fs::metadata(&path).unwrap());
    world
        .watch
        .handle(Message::Read(vec![(path, print(mode, b"src/a"))], Timestamp(0)));
    world.write("src/a");
    assert!(changes(&mut world)[0].is_same);
    fs::write(world.path("src/a"), "another").unwrap();
    assert!(!changes(&mut world)[0].is_same);
}

#[test]
fn a_renamed_file_is_reported_once_with_both_names() {
    let mut world = World::new(&["src/f"]);
    world.watch(&["src"], &[]);
    rename(&world.path("src/f"), &world.path("src/g"));
    assert_eq!(world.report(), ["src/f", "src/g"]);
}

#[test]
fn a_directory_that_is_watched_under_several_names_is_reported_under_each() {
    let mut world = World::new(&["libs/common/x", "a/", "b/"]);
    for name in ["a/common", "b/common"] {
        std::os::unix::fs::symlink("../libs/common", world.path(name)).unwrap();
    }
    world.watch(&["a/common", "b/common", "libs"], &[]);
    let everywhere = ["a/common/x", "b/common/x", "libs/common/x"];
    for _ in 0..2 {
        world.write("libs/common/x");
        world.expect(&everywhere);
    }
    world.write("libs/common/new/y");
    let deeper = ["a/common/new", "b/common/new", "libs/common/new"].into_iter();
    let files = ["a/common/new/y", "b/common/new/y", "libs/common/new/y"];
    world.expect(&deeper.chain(files).collect::<Vec<_>>());
    world.watch(&["a/common", "libs"], &[]);
    world.write("libs/common/x");
    world.expect(&["a/common/x", "libs/common/x"]);
    world.watch(&["a/common"], &[]);
    world.write("libs/common/x");
    world.expect(&["a/common/x"]);
}
