//! Turns segments into the text that people see: prefixes, markers, joined lines, throttled progress. Pure.
//!
//! Rule: `reference/engine.md` 9.3 to 9.5.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::{Level, LogFilter, Segment};
use crate::model::{ManifestName, SpanId};

/// How wide names are shown.
const NAME_COLUMNS: usize = 13;
/// How long the second line of a progress waits; each later one waits twice as long as the one before.
const FIRST_WAIT: Duration = Duration::from_secs(5);

/// Turns batches of segments into text, and remembers between them what it printed last.
#[derive(Debug)]
pub struct StreamPrinter {
    filter: LogFilter,
    prefixes: bool,
    /// The source of the line that was printed last, if its end is still to come.
    open: Option<Option<SpanId>>,
    progress: HashMap<(Option<SpanId>, String), Throttle>,
}

/// When the next line of a progress may be printed.
#[derive(Clone, Copy, Debug)]
struct Throttle {
    next: Instant,
    wait: Duration,
}

/// A line within a batch: its first segment, and those that continue it.
struct Line<'a> {
    /// Whether its beginning was printed with an earlier batch.
    is_begun: bool,
    parts: Vec<&'a Segment>,
}

impl StreamPrinter {
    /// Returns a printer of what the filter lets pass. With exactly one resource named, lines have no prefix.
    pub fn new(filter: LogFilter) -> Self {
        Self {
            prefixes: filter.resources.len() != 1,
            filter,
            open: None,
            progress: HashMap::new(),
        }
    }

    /// Returns the same printer without prefixes.
    #[must_use]
    pub fn without_prefixes(mut self) -> Self {
        self.prefixes = false;
        self
    }

    /// Appends the text of the next segments to `out`.
    pub fn print(&mut self, now: Instant, segments: &[Arc<Segment>], out: &mut Vec<u8>) {
        let wanted: Vec<_> = segments
            .iter()
            .map(Arc::as_ref)
            .filter(|segment| self.filter.matches(segment) && self.is_due(now, segment))
            .collect();
        for line in self.lines(&wanted) {
            self.print_line(&line, out);
        }
    }

    /// Ends an incomplete last line: nothing more will come.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if self.open.take().is_some() {
            out.push(b'\n');
        }
    }

    /// Joins segments to lines, in the order in which the lines begin.
    fn lines<'a>(&self, segments: &[&'a Segment]) -> Vec<Line<'a>> {
        let mut lines = Vec::with_capacity(segments.len());
        let mut open: HashMap<Option<&SpanId>, usize> = HashMap::new();
        if let Some(span) = &self.open {
            open.insert(span.as_ref(), 0);
            lines.push(Line {
                is_begun: true,
                parts: Vec::new(),
            });
        }
        for &segment in segments {
            let source = segment.span.as_ref();
            let joined = open.remove(&source).filter(|_| segment.continues);
            let at = joined.unwrap_or(lines.len());
            if at == lines.len() {
                lines.push(Line {
                    is_begun: false,
                    parts: Vec::new(),
                });
            }
            lines[at].parts.push(segment);
            if !segment.ends_line() {
                open.insert(source, at);
            }
        }
        lines
    }

    fn print_line(&mut self, line: &Line<'_>, out: &mut Vec<u8>) {
        let (Some(first), Some(last)) = (line.parts.first(), line.parts.last()) else {
            return;
        };
        if !line.is_begun {
            self.finish(out);
            let prefix = self.prefix(first.manifest.as_ref());
            if first.starts_update {
                out.extend_from_slice(prefix.as_bytes());
                out.push(b'\n');
            }
            out.extend_from_slice(prefix.as_bytes());
            out.extend_from_slice(marker(first).as_bytes());
        }
        for part in &line.parts {
            out.extend_from_slice(part.text.as_bytes());
        }
        self.open = (!last.ends_line()).then(|| last.span.clone());
    }

    fn prefix(&self, manifest: Option<&ManifestName>) -> String {
        match manifest {
            Some(manifest) if self.prefixes && manifest.as_str() != ManifestName::TILTFILE => {
                format!("{:>NAME_COLUMNS$} │ ", shortened(manifest.as_str()))
            }
            _ => String::new(),
        }
    }

    /// Returns whether a line is to be printed now: any but one of a progress that was printed lately.
    fn is_due(&mut self, now: Instant, segment: &Segment) -> bool {
        let Some(progress) = &segment.progress else {
            return true;
        };
        let key = (segment.span.clone(), progress.id.clone());
        let last = self.progress.get(&key).copied();
        if !progress.must_print && last.is_some_and(|last| now <= last.next) {
            return false;
        }
        let wait = last.map_or(FIRST_WAIT, |last| last.wait * 2);
        let next = now + wait;
        self.progress.insert(key, Throttle { next, wait });
        true
    }
}

/// Returns a name cut to what fits: of one that is longer than 13 bytes, whole characters of the first 12 and `…`.
fn shortened(name: &str) -> std::borrow::Cow<'_, str> {
    if name.len() <= NAME_COLUMNS {
        return name.into();
    }
    let end = name.floor_char_boundary(NAME_COLUMNS - 1);
    format!("{}…", &name[..end]).into()
}

fn marker(segment: &Segment) -> &'static str {
    match segment.level {
        Level::Warn if segment.anchor => "WARNING: ",
        Level::Error if segment.anchor => "ERROR: ",
        _ => "",
    }
}
