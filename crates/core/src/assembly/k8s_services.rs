//! Which Services are for the pods of which workload.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use crate::k8s::Entity;
use crate::k8s::image_locator::template_labels;

/// Positions of Services by the first pair of their selector: only these can select pods with that label.
pub(super) struct Services(BTreeMap<(String, String), Vec<usize>>);

impl Services {
    /// Finds the Services among objects.
    pub(super) fn new<'a>(entities: impl Iterator<Item = &'a Entity>) -> Self {
        let mut services: BTreeMap<(String, String), Vec<usize>> = BTreeMap::new();
        for (at, entity) in entities.enumerate() {
            let first = selector(entity).and_then(|selector| selector.iter().next());
            if let Some((key, Value::String(value))) = first {
                let pair = (key.clone(), value.clone());
                services.entry(pair).or_default().push(at);
            }
        }
        Self(services)
    }

    /// Returns the positions of all Services for the pods of a workload, in the order in which they were declared.
    pub(super) fn of<'a>(&self, workload: &Entity, entity: impl Fn(usize) -> &'a Entity) -> BTreeSet<usize> {
        let Some(labels) = template_labels(workload) else {
            return BTreeSet::new();
        };
        let pairs = labels
            .iter()
            .filter_map(|(key, value)| Some((key.clone(), value.as_str()?.to_owned())));
        let candidates = pairs.filter_map(|pair| self.0.get(&pair)).flatten();
        candidates
            .copied()
            .filter(|at| selects(entity(*at), workload, labels))
            .collect()
    }
}

/// Returns whether an object is a Service for the pods of a workload.
fn selects(service: &Entity, workload: &Entity, labels: &Map<String, Value>) -> bool {
    let of_service = service.namespace().unwrap_or("default");
    let same_namespace = of_service == "default" || of_service == workload.namespace().unwrap_or("default");
    same_namespace && selector(service).is_some_and(|selector| is_subset(selector, labels))
}

/// Returns the selector of a Service that has one.
fn selector(service: &Entity) -> Option<&Map<String, Value>> {
    if service.kind() != "Service" || service.api_version() != "v1" {
        return None;
    }
    let selector = service.get(&["spec", "selector"]).and_then(Value::as_object);
    selector.filter(|selector| !selector.is_empty())
}

fn is_subset(selector: &Map<String, Value>, labels: &Map<String, Value>) -> bool {
    selector.iter().all(|(key, value)| labels.get(key) == Some(value))
}
