//! Streams the logs of containers into the log. Which ones are wanted is the engine's to say; how one of them is read is
//! `reader`'s part.

use std::sync::Arc;

use tokio::sync::mpsc;

use super::pace::LogPace;
use super::reader::LogReader;
use crate::edge::container_log::{AskedLogs, Readers};
use crate::edge::kube::connection::Cluster;
use crate::engine::{Event, LogStream, LogStreams, PodLog};
use crate::logs::LogStore;
use crate::model::{ManifestName, ObjectUid};

/// All streams of logs. Dropping it ends them.
pub struct PodLogs {
    cluster: Cluster,
    logs: LogStore,
    events: mpsc::Sender<Event>,
    asked: AskedLogs,
    readers: Readers<Key, PodLog>,
    pace: Arc<LogPace>,
}

/// A container, whichever run of it, for one resource: two resources may show the log of the same pod.
type Key = (ManifestName, ObjectUid, String);

impl PodLogs {
    /// Starts with no streams. Lines go to `logs`, ends of streams to `events`.
    pub fn new(cluster: Cluster, logs: LogStore, events: mpsc::Sender<Event>) -> Self {
        Self {
            cluster,
            logs,
            events,
            asked: AskedLogs::default(),
            readers: Readers::default(),
            pace: Arc::default(),
        }
    }

    /// Streams these logs from now on.
    ///
    /// A stream that is wanted no more is read to its end if that comes within 2 s. A new run of a container continues
    /// where the run before it ended, and reads first what is missing of that one.
    pub fn set(&self, wanted: &LogStreams) {
        let changes = self.asked.set(wanted, |log| match log {
            LogStream::Pod(log) => {
                let key = (log.manifest.clone(), log.pod.clone(), log.container.clone());
                Some((key, log.clone()))
            }
            LogStream::Container(_) => None,
        });
        for (key, log) in changes {
            self.readers.set(key, log, |wishes| {
                let (logs, events, pace) = (self.logs.clone(), self.events.clone(), Arc::clone(&self.pace));
                let reader = LogReader::new(self.cluster.clone(), logs, events, wishes, pace);
                tokio::spawn(reader.run());
            });
        }
    }

    /// Reads each stream to its present end and ends it; returns after 2 s at the latest.
    pub async fn drain(&self) {
        self.readers.drain().await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Mutex;

    use super::*;
    use crate::edge::kube::fake_api::{FakeApi, Reply};
    use crate::model::{ManifestName, SpanId};

    /// Returns what is said of a log that the API server answers for like this, one answer after the other.
    async fn said(answers: Vec<Reply>) -> String {
        let answers = Mutex::new(answers.into_iter());
        let api = FakeApi::start(move |path| {
            assert!(path.contains("/pods/web-1/log"), "{path}");
            answers.lock().unwrap().next().unwrap_or(Reply::Never)
        })
        .await;
        let logs = LogStore::in_memory();
        let (events, _events) = mpsc::channel(1);
        let pod_logs = PodLogs::new(api.cluster(), logs.clone(), events);
        pod_logs.set(&LogStream::all([stream("web").into()]));
        let first = logs.reader().next_batch().await.expect("a line");
        first.iter().map(|segment| segment.text.as_str()).collect()
    }

    fn stream(manifest: &str) -> PodLog {
        PodLog {
            manifest: ManifestName::from(manifest),
            span: SpanId::new(format!("pod:{manifest}:web-1")),
            pod: ObjectUid::new("u"),
            pod_name: "web-1".to_owned(),
            namespace: "ns".to_owned(),
            container: "web".to_owned(),
            container_id: "c".to_owned(),
            prefixed: false,
            since: None,
            missed_run: false,
            terminated: false,
        }
    }

    #[tokio::test]
    async fn two_resources_that_claim_one_pod_both_show_its_log() {
        let api = FakeApi::start(|_| Reply::Text("2026-01-01T00:00:00Z hello\n")).await;
        let logs = LogStore::in_memory();
        let (events, _events) = mpsc::channel(8);
        let pod_logs = PodLogs::new(api.cluster(), logs.clone(), events);
        pod_logs.set(&LogStream::all([stream("a").into(), stream("b").into()]));
        let (mut reader, mut showing) = (logs.reader(), std::collections::BTreeSet::new());
        while showing.len() < 2 {
            let batch = reader.next_batch().await.expect("a line");
            let said = batch.iter().filter(|segment| segment.text.contains("hello"));
            showing.extend(said.filter_map(|segment| segment.manifest.clone()));
        }
        assert_eq!(Vec::from_iter(showing), ["a".into(), "b".into()]);
    }

    #[tokio::test]
    async fn a_log_that_cannot_be_read_is_told_unless_it_only_comes_later() {
        let later = "container \"web\" in pod \"web-1\" is waiting to start: ContainerCreating";
        let answers = vec![
            Reply::Fails(400, later),
            Reply::Fails(500, "no space left on device"),
        ];
        assert_eq!(
            said(answers).await,
            "Error streaming web-1 logs: no space left on device\n"
        );
    }

    #[tokio::test]
    async fn a_node_without_free_file_watches_is_told_with_what_to_do() {
        let text = "failed to create fsnotify watcher: too many open files";
        insta::assert_snapshot!(said(vec![Reply::Text(text)]).await, @"
        Error streaming web-1 logs: too many inotify watches are in use on the node
        hint: raise the limit there: `sysctl fs.inotify.max_user_instances=1024 fs.inotify.max_user_watches=524288`
        ");
    }
}
