//! One call of a built-in: its arguments, converted by the kinds of section 1.8, and the errors they give.

use starlark::eval::Evaluator;
use starlark::values::{Heap, Value};

use super::fault::{Fault, Outcome};
use super::session::Session;
use super::signature::{Bound, Signature};
use crate::assembly::CallSite;
use crate::model::LocalPath;

/// A built-in function.
pub(super) struct Builtin {
    /// Its name, with its module: `os.getenv`.
    pub(super) name: &'static str,
    /// Its parameters, as in its documentation.
    pub(super) signature: &'static str,
    /// What it does, for the documentation.
    pub(super) doc: &'static str,
    /// Does it.
    pub(super) run: Run,
}

/// The implementation of a built-in.
pub(super) type Run = for<'v, 'a, 'e, 'c> fn(&mut Call<'v, 'a, 'e, 'c>) -> Outcome<Value<'v>>;

/// One call of a built-in.
pub(super) struct Call<'v, 'a, 'e, 'c> {
    pub(super) builtin: &'static Builtin,
    pub(super) signature: &'c Signature,
    pub(super) bound: Bound<'v>,
    /// The git repository that this is a method of.
    pub(super) owner: Option<&'c LocalPath>,
    pub(super) eval: &'c mut Evaluator<'v, 'a, 'e>,
}

/// One argument of a call.
pub(super) struct Arg<'v> {
    pub(super) value: Value<'v>,
    pub(super) name: &'static str,
    pub(super) builtin: &'static str,
    pub(super) heap: Heap<'v>,
    by_keyword: bool,
    position: usize,
    site: CallSite,
}

impl<'v, 'a, 'e> Call<'v, 'a, 'e, '_> {
    pub(super) fn session(&self) -> &'a Session<'e> {
        Session::of(self.eval)
    }

    pub(super) fn heap(&self) -> Heap<'v> {
        self.eval.heap()
    }

    /// Returns where this call stands.
    pub(super) fn site(&self) -> CallSite {
        self.session().call_site(self.eval)
    }

    /// Returns an argument; `None` when it was not given.
    pub(super) fn get(&self, name: &'static str) -> Option<Arg<'v>> {
        let position = self
            .signature
            .index(name)
            .expect("a built-in asks for its own parameters");
        let (value, by_keyword) = self.bound.get(position)?;
        Some(Arg {
            value,
            name,
            builtin: self.builtin.name,
            heap: self.heap(),
            by_keyword,
            position,
            site: self.site(),
        })
    }

    /// Returns an argument that the signature requires.
    pub(super) fn required(&self, name: &'static str) -> Arg<'v> {
        self.get(name).expect("binding refuses calls without it")
    }

    /// Returns a fault of this call; `<builtin>: ` is put before the message.
    pub(super) fn fault(&self, message: impl AsRef<str>) -> Fault {
        Fault::new(format!("{}: {}", self.builtin.name, message.as_ref()))
    }
}

impl<'v> Arg<'v> {
    /// Returns an argument of a call that is still being bound.
    pub(super) fn bound(
        (builtin, name): (&'static str, &'static str),
        position: usize,
        (value, by_keyword): (Value<'v>, bool),
        heap: Heap<'v>,
        site: CallSite,
    ) -> Self {
        Self {
            value,
            name,
            builtin,
            heap,
            by_keyword,
            position,
            site,
        }
    }

    /// Returns where the argument is written.
    pub(super) fn place(&self) -> crate::diag::Place {
        self.site.argument(self.name, self.position)
    }

    /// Returns the fault that this argument does not fit its parameter, in Go's words.
    pub(super) fn unfit(&self, cause: impl AsRef<str>) -> Fault {
        let quote = if self.by_keyword { "\"" } else { "" };
        Fault::new(format!(
            "{}: for parameter {quote}{}{quote}: {}",
            self.builtin,
            self.name,
            cause.as_ref()
        ))
        .at(self.place())
    }

    /// Marks this argument as the cause of a fault that has no place yet.
    pub(super) fn mark(&self, fault: Fault) -> Fault {
        fault.at_least(self.place())
    }

    /// Returns a fault about this argument; `<builtin>: ` is put before the message.
    pub(super) fn fault(&self, message: impl AsRef<str>) -> Fault {
        Fault::new(format!("{}: {}", self.builtin, message.as_ref())).at(self.place())
    }
}
