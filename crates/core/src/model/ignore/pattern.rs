//! One pattern of a `.dockerignore`.

use std::borrow::Cow;

use super::glob::Wildcards;
use crate::model::LocalPath;

/// A pattern that a path matches or not.
#[derive(Clone, Debug)]
pub(super) struct Pattern {
    exception: bool,
    start: Start,
    glob: Glob,
    /// The globs of the leading path components, up to the first that can span several.
    components: Vec<Glob>,
    /// Whether a component spans several (`**`), so that it may match at any depth.
    any_depth: bool,
}

/// Where the glob of a pattern starts.
#[derive(Clone, Debug)]
enum Start {
    /// At the base.
    Base,
    /// At a directory above the base: the pattern begins with `..`.
    Above(LocalPath),
    /// At the root, for what is not below the base: there an absolute pattern starts at the base.
    RootOutsideBase,
}

/// A path that is held against patterns.
pub(super) struct Subject<'p> {
    pub(super) path: &'p LocalPath,
    /// The path from the base on; `None` outside of it.
    pub(super) below_base: Option<Cow<'p, str>>,
}

#[derive(Clone, Debug)]
enum Glob {
    /// A path, or the first components of one. Most patterns are plain, and this costs next to nothing.
    Plain(String),
    /// With wildcards.
    Wildcards(Wildcards),
}

impl Pattern {
    /// Returns the compiled pattern, nothing for an invalid or empty one; an absolute one may mean two things.
    pub(super) fn parse(text: &str, base: &LocalPath) -> Vec<Self> {
        let text = text.trim();
        let (exception, text) = match text.strip_prefix('!') {
            Some("") => return Vec::new(),
            Some(rest) => (true, rest),
            None => (false, text),
        };
        if text.is_empty() {
            return Vec::new();
        }
        // A pattern may also be given as an absolute path below the base.
        let below_base = text.strip_prefix(base.as_path().to_string_lossy().as_ref());
        let below_base = below_base.filter(|rest| rest.starts_with('/'));
        let is_absolute = below_base.is_none() && text.starts_with('/');
        let mut parts = clean(below_base.unwrap_or(text));
        if text.starts_with('/') {
            // Nothing is above the root.
            parts.retain(|part| *part != "..");
        }
        if is_absolute && parts.is_empty() {
            return Vec::new();
        }
        let n_up = parts.iter().take_while(|part| **part == "..").count();
        let mut start = base.clone();
        (0..n_up).for_each(|_| start = start.parent());
        // `/**` and `/src` in `/src/app` say something of the base, not of the whole machine.
        let means_base = || {
            let has_wildcard = parts[0].contains(['*', '?', '[', '\\']);
            has_wildcard || base.is_within(&LocalPath::new(format!("/{}", parts.join("/"))))
        };
        let starts = match (is_absolute, n_up) {
            (true, _) if means_base() => vec![Start::Base],
            (true, _) => vec![Start::Base, Start::RootOutsideBase],
            (false, 0) => vec![Start::Base],
            (false, _) => vec![Start::Above(start)],
        };
        let starts = starts.into_iter();
        starts
            .filter_map(|start| Self::compile(exception, start, &parts[n_up..]))
            .collect()
    }

    fn compile(exception: bool, start: Start, components: &[&str]) -> Option<Self> {
        let leading = components.iter().take_while(|part| !part.contains("**"));
        let leading: Option<Vec<Glob>> = leading.map(|part| Glob::parse(part)).collect();
        let leading = leading?;
        Some(Self {
            exception,
            start,
            any_depth: leading.len() < components.len(),
            glob: Glob::parse(&components.join("/"))?,
            components: leading,
        })
    }

    /// Returns whether the pattern puts back what an earlier one took out.
    pub(super) fn is_exception(&self) -> bool {
        self.exception
    }

    /// Returns whether it can match anything outside of the base.
    pub(super) fn leaves_base(&self) -> bool {
        !matches!(self.start, Start::Base)
    }

    /// Returns whether the path or one of the directories above it matches.
    pub(super) fn matches(&self, subject: &Subject<'_>) -> bool {
        self.path_below_start(subject)
            .is_some_and(|path| self.glob.matches(&path))
    }

    /// Returns whether the directory or anything below it could match.
    pub(super) fn could_match_within(&self, dir: &Subject<'_>) -> bool {
        let Some(below_start) = self.path_below_start(dir) else {
            let is_on_the_way = |start: &LocalPath| start.is_within(dir.path);
            return match &self.start {
                // The base, or what is below it, may be reached through it.
                Start::Base => true,
                Start::Above(start) => is_on_the_way(start),
                Start::RootOutsideBase => false,
            };
        };
        let parts: Vec<&str> = below_start.split('/').filter(|part| !part.is_empty()).collect();
        let deep_enough = self.any_depth || self.components.len() > parts.len();
        let on_the_way = || {
            self.components
                .iter()
                .zip(&parts)
                .all(|(glob, part)| glob.matches(part))
        };
        (deep_enough && on_the_way()) || self.glob.matches(&below_start)
    }

    /// Returns the path from where the glob starts; `None` if it is not below that.
    fn path_below_start<'s>(&self, subject: &'s Subject<'_>) -> Option<Cow<'s, str>> {
        let below = |start: &LocalPath| relative(subject.path, start);
        match &self.start {
            Start::Base => subject.below_base.as_deref().map(Cow::Borrowed),
            Start::Above(start) => below(start),
            Start::RootOutsideBase if subject.below_base.is_some() => None,
            Start::RootOutsideBase => below(&LocalPath::new("/")),
        }
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

/// Returns the components without `.`, doubled slashes, and `..` but at the front.
fn clean(pattern: &str) -> Vec<&str> {
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
    parts
}

/// Returns the path below `base` with slashes, empty for `base` itself, `None` outside.
pub(super) fn relative<'a>(path: &'a LocalPath, base: &LocalPath) -> Option<Cow<'a, str>> {
    path.is_within(base)
        .then(|| path.relative_to(base).to_string_lossy())
}
