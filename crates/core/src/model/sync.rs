//! What one live update carries into one running container, and what became of it.
//!
//! The engine makes a [`Batch`] for a [`ContainerAddress`]; the edge carries it out and answers with [`Synced`] or a
//! [`SyncFailure`], which says by its [`Remedy`] what comes next.

use std::sync::Arc;
use std::time::Duration;

use super::{ContainerPath, Ignore, LocalPath, ObjectUid};

/// One run of one container of a pod, a restart is another one; or a container of the Docker engine, over all its runs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContainerAddress {
    /// The pod. In the Docker engine it stands for the container.
    pub pod_uid: ObjectUid,
    /// Its name.
    pub pod: String,
    /// Its namespace; `None` in the Docker engine.
    pub namespace: Option<String>,
    /// The name of the container in the pod.
    pub container: String,
    /// The runtime's id of this run, without its scheme.
    pub id: String,
}

impl ContainerAddress {
    /// Returns what it is called in the log: `web-1/main`, or `shop-web-1`.
    pub fn shown(&self) -> String {
        match self.namespace {
            Some(_) => format!("{}/{}", self.pod, self.container),
            None => self.pod.clone(),
        }
    }

    /// Returns what is named in messages: `pod web-1`, or `container shop-web-1`.
    pub fn owner(&self) -> String {
        match self.namespace {
            Some(_) => format!("pod {}", self.pod),
            None => format!("container {}", self.pod),
        }
    }
}

/// What is to be made true in a container: these files as they are here, then these commands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Batch {
    /// Files, links and directories, each with its place there. Of several for one place the last one counts.
    pub files: Vec<Placement>,
    /// Commands that run there once all files have arrived, in order; the first that fails ends the batch.
    pub runs: Vec<BatchRun>,
    /// Whether they run even where no file differs: the last ones failed, or were never run.
    pub runs_are_due: bool,
}

/// What is here at `local` shall be there at `container`: a file, a link or a directory with all below it is written,
/// and where nothing is here, nothing shall be there.
///
/// What of it the container is known to hold already is not sent. Below a directory, what an earlier batch brought and is
/// here no more is deleted; what the image brought and no batch named stays.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Placement {
    /// Here.
    pub local: LocalPath,
    /// There.
    pub container: ContainerPath,
    /// What is left out below a directory.
    pub ignores: Arc<[Ignore]>,
}

/// A command that runs in the container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BatchRun {
    /// Program and arguments.
    pub argv: Vec<String>,
    /// Whether the command itself is not shown.
    pub echo_off: bool,
    /// It runs only if one of these, or something in it, was sent or deleted, or if commands are due; none means always
    /// then.
    pub only_for: Vec<LocalPath>,
}

/// A batch that was carried out: all of it is true in the container.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Synced {
    /// What was written, in the order of the places.
    pub sent: Vec<SentFile>,
    /// What was deleted, each with what is no longer here.
    pub deleted: Vec<(LocalPath, ContainerPath)>,
    /// How many files were there already as they are here.
    pub n_unchanged: usize,
    /// What could not be replaced as a whole and was written in place: a reader may have seen part of it. Each is told only
    /// once for a container.
    pub in_place: Vec<InPlace>,
    /// How long it took.
    pub times: SyncTimes,
}

impl Synced {
    /// Returns whether anything differed.
    pub fn differed(&self) -> bool {
        !self.sent.is_empty() || !self.deleted.is_empty()
    }
}

/// A file or link that was written into a container.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentFile {
    /// Where it is here.
    pub local: LocalPath,
    /// Where it is there.
    pub container: ContainerPath,
    /// Its length; 0 for links and directories.
    pub bytes: u64,
}

/// A file that was written in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InPlace {
    /// Where it is there.
    pub container: ContainerPath,
    /// Why it could not be replaced, as a clause: "it is a mount point".
    pub why: String,
}

