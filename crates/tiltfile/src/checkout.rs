//! Repositories of extensions, as a load asks its host for them.

use crate::Log;
use crate::model::LocalPath;

/// Which files of a git repository are wanted.
#[derive(Clone, Copy)]
pub struct RepoRequest<'a> {
    /// Its address, `https://...`.
    pub url: &'a str,
    /// A branch, a tag or a commit; empty for the newest commit of the default branch.
    pub reference: &'a str,
    /// Hears what takes long.
    pub log: &'a dyn Log,
}

/// Files of a git repository on this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkout {
    /// Where they are.
    pub directory: LocalPath,
    /// Which commit they are.
    pub commit: String,
    /// Why they may not be the newest; `None` when they are, or need not be.
    pub stale: Option<String>,
}

/// Why the files of a git repository are not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CheckoutFault {
    /// There is no program `git`.
    NoGit,
    /// The load was cancelled.
    Cancelled,
    /// What git said when it could not download.
    Download(String),
    /// What git said.
    Git(String),
    /// Anything else.
    Other(String),
}

impl CheckoutFault {
    /// Returns a fault of git as one of downloading.
    pub fn while_downloading(self) -> Self {
        match self {
            Self::Git(why) => Self::Download(why),
            other => other,
        }
    }

    /// Says what was being done.
    #[must_use]
    pub fn within(self, what: &str) -> Self {
        match self {
            Self::Git(why) => Self::Git(format!("{what}: {why}")),
            other => other,
        }
    }

    /// Adds what git said at a second attempt.
    #[must_use]
    pub fn and(self, second: Self) -> Self {
        match (self, second) {
            (Self::Git(first), Self::Git(second)) => Self::Git(format!("{first}\n{second}")),
            (_, second) => second,
        }
    }
}
