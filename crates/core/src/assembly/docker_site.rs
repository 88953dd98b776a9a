//! Finds where the parts of a `docker_build()` call stand in its Tiltfile.

use super::{CallSite, DeclaredDockerBuild};
use crate::diag::Place;
use crate::model::{DockerBuildSite, DockerfileText};

/// Returns where a call and the text of its Dockerfile stand.
pub(super) fn find(call: &CallSite, build: &DeclaredDockerBuild) -> DockerBuildSite {
    let dockerignore = build.dockerignore.as_ref();
    DockerBuildSite {
        text: text(call, build),
        target: call.argument("target", 12),
        dockerignore: dockerignore
            .filter(|file| !file.patterns.is_empty())
            .map(|file| file.path.clone()),
    }
}

fn text(call: &CallSite, build: &DeclaredDockerBuild) -> DockerfileText {
    if !build.is_inline {
        return DockerfileText::File;
    }
    match literal(call.source.text(), &build.dockerfile_contents) {
        Some((line, column)) => DockerfileText::Literal(Place {
            file: call.source.file().to_owned(),
            line,
            column,
            width: 1,
            source_line: call.source.line(line).to_owned(),
        }),
        None => DockerfileText::Computed(call.argument("dockerfile_contents", 4)),
    }
}

/// Returns line and column at which a text stands in a Tiltfile line by line, as in a literal with three quotes; backslashes
/// may be doubled there.
///
/// `None` also for a text without a line end, which may stand anywhere.
fn literal(source: &str, wanted: &str) -> Option<(usize, usize)> {
    let wanted: Vec<&str> = wanted.lines().collect();
    let (first, rest) = wanted.split_first()?;
    let (last, middle) = rest.split_last()?;
    let lines: Vec<String> = source.lines().map(|line| line.replace("\\\\", "\\")).collect();
    let stands_at = |at: &usize| {
        let line = |offset: usize| lines.get(at + offset);
        let mut following = middle.iter().zip(1..);
        lines[*at].ends_with(first)
            && following.all(|(text, offset)| line(offset).is_some_and(|line| line == text))
            && line(rest.len()).is_some_and(|line| line.starts_with(last))
    };
    let at = (0..lines.len()).find(stands_at)?;
    let before = lines[at].strip_suffix(first)?;
    Some((at + 1, before.chars().count() + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_literal_is_found_where_its_first_line_begins() {
        let source = "x = 1\nD = '''FROM a\nRUN b \\\\\n  c\n'''\n";
        assert_eq!(literal(source, "FROM a\nRUN b \\\n  c\n"), Some((2, 8)));
        assert_eq!(literal(source, "FROM a\nRUN b\n"), Some((2, 8)), "a part of it");
        assert_eq!(literal(source, "FROM b\nRUN b\n"), None);
        assert_eq!(literal(source, "FROM a"), None);
        assert_eq!(
            literal("'''\nFROM a\nRUN b\n'''", "\nFROM a\nRUN b\n"),
            Some((1, 4))
        );
    }
}
