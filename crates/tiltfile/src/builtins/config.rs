//! The module `config`: settings of a project, and which resources run.

use starlark::values::Value;
use starlark::values::dict::AllocDict;

use crate::call::{Arg, Builtin, Call};
use crate::config;
use crate::config::settings::{Chosen, Kind, Setting};
use crate::data;
use crate::fault::{Fault, Outcome};
use crate::kinds::{elements, go_type};
use crate::values::{Members, ModuleValue};

/// The parameters of every `config.define_*`.
const DEFINITION: &str = "name, args=False, usage=''";

pub(super) static CONFIG: Members = Members {
    name: "config",
    functions: &[
        Builtin {
            name: "config.clear_enabled_resources",
            signature: "",
            doc: "Runs no resource until a user enables one.",
            run: clear_enabled_resources,
        },
        Builtin {
            name: "config.define_bool",
            signature: DEFINITION,
            doc: "Defines a setting that is true or false. Args: `name` (string); `args` (bool): whether it takes the \
                  arguments that belong to no flag; `usage` (string).",
            run: |call| define(call, Kind::Boolean),
        },
        Builtin {
            name: "config.define_object",
            signature: DEFINITION,
            doc: "Defines a setting that is any JSON. Args: `name` (string); `args` (bool): whether it takes the \
                  argument that belongs to no flag; `usage` (string).",
            run: |call| define(call, Kind::Object),
        },
        Builtin {
            name: "config.define_string",
            signature: DEFINITION,
            doc: "Defines a setting that is a string. Args: `name` (string); `args` (bool): whether it takes the \
                  argument that belongs to no flag; `usage` (string).",
            run: |call| define(call, Kind::Text),
        },
        Builtin {
            name: "config.define_string_list",
            signature: DEFINITION,
            doc: "Defines a setting that is a list of strings. Args: `name` (string); `args` (bool): whether it takes \
                  the arguments that belong to no flag; `usage` (string).",
            run: |call| define(call, Kind::TextList),
        },
        Builtin {
            name: "config.parse",
            signature: "",
            doc: "Returns a dict of the settings that were given, in `tilt_config.json` beside this file or, which wins, \
                  on the command line. The others are not in it.",
            run: parse,
        },
        Builtin {
            name: "config.set_enabled_resources",
            signature: "resources",
            doc: "Runs only these resources and what they depend on; an empty list means all. Args: `resources` (list of \
                  strings).",
            run: set_enabled_resources,
        },
    ],
    texts: &[],
    values: &[
        ("main_dir", ModuleValue::MainDir),
        ("main_path", ModuleValue::MainPath),
        ("tilt_subcommand", ModuleValue::Subcommand),
    ],
    modules: &[],
};

fn define<'v>(call: &mut Call<'v, '_, '_, '_>, kind: Kind) -> Outcome<Value<'v>> {
    let builtin = call.builtin.name;
    let arg = call.required("name");
    let setting = Setting {
        name: arg.text()?.to_owned(),
        kind,
        is_positional: call.get("args").map_or(Ok(false), |arg| arg.boolean())?,
        usage: call.get("usage").map_or(Ok(""), |arg| arg.text())?.to_owned(),
    };
    let refuse = |message: String| Err(Fault::new(message).at(arg.place()));
    let mut state = call.session().config.borrow_mut();
    if setting.name.is_empty() {
        return refuse("'name' is required".to_owned());
    }
    if state.parsed_in.is_some() {
        return refuse(format!("{builtin} cannot be called after config.parse is called"));
    }
    if state.defined.iter().any(|other| other.name == setting.name) {
        return refuse(format!("{} defined multiple times", setting.name));
    }
    let other = state.defined.iter().find(|other| other.is_positional);
    if let Some(other) = other.filter(|_| setting.is_positional) {
        return refuse(format!(
            "both {} and {} are defined as positional args",
            setting.name, other.name
        ));
    }
    state.defined.push(setting);
    Ok(Value::new_none())
}

fn parse<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let session = call.session();
    let directory = session.directory();
    let earlier = session.config.borrow_mut().parsed_in.replace(directory.clone());
    if let Some(earlier) = earlier.filter(|earlier| *earlier != directory) {
        return Err(Fault::new(format!(
            "config.parse can only be called from one Tiltfile working directory per run. It was called from {earlier} \
             and {directory}"
        )));
    }
    let mut values = config::parse(session)?;
    let heap = call.heap();
    let state = session.config.borrow();
    let mut entries = Vec::with_capacity(values.len());
    for setting in &state.defined {
        if let Some(value) = values.remove(&setting.name) {
            entries.push((setting.name.as_str(), data::alloc_with_floats(&value, heap)));
        }
    }
    Ok(heap.alloc(AllocDict(entries)))
}

fn set_enabled_resources<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let names = names(&call.required("resources"))?;
    call.session().config.borrow_mut().chosen = if names.is_empty() {
        Chosen::NotSaid
    } else {
        Chosen::Named(names)
    };
    Ok(Value::new_none())
}

fn names(arg: &Arg<'_>) -> Outcome<Vec<String>> {
    let Some(items) = elements(arg.value, arg.heap) else {
        return arg.strings();
    };
    let name = |item: Value<'_>| {
        item.unpack_str().map(str::to_owned).ok_or_else(|| {
            let (shown, got) = (item.to_str(), go_type(item));
            Fault::new(format!(
                "resources must be a list of string: '{shown}' is a {got}, not a string"
            ))
            .at(arg.place())
        })
    };
    items.into_iter().map(name).collect()
}

fn clear_enabled_resources<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    call.session().config.borrow_mut().chosen = Chosen::Nothing;
    Ok(Value::new_none())
}
