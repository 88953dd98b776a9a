//! The functions that stand for indexing, slicing and attributes, and the built-ins that look into text.

use starlark::environment::GlobalsBuilder;
use starlark::starlark_module;
use starlark::values::bytes::StarlarkBytes;
use starlark::values::{Heap, StringValue, Value, ValueError};

use super::items::BytesItems;
use super::method::{TextMethod, names};
use crate::fault::Fault;
use crate::kinds::type_name;
use crate::model::octets::{bytes_of, joined, stray, text_of};

/// Stands for `x[i]`.
pub(crate) const AT: &str = "__at__";
/// Stands for `x[a:b:c]`.
pub(crate) const SLICE: &str = "__slice__";
/// Stands for `x.name`, where strings have a method of that name.
pub(crate) const METHOD: &str = "__method__";

/// Returns the text of a value in which bytes and characters do not count the same.
fn wide_text<'v>(value: Value<'v>) -> Option<&'v str> {
    value.unpack_str().filter(|text| !text.is_ascii())
}

/// Returns an attribute; `None` where there is none.
fn attribute<'v>(of: Value<'v>, name: &str, heap: Heap<'v>) -> starlark::Result<Option<Value<'v>>> {
    if let Some(text) = StringValue::new(of) {
        return Ok(TextMethod::named(name, text).map(|method| heap.alloc(method)));
    }
    if StarlarkBytes::from_value(of).is_some() && name == "elems" {
        return Ok(Some(heap.alloc(BytesItems::method(of))));
    }
    of.get_attr(name, heap)
}

fn wanted_attribute<'v>(of: Value<'v>, name: &str, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
    match attribute(of, name, heap)? {
        Some(value) => Ok(value),
        None if of.unpack_str().is_some() => {
            Err(Fault::new(format!("string has no .{name} field or method")).into())
        }
        None => of.get_attr_error(name, heap),
    }
}

/// Returns the byte at a position, which counts from the end where it is negative.
fn nth(bytes: &[u8], index: i32) -> Option<u8> {
    let len = i64::try_from(bytes.len()).unwrap_or(i64::MAX);
    let at = i64::from(index) + if index < 0 { len } else { 0 };
    bytes.get(usize::try_from(at).ok()?).copied()
}

/// Returns what stands at an index.
fn at<'v>(of: Value<'v>, index: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
    if let (Some(bytes), Some(at)) = (StarlarkBytes::from_value(of), index.unpack_i32()) {
        // As in Tilt: bytes of length one, not a number.
        return match nth(bytes.as_bytes(), at) {
            Some(byte) => Ok(heap.alloc(StarlarkBytes::new(&[byte]))),
            None => Err(ValueError::IndexOutOfBound(at).into()),
        };
    }
    let (Some(text), Some(index)) = (wide_text(of), index.unpack_i32()) else {
        return of.at(index, heap);
    };
    match nth(&bytes_of(text), index) {
        Some(byte) => Ok(heap.alloc(text_of(&[byte]))),
        None => Err(ValueError::IndexOutOfBound(index).into()),
    }
}

/// Says why an index does not fit, in Go's words.
fn unfit_index(of: Value<'_>, index: Value<'_>) -> Option<Fault> {
    let kind = type_name(of);
    let len = match kind {
        "string" => of.unpack_str().map_or(0, |text| bytes_of(text).len()),
        "list" | "tuple" => of.length().map_or(0, |len| usize::try_from(len).unwrap_or(0)),
        "int"
        | "float"
        | "bool"
        | "NoneType"
        | "function"
        | "builtin_function_or_method"
        | "struct"
        | "module" => {
            return Some(Fault::new(format!(
                "unhandled index operation {kind}[{}]",
                type_name(index)
            )));
        }
        _ => return None,
    };
    let Some(at) = index.unpack_i32() else {
        return match type_name(index) {
            "int" => None,
            got => Some(Fault::new(format!("{kind} index: got {got}, want int"))),
        };
    };
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    if (-len..len).contains(&i64::from(at)) {
        return None;
    }
    Some(Fault::new(match len {
        0 => format!("index {at} out of range: empty {kind}"),
        _ => format!("{kind} index {at} out of range [{}:{}]", -len, len - 1),
    }))
}

