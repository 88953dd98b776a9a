//! Methods of strings as values that can be called.

use std::fmt;
use std::sync::LazyLock;

use allocative::Allocative;
use starlark::any::ProvidesStaticType;
use starlark::coerce::Coerce;
use starlark::eval::{Arguments, Evaluator};
use starlark::starlark_complex_value;
use starlark::values::{
    Freeze, FreezeResult, Heap, NoSerialize, StarlarkPagablePanic, StarlarkValue, StringValue, Trace, Value,
    ValueLifetimeless, ValueLike, starlark_value,
};

use super::methods::METHODS;
use crate::fault::{Fault, Outcome};
use crate::kinds::type_name;
use crate::signature::{Bound, Signature};

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

static SIGNATURES: LazyLock<Vec<Signature>> = LazyLock::new(|| {
    METHODS
        .iter()
        .map(|method| Signature::parse(method.signature).by_position())
        .collect()
});

/// Returns the names of all methods, sorted.
pub(super) fn names() -> impl Iterator<Item = &'static str> {
    METHODS.iter().map(|method| method.name)
}

/// Returns whether strings have a method of this name.
pub(crate) fn is_method_name(name: &str) -> bool {
    METHODS.binary_search_by(|method| method.name.cmp(name)).is_ok()
}

/// A method together with its string.
#[derive(Clone, Debug, Coerce, Trace, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
#[repr(C)]
pub(crate) struct TextMethodGen<V: ValueLifetimeless> {
    /// Its place in the table.
    at: usize,
    text: V,
}

starlark_complex_value!(pub(crate) TextMethod);

impl<'v> TextMethod<'v> {
    /// Returns the method of a string with this name.
    pub(super) fn named(name: &str, text: StringValue<'v>) -> Option<Self> {
        let at = METHODS.binary_search_by(|method| method.name.cmp(name)).ok()?;
        Some(Self {
            at,
            text: text.to_value(),
        })
    }
}

impl<'v> Freeze for TextMethod<'v> {
    type Frozen = FrozenTextMethod;

    fn freeze(self, freezer: &starlark::values::Freezer) -> FreezeResult<FrozenTextMethod> {
        Ok(TextMethodGen {
            at: self.at,
            text: self.text.freeze(freezer)?,
        })
    }
}

impl<V: ValueLifetimeless> fmt::Display for TextMethodGen<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<built-in method {} of string value>", METHODS[self.at].name)
    }
}

#[starlark_value(type = "builtin_function_or_method")]
impl<'v, V: ValueLike<'v>> StarlarkValue<'v> for TextMethodGen<V>
where
    Self: ProvidesStaticType<'v>,
{
    fn name_for_call_stack(&self, _me: Value<'v>) -> String {
        METHODS[self.at].name.to_owned()
    }

    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let method = &METHODS[self.at];
        let Some(text) = StringValue::new(self.text.to_value()) else {
            return Err(Fault::new(format!("{}: got no string", method.name)).into());
        };
        let bound = SIGNATURES[self.at].bind(method.name, args, eval.heap())?;
        let call = TextCall {
            name: method.name,
            text,
            heap: eval.heap(),
            bound,
        };
        Ok((method.run)(&call)?)
    }
}
