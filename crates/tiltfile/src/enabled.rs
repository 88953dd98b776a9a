//! Which resources run: all, or those that the arguments name with what they need.
//!
//! Rule: `docs/rules/assembly.md`, "Enabled resources".

use std::collections::{BTreeSet, HashMap};

use super::config::settings::{Chosen, ConfigState};
use crate::diag::{Diagnostic, nearest};
use crate::model::{Manifest, ManifestName};

/// Returns the resources to run.
///
/// `config` is what the Tiltfile did with settings. Once it has read the arguments, they are no names of resources.
pub(super) fn enabled(
    manifests: &[Manifest],
    args: &[String],
    config: &ConfigState,
) -> Result<BTreeSet<ManifestName>, Diagnostic> {
    match &config.chosen {
        Chosen::Nothing => Ok(BTreeSet::new()),
        Chosen::Named(names) => named(manifests, names),
        Chosen::NotSaid if config.parsed_in.is_some() => named(manifests, &[]),
        Chosen::NotSaid => named(manifests, args),
    }
}

/// Returns the resources of these names with what they need; all when there are no names.
fn named(manifests: &[Manifest], args: &[String]) -> Result<BTreeSet<ManifestName>, Diagnostic> {
    let by_name: HashMap<&str, &Manifest> = manifests.iter().map(|m| (m.name.as_str(), m)).collect();
    if args.is_empty() {
        return Ok(manifests.iter().map(|manifest| manifest.name.clone()).collect());
    }
    let unknown: Vec<&str> = args
        .iter()
        .map(String::as_str)
        .filter(|arg| !by_name.contains_key(arg))
        .collect();
    if !unknown.is_empty() {
        return Err(unknown_resources(&unknown, args, manifests));
    }
    let mut enabled = BTreeSet::new();
    let mut wanted: Vec<&str> = args.iter().map(String::as_str).collect();
    wanted.extend(
        by_name
            .contains_key(ManifestName::UNCATEGORIZED)
            .then_some(ManifestName::UNCATEGORIZED),
    );
    while let Some(name) = wanted.pop() {
        if let Some(manifest) = by_name.get(name)
            && enabled.insert(manifest.name.clone())
        {
            wanted.extend(manifest.resource_deps.iter().map(ManifestName::as_str));
        }
    }
    Ok(enabled)
}

fn unknown_resources(unknown: &[&str], args: &[String], manifests: &[Manifest]) -> Diagnostic {
    let quoted = |names: &[&str]| {
        let quoted: Vec<String> = names.iter().map(|name| format!("\"{name}\"")).collect();
        quoted.join(", ")
    };
    let known: Vec<&str> = manifests.iter().map(|m| m.name.as_str()).collect();
    let asked = |name: &&str| args.iter().any(|arg| arg == name);
    let others: Vec<&str> = known.iter().copied().filter(|name| !asked(name)).collect();
    let error = Diagnostic::error(format!(
        "You specified some resources that could not be found: {}\nIs this a typo? Existing resources in Tiltfile: {}",
        quoted(unknown),
        quoted(&others)
    ));
    match unknown
        .iter()
        .find_map(|name| nearest(name, known.iter().copied()))
    {
        Some(near) => error.hint(format!("did you mean \"{near}\"?")),
        None => error,
    }
}
