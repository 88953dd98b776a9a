//! Files of ignore patterns, such as `.dockerignore`.

use crate::model::{Ignore, LocalPath, go_path};

/// A file of ignore patterns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignorefile {
    /// Where it is, or would be.
    pub path: LocalPath,
    /// Its patterns; none when there is no such file.
    pub patterns: Vec<String>,
}

impl Ignorefile {
    /// Reads patterns: comments, blank lines and `.` are dropped, the others trimmed and cleaned as paths, without a `/` in
    /// front.
    ///
    /// Rule: <https://docs.docker.com/build/concepts/context/#dockerignore-files>, "the pattern `.` is ignored".
    pub fn parse(path: LocalPath, text: &str) -> Self {
        let clean = |line: &str| {
            let line = line.trim();
            let (not, pattern) = match line.strip_prefix('!') {
                Some(pattern) => ("!", pattern.trim()),
                None => ("", line),
            };
            if line.is_empty() || pattern.is_empty() {
                return (!line.is_empty()).then(|| not.to_owned());
            }
            let pattern = go_path::clean(pattern);
            if pattern == "." && not.is_empty() {
                return None;
            }
            let pattern = pattern
                .strip_prefix('/')
                .filter(|rest| !rest.is_empty())
                .unwrap_or(&pattern);
            Some(format!("{not}{pattern}"))
        };
        let patterns = text
            .trim_start_matches('\u{feff}')
            .lines()
            .filter(|line| !line.starts_with('#'))
            .filter_map(clean)
            .collect();
        Self { path, patterns }
    }

    /// Returns the patterns as an ignore of everything below `base`; `None` when there are none.
    pub fn ignore_below(&self, base: &LocalPath) -> Option<Ignore> {
        (!self.patterns.is_empty()).then(|| Ignore {
            base: base.clone(),
            patterns: self.patterns.clone(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_blanks_and_outer_slashes_are_dropped_from_an_ignorefile() {
        let file = Ignorefile::parse(
            LocalPath::new("/a/.dockerignore"),
            "# c\n\n  *.md \n/node_modules/\n!/keep\na/./b/../c\n/\n.\n./\na/..\n",
        );
        assert_eq!(file.patterns, ["*.md", "node_modules", "!keep", "a/c", "/"]);
    }
}
