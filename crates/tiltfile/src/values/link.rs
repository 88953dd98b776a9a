//! The value that `link()` returns.

use std::fmt;

use allocative::Allocative;
use starlark::any::ProvidesStaticType;
use starlark::starlark_simple_value;
use starlark::values::{Heap, NoSerialize, StarlarkPagablePanic, StarlarkValue, Value, starlark_value};

use crate::model::Link;

/// A link, which looks like a struct with `name` and `url`.
#[derive(Clone, Debug, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct LinkValue {
    #[allocative(skip)]
    pub(crate) link: Link,
}

starlark_simple_value!(LinkValue);

impl fmt::Display for LinkValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Link { url, name } = &self.link;
        write!(f, "link(name = {name:?}, url = {:?})", url.to_string())
    }
}

#[starlark_value(type = "struct")]
impl<'v> StarlarkValue<'v> for LinkValue {
    fn get_attr(&self, attribute: &str, heap: Heap<'v>) -> Option<Value<'v>> {
        match attribute {
            "name" => Some(heap.alloc(self.link.name.as_str())),
            "url" => Some(heap.alloc(self.link.url.to_string())),
            _ => None,
        }
    }

    fn dir_attr(&self) -> Vec<String> {
        vec!["name".to_owned(), "url".to_owned()]
    }
}
