//! Which logs are asked for, and what that changes for each container: the sets are compared, and only what differs is looked at.

use std::collections::BTreeSet;
use std::sync::Mutex;

use imbl::ordmap::DiffItem;

use crate::engine::{LogId, LogStream, LogStreams};
use crate::model::{ManifestName, Timestamp};

/// The logs that were last asked for.
#[derive(Default)]
pub(in crate::edge) struct AskedLogs(Mutex<LogStreams>);

type Key = (ManifestName, LogId);

impl AskedLogs {
    /// Takes in what is asked for now. Returns each container, whichever run of it, of which something else is, with what: the
    /// last of its runs. `part` is what is looked at of a log, and whose it is.
    pub(in crate::edge) fn set<C: Ord + Clone, L>(
        &self,
        wanted: &LogStreams,
        part: impl Fn(&LogStream) -> Option<(C, L)>,
    ) -> Vec<(C, Option<L>)> {
        let mut asked = self.0.lock().expect("no panic while it is held");
        let mut seen = BTreeSet::new();
        let mut changes = Vec::new();
        for difference in asked.diff(wanted) {
            let (key, log) = match difference {
                DiffItem::Add(key, log)
                | DiffItem::Update { new: (key, log), .. }
                | DiffItem::Remove(key, log) => (key, log),
            };
            let Some((container, _)) = part(log) else { continue };
            if !seen.insert(container.clone()) {
                continue;
            }
            let runs = wanted
                .range(first_beside(key)..)
                .map(|(key, log)| (key, part(log)));
            let runs = runs.take_while(|(other, _)| is_beside(key, other));
            let of_it = runs.filter_map(|(_, part)| part.filter(|(of, _)| *of == container));
            let last = of_it.last().map(|(_, log)| log);
            changes.push((container, last));
        }
        *asked = wanted.clone();
        changes
    }
}

/// Returns where the logs begin that are of the same pod, or of the same container without one.
fn first_beside((name, log): &Key) -> Key {
    let first = match log {
        LogId::Pod { pod, .. } => LogId::Pod {
            pod: pod.clone(),
            container_id: String::new(),
        },
        LogId::Container { id, .. } => LogId::Container {
            id: id.clone(),
            run: Timestamp(i64::MIN),
        },
    };
    (name.clone(), first)
}

fn is_beside((name, log): &Key, (other_name, other): &Key) -> bool {
    name == other_name
        && match (log, other) {
            (LogId::Pod { pod, .. }, LogId::Pod { pod: other, .. }) => pod == other,
            (LogId::Container { id, .. }, LogId::Container { id: other, .. }) => id == other,
            _ => false,
        }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ContainerLog;
    use crate::model::SpanId;

    fn log(container: &str, run: i64, is_over: bool) -> LogStream {
        LogStream::Container(ContainerLog {
            manifest: "web".into(),
            span: SpanId::from("dc:web"),
            container: container.to_owned(),
            name: container.to_owned(),
            run: Timestamp(run),
            prefixed: false,
            has_tty: false,
            since: None,
            terminated: is_over,
        })
    }

    /// Returns for each container what is to be done: which run of it is read, or that none is.
    fn changes(asked: &AskedLogs, logs: &[LogStream]) -> Vec<(String, Option<i64>)> {
        asked.set(&LogStream::all(logs.to_vec()), |log| match log {
            LogStream::Container(log) => Some((log.container.clone(), log.run.0)),
            LogStream::Pod(_) => None,
        })
    }

    #[test]
    fn of_each_container_the_last_run_is_read_and_only_what_differs_is_told() {
        let asked = AskedLogs::default();
        let (a, b) = (log("a", 1, false), log("b", 1, false));
        let told = changes(&asked, &[a.clone(), b.clone()]);
        assert_eq!(told, [("a".to_owned(), Some(1)), ("b".to_owned(), Some(1))]);
        assert_eq!(changes(&asked, &[a.clone(), b.clone()]), []);
        let over = log("a", 1, true);
        let told = changes(&asked, &[over.clone(), log("a", 2, false), b.clone()]);
        assert_eq!(told, [("a".to_owned(), Some(2))], "once, though two runs differ");
        let told = changes(&asked, &[log("a", 2, false), b.clone()]);
        assert_eq!(told, [("a".to_owned(), Some(2))]);
        assert_eq!(changes(&asked, &[b]), [("a".to_owned(), None)]);
    }
}
