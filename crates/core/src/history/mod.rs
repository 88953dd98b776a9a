//! What became of each update: why it ran, what it waited for, where its time went, and how it ended.
//!
//! Plain values that say it, and the keeper that collects them; what happened is told to the keeper by the engine, with times of
//! one clock. [`UpdateRecord`] is what readers get: the page, `tilt why`, reports and those who keep a session. Begin there.
//! Nothing here is read out of rendered text, and nothing depends on the moment at which it is read.

mod cause;
mod definition;
mod draft;
mod file;
mod file_text;
mod keeper;
mod record;
mod rule;
mod stage;
mod text;
mod time_text;
mod wait;

pub use cause::{Cause, DefinitionChange, FileCause};
pub use definition::changes;
pub use file::{FileAnswer, FileUse, IgnoredFile, NoUpdate, ProjectFiles, Save};
pub use file_text::why_file;
pub use record::{LogRange, Outcome, ResourceHistory, Result, SessionHistory, UpdateKind, UpdateRecord};
pub use rule::{Rule, rule_of};
pub use stage::{Facts, Stage, StageKind, StageTime};
pub use text::{Look, why};
pub use wait::{Wait, WaitReason, Waits};

pub(crate) use draft::{Draft, Ending};
pub(crate) use keeper::{Keeper, RunId};
pub(crate) use wait::At;