/// Says why a slice does not fit, in Go's words.
fn unfit_slice<'v>(of: Value<'v>, start: Value<'v>, stop: Value<'v>, step: Value<'v>) -> Option<Fault> {
    if matches!(
        type_name(of),
        "int" | "float" | "bool" | "NoneType" | "dict" | "struct" | "module"
    ) {
        return Some(Fault::new(format!("invalid slice operand {}", type_name(of))));
    }
    if step.unpack_i32() == Some(0) {
        return Some(Fault::new("zero is not a valid slice step"));
    }
    for (bound, name) in [(start, "start"), (stop, "end")] {
        if !matches!(type_name(bound), "int" | "NoneType") {
            let got = type_name(bound);
            return Some(Fault::new(format!("invalid {name} index: got {got}, want int")));
        }
    }
    None
}

/// Returns the positions that a slice picks, in order.
fn picked(len: usize, start: Option<i32>, stop: Option<i32>, step: i32) -> impl Iterator<Item = usize> {
    let len = i64::try_from(len).unwrap_or(i64::MAX);
    let step = i64::from(step);
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let clamped = |position: Option<i32>, missing: i64| match position.map(i64::from) {
        None => missing,
        Some(position) if position < 0 => (position + len).clamp(low, high),
        Some(position) => position.clamp(low, high),
    };
    let (first, end) = if step > 0 { (0, len) } else { (len - 1, -1) };
    let (mut at, end) = (clamped(start, first), clamped(stop, end));
    std::iter::from_fn(move || {
        let is_inside = if step > 0 { at < end } else { at > end };
        let position = usize::try_from(at).ok().filter(|_| is_inside)?;
        at += step;
        Some(position)
    })
}

