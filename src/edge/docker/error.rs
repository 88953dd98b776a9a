//! Why an image could not be built or delivered, without the noise that engines wrap around it.

use std::fmt;

use super::build::BuildRequest;
use super::http::ApiError;
use crate::assembly::dockerfile::{EngineFault, explain};
use crate::diag::Diagnostic;
use crate::model::LocalPath;

/// Why an image could not be built or delivered. Prints the message, then place and hints.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildError {
    /// The user or the engine of this program stopped it.
    Canceled,
    /// It failed; the message begins with what was done, such as `ImageBuild: `.
    Failed(Box<Diagnostic>),
    /// The same, because a command of the user's failed: what it said is in the log.
    CommandFailed(Box<Diagnostic>),
}

impl BuildError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self::Failed(Box::new(Diagnostic::error(message)))
    }

    pub(super) fn hint(self, text: impl Into<String>) -> Self {
        match self {
            Self::Canceled => self,
            Self::Failed(diagnostic) => Self::Failed(Box::new(diagnostic.hint(text))),
            Self::CommandFailed(diagnostic) => Self::CommandFailed(Box::new(diagnostic.hint(text))),
        }
    }

    /// A command of the user's failed.
    pub(super) fn in_command(message: impl Into<String>) -> Self {
        Self::CommandFailed(Box::new(Diagnostic::error(message)))
    }

    /// Returns whether the last lines of the log may say more.
    pub(in crate::edge) fn is_explained_by_log(&self) -> bool {
        matches!(self, Self::CommandFailed(_))
    }

    /// The engine does not answer.
    pub(super) fn no_engine(error: &ApiError) -> Self {
        Self::new(format!("ImageBuild: {error}")).hint(super::client::START_HINT)
    }

    /// A fault in a build: the engine's words without their wrapping, and where the Dockerfile says what failed.
    pub(super) fn in_build(error: &ApiError, step: Option<&str>, request: &BuildRequest) -> Self {
        if let ApiError::Connect(_) = error {
            return Self::no_engine(error);
        }
        let message = format!("ImageBuild: {}", clean(&error.to_string()));
        let fault = EngineFault {
            message: &message,
            step,
            dockerfile: &request.dockerfile,
        };
        let explained = explain(fault, &request.build, &names_in);
        let is_plain = explained.hints.is_empty();
        if COMMAND_FAILED.iter().any(|text| message.contains(text)) {
            return Self::CommandFailed(Box::new(explained));
        }
        let failed = Self::Failed(Box::new(explained));
        if is_plain
            && (message.contains("no basic auth credentials") || message.contains("pull access denied"))
        {
            return failed.hint("log in to the registry with \"docker login\", or check the name after FROM");
        }
        failed
    }
}

/// What engines say when a command of the Dockerfile did not end with 0.
const COMMAND_FAILED: [&str; 2] = ["exit code: ", "non-zero code: "];

/// Returns the names in a directory, none where there is no directory.
fn names_in(dir: &LocalPath) -> Vec<String> {
    let entries = std::fs::read_dir(dir).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name().to_string_lossy().into_owned())
        .collect()
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Canceled => f.write_str("build canceled"),
            Self::Failed(diagnostic) | Self::CommandFailed(diagnostic) => f.write_str(&diagnostic.render()),
        }
    }
}

impl std::error::Error for BuildError {}

/// Returns whether the engine's cache is broken in a way that the classic builder does not share.
pub(super) fn is_corruption(error: &ApiError) -> bool {
    let text = error.to_string();
    text.contains("failed precondition") && text.contains("failed commit on ref")
}

/// Removes what engines wrap around the reason.
///
/// Rule: `reference/engine.md` 2.8, "Errors of the daemon".
pub(super) fn clean(message: &str) -> String {
    const WRAPPING: [&str; 4] = [
        "failed to solve with frontend dockerfile.v0: ",
        "failed to solve with frontend gateway.v0: ",
        "rpc error: code = Unknown desc = ",
        "failed to build LLB: ",
    ];
    let mut text = message.trim();
    while let Some(inner) = WRAPPING.iter().find_map(|wrapping| text.strip_prefix(wrapping)) {
        text = inner;
    }
    // The engine's own spelling.
    let text = text
        .strip_suffix(": runc did not terminate sucessfully")
        .unwrap_or(text);
    missing_file(text).unwrap_or(text).to_owned()
}

/// Returns file and reason of a fault about a missing file, without the steps that led to it.
fn missing_file(text: &str) -> Option<&str> {
    let inner = text.strip_prefix("failed to compute cache key: ")?;
    let is_missing = inner.ends_with("not found") || inner.ends_with("no such file or directory");
    if !is_missing {
        return None;
    }
    let inner = inner
        .strip_suffix(": not found")
        .filter(|rest| rest.ends_with("not found"))
        .unwrap_or(inner);
    // A file name in quotes, or the last two parts: the file and the reason.
    let quoted = inner.find('"');
    let before_reason = inner.rfind(": ").and_then(|reason| inner[..reason].rfind(": "));
    let start = quoted.or(before_reason.map(|at| at + 2)).unwrap_or(0);
    Some(&inner[start..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(message: &str, expected: &str) {
        assert_eq!(clean(message), expected, "{message}");
    }

    #[test]
    fn wrapping_is_removed_from_an_engines_error() {
        check(
            "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line \
             1: unknown instruction: FORM",
            "failed to create LLB definition: dockerfile parse error line 1: unknown instruction: FORM",
        );
        check(
            "failed to solve with frontend gateway.v0: rpc error: code = Unknown desc = failed to build LLB: executor \
             failed running [false]: runc did not terminate sucessfully",
            "executor failed running [false]",
        );
        check("plain", "plain");
    }

    #[test]
    fn a_missing_file_is_named_with_the_reason_only() {
        check(
            "failed to compute cache key: \"/nope\" not found: not found",
            "\"/nope\" not found",
        );
        check(
            "failed to compute cache key: failed to walk /var/lib/x: lstat /var/lib/x/a: no such file or directory",
            "lstat /var/lib/x/a: no such file or directory",
        );
        check(
            "failed to compute cache key: disk full",
            "failed to compute cache key: disk full",
        );
    }

    #[test]
    fn a_hint_follows_on_a_line_of_its_own() {
        let error = BuildError::new("docker push: refused").hint("start it");
        assert_eq!(error.to_string(), "docker push: refused\nhint: start it");
        assert_eq!(BuildError::Canceled.to_string(), "build canceled");
    }

    #[test]
    fn a_broken_cache_is_known_by_both_its_signs() {
        let is_broken = |text: &str| is_corruption(&ApiError::Failed(text.to_owned()));
        assert!(is_broken(
            "failed to solve: failed precondition: failed commit on ref \"layer-sha256:1\": unexpected size"
        ));
        assert!(is_broken(
            "failed commit on ref \"sha256:1\": failed precondition: unexpected size"
        ));
        assert!(!is_broken("failed precondition: no such image"));
        assert!(!is_broken("failed precondition: lease is gone"));
        assert!(!is_broken("failed commit on ref: no space left on device"));
    }
}
