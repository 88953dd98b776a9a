use super::*;

#[test]
fn a_dockerfile_of_the_same_length_is_another_file() {
    assert_ne!(
        text_stat("Dockerfile", "FROM a").mod_time,
        text_stat("Dockerfile", "FROM b").mod_time
    );
}

fn files(context: &LocalPath, log: &crate::logs::LogStore) -> SessionFiles {
    SessionFiles::new(
        context.clone(),
        IgnoreMatcher::default(),
        String::new(),
        ReadFault::default(),
        &SentTimes::new(None),
        LogWriter::global(log.clone()),
    )
}

#[test]
fn modes_are_gos() {
    let files = files(&LocalPath::new("/"), &crate::logs::LogStore::in_memory());
    let entry = |mode, kind| Entry {
        name: "x".into(),
        kind,
        mode,
        modified_nanos: 7,
        changed_nanos: 8,
        inode: (1, 2),
    };
    let stat = |entry: &Entry| stat(entry, &files.transfer).expect("a plain name");
    assert_eq!(stat(&entry(0o4755, Kind::File { size: 3 })).mode, 0o755 | 1 << 23);
    assert_eq!(
        stat(&entry(0o1777, Kind::Directory)).mode,
        0o777 | 1 << 20 | 1 << 31
    );
    let link = stat(&entry(0o777, Kind::Symlink(PathBuf::from("y"))));
    assert_eq!((link.mode, link.linkname.as_str()), (0o777 | 1 << 27, "y"));
}

#[test]
fn what_buildkit_cannot_be_told_is_told_to_the_user() {
    use std::os::unix::ffi::OsStrExt;
    let odd = |name: &[u8]| PathBuf::from(std::ffi::OsStr::from_bytes(name));
    let dir = tempfile::tempdir().expect("a scratch folder");
    let path = |name: &[u8]| dir.path().join(odd(name));
    std::fs::create_dir(path(b"dir-\xfe")).expect("a folder");
    for name in [&b"bad-\xff.txt"[..], b"dir-\xfe/x", b"good-\xc3\xbc.txt"] {
        std::fs::write(path(name), "").expect("a file");
    }
    std::os::unix::fs::symlink(odd(b"to-\xff"), path(b"link")).expect("a link");
    let log = crate::logs::LogStore::in_memory();
    let files = files(&LocalPath::new(dir.path()), &log);
    let mut request = tonic::metadata::MetadataMap::new();
    request.append("dir-name", "context".parse().expect("a header"));
    let lister = files.lister(&request).expect("there is such a directory");
    let context = lister.open().expect("readable");
    let mut names = Vec::new();
    let listed = lister.list(context.as_ref(), &mut |stat, _| {
        names.push(stat.path);
        Ok(())
    });
    listed.expect("readable");
    assert_eq!(names, ["good-ü.txt"]);
    let segments = log.reader().try_next_batch();
    let told: String = segments.iter().map(|segment| segment.text.as_str()).collect();
    insta::assert_snapshot!(told, @r#"
    not in the image, because BuildKit takes only names that are UTF-8: "bad-\xFF.txt", "dir-\xFE" with all in it, "link" -> "to-\xFF"
    hint: rename them, or leave them out with .dockerignore; with DOCKER_BUILDKIT=0 they are sent
    "#);
}
