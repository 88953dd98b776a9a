use std::fs;

use super::*;
use crate::edge::docker::context::{Context, Wanted};
use crate::model::{IgnoreMatcher, LocalPath};

const MINUTE: i64 = 60_000_000;
/// Long ago, as packagers write it.
const FIXED: Duration = Duration::from_secs(1_577_836_800);

/// A context, and what an engine has of it: content by name and time, as each list says.
struct World {
    dir: tempfile::TempDir,
    times: Arc<SentTimes>,
    /// What the engine keeps, by shared key.
    engine: HashMap<String, HashMap<(String, i64), String>>,
    /// How many files the last build sent.
    n_sent: usize,
    now: Timestamp,
}

impl World {
    fn new() -> Self {
        let dir = tempfile::tempdir().expect("a scratch folder");
        fs::create_dir(dir.path().join("ctx")).expect("a folder");
        let times = SentTimes::new(Some(dir.path().join("kept")));
        Self {
            dir,
            times,
            engine: HashMap::new(),
            n_sent: 0,
            now: crate::clock::timestamp(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).expect("a file");
        self.set_time(name);
    }

    fn set_time(&self, name: &str) {
        let file = OpenOptions::new()
            .append(true)
            .open(self.path(name))
            .expect("a file");
        file.set_modified(SystemTime::UNIX_EPOCH + FIXED).expect("ours");
    }

    fn list(&self) -> Vec<Entry> {
        let mut entries = Vec::new();
        let context = Context::open(&LocalPath::new(self.path("ctx"))).expect("a context");
        let walked = context.walk(&IgnoreMatcher::default(), &Wanted::All, &mut |entry| {
            entries.push(entry);
            Ok(())
        });
        walked.expect("readable");
        entries
    }

    /// Plays a build: the engine takes what it has, and asks for the rest. Returns the content it has then.
    fn build(&mut self) -> Vec<String> {
        self.build_with(&Arc::clone(&self.times), self.now)
    }

    fn build_with(&mut self, times: &Arc<SentTimes>, now: Timestamp) -> Vec<String> {
        let transfer = times.begin("key", now);
        let kept = self.engine.remove(transfer.shared_key()).unwrap_or_default();
        self.n_sent = 0;
        let mut has = HashMap::new();
        for entry in self.list() {
            let known = (entry.name.display().to_string(), transfer.time_of(&entry));
            let content = kept.get(&known).cloned().unwrap_or_else(|| {
                self.n_sent += 1;
                fs::read_to_string(self.path("ctx").join(&entry.name)).expect("a file")
            });
            has.insert(known, content);
        }
        transfer.is_complete();
        let mut content: Vec<String> = has.values().cloned().collect();
        content.sort();
        self.engine.insert(transfer.shared_key().to_owned(), has);
        content
    }

    /// Lets some time pass, so that files have not changed just now.
    fn later(&mut self) {
        self.now.0 += MINUTE;
    }
}

#[test]
fn other_content_of_the_same_size_and_time_is_sent_however_it_came() {
    let mut world = World::new();
    world.write("ctx/a", "1.0.1");
    world.later();
    assert_eq!(world.build(), ["1.0.1"]);
    // `cp -p`: the same file is written over.
    world.write("ctx/a", "1.0.2");
    world.later();
    assert_eq!(world.build(), ["1.0.2"]);
    // `mv`, `rsync -a`, `tar x`: another file has its name.
    world.write("new", "1.0.3");
    fs::rename(world.path("new"), world.path("ctx/a")).expect("ours");
    world.later();
    assert_eq!(world.build(), ["1.0.3"]);
    // And back, while the other is kept beside.
    world.write("old", "1.0.1");
    fs::rename(world.path("ctx/a"), world.path("kept-file")).expect("ours");
    fs::rename(world.path("old"), world.path("ctx/a")).expect("ours");
    world.later();
    assert_eq!(world.build(), ["1.0.1"]);
    fs::rename(world.path("kept-file"), world.path("ctx/a")).expect("ours");
    world.later();
    assert_eq!(world.build(), ["1.0.3"]);
}

#[test]
fn two_files_that_change_their_names_are_sent() {
    let mut world = World::new();
    world.write("ctx/a", "one");
    world.write("ctx/b", "two");
    world.later();
    world.build();
    for (from, to) in [("a", "c"), ("b", "a"), ("c", "b")] {
        fs::rename(world.path("ctx").join(from), world.path("ctx").join(to)).expect("ours");
    }
    world.later();
    world.build();
    let shared: Vec<_> = world.engine.values().flatten().collect();
    let has = |name: &str| {
        shared
            .iter()
            .find(|((known, _), _)| known == name)
            .map(|(_, text)| text.as_str())
    };
    assert_eq!((has("a"), has("b")), (Some("two"), Some("one")));
}

#[test]
fn what_did_not_change_is_not_sent_again_and_keeps_its_time() {
    let mut world = World::new();
    world.write("ctx/a", "one");
    world.later();
    world.build();
    let own = world.list().pop().expect("one file").modified_nanos;
    for _ in 0..3 {
        world.later();
        world.build();
        assert_eq!(world.n_sent, 0);
    }
    let sent: Vec<i64> = world
        .engine
        .values()
        .flatten()
        .map(|((_, time), _)| *time)
        .collect();
    assert_eq!(sent, [own]);
    // Nor in another session.
    world.times = SentTimes::new(Some(world.path("kept")));
    world.build();
    assert_eq!(world.n_sent, 0);
}

#[test]
fn a_change_between_two_sessions_is_sent() {
    let mut world = World::new();
    world.write("ctx/a", "1.0.1");
    world.later();
    world.build();
    world.times = SentTimes::new(Some(world.path("kept")));
    world.write("ctx/a", "1.0.2");
    world.later();
    assert_eq!(world.build(), ["1.0.2"]);
    // What was kept is lost: the engine begins with nothing.
    fs::remove_dir_all(world.path("kept")).expect("ours");
    world.times = SentTimes::new(Some(world.path("kept")));
    world.write("ctx/a", "1.0.3");
    assert_eq!(world.build(), ["1.0.3"]);
    // Nothing can be kept at all.
    world.times = SentTimes::new(None);
    world.write("ctx/a", "1.0.4");
    assert_eq!(world.build(), ["1.0.4"]);
}

#[test]
fn a_file_that_changed_just_now_may_change_once_more_within_the_same_tick() {
    let mut world = World::new();
    world.write("ctx/a", "one");
    assert_eq!(world.build(), ["one"]);
    let mut entry = world.list().pop().expect("one file");
    let transfer = Arc::clone(&world.times).begin("key", world.now);
    // The same in all that can be seen.
    let times: Vec<i64> = (0..2).map(|_| transfer.time_of(&entry)).collect();
    assert_ne!(times[0], times[1]);
    // Once it is older, it is known.
    entry.changed_nanos -= 3 * SLOW_TICK_NANOS;
    let times: Vec<i64> = (0..2).map(|_| transfer.time_of(&entry)).collect();
    assert_eq!(times[0], times[1]);
}

#[test]
fn two_sessions_do_not_share_what_the_engine_keeps() {
    let mut world = World::new();
    world.write("ctx/a", "one");
    world.later();
    let other = SentTimes::new(Some(world.path("kept")));
    let (now, times) = (world.now, Arc::clone(&world.times));
    world.build_with(&times, now);
    world.write("ctx/a", "two");
    world.later();
    let now = world.now;
    assert_eq!(world.build_with(&other, now), ["two"]);
    world.write("ctx/a", "six");
    world.later();
    let now = world.now;
    assert_eq!(world.build_with(&times, now), ["six"]);
    assert_eq!(world.build_with(&other, now), ["six"]);
    assert_eq!(world.engine.len(), 2);
}

#[test]
fn after_a_session_that_was_killed_during_a_build_the_engine_begins_with_nothing() {
    let mut world = World::new();
    world.write("ctx/a", "one");
    world.later();
    world.build();
    let before: Vec<String> = world.engine.keys().cloned().collect();
    // Its file says that it is in use, and its lock is gone with it.
    let killed = world.times.begin("key", world.now);
    let path = world.path("kept/key.0");
    let bytes = fs::read(&path).expect("a file");
    drop(killed);
    fs::write(&path, bytes).expect("ours");
    world.times = SentTimes::new(Some(world.path("kept")));
    world.build();
    assert_eq!((world.n_sent, world.engine.len()), (1, 2));
    assert!(world.engine.keys().any(|key| !before.contains(key)));
}

#[test]
fn a_transfer_that_broke_off_leaves_no_time_with_two_meanings() {
    let mut world = World::new();
    world.write("ctx/a", "one");
    world.later();
    world.build();
    // Two of which nobody knows what of them came there.
    for text in ["two", "six"] {
        world.write("ctx/a", text);
        world.later();
        let transfer = world.times.begin("key", world.now);
        let time = transfer.time_of(&world.list().pop().expect("one file"));
        let kept = world.engine.get_mut(transfer.shared_key()).expect("kept");
        assert!(kept.insert(("a".to_owned(), time), text.to_owned()).is_none());
    }
    world.write("ctx/a", "ten");
    world.later();
    assert_eq!(world.build(), ["ten"]);
}

#[test]
fn a_time_is_moved_within_its_second() {
    for (nanos, shift, expected) in [
        (0, 1, 1),
        (1_999_999_999, 1, 1_000_000_000),
        (-1, 1, -1_000_000_000),
        (-1_000_000_000, 2, -999_999_998),
    ] {
        assert_eq!(shifted(nanos, shift), expected, "{nanos} + {shift}");
    }
}
