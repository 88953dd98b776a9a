//! Whose file a path is, and which directories are worth watching. Pure.
//!
//! Rule: `docs/rules/files.md`, "Ignored" and "Watched".

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;
use std::sync::Arc;

use crate::engine::WatchSet;
use crate::model::{Ignore, IgnoreMatcher, LocalPath, TargetId};

/// A watch set, compiled.
#[derive(Debug, Default)]
pub(super) struct WatchRules {
    targets: Vec<(TargetId, Arc<IgnoreMatcher>)>,
    /// What is watched, with all below it, and by which targets. Paths below a path follow it.
    roots: BTreeMap<LocalPath, Vec<usize>>,
    /// The directory that has all that is asked for below it.
    top: Option<LocalPath>,
    /// Directories above what is watched, below `top`: if one is replaced, so is what is watched.
    anchors: BTreeSet<LocalPath>,
    ignores: Arc<IgnoreMatcher>,
    /// What was compiled: many targets have the same ignores, and so has the next set.
    matchers: HashMap<Vec<Ignore>, Arc<IgnoreMatcher>>,
}

impl WatchRules {
    /// Compiles a watch set, with the help of what these rules have compiled. `links` returns what a path leads to, link
    /// by link: those files are watched as well.
    pub(super) fn next(&self, set: &WatchSet, links: impl Fn(&LocalPath) -> Vec<LocalPath>) -> Self {
        let mut rules = Self {
            top: top_of(set),
            ..Self::default()
        };
        rules.ignores = rules.matcher(self, &set.ignores);
        for (id, target) in &set.targets {
            for path in &target.paths {
                let led_to = links(path);
                for path in [path].into_iter().chain(&led_to) {
                    let targets = rules.roots.entry(path.clone()).or_default();
                    targets.push(rules.targets.len());
                }
            }
            let matcher = rules.matcher(self, &target.ignores);
            rules.targets.push((id.clone(), matcher));
        }
        rules.anchors = rules.roots().flat_map(|root| rules.anchors_of(root)).collect();
        rules
    }

    /// Returns the directories above a watched path that show whether it is replaced, the nearest first.
    pub(super) fn anchors_of(&self, root: &LocalPath) -> impl Iterator<Item = LocalPath> + use<'_> {
        let above = std::iter::successors(Some(root.parent()), |dir| Some(dir.parent()));
        above
            .take_while(|dir| self.top.as_ref().is_some_and(|top| dir.is_within(top)) && dir.parent() != *dir)
    }

    /// Returns whether the directory shows whether watched paths are replaced.
    pub(super) fn is_anchor(&self, dir: &LocalPath) -> bool {
        self.anchors.contains(dir)
    }

    fn matcher(&mut self, before: &Self, ignores: &[Ignore]) -> Arc<IgnoreMatcher> {
        let known = self
            .matchers
            .get(ignores)
            .or_else(|| before.matchers.get(ignores));
        let matcher = known.map_or_else(|| Arc::new(IgnoreMatcher::new(ignores)), Arc::clone);
        self.matchers.insert(ignores.to_vec(), Arc::clone(&matcher));
        matcher
    }

    /// Returns what is watched, each path once.
    pub(super) fn roots(&self) -> impl Iterator<Item = &LocalPath> {
        self.roots.keys()
    }

    /// Returns the watched paths that are this one or lie below it.
    pub(super) fn roots_within<'a>(&'a self, dir: &'a LocalPath) -> impl Iterator<Item = &'a LocalPath> {
        self.roots
            .range(dir..)
            .map(|(root, _)| root)
            .take_while(move |root| root.is_within(dir))
    }

    /// Returns whether the path itself is watched.
    pub(super) fn is_root(&self, path: &LocalPath) -> bool {
        self.roots.contains_key(path)
    }

    /// Returns whether the path is watched or lies below one that is, ignored or not.
    pub(super) fn covers(&self, path: &LocalPath) -> bool {
        self.roots_of(path).next().is_some()
    }

    /// Returns whether there may be something to see in a directory that is watched or lies below one that is.
    pub(super) fn enters(&self, dir: &LocalPath) -> bool {
        if self.is_root(dir) {
            return true;
        }
        !self.ignores.skips_directory(dir)
            && self
                .roots_of(dir)
                .any(|(_, targets)| targets.iter().any(|at| !self.targets[*at].1.skips_directory(dir)))
    }

    /// Returns whether any target wants to know of a change of this path.
    pub(super) fn is_wanted(&self, path: &LocalPath) -> bool {
        !self.targets_of(path).is_empty()
    }

    /// Returns the targets that want to know of a change of this path.
    pub(super) fn targets_of(&self, path: &LocalPath) -> Vec<&TargetId> {
        let mut found: Vec<_> = self
            .roots_of(path)
            .filter(|(root, _)| !is_editor_file(path, root))
            .flat_map(|(_, targets)| targets)
            .copied()
            .collect();
        found.sort_unstable();
        found.dedup();
        if found.is_empty() || self.ignores.is_ignored(path) {
            return Vec::new();
        }
        let targets = found.into_iter().map(|at| &self.targets[at]);
        targets
            .filter(|(_, matcher)| !matcher.is_ignored(path))
            .map(|(id, _)| id)
            .collect()
    }

    fn roots_of<'a>(&'a self, path: &'a LocalPath) -> impl Iterator<Item = (&'a LocalPath, &'a Vec<usize>)> {
        let mut above = Some(path.clone());
        std::iter::from_fn(move || {
            let dir = above.take()?;
            let parent = dir.parent();
            above = (parent != dir).then_some(parent);
            Some(self.roots.get_key_value(&dir))
        })
        .flatten()
    }
}

