//! What the store keeps, in memory and on disk, and what readers see of it.

use super::*;

const SMALL: LogLimits = LogLimits {
    disk_bytes: 1 << 20,
    file_bytes: 2_000,
    memory_bytes: 1_000,
    patience: Duration::from_secs(60),
};

fn texts(segments: &[Arc<Segment>]) -> Vec<&str> {
    segments.iter().map(|segment| segment.text.trim_end()).collect()
}

fn numbers(range: std::ops::Range<u32>) -> Vec<String> {
    range.map(|n| n.to_string()).collect()
}

#[test]
fn a_slow_reader_gets_every_line_though_memory_is_small() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open_with(dir.path(), SMALL).unwrap();
    let mut reader = store.reader();
    for n in 0..500 {
        store.append(from("a", "web", &format!("{n}\n")));
    }
    store.close();
    let segments = read_all(&mut reader);
    assert_eq!(texts(&segments), numbers(0..500));
    let positions: Vec<_> = segments.iter().map(|segment| segment.position).collect();
    assert_eq!(positions, (0..500).collect::<Vec<u64>>());
}

#[test]
fn a_reader_can_begin_anywhere() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open_with(dir.path(), SMALL).unwrap();
    for n in 0..300 {
        store.append(from("a", "web", &format!("{n}\n")));
    }
    store.close();
    for start in [0, 1, 77, 150, 299, 300] {
        let segments = read_all(&mut store.reader_from(start));
        let start = u32::try_from(start).unwrap();
        assert_eq!(texts(&segments), numbers(start..300), "from {start}");
    }
}

#[test]
fn a_reader_that_keeps_up_reads_between_appends() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open_with(dir.path(), SMALL).unwrap();
    let (mut reader, mut seen) = (store.reader(), Vec::new());
    for n in 0..200 {
        store.append(from("a", "web", &format!("{n}\n")));
        if n % 37 == 0 {
            seen.extend(read_all(&mut reader));
        }
    }
    seen.extend(read_all(&mut reader));
    assert_eq!(texts(&seen), numbers(0..200));
}

#[test]
fn lines_that_a_limit_took_are_counted() {
    let store = LogStore::in_memory_with(2_000);
    for n in 0..100 {
        store.append(from("a", "web", &format!("{n}\n")));
    }
    let segments = read_all(&mut store.reader());
    let kept = segments.len() - 1;
    assert!(kept > 2, "some lines are kept");
    assert_eq!(segments[0].level, Level::Warn);
    assert_eq!(
        segments[0].text,
        format!("{} lines are no longer in the log\n", 100 - kept)
    );
    assert_eq!(segments[1].text, format!("{}\n", 100 - kept));
}

#[test]
fn a_lost_line_counts_once_however_many_pieces_it_came_in() {
    let store = LogStore::in_memory_with(4_000);
    let mut reader = store.reader();
    for n in 0..100 {
        for piece in ["line ", "number ", &format!("{n}\n")] {
            store.append(from("a", "web", piece));
        }
    }
    let segments = read_all(&mut reader);
    let kept = segments.iter().filter(|segment| segment.ends_line()).count() - 1;
    let whole = segments.iter().filter(|segment| segment.text == "line ").count();
    assert!(whole > 2, "some lines are kept");
    assert_eq!(
        segments[0].text,
        format!("{} lines are no longer in the log\n", 100 - whole)
    );
    assert!(kept - whole <= 1, "of one line, the end may be there");
    store.append(from("a", "web", "the next\n"));
    assert_eq!(texts(&read_all(&mut reader)), ["the next"]);
}

#[test]
fn lost_lines_of_files_are_counted_by_line_too() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open_with(dir.path(), SMALL).unwrap();
    for n in 0..200 {
        store.append(from("a", "web", "number "));
        store.append(from("a", "web", &format!("{n}\n")));
    }
    store.close();
    let session = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap();
    std::fs::remove_file(session.path().join(format!("{:020}.seg", 0))).unwrap();
    let segments = read_all(&mut store.reader());
    let kept = segments
        .iter()
        .filter(|segment| segment.text == "number ")
        .count();
    assert!(kept < 200, "some lines are lost");
    assert_eq!(
        segments[0].text,
        format!("{} lines are no longer in the log\n", 200 - kept)
    );
}

