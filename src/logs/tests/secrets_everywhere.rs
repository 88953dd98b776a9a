//! No secret reaches a reader or the disk, however text is cut.

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

pub(super) fn everything_below(dir: &std::path::Path) -> String {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap().path());
    let text = |path: std::path::PathBuf| match path.is_dir() {
        true => everything_below(&path),
        false => std::fs::read_to_string(path).unwrap_or_default(),
    };
    entries.map(text).collect()
}
