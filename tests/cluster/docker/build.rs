//! Builds: what reaches the engine, what comes back, and what is logged.

use insta::assert_snapshot;
use tilt::edge::docker::BuildError;

use super::world::{World, fresh};

const BASE: &str = "FROM localhost:5000/busybox:1\n";

/// Lists all of a context within a build, past the cache.
fn list_context() -> String {
    format!(
        "{BASE}COPY . /x\nRUN : {}; cd /x && find . -type f -o -type l | sort\n",
        fresh()
    )
}

#[tokio::test]
async fn a_build_without_changes_gives_the_same_image_from_the_cache() {
    let world = World::new(&[("a.txt", &fresh())]).await;
    let request = world.request(&format!("{BASE}COPY a.txt /a.txt\n"));
    let first = world.build(&request).await.expect("built");
    let second = world.build(&request).await.expect("built");
    assert_eq!(first, second);
    assert!(
        first.content_tag().starts_with("tilt-") && first.content_tag().len() == 21,
        "{first:?}"
    );
    let log = world.log();
    assert!(log.contains("\n     [2/2] COPY a.txt /a.txt [cached]\n"), "{log}");
}

#[tokio::test]
async fn a_changed_file_gives_another_image() {
    let world = World::new(&[("a.txt", "one")]).await;
    let request = world.request(&format!("{BASE}COPY a.txt /a.txt\n"));
    let first = world.build(&request).await.expect("built");
    std::fs::write(world.dir.path().join("a.txt"), "two").expect("a file");
    assert_ne!(world.build(&request).await.expect("built"), first);
}

#[tokio::test]
async fn a_changed_dockerfile_of_the_same_length_counts() {
    let world = World::new(&[]).await;
    let build = async |letter: &str| {
        world
            .build(&world.request(&format!("{BASE}ENV X={letter}\n")))
            .await
            .expect("built")
    };
    assert_ne!(build("a").await, build("b").await);
}

#[tokio::test]
async fn the_log_shows_the_dockerfile_and_the_steps() {
    let world = World::new(&[]).await;
    let run = format!("RUN echo {}; echo two >&2", fresh());
    let mut request = world.request(&format!("{BASE}{run}\n"));
    request.build.options.platform = Some("linux/amd64".to_owned());
    world.build(&request).await.expect("built");
    let log = world.log();
    let expected = format!(
        "Building Dockerfile for platform linux/amd64:\n  {BASE}  {run}\n\n\n     Building image\n     [1/"
    );
    // A step that another build shares at that moment has the name that it has there: the total is not ours alone.
    assert!(log.starts_with(&expected), "{log}");
    let step = log
        .find(&format!("\n     [2/2] {run}\n"))
        .expect("the step starts");
    let output = log.find("\n       → two\n").expect("its output");
    let done = log
        .find(&format!("\n     [2/2] {run} [done: "))
        .expect("the step ends");
    assert!(step < output && output < done, "{log}");
}

#[tokio::test]
async fn build_args_come_from_the_request_or_the_environment() {
    let world = World::with_env(&[], &[("FLOWER", "rose")]).await;
    let mut request = world.request(&format!(
        "{BASE}ARG TREE=elm\nARG FLOWER=none\nRUN : {}; echo $TREE $FLOWER\n",
        fresh()
    ));
    request.build.build_args = vec!["FLOWER".to_owned(), "TREE=oak".to_owned()];
    world.build(&request).await.expect("built");
    assert_eq!(world.output(), ["oak rose"]);
}

#[tokio::test]
async fn a_stage_is_built_without_those_after_it() {
    let world = World::new(&[]).await;
    let mut request = world.request(&format!(
        "{BASE}FROM localhost:5000/busybox:1 AS one\nRUN echo {}\nFROM one\nRUN false\n",
        fresh()
    ));
    request.build.stage = Some("one".to_owned());
    world
        .build(&request)
        .await
        .expect("the failing stage is not built");
}