#[test]
fn lines_whose_file_is_gone_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open_with(dir.path(), SMALL).unwrap();
    for n in 0..200 {
        store.append(from("a", "web", &format!("{n}\n")));
    }
    store.close();
    let session = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap();
    let first = session.path().join(format!("{:020}.seg", 0));
    let lost = std::fs::read_to_string(&first).unwrap().lines().count();
    std::fs::remove_file(&first).unwrap();
    let segments = read_all(&mut store.reader());
    assert_eq!(
        segments[0].text,
        format!("{lost} lines are no longer in the log\n")
    );
    assert_eq!(segments.len(), 1 + 200 - lost);
}

#[test]
fn a_disk_that_fails_is_told_and_the_loss_counted() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open_with(dir.path(), SMALL).unwrap();
    let session = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap();
    std::fs::remove_dir_all(session.path()).unwrap();
    for n in 0..300 {
        store.append(from("a", "web", &format!("{n}\n")));
    }
    store.close();
    let (total, segments) = (store.end(), read_all(&mut store.reader()));
    let lost = total - (segments.len() as u64 - 1);
    assert_eq!(
        segments[0].text,
        format!(
            "{lost} lines are no longer in the log: cannot write the log to disk: No such file or directory (os error 2)\n"
        )
    );
    assert_eq!(total, 301, "300 lines and the warning");
}

#[test]
fn a_disk_that_works_again_gets_what_is_in_memory_and_what_comes_next_and_the_loss_is_counted() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open_with(dir.path(), SMALL).unwrap();
    let session = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap();
    let away = dir.path().join("away");
    let append = |range: std::ops::Range<u64>| {
        range.for_each(|n| store.append(from("a", "web", &format!("{n}\n"))));
    };
    let wait_for = |text: &str| {
        let mut reader = store.reader();
        while !texts(&read_all(&mut reader))
            .iter()
            .any(|line| line.contains(text))
        {
            std::thread::yield_now();
        }
    };
    append(0..5);
    let first = session.path().join(format!("{:020}.seg", 0));
    let written = || {
        std::fs::read_to_string(&first)
            .unwrap_or_default()
            .lines()
            .count()
    };
    while written() < 5 {
        std::thread::yield_now();
    }
    std::fs::rename(session.path(), &away).unwrap();
    append(5..320);
    wait_for("no longer in the log: cannot write");
    append(320..620);
    std::fs::rename(&away, session.path()).unwrap();
    wait_for("the log is written to disk again");
    append(620..920);
    store.close();
    let segments = read_all(&mut store.reader());
    let texts = texts(&segments);
    let count = |text: &str, before: &str, after: &str| -> u64 {
        let number = |line: &&str| line.strip_prefix(before)?.split_once(after)?.0.parse().ok();
        let found = texts.iter().find_map(number);
        found.unwrap_or_else(|| panic!("no {text} in {texts:?}"))
    };
    let lacks = count(
        "end of the fault",
        "the log is written to disk again; it lacks ",
        " line",
    );
    let lost = count("marker", "", " lines are no longer in the log: cannot write");
    assert_eq!(lost, lacks);
    let came: Vec<u64> = texts.iter().filter_map(|line| line.parse().ok()).collect();
    assert_eq!(
        came.len() as u64 + lost,
        920 + 1,
        "the warning is lost too: {texts:?}"
    );
    assert!(
        came.starts_with(&(0..5).collect::<Vec<_>>()) && came.ends_with(&(620..920).collect::<Vec<_>>()),
        "{came:?}"
    );
}

