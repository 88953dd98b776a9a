//! A piece of output on its way to the log.

use super::{ManifestName, SpanId};

/// How much a line matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For developers of this program.
    Debug,
    /// For the curious.
    Verbose,
    /// What a user would ask about.
    Info,
    /// Probably not as meant.
    Warn,
    /// Something failed.
    Error,
}

/// A piece of output. Its text may hold several lines, and may end in the middle of one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogEvent {
    /// The source of the text; lines of one span are never mixed. `None` for lines of no resource.
    pub span: Option<SpanId>,
    /// The resource it belongs to.
    pub manifest: Option<ManifestName>,
    /// How much it matters.
    pub level: Level,
    /// The text.
    pub text: String,
    /// Whether it starts an update; an empty line is shown before it.
    pub starts_update: bool,
    /// Set for a line that replaces an earlier one of the same id, such as a percentage.
    pub progress: Option<Progress>,
}

/// Marks a line that replaces an earlier one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Lines with the same span and id are about the same thing.
    pub id: String,
    /// Whether it must be printed however recently the last one was.
    pub must_print: bool,
}

impl LogEvent {
    /// Returns a line at info level; a missing newline is added.
    pub fn line(span: SpanId, manifest: ManifestName, text: impl Into<String>) -> Self {
        let mut text = text.into();
        if !text.ends_with('\n') {
            text.push('\n');
        }
        Self {
            span: Some(span),
            manifest: Some(manifest),
            level: Level::Info,
            text,
            starts_update: false,
            progress: None,
        }
    }

    /// Returns a line that belongs to no resource; a missing newline is added.
    pub fn global(text: impl Into<String>) -> Self {
        let mut event = Self::line(SpanId::from(""), ManifestName::tiltfile(), text);
        (event.span, event.manifest) = (None, None);
        event
    }

    /// Sets the level.
    #[must_use]
    pub fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }
}
