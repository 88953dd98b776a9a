//! The built-in that runs kustomize, and which files a kustomization is made of.
//!
//! Rule: `docs/rules/tiltfile.md`, "helm and kustomize".

use std::collections::BTreeSet;

use serde_json::Value as Json;
use starlark::values::Value;

use super::kustomize_inputs;
use super::kustomize_inputs::NAMES;
use crate::call::{Builtin, Call};
use crate::fault::{Fault, Outcome, io_message};
use crate::k8s::yaml;
use crate::model::LocalPath;
use crate::session::Session;
use crate::values::Blob;

pub(super) static BUILTINS: &[Builtin] = &[Builtin {
    name: "kustomize",
    signature: "paths, kustomize_bin=?, flags=[]",
    doc: "Returns the objects of a kustomization as a blob, as `kustomize build` writes them, or `kubectl kustomize` where \
          there is no kustomize. `paths` (path) is its directory; all files that it refers to are watched. \
          `kustomize_bin` (path) is the program to run, `flags` (list of str) are added to the command. A reload reuses the \
          result while all that it is made of is local and unchanged.",
    run: kustomize,
}];

fn kustomize<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let session = call.session();
    let arg = call.required("paths");
    let directory = arg.path(session)?;
    let own = call
        .get("kustomize_bin")
        .map(|arg| arg.path(session))
        .transpose()?;
    let flags = call.get("flags").map_or(Ok(Vec::new()), |arg| arg.text_list())?;
    let mut argv: Vec<String> = match own {
        Some(program) => vec![program.to_string(), "build".to_owned()],
        None if session.is_on_path("kustomize") => ["kustomize", "build"].map(str::to_owned).to_vec(),
        None => {
            session
                .log
                .info("Falling back to `kubectl kustomize` since `kustomize` was not found in PATH");
            ["kubectl", "kustomize"].map(str::to_owned).to_vec()
        }
    };
    let inputs = kustomize_inputs::inputs(session, &directory, &flags);
    argv.extend(flags);
    argv.push(relative(&directory, &session.directory()));
    let text = session.run_quietly(argv, inputs.as_deref()).map_err(|fault| {
        fault.into_fault(|fault, stderr| name_file(session, fault.at(arg.place()), &directory, stderr))
    })?;
    let mut found = BTreeSet::new();
    collect(session, &directory, &mut found)
        .map_err(|why| Fault::new(format!("resolving deps: {why}")).at(arg.place()))?;
    session.config_files.borrow_mut().extend(found);
    let source = format!("kustomize: {directory}");
    Ok(call.heap().alloc(Blob { text, source }))
}

/// Returns a path as seen from a directory.
fn relative(path: &LocalPath, from: &LocalPath) -> String {
    let (path, from) = (path.as_path(), from.as_path());
    let common = path
        .components()
        .zip(from.components())
        .take_while(|(a, b)| a == b)
        .count();
    let up = from.components().skip(common).map(|_| "..".to_owned());
    let down = path.components().skip(common);
    let down = down.map(|part| part.as_os_str().to_string_lossy().into_owned());
    let parts: Vec<String> = up.chain(down).collect();
    if parts.is_empty() {
        ".".to_owned()
    } else {
        parts.join("/")
    }
}

/// Collects the files that a kustomization refers to.
fn collect(
    session: &Session<'_>,
    directory: &LocalPath,
    found: &mut BTreeSet<LocalPath>,
) -> Result<(), String> {
    let files: Vec<LocalPath> = NAMES
        .iter()
        .map(|name| directory.join(name))
        .filter(|file| session.host.exists(file))
        .collect();
    let [file] = &files[..] else {
        return Err(match files.len() {
            0 => format!(
                "unable to find one of 'kustomization.yaml', 'kustomization.yml' or 'Kustomization' in directory '{directory}'"
            ),
            _ => format!("Found multiple kustomization files under: {directory}"),
        });
    };
    if !found.insert(file.clone()) {
        return Ok(());
    }
    let unreadable = |why: String| format!("Failed to read kustomization file under {directory}: {why}");
    let bytes = session
        .host
        .read(file)
        .map_err(|error| unreadable(io_message(file, &error)))?;
    let content =
        yaml::decode(&String::from_utf8_lossy(&bytes)).map_err(|fault| unreadable(fault.message))?;
    for entry in ["bases", "components", "resources"]
        .iter()
        .flat_map(|key| texts(&content[*key]))
    {
        let path = directory.join(entry);
        if session.host.is_dir(&path) {
            collect(session, &path, found)?;
        } else {
            found.insert(path);
        }
    }
    found.extend(referred(&content).into_iter().map(|entry| directory.join(entry)));
    Ok(())
}

/// Returns what a kustomization refers to beside resources, as written.
fn referred(content: &Json) -> Vec<&str> {
    let paths = |key: &str| {
        let entries = content[key].as_array().into_iter().flatten();
        entries.filter_map(|entry| entry["path"].as_str())
    };
    let generators = content["configMapGenerator"].as_array().into_iter().flatten();
    let files = generators.flat_map(|generator| texts(&generator["files"]));
    let inline = |entry: &&str| !entry.contains('\n');
    paths("patches")
        .chain(texts(&content["patchesStrategicMerge"]).filter(inline))
        .chain(texts(&content["crds"]))
        .chain(paths("patchesJson6902"))
        .chain(files)
        .collect()
}

fn texts(list: &Json) -> impl Iterator<Item = &str> {
    list.as_array().into_iter().flatten().filter_map(Json::as_str)
}

/// Adds which file the tool complains about, where it names one that exists.
fn name_file(session: &Session<'_>, fault: Fault, directory: &LocalPath, stderr: &str) -> Fault {
    // kustomize: "security; file '...' is not in or below '...'"
    if stderr.contains("is not in or below") {
        return fault.hint(format!(
            "kustomize reads no files outside of {directory} by itself; if these are meant, allow it with \
             kustomize(..., flags=['--load-restrictor=LoadRestrictionsNone'])"
        ));
    }
    let quoted = stderr.split(['\'', '"', '`', ' ']);
    let named = quoted
        .filter(|word| word.contains('.') && !word.contains('\n'))
        .map(|word| directory.join(word.trim_end_matches([':', ','])));
    let mut files = named.filter(|file| session.host.exists(file) && !session.host.is_dir(file));
    match files.next() {
        Some(file) => fault.hint(format!("look at {file}")),
        None => fault,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_relative_to_the_directory_of_the_tiltfile() {
        for (path, from, expected) in [
            ("/src/a/b", "/src", "a/b"),
            ("/src", "/src", "."),
            ("/other", "/src/x", "../../other"),
        ] {
            assert_eq!(relative(&LocalPath::new(path), &LocalPath::new(from)), expected);
        }
    }
}
