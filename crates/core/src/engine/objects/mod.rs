//! Objects of the API that users make: what a Tiltfile registers, and what is written to the API.
//!
//! Both are rows of one table (`state::objects`) and run by one way. In `changes` they come, change and go; what each kind
//! does is in a file of its own: `cmd`, `file_watch`, `toggle`, `forward`, `apply`, `discovery`. What starts and stops them
//! (clicks, files, config maps) only notes that all have to be looked at again; [`refresh`] does that, once after each event.
//!
//! Rule: `docs/rules/api.md`, "Ownership".

mod apply;
mod changes;
mod cmd;
mod disable;
mod discovery;
mod file_watch;
mod forward;
mod show;
mod toggle;

pub(crate) use apply::on_finished as on_applied;
pub(super) use changes::{namespaces, on_clicked, on_declared, on_written, refresh};
pub(crate) use cmd::{on_changed as on_command_changed, run_status, servers};
pub(crate) use discovery::on_pod;
pub(crate) use file_watch::{note as note_change, note_declared, note_watched, watched};
pub(crate) use forward::{forwards, on_changed as on_forward_changed, on_opened};
pub(crate) use show::refresh as refresh_shown;
