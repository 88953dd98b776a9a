//! One call of a method of a string: its arguments, and the errors they give.

use starlark::values::{Heap, StringValue, Value};

use crate::fault::{Fault, Outcome};
use crate::kinds::type_name;
use crate::signature::Bound;

/// A method: how it is called, and what it does.
pub(super) struct Method {
    pub(super) name: &'static str,
    pub(super) signature: &'static str,
    pub(super) run: for<'v> fn(&TextCall<'v>) -> Outcome<Value<'v>>,
}

/// One call of a method.
pub(super) struct TextCall<'v> {
    pub(super) name: &'static str,
    /// What it is a method of.
    pub(super) text: StringValue<'v>,
    pub(super) heap: Heap<'v>,
    pub(super) bound: Bound<'v>,
}

impl<'v> TextCall<'v> {
    /// Returns the text that it is a method of.
    pub(super) fn me(&self) -> &'v str {
        self.text.as_str()
    }

    /// Returns the argument at a place; `None` when it was not given.
    pub(super) fn get(&self, at: usize) -> Option<Value<'v>> {
        self.bound.get(at).map(|(value, _)| value)
    }

    /// Returns the text that an argument must be.
    pub(super) fn wanted_text(&self, at: usize) -> Outcome<&'v str> {
        let value = self.get(at).unwrap_or_else(Value::new_none);
        value
            .unpack_str()
            .ok_or_else(|| self.unfit(at, &format!("got {}, want string", type_name(value))))
    }

    /// Returns the whole number that an argument is, if it was given.
    pub(super) fn whole(&self, at: usize) -> Outcome<Option<i64>> {
        match self.get(at) {
            None => Ok(None),
            Some(value) if type_name(value) == "int" => {
                let far = if value.to_str().starts_with('-') {
                    i64::MIN
                } else {
                    i64::MAX
                };
                Ok(Some(value.unpack_i32().map_or(far, i64::from)))
            }
            Some(value) => Err(self.unfit(at, &format!("got {}, want int", type_name(value)))),
        }
    }

    fn unfit(&self, at: usize, why: &str) -> Fault {
        Fault::new(format!("{}: for parameter {}: {why}", self.name, at + 1))
    }

    pub(super) fn fault(&self, why: &str) -> Fault {
        Fault::new(format!("{}: {why}", self.name))
    }
}
