//! What `elems()`, `codepoints()` and their kin return: the parts of a text or of bytes, one by one.

use std::fmt;

use allocative::Allocative;
use starlark::any::ProvidesStaticType;
use starlark::coerce::Coerce;
use starlark::eval::{Arguments, Evaluator};
use starlark::values::bytes::StarlarkBytes;
use starlark::values::{
    Freeze, FreezeResult, Heap, NoSerialize, StarlarkPagablePanic, StarlarkValue, Trace, Value,
    ValueLifetimeless, ValueLike, starlark_value,
};
use starlark::{starlark_complex_value, starlark_simple_value};

use crate::fault::Fault;
use crate::model::octets::{bytes_of, joined, stray, text_of};
use crate::model::write_quoted;

/// Which parts of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Allocative)]
pub(super) enum Parts {
    /// Bytes, as text.
    Elems,
    /// Bytes, as numbers.
    ElemOrds,
    /// Characters.
    Codepoints,
    /// Characters, as numbers.
    CodepointOrds,
}

impl Parts {
    fn method(self) -> &'static str {
        match self {
            Self::Elems => "elems",
            Self::ElemOrds => "elem_ords",
            Self::Codepoints => "codepoints",
            Self::CodepointOrds => "codepoint_ords",
        }
    }
}

/// The parts of a text.
#[derive(Clone, Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct TextItems {
    text: String,
    #[allocative(skip)]
    parts: Parts,
}

starlark_simple_value!(TextItems);

impl TextItems {
    pub(super) fn new(text: &str, parts: Parts) -> Self {
        Self {
            text: joined(text).into_owned(),
            parts,
        }
    }

    /// Returns what `type()` says.
    pub(crate) fn kind(&self) -> &'static str {
        match self.parts {
            Parts::Elems | Parts::ElemOrds => "string.elems",
            Parts::Codepoints | Parts::CodepointOrds => "string.codepoints",
        }
    }

    fn all<'v>(&self, heap: Heap<'v>) -> Vec<Value<'v>> {
        match self.parts {
            Parts::Elems => {
                let bytes = bytes_of(&self.text);
                bytes.iter().map(|byte| heap.alloc(text_of(&[*byte]))).collect()
            }
            Parts::ElemOrds => {
                let bytes = bytes_of(&self.text);
                bytes.iter().map(|byte| heap.alloc(i32::from(*byte))).collect()
            }
            Parts::Codepoints => self.text.chars().map(|c| heap.alloc(c.to_string())).collect(),
            Parts::CodepointOrds => {
                let code = |c: char| stray(c).map_or(c, |_| char::REPLACEMENT_CHARACTER) as u32;
                self.text.chars().map(|c| heap.alloc(code(c))).collect()
            }
        }
    }
}

impl fmt::Display for TextItems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut quoted = String::new();
        write_quoted(&self.text, &mut quoted);
        write!(f, "{quoted}.{}()", self.parts.method())
    }
}

#[starlark_value(type = "string.elems")]
impl<'v> StarlarkValue<'v> for TextItems {
    fn to_bool(&self) -> bool {
        true
    }

    fn length(&self) -> starlark::Result<i32> {
        match self.parts {
            Parts::Elems | Parts::ElemOrds => {
                Ok(i32::try_from(bytes_of(&self.text).len()).unwrap_or(i32::MAX))
            }
            _ => Err(Fault::new("len: value of type string.codepoints has no len").into()),
        }
    }

    fn at(&self, index: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        if self.kind() != "string.elems" {
            return Err(Fault::new(format!("unhandled index operation {}", self.kind())).into());
        }
        heap.alloc(starlark::values::list::AllocList(self.all(heap)))
            .at(index, heap)
    }

    fn iterate_collect(&self, heap: Heap<'v>) -> starlark::Result<Vec<Value<'v>>> {
        Ok(self.all(heap))
    }
}

/// `b.elems`, and what calling it returns: the bytes as numbers.
#[derive(Clone, Debug, Coerce, Trace, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
#[repr(C)]
pub(crate) struct BytesItemsGen<V: ValueLifetimeless> {
    bytes: V,
    is_method: bool,
}

starlark_complex_value!(pub(crate) BytesItems);

impl<'v> BytesItems<'v> {
    /// Returns the method `elems` of bytes.
    pub(super) fn method(bytes: Value<'v>) -> Self {
        Self {
            bytes,
            is_method: true,
        }
    }

    /// Returns whether it is the method, not what calling it returned.
    pub(crate) fn is_method(&self) -> bool {
        self.is_method
    }
}

impl<'v> Freeze for BytesItems<'v> {
    type Frozen = FrozenBytesItems;

    fn freeze(self, freezer: &starlark::values::Freezer) -> FreezeResult<FrozenBytesItems> {
        Ok(BytesItemsGen {
            bytes: self.bytes.freeze(freezer)?,
            is_method: self.is_method,
        })
    }
}

impl<V: ValueLifetimeless + fmt::Display> fmt::Display for BytesItemsGen<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_method {
            f.write_str("<built-in method elems of bytes value>")
        } else {
            write!(f, "{}.elems()", self.bytes)
        }
    }
}

#[starlark_value(type = "bytes.elems")]
impl<'v, V: ValueLike<'v>> StarlarkValue<'v> for BytesItemsGen<V>
where
    Self: ProvidesStaticType<'v>,
{
    fn name_for_call_stack(&self, _me: Value<'v>) -> String {
        "elems".to_owned()
    }

    fn to_bool(&self) -> bool {
        true
    }

    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        if !self.is_method {
            return Err(Fault::new("invalid call of non-function (bytes.elems)").into());
        }
        let heap = eval.heap();
        if args.positions(heap)?.next().is_some() || !args.names_map()?.is_empty() {
            return Err(Fault::new("elems: got 1 arguments, want at most 0").into());
        }
        Ok(heap.alloc(BytesItems {
            bytes: self.bytes.to_value(),
            is_method: false,
        }))
    }

    fn length(&self) -> starlark::Result<i32> {
        self.bytes.to_value().length()
    }

    fn at(&self, index: Value<'v>, heap: Heap<'v>) -> starlark::Result<Value<'v>> {
        self.bytes.to_value().at(index, heap)
    }

    fn iterate_collect(&self, heap: Heap<'v>) -> starlark::Result<Vec<Value<'v>>> {
        let bytes = StarlarkBytes::from_value(self.bytes.to_value()).filter(|_| !self.is_method);
        let Some(bytes) = bytes else {
            return Err(Fault::new("builtin_function_or_method value is not iterable").into());
        };
        Ok(bytes
            .as_bytes()
            .iter()
            .map(|byte| heap.alloc(i32::from(*byte)))
            .collect())
    }
}
