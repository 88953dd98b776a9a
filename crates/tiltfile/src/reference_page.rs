//! The page `docs/tiltfile.md`, made of the built-ins' own signatures and docstrings.

use std::fmt::Write;

use super::builtins;
use super::call::Builtin;
use super::values::{Member, Members};

/// A signature longer than this is written with one parameter per line.
const WIDTH: usize = 100;

const INTRODUCTION: &str = "\
# Tiltfile reference

<!-- Made from the code (`src/tiltfile/builtins`): change it there, then run `UPDATE_DOCS=1 cargo test --test it documentation`. -->

Every name that a Tiltfile can use beside those of the language, which is Starlark. Programs written for Tilt 0.37 mean
the same here; `differences.md` lists the exceptions.

In a signature `x` is required and `x=D` is optional with the default `D`; `x=?` is optional and unset by default. What
precedes `/` is given by position only, what follows `*` by keyword only, everything else by either. `None` is accepted only
where it says so.

- A **path** is relative to the directory of the file whose top level is executing, or absolute.
- A **command** is a string, run by `sh -c`, or a list of strings, run as it is.
- A **blob** is text that knows where it came from: what `blob()`, `read_file()` or `local()` return. It does where YAML or
  a string is wanted, unless it says string only.
- A **duration** is a string such as `30s` or `1h30m`.
- A **label** is a string that is valid as name and as value of a Kubernetes label.

Also there: the statement `load('path', 'name', other='name')`, whose path may be `ext://NAME` for an extension; the strings
`__file__` (the path of this file) and `__name__` (`__main__` in the Tiltfile itself); and the constants
`TRIGGER_MODE_AUTO` and `TRIGGER_MODE_MANUAL`.
";

/// Returns the page.
pub fn reference_page() -> String {
    let mut page = INTRODUCTION.to_owned();
    let mut functions: Vec<&Builtin> = builtins::functions()
        .filter(|builtin| is_name(builtin.name))
        .collect();
    functions.sort_by_key(|builtin| builtin.name);
    page.push_str("\n## Functions\n");
    for builtin in functions {
        function(&mut page, builtin);
    }
    let mut modules: Vec<&'static Members> = builtins::modules().collect();
    modules.sort_by_key(|members| members.name);
    for members in modules {
        module(&mut page, members);
    }
    page
}

/// Operators are built-ins too, but nobody writes their names.
fn is_name(name: &str) -> bool {
    !name.starts_with("__")
}

fn function(page: &mut String, builtin: &Builtin) {
    let name = builtin.name;
    let _ = write!(
        page,
        "\n### {name}\n\n```python\n{}\n```\n\n{}\n",
        signature(builtin),
        builtin.doc
    );
    let arguments = builtins::described_arguments(name);
    if !arguments.is_empty() {
        page.push('\n');
    }
    for (name, kind) in arguments {
        let _ = writeln!(page, "- `{name}`: {kind}");
    }
}

fn signature(builtin: &Builtin) -> String {
    let parameters = builtins::parameters(builtin.signature);
    let line = format!("{}({})", builtin.name, parameters.join(", "));
    if line.len() <= WIDTH {
        return line;
    }
    let parameters: Vec<String> = parameters
        .iter()
        .map(|parameter| format!("    {parameter},\n"))
        .collect();
    format!("{}(\n{})", builtin.name, parameters.concat())
}

fn module(page: &mut String, members: &'static Members) {
    let _ = writeln!(page, "\n## Module {}", members.name);
    let mut functions: Vec<&Builtin> = Vec::new();
    let mut others: Vec<String> = Vec::new();
    let mut modules: Vec<&'static Members> = Vec::new();
    for (name, member) in members.all() {
        match member {
            Member::Function(builtin) => functions.push(builtin),
            Member::Text(_) => others.push(format!("- `{}.{name}` (string)\n", members.name)),
            Member::Value(value) => {
                others.push(format!("- `{}.{name}` ({})\n", members.name, value.doc()));
            }
            Member::Module(inner) => modules.push(inner),
        }
    }
    if !others.is_empty() {
        others.sort();
        let _ = write!(page, "\n{}", others.concat());
    }
    functions.sort_by_key(|builtin| builtin.name);
    for builtin in functions {
        function(page, builtin);
    }
    for inner in modules {
        module(page, inner);
    }
}
