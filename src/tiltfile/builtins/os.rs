//! The module `os`.

use starlark::values::Value;

use super::unsupported::missing;
use super::{Builtin, Members};
use crate::tiltfile::call::Call;
use crate::tiltfile::fault::Outcome;

pub(super) static OS: Members = Members {
    name: "os",
    functions: &[
        Builtin {
            name: "os.getcwd",
            signature: "",
            doc: "Returns the directory that relative paths start from: that of the file whose top level runs now.",
            run: getcwd,
        },
        Builtin {
            name: "os.getenv",
            signature: "key, default=None",
            doc: "Returns the value of an environment variable, or `default` when it is not set.",
            run: getenv,
        },
        missing("os.putenv"),
        missing("os.unsetenv"),
    ],
    texts: &[("name", if cfg!(windows) { "nt" } else { "posix" })],
    modules: &[Members {
        name: "os.path",
        functions: &[
            missing("os.path.abspath"),
            missing("os.path.basename"),
            missing("os.path.dirname"),
            missing("os.path.exists"),
            missing("os.path.join"),
            missing("os.path.realpath"),
            missing("os.path.relpath"),
        ],
        texts: &[],
        modules: &[],
    }],
};

fn getcwd<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    Ok(call.heap().alloc(call.session().directory().to_string()))
}

fn getenv<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let key = call.required("key").text()?;
    Ok(match call.session().host.env(key) {
        Some(value) => call.heap().alloc(value),
        None => call.get("default").map_or(Value::new_none(), |arg| arg.value),
    })
}