#[tokio::test]
async fn ignored_files_never_reach_the_engine_and_links_do() {
    let files = [
        ("web/src/a", "1"),
        ("web/test/b", "1"),
        ("top", "1"),
        (".dockerignore", "*\n"),
    ];
    let world = World::new(&files).await;
    std::os::unix::fs::symlink("top", world.dir.path().join("link")).expect("a link");
    let mut request = world.request(&list_context());
    request.build.context_ignores = vec![
        world.ignore(&["**", "!web", "!link", "!.dockerignore"]),
        world.ignore(&["web/test"]),
    ];
    world.build(&request).await.expect("built");
    assert_eq!(world.output(), ["./.dockerignore", "./link", "./web/src/a"]);
}

#[tokio::test]
async fn only_one_of_many_directories_may_be_copied() {
    let world = World::new(&[("a/x", "1"), ("b/y", "1")]).await;
    let dockerfile = format!(
        "{BASE}COPY b /got\nRUN : {}; cd /got && find . -type f\n",
        fresh()
    );
    world.build(&world.request(&dockerfile)).await.expect("built");
    assert_eq!(world.output(), ["./y"]);
}

#[tokio::test]
async fn modes_of_files_are_kept_and_their_owner_is_root() {
    use std::os::unix::fs::PermissionsExt;
    let world = World::new(&[("run.sh", "x")]).await;
    let path = world.dir.path().join("run.sh");
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o751)).expect("ours");
    let dockerfile = format!(
        "{BASE}COPY run.sh /\nRUN : {}; stat -c '%a %u %g' /run.sh\n",
        fresh()
    );
    world.build(&world.request(&dockerfile)).await.expect("built");
    assert_eq!(world.output(), ["751 0 0"]);
}

#[tokio::test]
async fn a_large_file_arrives_whole() {
    let world = World::new(&[]).await;
    let bytes: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
    std::fs::write(world.dir.path().join("big"), &bytes).expect("a file");
    let dockerfile = format!("{BASE}COPY big /big\nRUN : {}; wc -c < /big\n", fresh());
    world.build(&world.request(&dockerfile)).await.expect("built");
    assert_eq!(world.output(), ["3000000"]);
}

#[tokio::test]
async fn a_failing_run_step_is_named_with_its_output() {
    let world = World::new(&[]).await;
    let run = format!("RUN echo {}; echo broken >&2; exit 7", fresh());
    let error = world
        .build(&world.request(&format!("{BASE}{run}\n")))
        .await
        .expect_err("it fails");
    let command = run.strip_prefix("RUN ").expect("a command");
    let expected = format!("ImageBuild: executor failed running [/bin/sh -c {command}]: exit code: 7\n --> ");
    assert!(error.to_string().starts_with(&expected), "{error}");
    let log = world.log();
    assert!(log.contains("\n       → broken\n"), "{log}");
    assert!(
        log.ends_with(&format!("\n\n     ERROR IN: [2/2] {run}\n")),
        "{log}"
    );
}

