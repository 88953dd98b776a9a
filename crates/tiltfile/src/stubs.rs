//! Python modules that declare what a Tiltfile can use, for editors and language servers: made of the built-ins' own
//! signatures and docstrings.

use std::fmt::Write;

use super::builtins;
use super::call::Builtin;
use super::values::{Member, Members};

/// Returns the modules: the path of each, and its text.
pub fn stubs() -> Vec<(String, String)> {
    let mut text =
        "\"\"\"What a Tiltfile can use.\"\"\"\n\nTRIGGER_MODE_AUTO = ...\nTRIGGER_MODE_MANUAL = ...\n"
            .to_owned();
    let mut functions: Vec<&Builtin> = builtins::functions()
        // Operators are built-ins too, but nobody writes their names.
        .filter(|builtin| !builtin.name.starts_with("__"))
        .collect();
    functions.sort_by_key(|builtin| builtin.name);
    for builtin in functions {
        function(&mut text, builtin);
    }
    let mut stubs = vec![("api/__init__.py".to_owned(), text)];
    for members in builtins::modules() {
        stubs.push((format!("api/{}/__init__.py", members.name), module(members)));
        for (name, member) in members.all() {
            if let Member::Module(inner) = member {
                stubs.push((format!("api/{}/{name}.py", members.name), module(inner)));
            }
        }
    }
    stubs.sort();
    stubs
}

fn module(members: &'static Members) -> String {
    let mut text = format!("\"\"\"The module {}.\"\"\"\n", members.name);
    let mut functions: Vec<&Builtin> = Vec::new();
    let mut values: Vec<String> = Vec::new();
    for (name, member) in members.all() {
        match member {
            Member::Function(builtin) => functions.push(builtin),
            Member::Text(_) => values.push(format!("{name} = ...  # string\n")),
            Member::Value(value) => values.push(format!("{name} = ...  # {}\n", value.doc())),
            Member::Module(_) => values.push(format!("from . import {name}\n")),
        }
    }
    if !values.is_empty() {
        values.sort();
        let _ = write!(text, "\n{}", values.concat());
    }
    functions.sort_by_key(|builtin| builtin.name);
    for builtin in functions {
        function(&mut text, builtin);
    }
    text
}

fn function(text: &mut String, builtin: &Builtin) {
    let name = builtin.name.rsplit('.').next().unwrap_or(builtin.name);
    let parameters = builtins::parameters(builtin.signature);
    // One that is unset by default.
    let parameters: Vec<String> = parameters
        .iter()
        .map(|parameter| match parameter.strip_suffix("=?") {
            Some(parameter) => format!("{parameter}=None"),
            None => parameter.to_string(),
        })
        .collect();
    let _ = write!(
        text,
        "\n\ndef {name}({}):\n    \"\"\"{}",
        parameters.join(", "),
        builtin.doc.replace('\\', "\\\\")
    );
    let arguments = builtins::described_arguments(builtin.name);
    for (at, (name, kind)) in arguments.into_iter().enumerate() {
        let gap = if at == 0 { "\n\n" } else { "\n" };
        let _ = write!(text, "{gap}    {name}: {kind}");
    }
    text.push_str("\n    \"\"\"\n");
}