#[test]
fn secrets_reach_neither_readers_nor_the_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open(dir.path()).unwrap();
    store.add_secrets(&[("hunter2".to_owned(), "[redacted secret db:pw]".to_owned())]);
    store.append(from("a", "web", "pw=hun"));
    store.append(from("b", "db", "other\n"));
    store.append(from("a", "web", "ter2\n"));
    store.close();
    let text = printed(LogFilter::default(), &read_all(&mut store.reader()));
    assert_eq!(
        text,
        "          web │ pw=[redacted secret db:pw]\n           db │ other\n"
    );
    let session = std::fs::read_dir(dir.path()).unwrap().next().unwrap().unwrap();
    let written = std::fs::read_to_string(session.path().join(format!("{:020}.seg", 0))).unwrap();
    assert!(
        written.contains("redacted") && !written.contains("ter2"),
        "{written}"
    );
}

#[test]
fn a_secret_that_becomes_known_late_is_replaced_in_memory_and_on_disk() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open_with(dir.path(), SMALL).unwrap();
    let line = |n| from("a", "web", &format!("{n} hunter2\n"));
    (0..100).for_each(|n| store.append(line(n)));
    let mut early = store.reader();
    let n_early = early.try_next_batch().len();
    let since = store.end();
    (100..200).for_each(|n| store.append(line(n)));
    store.add_secrets(&[("hunter2".to_owned(), "***".to_owned())]);
    store.scrub_since(since);
    (200..210).for_each(|n| store.append(line(n)));
    store.close();
    let expected = |range: std::ops::Range<u32>| -> Vec<String> {
        let secret = |n| if n < 100 { "hunter2" } else { "***" };
        range.map(|n| format!("{n} {}", secret(n))).collect()
    };
    assert_eq!(texts(&read_all(&mut store.reader())), expected(0..210));
    let n_early = u32::try_from(n_early).unwrap();
    assert_eq!(texts(&read_all(&mut early)), expected(n_early..210));
}

#[test]
fn what_was_held_back_comes_when_the_log_is_closed() {
    let store = LogStore::in_memory();
    store.add_secrets(&[("hunter2".to_owned(), "***".to_owned())]);
    store.append(from("a", "web", "hunt"));
    assert_eq!(read_all(&mut store.reader()).len(), 0);
    store.close();
    assert_eq!(texts(&read_all(&mut store.reader())), ["hunt"]);
}

#[test]
fn a_line_of_a_resource_without_source_gets_one() {
    let store = LogStore::in_memory();
    let mut event = from("", "web", "x\n");
    event.span = None;
    store.append(event);
    let segment = read_all(&mut store.reader()).remove(0);
    assert_eq!(segment.span, Some(SpanId::from("unknown:web")));
}

#[tokio::test]
async fn a_reader_wakes_for_a_line_and_ends_after_the_last() {
    let store = LogStore::in_memory();
    let mut reader = store.reader();
    let reading = tokio::spawn(async move {
        let mut n_segments = 0;
        while let Some(batch) = reader.next_batch().await {
            n_segments += batch.len();
        }
        n_segments
    });
    tokio::task::yield_now().await;
    store.append(from("a", "web", "one\n"));
    tokio::task::yield_now().await;
    store.append(from("a", "web", "two\nthree"));
    drop(store);
    assert_eq!(reading.await.unwrap(), 3);
}

#[test]
fn nothing_is_appended_to_a_closed_log() {
    let store = LogStore::in_memory();
    store.close();
    store.append(from("a", "web", "late\n"));
    assert_eq!(store.end(), 0);
}

#[test]
fn threads_lose_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open_with(dir.path(), SMALL).unwrap();
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let (store, span) = (store.clone(), format!("pod:{thread}"));
            scope.spawn(move || {
                for n in 0..500 {
                    store.append(from(&span, "web", &format!("{n}\n")));
                }
            });
        }
    });
    store.close();
    let segments = read_all(&mut store.reader());
    for thread in 0..4 {
        let span = Some(SpanId::new(format!("pod:{thread}")));
        let own: Vec<_> = segments.iter().filter(|s| s.span == span).cloned().collect();
        assert_eq!(texts(&own), numbers(0..500));
    }
}

