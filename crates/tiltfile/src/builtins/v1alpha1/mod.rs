//! The module `v1alpha1`: objects of the API `tilt.dev/v1alpha1`, and the parts they are made of.
//!
//! `shapes` lists them all. A constructor of a part checks its arguments and returns them as a dict; a plain dict does
//! as well wherever a part is expected. A constructor of an object registers it with the load.

mod shapes;
mod unpack;
mod validate;

use std::collections::BTreeMap;

use starlark::values::Value;
use starlark::values::dict::AllocDict;

use self::shapes::Shape;
use self::unpack::{Given, Unfit};
use super::Members;
use crate::call::Call;
use crate::fault::{Fault, Outcome};
use crate::model::{ApiKind, ApiObject};

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

/// Makes a part: a dict of the arguments that were given.
fn construct<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let (shape, _) = shapes::made_by(call.builtin.name).expect("constructors and shapes are one table");
    let arguments = shape.fields.iter().filter_map(|field| call.get(field.argument));
    let given: Vec<(&str, Value<'v>)> = arguments.map(|arg| (arg.name, arg.value)).collect();
    let dict = call.heap().alloc(AllocDict(given));
    match unpack::part(shape, dict, &call.session().directory()) {
        Ok(_) => Ok(dict),
        Err(unfit) => Err(hinted(Fault::new(&unfit.cause), unfit)),
    }
}

/// Registers an object.
fn register<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let Some((shape, Some(kind))) = shapes::made_by(call.builtin.name) else {
        unreachable!("constructors and shapes are one table");
    };
    let name = call.required("name").text()?.to_owned();
    let texts = |name| call.get(name).map_or(Ok(BTreeMap::new()), |arg| arg.text_map());
    let object = ApiObject {
        labels: texts("labels")?,
        annotations: texts("annotations")?,
        spec: spec(call, shape)?,
    };
    let problems = validate::problems(kind, &object);
    if !problems.is_empty() {
        let fault = Fault::new(validate::joined(&problems));
        return Err(match kind {
            ApiKind::ExtensionRepo => match call.get("url") {
                Some(url) => advice_on_url(fault.at(url.place()), object.text("url")),
                None => fault,
            },
            _ => fault,
        });
    }
    let mut objects = call.session().objects.borrow_mut();
    match objects.get(kind, &name) {
        Some(earlier) if *earlier != object => Err(Fault::new(format!(
            "{} \"{name}\" already registered",
            kind.plural()
        ))),
        _ => {
            objects.insert(kind, &name, object);
            Ok(Value::new_none())
        }
    }
}

fn spec(
    call: &Call<'_, '_, '_, '_>,
    shape: &'static Shape,
) -> Outcome<serde_json::Map<String, serde_json::Value>> {
    let mut given = Given::new(shape, call.session().directory());
    for (at, field) in shape.fields.iter().enumerate() {
        if let Some(arg) = call.get(field.argument) {
            given.set(at, arg.value);
        }
    }
    given.fields().map_err(|(field, unfit)| {
        let arg = call.required(field.argument);
        hinted(arg.unfit(&unfit.cause), unfit)
    })
}

fn hinted(fault: Fault, unfit: Unfit) -> Fault {
    match unfit.hint {
        Some(hint) => fault.hint(hint),
        None => fault,
    }
}

/// Says how to write a URL of git's short form.
fn advice_on_url(fault: Fault, url: &str) -> Fault {
    let short = url.split_once('@').and_then(|(_, rest)| rest.split_once(':'));
    match short {
        Some((host, path)) => {
            let path = path.trim_end_matches(".git");
            fault.hint(format!(
                "write it as https://{host}/{path}; git's own settings say how it is fetched"
            ))
        }
        None => fault,
    }
}
