//! The modules `os` and `os.path`. The variable `os.environ` is in `environ`.

use starlark::values::Value;

use crate::call::{Builtin, Call};
use crate::fault::{Fault, Outcome};
use crate::model::{LocalPath, go_path};
use crate::session::Session;
use crate::values::{Members, ModuleValue};

pub(super) static OS: Members = Members {
    name: "os",
    functions: &[
        Builtin {
            name: "os.getcwd",
            signature: "",
            doc: "Returns the directory (string) that relative paths start from: that of the file whose top level runs \
                  now.",
            run: getcwd,
        },
        Builtin {
            name: "os.getenv",
            signature: "key, default=None",
            doc: "Returns the value of an environment variable, or `default` when it is not set. Args: `key` (string); \
                  `default` (anything).",
            run: getenv,
        },
        Builtin {
            name: "os.putenv",
            signature: "key, value",
            doc: "Sets an environment variable, for this file and for all commands that start from now on. Args: `key` \
                  (string); `value` (string).",
            run: putenv,
        },
        Builtin {
            name: "os.unsetenv",
            signature: "key",
            doc: "Removes an environment variable. Args: `key` (string).",
            run: unsetenv,
        },
    ],
    texts: &[("name", if cfg!(windows) { "nt" } else { "posix" })],
    values: &[("environ", ModuleValue::Environ)],
    modules: &[PATH],
};

const PATH: Members = Members {
    name: "os.path",
    functions: &[
        Builtin {
            name: "os.path.abspath",
            signature: "path",
            doc: "Returns a path (string), joined to the current directory if it is relative. Args: `path` (string).",
            run: abspath,
        },
        Builtin {
            name: "os.path.basename",
            signature: "path",
            doc: "Returns the last part (string) of a path. Args: `path` (string).",
            run: basename,
        },
        Builtin {
            name: "os.path.dirname",
            signature: "path",
            doc: "Returns all but the last part (string) of a path, cleaned. Args: `path` (string).",
            run: dirname,
        },
        Builtin {
            name: "os.path.exists",
            signature: "path",
            doc: "Returns whether there is something at a path (bool); links are followed. Args: `path` (string).",
            run: exists,
        },
        Builtin {
            name: "os.path.join",
            signature: "*parts, **ignored",
            doc: "Joins parts of a path and cleans the result (string). Args: `parts` (strings).",
            run: join,
        },
        Builtin {
            name: "os.path.realpath",
            signature: "path",
            doc: "Returns a path without links in it (string); it must exist. Args: `path` (string).",
            run: realpath,
        },
        Builtin {
            name: "os.path.relpath",
            signature: "targpath, basepath=?",
            doc: "Returns how a path is reached from another one (string), by their texts. Args: `targpath` (string); \
                  `basepath` (string): the current directory if not given.",
            run: relpath,
        },
    ],
    texts: &[],
    values: &[],
    modules: &[],
};

fn getcwd<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    Ok(call.heap().alloc(call.session().directory().to_string()))
}

fn getenv<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let key = call.required("key").text_or_blob()?;
    Ok(match call.session().host.env(&key) {
        Some(value) => call.heap().alloc(value),
        None => call.get("default").map_or(Value::new_none(), |arg| arg.value),
    })
}

fn putenv<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let (key, value) = (call.required("key"), call.required("value"));
    let (name, text) = (key.text_or_blob()?, value.text_or_blob()?);
    for (arg, text) in [(&key, &name), (&value, &text)] {
        if text.contains('\0') {
            return Err(Fault::new("setenv: invalid argument: it holds a NUL byte").at(arg.place()));
        }
    }
    call.session().host.set_env(&name, Some(&text));
    Ok(Value::new_none())
}

fn unsetenv<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let key = call.required("key");
    call.session().host.set_env(&key.text_or_blob()?, None);
    Ok(Value::new_none())
}

fn abspath<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let path = call.required("path").text()?;
    let absolute = if path.starts_with('/') {
        path.to_owned()
    } else {
        call.session().directory().join(path).to_string()
    };
    Ok(call.heap().alloc(absolute))
}

fn basename<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let path = call.required("path").text()?;
    Ok(call.heap().alloc(go_path::base(path)))
}

fn dirname<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let path = call.required("path").text()?;
    Ok(call.heap().alloc(go_path::dir(path)))
}

fn exists<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let session = call.session();
    let arg = call.required("path");
    arg.text()?;
    let path = arg.path(session)?;
    let written = arg.value.unpack_str().unwrap_or_default();
    let exists = leads_somewhere(written, session) && session.host.exists(&path);
    Ok(Value::new_bool(exists))
}

/// Returns whether each directory exists that an absolute path goes through and leaves with `..`: the system walks it as
/// it is written.
fn leads_somewhere(written: &str, session: &Session<'_>) -> bool {
    if !written.starts_with('/') {
        return true;
    }
    let ups = written.match_indices("/..").filter(|(at, _)| {
        let after = &written[at + "/..".len()..];
        after.is_empty() || after.starts_with('/')
    });
    let mut before = ups
        .map(|(at, _)| &written[..at])
        .filter(|before| !before.is_empty());
    before.all(|before| session.host.is_dir(&LocalPath::new(before)))
}

fn join<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let mut parts = Vec::with_capacity(call.bound.rest.len());
    for (index, part) in call.bound.rest.iter().enumerate() {
        let Some(text) = part.unpack_str() else {
            return Err(Fault::new(format!(
                "os.path.join() only accepts strings. Argument #{index}: {}",
                part.to_repr()
            ))
            .at(call.site().argument("", index)));
        };
        parts.push(text);
    }
    Ok(call.heap().alloc(go_path::join(parts)))
}

fn realpath<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let session = call.session();
    let arg = call.required("path");
    arg.text()?;
    let path = arg.path(session)?;
    match session.host.real_path(&path) {
        Ok(real) => Ok(call.heap().alloc(real.to_string())),
        Err(error) => Err(no_real_path(&path, &error).at(arg.place())),
    }
}

fn no_real_path(path: &LocalPath, error: &std::io::Error) -> Fault {
    let reason = match error.kind() {
        std::io::ErrorKind::NotFound => "no such file or directory".to_owned(),
        std::io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
        std::io::ErrorKind::NotADirectory => "not a directory".to_owned(),
        _ => error.to_string(),
    };
    Fault::new(format!("lstat {path}: {reason}"))
}

fn relpath<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let directory = call.session().directory().to_string();
    let target = call.required("targpath").text()?;
    let base = match call.get("basepath") {
        Some(arg) => arg.text()?.to_owned(),
        None => directory.clone(),
    };
    // Where only one is relative, it starts from the current directory.
    let absolute = |path: &str| go_path::join([directory.as_str(), path]);
    let way =
        go_path::relative(&base, target).or_else(|| match (base.starts_with('/'), target.starts_with('/')) {
            (true, false) => go_path::relative(&base, &absolute(target)),
            (false, true) => go_path::relative(&absolute(&base), target),
            _ => None,
        });
    match way {
        Some(way) => Ok(call.heap().alloc(way)),
        None => Err(Fault::new(format!("Rel: can't make {target} relative to {base}"))
            .at(call.required("targpath").place())),
    }
}
