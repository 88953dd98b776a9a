//! Commands that run in a container.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::container::{SHELLS, Scene};
use crate::model::{Batch, BatchRun, LocalPath, Remedy, SyncFailure};

fn logged(scene: &Scene) -> String {
    let segments = scene.log.reader().try_next_batch();
    segments.iter().map(|segment| segment.text.as_str()).collect()
}

#[tokio::test]
async fn a_command_that_fails_says_how_and_the_next_one_runs() {
    for shell in SHELLS {
        let mut scene = Scene::new(shell);
        let live = CancellationToken::new();
        let failure = scene
            .run("echo out; echo err >&2; printf 'no end'; exit 3", &live)
            .await
            .unwrap_err();
        let SyncFailure::CommandFailed { exit_code: 3, .. } = failure else {
            panic!("{shell}: {failure}");
        };
        assert_eq!(failure.remedy(), Remedy::Red);
        scene.run("read line || echo no input", &live).await.unwrap();
        assert_eq!(logged(&scene), "out\nerr\nno endno input\n", "{shell}");
        let missing = scene.run("exec /no/such/program", &live).await.unwrap_err();
        assert!(
            matches!(missing, SyncFailure::CommandFailed { exit_code: 127, .. }),
            "{shell}: {missing}"
        );
    }
}

#[tokio::test]
async fn commands_run_for_what_was_sent() {
    let mut scene = Scene::new("busybox");
    let run = |text: &str, only_for: Vec<LocalPath>| BatchRun {
        argv: vec!["sh".to_owned(), "-c".to_owned(), format!("echo {text}")],
        echo_off: false,
        only_for,
    };
    scene.write("a", "one");
    scene.write("b/c", "one");
    let mut batch = Batch {
        files: vec![scene.placement("a"), scene.placement("b")],
        runs: vec![
            run("always", Vec::new()),
            run("for b", vec![LocalPath::new(scene.here("b"))]),
        ],
        runs_are_due: false,
    };
    let live = CancellationToken::new();
    scene.batch(&batch, &live).await.unwrap();
    assert_eq!(logged(&scene), "always\nfor b\n");
    scene.batch(&batch, &live).await.unwrap();
    assert_eq!(logged(&scene), "always\nfor b\n", "nothing differs");
    scene.write("a", "two");
    scene.batch(&batch, &live).await.unwrap();
    assert_eq!(logged(&scene), "always\nfor b\nalways\n");
    batch.runs_are_due = true;
    scene.batch(&batch, &live).await.unwrap();
    assert_eq!(logged(&scene), "always\nfor b\nalways\nalways\nfor b\n");
}

/// Whether a process is there and has not ended.
fn lives(pid: &str) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"));
    stat.is_ok_and(|stat| !stat.contains(") Z "))
}

#[tokio::test]
async fn a_cancelled_command_is_killed_with_all_that_it_started() {
    for shell in SHELLS {
        let mut scene = Scene::new(shell);
        let cancel = CancellationToken::new();
        let pids = scene.here("pids");
        let watcher = {
            let (cancel, log) = (cancel.clone(), scene.log.clone());
            tokio::spawn(async move {
                log.reader().next_batch().await.unwrap();
                cancel.cancel();
            })
        };
        let file = pids.display();
        let script = format!("sleep 1000 & echo $! >>{file}; echo $$ >>{file}; echo up; wait");
        let failure = scene.run(&script, &cancel).await.unwrap_err();
        watcher.await.unwrap();
        assert_eq!(failure, SyncFailure::Canceled, "{shell}");
        for pid in std::fs::read_to_string(&pids).unwrap().lines() {
            let died = async {
                while lives(pid) {
                    tokio::task::yield_now().await;
                }
            };
            let died = tokio::time::timeout(Duration::from_secs(10), died).await;
            assert!(died.is_ok(), "{shell}: {pid} lives");
        }
        scene.run("true", &CancellationToken::new()).await.unwrap();
    }
}

#[tokio::test]
async fn commands_run_also_where_the_image_has_no_shell_for_a_channel() {
    let mut scene = Scene::with_programs("busybox", &["sh", "tar"]);
    let live = CancellationToken::new();
    let failure = scene
        .run("echo out; echo err >&2; exit 3", &live)
        .await
        .unwrap_err();
    let SyncFailure::CommandFailed { exit_code: 3, .. } = failure else {
        panic!("{failure}");
    };
    let mut said: Vec<String> = logged(&scene).lines().map(str::to_owned).collect();
    said.sort();
    assert_eq!(said, ["err", "out"]);
    scene.run("true", &live).await.unwrap();
    let mut bare = Scene::with_programs("busybox", &["tar"]);
    let failure = bare.run("true", &live).await.unwrap_err();
    let SyncFailure::CommandFailed { exit_code: 127, .. } = failure else {
        panic!("{failure}");
    };
}
