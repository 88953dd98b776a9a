//! Which files are left out of a build context or a watch, by the pattern rules of a `.dockerignore`.
//!
//! Reading ignore files and deciding which ignores hold for a target is left to `assembly`.

mod glob;
mod pattern;

use pattern::{Pattern, Subject, relative};

use super::LocalPath;

pub use glob::escaped as escaped_pattern;

/// Files that are left out.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Ignore {
    /// What the patterns are relative to. Without patterns this path itself, and all below it, is left out.
    pub base: LocalPath,
    /// Patterns as in a `.dockerignore`; the last match wins, `!` re-includes.
    pub patterns: Vec<String>,
}

/// Ignores, compiled once and asked often.
#[derive(Clone, Debug, Default)]
pub struct IgnoreMatcher {
    rules: Vec<Rule>,
}

/// One [`Ignore`], compiled.
#[derive(Clone, Debug)]
enum Rule {
    /// This path and all below it.
    Tree(LocalPath),
    /// What the patterns say.
    Patterns(Patterns),
}

/// Patterns, and what they are relative to.
#[derive(Clone, Debug)]
struct Patterns {
    base: LocalPath,
    list: Vec<Pattern>,
    /// Whether any can match outside of the base (`../obj`).
    leave_base: bool,
}

impl IgnoreMatcher {
    /// Compiles ignores; an invalid pattern is left out.
    ///
    /// Rule: the matching of `.dockerignore` files in Docker's `patternmatcher` package: patterns start at the base,
    /// the last match wins, and a match of a parent directory is a match of everything below. Other than there, a
    /// pattern may lead out of the base (`../svc/obj`) or be absolute.
    pub fn new(ignores: &[Ignore]) -> Self {
        let rules = ignores.iter().filter_map(Rule::new).collect();
        Self { rules }
    }

    /// Returns whether any of the ignores matches the file or directory.
    pub fn is_ignored(&self, path: &LocalPath) -> bool {
        self.rules.iter().any(|rule| rule.ignores(path))
    }

    /// Returns whether the directory and all that could lie below it is left out, so that it need not be entered.
    pub fn skips_directory(&self, dir: &LocalPath) -> bool {
        self.rules.iter().any(|rule| rule.ignores_all_below(dir))
    }
}

/// Returns which of some ignores leaves a path out, and the pattern of it that decides; a whole path has none.
pub fn deciding<'a>(ignores: &'a [Ignore], path: &LocalPath) -> Option<(&'a Ignore, Option<&'a str>)> {
    let is_ignored = |ignore: &Ignore| IgnoreMatcher::new(std::slice::from_ref(ignore)).is_ignored(path);
    let ignore = ignores.iter().find(|ignore| is_ignored(ignore))?;
    // The pattern that decides is the last before which the path was not left out.
    let without = (0..ignore.patterns.len()).rev().find(|n| {
        *n == 0
            || !is_ignored(&Ignore {
                base: ignore.base.clone(),
                patterns: ignore.patterns[..*n].to_vec(),
            })
    });
    Some((ignore, without.map(|n| ignore.patterns[n].as_str())))
}

impl Rule {
    fn new(ignore: &Ignore) -> Option<Self> {
        if ignore.patterns.is_empty() {
            return Some(Self::Tree(ignore.base.clone()));
        }
        let list: Vec<Pattern> = ignore
            .patterns
            .iter()
            .flat_map(|text| Pattern::parse(text, &ignore.base))
            .collect();
        // Exceptions alone take nothing out.
        list.iter().any(|pattern| !pattern.is_exception()).then(|| {
            Self::Patterns(Patterns {
                base: ignore.base.clone(),
                leave_base: list.iter().any(Pattern::leaves_base),
                list,
            })
        })
    }

    fn ignores(&self, path: &LocalPath) -> bool {
        match self {
            Self::Tree(base) => path.is_within(base),
            Self::Patterns(patterns) => patterns.ignores(path),
        }
    }

    fn ignores_all_below(&self, dir: &LocalPath) -> bool {
        match self {
            Self::Tree(base) => dir.is_within(base),
            Self::Patterns(patterns) => patterns.ignores_all_below(dir),
        }
    }
}

impl Patterns {
    fn ignores(&self, path: &LocalPath) -> bool {
        let Some(path) = self.subject(path) else {
            return false;
        };
        let last = self.list.iter().rev().find(|pattern| pattern.matches(&path));
        last.is_some_and(|pattern| !pattern.is_exception())
    }

    fn ignores_all_below(&self, dir: &LocalPath) -> bool {
        let Some(dir) = self.subject(dir) else {
            return false;
        };
        // The last pattern that takes the directory out also takes out all below it; only exceptions after it count.
        self.list
            .iter()
            .rev()
            .take_while(|pattern| !(pattern.is_exception() && pattern.could_match_within(&dir)))
            .any(|pattern| !pattern.is_exception() && pattern.matches(&dir))
    }

