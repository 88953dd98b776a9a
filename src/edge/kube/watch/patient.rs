//! A watch that goes on whatever happens: after an outage as soon as the API server answers, with a login of now after
//! one that was refused, from a new list where its version has expired, and after other errors with pauses that grow.

use futures::stream::BoxStream;
use futures::{Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use kube::runtime::watcher;
use tokio::sync::watch::Receiver;

use super::pauses::Pauses;
use crate::clock;
use crate::edge::kube::connection::{Cluster, is_login_refused, is_lost, message};
use crate::logs::LogWriter;

/// Watches the objects of a kind in a namespace; `what` is what warnings call them.
pub(super) fn patient<K>(
    cluster: &Cluster,
    namespace: &str,
    log: &LogWriter,
    what: &'static str,
) -> BoxStream<'static, watcher::Event<K>>
where
    K: kube::Resource<DynamicType = (), Scope = NamespaceResourceScope>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned
        + Send
        + 'static,
{
    let (from, namespace) = (cluster.clone(), namespace.to_owned());
    let start = move || {
        let api = kube::Api::<K>::namespaced(from.client(), &namespace);
        watcher::watcher(api, watcher::Config::default()).boxed()
    };
    patient_over(cluster, Some(log.clone()), what.to_owned(), start)
}

/// Goes on with a watch that `start` begins. Without a log nobody is told that it does not work.
pub(super) fn patient_over<T, S>(
    cluster: &Cluster,
    log: Option<LogWriter>,
    what: String,
    start: impl Fn() -> S + Send + 'static,
) -> BoxStream<'static, T>
where
    T: Send + 'static,
    S: Stream<Item = watcher::Result<T>> + Unpin + Send + 'static,
{
    let watch = PatientWatch {
        stream: start(),
        start,
        renewals: cluster.outages().renewals(),
        cluster: cluster.clone(),
        pauses: Pauses::default(),
        log,
        what,
    };
    futures::stream::unfold(watch, |mut watch| async move {
        let item = watch.next().await?;
        Some((item, watch))
    })
    .boxed()
}

struct PatientWatch<S, F> {
    stream: S,
    start: F,
    cluster: Cluster,
    renewals: Receiver<u64>,
    pauses: Pauses,
    log: Option<LogWriter>,
    what: String,
}

impl<T, S, F> PatientWatch<S, F>
where
    S: Stream<Item = watcher::Result<T>> + Unpin,
    F: Fn() -> S,
{
    async fn next(&mut self) -> Option<T> {
        loop {
            let item = tokio::select! {
                biased;
                item = self.stream.next() => item?,
                // It may be dead without knowing.
                _ = self.renewals.changed() => {
                    self.stream = (self.start)();
                    continue;
                }
            };
            match item {
                Ok(item) => {
                    self.pauses.worked();
                    return Some(item);
                }
                // The server forgot the version to go on from; a new list is on its way.
                Err(watcher::Error::WatchError(status)) if status.code == 410 => {}
                Err(error) => self.recover(error).await,
            }
        }
    }

    async fn recover(&mut self, error: watcher::Error) {
        // `kube` would ask for the expired version for ever.
        if start_expired(&error) {
            self.stream = (self.start)();
        }
        match cause(&error) {
            Some(lost) if is_lost(lost) => return self.cluster.answers_again().await,
            Some(refused) if is_login_refused(refused) => {
                self.cluster.login_refused().await;
                self.stream = (self.start)();
            }
            _ => {}
        }
        let (pause, told) = self.pauses.after_error(clock::now());
        if told && let Some(log) = &self.log {
            let (what, secs) = (&self.what, pause.as_secs());
            let why = watch_error(&error);
            log.warn(&format!("Pausing k8s {what} watcher for {secs}s: {why}"));
        }
        tokio::time::sleep(pause).await;
    }
}

/// Whether the version to go on from had expired before the watch began.
fn start_expired(error: &watcher::Error) -> bool {
    matches!(error, watcher::Error::WatchStartFailed(kube::Error::Api(status)) if status.code == 410)
}

fn cause(error: &watcher::Error) -> Option<&kube::Error> {
    match error {
        watcher::Error::InitialListFailed(error)
        | watcher::Error::WatchStartFailed(error)
        | watcher::Error::WatchFailed(error) => Some(error),
        watcher::Error::WatchError(_) | watcher::Error::NoResourceVersion => None,
    }
}

fn watch_error(error: &watcher::Error) -> String {
    match (cause(error), error) {
        (Some(cause), _) => message(cause),
        (None, watcher::Error::WatchError(status)) => status.message.clone(),
        (None, error) => error.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use futures::stream;

    use super::*;
    use crate::edge::kube::fake_api::{FakeApi, Reply};
    use crate::logs::LogStore;

    #[tokio::test(start_paused = true)]
    async fn a_watch_that_fails_again_is_told_once_with_why() {
        let fault = || {
            let status = kube::core::Status::failure("etcdserver: leader changed", "");
            Err(watcher::Error::WatchError(status.boxed()))
        };
        let cluster = FakeApi::start(|_| Reply::Never).await.cluster();
        let store = LogStore::in_memory();
        let mut watch = PatientWatch {
            stream: stream::iter(vec![fault(), fault(), fault(), Ok("pod")]),
            start: || stream::iter(Vec::new()),
            renewals: cluster.outages().renewals(),
            cluster,
            pauses: Pauses::default(),
            log: Some(LogWriter::global(store.clone())),
            what: "pod".to_owned(),
        };
        assert_eq!(watch.next().await, Some("pod"));
        let segments = store.reader().try_next_batch();
        let said: String = segments.iter().map(|segment| segment.text.as_str()).collect();
        assert_eq!(
            said,
            "Pausing k8s pod watcher for 2s: etcdserver: leader changed\n"
        );
    }
}
