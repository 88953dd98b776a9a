//! When clients were made anew.

use std::time::Instant;

/// When a client was made last; held while one is.
#[derive(Default)]
pub(in crate::edge::kube) struct Renewals(pub(super) tokio::sync::Mutex<Option<Instant>>);
