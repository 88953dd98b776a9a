//! Where a Tiltfile's output goes while it is evaluated.

use std::collections::BTreeMap;

use super::Secret;

/// Takes the lines that an evaluation prints, as they come.
pub trait Log: Send + Sync {
    /// Takes lines at info level.
    fn info(&self, text: &str);

    /// Takes lines as a warning.
    fn warn(&self, text: &str);

    /// Takes what must not be shown in lines that follow, while the evaluation lasts.
    fn hide(&self, secrets: &BTreeMap<String, Secret>);
}
