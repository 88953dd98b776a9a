//! Built-ins that run other files, or end the one that runs.

use starlark::environment::Module;
use starlark::values::Value;
use starlark::values::dict::AllocDict;

use crate::call::{Arg, Builtin, Call};
use crate::fault::{Fault, Outcome};
use crate::session::Executed;
use crate::show;

pub(super) static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "exit",
        signature: "code=?",
        doc: "Ends the evaluation at once, without an error: what was declared so far counts. Args: `code` (anything): \
              written to the log unless it is None.",
        run: exit,
    },
    Builtin {
        name: "include",
        signature: "path",
        doc: "Runs another file for its effects; a file runs at most once. Args: `path` (string): a file, or \
              `ext://<name>` for an extension.",
        run: include,
    },
    Builtin {
        name: "load_dynamic",
        signature: "path",
        doc: "Runs another file and returns a dict of all its globals, also those whose name begins with an underscore. \
              A file runs at most once. Args: `path` (string or blob).",
        run: load_dynamic,
    },
];

fn exit<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    if let Some(code) = call.get("code").and_then(Arg::unless_none) {
        call.session().log.info(&show::text(code.value, call.heap()));
    }
    Err(Fault::exit())
}

fn include<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let session = call.session();
    let arg = call.required("path");
    let path = session.resolve(arg.text()?)?;
    session.run(&path).map_err(|fault| arg.mark(fault))?;
    Ok(Value::new_none())
}

fn load_dynamic<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let session = call.session();
    let arg = call.required("path");
    let path = session.resolve(&arg.text_or_blob()?)?;
    let executed = session.run(&path).map_err(|fault| arg.mark(fault))?;
    globals(call, &executed)
}

/// Returns what a file defined as a dict that cannot be changed.
fn globals<'v>(call: &Call<'v, '_, '_, '_>, executed: &Executed) -> Outcome<Value<'v>> {
    const NAME: &str = "globals";
    let internal = |error: &dyn std::fmt::Display| Fault::new(format!("internal error: {error:#}"));
    let frozen = Module::with_temp_heap(|module| {
        let heap = module.heap();
        let mut entries = Vec::new();
        for name in executed.names.iter().map(String::as_str) {
            // A name that was never reached has no value.
            if let Ok((value, _)) = executed.module.get_any_visibility(name) {
                entries.push((name, heap.access_owned_frozen_value(&value)));
            }
        }
        entries.sort_by_key(|(name, _)| *name);
        entries.dedup_by_key(|(name, _)| *name);
        module.set(NAME, heap.alloc(AllocDict(entries)));
        module.freeze().map_err(|error| internal(&format!("{error:?}")))
    })?;
    let value = frozen.get(NAME).map_err(|error| internal(&error))?;
    Ok(call.heap().access_owned_frozen_value(&value))
}
