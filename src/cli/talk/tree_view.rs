//! `tilt alpha tree-view`: which resource waits for which.
//!
//! Rule: `docs/rules/commands.md`, "tree-view and shell".

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Context;
use http::Method;
use serde_json::Value;

use super::super::{exit, say};
use super::get::JSON;
use super::{Connect, block_on};

/// Show the resources of a running session as a tree of what depends on what
#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    #[command(flatten)]
    connect: Connect,
    /// Only what is not well and keeps others waiting
    #[arg(long)]
    blockers: bool,
    /// Show what depends on each resource once
    #[arg(long)]
    dedupe: bool,
}

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    block_on(async {
        let session = "/apis/tilt.dev/v1alpha1/sessions/Tiltfile";
        let session = args
            .connect
            .api()?
            .request(Method::GET, session, JSON, None)
            .await?;
        let answer = args
            .connect
            .web()
            .request(Method::GET, "/api/dump/engine?log=false", Vec::new())
            .await?;
        let engine: Value =
            serde_json::from_slice(&answer.body).context("the session's answer is no JSON")?;
        let graph = Graph::of(&engine);
        let path = session["spec"]["tiltfilePath"].as_str().unwrap_or_default();
        let (title, roots) = match args.blockers {
            true => ("Blocked resources for Tiltfile", graph.blockers()),
            false => ("Tiltfile", graph.roots()),
        };
        if roots.is_empty() && args.blockers {
            say::data("No blocked resources found. All resources are OK.\n")?;
            return Ok(exit::SUCCESS);
        }
        let (tree, shown) = graph.forest(&roots, args.dedupe);
        say::data(format!(
            "{title}: {path}\n{tree}\n---\n{}\n",
            graph.summary(&shown)
        ))?;
        Ok(exit::SUCCESS)
    })
}

/// How a resource is, in a word.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Ok,
    Building,
    Pending,
    Error,
    Other,
}

struct Node {
    state: State,
    word: &'static str,
    depends_on: Vec<String>,
}

/// Resources by name, and their names in order.
struct Graph {
    order: Vec<String>,
    nodes: BTreeMap<String, Node>,
}

impl Graph {
    fn of(engine: &Value) -> Self {
        let mut graph = Self {
            order: Vec::new(),
            nodes: BTreeMap::new(),
        };
        for resource in engine["resources"].as_array().into_iter().flatten() {
            let name = resource["name"].as_str().unwrap_or_default().to_owned();
            let text = |field: &str| resource[field].as_str().unwrap_or_default();
            let (state, word) = state(text("update_status"), text("runtime_status"));
            let depends_on = resource["depends_on"].as_array().into_iter().flatten();
            let depends_on = depends_on.filter_map(Value::as_str).map(str::to_owned).collect();
            graph.order.push(name.clone());
            graph.nodes.insert(
                name,
                Node {
                    state,
                    word,
                    depends_on,
                },
            );
        }
        graph.order.sort();
        graph
    }

    fn roots(&self) -> Vec<&str> {
        let is_root = |name: &&String| {
            let node = self.nodes.get(*name);
            node.is_some_and(|node| !node.depends_on.iter().any(|on| self.nodes.contains_key(on)))
        };
        self.order.iter().filter(is_root).map(String::as_str).collect()
    }

    fn dependents(&self, name: &str) -> Vec<&str> {
        let depends = |other: &&String| {
            self.nodes
                .get(*other)
                .is_some_and(|node| node.depends_on.iter().any(|on| on == name))
        };
        self.order.iter().filter(depends).map(String::as_str).collect()
    }

    /// Returns resources with what depends on them, and which are among them.
    fn forest<'a>(&'a self, roots: &[&'a str], dedupe: bool) -> (String, BTreeSet<&'a str>) {
        let mut text = String::new();
        let mut shown = BTreeSet::new();
        self.branch(roots, None, "", dedupe, &mut shown, &mut text);
        (text, shown)
    }

    fn branch<'a>(
        &'a self,
        names: &[&'a str],
        parent: Option<&str>,
        indent: &str,
        dedupe: bool,
        shown: &mut BTreeSet<&'a str>,
        text: &mut String,
    ) {
        for (at, name) in names.iter().enumerate() {
            let Some(node) = self.nodes.get(*name) else {
                continue;
            };
            let is_last = at + 1 == names.len();
            let (branch, below) = if is_last {
                ("└── ", "    ")
            } else {
                ("├── ", "│   ")
            };
            let is_first = shown.insert(name);
            if dedupe && !is_first {
                continue;
            }
            let others: Vec<&str> = node
                .depends_on
                .iter()
                .map(String::as_str)
                .filter(|on| Some(*on) != parent)
                .collect();
            let also = match others.is_empty() || !dedupe {
                true => String::new(),
                false => format!(" [also depends on: {}]", others.join(", ")),
            };
            text.push_str(&format!("{indent}{branch}{name} ({}){also}\n", node.word));
            let dependents = self.dependents(name);
            let indent = format!("{indent}{below}");
            self.branch(&dependents, Some(name), &indent, dedupe, shown, text);
        }
    }

