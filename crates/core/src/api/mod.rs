//! The API of a session, as data: objects of the group `tilt.dev`, what clients may do with them, and what they get.
//!
//! [`Store`] holds the objects and the history of their changes. A body that a client sends is read by `decode`, patched by
//! `patch` or, where somebody applies, `managed`, chosen by `selector` and shown by `table`; what is wrong is an [`ApiError`]. `objects` makes the objects that
//! show what the engine does, `shown` knows which of them have to be written. No server, no clock: the time and the UID of a new object are arguments.

mod button_hash;
mod changes;
mod clicks;
mod decode;
mod docs;
mod error;
mod kind;
mod managed;
mod objects;
pub mod openapi;
mod patch;
mod secrets;
mod selector;
mod shown;
mod store;
mod table;
mod three_way;
mod validate;
mod write;

#[cfg(test)]
mod tests;

pub use changes::{Change, ChangeKind};
pub use clicks::{Wish, wishes};
pub use error::{ApiError, Reason};
pub use kind::{GROUP, KINDS, Kind, VERBS, VERSION};
pub use objects::SessionFacts;
pub use patch::{PatchType, apply as apply_patch};
pub use selector::{FieldSelector, LabelSelector, Selection};
pub use shown::{News, Shown};
pub use store::{Store, list_body};
pub use table::table;
pub use three_way::{LAST_APPLIED, last_applied, three_way_patch, with_last_applied};
pub use write::{Part, Write};
