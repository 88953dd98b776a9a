//! The module `v1alpha1`: objects of the API `tilt.dev/v1alpha1`, and the parts they are made of.
//!
//! `shapes` lists them all, `construct` makes them. A constructor of a part checks its arguments and returns them as a dict; a plain dict does
//! as well wherever a part is expected. A constructor of an object registers it with the load.

mod construct;
mod shape;
mod shapes;
mod unpack;
mod validate;

use crate::values::Members;

pub(super) static V1ALPHA1: Members = Members {
    name: "v1alpha1",
    functions: shapes::CONSTRUCTORS,
    texts: &[],
    values: &[],
    modules: &[],
};

/// Returns the arguments of a constructor with their types.
pub(super) fn described_arguments(constructor: &str) -> Vec<(&'static str, String)> {
    let Some((shape, kind)) = shapes::made_by(constructor) else {
        return Vec::new();
    };
    let of_objects = [
        ("name", "string"),
        ("labels", "dict of strings, or None"),
        ("annotations", "dict of strings, or None"),
    ];
    let of_objects = of_objects.into_iter().filter(|_| kind.is_some());
    let fields = shape
        .fields
        .iter()
        .map(|field| (field.argument, field.kind.description()));
    of_objects
        .map(|(name, kind)| (name, kind.to_owned()))
        .chain(fields)
        .collect()
}
