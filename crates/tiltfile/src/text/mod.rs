//! Text as Go's interpreter has it: a sequence of bytes, of which lengths and positions count.
//!
//! The evaluator's own strings count characters. So what looks into a string goes through functions of this room: `s[i]`,
//! `s[a:b]` and `s.method` are rewritten to calls of [`AT`], [`SLICE`] and [`METHOD`] before a file is evaluated (`source`),
//! and some built-ins are replaced. Bytes that are no UTF-8 are carried as `model::octets` says.
#![allow(
    unsafe_code,
    reason = "the derives of Starlark values expand to `unsafe impl`"
)]
#![allow(
    missing_docs,
    unreachable_pub,
    reason = "the macros of Starlark values write public items without docstrings"
)]

mod case;
mod format;
mod items;
mod method;
mod methods;
mod operators;
mod search;
mod split;
mod text_call;

pub(super) use items::{BytesItems, TextItems};
pub(super) use method::is_method_name;
pub(super) use operators::{AT, METHOD, SLICE, operators};

/// Returns whether a function stands for an operator, so that users should not see it.
pub(super) fn is_operator(name: &str) -> bool {
    [AT, METHOD, SLICE].contains(&name)
}
