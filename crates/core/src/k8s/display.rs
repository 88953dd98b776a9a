//! How objects are called in messages.

use std::collections::HashMap;

use super::Entity;

/// Returns `<Kind>/<name>`.
pub fn kind_and_name(entity: &Entity) -> String {
    format!("{}/{}", entity.kind(), entity.name())
}

/// Returns a lower-case name for each object: `name:kind`, made longer with namespace, group and position until no two
/// are equal.
///
/// Rule: `docs/rules/deploy.md`, "Apply".
pub fn display_names(entities: &[Entity]) -> Vec<String> {
    let candidates: Vec<Vec<String>> = entities
        .iter()
        .enumerate()
        .map(|(at, entity)| candidates(at, entity))
        .collect();
    let mut uses: HashMap<&str, usize> = HashMap::new();
    for name in candidates.iter().flatten() {
        *uses.entry(name).or_default() += 1;
    }
    candidates
        .iter()
        .map(|names| {
            let unique = names.iter().find(|name| uses[name.as_str()] == 1);
            unique.or(names.last()).cloned().unwrap_or_default()
        })
        .collect()
}

fn candidates(at: usize, entity: &Entity) -> Vec<String> {
    let short = format!("{}:{}", escape(entity.name()), escape(entity.kind())).to_lowercase();
    let with_namespace = format!("{short}:{}", entity.namespace().unwrap_or("default")).to_lowercase();
    let with_group = format!("{with_namespace}:{}", entity.group());
    let with_position = format!("{with_group}:{at}");
    vec![short, with_namespace, with_group, with_position]
}

/// A colon within a part would read as the end of it.
fn escape(part: &str) -> String {
    part.replace('\\', "\\\\").replace(':', "\\:")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::Origin;
    use serde_json::json;

    fn entity(api: &str, kind: &str, namespace: &str, name: &str) -> Entity {
        let value =
            json!({"apiVersion": api, "kind": kind, "metadata": {"name": name, "namespace": namespace}});
        Entity::new(value, Origin::default())
    }

    #[track_caller]
    fn check(entities: &[Entity], names: &[&str]) {
        assert_eq!(display_names(entities), names);
    }

    #[test]
    fn a_name_is_as_long_as_needed_to_be_unique() {
        let web = entity("apps/v1", "Deployment", "", "Web");
        check(std::slice::from_ref(&web), &["web:deployment"]);
        let other = entity("apps/v1", "Deployment", "b", "Web");
        check(
            &[web.clone(), other],
            &["web:deployment:default", "web:deployment:b"],
        );
        let old = entity("extensions/v1beta1", "Deployment", "", "Web");
        check(
            &[web.clone(), old],
            &["web:deployment:default:apps", "web:deployment:default:extensions"],
        );
        check(
            &[web.clone(), web],
            &["web:deployment:default:apps:0", "web:deployment:default:apps:1"],
        );
    }
}
