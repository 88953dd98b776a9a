//! The objects of the API that users made: a row for each, with what it was said to be and what it does.

pub(crate) mod apply;
pub(crate) mod cmd;
pub(crate) mod disable;
pub(crate) mod ports;
pub(crate) mod spec;
pub(crate) mod table;
pub(crate) mod watches;

pub(crate) use disable::Disable;
pub(crate) use table::Objects;
pub(crate) use watches::{DeclaredWatch, WatchEvents};
