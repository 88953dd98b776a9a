//! Which objects a Tiltfile means: regular expressions of kind, name, namespace and version, matched anywhere and without
//! case.
//!
//! Rule: `docs/rules/tiltfile.md`, "Kubernetes".

use regex::{Regex, RegexBuilder};

use super::Entity;
use crate::model::ObjectPatterns;

/// Patterns of objects, ready to be matched.
#[derive(Clone, Debug)]
pub struct ObjectMatcher {
    /// The patterns as they were written.
    pub patterns: ObjectPatterns,
    api_version: Option<Regex>,
    kind: Option<Regex>,
    name: Option<Regex>,
    namespace: Option<Regex>,
}

impl ObjectMatcher {
    /// Parses the patterns.
    ///
    /// # Errors
    /// The name of the parameter at fault, and what is wrong.
    pub fn new(patterns: ObjectPatterns) -> Result<Self, (&'static str, String)> {
        let parse = |parameter: &'static str, shown: &str, pattern: &str| {
            regex(pattern).map_err(|why| (parameter, format!("error parsing {shown} regexp: {why}")))
        };
        Ok(Self {
            api_version: parse("api_version", "apiVersion", &patterns.api_version)?,
            kind: parse("kind", "kind", &patterns.kind)?,
            name: parse("name", "name", &patterns.name)?,
            namespace: parse("namespace", "namespace", &patterns.namespace)?,
            patterns,
        })
    }

    /// Returns whether all patterns match an object. A namespace that is not written is `default`.
    pub fn matches(&self, entity: &Entity) -> bool {
        let fits =
            |pattern: &Option<Regex>, text: &str| pattern.as_ref().is_none_or(|regex| regex.is_match(text));
        fits(&self.kind, entity.kind())
            && fits(&self.name, entity.name())
            && fits(&self.namespace, entity.namespace().unwrap_or("default"))
            && fits(&self.api_version, entity.api_version())
    }
}

fn regex(pattern: &str) -> Result<Option<Regex>, String> {
    if pattern.is_empty() {
        return Ok(None);
    }
    let built = RegexBuilder::new(pattern).case_insensitive(true).build();
    built.map(Some).map_err(|error| {
        let text = error.to_string();
        let why = text.lines().last().unwrap_or_default();
        let why = why.trim().strip_prefix("error: ").unwrap_or(why);
        // In the words of the original's library, which adds that case does not count.
        let why = match why {
            "unclosed group" => "missing closing )",
            "unopened group" => "unexpected )",
            "repetition operator missing expression" => "missing argument to repetition operator",
            "unclosed character class" => "missing closing ]",
            why => why,
        };
        // It shows the part at fault.
        let shown = match why {
            "missing closing ]" => pattern[pattern.find('[').unwrap_or(0)..].to_owned(),
            "missing argument to repetition operator" => pattern
                .chars()
                .find(|c| "*+?".contains(*c))
                .map_or_else(|| pattern.to_owned(), String::from),
            _ => format!("(?i){pattern}"),
        };
        format!("error parsing regexp: {why}: `{shown}`")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::yaml;

    #[test]
    fn patterns_match_anywhere_and_without_case() {
        let text = "{apiVersion: apps/v1, kind: Deployment, metadata: {name: foo}}";
        let entity = yaml::read(text, "test").unwrap().entities.remove(0);
        for (kind, name, namespace, version, matches) in [
            ("", "", "", "", true),
            ("deploy", "FO", "", "", true),
            ("^ploy", "", "", "", false),
            ("", ".*o", "default", "apps/v1", true),
            ("", "", "other", "", false),
            ("", "(?-i)FOO", "", "", false),
        ] {
            let matcher = ObjectMatcher::new(ObjectPatterns {
                api_version: version.to_owned(),
                kind: kind.to_owned(),
                name: name.to_owned(),
                namespace: namespace.to_owned(),
            });
            assert_eq!(
                matcher.unwrap().matches(&entity),
                matches,
                "{kind} {name} {namespace} {version}"
            );
        }
    }

    #[test]
    fn a_bad_pattern_is_named_with_its_parameter() {
        let error = ObjectMatcher::new(ObjectPatterns {
            kind: "*".to_owned(),
            ..ObjectPatterns::default()
        });
        let (parameter, message) = error.unwrap_err();
        assert_eq!(parameter, "kind");
        assert!(
            message.starts_with("error parsing kind regexp: error parsing regexp: "),
            "{message}"
        );
        for (pattern, end) in [
            ("a[b", "missing closing ]: `[b`"),
            ("(a", "missing closing ): `(?i)(a`"),
            ("*", "operator: `*`"),
        ] {
            let error = regex(pattern).unwrap_err();
            assert!(error.ends_with(end), "{error}");
        }
    }
}
