//! Which files are left out of a build context or a watch. (Placeholder: matches nothing.)

use super::{Ignore, LocalPath};

/// Ignores, compiled once and asked often.
#[derive(Clone, Debug, Default)]
pub struct IgnoreMatcher {}

impl IgnoreMatcher {
    /// Compiles ignores; an invalid pattern is left out.
    pub fn new(_ignores: &[Ignore]) -> Self {
        Self {}
    }

    /// Returns whether any of the ignores matches the file or directory.
    pub fn is_ignored(&self, _path: &LocalPath) -> bool {
        false
    }

    /// Returns whether the directory and all that could lie below it is left out, so that it need not be entered.
    pub fn skips_directory(&self, _dir: &LocalPath) -> bool {
        false
    }
}
