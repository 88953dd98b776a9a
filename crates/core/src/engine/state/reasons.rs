//! Why an update is due.
//!
//! Rule: `docs/rules/updates.md`, "Reasons" and "Manual triggers".

use std::collections::BTreeSet;

use crate::model::TriggerReason;

/// Why an update is due: all that applies.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(crate) struct Reasons {
    /// Files of a target changed.
    pub(crate) files: bool,
    /// The Tiltfile defines the resource otherwise than before.
    pub(crate) config: bool,
    /// It never ran and starts by itself.
    pub(crate) init: bool,
    /// Who asked for it.
    pub(crate) triggers: BTreeSet<TriggerReason>,
    /// The arguments of the Tiltfile changed. Only the Tiltfile itself is evaluated for that.
    pub(crate) args: bool,
    /// Another resource has built an image that this one uses.
    pub(crate) dependencies: bool,
}

impl Reasons {
    /// Returns the reasons as shown: who asked for it hides the rest, and so does the first update.
    pub(crate) fn text(&self) -> String {
        if !self.triggers.is_empty() {
            let texts: Vec<&str> = self.triggers.iter().map(|trigger| trigger.as_str()).collect();
            return texts.join(" | ");
        }
        if self.init {
            return "Initial Build".to_owned();
        }
        let texts = [
            (self.files, "Changed Files"),
            (self.config, "Config Changed"),
            (self.args, "Tilt Args"),
            (self.dependencies, "Dependency Updated"),
        ];
        let applying: Vec<&str> = texts
            .iter()
            .filter(|(applies, _)| *applies)
            .map(|(_, text)| *text)
            .collect();
        applying.join(" | ")
    }

    /// Returns whether everything is made anew, because a user asked for an update.
    ///
    /// Where changes wait for the user, asking for them to be taken in is not asking for more.
    pub(crate) fn is_full_rebuild(&self, takes_changes_by_itself: bool) -> bool {
        let only_files = self.files && !(self.config || self.init || self.dependencies);
        !self.triggers.is_empty() && (takes_changes_by_itself || !only_files)
    }
}
