//! Built-ins that belong to the language but behave differently in Tilt than in the evaluator.

use std::cmp::Ordering;

use starlark::values::Value;
use starlark::values::dict::DictRef;
use starlark::values::list::AllocList;
use starlark::values::tuple::{AllocTuple, TupleRef};

use super::Builtin;
use crate::diag::Diagnostic;
use crate::tiltfile::call::Call;
use crate::tiltfile::fault::{Fault, Outcome};
use crate::tiltfile::kinds::{elements, type_name};
use crate::tiltfile::source::PERCENT;

pub(super) static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "fail",
        signature: "msg",
        doc: "Ends the load with an error.",
        run: fail,
    },
    Builtin {
        name: "print",
        signature: "*args, sep=' '",
        doc: "Writes its arguments to the log, joined by `sep`.",
        run: print,
    },
    Builtin {
        name: "sorted",
        signature: "iterable, key=None, reverse=False",
        doc: "Returns a new list of the elements in order; equal ones stay in the order they had.",
        run: sorted,
    },
    Builtin {
        name: "type",
        signature: "x",
        doc: "Returns the name of a value's type.",
        run: type_of,
    },
    Builtin {
        name: "warn",
        signature: "msg",
        doc: "Writes a warning to the log.",
        run: warn,
    },
    Builtin {
        name: PERCENT,
        signature: "left, right",
        doc: "The operator `%`.",
        run: percent,
    },
];

fn fail<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    Err(Fault::new(call.required("msg").text()?))
}

fn warn<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let message = call.required("msg").text()?;
    call.session().warn(Diagnostic::warning(message));
    Ok(Value::new_none())
}

fn print<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let separator = match call.get("sep") {
        Some(arg) => arg.text()?,
        None => " ",
    };
    let texts: Vec<String> = call.bound.rest.iter().map(|value| value.to_str()).collect();
    call.session().log.info(&texts.join(separator));
    Ok(Value::new_none())
}

fn type_of<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    Ok(call.heap().alloc(type_name(call.required("x").value)))
}

fn sorted<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let iterable = call.required("iterable");
    let items: Vec<Value<'v>> = match elements(iterable.value, call.heap()) {
        Some(items) => items,
        None => {
            let got = type_name(iterable.value);
            let unfit = iterable.unfit(format!("got {got}, want iterable"));
            iterable.value.iterate(call.heap()).map_err(|_| unfit)?.collect()
        }
    };
    let reverse = call.get("reverse").map_or(Ok(false), |arg| arg.boolean())?;
    let key = call.get("key").map(|arg| arg.value).filter(|key| !key.is_none());
    let mut keyed = Vec::with_capacity(items.len());
    for item in items {
        let by = match key {
            Some(function) => call
                .eval
                .eval_function(function, &[item], &[])
                .map_err(|error| call.session().fault(&error))?,
            None => item,
        };
        keyed.push((by, item));
    }
    let mut problem = None;
    keyed.sort_by(|(left, _), (right, _)| {
        let order = left.compare(*right).unwrap_or_else(|_| {
            problem.get_or_insert((type_name(*left), type_name(*right)));
            Ordering::Equal
        });
        if reverse { order.reverse() } else { order }
    });
    match problem {
        Some((left, right)) => Err(call.fault(format!("{left} < {right} not implemented"))),
        None => Ok(call
            .heap()
            .alloc(AllocList(keyed.into_iter().map(|(_, item)| item)))),
    }
}

/// The evaluator formats neither `%i` nor `%(name)s`, so these are put in other words first.
fn percent<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let (left, right) = (call.required("left").value, call.required("right").value);
    let heap = call.heap();
    let result = match left.unpack_str() {
        Some(format) if format.contains("%(") || format.contains("%i") => {
            let (format, arguments) = plain_format(format, right)?;
            let arguments = match arguments {
                Some(values) => heap.alloc(AllocTuple(values)),
                None => right,
            };
            heap.alloc(format).percent(arguments, heap)
        }
        _ => left.percent(right, heap),
    };
    result.map_err(|error| {
        let own = match left.unpack_str() {
            Some(format) => format_problem(format, right),
            None => Some(format!(
                "unknown binary op: {} % {}",
                type_name(left),
                type_name(right)
            )),
        };
        Fault::new(own.unwrap_or_else(|| error.without_diagnostic().to_string()))
    })
}

/// Turns `%i` into `%d` and `%(name)s` into `%s`; the named values come back in order.
fn plain_format<'v>(format: &str, right: Value<'v>) -> Outcome<(String, Option<Vec<Value<'v>>>)> {
    let mut out = String::with_capacity(format.len());
    let mut named: Option<Vec<Value<'v>>> = None;
    let mut rest = format;
    while let Some(at) = rest.find('%') {
        out.push_str(&rest[..=at]);
        rest = &rest[at + 1..];
        if let Some((name, after)) = rest.strip_prefix('(').and_then(|r| r.split_once(')')) {
            let Some(dict) = DictRef::from_value(right) else {
                return Err(Fault::new("format requires a mapping"));
            };
            let Some(value) = dict.get_str(name) else {
                return Err(Fault::new(format!("key not found: {name}")));
            };
            named.get_or_insert_with(Vec::new).push(value);
            rest = after;
        }
        let Some(verb) = rest.chars().next() else {
            break;
        };
        out.push(if verb == 'i' { 'd' } else { verb });
        rest = &rest[verb.len_utf8()..];
    }
    out.push_str(rest);
    Ok((out, named))
}

/// Says in Go's words when numbers of verbs and values differ.
fn format_problem(format: &str, right: Value<'_>) -> Option<String> {
    let wanted = format.replace("%%", "").matches('%').count();
    let given = TupleRef::from_value(right).map_or(1, |tuple| tuple.len());
    match wanted.cmp(&given) {
        Ordering::Greater => Some("not enough arguments for format string".to_owned()),
        Ordering::Less => Some("too many arguments for format string".to_owned()),
        Ordering::Equal => None,
    }
}
