//! The methods of strings.

use starlark::values::list::AllocList;
use starlark::values::tuple::{AllocTuple, TupleRef};
use starlark::values::{Heap, Value};

use super::case;
use super::format;
use super::items::{Parts, TextItems};
use super::search::Part;
use super::split::{last_words, lines, words};
use super::text_call::{Method, TextCall};
use crate::fault::{Fault, Outcome};
use crate::kinds::{elements, type_name};
use crate::model::octets::joined;

/// Sorted by name.
pub(super) static METHODS: &[Method] = &[
    method("capitalize", "", |call| {
        Ok(text(call, &case::capitalize(call.me())))
    }),
    method("codepoint_ords", "", |call| items(call, Parts::CodepointOrds)),
    method("codepoints", "", |call| items(call, Parts::Codepoints)),
    method("count", "sub, start=?, end=?", count),
    method("elem_ords", "", |call| items(call, Parts::ElemOrds)),
    method("elems", "", |call| items(call, Parts::Elems)),
    method("endswith", "suffix, start=?, end=?", |call| {
        affix(call, |part, wanted| part.ends_with(wanted))
    }),
    method("find", "sub, start=?, end=?", |call| {
        find(call, |part, wanted| part.first(wanted), false)
    }),
    method("format", "*args, **kwargs", |call| {
        Ok(text(call, &format::format(call)?))
    }),
    method("index", "sub, start=?, end=?", |call| {
        find(call, |part, wanted| part.first(wanted), true)
    }),
    method("isalnum", "", |call| {
        Ok(Value::new_bool(case::is_alnum(call.me())))
    }),
    method("isalpha", "", |call| {
        Ok(Value::new_bool(case::is_alpha(call.me())))
    }),
    method("isdigit", "", |call| {
        Ok(Value::new_bool(case::is_digit(call.me())))
    }),
    method("islower", "", |call| {
        Ok(Value::new_bool(case::is_lower(call.me())))
    }),
    method("isspace", "", |call| {
        let me = call.me();
        Ok(Value::new_bool(
            !me.is_empty() && me.chars().all(char::is_whitespace),
        ))
    }),
    method("istitle", "", |call| {
        Ok(Value::new_bool(case::is_title(call.me())))
    }),
    method("isupper", "", |call| {
        Ok(Value::new_bool(case::is_upper(call.me())))
    }),
    method("join", "iterable", join),
    method("lower", "", |call| {
        Ok(text(
            call,
            &call.me().chars().map(case::lower).collect::<String>(),
        ))
    }),
    method("lstrip", "cutset=?", |call| strip(call, true, false)),
    method("partition", "sep", |call| partition(call, false)),
    method("removeprefix", "prefix", |call| {
        let me = call.me();
        Ok(text(call, me.strip_prefix(call.wanted_text(0)?).unwrap_or(me)))
    }),
    method("removesuffix", "suffix", |call| {
        let me = call.me();
        Ok(text(call, me.strip_suffix(call.wanted_text(0)?).unwrap_or(me)))
    }),
    method("replace", "old, new, count=?", replace),
    method("rfind", "sub, start=?, end=?", |call| {
        find(call, |part, wanted| part.last(wanted), false)
    }),
    method("rindex", "sub, start=?, end=?", |call| {
        find(call, |part, wanted| part.last(wanted), true)
    }),
    method("rpartition", "sep", |call| partition(call, true)),
    method("rsplit", "sep=?, maxsplit=?", |call| split(call, true)),
    method("rstrip", "cutset=?", |call| strip(call, false, true)),
    method("split", "sep=?, maxsplit=?", |call| split(call, false)),
    method("splitlines", "keepends=?", |call| {
        let keep_ends = call.get(0).is_some_and(|keep| keep.to_bool());
        Ok(list(call.heap, lines(call.me(), keep_ends)))
    }),
    method("startswith", "prefix, start=?, end=?", |call| {
        affix(call, |part, wanted| part.starts_with(wanted))
    }),
    method("strip", "cutset=?", |call| strip(call, true, true)),
    method("title", "", |call| Ok(text(call, &case::title(call.me())))),
    method("upper", "", |call| {
        Ok(text(
            call,
            &call.me().chars().map(case::upper).collect::<String>(),
        ))
    }),
];

const fn method(
    name: &'static str,
    signature: &'static str,
    run: for<'v> fn(&TextCall<'v>) -> Outcome<Value<'v>>,
) -> Method {
    Method { name, signature, run }
}

/// Returns a new text; the string itself where nothing changed.
fn text<'v>(call: &TextCall<'v>, new: &str) -> Value<'v> {
    if new == call.me() {
        call.text.to_value()
    } else {
        call.heap.alloc(new)
    }
}

fn list<'v>(heap: Heap<'v>, texts: Vec<&str>) -> Value<'v> {
    heap.alloc(AllocList(texts))
}

fn items<'v>(call: &TextCall<'v>, parts: Parts) -> Outcome<Value<'v>> {
    Ok(call.heap.alloc(TextItems::new(call.me(), parts)))
}

/// Returns a position that may be left out or `None`.
fn position(call: &TextCall<'_>, at: usize) -> Outcome<Option<i64>> {
    match call.get(at) {
        Some(value) if value.is_none() => Ok(None),
        _ => call.whole(at),
    }
}

fn part<'v>(call: &TextCall<'v>) -> Outcome<Part<'v>> {
    Ok(Part::new(call.me(), position(call, 1)?, position(call, 2)?))
}

