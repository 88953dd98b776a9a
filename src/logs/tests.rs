//! What the store promises to readers, and how lines look.

use std::sync::Arc;
use std::time::{Duration, Instant};

use super::*;
use crate::model::{ManifestName, SpanId, Timestamp};

fn from(span: &str, manifest: &str, text: &str) -> LogEvent {
    LogEvent {
        text: text.to_owned(),
        ..LogEvent::line(SpanId::from(span), ManifestName::from(manifest), "")
    }
}

fn read_all(reader: &mut LogReader) -> Vec<Arc<Segment>> {
    let mut all = Vec::new();
    loop {
        let batch = reader.try_next_batch();
        if batch.is_empty() {
            return all;
        }
        all.extend(batch);
    }
}

#[allow(clippy::disallowed_methods, reason = "a point to add durations to")]
fn t0() -> Instant {
    Instant::now()
}

fn printed(filter: LogFilter, segments: &[Arc<Segment>]) -> String {
    let (mut printer, mut out) = (StreamPrinter::new(filter), Vec::new());
    printer.print(t0(), segments, &mut out);
    printer.finish(&mut out);
    String::from_utf8(out).unwrap()
}

#[track_caller]
fn check_printed(events: impl IntoIterator<Item = LogEvent>, expected: &str) {
    let store = LogStore::in_memory();
    events.into_iter().for_each(|event| store.append(event));
    store.close();
    let segments = read_all(&mut store.reader());
    assert_eq!(printed(LogFilter::default(), &segments), expected);
}

#[track_caller]
fn check_filtered(filter: LogFilter, expected: &str) {
    let store = LogStore::in_memory();
    store.append(from("build:1", "web", "building\n"));
    store.append(from("pod:web:a", "web", "serving\n"));
    store.append(from("pod:db:a", "db", "slow\n").level(Level::Warn));
    store.append(from("build:2", "db", "broken\n").level(Level::Error));
    store.append(LogEvent {
        starts_update: true,
        ..from("build:3", "web", "Initial Build\n")
    });
    store.append(LogEvent::global("all"));
    let segments = read_all(&mut store.reader());
    assert_eq!(printed(filter, &segments), expected);
}

mod lines {
    use super::*;

    #[test]
    fn names_are_right_aligned_and_long_ones_cut() {
        check_printed(
            [
                from("build:1", "frontend", "STEP\n"),
                from("a", "a-very-long-name", "text\n"),
                from("b", "thirteen-long", "text\n"),
            ],
            "     frontend │ STEP\na-very-long-… │ text\nthirteen-long │ text\n",
        );
    }

    #[test]
    fn a_long_name_is_never_cut_inside_a_character() {
        check_printed([from("a", "elevenchar…s", "x\n")], "  elevenchar… │ x\n");
    }

    #[test]
    fn global_and_tiltfile_lines_have_no_prefix() {
        check_printed(
            [
                LogEvent::global("Tilt started"),
                from("tiltfile:(Tiltfile):1", "(Tiltfile)", "Loading\n"),
            ],
            "Tilt started\nLoading\n",
        );
    }

    #[test]
    fn only_the_first_line_of_a_warning_or_error_is_marked() {
        check_printed(
            [
                from("a", "web", "one\ntwo\n").level(Level::Warn),
                from("a", "web", "three\n").level(Level::Error),
            ],
            "          web │ WARNING: one\n          web │ two\n          web │ ERROR: three\n",
        );
    }

    #[test]
    fn an_empty_line_precedes_an_update() {
        check_printed(
            [LogEvent {
                starts_update: true,
                ..from("build:1", "web", "Initial Build\n")
            }],
            "          web │ \n          web │ Initial Build\n",
        );
    }

    #[test]
    fn a_line_in_parts_is_joined_where_it_began() {
        check_printed(
            [
                from("a", "web", "one "),
                from("b", "db", "other\n"),
                from("a", "web", "line\n"),
            ],
            "          web │ one line\n           db │ other\n",
        );
    }

    #[test]
    fn a_line_that_never_ends_does_not_run_into_the_next() {
        check_printed(
            [from("a", "web", "prompt> "), from("b", "db", "other")],
            "          web │ prompt> \n           db │ other\n",
        );
    }

    #[test]
    fn a_line_goes_on_without_prefix_in_the_next_batch() {
        let store = LogStore::in_memory();
        let (mut reader, mut out) = (store.reader(), Vec::new());
        let mut printer = StreamPrinter::new(LogFilter::default());
        for event in [
            from("a", "web", "one "),
            from("a", "web", "line"),
            from("b", "db", "other\n"),
        ] {
            store.append(event);
            printer.print(t0(), &reader.try_next_batch(), &mut out);
        }
        let text = String::from_utf8(out).unwrap();
        assert_eq!(text, "          web │ one line\n           db │ other\n");
    }

    #[test]
    fn a_level_ends_the_line_of_another() {
        check_printed(
            [
                from("a", "web", "half"),
                from("a", "web", "bad\n").level(Level::Error),
            ],
            "          web │ half\n          web │ ERROR: bad\n",
        );
    }

