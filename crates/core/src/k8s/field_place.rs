//! Finds a field in YAML text by its path, for showing where it was written. Reads block style by indentation, and flow
//! style (`{a: [b]}`, JSON) by its brackets; what it cannot follow, such as anchors, it leaves at the last key that it found.

mod flow;
mod step;

use step::Step;

/// Returns line, column and width of a field such as `spec.containers[0].image`; line and column are counted from 1.
///
/// `start` is the line at which the document begins, counted from 1. Of a path that goes on where the text cannot be
/// followed, the last part that was found counts; `None` when not even the first is there.
pub fn locate(text: &str, start: usize, path: &str) -> Option<(usize, usize, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let first = start.max(1) - 1;
    let document = lines.get(first..)?;
    let length = document
        .iter()
        .skip(1)
        .position(|line| line.starts_with("---"))
        .map_or(document.len(), |at| at + 1);
    let mut block = Block {
        lines: &document[..length],
        offset: first,
        column: 0,
    };
    let mut found = None;
    let steps = steps(path);
    for (at, step) in steps.iter().enumerate() {
        let Some((place, inner)) = block.find(step) else {
            let (line, column, _) = found.unwrap_or((first + 1, 1, 0));
            return flow::locate(text, line, column, found.is_some(), &steps[at..]).or(found);
        };
        found = Some(place);
        block = inner;
    }
    found
}

/// `a.b[0].c` or `a.b[key.with.dots]` as steps.
fn steps(path: &str) -> Vec<Step> {
    let mut steps = Vec::new();
    let mut rest = path;
    while !rest.is_empty() {
        if let Some(inner) = rest.strip_prefix('[') {
            let (index, after) = inner.split_once(']').unwrap_or((inner, ""));
            let step = index
                .parse()
                .map_or_else(|_| Step::Key(index.to_owned()), Step::Item);
            steps.push(step);
            rest = after.strip_prefix('.').unwrap_or(after);
        } else {
            let end = rest.find(['.', '[']).unwrap_or(rest.len());
            steps.push(Step::Key(rest[..end].to_owned()));
            rest = &rest[end..];
            rest = rest.strip_prefix('.').unwrap_or(rest);
        }
    }
    steps
}

/// Some lines of the document, of which those indented by `column` are the entries of a map or list.
struct Block<'a> {
    lines: &'a [&'a str],
    offset: usize,
    column: usize,
}

impl<'a> Block<'a> {
    fn find(&self, step: &Step) -> Option<((usize, usize, usize), Block<'a>)> {
        let entries: Vec<usize> = self.entries(matches!(step, Step::Item(_)));
        let at = match step {
            Step::Item(n) => *entries.get(*n)?,
            Step::Key(key) => *entries.iter().find(|at| self.key(**at) == Some(key))?,
        };
        let line = self.lines[at];
        let width = line.trim_end().chars().count().saturating_sub(self.column).max(1);
        let place = (self.offset + at + 1, self.column + 1, width);
        Some((place, self.inner(at, step)))
    }

    /// Lines that begin an entry. The first line may begin inside an item, after its dash.
    fn entries(&self, items: bool) -> Vec<usize> {
        let is_entry = |at: &usize| {
            let line = self.lines[*at];
            let inside = *at == 0 && line.len() > self.column && !line[..self.column].trim().is_empty();
            let content = line.get(self.column..).unwrap_or_default();
            (inside || indent(line) == Some(self.column)) && content.starts_with("- ") == items
        };
        (0..self.lines.len()).filter(is_entry).collect()
    }

    fn key(&self, at: usize) -> Option<&'a str> {
        let (key, _) = self.lines[at].get(self.column..)?.split_once(':')?;
        Some(key.trim().trim_matches(['"', '\'']))
    }

    fn inner(&self, at: usize, step: &Step) -> Block<'a> {
        let item = matches!(step, Step::Item(_));
        // The items of a list may stand below their key without being indented.
        let ends = |line: &&str| {
            indent(line).is_some_and(|column| {
                column < self.column || column == self.column && (item || !line[column..].starts_with("- "))
            })
        };
        let after = &self.lines[at + 1..];
        let length = after.iter().position(ends).unwrap_or(after.len());
        if item {
            let dash = &self.lines[at][self.column + 1..];
            return Block {
                lines: &self.lines[at..=at + length],
                offset: self.offset + at,
                column: self.column + 1 + (dash.len() - dash.trim_start().len()),
            };
        }
        Block {
            lines: &after[..length],
            offset: self.offset + at + 1,
            column: after[..length].iter().find_map(|line| indent(line)).unwrap_or(0),
        }
    }
}

/// Returns how far a line is indented, `None` for an empty line or a comment.
fn indent(line: &str) -> Option<usize> {
    let content = line.trim_start();
    (!content.is_empty() && !content.starts_with('#')).then_some(line.len() - content.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    const YAML: &str = "kind: A\n---\n# the one\nkind: B\nmetadata:\n  name: x\nspec:\n  list:\n  - name: one\n    image: i\n\n  \
        # two\n  - name: two\n    deep: {a: 1}\n  deeper:\n    - - x\n    - image: j\n---\nspec: {other: 1}\n";

    #[track_caller]
    fn check(path: &str, expected: Option<&str>) {
        let found = locate(YAML, 3, path).map(|(line, column, width)| {
            let line = YAML.lines().nth(line - 1).expect("a line");
            line.chars().skip(column - 1).take(width).collect::<String>()
        });
        assert_eq!(found.as_deref(), expected, "{path}");
    }

    #[test]
    fn a_field_is_found_in_its_own_document() {
        check("kind", Some("kind: B"));
        check("metadata.name", Some("name: x"));
        check("spec.list[0].image", Some("image: i"));
        check("spec.list[1].name", Some("name: two"));
        check("spec.deeper[1].image", Some("image: j"));
    }

    #[test]
    fn flow_style_is_followed_by_its_brackets() {
        check("spec.list[1].deep.a", Some("a: 1"));
        let text = "kind: A\nspec: {x: 'a, }b', ports: [{port: 80}, {\"port\": \"81\", name: it's}], last: 1} # end\n";
        let json = "{\n  \"kind\": \"A\",\n  \"spec\": {\"list\": [1, {\"a\": true}]}\n}\n";
        for (text, path, expected) in [
            (text, "spec.ports[1].port", Some("\"port\": \"81\"")),
            (text, "spec.ports[0]", Some("{port: 80}")),
            (text, "spec.last", Some("last: 1")),
            (text, "spec.x", Some("x: 'a, }b'")),
            (json, "spec.list[1].a", Some("\"a\": true")),
            (json, "kind", Some("\"kind\": \"A\"")),
            (json, "other", None),
        ] {
            let found = locate(text, 1, path).map(|(line, column, width)| {
                let line = text.lines().nth(line - 1).expect("a line");
                line.chars().skip(column - 1).take(width).collect::<String>()
            });
            assert_eq!(found.as_deref(), expected, "{path}");
        }
    }

    #[test]
    fn what_cannot_be_followed_ends_at_the_last_key() {
        check("spec.list[1].deep.b", Some("deep: {a: 1}"));
        check("spec.other", Some("spec:"));
        check("metadata.labels[a.b/c]", Some("metadata:"));
        check("status", None);
        check("", None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_and_no_path_is_a_panic(text in "[\\[\\]{}:,'\" a-c\n-]{0,60}", path in "[a-c.\\[\\]0-2]{0,12}", start in 0_usize..4) {
            let _ = locate(&text, start, &path);
        }
    }
}
