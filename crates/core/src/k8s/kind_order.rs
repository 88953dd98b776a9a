//! Which objects are applied together: batches of equal rank, one after the other.

use std::collections::HashSet;

use super::Entity;
use super::order::rank;

/// Returns the positions of the objects in batches: sorted stably by kind, split where the rank changes, and split where
/// an object with the same address (kind, group, namespace, name) is in the batch already.
///
/// Rule: `docs/rules/deploy.md`, "Apply".
pub fn batches(entities: &[Entity]) -> Vec<Vec<usize>> {
    let mut sorted: Vec<usize> = (0..entities.len()).collect();
    sorted.sort_by_key(|at| rank(entities[*at].kind()));
    let mut batches: Vec<Vec<usize>> = Vec::new();
    let mut addresses = HashSet::new();
    let mut last_rank = None;
    for at in sorted {
        let entity = &entities[at];
        let address = (entity.kind(), entity.group(), entity.namespace(), entity.name());
        let entity_rank = Some(rank(entity.kind()));
        if last_rank != entity_rank || addresses.contains(&address) {
            batches.push(Vec::new());
            addresses.clear();
            last_rank = entity_rank;
        }
        addresses.insert(address);
        if let Some(batch) = batches.last_mut() {
            batch.push(at);
        }
    }
    batches
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::Origin;
    use serde_json::json;

    fn entity(kind: &str, name: &str) -> Entity {
        Entity::new(
            json!({"kind": kind, "metadata": {"name": name}}),
            Origin::default(),
        )
    }

    #[test]
    fn equal_ranks_go_together_in_the_order_they_were_written() {
        let entities = [
            entity("Job", "a"),
            entity("Deployment", "b"),
            entity("Pod", "c"),
            entity("Namespace", "d"),
        ];
        assert_eq!(batches(&entities), [vec![3], vec![1], vec![0, 2]]);
    }

    #[test]
    fn two_versions_of_one_object_are_not_applied_at_once() {
        let entities = [
            entity("Secret", "a"),
            entity("Secret", "b"),
            entity("Secret", "a"),
            entity("Secret", "b"),
        ];
        assert_eq!(batches(&entities), [vec![0, 1], vec![2, 3]]);
    }
}
