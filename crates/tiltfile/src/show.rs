//! Values as text, as Go's interpreter shows them: accents as they are, floats with all their digits.

use std::fmt::Write;

use starlark::values::bytes::StarlarkBytes;
use starlark::values::dict::DictRef;
use starlark::values::float::UnpackFloat;
use starlark::values::list::ListRef;
use starlark::values::tuple::TupleRef;
use starlark::values::{Heap, UnpackValue, Value};

use super::kinds::{elements, type_name};
use super::values::Record;
use crate::model::octets::{shown, text_of};
use crate::model::{format_go_float, write_quoted};

/// Containers in containers are shown this deep.
const MAX_DEPTH: usize = 5_000;

/// Returns what `str()` returns: strings as they are, bytes as text, all else as `repr()` does.
pub(super) fn text<'v>(value: Value<'v>, heap: Heap<'v>) -> String {
    if let Some(text) = value.unpack_str() {
        return text.to_owned();
    }
    match StarlarkBytes::from_value(value) {
        Some(bytes) => shown(&text_of(bytes.as_bytes())).into_owned(),
        None => repr(value, heap),
    }
}

/// Returns what `repr()` returns.
pub(super) fn repr<'v>(value: Value<'v>, heap: Heap<'v>) -> String {
    let mut writer = Writer {
        heap,
        out: String::new(),
        open: Vec::new(),
    };
    writer.value(value);
    writer.out
}

struct Writer<'v> {
    heap: Heap<'v>,
    out: String,
    /// The containers that are being written, to stop at one that holds itself.
    open: Vec<Value<'v>>,
}

impl<'v> Writer<'v> {
    fn value(&mut self, value: Value<'v>) {
        if let Some(text) = value.unpack_str() {
            write_quoted(text, &mut self.out);
        } else if let Some(list) = ListRef::from_value(value) {
            self.container(value, "[", "]", list.iter());
        } else if let Some(tuple) = TupleRef::from_value(value) {
            let end = if tuple.len() == 1 { ",)" } else { ")" };
            self.container(value, "(", end, tuple.iter());
        } else if let Some(dict) = DictRef::from_value(value) {
            self.keyed(value, "{", ": ", "}", dict.iter());
        } else if value.get_type() == "set" {
            let items = elements(value, self.heap).unwrap_or_default();
            self.container(value, "set([", "])", items.into_iter());
        } else if let Some(bytes) = StarlarkBytes::from_value(value) {
            self.out.push('b');
            write_quoted(&text_of(bytes.as_bytes()), &mut self.out);
        } else if let Some(record) = Record::from_value(value) {
            self.record(value, record);
        } else {
            self.scalar(value);
        }
    }

    fn scalar(&mut self, value: Value<'v>) {
        match type_name(value) {
            "float" => {
                let float = UnpackFloat::unpack_value(value).ok().flatten();
                self.out
                    .push_str(&float.map_or_else(|| value.to_repr(), |UnpackFloat(float)| go_float(float)));
            }
            "function" => {
                let name = value.function_name().unwrap_or_default();
                let name = name.rsplit('.').next().unwrap_or_default();
                let _ = write!(self.out, "<function {name}>");
            }
            "builtin_function_or_method" => {
                let shown = value.to_repr();
                if shown.starts_with('<') {
                    self.out.push_str(&shown);
                } else {
                    let _ = write!(self.out, "<built-in function {shown}>");
                }
            }
            _ => self.out.push_str(&value.to_repr()),
        }
    }

    fn record(&mut self, value: Value<'v>, record: &Record<'v>) {
        match record.module_name() {
            Some(name) => {
                self.out.push_str("<module ");
                write_quoted(name, &mut self.out);
                self.out.push('>');
            }
            None => {
                self.enter(value, |writer| {
                    writer.out.push_str("struct(");
                    for (index, (name, value)) in record.fields().enumerate() {
                        writer.separate(index);
                        writer.out.push_str(name);
                        writer.out.push_str(" = ");
                        writer.value(value);
                    }
                    writer.out.push(')');
                });
            }
        }
    }

    fn container(&mut self, me: Value<'v>, begin: &str, end: &str, items: impl Iterator<Item = Value<'v>>) {
        self.enter(me, |writer| {
            writer.out.push_str(begin);
            for (index, item) in items.enumerate() {
                writer.separate(index);
                writer.value(item);
            }
            writer.out.push_str(end);
        });
    }

    fn keyed(
        &mut self,
        me: Value<'v>,
        begin: &str,
        middle: &str,
        end: &str,
        entries: impl Iterator<Item = (Value<'v>, Value<'v>)>,
    ) {
        self.enter(me, |writer| {
            writer.out.push_str(begin);
            for (index, (key, value)) in entries.enumerate() {
                writer.separate(index);
                writer.value(key);
                writer.out.push_str(middle);
                writer.value(value);
            }
            writer.out.push_str(end);
        });
    }

    fn separate(&mut self, index: usize) {
        if index > 0 {
            self.out.push_str(", ");
        }
    }

    /// Writes a container, or dots for one that is too deep or holds itself.
    fn enter(&mut self, me: Value<'v>, write: impl FnOnce(&mut Self)) {
        if self.open.len() >= MAX_DEPTH || self.open.iter().any(|open| open.ptr_eq(me)) {
            self.out.push_str("...");
            return;
        }
        self.open.push(me);
        write(self);
        self.open.pop();
    }
}

/// Returns a float as Go's interpreter prints it, with `.0` after a whole number.
pub(super) fn go_float(float: f64) -> String {
    let mut text = format_go_float(float);
    if float.is_finite() && !text.contains(['.', 'e']) {
        text.push_str(".0");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_floats_have_a_fraction() {
        assert_eq!(
            (go_float(3.0).as_str(), go_float(1e10).as_str()),
            ("3.0", "1e+10")
        );
    }
}
