//! However files are saved, moved and checked out: once all is quiet, each of them was reported when it was, or after it
//! became, what it is. Real files, real events; the ways of editors are played by the calls that they make.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use proptest::collection::vec;
use proptest::prelude::*;

use super::tests::World;
use super::*;

/// A way in which programs write a file that is there, or is not.
#[derive(Clone, Copy, Debug)]
enum Save {
    /// VS Code, nano, `cp`, a shell: truncate and write.
    Truncate,
    /// Some write, close, and write once more.
    TruncateTwice,
    /// `rsync --inplace`: write over what is there.
    InPlace,
    /// `>>`.
    Append,
    /// `sed -i`, `rsync`, formatters: a new file is renamed to the old one's name.
    TempRename,
    /// vim, `backupcopy=no`: probe the directory, rename to the backup, write a new file, delete the backup.
    VimRename,
    /// vim, `backupcopy=yes`: copy to the backup, truncate and write.
    VimCopy,
    /// emacs: auto-save file, lock, rename to the backup, write a new file.
    Emacs,
    /// JetBrains' safe write.
    JetBrains,
    /// A writer that takes its time between two parts.
    Slow,
}

const SAVES: [Save; 10] = [
    Save::Truncate,
    Save::TruncateTwice,
    Save::InPlace,
    Save::Append,
    Save::TempRename,
    Save::VimRename,
    Save::VimCopy,
    Save::Emacs,
    Save::JetBrains,
    Save::Slow,
];

impl Save {
    fn play(self, path: &Path, text: &str) -> std::io::Result<()> {
        let dir = path.parent().expect("a file in a directory");
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let beside = |name: String| dir.join(name);
        match self {
            Self::Truncate => fs::write(path, text)?,
            Self::TruncateTwice => {
                fs::write(path, text.to_uppercase())?;
                fs::write(path, text)?;
            }
            Self::InPlace => {
                let mut file = OpenOptions::new()
                    .create(true)
                    .truncate(false)
                    .write(true)
                    .open(path)?;
                file.write_all(text.as_bytes())?;
            }
            Self::Append => {
                let mut file = OpenOptions::new().create(true).append(true).open(path)?;
                file.write_all(text.as_bytes())?;
            }
            Self::TempRename => {
                let temp = beside(format!(".{name}.Xy12"));
                fs::write(&temp, text)?;
                fs::rename(temp, path)?;
            }
            Self::VimRename => {
                let (probe, backup) = (beside("4913".to_owned()), beside(format!("{name}~")));
                fs::write(&probe, "")?;
                fs::remove_file(probe)?;
                let is_old = fs::rename(path, &backup).is_ok();
                fs::write(path, text)?;
                if is_old {
                    fs::remove_file(backup)?;
                }
            }
            Self::VimCopy => {
                let backup = beside(format!("{name}~"));
                let _ = fs::copy(path, &backup);
                fs::write(path, text)?;
                let _ = fs::remove_file(backup);
            }
            Self::Emacs => {
                let (auto_save, lock) = (beside(format!("#{name}#")), beside(format!(".#{name}")));
                std::os::unix::fs::symlink("me@here.1", &lock)?;
                fs::write(&auto_save, text)?;
                let _ = fs::rename(path, beside(format!("{name}~")));
                fs::write(path, text)?;
                fs::remove_file(auto_save)?;
                fs::remove_file(lock)?;
            }
            Self::JetBrains => {
                let new = beside(format!("{name}___jb_tmp___"));
                let old = beside(format!("{name}___jb_old___"));
                fs::write(&new, text)?;
                let is_old = fs::rename(path, &old).is_ok();
                fs::rename(new, path)?;
                if is_old {
                    fs::remove_file(old)?;
                }
            }
            Self::Slow => {
                let mut file = File::create(path)?;
                let (first, second) = text.split_at(text.len() / 2);
                file.write_all(first.as_bytes())?;
                std::thread::sleep(Duration::from_millis(3));
                file.write_all(second.as_bytes())?;
            }
        }
        Ok(())
    }
}

