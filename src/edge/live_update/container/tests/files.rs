//! What is in a container after a batch, or after many.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::super::content_here;
use super::container::{SHELLS, Scene, set_mode, tree};
use crate::clock;

/// A writer that does nothing for so long may look as if it were done: a file is whole when it was not written for 10 ms, as
/// its time tells, which may be 4 ms late.
const STOPPED: Duration = Duration::from_millis(5);

/// Names that need care.
const NAMES: [&[u8]; 9] = [
    b"a.txt",
    b"two words",
    b"it's \"quoted\" $(x) `y` \\z*?",
    b"new\nline",
    b"-f",
    b".hidden",
    b"\xff\x81\x88 no utf-8",
    b"ends in newline\n",
    "ünï".as_bytes(),
];

fn path(name: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(name))
}

#[tokio::test]
async fn every_name_arrives_with_its_permissions() {
    for shell in SHELLS {
        let mut scene = Scene::new(shell);
        for (at, name) in NAMES.iter().enumerate() {
            scene.write(path(name), format!("content {at}"));
            scene.write(path(name).with_extension("d").join(path(name)), name);
            symlink(path(name), scene.here(format!("link{at}"))).unwrap();
        }
        set_mode(&scene.here("a.txt"), 0o751);
        std::fs::create_dir(scene.here("empty")).unwrap();
        set_mode(&scene.here("empty"), 0o700);
        let synced = scene.sync(&["."]).await.unwrap();
        scene.assert_equal("after the first sync");
        assert_eq!(synced.sent.len(), 3 * NAMES.len(), "{shell}");
        let again = scene.sync(&["."]).await.unwrap();
        assert_eq!(
            (again.sent.len(), again.n_unchanged),
            (0, 3 * NAMES.len()),
            "{shell}"
        );
    }
}

#[tokio::test]
async fn content_that_did_not_change_is_not_sent() {
    for shell in SHELLS {
        let mut scene = Scene::new(shell);
        scene.write("a", "one");
        scene.sync(&["a"]).await.unwrap();
        scene.write("a", "one");
        let touched = scene.sync(&["a"]).await.unwrap();
        assert_eq!((touched.sent.len(), touched.n_unchanged), (0, 1), "{shell}");
        // Another session: the container says what it holds.
        scene.anew();
        let session = scene.sync(&["a"]).await.unwrap();
        assert_eq!((session.sent.len(), session.n_unchanged), (0, 1), "{shell}");
        scene.write("a", "two");
        assert_eq!(scene.sync(&["a"]).await.unwrap().sent.len(), 1, "{shell}");
        scene.assert_equal("after an edit");
    }
}

#[tokio::test]
async fn what_an_image_was_made_of_is_not_sent_until_a_sync_has_changed_it() {
    for shell in SHELLS {
        let mut scene = Scene::new(shell);
        scene.write("a", "image");
        let image = Arc::new(content_here(&[scene.placement(".")]).unwrap());
        std::fs::create_dir(scene.there("")).unwrap();
        std::fs::copy(scene.here("a"), scene.there("a")).unwrap();
        scene.anew_of(Arc::clone(&image));
        assert_eq!(scene.sync(&["a"]).await.unwrap().n_unchanged, 1, "{shell}");
        scene.write("a", "edited");
        scene.sync(&["a"]).await.unwrap();
        // A later session, for which the file is as in the image again, though it is not there.
        scene.write("a", "image");
        scene.anew_of(image);
        assert_eq!(scene.sync(&["a"]).await.unwrap().sent.len(), 1, "{shell}");
        scene.assert_equal("after it was changed back");
    }
}

#[tokio::test]
async fn what_an_image_is_said_to_be_made_of_is_sent_where_it_is_not_so() {
    for shell in SHELLS {
        for program in ["sha256sum", "cat"] {
            let programs = ["sh", "tar", "mv", "rm", "mkdir", "chmod", "cat", "head", program];
            let mut scene = Scene::with_programs(shell, &programs[..if program == "cat" { 8 } else { 9 }]);
            for name in ["a", "b c", "d"] {
                scene.write(name, "image");
            }
            let image = Arc::new(content_here(&[scene.placement(".")]).unwrap());
            for (name, content) in [("a", "image"), ("b c", "other")] {
                std::fs::create_dir_all(scene.there("")).unwrap();
                std::fs::write(scene.there(name), content).unwrap();
            }
            scene.anew_of(image);
            let sent = scene.sync(&["a", "b c", "d"]).await.unwrap().sent;
            let sent: Vec<PathBuf> = sent.iter().map(|file| file.local.as_path().to_owned()).collect();
            let expected = match program {
                "cat" => vec![],
                _ => vec![scene.here("b c"), scene.here("d")],
            };
            assert_eq!(sent, expected, "{shell} {program}");
            let again = scene.sync(&["a", "b c", "d"]).await.unwrap();
            assert_eq!(again.n_unchanged, 3, "{shell} {program}");
        }
    }
}