#[tokio::test]
async fn what_the_engine_refuses_is_shown_in_the_dockerfile() {
    let world = World::new(&[("there", "1"), ("hidden", "1")]).await;
    let shown = async |dockerfile: &str| {
        let mut request = world.request(dockerfile);
        request.build.context_ignores = vec![world.ignore(&["hidden"])];
        let error = world.build(&request).await.expect_err("it fails");
        error
            .to_string()
            .replace(&world.context().to_string(), "<context>")
    };
    assert_snapshot!(shown("FORM localhost:5000/busybox:1\n").await, @r"
    ImageBuild: failed to create LLB definition: dockerfile parse error line 1: unknown instruction: FORM
     --> <context>/Dockerfile:1:1
      |
    1 | FORM localhost:5000/busybox:1
      | ^^^^
    hint: did you mean FROM?
    ");
    assert_snapshot!(shown(&format!("{BASE}COPY ther /\n")).await, @r#"
    ImageBuild: "/ther" not found
     --> <context>/Dockerfile:2:6
      |
    2 | COPY ther /
      |      ^^^^
    hint: there is no "ther" in the build context <context>; did you mean "there"?
    "#);
    assert_snapshot!(shown(&format!("{BASE}COPY there hidden /x/\n")).await, @r#"
    ImageBuild: "/hidden" not found
     --> <context>/Dockerfile:2:12
      |
    2 | COPY there hidden /x/
      |            ^^^^^^
    hint: "hidden" is there, but left out of the build context by ignore= of docker_build()
    "#);
    assert_snapshot!(shown(&format!("{BASE}RUN <<EOF\necho a\nEOF\n")).await, @r"
    ImageBuild: failed to create LLB definition: dockerfile parse error line 3: unknown instruction: ECHO
     --> <context>/Dockerfile:3:1
      |
    3 | echo a
      | ^^^^^^
    hint: this Docker engine does not read heredocs by itself: `# syntax=docker/dockerfile:1` as the first line of the Dockerfile fetches a builder that does
    ");
    assert_snapshot!(shown("FROM scratch AS none\nFROM localhost:5000/no-such-image:1\n").await, @r"
    ImageBuild: failed to create LLB definition: localhost:5000/no-such-image:1: not found
     --> <context>/Dockerfile:2:6
      |
    2 | FROM localhost:5000/no-such-image:1
      |      ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    hint: the registry localhost:5000 has no such image: check its name and its tag
    ");
    assert_snapshot!(shown(&format!("{BASE}FROM scratch\nCOPY there /\nCOPY --from=0 /no-such-file /\n")).await, @r#"
    ImageBuild: "/no-such-file" not found
     --> <context>/Dockerfile:4:15
      |
    4 | COPY --from=0 /no-such-file /
      |               ^^^^^^^^^^^^^
    hint: it is looked for in "0", not in the build context
    "#);
}

#[tokio::test]
async fn a_missing_context_is_named_with_what_to_do() {
    let world = World::new(&[]).await;
    let mut request = world.request(BASE);
    request.build.context = world.context().join("gone");
    let error = world.build(&request).await.expect_err("it fails").to_string();
    let expected = format!(
        "reading build context: {}: No such file or directory",
        request.build.context
    );
    assert!(
        error.starts_with(&expected) && error.contains("\nhint: "),
        "{error}"
    );
}

#[tokio::test]
async fn a_context_that_is_a_dash_is_empty() {
    let world = World::new(&[("not-sent", "x")]).await;
    let mut request = world.request(&format!(
        "{BASE}WORKDIR /context\nCOPY . .\nRUN : {}; ls -A | wc -l\n",
        fresh()
    ));
    request.build.context = world.context().join("-");
    world.build(&request).await.expect("built");
    assert_eq!(world.output(), ["0"]);
}

#[tokio::test]
async fn a_canceled_build_stops_at_once_and_in_the_engine() {
    let world = World::new(&[]).await;
    let mark = fresh();
    let request = world.request(&format!("{BASE}RUN echo {mark}; sleep 3217\n"));
    let build = world.build(&request);
    let cancel = async {
        // The step's own output says that it runs.
        while !world.output().contains(&mark) {
            tokio::task::yield_now().await;
        }
        world.cancel.cancel();
    };
    let (built, ()) = tokio::join!(build, cancel);
    assert_eq!(built, Err(BuildError::Canceled));
    for _ in 0..1000 {
        if !process_runs("sleep 3217") {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("the engine still runs the step");
}

fn process_runs(command: &str) -> bool {
    let wanted = command.replace(' ', "\0") + "\0";
    let processes = std::fs::read_dir("/proc").expect("proc");
    let mut lines = processes.filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok());
    lines.any(|line| line == wanted.as_bytes())
}

#[tokio::test]
async fn the_classic_builder_makes_the_same_content() {
    let files = [("a", "1"), ("b", "1")];
    let world = World::with_env(&files, &[("DOCKER_BUILDKIT", "0"), ("FLOWER", "rose")]).await;
    let mut request = world.request(&format!(
        "{BASE}ARG FLOWER\nCOPY . /x\nRUN : {}; cd /x && echo $FLOWER && find . -type f\n",
        fresh()
    ));
    request.build.context_ignores = vec![world.ignore(&["b"])];
    request.build.build_args = vec!["FLOWER".to_owned()];
    let first = world.build(&request).await.expect("built");
    let log = world.log();
    assert!(
        log.contains("\n     rose\n     ./a\n     Removing intermediate"),
        "{log}"
    );
    assert!(
        log.contains("\n     Building image\n     Sending Docker build context: "),
        "{log}"
    );
    assert_eq!(world.build(&request).await.expect("built"), first);
    let error = world
        .build(&world.request(&format!("{BASE}RUN exit 3\n")))
        .await
        .expect_err("it fails");
    let error = error
        .to_string()
        .replace(&world.context().to_string(), "<context>");
    assert_snapshot!(error, @r"
    ImageBuild: The command '/bin/sh -c exit 3' returned a non-zero code: 3
     --> <context>/Dockerfile:2:1
      |
    2 | RUN exit 3
      | ^^^^^^^^^^
    hint: what it printed stands above, in the log of the build
    ");
}

#[tokio::test]
async fn other_content_with_the_same_size_and_time_is_built() {
    let world = World::new(&[("a.txt", "one"), ("sub/b", "b")]).await;
    let fixed = std::time::SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_577_836_800);
    let beside = tempfile::tempdir().expect("a scratch folder");
    let write = |path: &std::path::Path, text: &str| {
        std::fs::write(path, text).expect("a file");
        let file = std::fs::File::options().append(true).open(path).expect("a file");
        file.set_modified(fixed).expect("ours");
    };
    let request = world.request(&format!("{BASE}COPY . /x\nRUN : {}; cat /x/a.txt\n", fresh()));
    let (path, new) = (world.dir.path().join("a.txt"), beside.path().join("new"));
    write(&path, "one");
    let one = world.build(&request).await.expect("built");
    // `cp -p` writes over the file.
    write(&path, "two");
    let two = world.build(&request).await.expect("built");
    // `mv`, `rsync` and `tar` put another in its place.
    write(&new, "six");
    std::fs::rename(&new, &path).expect("renamed");
    world.build(&request).await.expect("built");
    // Another session knows what this one sent.
    write(&path, "ten");
    let other = World::new(&[]).await;
    other
        .docker
        .build(&request, &world.writer(), &world.cancel)
        .await
        .expect("built");
    assert_eq!(world.output(), ["one", "two", "six", "ten"]);
    write(&path, "one");
    assert_eq!(world.build(&request).await.expect("built"), one);
    assert_ne!(one, two);
}

#[tokio::test]
async fn a_name_that_is_not_utf_8_is_in_the_image_or_is_told() {
    use std::os::unix::ffi::OsStrExt;
    let name = std::ffi::OsStr::from_bytes(b"bad-\xff.txt");
    for (buildkit, is_there) in [("1", false), ("0", true)] {
        let world = World::with_env(&[("good.txt", "x")], &[("DOCKER_BUILDKIT", buildkit)]).await;
        std::fs::write(world.dir.path().join(name), "x").expect("a file");
        let dockerfile = format!("{BASE}COPY . /x\nRUN : {}; ls /x | wc -l\n", fresh());
        world.build(&world.request(&dockerfile)).await.expect("built");
        let log = world.log();
        assert_eq!(
            log.contains(r#"only names that are UTF-8: "bad-\xFF.txt""#),
            !is_there,
            "{log}"
        );
        let n_files = if is_there { "2" } else { "1" };
        assert!(
            log.lines()
                .any(|line| line.trim().trim_start_matches("→ ") == n_files),
            "{log}"
        );
    }
}

#[tokio::test]
async fn a_command_that_speaks_of_connections_has_only_failed() {
    for buildkit in ["1", "0"] {
        let world = World::with_env(&[], &[("DOCKER_BUILDKIT", buildkit)]).await;
        let run = format!("RUN : {}; echo connection refused: EOF; exit 1", fresh());
        let failed = world.build(&world.request(&format!("{BASE}{run}\n"))).await;
        assert!(matches!(failed, Err(BuildError::CommandFailed(_))), "{failed:?}");
    }
    let world = World::new(&[]).await;
    let failed = world.build(&world.request("FROM localhost:1/none:1\n")).await;
    assert!(matches!(failed, Err(BuildError::Unreachable(_))), "{failed:?}");
}
