//! How long each call of a built-in took.

use std::time::Instant;

use starlark::eval::Arguments;
use starlark::values::{Heap, Value};

use super::loaded::BuiltinCall;
use super::session::Session;

/// An argument is shown up to this length, in characters.
const LONGEST: usize = 80;

/// A call of a built-in that runs.
pub(super) struct Running {
    name: &'static str,
    arguments: String,
    began: Instant,
}

impl Session<'_> {
    /// Notes that a call begins, if calls are timed.
    pub(super) fn call_begins<'v>(
        &self,
        name: &'static str,
        arguments: &Arguments<'v, '_>,
        heap: Heap<'v>,
    ) -> Option<Running> {
        let clock = self.request.clock?;
        self.reused.set(false);
        Some(Running {
            name,
            arguments: shown(arguments, heap),
            began: clock(),
        })
    }

    /// Notes that a call has ended.
    pub(super) fn call_ends(&self, running: Option<Running>) {
        let (Some(running), Some(clock)) = (running, self.request.clock) else {
            return;
        };
        self.calls.borrow_mut().push(BuiltinCall {
            name: running.name,
            arguments: running.arguments,
            took: clock().duration_since(running.began),
            reused: self.reused.take(),
        });
    }
}

fn shown<'v>(arguments: &Arguments<'v, '_>, heap: Heap<'v>) -> String {
    let positions = arguments.positions(heap).into_iter().flatten().map(short);
    let names = arguments.names_map().into_iter().flatten();
    let names = names.map(|(name, value)| format!("{}={}", name.as_str(), short(value)));
    let all: Vec<String> = positions.chain(names).collect();
    all.join(", ")
}

fn short(value: Value<'_>) -> String {
    let text = value.to_repr();
    match text.char_indices().nth(LONGEST) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}
