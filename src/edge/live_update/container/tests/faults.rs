//! Streams that are cut, and containers that lack something.

use std::sync::atomic::Ordering;

use super::container::{SHELLS, Scene};
use crate::model::{Remedy, SyncFailure};

#[tokio::test]
async fn a_stream_that_is_cut_anywhere_leaves_whole_files_and_no_false_claims() {
    for shell in SHELLS {
        let mut scene = Scene::new(shell);
        for at in 0..24u64 {
            let content = format!("{at:08}").repeat(3_000);
            for name in ["a", "dir/b", "c d"] {
                scene.write(name, &content);
            }
            // Most cuts hit the tar, the others what comes before it.
            scene.cut_after.store(1 + at * 3_831, Ordering::SeqCst);
            let outcome = scene.sync(&["."]).await;
            scene.cut_after.store(u64::MAX, Ordering::SeqCst);
            if let Err(failure) = &outcome {
                assert_eq!(failure.remedy(), Remedy::Retry, "{shell} {at}: {failure}");
            }
            for name in ["a", "dir/b", "c d"] {
                if let Ok(there) = std::fs::read_to_string(scene.there(name)) {
                    assert_eq!(there.len(), 24_000, "{shell} {at} {name}");
                    assert_eq!(there, there[..8].repeat(3_000), "{shell} {at} {name}: a mixture");
                }
            }
            scene.sync(&["."]).await.unwrap();
            scene.assert_equal(&format!("after cut {at}"));
        }
    }
}

#[tokio::test]
async fn a_container_without_tar_says_so() {
    for programs in [&["sh", "mv", "rm", "mkdir", "chmod", "cat", "head"][..], &[]] {
        let mut scene = Scene::with_programs("dash", programs);
        scene.write("a", "one");
        let failure = scene.sync(&["a"]).await.unwrap_err();
        let program = "tar".to_owned();
        assert_eq!(failure, SyncFailure::MissingProgram { program });
        assert_eq!(failure.remedy(), Remedy::FullBuild);
    }
}

#[tokio::test]
async fn tar_is_enough_and_that_files_are_not_replaced_as_a_whole_then_is_told_once() {
    for programs in [
        &["tar", "rm"][..],
        &["sh", "tar", "rm"],
        &["sh", "tar", "rm", "mkdir", "chmod", "cat", "head"],
    ] {
        for shell in SHELLS {
            let mut scene = Scene::with_programs(shell, programs);
            scene.write("a", "one");
            scene.write("dir/b c", "x".repeat(3_000_000));
            std::os::unix::fs::symlink("../a", scene.here("dir/link")).unwrap();
            let synced = scene.sync(&["."]).await.unwrap();
            scene.assert_equal("at first");
            assert_eq!(synced.in_place.len(), 1, "{programs:?}");
            scene.write("a", "two");
            std::fs::remove_file(scene.here("dir/b c")).unwrap();
            let synced = scene.sync(&["a", "dir/b c"]).await.unwrap();
            scene.assert_equal("after an edit and a deletion");
            assert!(synced.in_place.is_empty(), "{programs:?}");
            std::fs::remove_dir_all(scene.here("dir")).unwrap();
            scene.write("dir", "a file now");
            std::fs::remove_file(scene.here("a")).unwrap();
            scene.write("a/b", "a directory now");
            scene.sync(&["dir", "a", "a/b"]).await.unwrap();
            scene.assert_equal("after kinds have changed");
            let unchanged = scene.sync(&["."]).await.unwrap();
            assert!(!unchanged.differed(), "{programs:?}");
        }
    }
}

#[tokio::test]
async fn where_rm_is_missing_too_a_deletion_says_so() {
    let mut scene = Scene::with_programs("busybox", &["tar"]);
    scene.write("a", "one");
    scene.sync(&["a"]).await.unwrap();
    scene.assert_equal("with tar alone");
    std::fs::remove_file(scene.here("a")).unwrap();
    let failure = scene.sync(&["a"]).await.unwrap_err();
    let program = "rm".to_owned();
    assert_eq!(failure, SyncFailure::MissingProgram { program });
}

#[tokio::test]
async fn a_file_that_cannot_be_read_is_named() {
    let mut scene = Scene::new("dash");
    scene.write("dir/a", "one");
    let socket = std::os::unix::net::UnixListener::bind(scene.here("dir/socket")).unwrap();
    let synced = scene.sync(&["dir"]).await.unwrap();
    assert_eq!(synced.sent.len(), 1, "a socket is left out");
    drop(socket);
}

#[tokio::test]
async fn another_session_takes_the_container_over_and_back() {
    for shell in SHELLS {
        let mut scene = Scene::new(shell);
        scene.write("a", "one");
        scene.sync(&["a"]).await.unwrap();
        let way_of_other = {
            let mut other = Scene::new(shell);
            std::mem::swap(&mut other.target, &mut scene.target);
            other
        };
        scene.anew();
        scene.write("a", "two");
        scene.sync(&["a"]).await.unwrap();
        scene.assert_equal("by the second session");
        let mut first = way_of_other;
        std::mem::swap(&mut first.target, &mut scene.target);
        scene.write("a", "three");
        scene.sync(&["a"]).await.unwrap();
        scene.assert_equal("by the first session again");
    }
}
