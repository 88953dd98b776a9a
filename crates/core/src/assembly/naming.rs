//! Names of resources: as short as uniqueness allows, or what the Tiltfile's own function says.
//!
//! Rule: `docs/rules/tiltfile.md`, "Kubernetes"; `docs/rules/assembly.md`, "Grouping".

use std::collections::HashMap;

use super::resources::shown;
use crate::diag::{Diagnostic, Place};
use crate::k8s::{Entity, identifier};

/// The function of a Tiltfile that names resources.
#[derive(Clone, Copy)]
pub struct Naming<'a> {
    /// Where the function is, as in `/src/Tiltfile:5:1`.
    pub position: &'a str,
    /// What to mark in the Tiltfile.
    pub place: &'a Place,
    /// Names the resource of a workload, or says why it cannot.
    pub name: &'a dyn Fn(&Entity) -> Result<String, String>,
}

/// Returns the names of the resources that workloads make, in the same order.
pub(super) fn names(workloads: &[&Entity], naming: Option<Naming<'_>>) -> Result<Vec<String>, Diagnostic> {
    let Some(naming) = naming else {
        return Ok(identifier::shortest_unique(workloads));
    };
    let fault = |why: String| {
        Diagnostic::error(format!(
            "{}: error applying workload_to_resource_function: {why}",
            naming.position
        ))
        .at(naming.place.clone())
    };
    let mut owners: HashMap<String, &Entity> = HashMap::new();
    let mut names = Vec::with_capacity(workloads.len());
    for workload in workloads {
        let id = identifier::plain(workload);
        let name = (naming.name)(workload)
            .map_err(|why| fault(format!("error determining resource name for '{id}': {why}")))?;
        if let Some(other) = owners.insert(name.clone(), workload) {
            let first = identifier::plain(other);
            return Err(fault(format!(
                "both '{id}' and '{first}' mapped to resource name '{name}'"
            ))
            .hint(format!(
                "two workloads cannot make one resource: {} and {}",
                shown(other),
                shown(workload)
            )));
        }
        names.push(name);
    }
    Ok(names)
}