/// Returns the nearest directory that has all paths of a set below it.
fn top_of(set: &WatchSet) -> Option<LocalPath> {
    let mut paths = set.targets.values().flat_map(|target| &target.paths);
    let first = paths.next()?.parent();
    Some(paths.fold(first, |mut top, path| {
        while !path.parent().is_within(&top) {
            top = top.parent();
        }
        top
    }))
}

/// Returns whether an editor keeps the file for itself: backups, swap files, probes. Only the part of the path from the
/// name of the root on counts.
fn is_editor_file(path: &LocalPath, root: &LocalPath) -> bool {
    let below = path.relative_to(&root.parent());
    let is_below_idea = below
        .parent()
        .is_some_and(|dir| dir.components().any(|part| part.as_os_str() == ".idea"));
    is_below_idea
        || Path::new(below)
            .iter()
            .any(|name| is_editor_name(&name.to_string_lossy()))
}

fn is_editor_name(name: &str) -> bool {
    const ENDS: [&str; 4] = ["___jb_old___", "___jb_tmp___", "~", "-go-tmp-umask"];
    const HIDDEN_ENDS: [&str; 5] = [".swp", ".swx", ".swo", ".swn", ".kate-swp"];
    name == "4913"
        || name.starts_with(".#")
        || (name.len() > 1 && name.starts_with('#') && name.ends_with('#'))
        || (name.starts_with("flymake_") && name.contains('.'))
        || ENDS.iter().any(|end| name.ends_with(end))
        || (name.starts_with('.') && HIDDEN_ENDS.iter().any(|end| name[1..].ends_with(end)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::WatchedTarget;

    fn rules(targets: &[(&str, &[&str], &[&str])], ignores: &[&str]) -> WatchRules {
        let ignore = |paths: &[&str]| -> Vec<Ignore> {
            let one = |path: &&str| Ignore {
                base: LocalPath::new(path),
                patterns: Vec::new(),
            };
            paths.iter().map(one).collect()
        };
        let target = |(name, paths, ignores): &(&str, &[&str], &[&str])| {
            let target = WatchedTarget {
                paths: paths.iter().map(LocalPath::new).collect(),
                ignores: ignore(ignores),
            };
            (TargetId::image(name), target)
        };
        WatchRules::default().next(
            &WatchSet {
                targets: targets.iter().map(target).collect(),
                ignores: ignore(ignores),
            },
            |_| Vec::new(),
        )
    }

    #[track_caller]
    fn check(rules: &WatchRules, path: &str, expected: &[&str]) {
        let path = LocalPath::new(path);
        let names: Vec<_> = rules
            .targets_of(&path)
            .into_iter()
            .map(|id| id.name.as_str())
            .collect();
        assert_eq!(names, expected, "{path}");
    }

    #[test]
    fn a_change_is_for_every_target_that_does_not_ignore_it() {
        let rules = rules(
            &[
                ("web", &["/src", "/src/web"], &["/src/web/out"]),
                ("db", &["/src/db", "/src/web/out"], &[]),
            ],
            &["/src/tmp"],
        );
        check(&rules, "/src/a", &["web"]);
        check(&rules, "/src/web/a", &["web"]);
        check(&rules, "/src/db/a", &["db", "web"]);
        check(&rules, "/src/web/out/a", &["db"]);
        check(&rules, "/src/tmp/a", &[]);
        check(&rules, "/elsewhere", &[]);
    }

    #[test]
    fn equal_ignores_are_compiled_once() {
        let first = rules(&[("web", &["/a"], &["/x"]), ("db", &["/b"], &["/x"])], &[]);
        let matchers = || first.targets.iter().map(|(_, matcher)| matcher);
        assert!(matchers().all(|matcher| Arc::ptr_eq(matcher, &first.targets[0].1)));
        let target = WatchedTarget {
            paths: Vec::new(),
            ignores: vec![Ignore {
                base: LocalPath::new("/x"),
                patterns: Vec::new(),
            }],
        };
        let second = first.next(
            &WatchSet {
                targets: [(TargetId::image("web"), target)].into(),
                ignores: Vec::new(),
            },
            |_| Vec::new(),
        );
        assert!(Arc::ptr_eq(&second.targets[0].1, &first.targets[0].1));
    }

    #[test]
    fn what_lies_between_all_that_is_watched_and_one_of_it_shows_whether_it_is_replaced() {
        let rules = rules(
            &[("web", &["/home/me/app/web/src", "/home/me/app/Tiltfile"], &[])],
            &[],
        );
        let anchors: Vec<_> = rules.anchors.iter().map(LocalPath::to_string).collect();
        assert_eq!(anchors, ["/home/me/app", "/home/me/app/web"]);
    }

    #[test]
    fn a_directory_is_entered_unless_all_ignore_it() {
        let rules = rules(
            &[("web", &["/src"], &["/src/out"]), ("db", &["/src/out/db"], &[])],
            &["/src/tmp"],
        );
        let enters = |dir: &str| rules.enters(&LocalPath::new(dir));
        assert!(enters("/src") && enters("/src/web") && enters("/src/out/db"));
        assert!(!enters("/src/out") && !enters("/src/tmp") && !enters("/"));
    }

    #[test]
    fn roots_below_a_directory_are_found() {
        let rules = rules(&[("web", &["/src/a", "/src/a/b", "/src-2", "/src"], &[])], &[]);
        let within = |dir: &str| rules.roots_within(&LocalPath::new(dir)).count();
        assert_eq!(
            (within("/src"), within("/src/a"), within("/"), within("/x")),
            (3, 2, 4, 0)
        );
    }

    #[test]
    fn files_that_editors_keep_for_themselves_are_no_changes() {
        let rules = rules(&[("web", &["/src"], &[])], &[]);
        for name in [
            "a.go___jb_old___",
            "a.go___jb_tmp___",
            ".idea/workspace.xml",
            ".#a.go",
            "#a.go#",
            "flymake_a.go",
            "4913",
            "a.go~",
            ".a.go.swp",
            ".a.go.swx",
            ".a.go.kate-swp",
            "a-go-tmp-umask",
        ] {
            check(&rules, &format!("/src/sub/{name}"), &[]);
        }
        for name in ["a.swp", "#a", "flymake_a", "49131", ".idea", "a~b"] {
            check(&rules, &format!("/src/{name}"), &["web"]);
        }
    }

    #[test]
    fn a_root_may_lie_in_a_place_with_a_strange_name() {
        let rules = rules(&[("web", &["/home/.idea/x~/src"], &[])], &[]);
        check(&rules, "/home/.idea/x~/src/a", &["web"]);
    }
}
