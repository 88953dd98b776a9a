//! How deep values are nested. What the evaluator does with values it does by recursion, which the stack must bear.

use std::collections::HashSet;

use starlark::environment::Module;
use starlark::values::dict::DictRef;
use starlark::values::list::ListRef;
use starlark::values::tuple::TupleRef;
use starlark::values::{Value, ValueIdentity};

use super::values::Record;

/// Containers may be nested this deep.
pub(super) const MAX_NESTING: usize = 10_000;

/// Below this size of all values none can be nested too deep.
const SMALL_HEAP_BYTES: usize = MAX_NESTING * 16;

/// Returns whether a value of a module is nested too deep to be kept. Values of functions' frames are not looked at.
pub(super) fn is_too_deep(module: &Module<'_>) -> bool {
    if module.heap().allocated_bytes() < SMALL_HEAP_BYTES {
        return false;
    }
    let mut seen: HashSet<ValueIdentity<'_>> = HashSet::new();
    let names = module.names();
    let mut waiting: Vec<(Value<'_>, usize)> = names
        .filter_map(|name| Some((module.get(name.as_str())?, 1)))
        .collect();
    while let Some((value, depth)) = waiting.pop() {
        if depth > MAX_NESTING {
            return true;
        }
        let inner = inner(value);
        if !inner.is_empty() && seen.insert(value.identity()) {
            waiting.extend(inner.into_iter().map(|value| (value, depth + 1)));
        }
    }
    false
}

fn inner(value: Value<'_>) -> Vec<Value<'_>> {
    if let Some(list) = ListRef::from_value(value) {
        list.iter().collect()
    } else if let Some(tuple) = TupleRef::from_value(value) {
        tuple.iter().collect()
    } else if let Some(dict) = DictRef::from_value(value) {
        dict.iter().flat_map(|(key, value)| [key, value]).collect()
    } else if let Some(record) = Record::from_value(value) {
        record.fields().map(|(_, value)| value).collect()
    } else {
        Vec::new()
    }
}
