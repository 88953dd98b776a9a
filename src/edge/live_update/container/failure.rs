//! What went wrong, from what programs in the container, the kubelet and the API server say.

use crate::model::SyncFailure;

/// Says what a program in the container failed from.
pub(super) fn of_program(text: &str, what: &str) -> SyncFailure {
    let text = text.trim();
    let lower = text.to_lowercase();
    let says = |signs: &[&str]| signs.iter().any(|sign| lower.contains(sign));
    let line = |signs: &[&str]| {
        let mut lines = text.lines();
        let line = lines.find(|line| signs.iter().any(|sign| line.to_lowercase().contains(sign)));
        line.unwrap_or(text).to_owned()
    };
    const FULL: [&str; 2] = ["no space left", "quota exceeded"];
    const READ_ONLY: [&str; 1] = ["read-only file system"];
    const DENIED: [&str; 3] = ["permission denied", "operation not permitted", "cannot open"];
    // What is no file where one is to be, or no directory, cannot be opened either.
    const IN_THE_WAY: [&str; 3] = ["file exists", "is a directory", "not a directory"];
    if says(&FULL) {
        SyncFailure::DiskFull(line(&FULL))
    } else if says(&READ_ONLY) {
        SyncFailure::ReadOnly(line(&READ_ONLY))
    } else if says(&DENIED) && !says(&IN_THE_WAY) {
        SyncFailure::PermissionDenied(line(&DENIED))
    } else if text.is_empty() {
        SyncFailure::Other(format!("{what} failed in the container"))
    } else {
        SyncFailure::Other(format!("{what} failed in the container: {text}"))
    }
}

/// Says why nothing could be started in a container, from the API server's answer.
pub(super) fn of_opening(code: u16, message: &str) -> SyncFailure {
    match code {
        403 => SyncFailure::Forbidden(message.to_owned()),
        400 | 404 => SyncFailure::ContainerGone(message.to_owned()),
        _ => of_end(message),
    }
}

/// Says why a channel ended, from what the kubelet and the container runtime say.
pub(super) fn of_end(message: &str) -> SyncFailure {
    let lower = message.to_lowercase();
    let says = |signs: &[&str]| signs.iter().any(|sign| lower.contains(sign));
    if says(&[
        "executable file not found",
        "\"sh\": no such file",
        "stat sh: no such file",
        "exec: \"sh\"",
        "exit code 127",
        "exit code 126",
    ]) {
        return SyncFailure::MissingProgram {
            program: "sh".to_owned(),
        };
    }
    if says(&[
        "container not found",
        "not created or running",
        "is not running",
        "not in running state",
        "container is in container_exited state",
        "cannot exec in a stopped",
        "cannot exec in a deleted",
        "no running task found",
        "pod does not exist",
        "exit code 137",
        "exit code 143",
    ]) {
        return SyncFailure::ContainerGone(message.to_owned());
    }
    SyncFailure::ConnectionLost(message.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Remedy;

    #[test]
    fn what_programs_say_tells_what_to_do() {
        for (said, expected) in [
            (
                "tar: d0: Cannot mkdir: No space left on device",
                "no space left in the container",
            ),
            (
                "mkdir: can't create directory '/x': Read-only file system",
                "read-only file system",
            ),
            (
                "mv: can't rename 'a': Permission denied",
                "permission denied: mv: can't",
            ),
            (
                "tar: invalid magic",
                "tar failed in the container: tar: invalid magic",
            ),
            ("", "tar failed in the container"),
        ] {
            let failure = of_program(said, "tar");
            assert!(failure.to_string().starts_with(expected), "{said}: {failure}");
            assert_eq!(failure.remedy(), Remedy::FullBuild, "{said}");
        }
    }

    #[test]
    fn what_passes_is_tried_again() {
        for (message, expected) in [
            (
                "failed to exec in container: failed to start exec \"1\": OCI runtime exec failed: exec failed: unable to \
                 start container process: exec: \"sh\": executable file not found in $PATH: unknown",
                Remedy::FullBuild,
            ),
            (
                "unable to upgrade connection: container not found (\"web\")",
                Remedy::Retry,
            ),
            (
                "error dialing backend: dial tcp 10.0.0.1:10250: connect: connection refused",
                Remedy::Retry,
            ),
            (
                "command terminated with non-zero exit code: error executing command [sh], exit code 137",
                Remedy::Retry,
            ),
        ] {
            assert_eq!(of_end(message).remedy(), expected, "{message}");
        }
        assert_eq!(of_opening(403, "no").remedy(), Remedy::FullBuild);
        assert_eq!(of_opening(404, "pods \"web\" not found").remedy(), Remedy::Retry);
    }
}
