//! A text that a user wrote, and places in it.

use std::ops::Range;
use std::sync::Arc;

use super::Place;

/// A text with the name of its file. Cheap to clone.
#[derive(Clone, Debug)]
pub struct SourceText(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    file: String,
    text: String,
    line_starts: Vec<usize>,
}

impl SourceText {
    /// Wraps a text; `file` is its path, or what stands for one.
    pub fn new(file: impl Into<String>, text: impl Into<String>) -> Self {
        let text = text.into();
        let line_starts = std::iter::once(0)
            .chain(text.match_indices('\n').map(|(at, _)| at + 1))
            .collect();
        Self(Arc::new(Inner {
            file: file.into(),
            text,
            line_starts,
        }))
    }

    /// Returns the file's path, or what stands for one.
    pub fn file(&self) -> &str {
        &self.0.file
    }

    /// Returns the whole text.
    pub fn text(&self) -> &str {
        &self.0.text
    }

    /// Returns line and column of a byte offset, both counted from 1, columns in characters.
    pub fn position(&self, offset: usize) -> (usize, usize) {
        let line = self.0.line_starts.partition_point(|start| *start <= offset);
        let start = self.0.line_starts[line - 1];
        let before = self.0.text.get(start..offset).unwrap_or_default();
        (line, before.chars().count() + 1)
    }

    /// Returns the text of a line, counted from 1, without its end; empty beyond the last line.
    pub fn line(&self, line: usize) -> &str {
        let Some(start) = line.checked_sub(1).and_then(|at| self.0.line_starts.get(at)) else {
            return "";
        };
        self.0.text[*start..].lines().next().unwrap_or_default()
    }

    /// Returns `<file>:<line>:<column>` of a byte offset.
    pub fn show(&self, offset: usize) -> String {
        let (line, column) = self.position(offset);
        format!("{}:{line}:{column}", self.0.file)
    }

    /// Returns the place of a range of bytes; what lies beyond its first line is not marked.
    pub fn place(&self, range: Range<usize>) -> Place {
        let (line, column) = self.position(range.start);
        let marked = self.0.text.get(range).unwrap_or_default();
        Place {
            file: self.0.file.clone(),
            line,
            column,
            width: marked.lines().next().unwrap_or_default().chars().count(),
            source_line: self.line(line).to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_and_lines_count_from_one() {
        let source = SourceText::new("f", "a\nbüc d\n");
        assert_eq!(source.show(0), "f:1:1");
        assert_eq!(source.show(5), "f:2:3");
        assert_eq!(source.show(100), "f:3:1");
        assert_eq!(
            (source.line(2), source.line(3), source.line(9)),
            ("büc d", "", "")
        );
    }

    #[test]
    fn a_place_marks_only_its_first_line() {
        let place = SourceText::new("f", "ab(\n)\n").place(1..5);
        assert_eq!((place.line, place.column, place.width), (1, 2, 2));
        assert_eq!(place.source_line, "ab(");
    }
}
