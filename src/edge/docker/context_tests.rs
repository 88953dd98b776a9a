use super::*;
use crate::model::Ignore;

fn tree(files: &[&str]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a scratch folder");
    for file in files {
        let path = dir.path().join(file);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("a folder");
        std::fs::write(path, file).expect("a file");
    }
    dir
}

#[track_caller]
fn check(files: &[&str], patterns: &[&str], wanted: &Wanted, expected: &[&str]) {
    let dir = tree(files);
    let context = LocalPath::new(dir.path());
    let ignores = IgnoreMatcher::new(&[Ignore {
        base: context.clone(),
        patterns: patterns.iter().map(|p| (*p).to_owned()).collect(),
    }]);
    let ignores = if patterns.is_empty() {
        IgnoreMatcher::default()
    } else {
        ignores
    };
    let mut names = Vec::new();
    let context = Context::open(&context).expect("a context");
    let walked = context.walk(&ignores, wanted, &mut |entry| {
        names.push(entry.name.display().to_string());
        Ok(())
    });
    walked.expect("readable");
    assert_eq!(names, expected);
}

#[test]
fn entries_come_sorted_with_parents_first() {
    let files = ["b", "a.txt", "a/z", "a/b/c"];
    check(
        &files,
        &[],
        &Wanted::All,
        &["a", "a/b", "a/b/c", "a/z", "a.txt", "b"],
    );
}

#[test]
fn a_re_included_file_brings_its_directories() {
    let files = ["web/src/x", "web/test/y", "api/z", "top"];
    check(
        &files,
        &["**", "!web/src"],
        &Wanted::All,
        &["web", "web/src", "web/src/x"],
    );
    check(
        &files,
        &["*", "!web/*/y"],
        &Wanted::All,
        &["web", "web/test", "web/test/y"],
    );
    check(&files, &["web"], &Wanted::All, &["api", "api/z", "top"]);
}

#[test]
fn only_the_wanted_part_is_visited() {
    let wanted = Wanted::Paths(vec!["web/src".to_owned(), "top".to_owned()]);
    check(
        &["web/src/x", "web/srcs", "web/test/y", "top", "topper"],
        &[],
        &wanted,
        &["top", "web", "web/src", "web/src/x"],
    );
}

#[test]
fn links_are_kept_and_sockets_are_left_out() {
    let dir = tree(&["file"]);
    std::os::unix::fs::symlink("gone/away", dir.path().join("link")).expect("a link");
    let _socket = std::os::unix::net::UnixListener::bind(dir.path().join("sock")).expect("a socket");
    let mut kinds = Vec::new();
    let context = Context::open(&LocalPath::new(dir.path())).expect("a context");
    let walked = context.walk(&IgnoreMatcher::default(), &Wanted::All, &mut |entry| {
        kinds.push(entry.kind);
        Ok(())
    });
    walked.expect("readable");
    assert_eq!(
        kinds,
        [Kind::File { size: 4 }, Kind::Symlink(PathBuf::from("gone/away"))]
    );
}

/// What a user who is not root may read.
fn as_nobody<T: Send>(act: impl FnOnce() -> T + Send) -> T {
    std::thread::scope(|scope| {
        let acting = scope.spawn(|| {
            // Of this thread alone; nothing changes for a user who is not root.
            nix::unistd::setfsuid(nix::unistd::Uid::from_raw(65534));
            act()
        });
        acting.join().expect("no panic")
    })
}

#[test]
#[cfg(target_os = "linux")]
fn what_may_not_be_read_is_named_unless_it_is_ignored() {
    use std::os::unix::fs::PermissionsExt;
    let dir = tree(&["pgdata/x", "secret", "top", "web/y"]);
    let closed = |name: &str, mode| {
        let path = dir.path().join(name);
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).expect("ours");
    };
    closed("", 0o755);
    closed("pgdata", 0o700);
    closed("secret", 0o600);
    let context = LocalPath::new(dir.path());
    let denied = |name: &str| Err(format!("{}: Permission denied (os error 13)", context.join(name)));
    let walk = |patterns: &[&str]| {
        let ignores = IgnoreMatcher::new(&[Ignore {
            base: context.clone(),
            patterns: patterns.iter().map(|pattern| (*pattern).to_owned()).collect(),
        }]);
        let mut names = Vec::new();
        let walked = as_nobody(|| {
            let context = Context::open(&context)?;
            context.walk(&ignores, &Wanted::All, &mut |entry| {
                names.push(entry.name.display().to_string());
                Ok(())
            })
        });
        walked.map(|()| names.join(" ")).map_err(|err| err.to_string())
    };
    if nix::unistd::Uid::effective().is_root() {
        assert_eq!(walk(&["none"]), denied("pgdata"));
        // A pattern that takes something back makes us look into what is ignored.
        let known = ["pgdata", "!pgdata/no", "!web"];
        assert_eq!(walk(&known), Ok("secret top web web/y".to_owned()));
        let opened = as_nobody(|| Context::open(&context)?.file(Path::new("secret")).map(drop));
        let named = denied("secret").map(drop);
        assert_eq!(opened.map_err(|err| err.to_string()), named);
    }
    assert_eq!(walk(&["pgdata"]), Ok("secret top web web/y".to_owned()));
}