    #[test]
    fn warnings_and_errors_of_a_source_are_counted_not_their_lines() {
        let store = LogStore::in_memory();
        store.append(from("build:1", "web", "one\ntwo\n").level(Level::Warn));
        store.append(from("build:1", "web", "three ").level(Level::Warn));
        store.append(from("build:1", "web", "goes on\n").level(Level::Warn));
        store.append(from("build:1", "web", "fine\n"));
        store.append(from("build:2", "web", "no\n").level(Level::Error));
        let counted = |span: &str| {
            let faults = store.faults(&SpanId::from(span));
            (faults.warnings, faults.errors)
        };
        assert_eq!(
            ["build:1", "build:2", "build:3"].map(counted),
            [(2, 0), (0, 1), (0, 0)]
        );
    }

    #[test]
    fn a_line_of_a_million_bytes_is_one_line() {
        let long = "x".repeat(1_000_000);
        let expected = format!("          web │ {long}\n           db │ y\n");
        check_printed(
            [
                from("a", "web", &long),
                from("a", "web", "\n"),
                from("b", "db", "y\n"),
            ],
            &expected,
        );
    }

    #[test]
    fn colours_of_programs_are_kept() {
        let red = "\u{1b}[31mred\u{1b}[0m\n";
        check_printed([from("a", "web", red)], &format!("          web │ {red}"));
    }

    #[test]
    fn carriage_returns_stay_within_their_line() {
        check_printed([from("a", "web", "10%\r20%\n")], "          web │ 10%\r20%\n");
    }

    #[test]
    fn a_progress_is_printed_less_and_less_often() {
        let store = LogStore::in_memory();
        let writer = LogWriter::new(store.clone(), SpanId::from("build:1"), ManifestName::from("web"));
        let mut reader = store.reader();
        let mut printer = StreamPrinter::new(LogFilter::default()).without_prefixes();
        let start = t0();
        let mut out = Vec::new();
        let mut at = |secs: u64, must_print: bool| {
            writer.progress("layer", must_print, &format!("{secs}"));
            let now = start + Duration::from_secs(secs);
            printer.print(now, &reader.try_next_batch(), &mut out);
        };
        for secs in 0..30 {
            at(secs, false);
        }
        at(30, true);
        assert_eq!(String::from_utf8(out).unwrap(), "0\n6\n17\n30\n");
    }
}

mod filters {
    use super::*;

    #[test]
    fn one_resource_needs_no_prefix() {
        let filter = LogFilter {
            resources: [ManifestName::from("web")].into(),
            ..LogFilter::default()
        };
        check_filtered(filter, "building\nserving\n\nInitial Build\n");
    }

    #[test]
    fn a_level_means_exactly_that_level_but_updates_pass() {
        let filter = LogFilter {
            level: Some(Level::Warn),
            ..LogFilter::default()
        };
        check_filtered(
            filter,
            "           db │ WARNING: slow\n          web │ \n          web │ Initial Build\n",
        );
    }

    #[test]
    fn build_means_the_spans_of_builds() {
        let filter = LogFilter {
            source: LogSource::Build,
            resources: ["web", "db"].map(ManifestName::from).into(),
            ..LogFilter::default()
        };
        check_filtered(
            filter,
            "          web │ building\n           db │ ERROR: broken\n          web │ \n          web │ Initial Build\n",
        );
    }

    #[test]
    fn runtime_means_all_else() {
        let filter = LogFilter {
            source: LogSource::Runtime,
            level: Some(Level::Info),
            ..LogFilter::default()
        };
        check_filtered(
            filter,
            "          web │ serving\n           db │ WARNING: slow\n          web │ \n          web │ Initial Build\nall\n",
        );
    }

    #[test]
    fn earlier_lines_than_asked_for_are_left_out() {
        let filter = LogFilter {
            since: Some(Timestamp(i64::MAX)),
            ..LogFilter::default()
        };
        check_filtered(filter, "");
    }
}

mod store {
    use super::*;