    /// Returns a path as patterns see it; `None` where none can match.
    fn subject<'p>(&self, path: &'p LocalPath) -> Option<Subject<'p>> {
        let below_base = relative(path, &self.base);
        (below_base.is_some() || self.leave_base).then_some(Subject { path, below_base })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn matcher(patterns: &[&str]) -> IgnoreMatcher {
        IgnoreMatcher::new(&[Ignore {
            base: LocalPath::new("/src"),
            patterns: patterns.iter().map(|p| (*p).to_owned()).collect(),
        }])
    }

    fn at(path: &str) -> LocalPath {
        LocalPath::new("/src").join(path)
    }

    #[track_caller]
    fn check(patterns: &[&str], ignored: &[&str], kept: &[&str]) {
        let matcher = matcher(patterns);
        for path in ignored {
            assert!(matcher.is_ignored(&at(path)), "{patterns:?} should ignore {path}");
        }
        for path in kept {
            assert!(!matcher.is_ignored(&at(path)), "{patterns:?} should keep {path}");
        }
    }

    #[track_caller]
    fn check_dirs(patterns: &[&str], skipped: &[&str], entered: &[&str]) {
        let matcher = matcher(patterns);
        for dir in skipped {
            assert!(
                matcher.skips_directory(&at(dir)),
                "{patterns:?} should skip {dir}"
            );
        }
        for dir in entered {
            assert!(
                !matcher.skips_directory(&at(dir)),
                "{patterns:?} should enter {dir}"
            );
        }
    }

    #[test]
    fn a_plain_name_matches_at_the_root_and_all_below_it() {
        check(&["a"], &["a", "a/b", "a/b/c"], &["b/a", "ab", "."]);
        check(&["/a/", "./b/../c"], &["a/x", "c"], &["b", "x/a", "/elsewhere/a"]);
        check(&["/", "//", "/.", "!/"], &[], &["a", "."]);
        check(&["/src/d"], &["d", "d/e"], &["src/e"]);
    }

    #[test]
    fn a_star_stays_within_a_name_and_two_stars_cross_directories() {
        check(&["*.md"], &["x.md", "d.md/y"], &["d/x.md", "x.mdx"]);
        check(&["*/x"], &["a/x", "b/x/c"], &["x", "a/b/x"]);
        check(&["**/x"], &["x", "a/x", "a/b/x/c"], &["ax", "a/bx"]);
        check(&["a/**"], &["a/b", "a/b/c"], &["a", "b/a/c"]);
        check(&["a/**/z"], &["a/z", "a/b/c/z"], &["z", "a/b"]);
        check(&["**"], &["a", "a/b"], &["."]);
        check(&["a?c"], &["abc", "aéc"], &["ac", "a/c", "abbc"]);
        check(
            &["**.txt"],
            &["a.txt", "d/a.txt", "d/a.txt/b"],
            &["a.txtx", "d/a.md"],
        );
        check(&["**", "!**.txt"], &["a.md", "d/b"], &["a.txt", "d/a.txt"]);
        check(&["**/*.{o,d}"], &["x.{o,d}"], &["x.o"]);
    }

    #[test]
    fn classes_and_escapes_are_gos() {
        check(&["[a-c]1"], &["a1", "c1"], &["d1", "a"]);
        check(&["[^a-c]1"], &["d1"], &["a1"]);
        check(&["[!a]"], &["!", "a"], &["b"]);
        check(&[r"[\]\-]x"], &["]x", "-x"], &["x"]);
        check(&[r"a\*", "c&&d", "[&&~~]y"], &["a*", "c&&d", "&y"], &["ab", "cd"]);
        check(&["a.b", "(x)", "c$"], &["a.b", "(x)", "c$"], &["aab", "x", "c"]);
    }

    #[test]
    fn invalid_patterns_are_left_out() {
        check(
            &["[", "[]a", "[a-]", "[b-a]", "a\\", "!", " ", "ok"],
            &["ok"],
            &["[", "a", "b"],
        );
    }

    #[test]
    fn the_last_match_wins_and_exceptions_reach_below_an_ignored_directory() {
        check(&["a", "!a/b"], &["a", "a/c"], &["a/b", "a/b/c"]);
        check(&["!a/b", "a"], &["a/b"], &["b"]);
        check(&["**", "!web/src"], &["x", "web", "web/y"], &["web/src/z"]);
        check(&["*", "!a", "a/x"], &["b", "a/x"], &["a/y"]);
        check(&["**", "!."], &[], &["a", "a/b"]);
        check(&["**", "!!a"], &["a", "b"], &["!a"]);
        check(&["!a"], &[], &["a", "b"]);
    }

    #[test]
    fn a_directory_is_skipped_unless_an_exception_could_bring_a_child_back() {
        check_dirs(&["node_modules"], &["node_modules", "node_modules/x"], &["."]);
        check_dirs(&["**", "!web/src"], &["api", "web/test"], &["web", "web/src"]);
        check_dirs(
            &["**", "!web/*/src"],
            &["api", "web/a/test"],
            &["web/a", "web/a/src/x"],
        );
        check_dirs(&["a", "!**/*.go"], &[], &["a", "a/b"]);
        check_dirs(&["a", "!b/**/*.go"], &["a"], &["b"]);
        check_dirs(&["!a/b", "a"], &["a", "a/b"], &[]);
        check_dirs(&["a/*"], &["a/b"], &["a"]);
        check_dirs(&["."], &[".", "a"], &[]);
    }

    #[test]
    fn patterns_may_lead_out_of_their_base() {
        let obj = &["/svc/src/obj", "/svc/src/obj/a.o"];
        let others = &["/svc/src/a.c", "/svc/objx", "a", "/svc/src"];
        check(&["../svc/src/obj"], obj, others);
        check(&["../svc/src/obj/"], obj, others);
        check(&["./../svc/src/obj"], obj, others);
        check(&["/svc/src/obj"], obj, others);
        check(&["../svc/src/obj/**"], &obj[1..], &[others, &obj[..1]].concat());
        check(&["../svc/src/*.o"], &["/svc/src/a.o"], &["/svc/a.o", "a.o"]);
        check(&["../**/obj"], &["/svc/src/obj/x", "obj", "d/obj/x"], others);
        check(
            &["../svc", "!../svc/src/main.cs"],
            obj,
            &["/svc/src/main.cs", "/other"],
        );
        check(
            &["/svc", "!/svc/src/main.cs"],
            obj,
            &["/svc/src/main.cs", "svc/src/main.cs"],
        );
        check(&["obj", "**/obj", "**/*.o", "/**"], &["obj", "a.o"], obj);
        check(&["../.."], &["/anywhere"], &[]);
        check_dirs(
            &["../svc", "!../svc/src/main.cs"],
            &["/svc/lib", "/svc/src/sub"],
            &["/svc/src", "/svc", "/"],
        );
        check_dirs(
            &["/svc", "!../svc/src/**/a"],
            &["/svc/lib"],
            &["/svc", "/svc/src/b"],
        );
    }

    #[test]
    fn an_ignore_without_patterns_is_the_path_and_all_below_it() {
        let matcher = IgnoreMatcher::new(&[
            Ignore {
                base: at("Tiltfile"),
                patterns: Vec::new(),
            },
            Ignore {
                base: at(".git"),
                patterns: Vec::new(),
            },
        ]);
        assert!(matcher.is_ignored(&at("Tiltfile")) && matcher.is_ignored(&at(".git/HEAD")));
        assert!(matcher.skips_directory(&at(".git")));
        assert!(!matcher.is_ignored(&at("Tiltfile2")) && !matcher.is_ignored(&at("web/.git")));
    }

    #[test]
    fn a_later_ignore_never_brings_back_what_an_earlier_one_takes_out() {
        let ignore = |patterns: &[&str]| Ignore {
            base: LocalPath::new("/src"),
            patterns: patterns.iter().map(|p| (*p).to_owned()).collect(),
        };
        let matcher = IgnoreMatcher::new(&[ignore(&["a"]), ignore(&["**", "!a", "!b"])]);
        assert!(matcher.is_ignored(&at("a")) && !matcher.is_ignored(&at("b")));
        assert!(matcher.skips_directory(&at("a")));
    }

    #[test]
    fn the_pattern_that_decides_is_named() {
        let ignores = [
            Ignore {
                base: LocalPath::new("/src/.git"),
                patterns: Vec::new(),
            },
            Ignore {
                base: LocalPath::new("/src"),
                patterns: ["*.md", "docs", "!docs/a", "docs/a/b"]
                    .map(str::to_owned)
                    .to_vec(),
            },
        ];
        let pattern = |path: &str| deciding(&ignores, &at(path)).map(|(_, pattern)| pattern);
        assert_eq!(pattern(".git/HEAD"), Some(None));
        assert_eq!(pattern("x.md"), Some(Some("*.md")));
        assert_eq!(pattern("docs/c"), Some(Some("docs")));
        assert_eq!(pattern("docs/a/c"), None);
        assert_eq!(pattern("docs/a/b"), Some(Some("docs/a/b")));
    }
}
