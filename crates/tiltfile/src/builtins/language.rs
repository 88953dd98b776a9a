//! Built-ins that belong to the language but behave differently in Tilt than in the evaluator.

use std::cmp::Ordering;

use starlark::values::Value;
use starlark::values::list::AllocList;

use crate::call::{Builtin, Call};
use crate::diag::Diagnostic;
use crate::fault::{Fault, Outcome};
use crate::kinds::{elements, type_name};
use crate::model::octets::shown;
use crate::source::PERCENT;
use crate::{format, show};

pub(super) static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "fail",
        signature: "msg",
        doc: "Ends the load with an error. Args: `msg` (string).",
        run: fail,
    },
    Builtin {
        name: "print",
        signature: "*args, sep=' '",
        doc: "Writes its arguments to the log, joined by `sep`.",
        run: print,
    },
    Builtin {
        name: "repr",
        signature: "x, /",
        doc: "Returns a value as text, a string in quotes. Args: `x` (anything).",
        run: repr,
    },
    Builtin {
        name: "sorted",
        signature: "iterable, key=None, reverse=False",
        doc: "Returns a new list of the elements in order; equal ones stay in the order they had. Args: `iterable`; \
              `key` (function): what an element is compared by; `reverse` (bool).",
        run: sorted,
    },
    Builtin {
        name: "str",
        signature: "x, /",
        doc: "Returns a value as text. Args: `x` (anything).",
        run: text,
    },
    Builtin {
        name: "type",
        signature: "x, /",
        doc: "Returns the name of a value's type. Args: `x` (anything).",
        run: type_of,
    },
    Builtin {
        name: "warn",
        signature: "msg",
        doc: "Writes a warning to the log. Args: `msg` (string).",
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
    Err(Fault::new(shown(call.required("msg").text()?)))
}

fn warn<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let message = shown(call.required("msg").text()?);
    call.session().warn(Diagnostic::warning(message));
    Ok(Value::new_none())
}

fn print<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let separator = match call.get("sep") {
        Some(arg) => arg.text()?,
        None => " ",
    };
    let texts: Vec<String> = call
        .bound
        .rest
        .iter()
        .map(|value| show::text(*value, call.heap()))
        .collect();
    // The log ends a line that has no end; one that the text has itself is another one.
    let text = format!("{}\n", shown(&texts.join(separator)));
    call.session().log.info(&text);
    Ok(Value::new_none())
}

fn repr<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    Ok(call
        .heap()
        .alloc(show::repr(call.required("x").value, call.heap())))
}

fn text<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let value = call.required("x").value;
    Ok(match value.unpack_str() {
        Some(_) => value,
        None => call.heap().alloc(show::text(value, call.heap())),
    })
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
        Some((left, right)) => Err(Fault::new(format!("{left} < {right} not implemented"))),
        None => Ok(call
            .heap()
            .alloc(AllocList(keyed.into_iter().map(|(_, item)| item)))),
    }
}

fn percent<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let (left, right) = (call.required("left").value, call.required("right").value);
    let heap = call.heap();
    match left.unpack_str() {
        Some(format) => Ok(heap.alloc(format::format(format, right, heap)?)),
        None => left.percent(right, heap).map_err(|_| {
            let is_zero =
                matches!(type_name(left), "int" | "float") && matches!(type_name(right), "int" | "float");
            Fault::new(if is_zero {
                let kind = match type_name(left) == "int" && type_name(right) == "int" {
                    true => "integer",
                    false => "floating-point",
                };
                format!("{kind} modulo by zero")
            } else {
                format!("unknown binary op: {} % {}", type_name(left), type_name(right))
            })
        }),
    }
}
