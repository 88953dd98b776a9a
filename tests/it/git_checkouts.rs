//! Git repositories of extensions on this machine: local ones stand for those of the network.
#![allow(clippy::disallowed_methods, reason = "these tests run git")]

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::AtomicBool;

use tempfile::TempDir;
use tilt::edge::evaluation::GitCheckouts;
use tilt::edge::process::Environment;
use tilt::logs::{LogStore, LogWriter};
use tilt::model::LocalPath;
use tilt::tiltfile::{Checkout, CheckoutFault, RepoRequest};

const URL: &str = "https://example.com/team/extensions";

/// A repository `team/extensions` below `served`, which git takes for `https://example.com/`.
struct World(TempDir);

impl World {
    fn new() -> Self {
        let world = Self(TempDir::with_prefix("tilt-git-").expect("a scratch folder"));
        std::fs::create_dir_all(world.origin()).expect("a folder");
        world.git(&["init", "--quiet", "--initial-branch=main"]);
        world.write_config();
        world.commit("one");
        world
    }

    fn origin(&self) -> PathBuf {
        self.0.path().join("served/team/extensions")
    }

    fn modules(&self) -> PathBuf {
        self.0.path().join("modules")
    }

    /// Runs git in the origin.
    #[track_caller]
    fn git(&self, args: &[&str]) -> String {
        let output = Command::new("git")
            .args(["-c", "user.name=a", "-c", "user.email=a@example.com"])
            .args(args)
            .current_dir(self.origin())
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .expect("git is needed for this test");
        assert!(
            output.status.success(),
            "{args:?}: {}",
            String::from_utf8_lossy(&output.stderr)
        );
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    /// Commits a file with this text, and returns the commit.
    fn commit(&self, text: &str) -> String {
        std::fs::write(self.origin().join("Tiltfile"), text).expect("a file");
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--message", text]);
        self.git(&["rev-parse", "HEAD"])
    }

    /// Lets git take the repository here for one on the internet.
    fn write_config(&self) {
        let served = self.0.path().join("served").display().to_string();
        let config = self.0.path().join("gitconfig");
        let text = format!(
            "[url \"{served}/\"]\n insteadOf = https://example.com/\n[url \"/nothing/\"]\n insteadOf = ssh://\n\
             [protocol \"file\"]\n allow = always\n"
        );
        std::fs::write(config, text).expect("a file");
    }

    fn checkouts(&self) -> GitCheckouts {
        let mut env = Environment::default();
        env.set("PATH", std::env::var_os("PATH").unwrap_or_default());
        env.set("HOME", self.0.path());
        env.set("GIT_CONFIG_NOSYSTEM", "1");
        env.set("GIT_CONFIG_GLOBAL", self.0.path().join("gitconfig"));
        GitCheckouts::new(LocalPath::new(self.modules()), env)
    }

    fn checkout(&self, url: &str, reference: &str) -> Result<Checkout, CheckoutFault> {
        let log = LogWriter::global(LogStore::in_memory());
        let wanted = RepoRequest {
            url,
            reference,
            log: &log,
        };
        self.checkouts().checkout(&wanted, &AtomicBool::new(false))
    }

    /// Returns the text of the file at a ref.
    #[track_caller]
    fn text(&self, reference: &str) -> String {
        let checkout = self.checkout(URL, reference).expect("a checkout");
        read(&checkout.directory)
    }
}

fn read(directory: &LocalPath) -> String {
    std::fs::read_to_string(directory.join("Tiltfile")).expect("the file")
}

#[test]
fn a_repository_lies_where_tilt_has_it_with_each_commit_beside_it() {
    let world = World::new();
    let commit = world.git(&["rev-parse", "HEAD"]);
    let checkout = world.checkout(URL, "").expect("a checkout");
    assert_eq!(checkout.commit, commit);
    assert_eq!(checkout.stale, None);
    let clone = world.modules().join("example.com/team/extensions");
    assert!(clone.join(".git").is_dir());
    assert_eq!(
        checkout.directory.to_string(),
        format!("{}@{commit}", clone.display())
    );
    assert_eq!(read(&checkout.directory), "one");
}

#[test]
fn without_a_ref_the_newest_commit_is_fetched_and_the_older_one_stays() {
    let world = World::new();
    let first = world.checkout(URL, "").expect("a checkout");
    world.commit("two");
    assert_eq!(world.text("HEAD"), "two");
    assert_eq!(read(&first.directory), "one");
}

#[test]
fn tags_branches_and_commits_are_found() {
    let world = World::new();
    let first = world.git(&["rev-parse", "HEAD"]);
    world.git(&["tag", "v1"]);
    world.commit("two");
    world.git(&["branch", "feature/x"]);
    world.commit("three");
    for (reference, text) in [
        ("v1", "one"),
        ("feature/x", "two"),
        (&*first, "one"),
        (&first[..10], "one"),
        ("main", "three"),
    ] {
        assert_eq!(world.text(reference), text, "{reference}");
    }
}

#[test]
fn a_known_ref_needs_no_network_and_a_new_one_is_fetched() {
    let world = World::new();
    world.git(&["tag", "v1"]);
    assert_eq!(world.text("v1"), "one");
    world.commit("two");
    world.git(&["tag", "v2"]);
    assert_eq!(world.text("v2"), "two");
    std::fs::rename(world.origin(), world.0.path().join("gone")).expect("renamed");
    assert_eq!(world.text("v1"), "one");
    let stale = world.checkout(URL, "").expect("the copy will do");
    assert_eq!(read(&stale.directory), "two");
    assert!(stale.stale.is_some_and(|why| why.contains("fatal: ")));
    let missing = world.checkout(URL, "v3").expect_err("it cannot be fetched");
    assert!(
        matches!(&missing, CheckoutFault::Git(why) if why.starts_with("sync to ref v3: ")),
        "{missing:?}"
    );
}

#[test]
fn a_commit_on_no_branch_is_fetched() {
    let world = World::new();
    assert_eq!(world.text(""), "one");
    world.git(&["checkout", "--quiet", "-b", "side"]);
    let side = world.commit("side");
    world.git(&["update-ref", "refs/pull/1/head", &side]);
    world.git(&["checkout", "--quiet", "main"]);
    world.git(&["branch", "--quiet", "-D", "side"]);
    assert_eq!(world.text("refs/pull/1/head"), "side");
}

#[test]
fn what_cannot_be_had_is_explained() {
    let world = World::new();
    let fault = |url: &str, reference: &str| world.checkout(url, reference).expect_err("it does not exist");
    let download = fault("https://example.com/team/nothing", "");
    assert!(
        matches!(&download, CheckoutFault::Download(why) if why.contains("does not appear to be")),
        "{download:?}"
    );
    assert!(!world.modules().join("example.com/team/nothing").exists());
    let no_ref = fault(URL, "nothing");
    assert!(
        matches!(&no_ref, CheckoutFault::Git(why) if why.starts_with("sync to ref nothing: ")),
        "{no_ref:?}"
    );
    for (url, reference) in [("https://../../etc", ""), (URL, "--upload-pack=x")] {
        assert!(
            matches!(fault(url, reference), CheckoutFault::Other(_)),
            "{url} {reference}"
        );
    }
    std::fs::create_dir_all(world.modules().join("example.com/other/x")).expect("a folder");
    let stale = fault("https://example.com/other", "");
    assert!(
        matches!(&stale, CheckoutFault::Other(why) if why.contains("stale checkout")),
        "{stale:?}"
    );
}

#[test]
fn http_is_fetched_as_https() {
    let world = World::new();
    let checkout = world
        .checkout("http://example.com/team/extensions/", "")
        .expect("a checkout");
    assert_eq!(read(&checkout.directory), "one");
}

#[test]
fn runs_at_the_same_time_do_not_disturb_each_other() {
    let world = World::new();
    world.git(&["tag", "v1"]);
    world.commit("two");
    std::thread::scope(|scope| {
        for at in 0..6 {
            let (reference, text) = [("v1", "one"), ("main", "two"), ("", "two")][at % 3];
            let world = &world;
            scope.spawn(move || assert_eq!(world.text(reference), text, "{reference}"));
        }
    });
    let left: Vec<String> = names(&world.modules().join("example.com/team"));
    assert!(left.iter().all(|name| !name.ends_with(".new")), "{left:?}");
}

#[test]
fn what_a_killed_run_left_is_in_nobodys_way() {
    let world = World::new();
    let rest = world.modules().join("example.com/team/extensions.new");
    std::fs::create_dir_all(rest.join("half")).expect("a folder");
    assert_eq!(world.text(""), "one");
}

#[test]
fn waiting_for_another_run_ends_when_the_load_is_cancelled() {
    let world = World::new();
    std::fs::create_dir_all(world.modules().join("example.com/team")).expect("a folder");
    let lock =
        std::fs::File::create(world.modules().join("example.com/team/extensions.lock")).expect("a file");
    lock.lock().expect("locked");
    let store = LogStore::in_memory();
    let log = LogWriter::global(store.clone());
    let wanted = RepoRequest {
        url: URL,
        reference: "",
        log: &log,
    };
    let fault = world.checkouts().checkout(&wanted, &AtomicBool::new(true));
    assert_eq!(fault, Err(CheckoutFault::Cancelled));
}

#[test]
fn submodules_are_there_too() {
    let world = World::new();
    let library = world.0.path().join("served/team/library");
    std::fs::create_dir_all(&library).expect("a folder");
    let path = library.display().to_string();
    world.git(&["-C", &path, "init", "--quiet", "--initial-branch=main"]);
    std::fs::write(library.join("x"), "x").expect("a file");
    world.git(&["-C", &path, "add", "."]);
    world.git(&["-C", &path, "commit", "--quiet", "--message", "x"]);
    world.git(&[
        "-c",
        "protocol.file.allow=always",
        "submodule",
        "--quiet",
        "add",
        &path,
        "library",
    ]);
    world.git(&[
        "config",
        "--file",
        ".gitmodules",
        "submodule.library.url",
        "../library",
    ]);
    world.commit("with library");
    let checkout = world.checkout(URL, "").expect("a checkout");
    assert!(checkout.directory.join("library/x").as_path().exists());
}

fn names(folder: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let names = entries.map(|entry| {
        entry
            .expect("an entry")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    names.collect()
}

/// Returns what comes of a checkout when the folder of all programs holds only this `git`, or none.
fn with_git(script: Option<&str>, cancelled: &AtomicBool) -> Result<Checkout, CheckoutFault> {
    let folder = TempDir::with_prefix("tilt-git-").expect("a scratch folder");
    if let Some(script) = script {
        let program = folder.path().join("git");
        std::fs::write(&program, script).expect("a file");
        let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
        std::fs::set_permissions(&program, executable).expect("ours");
    }
    let mut env = Environment::default();
    env.set("PATH", folder.path());
    let log = LogWriter::global(LogStore::in_memory());
    let wanted = RepoRequest {
        url: URL,
        reference: "",
        log: &log,
    };
    let modules = LocalPath::new(folder.path().join("modules"));
    GitCheckouts::new(modules, env).checkout(&wanted, cancelled)
}

#[test]
fn without_git_that_is_what_is_said() {
    assert_eq!(with_git(None, &AtomicBool::new(false)), Err(CheckoutFault::NoGit));
}

#[test]
fn a_git_that_hangs_ends_with_the_load() {
    let cancelled = AtomicBool::new(false);
    let fault = std::thread::scope(|scope| {
        scope.spawn(|| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            cancelled.store(true, std::sync::atomic::Ordering::Relaxed);
        });
        with_git(Some("#!/bin/sh\nexec /bin/sleep 600\n"), &cancelled)
    });
    assert_eq!(fault, Err(CheckoutFault::Cancelled));
}
