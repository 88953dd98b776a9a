//! Turns segments into the text that people see: prefixes, markers, joined lines, throttled progress. Pure. What of a
//! program's output a terminal may get is `visible`'s to say.
//!
//! Rule: `docs/rules/logs.md`, "Lines", "Prefixes" and "Filters".

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::visible::{RESET, Visible};
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
    /// The line that was printed last, if its end is still to come.
    open: Option<OpenLine>,
    progress: HashMap<(Option<SpanId>, String), Throttle>,
}

/// When the next line of a progress may be printed.
#[derive(Clone, Copy, Debug)]
struct Throttle {
    next: Instant,
    wait: Duration,
}

/// A line that was begun.
#[derive(Debug)]
struct OpenLine {
    span: Option<SpanId>,
    /// What stands before it.
    prefix: String,
    visible: Visible,
    /// Whether it shows anything yet.
    has_text: bool,
    /// Whether what was printed of it left the terminal coloured.
    is_coloured: bool,
    /// When its present state was printed.
    printed: Instant,
    /// What has taken the place of what was printed, and is printed in a moment.
    overwritten: Option<String>,
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
            self.print_line(now, &line, out);
        }
    }

    /// Ends an incomplete last line: nothing more will come.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if let Some(mut open) = self.open.take() {
            open.print_overwritten(out);
            open.end(out);
        }
    }

    /// Joins segments to lines, in the order in which the lines begin.
    fn lines<'a>(&self, segments: &[&'a Segment]) -> Vec<Line<'a>> {
        let mut lines = Vec::with_capacity(segments.len());
        let mut open: HashMap<Option<&SpanId>, usize> = HashMap::new();
        if let Some(line) = &self.open {
            open.insert(line.span.as_ref(), 0);
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

    fn print_line(&mut self, now: Instant, line: &Line<'_>, out: &mut Vec<u8>) {
        let (Some(first), Some(last)) = (line.parts.first(), line.parts.last()) else {
            return;
        };
        if !line.is_begun {
            self.finish(out);
        }
        let mut open = match self.open.take() {
            Some(open) => open,
            None => self.begin(now, first, out),
        };
        for part in &line.parts {
            open.print(part.text.trim_end_matches('\n'), out);
        }
        if last.ends_line() || now >= open.printed + FIRST_WAIT {
            open.print_overwritten(out);
            open.printed = now;
        }
        if last.ends_line() {
            open.end(out);
        } else {
            self.open = Some(open);
        }
    }

    fn begin(&self, now: Instant, first: &Segment, out: &mut Vec<u8>) -> OpenLine {
        let prefix = self.prefix(first.manifest.as_ref());
        if first.starts_update {
            out.extend_from_slice(prefix.as_bytes());
            out.push(b'\n');
        }
        let prefix = prefix + marker(first);
        out.extend_from_slice(prefix.as_bytes());
        OpenLine {
            span: first.span.clone(),
            prefix,
            visible: Visible::default(),
            has_text: false,
            is_coloured: false,
            printed: now,
            overwritten: None,
        }
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

impl OpenLine {
    fn print(&mut self, piece: &str, out: &mut Vec<u8>) {
        let shown = self.visible.show(piece);
        if let Some(text) = &mut self.overwritten {
            if shown.overwrites {
                text.clear();
            }
            text.push_str(&shown.text);
        } else if shown.overwrites && self.has_text {
            // What is printed cannot be taken back.
            self.overwritten = Some(shown.text.into_owned());
        } else {
            self.has_text |= !shown.text.is_empty();
            self.is_coloured = self.visible.is_coloured();
            out.extend_from_slice(shown.text.as_bytes());
        }
    }

    /// Prints what has taken the place of what was printed as a line of its own.
    fn print_overwritten(&mut self, out: &mut Vec<u8>) {
        let Some(text) = self.overwritten.take().filter(|text| !text.is_empty()) else {
            return;
        };
        self.end_line(out);
        out.extend_from_slice(self.prefix.as_bytes());
        out.extend_from_slice(text.as_bytes());
        self.is_coloured = self.visible.is_coloured();
    }

    fn end(mut self, out: &mut Vec<u8>) {
        self.end_line(out);
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        if self.is_coloured {
            out.extend_from_slice(RESET.as_bytes());
        }
        out.push(b'\n');
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