fn unless_none(value: Value<'_>) -> Option<Value<'_>> {
    (!value.is_none()).then_some(value)
}

/// The functions, under the names by which files know them.
#[starlark_module]
pub(crate) fn operators(builder: &mut GlobalsBuilder) {
    fn __at__<'v>(
        #[starlark(require = pos)] of: Value<'v>,
        #[starlark(require = pos)] index: Value<'v>,
        heap: Heap<'v>,
    ) -> starlark::Result<Value<'v>> {
        at(of, index, heap).map_err(|error| unfit_index(of, index).map_or(error, Into::into))
    }

    fn __slice__<'v>(
        #[starlark(require = pos)] of: Value<'v>,
        #[starlark(require = pos)] start: Value<'v>,
        #[starlark(require = pos)] stop: Value<'v>,
        #[starlark(require = pos)] step: Value<'v>,
        heap: Heap<'v>,
    ) -> starlark::Result<Value<'v>> {
        let native = || {
            of.slice(unless_none(start), unless_none(stop), unless_none(step), heap)
                .map_err(|error| unfit_slice(of, start, stop, step).map_or(error, Into::into))
        };
        let Some(text) = wide_text(of) else {
            return native();
        };
        let are_whole = [start, stop, step]
            .iter()
            .all(|bound| bound.is_none() || bound.unpack_i32().is_some());
        let step = if step.is_none() {
            Some(1)
        } else {
            step.unpack_i32()
        };
        let Some(step) = step.filter(|step| *step != 0 && are_whole) else {
            return native();
        };
        let bytes = bytes_of(text);
        let picked = picked(bytes.len(), start.unpack_i32(), stop.unpack_i32(), step);
        let part: Vec<u8> = picked.filter_map(|at| bytes.get(at).copied()).collect();
        Ok(heap.alloc(text_of(&part)))
    }

    fn __method__<'v>(
        #[starlark(require = pos)] of: Value<'v>,
        #[starlark(require = pos)] name: &str,
        heap: Heap<'v>,
    ) -> starlark::Result<Value<'v>> {
        wanted_attribute(of, name, heap)
    }

    fn getattr<'v>(
        #[starlark(require = pos)] of: Value<'v>,
        #[starlark(require = pos)] name: &str,
        #[starlark(require = pos)] default: Option<Value<'v>>,
        heap: Heap<'v>,
    ) -> starlark::Result<Value<'v>> {
        match (attribute(of, name, heap)?, default) {
            (Some(value), _) | (None, Some(value)) => Ok(value),
            (None, None) => wanted_attribute(of, name, heap),
        }
    }

    fn hasattr<'v>(
        #[starlark(require = pos)] of: Value<'v>,
        #[starlark(require = pos)] name: &str,
        heap: Heap<'v>,
    ) -> starlark::Result<bool> {
        Ok(attribute(of, name, heap)?.is_some())
    }

    fn dir<'v>(#[starlark(require = pos)] of: Value<'v>) -> starlark::Result<Vec<String>> {
        Ok(match of.unpack_str() {
            Some(_) => names().map(str::to_owned).collect(),
            None => of.dir_attr(),
        })
    }

    fn len<'v>(#[starlark(require = pos)] of: Value<'v>) -> starlark::Result<i32> {
        match wide_text(of) {
            Some(text) => Ok(i32::try_from(bytes_of(text).len()).unwrap_or(i32::MAX)),
            None => of.length(),
        }
    }

    fn ord<'v>(#[starlark(require = pos)] of: Value<'v>) -> starlark::Result<i32> {
        if let Some(text) = of.unpack_str() {
            let text = joined(text);
            let mut characters = text.chars();
            return match (characters.next(), characters.next()) {
                (Some(character), None) => {
                    let code = stray(character).map_or(character, |_| char::REPLACEMENT_CHARACTER) as u32;
                    Ok(i32::try_from(code).unwrap_or(i32::MAX))
                }
                _ => Err(Fault::new(format!(
                    "ord: string encodes {} Unicode code points, want 1",
                    text.chars().count()
                ))
                .into()),
            };
        }
        let Some(bytes) = StarlarkBytes::from_value(of) else {
            return Err(Fault::new(format!("ord: got {}, want string or bytes", type_name(of))).into());
        };
        match bytes.as_bytes() {
            [byte] => Ok(i32::from(*byte)),
            other => Err(Fault::new(format!("ord: bytes has length {}, want 1", other.len())).into()),
        }
    }

    fn chr<'v>(#[starlark(require = pos)] code: i32) -> starlark::Result<String> {
        if !(0..=0x10_ffff).contains(&code) {
            let why = if code < 0 { "<0" } else { ">0x10FFFF" };
            return Err(Fault::new(format!("chr: Unicode code point {code} out of range ({why})")).into());
        }
        let character = u32::try_from(code).ok().and_then(char::from_u32);
        let mut buffer = [0; 4];
        let written = character
            .unwrap_or(char::REPLACEMENT_CHARACTER)
            .encode_utf8(&mut buffer);
        Ok(text_of(written.as_bytes()))
    }

    fn hash<'v>(#[starlark(require = pos)] of: Value<'v>) -> starlark::Result<i64> {
        if let Some(text) = of.unpack_str() {
            let text = joined(text);
            let codes = text.chars().map(|c| match stray(c) {
                Some(_) => char::REPLACEMENT_CHARACTER as u32,
                None => c as u32,
            });
            let hash = codes.fold(0_u32, |hash, code| hash.wrapping_mul(31).wrapping_add(code));
            return Ok(i64::from(hash.cast_signed()));
        }
        match StarlarkBytes::from_value(of) {
            // FNV-1a.
            Some(bytes) => Ok(i64::from(
                bytes.as_bytes().iter().fold(0x811c_9dc5_u32, |hash, byte| {
                    (hash ^ u32::from(*byte)).wrapping_mul(0x0100_0193)
                }),
            )),
            None => Err(Fault::new(format!("hash: got {}, want string or bytes", type_name(of))).into()),
        }
    }

    fn bytes<'v>(#[starlark(require = pos)] of: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        if StarlarkBytes::from_value(of).is_some() {
            return Ok(of);
        }
        if let Some(text) = of.unpack_str() {
            return Ok(heap.alloc(StarlarkBytes::new(&bytes_of(text))));
        }
        let items = of.iterate(heap).map_err(|_| {
            Fault::new(format!(
                "bytes: got {}, want string, bytes, or iterable of ints",
                type_name(of)
            ))
        })?;
        let mut bytes = Vec::new();
        for (at, item) in items.enumerate() {
            if type_name(item) != "int" {
                let got = type_name(item);
                return Err(Fault::new(format!("bytes: at index {at}, got {got}, want int")).into());
            }
            match item.unpack_i32().and_then(|number| u8::try_from(number).ok()) {
                Some(byte) => bytes.push(byte),
                None => {
                    return Err(Fault::new(format!(
                        "bytes: at index {at}, {} out of range (want value in unsigned 8-bit range)",
                        item.to_str()
                    ))
                    .into());
                }
            }
        }
        Ok(heap.alloc(StarlarkBytes::from_vec(bytes)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slice_picks_as_in_python() {
        let all = |start, stop, step| picked(5, start, stop, step).collect::<Vec<_>>();
        assert_eq!(all(None, None, 1), [0, 1, 2, 3, 4]);
        assert_eq!(all(Some(1), Some(-1), 1), [1, 2, 3]);
        assert_eq!(all(None, None, -1), [4, 3, 2, 1, 0]);
        assert_eq!(all(Some(-2), None, -2), [3, 1]);
        assert_eq!(all(Some(9), Some(-9), -1), [4, 3, 2, 1, 0]);
        assert_eq!(all(Some(3), Some(1), 1), [0_usize; 0]);
    }
}
