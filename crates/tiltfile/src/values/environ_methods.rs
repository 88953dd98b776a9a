//! The methods of `os.environ`, those of a dict.

use starlark::values::dict::DictRef;
use starlark::values::list::AllocList;
use starlark::values::tuple::AllocTuple;
use starlark::values::{Heap, Value};

use crate::call::{Builtin, Call};
use crate::fault::{Fault, Outcome};
use crate::kinds::{elements, type_name};

pub(super) static ENVIRON_METHODS: &[Builtin] = &[
    Builtin {
        name: "clear",
        signature: "",
        doc: "Removes all variables.",
        run: clear,
    },
    Builtin {
        name: "get",
        signature: "key, default=None",
        doc: "Returns a variable, or `default`.",
        run: get,
    },
    Builtin {
        name: "items",
        signature: "",
        doc: "Returns a list of names and values.",
        run: items,
    },
    Builtin {
        name: "keys",
        signature: "",
        doc: "Returns a list of names.",
        run: keys,
    },
    Builtin {
        name: "pop",
        signature: "key, default=?",
        doc: "Removes a variable and returns what it was.",
        run: pop,
    },
    Builtin {
        name: "popitem",
        signature: "",
        doc: "Removes a variable and returns its name and value.",
        run: popitem,
    },
    Builtin {
        name: "setdefault",
        signature: "key, default=None",
        doc: "Returns a variable, which is set first if it is not.",
        run: setdefault,
    },
    Builtin {
        name: "update",
        signature: "pairs=?, **more",
        doc: "Sets variables.",
        run: update,
    },
    Builtin {
        name: "values",
        signature: "",
        doc: "Returns a list of values.",
        run: values,
    },
];

fn clear<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let host = call.session().host;
    for name in host.environment().keys() {
        host.set_env(name, None);
    }
    Ok(Value::new_none())
}

fn get<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let value = lookup(call, call.required("key").value);
    Ok(value.unwrap_or_else(|| call.get("default").map_or(Value::new_none(), |arg| arg.value)))
}

fn lookup<'v>(call: &Call<'v, '_, '_, '_>, name: Value<'v>) -> Option<Value<'v>> {
    let value = call.session().host.env(name.unpack_str()?)?;
    Some(call.heap().alloc(value))
}

fn items<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let heap = call.heap();
    let pairs = call.session().host.environment().into_iter();
    let pairs: Vec<Value<'v>> = pairs.map(|(name, value)| tuple(heap, &name, &value)).collect();
    Ok(heap.alloc(AllocList(pairs)))
}

fn tuple<'v>(heap: Heap<'v>, name: &str, value: &str) -> Value<'v> {
    heap.alloc(AllocTuple([heap.alloc(name), heap.alloc(value)]))
}

fn keys<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let all = call.session().host.environment();
    Ok(call.heap().alloc(AllocList(all.into_keys())))
}

fn values<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let all = call.session().host.environment();
    Ok(call.heap().alloc(AllocList(all.into_values())))
}

fn pop<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let key = call.required("key");
    if let Some(value) = lookup(call, key.value) {
        if let Some(name) = key.value.unpack_str() {
            call.session().host.set_env(name, None);
        }
        return Ok(value);
    }
    match call.get("default") {
        Some(default) => Ok(default.value),
        None => Err(Fault::new(format!("pop: missing key: {}", key.value.to_repr())).at(key.place())),
    }
}

fn popitem<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let host = call.session().host;
    match host.environment().into_iter().next() {
        Some((name, value)) => {
            host.set_env(&name, None);
            Ok(tuple(call.heap(), &name, &value))
        }
        None => Err(Fault::new("popitem: empty dict")),
    }
}

fn setdefault<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let key = call.required("key").value;
    if let Some(value) = lookup(call, key) {
        return Ok(value);
    }
    let default = call.get("default").map_or(Value::new_none(), |arg| arg.value);
    let (name, value) = pair(key, default)?;
    call.session().host.set_env(name, Some(value));
    Ok(default)
}

fn update<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let heap = call.heap();
    let mut pairs: Vec<(Value<'v>, Value<'v>)> = Vec::new();
    if let Some(arg) = call.get("pairs") {
        match DictRef::from_value(arg.value) {
            Some(dict) => pairs.extend(dict.iter()),
            None => {
                let items = elements(arg.value, heap).ok_or_else(|| {
                    let got = type_name(arg.value);
                    Fault::new(format!("update: got {got}, want iterable")).at(arg.place())
                })?;
                for item in items {
                    match elements(item, heap).as_deref() {
                        Some([name, value]) => pairs.push((*name, *value)),
                        _ => {
                            let got = type_name(item);
                            return Err(Fault::new(format!("update: {got} is no pair of name and value"))
                                .at(arg.place()));
                        }
                    }
                }
            }
        }
    }
    let more = std::mem::take(&mut call.bound.keywords);
    pairs.extend(more.into_iter().map(|(name, value)| (heap.alloc(name), value)));
    for (name, value) in pairs {
        let (name, value) = pair(name, value)?;
        call.session().host.set_env(name, Some(value));
    }
    Ok(Value::new_none())
}

/// Returns name and value of a variable that is to be set.
pub(super) fn pair<'v>(name: Value<'v>, value: Value<'v>) -> Result<(&'v str, &'v str), Fault> {
    let text = |what: &str, value: Value<'v>| {
        value.unpack_str().ok_or_else(|| {
            Fault::new(format!(
                "putenv() {what} must be a string, not {}",
                type_name(value)
            ))
        })
    };
    let (name, value) = (text("key", name)?, text("value", value)?);
    if name.contains('\0') || value.contains('\0') {
        return Err(Fault::new(
            "setenv: invalid argument: neither name nor value may hold a NUL byte",
        ));
    }
    Ok((name, value))
}
