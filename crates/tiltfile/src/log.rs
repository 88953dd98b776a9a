//! Where a Tiltfile's output goes while it is evaluated.

/// Takes the lines that an evaluation prints, as they come.
pub trait Log: Send + Sync {
    /// Takes lines at info level.
    fn info(&self, text: &str);

    /// Takes lines as a warning.
    fn warn(&self, text: &str);
}
