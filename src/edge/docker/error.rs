//! Why an image could not be built or delivered, without the noise that engines wrap around it.

use std::fmt;

use super::build_request::BuildRequest;
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
    /// The same, because the engine or what it needed could not be reached, or went away: that may pass.
    Unreachable(Box<Diagnostic>),
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
            Self::Unreachable(diagnostic) => Self::Unreachable(Box::new(diagnostic.hint(text))),
        }
    }

    /// The engine did not do what it was asked to.
    pub(super) fn by_engine(message: impl Into<String>, error: &ApiError) -> Self {
        let diagnostic = Diagnostic::error(message);
        let diagnostic = Box::new(match error.hint() {
            Some(hint) => diagnostic.hint(hint),
            None => diagnostic,
        });
        match error.is_unreachable() {
            true => Self::Unreachable(diagnostic),
            false => Self::Failed(diagnostic),
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

    /// Returns whether something could not be reached, or went away.
    pub(in crate::edge) fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable(_))
    }

    /// A fault in a build: the engine's words without their wrapping, and where the Dockerfile says what failed.
    pub(super) fn in_build(error: &ApiError, step: Option<&str>, request: &BuildRequest) -> Self {
        let message = format!("ImageBuild: {}", clean(&error.to_string()));
        let (ApiError::Failed(said) | ApiError::Refused { message: said, .. }) = error else {
            return Self::by_engine(message, error);
        };
        let fault = EngineFault {
            message: &message,
            step,
            command_failed: is_failed_command(said),
            dockerfile: &request.dockerfile,
        };
        let explained = explain(fault, &request.build, &names_in);
        let is_plain = explained.hints.is_empty();
        if is_failed_command(said) {
            return Self::CommandFailed(Box::new(explained));
        }
        if error.is_unreachable() && !quotes_the_dockerfile(said) {
            return Self::Unreachable(Box::new(explained));
        }
        let failed = Self::Failed(Box::new(explained));
        if is_plain && (said.contains("no basic auth credentials") || said.contains("pull access denied")) {
            return failed.hint("log in to the registry with \"docker login\", or check the name after FROM");
        }
        failed
    }
}

/// Returns whether a command of the Dockerfile did not end with 0: that is the last that engines say then.
pub(super) fn is_failed_command(said: &str) -> bool {
    let code = ["exit code: ", "non-zero code: "].map(|end| said.trim_end().rsplit_once(end));
    let mut codes = code.into_iter().flatten().map(|(_, code)| code);
    codes.any(|code| !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Returns whether what is said ends with what the user wrote: of a line that cannot be read, or a variable that is
/// not set (`${X:?why}`).
fn quotes_the_dockerfile(said: &str) -> bool {
    ["dockerfile parse error", "failed to process "]
        .iter()
        .any(|start| said.contains(start))
}

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
            Self::Failed(diagnostic) | Self::CommandFailed(diagnostic) | Self::Unreachable(diagnostic) => {
                f.write_str(&diagnostic.render())
            }
        }
    }
}

impl std::error::Error for BuildError {}

/// Returns whether the engine's cache is broken in a way that the classic builder does not share.
pub(super) fn is_corruption(error: &ApiError) -> bool {
    let text = error.to_string();
    text.contains("failed precondition") && text.contains("failed commit on ref") && !is_failed_command(&text)
}

/// Removes what engines wrap around the reason.
///
/// Rule: `docs/rules/images.md`, "Docker builds".
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
    fn only_what_could_not_be_reached_may_pass() {
        let request = |dockerfile: &str| super::super::build::request_for_test(dockerfile);
        let in_build = |error: ApiError, step: &str| {
            BuildError::in_build(&error, Some(step), &request("FROM a\nRUN x\n"))
        };
        let failed = |text: &str| ApiError::Failed(text.to_owned());
        for text in [
            "executor failed running [/bin/sh -c echo \"connection refused\"; exit 1]: exit code: 1",
            "process \"/bin/sh -c echo EOF; exit 1\" did not complete successfully: exit code: 1",
            "The command '/bin/sh -c sleep 1 # i/o timeout' returned a non-zero code: 137",
        ] {
            let error = in_build(failed(text), "[2/2] RUN x");
            assert!(
                error.is_explained_by_log() && !error.is_unreachable(),
                "{error:?}"
            );
        }
        for text in [
            "dockerfile parse error line 2: unknown instruction: EOF",
            "failed to solve with frontend dockerfile.v0: failed to create LLB definition: dockerfile parse error line 2: \
             unknown instruction: EOF",
            "failed to compute cache key: \"/connection refused\" not found: not found",
            "failed to process \"${x:?connection refused}\": x: connection refused",
        ] {
            assert!(
                !in_build(failed(text), "[2/2] COPY x y").is_unreachable(),
                "{text}"
            );
        }
        let io = |kind: std::io::ErrorKind| ApiError::Connect(kind.into());
        let silent = ApiError::Silent {
            host: "unix:///d.sock".to_owned(),
            after: std::time::Duration::from_secs(20),
        };
        for error in [
            failed("failed to do request: Head \"https://gcr.io/v2/a\": dial tcp 1.2.3.4:443: i/o timeout"),
            ApiError::Broken("connection closed before message completed".to_owned()),
            io(std::io::ErrorKind::NotFound),
            silent,
        ] {
            let error = in_build(error, "[internal] load metadata for a");
            assert!(error.is_unreachable(), "{error:?}");
        }
    }

    #[test]
    fn an_engine_that_stands_still_is_named_with_what_to_do() {
        let silent = ApiError::Silent {
            host: "unix:///d.sock".to_owned(),
            after: std::time::Duration::from_secs(20),
        };
        let error = BuildError::by_engine(format!("docker push: {silent}"), &silent);
        insta::assert_snapshot!(error, @r#"
        docker push: no answer from the Docker engine at unix:///d.sock within 20 s
        hint: the engine may be halted, or so busy that it answers nobody: see whether "docker info" answers, and restart Docker if it does not
        "#);
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
        assert!(!is_broken(
            "executor failed running [/bin/sh -c echo failed precondition: failed commit on ref; false]: exit code: 1"
        ));
        assert!(!is_broken("failed precondition: lease is gone"));
        assert!(!is_broken("failed commit on ref: no space left on device"));
    }
}
