//! Applies `k8s_resource` calls, in the order in which they were made.
//!
//! Rule: `docs/rules/assembly.md`, "k8s_resource" and "Object selectors".

use super::resources::{Grouping, Resource};
use super::{ResourceOptions, Subject};
use crate::diag::{Diagnostic, nearest};
use crate::k8s::identifier::{self, Identifier};
use crate::k8s::selector::{ObjectSelector, fragment};
use crate::k8s::{Entity, documented_ports, port_in_pod};

/// Applies all calls. A call that has a fault is skipped; the others are still looked at.
pub(super) fn apply(
    calls: Vec<ResourceOptions>,
    grouping: &mut Grouping,
    warnings: &mut Vec<Diagnostic>,
    errors: &mut Vec<Diagnostic>,
) {
    for call in calls {
        match apply_one(&call, grouping, errors) {
            Ok(at) => warnings.extend(other_ports(&call, at, grouping)),
            Err(error) => errors.push(error),
        }
    }
}

/// Warns of local ports that lead to a port which nobody named.
fn other_ports(call: &ResourceOptions, at: usize, grouping: &Grouping) -> Vec<Diagnostic> {
    let resource = &grouping.resources[at];
    let objects = resource.objects.iter().map(|object| grouping.entity(*object));
    let documented = documented_ports(objects);
    let unnamed = call.port_forwards.iter().filter(|port| port.container_port == 0);
    let led_elsewhere = unnamed.filter_map(|port| {
        let local = port.local_port;
        let led_to = port_in_pod(local, &documented);
        (local != 0 && led_to != local).then(|| {
            let name = &resource.name;
            Diagnostic::warning(format!(
                "k8s_resource \"{name}\": port_forwards={local} leads to port {led_to} of the container, which documents no \
                 port {local}"
            ))
            .at(call.site.argument("port_forwards", 2))
            .hint(format!("write '{local}:{led_to}' if that is meant, else '{local}:{local}'"))
        })
    });
    led_elsewhere.collect()
}

fn apply_one(
    call: &ResourceOptions,
    grouping: &mut Grouping,
    errors: &mut Vec<Diagnostic>,
) -> Result<usize, Diagnostic> {
    let at = find_resource(call, grouping)?;
    let resource = &mut grouping.resources[at];
    let site = &call.site;
    resource
        .resource_deps
        .extend(call.resource_deps.iter().map(|dep| (dep.clone(), site.clone())));
    resource.labels.extend(call.labels.iter().cloned());
    resource.readiness = call.pod_readiness.or(resource.readiness);
    resource
        .extra_pod_selectors
        .extend(call.extra_pod_selectors.iter().cloned());
    resource.on_change = call.on_change.or(resource.on_change);
    resource.auto_init = call.auto_init.or(resource.auto_init);
    let options = &mut resource.options;
    options.port_forwards.extend(call.port_forwards.iter().cloned());
    options.links.extend(call.links.iter().cloned());
    options.discovery_strategy = call.discovery_strategy.or(options.discovery_strategy);
    rename(call, at, grouping)?;
    for selector in &call.objects {
        if let Err(message) = move_object(selector, at, grouping) {
            errors.push(Diagnostic::error(message).at(site.literal(selector, "objects", 6)));
        }
    }
    Ok(at)
}

fn find_resource(call: &ResourceOptions, grouping: &mut Grouping) -> Result<usize, Diagnostic> {
    match &call.subject {
        Subject::Resource(name) => grouping
            .find(name)
            .ok_or_else(|| unknown_resource(call, name, grouping)),
        Subject::Entity(text) => find_by_entity(call, text, grouping),
        Subject::Group => {
            let name = call.new_name.clone().unwrap_or_default();
            if let Some(maker) = grouping.maker_of(&name) {
                let message = format!("{maker} named \"{name}\" already exists");
                return Err(Diagnostic::error(message).at(call.site.literal(&name, "new_name", 1)));
            }
            Ok(grouping.add(Resource::new(name, call.site.clone())))
        }
    }
}

/// Returns the keyword by which a call names its resource, if it uses one.
fn subject_keyword(call: &ResourceOptions) -> &'static str {
    let keywords = call
        .site
        .shape
        .arguments
        .iter()
        .map(|(keyword, _)| keyword.as_deref());
    if keywords.into_iter().any(|keyword| keyword == Some("name")) {
        "name"
    } else {
        "workload"
    }
}

fn unknown_resource(call: &ResourceOptions, name: &str, grouping: &Grouping) -> Diagnostic {
    let known: Vec<&str> = grouping.resources.iter().map(|r| r.name.as_str()).collect();
    let error = Diagnostic::error(format!(
        "{}: k8s_resource specified unknown resource \"{name}\". known k8s resources: {}",
        call.site.position(),
        known.join(", ")
    ))
    .at(call.site.literal(name, subject_keyword(call), 0));
    match nearest(name, known) {
        Some(near) => error.hint(format!("did you mean \"{near}\"?")),
        None => error,
    }
}