/// How long the stages of a batch took, each from the call on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SyncTimes {
    /// Until all was read here and the way into the container was open.
    pub ready: Duration,
    /// Until the new content was seen there.
    pub visible: Duration,
    /// Until the commands had ended.
    pub done: Duration,
}

/// Why a batch was not carried out, in the container that it was for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SyncFailure {
    /// There was no way to the container, or it broke. What of the batch arrived is not known; nothing of it is taken for
    /// granted.
    #[error("{0}")]
    ConnectionLost(String),
    /// The container does not run any more, or another one runs in its place.
    #[error("{0}")]
    ContainerGone(String),
    /// It was cancelled. The files either all arrived or none did.
    #[error("live update canceled")]
    Canceled,
    /// A command failed. All files have arrived.
    #[error("command \"{command}\" failed with exit code: {exit_code}{}", reason(*exit_code))]
    CommandFailed {
        /// The command, as it is shown.
        command: String,
        /// Its exit code.
        exit_code: i32,
    },
    /// A file here cannot be read.
    #[error("cannot read {local}: {error}")]
    Unreadable {
        /// Which.
        local: LocalPath,
        /// Why.
        error: String,
    },
    /// The image lacks a program that live update needs.
    #[error(
        "the image has no `{program}`, which live update needs\n\
         hint: build on an image that has `sh` and `tar` (such as alpine, busybox, debian, or the `debug` variant of a \
         distroless image), or take live_update out of this image"
    )]
    MissingProgram {
        /// Its name, such as `tar`.
        program: String,
    },
    /// We may not run anything in containers.
    #[error(
        "{0}\nhint: live update runs commands in the container: ask for the right to `create` on `pods/exec` in this namespace"
    )]
    Forbidden(String),
    /// The user that the container runs as may not write there.
    #[error(
        "permission denied: {0}\n\
         hint: the user that the container runs as must be able to write the synced files: COPY --chown them in the \
         Dockerfile, or change USER or the pod's securityContext"
    )]
    PermissionDenied(String),
    /// The file system is read-only.
    #[error(
        "read-only file system: {0}\n\
         hint: take readOnlyRootFilesystem out of the container's securityContext while developing, or mount an emptyDir \
         where files are synced to"
    )]
    ReadOnly(String),
    /// There is no room left.
    #[error(
        "no space left in the container: {0}\n\
         hint: free space on the node's disk, or raise the container's ephemeral-storage limit or the volume's sizeLimit"
    )]
    DiskFull(String),
    /// A program in the container failed in a way that is not known.
    #[error("{0}")]
    Other(String),
}

/// What comes after a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remedy {
    /// The same again, against what runs then: it was nobody's fault.
    Retry,
    /// The update is red; the container stays usable, and the next save tries again.
    Red,
    /// A full build: this container, or any of its image, can not be updated.
    FullBuild,
    /// Nothing: it was wanted.
    None,
}

impl SyncFailure {
    /// Returns what comes after it.
    pub fn remedy(&self) -> Remedy {
        match self {
            Self::ConnectionLost(_) | Self::ContainerGone(_) => Remedy::Retry,
            Self::CommandFailed { .. } | Self::Unreadable { .. } => Remedy::Red,
            Self::Canceled => Remedy::None,
            Self::MissingProgram { .. }
            | Self::Forbidden(_)
            | Self::PermissionDenied(_)
            | Self::ReadOnly(_)
            | Self::DiskFull(_)
            | Self::Other(_) => Remedy::FullBuild,
        }
    }

    /// Returns whether the files of the batch have all arrived.
    pub fn files_arrived(&self) -> bool {
        matches!(self, Self::CommandFailed { .. })
    }
}

/// Rule: `docs/rules/live-update.md`, "Errors".
fn reason(exit_code: i32) -> &'static str {
    match exit_code {
        126 => " (not executable)",
        127 => " (not found)",
        _ => "",
    }
}
