//! The end of the log: its last segments, and the last lines of some sources.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use super::{Level, LogStore, Segment};
use crate::model::SpanId;

/// Returns the end of the log, about so many bytes of text.
pub fn last_segments(log: &LogStore, max_bytes: usize) -> Vec<Arc<Segment>> {
    let (mut bytes, mut end) = (0, VecDeque::new());
    log.newest_first(|segment| {
        bytes += segment.text.len();
        let fits = bytes <= max_bytes;
        if fits {
            end.push_front(segment);
        }
        fits
    });
    end.into()
}

/// Returns the last lines that each of these sources said itself, with what stands for odd bytes; warnings and errors
/// are ours. Empty lines say nothing.
pub fn last_lines<'a>(
    log: &LogStore,
    spans: impl IntoIterator<Item = &'a SpanId>,
    max_lines: usize,
) -> HashMap<&'a SpanId, VecDeque<String>> {
    let mut tails: HashMap<&SpanId, VecDeque<String>> =
        spans.into_iter().map(|span| (span, VecDeque::new())).collect();
    if tails.is_empty() {
        return tails;
    }
    let mut reader = log.reader();
    loop {
        let batch = reader.try_next_batch();
        if batch.is_empty() {
            return tails;
        }
        for segment in batch.iter().filter(|segment| segment.level <= Level::Info) {
            let Some(tail) = segment.span.as_ref().and_then(|span| tails.get_mut(span)) else {
                continue;
            };
            let text = segment.text.trim_end_matches('\n');
            if text.is_empty() && !segment.continues {
                continue;
            }
            match tail.back_mut().filter(|_| segment.continues) {
                Some(line) => line.push_str(text),
                None => tail.push_back(text.to_owned()),
            }
            if tail.len() > max_lines {
                tail.pop_front();
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::LogEvent;
    use crate::model::ManifestName;

    #[test]
    fn the_last_lines_are_whole_and_of_the_sources_that_were_asked_for() {
        let log = LogStore::in_memory();
        let say = |span: &str, level, text: &str| {
            let event = LogEvent::line(SpanId::from(span), ManifestName::from("web"), "");
            log.append(LogEvent {
                text: text.to_owned(),
                level,
                ..event
            });
        };
        say("a", Level::Info, "one\ntwo\nthr");
        say("b", Level::Info, "other\n");
        say("a", Level::Info, "ee\n\nfour");
        say("a", Level::Warn, "restarted\n");
        let (a, c) = (SpanId::from("a"), SpanId::from("c"));
        let tails = last_lines(&log, [&a, &c], 2);
        assert_eq!(tails[&a], ["three", "four"]);
        assert!(tails[&c].is_empty());
    }
}