    /// Returns what is not well though all that it depends on is, that for which the most wait first.
    fn blockers(&self) -> Vec<&str> {
        let is_ok = |name: &str| {
            let node = self.nodes.get(name);
            node.is_none_or(|node| node.state == State::Ok || node.word == NOT_STARTED)
        };
        let mut blockers: Vec<&str> = self
            .order
            .iter()
            .map(String::as_str)
            .filter(|name| !is_ok(name))
            .filter(|name| self.nodes[*name].depends_on.iter().all(|on| is_ok(on)))
            .collect();
        blockers.sort_by_key(|name| std::cmp::Reverse(self.weight(name)));
        blockers
    }

    /// Returns how many resources wait for one, directly or not.
    fn weight(&self, name: &str) -> usize {
        let mut seen = BTreeSet::new();
        let mut next = vec![name];
        while let Some(name) = next.pop() {
            for dependent in self.dependents(name) {
                if seen.insert(dependent) {
                    next.push(dependent);
                }
            }
        }
        seen.len()
    }

    fn summary(&self, shown: &BTreeSet<&str>) -> String {
        let nodes = || shown.iter().filter_map(|name| self.nodes.get(*name));
        let count = |state: State| nodes().filter(|node| node.state == state).count();
        let groups = [
            (State::Ok, "ok"),
            (State::Building, "building"),
            (State::Pending, "pending"),
            (State::Error, "errors"),
        ];
        let mut parts = vec![format!("Resources: {} total", shown.len())];
        for (state, word) in groups {
            match count(state) {
                0 => {}
                n => parts.push(format!("{n} {word}")),
            }
        }
        parts.join(", ")
    }
}

/// What waits for a user to start it is no blocker.
const NOT_STARTED: &str = "not started";

fn state(update: &str, runtime: &str) -> (State, &'static str) {
    match (update, runtime) {
        ("error", "error") => (State::Error, "error"),
        ("error", _) => (State::Error, "build error"),
        (_, "error") => (State::Error, "runtime error"),
        ("in_progress", _) => (State::Building, "building"),
        ("pending", "pending") => (State::Pending, "pending"),
        ("pending", _) => (State::Pending, "build pending"),
        (_, "pending") => (State::Pending, "starting"),
        ("none", _) => (State::Pending, NOT_STARTED),
        ("ok" | "not_applicable", "ok" | "not_applicable") => (State::Ok, "ok"),
        _ => (State::Other, "unknown"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn graph() -> Graph {
        let node = |name: &str, on: &[&str], update: &str, runtime: &str| json!({"name": name, "depends_on": on, "update_status": update, "runtime_status": runtime});
        Graph::of(&json!({"resources": [
            node("db", &[], "ok", "error"),
            node("cache", &[], "ok", "ok"),
            node("api", &["db", "cache"], "pending", "pending"),
            node("web", &["api"], "none", "none"),
        ]}))
    }

    #[test]
    fn what_depends_on_a_resource_stands_below_it() {
        let graph = graph();
        let (whole, shown) = graph.forest(&graph.roots(), false);
        insta::assert_snapshot!(whole, @"
        ├── cache (ok)
        │   └── api (pending)
        │       └── web (not started)
        └── db (runtime error)
            └── api (pending)
                └── web (not started)
        ");
        insta::assert_snapshot!(graph.forest(&graph.roots(), true).0, @"
        ├── cache (ok)
        │   └── api (pending) [also depends on: db]
        │       └── web (not started)
        └── db (runtime error)
        ");
        assert_eq!(
            graph.summary(&shown),
            "Resources: 4 total, 1 ok, 2 pending, 1 errors"
        );
    }

    #[test]
    fn blockers_are_what_is_not_well_by_itself() {
        let graph = graph();
        assert_eq!(graph.blockers(), ["db"]);
        insta::assert_snapshot!(graph.forest(&graph.blockers(), false).0, @"
        └── db (runtime error)
            └── api (pending)
                └── web (not started)
        ");
    }
}
