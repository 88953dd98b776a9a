//! What is sent to the cluster of the objects that were read: the items of typed lists, without what only a server sets.

use serde_json::{Map, Value};

use super::Entity;

/// Fields of the metadata that an API server sets. They come with objects that were exported from a cluster, and one that is
/// applied with them is refused, or is taken for another one.
const OF_THE_SERVER: [&str; 8] = [
    "creationTimestamp",
    "deletionGracePeriodSeconds",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "resourceVersion",
    "selfLink",
    "uid",
];

/// Returns the objects to deploy.
pub fn deployable(entities: Vec<Entity>) -> Vec<Entity> {
    let mut objects = Vec::with_capacity(entities.len());
    for entity in entities {
        add(entity, &mut objects);
    }
    objects
}

fn add(mut entity: Entity, objects: &mut Vec<Entity>) {
    match list_items(&entity) {
        Some(items) => {
            for item in items {
                add(Entity::new(item, entity.origin.clone()), objects);
            }
        }
        None => {
            take_out(entity.value_mut());
            objects.push(entity);
        }
    }
}

/// Returns the items of a typed list such as `ConfigMapList`, each with its kind; `None` for any other object.
fn list_items(entity: &Entity) -> Option<Vec<Value>> {
    let kind = entity
        .kind()
        .strip_suffix("List")
        .filter(|kind| !kind.is_empty())?;
    let items = entity.get(&["items"])?.as_array()?;
    let typed = |item: &Value| {
        let mut typed = Map::new();
        typed.insert("apiVersion".to_owned(), entity.api_version().into());
        typed.insert("kind".to_owned(), kind.into());
        typed.extend(item.as_object()?.clone());
        Some(Value::Object(typed))
    };
    items.iter().map(typed).collect()
}

fn take_out(object: &mut Value) {
    let Some(metadata) = object.get_mut("metadata").and_then(Value::as_object_mut) else {
        return;
    };
    for field in OF_THE_SERVER {
        metadata.remove(field);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::k8s::Origin;

    fn deployed(value: Value) -> Vec<Value> {
        let objects = deployable(vec![Entity::new(value, Origin::default())]);
        objects.iter().map(|object| object.value().clone()).collect()
    }

    #[test]
    fn items_of_a_typed_list_are_deployed_and_get_its_kind() {
        let list = json!({
            "apiVersion": "v1", "kind": "ConfigMapList", "metadata": {"resourceVersion": "1"},
            "items": [{"metadata": {"name": "a", "uid": "1"}}, {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}}],
        });
        assert_eq!(
            deployed(list),
            [
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}}),
                json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "b"}}),
            ]
        );
        let other = json!({"apiVersion": "x.io/v1", "kind": "AllowList", "spec": {"items": []}});
        assert_eq!(deployed(other.clone()), [other]);
    }

    #[test]
    fn what_only_the_server_sets_is_taken_out() {
        let exported = json!({
            "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"},
            "metadata": {
                "name": "a", "labels": {"x": "y"}, "uid": "1", "resourceVersion": "2", "generation": 3,
                "creationTimestamp": "2026-01-01T00:00:00Z", "deletionTimestamp": "2026-01-01T00:00:00Z",
                "managedFields": [{}], "selfLink": "/x", "finalizers": ["f"],
            },
        });
        assert_eq!(
            deployed(exported),
            [json!({
                "apiVersion": "v1", "kind": "ConfigMap", "data": {"a": "1"},
                "metadata": {"name": "a", "labels": {"x": "y"}, "finalizers": ["f"]},
            })]
        );
    }
}