#[allow(clippy::disallowed_methods, reason = "it names no relative path")]
fn make_fifo(path: &std::path::Path) {
    let made = std::process::Command::new("mkfifo").arg(path).status();
    assert!(made.unwrap().success());
}

#[tokio::test]
async fn a_disk_that_hangs_holds_nobody_up_and_is_used_again_when_it_answers() {
    let dir = tempfile::tempdir().unwrap();
    let patience = Duration::from_millis(20);
    let store = LogStore::open_with(dir.path(), LogLimits { patience, ..SMALL }).unwrap();
    store.append(from("a", "web", "first\n"));
    let session = std::fs::read_dir(dir.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let file = session.join(format!("{:020}.seg", 0));
    while !std::fs::metadata(&file).is_ok_and(|meta| meta.len() > 0) {
        std::thread::yield_now();
    }
    // Whoever opens a FIFO waits until somebody opens its other end.
    let (away, fifo) = (session.join("away"), session.join("fifo"));
    std::fs::rename(&file, &away).unwrap();
    make_fifo(&file);
    store.add_secrets(&[("secret".to_owned(), "***".to_owned())]);
    store.scrub_since(0);
    for n in 0..200 {
        store.append(from("a", "web", &format!("{n}\n")));
    }
    let texts = texts_of(&read_all(&mut store.reader()));
    assert!(texts[0].ends_with("no longer in the log: cannot write the log to disk: it does not answer"));
    assert_eq!(texts.last().map(String::as_str), Some("199"));
    std::fs::rename(&file, &fifo).unwrap();
    std::fs::rename(&away, &file).unwrap();
    let mut reader = store.reader_from(store.end());
    drop(std::fs::OpenOptions::new().write(true).open(&fifo).unwrap());
    let told = reader.next_batch().await.unwrap();
    let told = told[0].text.clone();
    assert!(
        told.starts_with("the log is written to disk again; it lacks "),
        "{told}"
    );
    store.close();
    assert!(texts_of(&read_all(&mut store.reader())).contains(&"first".to_owned()));
}

#[test]
fn a_log_is_closed_though_its_disk_hangs() {
    let dir = tempfile::tempdir().unwrap();
    let patience = Duration::from_millis(20);
    let store = LogStore::open_with(dir.path(), LogLimits { patience, ..SMALL }).unwrap();
    store.append(from("a", "web", "first\n"));
    let session = std::fs::read_dir(dir.path())
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path();
    let file = session.join(format!("{:020}.seg", 0));
    while !std::fs::metadata(&file).is_ok_and(|meta| meta.len() > 0) {
        std::thread::yield_now();
    }
    std::fs::remove_file(&file).unwrap();
    make_fifo(&file);
    store.add_secrets(&[("secret".to_owned(), "***".to_owned())]);
    store.scrub_since(0);
    store.append(from("a", "web", "last\n"));
    store.close();
    assert_eq!(store.end(), 2);
}

#[tokio::test]
async fn a_writer_that_dies_is_told_as_a_fault_of_the_disk_and_begun_anew() {
    let dir = tempfile::tempdir().unwrap();
    let store = LogStore::open_with(dir.path(), SMALL).unwrap();
    store.doom_writer();
    let mut reader = store.reader();
    store.append(from("a", "web", "first\n"));
    let mut said = String::new();
    while !said.contains("the log is written to disk again") {
        let batch = reader.next_batch().await.expect("it goes on");
        said.extend(batch.iter().map(|segment| segment.text.as_str()));
    }
    assert!(said.contains("its writer died: a planted panic"), "{said}");
    store.append(from("a", "web", "last\n"));
    store.close();
    let written = super::secrets_everywhere::everything_below(dir.path());
    assert!(written.contains("first") && written.contains("last"), "{written}");
}

fn texts_of(segments: &[Arc<Segment>]) -> Vec<String> {
    segments
        .iter()
        .map(|segment| segment.text.trim_end().to_owned())
        .collect()
}
