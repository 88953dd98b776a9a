//! The evaluation of a Tiltfile in a session: the lines around it, this machine as a Tiltfile sees it, and the git
//! repositories of extensions.
//!
//! What a Tiltfile says is the evaluator's to know; this room is its [`Host`](crate::tiltfile::Host).

mod git_checkouts;
mod host;
pub mod load;
mod stored_files;

pub use git_checkouts::GitCheckouts;
pub use host::RealHost;
