//! Makes parts and registers objects, from the arguments of a call and the shape of what is made.

use std::collections::BTreeMap;

use starlark::values::Value;
use starlark::values::dict::AllocDict;

use super::shape::Shape;
use super::unpack::{self, Given, Unfit};
use super::validate;
use crate::call::Call;
use crate::fault::{Fault, Outcome};
use crate::model::{ApiKind, ApiObject};

/// Makes a part: a dict of the arguments that were given.
pub(super) fn construct<'v>(call: &mut Call<'v, '_, '_, '_>, shape: &'static Shape) -> Outcome<Value<'v>> {
    let arguments = shape.fields.iter().filter_map(|field| call.get(field.argument));
    let given: Vec<(&str, Value<'v>)> = arguments.map(|arg| (arg.name, arg.value)).collect();
    let dict = call.heap().alloc(AllocDict(given));
    match unpack::part(shape, dict, &call.session().directory()) {
        Ok(_) => Ok(dict),
        Err(unfit) => Err(hinted(Fault::new(&unfit.cause), unfit)),
    }
}

/// Registers an object of a kind.
pub(super) fn register<'v>(
    call: &mut Call<'v, '_, '_, '_>,
    shape: &'static Shape,
    kind: ApiKind,
) -> Outcome<Value<'v>> {
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
