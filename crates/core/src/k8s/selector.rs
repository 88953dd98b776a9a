//! Selectors of objects for `k8s_resource(objects=)`: `name[:kind[:namespace]]`, case-insensitive, each part in full.
//!
//! Rule: `docs/rules/assembly.md`, "Object selectors".

use super::Entity;
use super::identifier::{escape, split};

/// A parsed selector of objects.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ObjectSelector {
    parts: Vec<String>,
}

impl ObjectSelector {
    /// Parses a selector.
    ///
    /// # Errors
    /// The message says what is wrong, in Tilt's words.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fail = |why: &str| Err(format!("Error making selector from string {text:?}: {why}"));
        if text.is_empty() {
            return fail("selector can't be empty");
        }
        let parts = match split(text) {
            Ok(parts) => parts,
            Err(escaped) => {
                let at = text.find(&format!("\\{escaped}")).unwrap_or(0);
                let window: String = text.chars().take(text[..at].chars().count() + 4).collect();
                return fail(&format!("invalid escape sequence '\\{escaped}' in '{window}'"));
            }
        };
        if parts.len() > 3 {
            return fail(&format!(
                "Too many parts in selector. Selectors must contain between 1 and 3 parts (colon separated), found \
                 {} parts in {text}",
                parts.len()
            ));
        }
        Ok(Self { parts })
    }

    /// Returns whether all parts are those of the object. An empty one is none that any object has, as in Tilt.
    pub fn matches(&self, entity: &Entity) -> bool {
        let of = [
            entity.name(),
            entity.kind(),
            entity.namespace().unwrap_or("default"),
        ];
        self.parts
            .iter()
            .zip(of)
            .all(|(part, value)| part.to_lowercase() == value.to_lowercase())
    }
}

/// Returns the longest selector of an object: `name:Kind:namespace`, escaped.
pub fn fragment(entity: &Entity) -> String {
    [
        entity.name(),
        entity.kind(),
        entity.namespace().unwrap_or("default"),
    ]
    .map(escape)
    .join(":")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::yaml;

    fn object(name: &str) -> Entity {
        let text = format!("{{apiVersion: v1, kind: Secret, metadata: {{name: '{name}'}}}}");
        yaml::read(&text, "test").unwrap().entities.remove(0)
    }

    #[test]
    fn parts_are_matched_in_full_and_without_case() {
        for (text, matches) in [
            ("bar", true),
            ("BAR:secret", true),
            ("bar:Secret:default", true),
            ("ba", false),
            ("bar:secret:qux", false),
            ("bar:namespace", false),
        ] {
            assert_eq!(
                ObjectSelector::parse(text).unwrap().matches(&object("bar")),
                matches,
                "{text}"
            );
        }
        assert!(
            ObjectSelector::parse("quu\\:bar")
                .unwrap()
                .matches(&object("quu:bar"))
        );
        assert_eq!(fragment(&object("quu:bar")), "quu\\:bar:Secret:default");
    }

    #[test]
    fn malformed_selectors_are_refused_in_tilts_words() {
        let refused = |text: &str| ObjectSelector::parse(text).unwrap_err();
        assert_eq!(
            refused(""),
            "Error making selector from string \"\": selector can't be empty"
        );
        assert_eq!(
            refused("a:b:c:d"),
            "Error making selector from string \"a:b:c:d\": Too many parts in selector. Selectors must contain between \
             1 and 3 parts (colon separated), found 4 parts in a:b:c:d"
        );
        assert_eq!(
            refused("qu\\u:bar"),
            "Error making selector from string \"qu\\\\u:bar\": invalid escape sequence '\\u' in 'qu\\u:b'"
        );
    }
}