#[tokio::test]
async fn a_container_that_was_replaced_gets_all_again() {
    for shell in SHELLS {
        let mut scene = Scene::new(shell);
        scene.write("a", "one");
        scene.write("b/c", "two");
        scene.sync(&["."]).await.unwrap();
        scene.replace_container();
        scene.write("a", "three");
        // The shell of the old one is left in a directory that is no more; its place is not its own any more.
        let synced = scene.sync(&["."]).await.unwrap();
        assert!(synced.sent.len() >= 2, "{shell}: {synced:?}");
        scene.assert_equal("after the replacement");
    }
}

#[tokio::test]
async fn kinds_change_into_one_another() {
    for shell in SHELLS {
        let mut scene = Scene::new(shell);
        scene.write("x", "a file");
        scene.sync(&["x"]).await.unwrap();
        std::fs::remove_file(scene.here("x")).unwrap();
        scene.write("x/inner/y", "in a directory");
        scene.sync(&["x/inner/y"]).await.unwrap();
        scene.assert_equal("after a file became a directory");
        std::fs::remove_dir_all(scene.here("x")).unwrap();
        symlink("elsewhere", scene.here("x")).unwrap();
        scene.sync(&["x"]).await.unwrap();
        scene.assert_equal("after a directory became a link");
        std::fs::remove_file(scene.here("x")).unwrap();
        scene.write("x", "a file again");
        scene.sync(&["x"]).await.unwrap();
        scene.assert_equal("after a link became a file");
        std::fs::remove_file(scene.here("x")).unwrap();
        let synced = scene.sync(&["x", "never/was"]).await.unwrap();
        assert_eq!(synced.deleted.len(), 2, "{shell}");
        scene.assert_equal("after all was deleted");
        scene.write("d/e", "in a directory");
        scene.sync(&["."]).await.unwrap();
        std::fs::remove_dir_all(scene.here("d")).unwrap();
        scene.write("d", "a file");
        scene.sync(&["d"]).await.unwrap();
        scene.sync(&["d/e"]).await.unwrap();
        scene.assert_equal("after a deletion that was reported late");
        scene.anew();
        std::fs::remove_file(scene.there(".tilt-live-update/journal")).unwrap_or_default();
        scene.sync(&["d/e"]).await.unwrap();
        scene.assert_equal("after the same where nothing is known");
    }
}

#[tokio::test]
async fn long_files_and_many_files_arrive() {
    for shell in SHELLS {
        let mut scene = Scene::new(shell);
        let long: Vec<u8> = (0..3_000_000u32).map(|at| (at % 251) as u8).collect();
        scene.write("long", &long);
        scene.write("dir/also long", &long[..2_000_001]);
        for at in 0..700 {
            scene.write(format!("d{}/many{at}", at % 7), format!("{at}").repeat(at));
        }
        scene.sync(&["."]).await.unwrap();
        scene.assert_equal("after a large batch");
    }
}

#[tokio::test]
async fn a_file_that_is_being_written_is_never_a_mixture_and_whole_at_last() {
    for shell in SHELLS {
        let mut scene = Scene::new(shell);
        scene.write("a", "0".repeat(200_000));
        let file = scene.here("a");
        // Returns the contents in the middle of which it was stopped, so that they looked like whole ones for a while.
        let writer = std::thread::spawn(move || {
            let mut broken = BTreeSet::new();
            for byte in b'B'..b'_' {
                let mut last = clock::now();
                // Emptied first, as editors do, and filled in pieces.
                let mut file = std::fs::File::create(&file).unwrap();
                for _ in 0..20 {
                    std::io::Write::write_all(&mut file, &[byte; 10_000]).unwrap();
                    let now = clock::now();
                    if now - last > STOPPED {
                        broken.insert(byte);
                    }
                    last = now;
                }
                std::thread::sleep(Duration::from_millis(25));
            }
            broken
        });
        let mut seen = Vec::new();
        while !writer.is_finished() {
            scene.sync(&["a"]).await.unwrap();
            let there = std::fs::read(scene.there("a")).unwrap();
            assert!(there.iter().all(|byte| *byte == there[0]), "{shell}: a mixture");
            seen.extend(there.first().map(|byte| (*byte, there.len())));
        }
        let broken = writer.join().unwrap();
        for (byte, len) in seen.into_iter().filter(|(byte, _)| !broken.contains(byte)) {
            assert_eq!(len, 200_000, "{shell}: {} was taken too early", char::from(byte));
        }
        scene.sync(&["a"]).await.unwrap();
        scene.assert_equal("at the end");
    }
}

