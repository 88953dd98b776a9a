//! What comes out of a container: text of programs, with our own lines between it.

/// Something that came.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Item {
    /// What a program printed.
    Text(Vec<u8>),
    /// A line of ours, without its mark.
    Mark(Vec<u8>),
}

/// Tells our lines from the text between them: each begins with the channel's mark, which nobody else knows.
pub(super) struct Marks {
    mark: Vec<u8>,
    buffer: Vec<u8>,
}

impl Marks {
    pub(super) fn new(mark: &str) -> Self {
        Self {
            mark: format!("{mark} ").into_bytes(),
            buffer: Vec::new(),
        }
    }

    pub(super) fn push(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns what came next; `None` until more has come.
    pub(super) fn next(&mut self) -> Option<Item> {
        match find(&self.buffer, &self.mark) {
            Some(0) => {
                let end = self.buffer.iter().position(|byte| *byte == b'\n')?;
                let line = self.buffer[self.mark.len()..end].to_vec();
                self.buffer.drain(..=end);
                Some(Item::Mark(line))
            }
            Some(at) => Some(Item::Text(self.buffer.drain(..at).collect())),
            None => {
                let end = self.buffer.len() - begun(&self.buffer, &self.mark);
                (end > 0).then(|| Item::Text(self.buffer.drain(..end).collect()))
            }
        }
    }
}

fn find(text: &[u8], mark: &[u8]) -> Option<usize> {
    let first = *mark.first()?;
    let mut from = 0;
    while let Some(at) = text[from..].iter().position(|byte| *byte == first) {
        if text[from + at..].starts_with(mark) {
            return Some(from + at);
        }
        from += at + 1;
    }
    None
}

/// Returns how many bytes at the end may be the beginning of a mark.
fn begun(text: &[u8], mark: &[u8]) -> usize {
    let longest = mark.len().min(text.len());
    (1..=longest)
        .rev()
        .find(|length| text.ends_with(&mark[..*length]))
        .unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(marks: &mut Marks) -> Vec<Item> {
        std::iter::from_fn(|| marks.next()).collect()
    }

    #[test]
    fn a_line_of_ours_begins_anywhere() {
        let mut marks = Marks::new("M");
        marks.push(b"no end of lineM done 0\nnext");
        let expected = [
            Item::Text(b"no end of line".to_vec()),
            Item::Mark(b"done 0".to_vec()),
            Item::Text(b"next".to_vec()),
        ];
        assert_eq!(all(&mut marks), expected);
    }

    proptest! {
        #[test]
        fn how_it_is_cut_does_not_matter(
            parts in proptest::collection::vec(prop_oneof!["[xMm \n]{0,4}", Just("MARK done 0\n".to_owned())], 0..8),
            cuts in proptest::collection::vec(1usize..7, 1..40),
        ) {
            let whole: String = parts.concat();
            let mut marks = Marks::new("MARK");
            let (mut found, mut rest, mut cuts) = (Vec::new(), whole.as_bytes(), cuts.iter().cycle());
            while !rest.is_empty() {
                let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
                marks.push(piece);
                rest = after;
                for item in all(&mut marks) {
                    match item {
                        Item::Text(text) => found.extend(text),
                        Item::Mark(line) => {
                            found.extend(b"MARK ");
                            found.extend(line);
                            found.push(b'\n');
                        }
                    }
                }
            }
            found.extend(&marks.buffer);
            prop_assert_eq!(String::from_utf8(found).unwrap(), whole);
        }
    }
}
