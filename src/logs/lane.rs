//! Lines that wait for their turn: what is done at once is told one after the other.

use tokio::sync::mpsc::UnboundedReceiver;

use super::LogEvent;
use super::writer::Sink;

/// What a writer of its own writes, until it is told in the log. Made by [`LogWriter::lane`](super::LogWriter::lane).
pub struct Lane {
    pub(super) lines: UnboundedReceiver<LogEvent>,
    pub(super) log: Sink,
}

impl Lane {
    /// Tells the next piece as soon as there is one. Returns whether there was one; else nobody writes any more.
    pub async fn tell_next(&mut self) -> bool {
        let Some(event) = self.lines.recv().await else {
            return false;
        };
        self.log.append(event);
        true
    }
}

#[cfg(test)]
mod tests {
    use crate::logs::{LogStore, LogWriter};
    use crate::model::{ManifestName, SpanId};

    #[tokio::test]
    async fn lines_of_a_lane_are_in_the_log_once_they_are_told() {
        let store = LogStore::in_memory();
        let log = LogWriter::new(store.clone(), SpanId::from("build:1"), ManifestName::from("web"));
        let (first, mut first_lane) = log.lane();
        let (second, mut second_lane) = log.lane();
        second.indented("  ").warn("second");
        first.warn("first\nof two");
        drop((first, second));
        assert!(store.reader().try_next_batch().is_empty());
        while first_lane.tell_next().await {}
        while second_lane.tell_next().await {}
        let segments = store.reader().try_next_batch();
        let shown: Vec<(&str, bool)> = segments
            .iter()
            .map(|segment| (segment.text.as_str(), segment.anchor))
            .collect();
        assert_eq!(
            shown,
            [("first\n", true), ("of two\n", false), ("  second\n", true)]
        );
    }
}
