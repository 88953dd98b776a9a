//! What waits for what: `resource_deps` that lead somewhere, and no circles.
//!
//! Rule: `docs/rules/assembly.md`, "Names and dependencies".

use std::collections::{BTreeSet, HashMap};

use super::CallSite;
use crate::diag::{Diagnostic, nearest};
use crate::model::{Manifest, ManifestName};

/// Where each dependency was declared, by resource; in the order of `Manifest::resource_deps`.
pub(super) type DeclaredDeps = HashMap<ManifestName, Vec<(String, CallSite)>>;

/// Drops dependencies on unknown resources with a warning; a circle is an error.
pub(super) fn check(
    manifests: &mut [Manifest],
    declared: &DeclaredDeps,
    warnings: &mut Vec<Diagnostic>,
    errors: &mut Vec<Diagnostic>,
) {
    let known: BTreeSet<ManifestName> = manifests.iter().map(|m| m.name.clone()).collect();
    for manifest in manifests.iter_mut() {
        let name = manifest.name.clone();
        let site = |dep: &ManifestName| site_of(declared, &name, dep);
        manifest.resource_deps.retain(|dep| {
            let is_known = known.contains(dep);
            if !is_known {
                warnings.push(unknown(&name, dep, &known, site(dep)));
            }
            is_known
        });
        if manifest.resource_deps.contains(&name) {
            let message = format!("resource {name} specified a dependency on itself");
            errors.push(placed(Diagnostic::error(message), &name, site(&name)));
        }
    }
    if let Some(cycle) = find_cycle(manifests) {
        let names: Vec<&str> = cycle.iter().map(ManifestName::as_str).collect();
        let message = format!(
            "cycle detected in resource dependency graph: {}",
            names.join(" -> ")
        );
        let site = site_of(declared, &cycle[0], &cycle[1]);
        errors.push(placed(Diagnostic::error(message), &cycle[1], site));
    }
}

fn unknown(
    name: &ManifestName,
    dep: &ManifestName,
    known: &BTreeSet<ManifestName>,
    site: Option<&CallSite>,
) -> Diagnostic {
    let warning = Diagnostic::warning(format!(
        "resource {name} specified a dependency on unknown resource {dep} - dependency ignored"
    ));
    let warning = placed(warning, dep, site);
    let others = known
        .iter()
        .filter(|other| *other != name)
        .map(ManifestName::as_str);
    match nearest(dep.as_str(), others) {
        Some(near) => warning.hint(format!("did you mean \"{near}\"?")),
        None => warning,
    }
}

fn placed(diagnostic: Diagnostic, dep: &ManifestName, site: Option<&CallSite>) -> Diagnostic {
    match site {
        Some(site) => diagnostic.at(site.literal(dep.as_str(), "resource_deps", usize::MAX)),
        None => diagnostic,
    }
}

fn site_of<'a>(declared: &'a DeclaredDeps, name: &ManifestName, dep: &ManifestName) -> Option<&'a CallSite> {
    let deps = declared.get(name)?;
    deps.iter()
        .find(|(text, _)| text == dep.as_str())
        .map(|(_, site)| site)
}

/// Returns a circle of at least two resources, its first name again at its end.
fn find_cycle(manifests: &[Manifest]) -> Option<Vec<ManifestName>> {
    let by_name: HashMap<&ManifestName, &Manifest> = manifests.iter().map(|m| (&m.name, m)).collect();
    let mut done = BTreeSet::new();
    manifests
        .iter()
        .find_map(|manifest| visit(&manifest.name, &by_name, &mut Vec::new(), &mut done))
}

fn visit(
    name: &ManifestName,
    by_name: &HashMap<&ManifestName, &Manifest>,
    path: &mut Vec<ManifestName>,
    done: &mut BTreeSet<ManifestName>,
) -> Option<Vec<ManifestName>> {
    if let Some(at) = path.iter().position(|seen| seen == name) {
        return Some(path[at..].iter().chain([name]).cloned().collect());
    }
    if done.contains(name) {
        return None;
    }
    path.push(name.clone());
    let deps = by_name
        .get(name)
        .map_or(&[][..], |manifest| &manifest.resource_deps);
    let others = deps.iter().filter(|dep| *dep != name);
    for dep in others {
        if let Some(cycle) = visit(dep, by_name, path, done) {
            return Some(cycle);
        }
    }
    path.pop();
    done.insert(name.clone());
    None
}
