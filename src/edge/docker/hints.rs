//! What to do about an engine that does not answer.

/// What to do when no engine answers.
pub(super) const START_HINT: &str = "start Docker, or set DOCKER_HOST or DOCKER_CONTEXT to an engine that runs (\"docker info\" shows what it finds)";

/// What to do when an engine stands still.
pub(super) const SILENT_HINT: &str = "the engine may be halted, or so busy that it answers nobody: see whether \"docker info\" answers, and restart \
     Docker if it does not";