fn number<'v>(call: &TextCall<'v>, number: usize) -> Value<'v> {
    call.heap.alloc(u64::try_from(number).unwrap_or(u64::MAX))
}

fn count<'v>(call: &TextCall<'v>) -> Outcome<Value<'v>> {
    Ok(number(call, part(call)?.count(call.wanted_text(0)?)))
}

fn find<'v>(
    call: &TextCall<'v>,
    search: fn(&Part<'_>, &str) -> Option<usize>,
    must_be_there: bool,
) -> Outcome<Value<'v>> {
    match search(&part(call)?, call.wanted_text(0)?) {
        Some(at) => Ok(number(call, at)),
        None if must_be_there => Err(call.fault("substring not found")),
        None => Ok(call.heap.alloc(-1)),
    }
}

fn affix<'v>(call: &TextCall<'v>, test: fn(&Part<'_>, &str) -> bool) -> Outcome<Value<'v>> {
    let part = part(call)?;
    let wanted = call.get(0).unwrap_or_else(Value::new_none);
    if let Some(wanted) = wanted.unpack_str() {
        return Ok(Value::new_bool(test(&part, wanted)));
    }
    let Some(several) = TupleRef::from_value(wanted) else {
        let got = type_name(wanted);
        return Err(call.fault(&format!("got {got}, want string or tuple of string")));
    };
    for (at, one) in several.iter().enumerate() {
        let Some(one_text) = one.unpack_str() else {
            let got = type_name(one);
            return Err(call.fault(&format!("want string, got {got}, for element {at}")));
        };
        if test(&part, one_text) {
            return Ok(Value::new_bool(true));
        }
    }
    Ok(Value::new_bool(false))
}

fn join<'v>(call: &TextCall<'v>) -> Outcome<Value<'v>> {
    let iterable = call.get(0).unwrap_or_else(Value::new_none);
    let elements = match elements(iterable, call.heap) {
        Some(elements) => elements,
        None => {
            let got = type_name(iterable);
            let unfit = || Fault::new(format!("join: for parameter 1: got {got}, want iterable"));
            iterable.iterate(call.heap).map_err(|_| unfit())?.collect()
        }
    };
    let mut whole = String::new();
    for (at, element) in elements.into_iter().enumerate() {
        let Some(piece) = element.unpack_str() else {
            let got = type_name(element);
            return Err(call.fault(&format!("in list, want string, got {got}")));
        };
        if at > 0 {
            whole.push_str(call.me());
        }
        whole.push_str(piece);
    }
    Ok(call.heap.alloc(&*joined(&whole)))
}

fn strip<'v>(call: &TextCall<'v>, at_start: bool, at_end: bool) -> Outcome<Value<'v>> {
    let cutset = match call.get(0) {
        None => "",
        Some(_) => call.wanted_text(0)?,
    };
    let goes = |c: char| {
        if cutset.is_empty() {
            c.is_whitespace()
        } else {
            cutset.contains(c)
        }
    };
    let mut rest = call.me();
    if at_start {
        rest = rest.trim_start_matches(goes);
    }
    if at_end {
        rest = rest.trim_end_matches(goes);
    }
    Ok(text(call, rest))
}

fn partition<'v>(call: &TextCall<'v>, from_end: bool) -> Outcome<Value<'v>> {
    let (me, separator) = (call.me(), call.wanted_text(0)?);
    if separator.is_empty() {
        return Err(call.fault("empty separator"));
    }
    let cut = if from_end {
        me.rsplit_once(separator)
    } else {
        me.split_once(separator)
    };
    let pieces = match cut {
        Some((before, after)) => [before, separator, after],
        None if from_end => ["", "", me],
        None => [me, "", ""],
    };
    Ok(call.heap.alloc(AllocTuple(pieces)))
}

fn replace<'v>(call: &TextCall<'v>) -> Outcome<Value<'v>> {
    let (old, new) = (call.wanted_text(0)?, call.wanted_text(1)?);
    let most = call.whole(2)?.and_then(|count| usize::try_from(count).ok());
    Ok(text(
        call,
        &match most {
            Some(most) => call.me().replacen(old, new, most),
            None => call.me().replace(old, new),
        },
    ))
}

fn split<'v>(call: &TextCall<'v>, from_end: bool) -> Outcome<Value<'v>> {
    let most = call.whole(1)?.and_then(|most| usize::try_from(most).ok());
    let me = call.me();
    let Some(separator) = call.get(0).filter(|separator| !separator.is_none()) else {
        let words = if from_end {
            last_words(me, most)
        } else {
            words(me, most)
        };
        return Ok(list(call.heap, words));
    };
    let Some(separator) = separator.unpack_str() else {
        let got = type_name(separator);
        return Err(call.fault(&format!("got {got} for separator, want string")));
    };
    if separator.is_empty() {
        return Err(call.fault("empty separator"));
    }
    let pieces: Vec<&str> = match most {
        None => me.split(separator).collect(),
        Some(most) if from_end => {
            let mut pieces: Vec<&str> = me.rsplitn(most.saturating_add(1), separator).collect();
            pieces.reverse();
            pieces
        }
        Some(most) => me.splitn(most.saturating_add(1), separator).collect(),
    };
    Ok(list(call.heap, pieces))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn methods_are_sorted_by_name() {
        assert!(METHODS.is_sorted_by_key(|method| method.name));
    }
}