/// Something that happens in a directory.
#[derive(Clone, Debug)]
enum Act {
    Save(&'static str, Save),
    Delete(&'static str),
    /// Renames whatever has the first name to the second, if it can be.
    Rename(&'static str, &'static str),
    /// Deletes whatever has the name.
    Remove(&'static str),
    Link(&'static str, &'static str),
    Ignored,
}

const FILES: [&str; 6] = ["a", "b", "sub/c", "sub/deep/d", "other/e", "sub"];
const DIRS: [&str; 5] = ["sub", "sub/deep", "other", "third", "other/deep"];

fn act() -> impl Strategy<Value = Act> {
    let file = || prop::sample::select(&FILES[..]);
    let dir = || prop::sample::select(&DIRS[..]);
    prop_oneof![
        10 => (file(), prop::sample::select(&SAVES[..])).prop_map(|(file, save)| Act::Save(file, save)),
        2 => file().prop_map(Act::Delete),
        3 => (dir(), dir()).prop_map(|(from, to)| Act::Rename(from, to)),
        2 => (file(), file()).prop_map(|(from, to)| Act::Rename(from, to)),
        1 => dir().prop_map(Act::Remove),
        1 => (dir(), file()).prop_map(|(to, link)| Act::Link(to, link)),
        1 => Just(Act::Ignored),
    ]
}

impl Act {
    /// Does it below a directory. What cannot be done is left out.
    fn play(&self, base: &Path, text: &str) {
        match self {
            Self::Save(name, save) => {
                let path = base.join(name);
                let is_possible = fs::create_dir_all(path.parent().unwrap()).is_ok() && !path.is_dir();
                if is_possible {
                    // Links may lead in a circle.
                    let _ = save.play(&path, text);
                }
            }
            Self::Delete(name) => {
                let _ = fs::remove_file(base.join(name));
            }
            Self::Rename(from, to) => {
                let _ = fs::rename(base.join(from), base.join(to));
            }
            Self::Remove(name) => {
                let _ = fs::remove_dir_all(base.join(name));
            }
            Self::Link(to, link) => {
                let _ = std::os::unix::fs::symlink(base.join(to), base.join(link));
            }
            Self::Ignored => {
                let _ = fs::create_dir_all(base.join("ignored/dir"));
                let _ = fs::write(base.join("ignored/dir/file"), text);
            }
        }
    }
}

/// What is at each path below a directory: the content of files, where links lead to.
fn all_in(base: &Path, dir: &Path, into: &mut BTreeMap<PathBuf, Option<String>>) {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        if fs::symlink_metadata(&path).is_ok_and(|meta| meta.is_dir()) {
            all_in(base, &path, into);
        } else {
            let name = path.strip_prefix(base).unwrap().to_owned();
            into.insert(name, content(&path));
        }
    }
}

/// What is at a path; `None` for a directory, for what is not there, and for what is only seen through a link.
fn content(path: &Path) -> Option<String> {
    let parent = path.parent()?;
    if parent.canonicalize().ok()? != parent {
        return None;
    }
    match fs::read_link(path) {
        Ok(to) => Some(format!("-> {}", to.display())),
        Err(_) => fs::read_to_string(path).ok(),
    }
}

/// A watched directory, and what was at each path when it was last reported.
struct Follower {
    world: World,
    base: PathBuf,
    seen: BTreeMap<PathBuf, Option<String>>,
}

const END: &str = "end";

impl Follower {
    fn new(world: World) -> Self {
        let base = world.path("src");
        fs::write(base.join(END), "").unwrap();
        let mut seen = BTreeMap::new();
        all_in(&base, &base, &mut seen);
        let mut follower = Self { world, base, seen };
        follower.world.watch(&["src"], &["src/ignored", "src/.git"]);
        follower
    }

    /// Takes reports in until the last one, and checks that each path was reported with what is there now.
    #[track_caller]
    fn check(&mut self, mark: &str) {
        while self.seen.get(Path::new(END)) != Some(&Some(mark.to_owned()))
            || self.world.watch.coalescer.next_wake().is_some()
        {
            for name in self.world.report() {
                let name = PathBuf::from(name).strip_prefix("src").unwrap().to_owned();
                assert!(!name.starts_with("ignored"), "{} is reported", name.display());
                let now = content(&self.base.join(&name));
                self.seen.insert(name, now);
            }
        }
        let (mut seen, mut now) = (self.seen.clone(), BTreeMap::new());
        all_in(&self.base, &self.base, &mut now);
        for all in [&mut seen, &mut now] {
            all.retain(|name, content| {
                let path = LocalPath::new(self.base.join(name));
                content.is_some() && self.world.watch.rules.is_wanted(&path)
            });
        }
        assert_eq!(seen, now, "what was reported, what is there");
        let watch = &mut self.world.watch;
        let left = watch.tree.as_mut().unwrap().rescan(&watch.rules);
        assert_eq!(left, [], "nothing is left to be found");
    }
}

fn config() -> ProptestConfig {
    ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn no_change_is_lost_however_it_is_made(acts in vec(act(), 1..40)) {
        let mut follower = Follower::new(World::new(&["src/a", "src/sub/c", "src/other/e"]));
        let base = follower.base.clone();
        let writing = std::thread::spawn(move || {
            for (number, act) in acts.iter().enumerate() {
                // All of the same length: only times and inodes tell them apart.
                act.play(&base, &format!("text {number:04}"));
            }
            fs::write(base.join(END), "done").unwrap();
        });
        follower.check("done");
        writing.join().unwrap();
    }

    #[test]
    fn no_change_is_lost_when_events_are(acts in vec((act(), any::<bool>()), 1..30)) {
        let mut follower = Follower::new(World::new(&["src/a", "src/sub/c", "src/other/e", "src/ignored/"]));
        for (number, (act, is_lost)) in acts.iter().enumerate() {
            act.play(&follower.base, &format!("text {number:04}"));
            if *is_lost {
                let overflow = notify::Event::new(EventKind::Other).set_flag(notify::event::Flag::Rescan);
                follower.world.lose_all_events();
                follower.world.watch.sender.send(Message::Seen(Ok(overflow))).unwrap();
            }
        }
        fs::write(follower.base.join(END), "done").unwrap();
        follower.check("done");
    }
}

#[allow(clippy::disallowed_methods, reason = "it names its directory")]
fn run(dir: &Path, program: &str, args: &[&str]) {
    let output = Command::new(program)
        .args(args)
        .current_dir(dir)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "{program} {args:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
}

fn git(dir: &Path, args: &[&str]) {
    let identity = [
        "-c",
        "user.name=me",
        "-c",
        "user.email=me@example.com",
        "-c",
        "commit.gpgsign=false",
    ];
    run(dir, "git", &[&identity[..], args].concat());
}

#[test]
fn a_checkout_is_reported_in_full() {
    let world = World::new(&[
        "src/file",
        "src/dir/old/x",
        "src/becomes-file/y",
        "src/becomes-dir",
    ]);
    let base = world.path("src");
    for n in 0..200 {
        fs::create_dir_all(base.join(format!("pkg{}", n % 20))).unwrap();
        fs::write(base.join(format!("pkg{}/{n}.go", n % 20)), "one").unwrap();
    }
    git(&base, &["init", "-q", "-b", "one"]);
    git(&base, &["add", "."]);
    git(&base, &["commit", "-q", "-m", "one"]);
    git(&base, &["checkout", "-q", "-b", "two"]);
    for gone in ["becomes-file", "dir", "pkg3"] {
        fs::remove_dir_all(base.join(gone)).unwrap();
    }
    fs::remove_file(base.join("becomes-dir")).unwrap();
    fs::write(base.join("becomes-file"), "two").unwrap();
    fs::create_dir_all(base.join("becomes-dir/deep")).unwrap();
    fs::write(base.join("becomes-dir/deep/z"), "two").unwrap();
    for n in 0..200 {
        fs::create_dir_all(base.join(format!("new{}", n % 7))).unwrap();
        fs::write(base.join(format!("new{}/{n}.go", n % 7)), "two").unwrap();
        if n % 20 != 3 {
            fs::write(base.join(format!("pkg{}/{n}.go", n % 20)), "two").unwrap();
        }
    }
    git(&base, &["add", "."]);
    git(&base, &["commit", "-q", "-m", "two"]);
    let mut follower = Follower::new(world);
    for (number, branch) in ["one", "two", "one", "two"].into_iter().enumerate() {
        let mark = format!("{number}");
        let (base, end) = (base.clone(), mark.clone());
        let checking_out = std::thread::spawn(move || {
            git(&base, &["checkout", "-q", branch]);
            fs::write(base.join(END), end).unwrap();
        });
        follower.check(&mark);
        checking_out.join().unwrap();
    }
}

#[test]
fn files_written_by_tools_are_reported() {
    let mut follower = Follower::new(World::new(&["src/a", "src/b"]));
    let base = follower.base.clone();
    run(&base, "sed", &["-i", "s/src/other/", "a"]);
    run(&base, "cp", &["a", "b"]);
    run(&base, "cp", &["b", "c"]);
    run(&base, "mv", &["c", "d"]);
    run(&base, "ln", &["-sf", "a", "d"]);
    fs::write(base.join(END), "done").unwrap();
    follower.check("done");
}
