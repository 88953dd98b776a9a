//! The modules `sys` and `shlex`: the program that evaluates the file, and words for a shell.

use starlark::values::Value;

use crate::call::{Builtin, Call};
use crate::fault::Outcome;
use crate::values::{Members, ModuleValue};

pub(super) static SYS: Members = Members {
    name: "sys",
    functions: &[],
    texts: &[],
    values: &[
        ("argv", ModuleValue::Argv),
        ("executable", ModuleValue::Executable),
    ],
    modules: &[],
};

pub(super) static SHLEX: Members = Members {
    name: "shlex",
    functions: &[Builtin {
        name: "shlex.quote",
        signature: "name",
        doc: "Returns a text (string) that a shell reads as one word. Args: `name` (string).",
        run: quote,
    }],
    texts: &[],
    values: &[],
    modules: &[],
};

fn quote<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let text = call.required("name").text()?;
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"_@%+=:,./-".contains(&byte);
    if !text.is_empty() && text.bytes().all(is_plain) {
        return Ok(call.required("name").value);
    }
    let quoted = text.replace('\'', "'\"'\"'");
    Ok(call.heap().alloc(format!("'{quoted}'")))
}
