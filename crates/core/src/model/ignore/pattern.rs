//! One pattern of a `.dockerignore`.

use super::glob::Wildcards;
use crate::model::LocalPath;

/// A pattern that a path below the base matches or not.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    exception: bool,
    glob: Glob,
    /// The globs of the leading path components, up to the first that can span several.
    components: Vec<Glob>,
    /// Whether a component spans several (`**`), so that it may match at any depth.
    any_depth: bool,
}

#[derive(Clone, Debug)]
enum Glob {
    /// A path, or the first components of one. Most patterns are plain, and this costs next to nothing.
    Plain(String),
    /// With wildcards.
    Wildcards(Wildcards),
}

impl Pattern {
    /// Returns the compiled pattern, `None` for an invalid or empty one.
    pub(super) fn parse(text: &str, base: &LocalPath) -> Option<Self> {
        let text = text.trim();
        let (exception, text) = match text.strip_prefix('!') {
            Some("") => return None,
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if text.is_empty() {
            return None;
        }
        let path = clean(text, base);
        let components: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let leading = components.iter().take_while(|part| !part.contains("**"));
        let leading: Option<Vec<Glob>> = leading.map(|part| Glob::parse(part)).collect();
        let leading = leading?;
        Some(Self {
            exception,
            any_depth: leading.len() < components.len(),
            glob: Glob::parse(&path)?,
            components: leading,
        })
    }

    /// Returns whether the pattern puts back what an earlier one took out.
    pub(super) fn is_exception(&self) -> bool {
        self.exception
    }

    /// Returns whether the path or one of the directories above it matches.
    pub(super) fn matches(&self, path: &str) -> bool {
        self.glob.matches(path)
    }

    /// Returns whether the directory or anything below it could match.
    pub(super) fn could_match_within(&self, dir: &str) -> bool {
        let parts: Vec<&str> = dir.split('/').filter(|part| !part.is_empty()).collect();
        let deep_enough = self.any_depth || self.components.len() > parts.len();
        let on_the_way = || {
            self.components
                .iter()
                .zip(&parts)
                .all(|(glob, part)| glob.matches(part))
        };
        (deep_enough && on_the_way()) || self.matches(dir)
    }
}

impl Glob {
    fn parse(glob: &str) -> Option<Self> {
        if !glob.contains(['*', '?', '[', '\\']) {
            return Some(Self::Plain(glob.to_owned()));
        }
        Wildcards::parse(glob).map(Self::Wildcards)
    }

    fn matches(&self, path: &str) -> bool {
        match self {
            Self::Plain(plain) => {
                plain.is_empty()
                    || path
                        .strip_prefix(plain.as_str())
                        .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            }
            Self::Wildcards(wildcards) => wildcards.matches(path),
        }
    }
}

/// Removes `.`, `..` and doubled slashes. A pattern may also be given as an absolute path below the base.
fn clean(pattern: &str, base: &LocalPath) -> String {
    let below_base = pattern.strip_prefix(base.as_path().to_string_lossy().as_ref());
    let pattern = below_base.filter(|rest| rest.starts_with('/')).unwrap_or(pattern);
    let mut parts: Vec<&str> = Vec::new();
    for part in pattern.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            _ => parts.push(part),
        }
    }
    parts.join("/")
}
