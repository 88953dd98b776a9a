//! A built-in as a value that can be called.

use std::fmt;

use allocative::Allocative;
use starlark::any::ProvidesStaticType;
use starlark::eval::{Arguments, Evaluator};
use starlark::starlark_simple_value;
use starlark::values::{NoSerialize, StarlarkPagablePanic, StarlarkValue, Value, starlark_value};

use crate::bound_kinds;
use crate::call::{Arg, Builtin, Call};
use crate::fault::{Fault, Outcome};
use crate::model::LocalPath;
use crate::session::Session;
use crate::signature::{NO_ARGUMENTS, Signature};

/// A built-in that can be called.
#[derive(ProvidesStaticType, NoSerialize, Allocative, StarlarkPagablePanic)]
pub(crate) struct Function {
    #[allocative(skip)]
    builtin: &'static Builtin,
    #[allocative(skip)]
    signature: Signature,
    #[allocative(skip)]
    owner: Option<LocalPath>,
    /// Whether it only computes, so that it can be called at any time.
    is_pure: bool,
}

starlark_simple_value!(Function);

impl Function {
    pub(crate) fn new(builtin: &'static Builtin) -> Self {
        Self {
            builtin,
            signature: Signature::parse(builtin.signature),
            owner: None,
            is_pure: false,
        }
    }

    /// Returns one that only computes.
    pub(crate) fn pure(builtin: &'static Builtin) -> Self {
        Self {
            is_pure: true,
            ..Self::new(builtin)
        }
    }

    /// Returns a method of the git repository at a path.
    pub(crate) fn method(builtin: &'static Builtin, owner: LocalPath) -> Self {
        Self {
            owner: Some(owner),
            ..Self::new(builtin)
        }
    }
}

impl Function {
    fn call<'v>(&self, args: &Arguments<'v, '_>, eval: &mut Evaluator<'v, '_, '_>) -> Outcome<Value<'v>> {
        let (name, heap) = (self.builtin.name, eval.heap());
        let kinds = bound_kinds::of(name);
        let bound = self
            .signature
            .bind(name, args, heap, |position, value, by_keyword| {
                let is_it = |(parameter, _): &&(&str, _)| self.signature.index(parameter) == Some(position);
                let Some((parameter, kind)) = kinds.iter().find(is_it) else {
                    return Ok(());
                };
                let session = Session::of(eval);
                let site = session.call_site(eval);
                let value = (value, by_keyword);
                kind.check(
                    &Arg::bound((name, parameter), position, value, heap, site),
                    session,
                )
            })?;
        let mut call = Call {
            builtin: self.builtin,
            signature: &self.signature,
            bound,
            owner: self.owner.as_ref(),
            eval,
        };
        (self.builtin.run)(&mut call)
    }
}

impl fmt::Debug for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl fmt::Display for Function {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<built-in function {}>", self.builtin.name)
    }
}

#[starlark_value(type = "builtin_function_or_method")]
impl<'v> StarlarkValue<'v> for Function {
    fn name_for_call_stack(&self, _me: Value<'v>) -> String {
        self.builtin.name.to_owned()
    }

    fn invoke(
        &self,
        _me: Value<'v>,
        args: &Arguments<'v, '_>,
        eval: &mut Evaluator<'v, '_, '_>,
    ) -> starlark::Result<Value<'v>> {
        let name = self.builtin.name;
        let session = Session::of(eval);
        if session.naming_runs.get() && !self.is_pure {
            return Err(Fault::new(format!(
                "{name} cannot be called by the function of workload_to_resource_function"
            ))
            .into());
        }
        let running = session.call_begins(name, args, eval.heap());
        let way = session.way_into_file(name, eval);
        let result = session.below(way, || self.call(args, eval));
        session.call_ends(running);
        match result {
            Ok(value) => Ok(value),
            // It is the caller's, who did not call then.
            Err(fault) if fault.to_string().starts_with(NO_ARGUMENTS) => Err(fault.into()),
            Err(fault) => {
                session.defer(name, fault, &eval.call_stack())?;
                Ok(Value::new_none())
            }
        }
    }
}
