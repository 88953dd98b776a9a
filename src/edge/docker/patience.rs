//! Whether an engine still answers: nothing is waited for without an end.

use std::time::Duration;

use tokio_util::sync::CancellationToken;

use super::abort_on_drop::AbortOnDrop;
use super::api_error::ApiError;

/// How long an engine may be silent. Asked for an image that is far away, or for one that takes an hour, it may take its
/// time, as long as it still answers whether it is there.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    /// How often it is asked.
    pub(super) pause: Duration,
    /// How long it may take to say that it is there.
    pub(super) silence: Duration,
    /// How long it may take for a question that it can answer by itself.
    pub(super) question: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        Self {
            pause: Duration::from_secs(5),
            silence: Duration::from_secs(20),
            question: Duration::from_secs(120),
        }
    }
}

/// Looks whether an engine is still there, for as long as this value lives.
pub(super) struct Watch {
    silent: CancellationToken,
    host: String,
    after: Duration,
    _asking: AbortOnDrop,
}

impl Watch {
    /// Begins to look; `silence` returns once the engine does not say any more that it is there.
    pub(super) fn begin(
        host: String,
        after: Duration,
        silence: impl Future<Output = ()> + Send + 'static,
    ) -> Self {
        let silent = CancellationToken::new();
        let asking = tokio::spawn({
            let silent = silent.clone();
            async move {
                silence.await;
                silent.cancel();
            }
        });
        Self {
            silent,
            host,
            after,
            _asking: AbortOnDrop(asking),
        }
    }

    /// Does something for as long as the engine is there.
    pub(super) async fn over<T>(
        &self,
        doing: impl Future<Output = Result<T, ApiError>>,
    ) -> Result<T, ApiError> {
        tokio::select! {
            biased;
            done = doing => done,
            () = self.silent.cancelled() => Err(ApiError::Silent {
                host: self.host.clone(),
                after: self.after,
            }),
        }
    }
}
