//! Values made of named fields: what `struct()` and `module()` return.

use std::fmt;
use std::hash::Hash;

use allocative::Allocative;
use starlark::any::ProvidesStaticType;
use starlark::coerce::Coerce;
use starlark::collections::StarlarkHasher;
use starlark::starlark_complex_value;
use starlark::values::{
    Freeze, FreezeResult, Heap, NoSerialize, StarlarkPagablePanic, StarlarkValue, Trace, Value,
    ValueLifetimeless, ValueLike, starlark_value,
};

/// Named fields, sorted by name.
#[derive(Clone, Debug, Coerce, Trace, ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
#[repr(C)]
pub(crate) struct RecordGen<V: ValueLifetimeless> {
    /// How it is shown: `struct(a = 1)`, or `<module "name">` for a module.
    name: String,
    is_module: bool,
    fields: Vec<(String, V)>,
}

starlark_complex_value!(pub(crate) Record);

impl<'v> Record<'v> {
    /// Returns what `struct()` makes of fields; where a name comes twice, the later one counts.
    pub(crate) fn new(fields: Vec<(String, Value<'v>)>) -> Self {
        Self {
            name: "struct".to_owned(),
            is_module: false,
            fields: sorted(fields),
        }
    }

    /// Returns what `module()` makes of a name and fields.
    pub(crate) fn module(name: &str, fields: Vec<(String, Value<'v>)>) -> Self {
        Self {
            name: name.to_owned(),
            is_module: true,
            fields: sorted(fields),
        }
    }

    /// Returns its fields, sorted by name.
    pub(crate) fn fields(&self) -> impl Iterator<Item = (&str, Value<'v>)> {
        self.fields.iter().map(|(name, value)| (name.as_str(), *value))
    }

    /// Returns the name of a module.
    pub(crate) fn module_name(&self) -> Option<&str> {
        self.is_module.then_some(self.name.as_str())
    }
}

fn sorted<V>(mut fields: Vec<(String, V)>) -> Vec<(String, V)> {
    fields.reverse();
    fields.sort_by(|(left, _), (right, _)| left.cmp(right));
    fields.dedup_by(|(later, _), (earlier, _)| later == earlier);
    fields
}

impl<'v> Freeze for Record<'v> {
    type Frozen = FrozenRecord;

    fn freeze(self, freezer: &starlark::values::Freezer) -> FreezeResult<FrozenRecord> {
        let fields = self.fields.into_iter();
        let fields = fields.map(|(name, value)| Ok((name, value.freeze(freezer)?)));
        Ok(RecordGen {
            name: self.name,
            is_module: self.is_module,
            fields: fields.collect::<FreezeResult<_>>()?,
        })
    }
}

impl<V: ValueLifetimeless + fmt::Display> fmt::Display for RecordGen<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_module {
            return write!(f, "<module {:?}>", self.name);
        }
        let fields: Vec<String> = self
            .fields
            .iter()
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        write!(f, "{}({})", self.name, fields.join(", "))
    }
}

#[starlark_value(type = "struct")]
impl<'v, V: ValueLike<'v>> StarlarkValue<'v> for RecordGen<V>
where
    Self: ProvidesStaticType<'v>,
{
    fn collect_repr_cycle(&self, collector: &mut String) {
        collector.push_str("struct(...)");
    }

    fn get_attr(&self, attribute: &str, _heap: Heap<'v>) -> Option<Value<'v>> {
        let at = self
            .fields
            .binary_search_by(|(name, _)| name.as_str().cmp(attribute))
            .ok()?;
        Some(self.fields[at].1.to_value())
    }

    fn dir_attr(&self) -> Vec<String> {
        self.fields.iter().map(|(name, _)| name.clone()).collect()
    }

    fn equals(&self, other: Value<'v>) -> starlark::Result<bool> {
        let Some(other) = Record::from_value(other) else {
            return Ok(false);
        };
        let same_kind = self.name == other.name && self.is_module == other.is_module;
        if !same_kind || self.fields.len() != other.fields.len() {
            return Ok(false);
        }
        for ((name, value), (other_name, other_value)) in self.fields.iter().zip(&other.fields) {
            if name != other_name || !value.to_value().equals(*other_value)? {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn write_hash(&self, hasher: &mut StarlarkHasher) -> starlark::Result<()> {
        for (name, value) in &self.fields {
            name.hash(hasher);
            value.write_hash(hasher)?;
        }
        Ok(())
    }

    /// The fields of both; those of the right one win.
    fn add(&self, other: Value<'v>, heap: Heap<'v>) -> Option<starlark::Result<Value<'v>>> {
        let other = Record::from_value(other).filter(|other| !other.is_module && !self.is_module)?;
        let own = self.fields.iter();
        let own = own.map(|(name, value)| (name.clone(), value.to_value()));
        let fields = own.chain(other.fields.iter().cloned()).collect();
        Some(Ok(heap.alloc(Record::new(fields))))
    }
}
