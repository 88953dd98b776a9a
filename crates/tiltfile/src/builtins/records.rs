//! Built-ins that make values of named fields.

use starlark::values::Value;

use crate::call::{Builtin, Call};
use crate::fault::Outcome;
use crate::values::Record;

pub(super) static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "module",
        signature: "name, **members",
        doc: "Returns a value of type `module` whose attributes are the other keyword arguments, `members`. Args: \
              `name` (string).",
        run: module,
    },
    Builtin {
        name: "struct",
        signature: "*args, **fields",
        doc: "Returns an immutable value of type `struct` whose attributes are the keyword arguments, `fields`. `+` \
              merges two.",
        run: make_struct,
    },
];

fn make_struct<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    if !call.bound.rest.is_empty() {
        return Err(call
            .fault("unexpected positional arguments")
            .hint("fields are given by name: struct(name=value)"));
    }
    let fields = std::mem::take(&mut call.bound.keywords);
    Ok(call.heap().alloc(Record::new(fields)))
}

fn module<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let name = call.required("name").text()?;
    let members = std::mem::take(&mut call.bound.keywords);
    Ok(call.heap().alloc(Record::module(name, members)))
}