/// One thing that somebody does in a project.
#[derive(Clone, Debug)]
enum Edit {
    Write(PathBuf, u8),
    Link(PathBuf, u8),
    Dir(PathBuf),
    Mode(PathBuf, bool),
    Remove(PathBuf),
    Rename(PathBuf, PathBuf),
}

fn some_path() -> impl Strategy<Value = PathBuf> {
    let name = (0usize..5).prop_map(|at| path([NAMES[0], NAMES[2], NAMES[3], NAMES[6], NAMES[4]][at]));
    proptest::collection::vec(name, 1..4).prop_map(|names| names.iter().collect())
}

fn edit() -> impl Strategy<Value = Edit> {
    prop_oneof![
        4 => (some_path(), any::<u8>()).prop_map(|(path, content)| Edit::Write(path, content)),
        1 => (some_path(), any::<u8>()).prop_map(|(path, target)| Edit::Link(path, target)),
        1 => some_path().prop_map(Edit::Dir),
        1 => (some_path(), any::<bool>()).prop_map(|(path, mode)| Edit::Mode(path, mode)),
        2 => some_path().prop_map(Edit::Remove),
        1 => (some_path(), some_path()).prop_map(|(from, to)| Edit::Rename(from, to)),
    ]
}

/// Does it, as far as it can be done.
fn apply(root: &Path, edit: &Edit) {
    let room = |path: &Path| {
        let path = root.join(path);
        let _ = std::fs::create_dir_all(path.parent().unwrap());
        path
    };
    match edit {
        Edit::Write(path, content) => drop(std::fs::write(room(path), [*content; 20])),
        Edit::Link(path, target) => drop(symlink(format!("../{target}"), room(path))),
        Edit::Dir(path) => drop(std::fs::create_dir_all(root.join(path))),
        Edit::Mode(path, is_open) => {
            let path = root.join(path);
            if std::fs::symlink_metadata(&path).is_ok_and(|metadata| !metadata.is_symlink()) {
                set_mode(&path, if *is_open { 0o755 } else { 0o700 });
            }
        }
        Edit::Remove(path) => {
            let path = root.join(path);
            let _ = std::fs::remove_file(&path);
            let _ = std::fs::remove_dir_all(&path);
        }
        Edit::Rename(from, to) => drop(std::fs::rename(root.join(from), room(to))),
    }
}

/// Returns what a watch would report: what is other than before, and its contents.
fn changed(before: &BTreeMap<PathBuf, String>, after: &BTreeMap<PathBuf, String>) -> Vec<PathBuf> {
    let paths = before.keys().chain(after.keys());
    paths
        .filter(|path| before.get(*path) != after.get(*path))
        .cloned()
        .collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, ..ProptestConfig::default() })]
    #[test]
    fn after_any_edits_all_content_is_equal(
        batches in proptest::collection::vec((proptest::collection::vec(edit(), 1..5), 0u8..8), 1..7),
        shell in 0usize..2,
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let mut scene = Scene::new(SHELLS[shell]);
            std::fs::create_dir_all(scene.there("")).unwrap();
            for (edits, what) in &batches {
                let before = tree(&scene.here(""));
                for edit in edits {
                    apply(&scene.here(""), edit);
                }
                let changed = changed(&before, &tree(&scene.here("")));
                match what {
                    // A new session, which does not know what changed meanwhile.
                    0 => {
                        scene.anew();
                        scene.sync(&["."]).await.unwrap();
                    }
                    1 => {
                        scene.replace_container();
                        // The way into a container ends with it.
                        scene.anew();
                        scene.sync(&["."]).await.unwrap();
                    }
                    2 => drop(scene.sync(&["."]).await.unwrap()),
                    _ => drop(scene.sync(&changed).await.unwrap()),
                }
                scene.assert_equal(&format!("after {edits:?}, {what}"));
            }
        });
    }
}
