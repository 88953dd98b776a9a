//! How text becomes lines, and how they are printed.

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
fn a_line_that_overwrites_itself_is_shown_as_it_is_at_its_end() {
    check_printed([from("a", "web", "\r10%\r20%\n")], "          web │ 20%\n");
    check_printed([from("a", "web", "windows\r\n")], "          web │ windows\n");
}

#[test]
fn colours_end_with_their_line_and_nothing_else_rules_the_terminal() {
    check_printed(
        [
            from("a", "web", "\u{1b}[2J\u{1b}[31mred"),
            from("b", "db", "plain\n"),
            from("a", "web", " still\n"),
            from("a", "web", "\u{1b}[32mgreen"),
        ],
        "          web │ \u{1b}[31mred still\u{1b}[0m\n           db │ plain\n          web │ \u{1b}[32mgreen\u{1b}[0m\n",
    );
}

/// Prints pieces of a line, each some seconds after the start.
fn printed_at(pieces: &[(u64, &str)]) -> String {
    let store = LogStore::in_memory();
    let (mut reader, mut out) = (store.reader(), Vec::new());
    let mut printer = StreamPrinter::new(LogFilter::default());
    let start = t0();
    for (secs, piece) in pieces {
        store.append(from("a", "web", piece));
        let now = start + Duration::from_secs(*secs);
        printer.print(now, &reader.try_next_batch(), &mut out);
    }
    printer.finish(&mut out);
    String::from_utf8(out).unwrap()
}

#[test]
fn what_overwrites_a_printed_line_is_printed_at_its_end_and_now_and_then() {
    let pieces = [
        (0, "1 %"),
        (1, "\r2 %"),
        (2, "\r3"),
        (2, " %"),
        (7, "\r7 %"),
        (8, "\r8 %"),
        (9, "\n"),
    ];
    let line = |text: &str| format!("          web │ {text}\n");
    assert_eq!(printed_at(&pieces), ["1 %", "7 %", "8 %"].map(line).concat());
    assert_eq!(printed_at(&pieces[..4]), ["1 %", "3 %"].map(line).concat());
}

#[test]
fn all_that_a_program_printed_stays_in_the_log() {
    let store = LogStore::in_memory();
    let raw = "\u{1b}[2J\r10%\r20%\n";
    store.append(from("a", "web", raw));
    assert_eq!(store.reader().try_next_batch()[0].text, raw);
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