    const SMALL: LogLimits = LogLimits {
        disk_bytes: 1 << 20,
        file_bytes: 2_000,
        memory_bytes: 1_000,
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
}

proptest::proptest! {
    #[test]
    fn chunks_of_a_source_do_not_matter(
        text in "[abx…\n]{0,60}",
        cuts in proptest::collection::vec(0usize..60, 0..8),
    ) {
        let secrets = [("abab".to_owned(), "[1]".to_owned()), ("ab…".to_owned(), "[2]".to_owned())];
        let render = |chunks: &[&str]| {
            let store = LogStore::in_memory();
            store.add_secrets(&secrets);
            chunks.iter().for_each(|chunk| store.append(from("a", "web", chunk)));
            store.close();
            printed(LogFilter::default(), &read_all(&mut store.reader()))
        };
        let mut cuts: Vec<_> = cuts.into_iter().filter(|cut| text.is_char_boundary(*cut)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let chunks: Vec<_> = cuts.windows(2).map(|pair| &text[pair[0]..pair[1]]).collect();
        proptest::prop_assert_eq!(render(&chunks), render(&[&text]));
    }
}

mod secrets_everywhere {
    use proptest::prelude::*;

    use super::*;

    /// A secret, its base64, parts of both, and what else output is made of.
    const WORDS: [&str; 9] = [
        "open-sesame-42",
        "b3Blbi1zZXNhbWUtNDI=",
        "open-",
        "sesame",
        "b3Blbi",
        " ",
        "\n",
        "\r\n",
        "é",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn however_output_is_cut_and_mixed_no_secret_reaches_readers_or_the_disk(
            texts in prop::collection::vec(prop::collection::vec(0..WORDS.len(), 1..12), 1..4),
            cuts in prop::collection::vec(1usize..9, 1..40),
            turns in prop::collection::vec(0usize..4, 1..40),
        ) {
            let dir = tempfile::tempdir().unwrap();
            let store = LogStore::open(dir.path()).unwrap();
            let pair = |secret: &str| (secret.to_owned(), "[redacted]".to_owned());
            store.add_secrets(&[pair(WORDS[0]), pair(WORDS[1])]);
            let texts: Vec<String> = texts.iter().map(|text| text.iter().map(|word| WORDS[*word]).collect()).collect();
            append_in_turns(&store, &texts, &cuts, &turns);
            store.close();
            let segments = read_all(&mut store.reader());
            let on_disk = everything_below(dir.path());
            for (n, text) in texts.iter().enumerate() {
                let span = SpanId::new(format!("span:{n}"));
                let of_span = segments.iter().filter(|segment| segment.span.as_ref() == Some(&span));
                let read: String = of_span.map(|segment| segment.text.as_str()).collect();
                let expected = text.replace(WORDS[0], "[redacted]").replace(WORDS[1], "[redacted]");
                prop_assert_eq!(read, expected);
            }
            prop_assert!(!on_disk.contains(WORDS[0]) && !on_disk.contains(WORDS[1]), "{}", on_disk);
        }
    }

    /// Appends pieces of texts, each under a span of its own, now of one, now of another.
    fn append_in_turns(store: &LogStore, texts: &[String], cuts: &[usize], turns: &[usize]) {
        let mut rest: Vec<&str> = texts.iter().map(String::as_str).collect();
        for step in 0.. {
            let unfinished: Vec<usize> = (0..rest.len()).filter(|n| !rest[*n].is_empty()).collect();
            let Some(turn) = unfinished
                .get(turns[step % turns.len()] % unfinished.len().max(1))
                .copied()
            else {
                return;
            };
            let mut cut = cuts[step % cuts.len()].min(rest[turn].len());
            while !rest[turn].is_char_boundary(cut) {
                cut += 1;
            }
            let (piece, left) = rest[turn].split_at(cut);
            store.append(LogEvent {
                text: piece.to_owned(),
                ..from(&format!("span:{turn}"), "web", "")
            });
            rest[turn] = left;
        }
    }

    #[test]
    fn what_is_printed_before_a_secret_is_known_reaches_the_disk_without_it() {
        let dir = tempfile::tempdir().unwrap();
        let store = LogStore::open(dir.path()).unwrap();
        store.append(from("a", "web", "before\n"));
        let hold = store.hold_disk();
        for n in 0..100 {
            store.append(from("a", "web", &format!("{n} open-sesame-42\n")));
        }
        let on_disk = || everything_below(dir.path());
        assert!(!on_disk().contains("sesame"));
        store.add_secrets(&[("open-sesame-42".to_owned(), "***".to_owned())]);
        store.scrub_since(hold.position());
        drop(hold);
        store.close();
        let on_disk = on_disk();
        assert!(
            !on_disk.contains("sesame") && on_disk.contains("99 ***"),
            "{on_disk}"
        );
    }

    #[test]
    fn a_log_that_outgrows_memory_goes_to_disk_in_spite_of_a_hold() {
        let dir = tempfile::tempdir().unwrap();
        let store = LogStore::open(dir.path()).unwrap();
        let hold = store.hold_disk();
        let line = "x".repeat(1_000) + "\n";
        for _ in 0..20_000 {
            store.append(from("a", "web", &line));
        }
        drop(hold);
        store.close();
        assert_eq!(read_all(&mut store.reader()).len(), 20_000);
    }

    #[test]
    fn secrets_stay_known_when_others_come() {
        let store = LogStore::in_memory();
        store.add_secrets(&[("first-one".to_owned(), "[1]".to_owned())]);
        store.add_secrets(&[("second-one".to_owned(), "[2]".to_owned())]);
        store.append(from("a", "web", "first-one second-one\n"));
        assert_eq!(read_all(&mut store.reader())[0].text, "[1] [2]\n");
        assert_eq!(store.without_secrets("a first-one"), "a [1]");
    }

    fn everything_below(dir: &std::path::Path) -> String {
        let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
        let text = |path: std::path::PathBuf| match path.is_dir() {
            true => everything_below(&path),
            false => std::fs::read_to_string(path).unwrap_or_default(),
        };
        entries.map(text).collect()
    }
}
