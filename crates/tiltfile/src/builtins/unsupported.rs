//! What Tilt has and this version lacks. Nothing of it is silently ignored: using it is an error that names it.

use starlark::values::Value;

use super::Builtin;
use crate::call::Call;
use crate::fault::{Fault, Outcome};

pub(super) static BUILTINS: &[Builtin] = &[missing("dc_resource"), missing("docker_compose")];

/// The docstring of what is not there yet.
pub(super) const DOC: &str = "Not supported by this version yet.";

/// Returns an entry for a function that is not there yet.
pub(super) const fn missing(name: &'static str) -> Builtin {
    Builtin {
        name,
        signature: "*args, **kwargs",
        doc: DOC,
        run: refuse,
    }
}

fn refuse<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let name = call.builtin.name;
    Err(Fault::new(format!("{name} is not supported by this version yet")))
}
