//! The usual way to append: a writer that knows span, resource and indentation.

use std::collections::BTreeMap;

use super::lane::{Lane, Sink, lane};
use super::{Level, LogEvent, LogStore, Progress};
use crate::model::{ManifestName, SpanId};
use crate::tiltfile::{Secret, stand_ins};

/// Appends lines of one source to the log.
#[derive(Clone)]
pub struct LogWriter {
    sink: Sink,
    span: Option<SpanId>,
    manifest: Option<ManifestName>,
    indent: &'static str,
}

impl LogWriter {
    /// Returns a writer for a source of a resource.
    pub fn new(store: LogStore, span: SpanId, manifest: ManifestName) -> Self {
        Self {
            sink: Sink::Store(store),
            span: Some(span),
            manifest: Some(manifest),
            indent: "",
        }
    }

    /// Returns a writer for a source that may belong to no resource.
    pub fn of_span(store: LogStore, span: SpanId, manifest: Option<ManifestName>) -> Self {
        Self {
            sink: Sink::Store(store),
            span: Some(span),
            manifest,
            indent: "",
        }
    }

    /// Returns a writer for lines of no resource.
    pub fn global(store: LogStore) -> Self {
        Self {
            sink: Sink::Store(store),
            span: None,
            manifest: None,
            indent: "",
        }
    }

    /// Returns what tells the log that it writes to from others.
    #[cfg(test)]
    pub(crate) fn store_id(&self) -> usize {
        match &self.sink {
            Sink::Store(store) => store.id(),
            Sink::Lane(_) => 0,
        }
    }

    /// Returns the same writer with this put before each line that is not empty.
    #[must_use]
    pub fn indented(&self, indent: &'static str) -> Self {
        Self {
            indent,
            ..self.clone()
        }
    }

    /// Returns a writer for the same source whose lines wait until they are told, and what tells them.
    #[must_use]
    pub fn lane(&self) -> (Self, Lane) {
        let (sender, lane) = lane(self.sink.clone());
        let sink = Sink::Lane(sender);
        (Self { sink, ..self.clone() }, lane)
    }

    /// Writes lines at info level.
    pub fn info(&self, text: &str) {
        self.write(Level::Info, text, None);
    }

    /// Writes lines as a warning.
    pub fn warn(&self, text: &str) {
        self.write(Level::Warn, text, None);
    }

    /// Writes lines as an error.
    pub fn error(&self, text: &str) {
        self.write(Level::Error, text, None);
    }

    /// Writes text as it comes: it need not end with a line, and is not indented.
    pub fn raw(&self, level: Level, text: String) {
        self.sink.append(LogEvent {
            text,
            ..self.event(level, "")
        });
    }

    /// Writes a line that replaces an earlier one of the same id.
    pub fn progress(&self, id: &str, must_print: bool, text: &str) {
        self.write(
            Level::Info,
            text,
            Some(Progress {
                id: id.to_owned(),
                must_print,
            }),
        );
    }

    /// Writes the first line of an update, before which an empty line is shown.
    pub fn update_started(&self, text: &str) {
        self.sink.append(LogEvent {
            starts_update: true,
            ..self.event(Level::Info, text)
        });
    }

    fn write(&self, level: Level, text: &str, progress: Option<Progress>) {
        self.sink.append(LogEvent {
            progress,
            ..self.event(level, text)
        });
    }

    fn event(&self, level: Level, text: &str) -> LogEvent {
        let body = text.strip_suffix('\n').unwrap_or(text);
        let mut out = String::with_capacity(text.len() + 16);
        for line in body.split('\n') {
            if !line.is_empty() {
                out.push_str(self.indent);
                out.push_str(line);
            }
            out.push('\n');
        }
        LogEvent {
            span: self.span.clone(),
            manifest: self.manifest.clone(),
            level,
            text: out,
            starts_update: false,
            progress: None,
        }
    }
}

impl crate::tiltfile::Log for LogWriter {
    fn info(&self, text: &str) {
        Self::info(self, text);
    }

    fn warn(&self, text: &str) {
        Self::warn(self, text);
    }

    fn hide(&self, secrets: &BTreeMap<String, Secret>) {
        // What waits in a lane goes to the same log.
        if let Sink::Store(store) = &self.sink {
            store.add_early_secrets(stand_ins(secrets));
        }
    }
}
