//! Identifiers of objects: `name[:kind[:namespace[:group]]]`.
//!
//! A default resource name is the shortest identifier that no other workload shares; `k8s_resource(entity=)` takes one.
//! Rule: `docs/rules/assembly.md`, "Grouping". Only the name is case-sensitive.

use std::collections::HashMap;

use super::Entity;

/// How many parts an identifier has at most.
const MAX_PARTS: usize = 4;

/// A parsed identifier.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identifier {
    parts: Vec<String>,
}

/// Why a text is no identifier.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentifierError {
    /// It has no name.
    #[error("an identifier can't be empty")]
    Empty,
    /// It has more than four parts.
    #[error("too many parts: an identifier is name[:kind[:namespace[:group]]], found {0} parts")]
    TooManyParts(usize),
    /// A backslash stands before something else than `:` or `\`.
    #[error("invalid escape sequence '\\{0}'")]
    Escape(char),
}

impl Identifier {
    /// Parses `name[:kind[:namespace[:group]]]`; `\:` and `\\` stand for themselves.
    ///
    /// # Errors
    /// When it is empty, has too many parts, or a wrong escape.
    pub fn parse(text: &str) -> Result<Self, IdentifierError> {
        let parts = split(text).map_err(IdentifierError::Escape)?;
        match parts.len() {
            _ if text.is_empty() => Err(IdentifierError::Empty),
            n if n > MAX_PARTS => Err(IdentifierError::TooManyParts(n)),
            _ => Ok(Self { parts }),
        }
    }

    /// Returns whether all parts that are given are those of the object.
    pub fn matches(&self, entity: &Entity) -> bool {
        let of = parts(entity);
        self.parts.iter().enumerate().all(|(at, part)| match at {
            0 => *part == of[0],
            _ => part.eq_ignore_ascii_case(&of[at]),
        })
    }
}

/// Returns the longest identifier of an object: `name:kind:namespace:group`, lower case.
pub fn full(entity: &Entity) -> String {
    joined(&parts(entity), MAX_PARTS)
}

/// Returns an object's name, kind, namespace and group, lower case and without escapes; the core group is empty.
pub fn plain(entity: &Entity) -> String {
    let [name, kind, namespace, _] = parts(entity);
    let group = entity.group();
    format!("{name}:{kind}:{namespace}:{group}").to_lowercase()
}

/// Returns for each object the shortest identifier that none of the others shares, lower case. Where even the longest
/// is shared, `:<index>` follows.
pub fn shortest_unique(entities: &[&Entity]) -> Vec<String> {
    let all: Vec<[String; MAX_PARTS]> = entities.iter().map(|entity| parts(entity)).collect();
    let mut names: Vec<Option<String>> = vec![None; all.len()];
    for n_parts in 1..=MAX_PARTS {
        if names.iter().all(Option::is_some) {
            break;
        }
        let candidates: Vec<String> = all.iter().map(|parts| joined(parts, n_parts)).collect();
        let mut counts: HashMap<&str, usize> = HashMap::new();
        for candidate in &candidates {
            *counts.entry(candidate).or_default() += 1;
        }
        for (name, candidate) in names.iter_mut().zip(&candidates) {
            let has_name = !candidate.starts_with(':') && !candidate.is_empty();
            if name.is_none() && has_name && counts[candidate.as_str()] == 1 {
                *name = Some(candidate.clone());
            }
        }
    }
    names
        .into_iter()
        .enumerate()
        .map(|(at, name)| name.unwrap_or_else(|| format!("{}:{at}", joined(&all[at], MAX_PARTS))))
        .collect()
}

/// Puts a backslash before `:` and `\`.
pub(super) fn escape(part: &str) -> String {
    if part.contains(['\\', ':']) {
        part.replace('\\', "\\\\").replace(':', "\\:")
    } else {
        part.to_owned()
    }
}

/// Splits at `:`; the error is what stands after a backslash that escapes nothing.
pub(super) fn split(text: &str) -> Result<Vec<String>, char> {
    let mut parts = vec![String::new()];
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let last = parts.len() - 1;
        match c {
            ':' => parts.push(String::new()),
            '\\' => match chars.next() {
                Some(escaped @ (':' | '\\')) => parts[last].push(escaped),
                Some(other) => return Err(other),
                None => return Err('\\'),
            },
            other => parts[last].push(other),
        }
    }
    Ok(parts)
}

fn parts(entity: &Entity) -> [String; MAX_PARTS] {
    let group = match entity.group() {
        "" => "core",
        group => group,
    };
    [
        entity.name().to_owned(),
        entity.kind().to_owned(),
        entity.namespace().unwrap_or("default").to_owned(),
        group.to_owned(),
    ]
}

fn joined(parts: &[String; MAX_PARTS], n_parts: usize) -> String {
    let escaped: Vec<String> = parts[..n_parts].iter().map(|part| escape(part)).collect();
    escaped.join(":").to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::yaml;

    fn object(version: &str, kind: &str, name: &str, namespace: &str) -> Entity {
        let text = format!(
            "{{apiVersion: {version}, kind: {kind}, metadata: {{name: '{name}', namespace: '{namespace}'}}}}"
        );
        yaml::read(&text, "test").unwrap().entities.remove(0)
    }

    #[track_caller]
    fn check_names(objects: &[Entity], expected: &[&str]) {
        let refs: Vec<&Entity> = objects.iter().collect();
        assert_eq!(shortest_unique(&refs), expected);
    }

    #[test]
    fn names_are_as_short_as_uniqueness_allows() {
        let foo = || object("apps/v1", "Deployment", "foo", "");
        check_names(
            &[foo(), object("apps/v1", "Deployment", "bar", "")],
            &["foo", "bar"],
        );
        check_names(
            &[foo(), object("batch/v1", "CronJob", "foo", "")],
            &["foo:deployment", "foo:cronjob"],
        );
        check_names(
            &[foo(), object("apps/v1", "Deployment", "foo", "ns2")],
            &["foo:deployment:default", "foo:deployment:ns2"],
        );
        check_names(
            &[foo(), object("extensions/v1beta1", "Deployment", "foo", "")],
            &["foo:deployment:default:apps", "foo:deployment:default:extensions"],
        );
        check_names(
            &[foo(), foo()],
            &["foo:deployment:default:apps:0", "foo:deployment:default:apps:1"],
        );
    }

    #[test]
    fn colons_in_names_are_escaped() {
        assert_eq!(
            full(&object("v1", "Pod", "a:b\\c", "")),
            "a\\:b\\\\c:pod:default:core"
        );
    }

    #[test]
    fn only_the_name_is_case_sensitive() {
        let foo = object("apps/v1", "Deployment", "foo", "");
        for (text, matches) in [
            ("foo", true),
            ("foo:DEPLOYMENT:default:apps", true),
            ("Foo", false),
            ("foo:cronjob", false),
            ("foo:deployment:other", false),
        ] {
            assert_eq!(Identifier::parse(text).unwrap().matches(&foo), matches, "{text}");
        }
    }

    #[test]
    fn malformed_identifiers_are_refused() {
        assert_eq!(Identifier::parse(""), Err(IdentifierError::Empty));
        assert_eq!(
            Identifier::parse("a:b:c:d:e"),
            Err(IdentifierError::TooManyParts(5))
        );
        assert_eq!(Identifier::parse("a\\b"), Err(IdentifierError::Escape('b')));
    }
}
