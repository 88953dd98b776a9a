//! Common errors in Go's words: people search for those.

use super::builtins::{functions, is_unsupported_attribute, modules};
use super::fault::Fault;
use crate::diag::nearest;

/// Returns an error of the running file in Go's words. `written` is the expression that failed.
pub(super) fn runtime(text: &str, written: &str) -> Fault {
    if text.contains("has no attribute") && is_unsupported_attribute(written.trim()) {
        return Fault::new(format!("{} is not supported by this version yet", written.trim()));
    }
    Fault::new(text)
}

/// Returns an error found before the file runs in Go's words. `written` is what is wrong, `assigned` the file's names.
pub(super) fn before_running(text: &str, written: &str, assigned: &[String]) -> Fault {
    if text.starts_with("Variable") && text.contains("not found") {
        return undefined(written, assigned);
    }
    Fault::new(text)
}

/// As in Tilt only the file's own names are suggested in the message; a built-in may be meant too, which a hint says.
fn undefined(name: &str, assigned: &[String]) -> Fault {
    let own = nearest(name, assigned.iter().map(String::as_str));
    let suffix = own.map(|near| format!(" (did you mean {near}?)"));
    let fault = Fault::new(format!("undefined: {name}{}", suffix.unwrap_or_default()));
    if own.is_some() {
        return fault;
    }
    let builtins = functions()
        .map(|builtin| builtin.name)
        .chain(modules().map(|members| members.name));
    match nearest(name, builtins) {
        Some(near) => fault.hint(format!("did you mean the built-in {near}?")),
        None => fault,
    }
}
