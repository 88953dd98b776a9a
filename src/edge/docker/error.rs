//! Why an image could not be built or delivered, without the noise that engines wrap around it.

use std::fmt;

use super::http::ApiError;

/// Why an image could not be built or delivered. Prints the message, then a line for the hint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BuildError {
    /// The user or the engine of this program stopped it.
    Canceled,
    /// It failed.
    Failed {
        /// What went wrong; begins with the step's prefix, such as `ImageBuild: `.
        message: String,
        /// What to do about it.
        hint: Option<String>,
    },
}

impl BuildError {
    pub(super) fn new(message: impl Into<String>) -> Self {
        Self::Failed {
            message: message.into(),
            hint: None,
        }
    }

    pub(super) fn hint(self, text: impl Into<String>) -> Self {
        match self {
            Self::Canceled => self,
            Self::Failed { message, .. } => Self::Failed {
                message,
                hint: Some(text.into()),
            },
        }
    }

    /// A fault in a build: the engine's words without their wrapping.
    pub(super) fn in_build(error: &ApiError) -> Self {
        let message = clean(&error.to_string());
        let failed = Self::new(format!("ImageBuild: {message}"));
        match error {
            ApiError::Connect(_) => failed.hint(super::client::START_HINT),
            _ if message.contains("no basic auth credentials") || message.contains("pull access denied") => {
                failed.hint("log in to the registry with \"docker login\", or check the name after FROM")
            }
            _ => failed,
        }
    }
}

impl fmt::Display for BuildError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Canceled => f.write_str("build canceled"),
            Self::Failed { message, hint: None } => f.write_str(message),
            Self::Failed {
                message,
                hint: Some(hint),
            } => write!(f, "{message}\nhint: {hint}"),
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
}
