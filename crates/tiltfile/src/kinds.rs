//! Kinds of values: what each is called, and what elements and text it has.

use starlark::values::list::ListRef;
use starlark::values::tuple::TupleRef;
use starlark::values::{Heap, Value};

use super::text::{BytesItems, TextItems};
use super::values::{ActionValue, Blob, Record, StepValue};

/// Stringable: the text of a string or a blob.
pub(super) fn stringable(value: Value<'_>) -> Option<String> {
    match Blob::from_value(value) {
        Some(blob) => Some(blob.text.clone()),
        None => value.unpack_str().map(str::to_owned),
    }
}

/// Returns the elements of what Go calls a sequence: list, tuple, set, or the keys of a dict.
pub(super) fn elements<'v>(value: Value<'v>, heap: Heap<'v>) -> Option<Vec<Value<'v>>> {
    if let Some(items) = list_or_tuple(value) {
        return Some(items);
    }
    match value.get_type() {
        "set" | "dict" => value.iterate(heap).ok().map(Iterator::collect),
        _ => None,
    }
}

/// Returns the elements of a list or tuple.
pub(super) fn list_or_tuple(value: Value<'_>) -> Option<Vec<Value<'_>>> {
    match ListRef::from_value(value) {
        Some(list) => Some(list.iter().collect()),
        None => TupleRef::from_value(value).map(|tuple| tuple.iter().collect()),
    }
}

/// Returns what `type()` says of a value.
pub(super) fn type_name(value: Value<'_>) -> &'static str {
    match value.get_type() {
        // The evaluator gives its own functions and methods this type too; only those that a file defines have parameters.
        "function" if value.parameters_spec().is_none() => "builtin_function_or_method",
        "struct" if Record::from_value(value).is_some_and(|record| record.module_name().is_some()) => {
            "module"
        }
        "native_function" | "native_method" | "bound_method" => "builtin_function_or_method",
        "string.elems" => TextItems::from_value(value).map_or("string.elems", |items| items.kind()),
        "bytes.elems" if BytesItems::from_value(value).is_some_and(|items| items.is_method()) => {
            "builtin_function_or_method"
        }
        _ if let Some(made) = StepValue::from_value(value) => made.step.kind(),
        _ if let Some(action) = ActionValue::from_value(value) => action.kind(),
        name => name,
    }
}

/// Returns the name of a value's type in the original's own language, as its messages show it.
pub(super) fn go_type(value: Value<'_>) -> &'static str {
    match type_name(value) {
        "NoneType" => "starlark.NoneType",
        "bool" => "starlark.Bool",
        "int" => "starlark.Int",
        "float" => "starlark.Float",
        "string" => "starlark.String",
        "bytes" => "starlark.Bytes",
        "list" => "*starlark.List",
        "tuple" => "starlark.Tuple",
        "dict" => "*starlark.Dict",
        "set" => "*starlark.Set",
        "function" => "*starlark.Function",
        "builtin_function_or_method" => "*starlark.Builtin",
        "range" => "starlark.rangeValue",
        "blob" => "io.Blob",
        "struct" => "*starlarkstruct.Struct",
        "module" => "*starlarkstruct.Module",
        other => other,
    }
}
