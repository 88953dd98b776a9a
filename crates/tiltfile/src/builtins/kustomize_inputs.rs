//! What the result of kustomize depends on, where that can be told. It may be more than what a Tiltfile watches.

use std::collections::BTreeSet;

use serde_json::Value as Json;

use crate::k8s::yaml;
use crate::model::LocalPath;
use crate::session::Session;

/// What the file of a kustomization may be called.
pub(super) const NAMES: [&str; 3] = ["kustomization.yaml", "kustomization.yml", "Kustomization"];

/// The fields of a kustomization that refer to nothing but files beside it, if to anything.
const LOCAL_FIELDS: &[&str] = &[
    "apiVersion",
    "bases",
    "buildMetadata",
    "commonAnnotations",
    "commonLabels",
    "components",
    "configMapGenerator",
    "configurations",
    "crds",
    "generatorOptions",
    "images",
    "kind",
    "labels",
    "metadata",
    "namePrefix",
    "nameSuffix",
    "namespace",
    "openapi",
    "patches",
    "patchesJson6902",
    "patchesStrategicMerge",
    "replacements",
    "replicas",
    "resources",
    "secretGenerator",
    "sortOptions",
    "vars",
];

/// What flags begin with that lets kustomize run programs or use the network.
const OPENING_FLAGS: &[&str] = &["--enable", "--network", "--helm", "--mount", "-e", "--env"];

/// Returns all that the result for a directory depends on; `None` when that cannot be told, or some of it is elsewhere.
pub(super) fn inputs(
    session: &Session<'_>,
    directory: &LocalPath,
    flags: &[String],
) -> Option<Vec<LocalPath>> {
    let opens = |flag: &String| OPENING_FLAGS.iter().any(|opening| flag.starts_with(opening));
    if flags.iter().any(opens) {
        return None;
    }
    let mut found = BTreeSet::new();
    collect(session, directory, &mut found)?;
    Some(found.into_iter().collect())
}

fn collect(session: &Session<'_>, directory: &LocalPath, found: &mut BTreeSet<LocalPath>) -> Option<()> {
    let mut files = NAMES.iter().map(|name| directory.join(name));
    let file = files.find(|file| session.host.exists(file))?;
    if !found.insert(file.clone()) {
        return Some(());
    }
    let bytes = session.host.read(&file).ok()?;
    let content = yaml::decode(&String::from_utf8_lossy(&bytes)).ok()?;
    let fields = content.as_object()?;
    if fields.keys().any(|field| !LOCAL_FIELDS.contains(&field.as_str())) {
        return None;
    }
    for entry in ["bases", "components", "resources"]
        .iter()
        .flat_map(|field| content[*field].as_array())
    {
        for entry in entry {
            let path = directory.join(entry.as_str()?);
            match (session.host.is_dir(&path), session.host.exists(&path)) {
                (true, _) => collect(session, &path, found)?,
                (false, true) => _ = found.insert(path),
                // An address, most probably.
                (false, false) => return None,
            }
        }
    }
    let others = fields
        .iter()
        .filter(|(field, _)| !matches!(field.as_str(), "bases" | "components" | "resources"));
    others.for_each(|(_, value)| add_named(session, directory, value, found));
    Some(())
}

/// Adds every file that some text names, alone or as in `key=file`. More than needed does no harm.
fn add_named(session: &Session<'_>, directory: &LocalPath, value: &Json, found: &mut BTreeSet<LocalPath>) {
    match value {
        Json::String(text) if !text.contains('\n') => {
            let file = text.split_once('=').map_or("", |(_, file)| file);
            let named = [text.as_str(), file].into_iter().filter(|name| !name.is_empty());
            let paths = named.map(|name| directory.join(name));
            found.extend(paths.filter(|path| session.host.exists(path) && !session.host.is_dir(path)));
        }
        Json::Array(items) => items
            .iter()
            .for_each(|item| add_named(session, directory, item, found)),
        Json::Object(fields) => fields
            .values()
            .for_each(|item| add_named(session, directory, item, found)),
        _ => {}
    }
}