/// Finds the resource of the one workload that an identifier means.
fn find_by_entity(call: &ResourceOptions, text: &str, grouping: &Grouping) -> Result<usize, Diagnostic> {
    let position = call.site.position();
    let fail =
        |why: String| {
            Diagnostic::error(format!("{position}: k8s_resource: entity \"{text}\" {why}"))
                .at(call.site.literal(text, "entity", usize::MAX))
        };
    let id = Identifier::parse(text).map_err(|error| fail(format!("is no identifier: {error}")))?;
    let workloads = || {
        let resources = grouping.resources.iter().enumerate();
        resources.filter_map(|(at, resource)| Some((at, grouping.entity(resource.workload?))))
    };
    let matching: Vec<(usize, String)> = workloads()
        .filter(|(_, entity)| id.matches(entity))
        .map(|(at, entity)| (at, identifier::full(entity)))
        .collect();
    match &matching[..] {
        [(at, _)] => Ok(*at),
        [] => Err(no_workload(fail, &id, text, grouping)),
        several => {
            let ids: Vec<&str> = several.iter().map(|(_, id)| id.as_str()).collect();
            Err(
                fail(format!("matches more than one workload: {}", ids.join(", ")))
                    .hint("add the kind, the namespace or the group until only one is left"),
            )
        }
    }
}

/// Explains that an identifier means no workload: the nearest name, or what else it means.
fn no_workload(
    fail: impl Fn(String) -> Diagnostic,
    id: &Identifier,
    text: &str,
    grouping: &Grouping,
) -> Diagnostic {
    let others = (0..grouping.objects.len()).map(|at| grouping.entity(at));
    let others: Vec<String> = others
        .filter(|entity| id.matches(entity))
        .map(identifier::full)
        .collect();
    if !others.is_empty() {
        return fail(format!("matches no workload, only {}", others.join(", ")))
            .hint("move objects that are no workloads with objects=[...]");
    }
    let workloads = grouping.resources.iter().filter_map(|resource| resource.workload);
    let workloads: Vec<&Entity> = workloads.map(|at| grouping.entity(at)).collect();
    let known: Vec<String> = workloads.iter().map(|entity| identifier::full(entity)).collect();
    let error = fail(format!(
        "matches no workload. known workloads: {}",
        known.join(", ")
    ));
    let name = text.split(':').next().unwrap_or(text);
    match nearest(name, workloads.iter().map(|entity| entity.name())) {
        Some(near) => error.hint(format!("did you mean \"{near}\"?")),
        None => error,
    }
}

fn rename(call: &ResourceOptions, at: usize, grouping: &mut Grouping) -> Result<(), Diagnostic> {
    let old = grouping.resources[at].name.clone();
    let Some(new) = call.new_name.clone().filter(|new| *new != old) else {
        return Ok(());
    };
    if let Some(maker) = grouping.maker_of(&new) {
        return Err(Diagnostic::error(format!(
            "{}: k8s_resource specified to rename \"{old}\" to \"{new}\": {maker} named \"{new}\" already exists",
            call.site.position()
        ))
        .at(call.site.literal(&new, "new_name", 1)));
    }
    grouping.rename(at, new);
    Ok(())
}

fn move_object(text: &str, resource: usize, grouping: &mut Grouping) -> Result<(), String> {
    let selector = ObjectSelector::parse(text)?;
    let matching: Vec<usize> = (0..grouping.objects.len())
        .filter(|at| selector.matches(grouping.entity(*at)))
        .collect();
    match matching[..] {
        [at] if grouping.objects[at].owner.is_none() => {
            grouping.give(at, resource);
            Ok(())
        }
        [_] => Err(format!(
            "No object identified by the fragment \"{text}\" could be found in remaining YAML. Valid remaining \
             fragments are: {}",
            fragments(grouping, remaining(grouping))
        )),
        [] => Err(format!(
            "No object identified by the fragment \"{text}\" could be found. Possible objects are: {}",
            fragments(grouping, owned(grouping).into_iter().chain(remaining(grouping)))
        )),
        _ => Err(format!(
            "\"{text}\" is not a unique fragment. Objects that match \"{text}\" are {}",
            fragments(grouping, matching)
        )),
    }
}

fn remaining(grouping: &Grouping) -> Vec<usize> {
    let objects = grouping.objects.iter().enumerate();
    objects
        .filter(|(_, object)| object.owner.is_none())
        .map(|(at, _)| at)
        .collect()
}

fn owned(grouping: &Grouping) -> Vec<usize> {
    let resources = grouping.resources.iter();
    resources
        .flat_map(|resource| resource.objects.iter().copied())
        .collect()
}

fn fragments(grouping: &Grouping, objects: impl IntoIterator<Item = usize>) -> String {
    let shown = objects
        .into_iter()
        .map(|at| format!("\"{}\"", fragment(grouping.entity(at))));
    shown.collect::<Vec<_>>().join(", ")
}
