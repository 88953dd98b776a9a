//! Whether an engine still answers: nothing is waited for without an end.

use std::time::Duration;

use hyper::Method;
use tokio_util::sync::CancellationToken;

use super::http::{AbortOnDrop, ApiError, Http, body};

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

impl Http {
    /// Begins to look whether the engine is still there.
    pub(super) fn watch(&self) -> Watch {
        let (silent, http) = (CancellationToken::new(), self.clone());
        let asking = tokio::spawn({
            let silent = silent.clone();
            async move {
                http.until_silent().await;
                silent.cancel();
            }
        });
        Watch {
            silent,
            host: self.endpoint.to_string(),
            after: self.patience.silence,
            _asking: AbortOnDrop(asking),
        }
    }

    /// Returns once the engine does not say any more that it is there.
    async fn until_silent(&self) {
        loop {
            tokio::time::sleep(self.patience.pause).await;
            let answered = tokio::time::timeout(self.patience.silence, self.until_it_answers());
            if answered.await.is_err() {
                return;
            }
        }
    }

    async fn until_it_answers(&self) {
        while self.ping().await.is_err() {
            tokio::time::sleep(self.patience.pause).await;
        }
    }

    async fn ping(&self) -> Result<(), ApiError> {
        let request = self.request(Method::GET, "/_ping").body(body(""));
        // Whatever it says, it is there.
        self.exchange(request.map_err(ApiError::unreadable)?)
            .await
            .map(drop)
    }
}

impl Watch {
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
