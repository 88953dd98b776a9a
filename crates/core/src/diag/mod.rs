//! What went wrong, where, and what to do about it.
//!
//! A [`Diagnostic`] begins with the lines that people search for, then shows the source line with a caret, then hints.

mod nearest;
mod source;

pub use nearest::nearest;
pub use source::SourceText;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// The load or the update cannot go on.
    Error,
    /// It goes on, but probably not as meant.
    Warning,
}

/// One fault of a user's input.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// The first lines, as people search for them; a traceback comes first where there is one.
    pub message: String,
    /// Where it was written.
    pub place: Option<Box<Place>>,
    /// What to do about it, one sentence each.
    pub hints: Vec<String>,
}

/// A place in a text that a user wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The file, or what stands for one (`Tiltfile blob() call`).
    pub file: String,
    /// Counted from 1.
    pub line: usize,
    /// First column of the marked part, in characters, counted from 1.
    pub column: usize,
    /// How many characters are marked; at least one caret is shown.
    pub width: usize,
    /// The text of that line.
    pub source_line: String,
}

impl Diagnostic {
    /// Returns an error without place and hints.
    pub fn error(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            place: None,
            hints: Vec::new(),
        }
    }

    /// Returns a warning without place and hints.
    pub fn warning(message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Warning,
            ..Self::error(message)
        }
    }

    /// Adds the place.
    #[must_use]
    pub fn at(mut self, place: Place) -> Self {
        self.place = Some(Box::new(place));
        self
    }

    /// Adds a hint.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hints.push(hint.into());
        self
    }

    /// Returns the text to show: message, source line with caret, hints. No colour, no final newline.
    ///
    /// ```text
    /// /src/Tiltfile:12:1: k8s_resource specified unknown resource "databse". known k8s resources: database, web
    ///    |
    /// 12 | k8s_resource('databse', port_forwards=5432)
    ///    |              ^^^^^^^^^
    /// hint: did you mean "database"?
    /// ```
    pub fn render(&self) -> String {
        let mut out = self.message.clone();
        if let Some(place) = &self.place {
            let number = place.line.to_string();
            let gutter = " ".repeat(number.len());
            // Tabs would shift the caret on a terminal; each is shown as one blank.
            let line = place.source_line.replace('\t', " ");
            let (line, before) = cut(&line, place.column.saturating_sub(1));
            let room = line.chars().count().saturating_sub(before);
            let carets = "^".repeat(place.width.clamp(1, room.max(1)));
            let before = " ".repeat(before);
            let shown_at = format!("{}:{}", place.file, place.line);
            if !self.message.contains(&shown_at) {
                out.push_str(&format!("\n{gutter}--> {shown_at}:{}", place.column));
            }
            out.push_str(&format!(
                "\n{gutter} |\n{number} | {line}\n{gutter} | {before}{carets}"
            ));
        }
        for hint in &self.hints {
            out.push_str("\nhint: ");
            out.push_str(hint);
        }
        out
    }
}

/// Longer lines, such as JSON in one line, are not shown whole.
const LINE_CHARS: usize = 240;
/// How much of a long line is shown before its marked part.
const BEFORE_CHARS: usize = 60;

/// Returns what to show of a line, and how many characters of that stand before the marked part, of the line `column`.
fn cut(line: &str, column: usize) -> (String, usize) {
    if line.chars().nth(LINE_CHARS).is_none() {
        return (line.to_owned(), column);
    }
    let skipped = column.saturating_sub(BEFORE_CHARS);
    let mut shown: String = line.chars().skip(skipped).take(LINE_CHARS).collect();
    if line.chars().nth(skipped + LINE_CHARS).is_some() {
        shown.push('…');
    }
    match skipped {
        0 => (shown, column),
        _ => (format!("…{shown}"), column - skipped + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place() -> Place {
        Place {
            file: "/src/Tiltfile".to_owned(),
            line: 12,
            column: 14,
            width: 9,
            source_line: "k8s_resource('databse', port_forwards=5432)".to_owned(),
        }
    }

    #[test]
    fn the_caret_stands_below_what_is_wrong() {
        let diagnostic = Diagnostic::error("/src/Tiltfile:12:1: unknown resource \"databse\"")
            .at(place())
            .hint("did you mean \"database\"?");
        assert_eq!(
            diagnostic.render(),
            "/src/Tiltfile:12:1: unknown resource \"databse\"\n   |\n12 | k8s_resource('databse', port_forwards=5432)\n   \
             |              ^^^^^^^^^\nhint: did you mean \"database\"?"
        );
    }

    #[test]
    fn a_place_that_the_message_does_not_name_is_named() {
        assert!(
            Diagnostic::error("bad")
                .at(place())
                .render()
                .starts_with("bad\n  --> /src/Tiltfile:12:14\n   |\n12 | ")
        );
    }

    #[test]
    fn of_a_long_line_what_is_near_the_mark_is_shown() {
        let line = format!("{}bad{}", "a".repeat(100_000), "z".repeat(100_000));
        let place = Place {
            column: 100_001,
            width: 3,
            source_line: line,
            ..place()
        };
        let rendered = Diagnostic::error("x").at(place.clone()).render();
        let mut lines = rendered.lines().skip(3);
        assert_eq!(
            lines.next().unwrap(),
            format!("12 | …{}bad{}…", "a".repeat(60), "z".repeat(177))
        );
        assert_eq!(lines.next().unwrap(), format!("   | {}^^^", " ".repeat(61)));
        let whole = Place {
            width: 200_000,
            ..place
        };
        assert!(Diagnostic::error("x").at(whole).render().len() < 2_000);
    }

    #[test]
    fn carets_stay_within_the_line() {
        let mut place = place();
        place.width = 500;
        assert!(Diagnostic::error("x").at(place).render().ends_with(&format!(
            "| {}{}",
            " ".repeat(13),
            "^".repeat(30)
        )));
    }
}
