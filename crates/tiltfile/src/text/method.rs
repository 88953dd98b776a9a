//! Methods of strings as values that can be called.

use std::fmt;
use std::sync::LazyLock;

use allocative::Allocative;
use starlark::any::ProvidesStaticType;
use starlark::coerce::Coerce;
use starlark::eval::{Arguments, Evaluator};
use starlark::starlark_complex_value;
use starlark::values::{
    Freeze, FreezeResult, NoSerialize, StarlarkPagablePanic, StarlarkValue, StringValue, Trace, Value,
    ValueLifetimeless, ValueLike, starlark_value,
};

use super::methods::METHODS;
use super::text_call::TextCall;
use crate::fault::Fault;
use crate::signature::Signature;

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
        let bound = SIGNATURES[self.at].bind(method.name, args, eval.heap(), |_, _, _| Ok(()))?;
        let call = TextCall {
            name: method.name,
            text,
            heap: eval.heap(),
            bound,
        };
        Ok((method.run)(&call)?)
    }
}
