//! Why an engine did not do what it was asked to.

use std::io;
use std::time::Duration;

use super::hints::{SILENT_HINT, START_HINT};
use crate::edge::failure::says_unreachable;

/// Why a request gave nothing.
#[derive(Debug, thiserror::Error)]
pub(in crate::edge) enum ApiError {
    /// There is no connection.
    #[error("{0}")]
    Connect(io::Error),
    /// The connection broke.
    #[error("{0}")]
    Broken(String),
    /// The engine does not answer, and nobody else either.
    #[error("no answer from the Docker engine at {host} within {} s", .after.as_secs())]
    Silent {
        /// As in `DOCKER_HOST`.
        host: String,
        /// How long it was waited.
        after: Duration,
    },
    /// What the engine said cannot be read, or what it is to be asked cannot be written.
    #[error("{0}")]
    Unreadable(String),
    /// The engine refused the request.
    #[error("{message}")]
    Refused {
        /// The status code.
        status: u16,
        /// The engine's reason.
        message: String,
    },
    /// The engine accepted the request, and reported later that it failed.
    #[error("{0}")]
    Failed(String),
}

impl ApiError {
    /// Returns whether the engine, or what it needed, could not be reached or went away.
    pub(in crate::edge) fn is_unreachable(&self) -> bool {
        match self {
            Self::Connect(_) | Self::Broken(_) | Self::Silent { .. } => true,
            Self::Unreadable(_) => false,
            // What the engine itself decides may quote anything, and does not pass.
            Self::Refused { status, message } => {
                matches!(status, 502..=504) || *status >= 500 && says_unreachable(message)
            }
            Self::Failed(message) => says_unreachable(message),
        }
    }

    /// Returns what to do, where it is the engine that does not answer.
    pub(super) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Connect(_) => Some(START_HINT),
            Self::Silent { .. } => Some(SILENT_HINT),
            Self::Broken(_) | Self::Unreadable(_) | Self::Refused { .. } | Self::Failed(_) => None,
        }
    }

    pub(super) fn unreadable(err: impl std::fmt::Display) -> Self {
        Self::Unreadable(err.to_string())
    }
}
