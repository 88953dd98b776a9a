//! Whether a cluster is well: asked every now and then, more often while it is not.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::cluster::{Cluster, start_hint};
use super::error::message;
use crate::engine::ClusterStatus;

/// How often a cluster is asked that was well.
const PERIOD: Duration = Duration::from_secs(10);
/// How often one is asked that was not.
const WATCHFUL_PERIOD: Duration = Duration::from_secs(2);
/// How long it may take to answer.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
/// After how many failures in a row it counts as not usable.
const TOLERATED: u32 = 4;

/// Asks a cluster how it is, for ever, and at once when somebody got no answer or it answers again; `report` is called
/// whenever that has changed.
///
/// Rule: `docs/rules/runtime.md`, "The connection"; but that it is asked more often.
pub async fn watch_health<F: Future<Output = ()>>(cluster: Cluster, report: impl Fn(ClusterStatus) -> F) {
    let (lost, back) = (|| cluster.outages().began(), || cluster.answers_again());
    watch(|| check(&cluster), lost, back, report).await;
}

async fn watch<C, L, B, F>(
    check: impl Fn() -> C,
    lost: impl Fn() -> L,
    back: impl Fn() -> B,
    report: impl Fn(ClusterStatus) -> F,
) where
    C: Future<Output = Result<(), String>>,
    L: Future<Output = ()>,
    B: Future<Output = ()>,
    F: Future<Output = ()>,
{
    let mut failures = 0;
    loop {
        if failures == 0 {
            tokio::select! {
                () = sleep(PERIOD) => {}
                () = lost() => {}
            }
        } else {
            tokio::select! {
                () = sleep(WATCHFUL_PERIOD) => {}
                // One that answers, but is not well, is asked no more often for that.
                () = back() => if check().await.is_err() { sleep(WATCHFUL_PERIOD).await },
            }
        }
        match check().await {
            Ok(()) => {
                if failures >= TOLERATED {
                    report(ClusterStatus::Connected).await;
                }
                failures = 0;
            }
            Err(error) => {
                failures += 1;
                if failures == TOLERATED {
                    report(ClusterStatus::Failed(error)).await;
                }
            }
        }
    }
}

/// Returns why a cluster is not usable, with what to do about it.
async fn check(cluster: &Cluster) -> Result<(), String> {
    let context = cluster.context();
    for (path, refusal) in [
        ("/livez", "cluster did not pass liveness check"),
        ("/readyz", "cluster not ready"),
    ] {
        let hint = match ask(cluster, path).await {
            Answer::Well => continue,
            Answer::NotWell(said) => {
                format!(
                    "{refusal}: {said}\nhint: look at it with `kubectl --context {} get --raw '{path}?verbose'`",
                    context.name
                )
            }
            Answer::Unreachable(why) => {
                let start = start_hint(context.product);
                format!(
                    "cluster of context \"{}\" does not answer any more: {why}\nhint: {start}",
                    context.name
                )
            }
        };
        return Err(hint);
    }
    cluster.trust_again().await;
    Ok(())
}

enum Answer {
    Well,
    NotWell(String),
    Unreachable(String),
}

async fn ask(cluster: &Cluster, path: &str) -> Answer {
    let request = http::Request::get(path).body(Vec::new());
    let request = match request {
        Ok(request) => request,
        Err(error) => return Answer::Unreachable(error.to_string()),
    };
    match timeout(ANSWER_TIMEOUT, cluster.client().request_text(request)).await {
        Ok(Ok(_)) => Answer::Well,
        // Whoever may not ask, or asks a cluster that does not tell, at least got an answer.
        Ok(Err(kube::Error::Api(status))) if matches!(status.code, 401 | 403 | 404) => Answer::Well,
        Ok(Err(error @ kube::Error::Api(_))) => Answer::NotWell(first_fault(&message(&error))),
        Ok(Err(error)) => {
            cluster.suspect();
            Answer::Unreachable(message(&error))
        }
        Err(_) => {
            cluster.suspect();
            Answer::Unreachable(format!("no answer within {} s", ANSWER_TIMEOUT.as_secs()))
        }
    }
}

/// Returns the check that failed, where an answer lists all: `[-]etcd failed: reason withheld`.
fn first_fault(said: &str) -> String {
    let fault = said.lines().find_map(|line| line.trim().strip_prefix("[-]"));
    fault.or(said.lines().next()).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

    use serde_json::json;
    use tokio::sync::mpsc;

    use super::*;
    use crate::edge::kube::fake_api::{FakeApi, Reply};

    fn failing(path: &'static str, code: u16, said: &'static str) -> impl Fn(&str) -> Reply + Send + Sync {
        move |asked| {
            if asked == path {
                Reply::Fails(code, said)
            } else {
                Reply::Json(json!("ok"))
            }
        }
    }

    async fn fault(answer: impl Fn(&str) -> Reply + Send + Sync + 'static) -> String {
        let api = FakeApi::start(answer).await;
        check(&api.cluster()).await.err().unwrap_or_default()
    }

    #[tokio::test]
    async fn each_fault_is_told_with_what_to_do() {
        let said = "[+]ping ok\n[-]etcd failed: reason withheld\nlivez check failed";
        insta::assert_snapshot!(fault(failing("/livez", 500, said)).await, @r"
        cluster did not pass liveness check: etcd failed: reason withheld
        hint: look at it with `kubectl --context kind-test get --raw '/livez?verbose'`
        ");
        let said = "[-]informer-sync failed: reason withheld";
        insta::assert_snapshot!(fault(failing("/readyz", 500, said)).await, @r"
        cluster not ready: informer-sync failed: reason withheld
        hint: look at it with `kubectl --context kind-test get --raw '/readyz?verbose'`
        ");
        assert_eq!(fault(failing("/livez", 403, "forbidden")).await, "");
        assert_eq!(fault(failing("/none", 500, "")).await, "");
    }

    #[tokio::test]
    async fn a_cluster_that_is_gone_is_told_with_how_to_start_it() {
        let api = FakeApi::start(|_| Reply::Json(json!("ok"))).await;
        let cluster = api.cluster();
        drop(api);
        tokio::task::yield_now().await;
        let text = check(&cluster).await.unwrap_err();
        assert!(
            text.starts_with("cluster of context \"kind-test\" does not answer any more: "),
            "{text}"
        );
        assert!(
            text.contains("\nhint: create it with `kind create cluster`"),
            "{text}"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_few_failures_are_tolerated_and_recovery_is_seen_at_once() {
        let (is_well, asked) = (AtomicBool::new(false), AtomicU32::new(0));
        let check = || {
            asked.fetch_add(1, Ordering::Relaxed);
            let answer = is_well.load(Ordering::Relaxed).then_some(());
            std::future::ready(answer.ok_or("no".to_owned()))
        };
        let (sender, mut reports) = mpsc::unbounded_channel();
        let report = |status| {
            let _ = sender.send(status);
            std::future::ready(())
        };
        let back = tokio::sync::Notify::new();
        let mut watching = Box::pin(watch(check, std::future::pending, || back.notified(), report));
        let mut next = async || {
            tokio::select! {
                _ = &mut watching => None,
                status = reports.recv() => status,
            }
        };
        assert_eq!(next().await, Some(ClusterStatus::Failed("no".to_owned())));
        assert_eq!(asked.load(Ordering::Relaxed), TOLERATED);
        is_well.store(true, Ordering::Relaxed);
        back.notify_one();
        let before = tokio::time::Instant::now();
        assert_eq!(next().await, Some(ClusterStatus::Connected));
        assert_eq!(before.elapsed(), Duration::ZERO);
    }
}
