//! Built-ins about files and text.

use std::io;

use starlark::values::Value;
use starlark::values::list::AllocList;

use crate::call::{Builtin, Call};
use crate::fault::{Fault, Outcome, io_message};
use crate::kinds::go_type;
use crate::model::octets::text_of;
use crate::values::Blob;

pub(super) static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "blob",
        signature: "input",
        doc: "Returns text that stands for the content of a file, for example YAML to give to `k8s_yaml`. Args: \
              `input` (string).",
        run: blob,
    },
    Builtin {
        name: "listdir",
        signature: "dir, recursive=False",
        doc: "Returns the absolute paths (list of strings) of the files in a directory, sorted; hidden ones too, \
              directories not. What is no directory holds nothing. Args: `dir` (path); `recursive` (bool): go down \
              into directories, and watch the whole.",
        run: listdir,
    },
    Builtin {
        name: "read_file",
        signature: "paths, default=?",
        doc: "Returns the content of a file as a blob, or `default` when the file does not exist. The file is \
              watched. Args: `paths` (path); `default` (string or None).",
        run: read_file,
    },
    Builtin {
        name: "watch_file",
        signature: "paths",
        doc: "Evaluates the Tiltfile again when a file, or anything in a directory, changes. Args: `paths` (path).",
        run: watch_file,
    },
];

fn blob<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let text = call.required("input").text()?.to_owned();
    let source = "Tiltfile blob() call".to_owned();
    Ok(call.heap().alloc(Blob { text, source }))
}

fn read_file<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let session = call.session();
    let path = call.required("paths").path(session)?;
    let default = match call.get("default") {
        None => None,
        Some(arg) if arg.value.is_none() => None,
        Some(arg) => match arg.value.unpack_str() {
            Some(text) => Some(text.to_owned()),
            None => {
                let got = go_type(arg.value);
                return Err(arg.unfit(format!("expected starlark.String or None, got {got}")));
            }
        },
    };
    session.reads(&path);
    let text = match (session.host.read(&path), default) {
        (Ok(bytes), _) => text_of(&bytes),
        (Err(error), Some(default)) if error.kind() == io::ErrorKind::NotFound => default,
        (Err(error), _) => {
            let place = call.required("paths").place();
            return Err(Fault::new(io_message(&path, &error)).at(place));
        }
    };
    let source = format!("file: {path}");
    Ok(call.heap().alloc(Blob { text, source }))
}

fn watch_file<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let session = call.session();
    let path = call.required("paths").path(session)?;
    session.watches(path);
    Ok(Value::new_none())
}

fn listdir<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let session = call.session();
    let directory = call.required("dir").path(session)?;
    let recursive = call.get("recursive").map_or(Ok(false), |arg| arg.boolean())?;
    if recursive {
        session.watches(directory.clone());
    }
    let mut files = Vec::new();
    // What is still to be listed, the next one last.
    let mut waiting = vec![(directory, true)];
    while let Some((path, is_dir)) = waiting.pop() {
        if !is_dir {
            files.push(path.to_string());
            continue;
        }
        let entries = session.host.list(&path).unwrap_or_default();
        let below = entries
            .into_iter()
            .rev()
            .filter(|entry| recursive || !entry.is_dir)
            .map(|entry| (path.join(entry.name), entry.is_dir));
        waiting.extend(below);
    }
    Ok(call.heap().alloc(AllocList(files)))
}
