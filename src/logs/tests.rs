//! What the store promises to readers, and how lines look.

mod filters;
mod lines;
mod search;
mod secrets_everywhere;
mod store;

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
