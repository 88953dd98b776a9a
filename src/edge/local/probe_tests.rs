//! When a server counts as ready, and what is said of it. Time is simulated where no socket is open.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::probe::{Outcome, Prober, attempt};
use crate::edge::process::Environment;
use crate::logs::{Level, LogStore, LogWriter};
use crate::model::{Probe, ProbeAction};

type Try = Pin<Box<dyn Future<Output = Outcome>>>;

fn gives(outcome: Result<&str, &str>) -> Try {
    let outcome = outcome.map(str::to_owned).map_err(str::to_owned);
    Box::pin(std::future::ready(outcome))
}

fn never() -> Try {
    Box::pin(std::future::pending())
}

fn probe() -> Probe {
    Probe {
        initial_delay_secs: 0,
        timeout_secs: 0,
        period_secs: 0,
        success_threshold: 0,
        failure_threshold: 0,
        action: exec(&["true"]),
    }
}

fn exec(words: &[&str]) -> ProbeAction {
    ProbeAction::Exec {
        command: words.iter().map(|word| (*word).to_owned()).collect(),
    }
}

/// Plays tries; returns each change with its second, and then what was said.
async fn play(probe: Probe, tries: Vec<Try>) -> String {
    let store = LogStore::in_memory();
    let log = LogWriter::global(store.clone());
    let mut prober = Prober::new(probe, Environment::default()).expect("a probe");
    let (tries, over) = (RefCell::new(VecDeque::from(tries)), CancellationToken::new());
    let next = || {
        let next = tries.borrow_mut().pop_front();
        let over = over.clone();
        async move {
            match next {
                Some(attempt) => attempt.await,
                None => {
                    over.cancel();
                    std::future::pending().await
                }
            }
        }
    };
    let began = tokio::time::Instant::now();
    let mut told = String::new();
    loop {
        tokio::select! {
            found = prober.next_change_of(&log, &next) => {
                let what = if found.ready { "ready" } else { "unready" };
                let fault = found.fault.map_or(String::new(), |fault| format!(" ({fault})"));
                told.push_str(&format!("{}s: {what}{fault}\n", began.elapsed().as_secs()));
            }
            () = over.cancelled() => break,
        }
    }
    for segment in store.reader().try_next_batch() {
        let level = match segment.level {
            Level::Warn => "WARNING: ",
            _ => "",
        };
        told.push_str(&format!("{level}{}", segment.text));
    }
    told
}

#[tokio::test(start_paused = true)]
async fn by_default_one_success_every_ten_seconds_is_enough_and_three_failures_are_too_many() {
    let tries = vec![
        gives(Err("refused")),
        gives(Ok("up")),
        gives(Err("gone\naway")),
        gives(Err("gone")),
        gives(Ok("back")),
        gives(Err("no")),
        never(),
        gives(Err("no")),
        gives(Ok("")),
    ];
    insta::assert_snapshot!(play(probe(), tries).await, @"
    0s: unready (refused)
    10s: ready
    20s: ready (gone)
    40s: ready
    50s: ready (no)
    61s: ready (probe timed out after 1s)
    70s: unready (no)
    80s: ready
    [readiness probe: success] up
    WARNING: [readiness probe: failure] no
    ");
}

#[tokio::test(start_paused = true)]
async fn delay_period_time_out_and_thresholds_are_as_given() {
    let probe = Probe {
        initial_delay_secs: 7,
        timeout_secs: 2,
        period_secs: 5,
        success_threshold: 2,
        failure_threshold: 1,
        ..probe()
    };
    let tries = vec![
        gives(Ok("a")),
        never(),
        gives(Ok("b")),
        gives(Ok("c")),
        gives(Err("d")),
    ];
    insta::assert_snapshot!(play(probe, tries).await, @"
    14s: unready (probe timed out after 2s)
    17s: unready
    22s: ready
    27s: unready (d)
    WARNING: [readiness probe: failure] probe timed out after 2s
    [readiness probe: success] c
    WARNING: [readiness probe: failure] d
    ");
}

/// Returns what a try gives.
async fn tried(action: ProbeAction) -> Outcome {
    attempt(&action, &Environment::inherited()).await
}

#[tokio::test]
async fn a_command_succeeds_with_status_0_and_what_it_prints_is_told() {
    let shell = |script: &str| exec(&["sh", "-c", script]);
    assert_eq!(
        tried(shell("echo out; echo err >&2")).await,
        Ok("out\nerr\n".to_owned())
    );
    assert_eq!(tried(shell("echo why; exit 3")).await, Err("why\n".to_owned()));
    assert_eq!(tried(shell("exit 3")).await, Err("exit status 3".to_owned()));
    let missing = tried(exec(&["no-such-program"])).await.unwrap_err();
    assert_eq!(
        missing,
        "exec: \"no-such-program\": executable file not found in $PATH"
    );
}

#[tokio::test]
async fn a_port_succeeds_while_somebody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = i32::from(listener.local_addr().unwrap().port());
    let action = |host: &str| ProbeAction::TcpSocket {
        host: host.to_owned(),
        port,
    };
    // Without a host it is this machine.
    for host in ["127.0.0.1", ""] {
        assert_eq!(tried(action(host)).await, Ok(String::new()), "{host}");
    }
    drop(listener);
    let refused = tried(action("127.0.0.1")).await.unwrap_err();
    assert_eq!(
        refused,
        format!("dial tcp 127.0.0.1:{port}: Connection refused (os error 111)")
    );
}

/// Answers one request with this status; returns what was asked, and what the try gave.
async fn page(status: &str, scheme: &str, path: &str) -> (String, Outcome) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 4\r\nLocation: /elsewhere\r\n\r\nbody");
    let serving = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut asked = vec![0; 1024];
        let n_bytes = stream.read(&mut asked).await.unwrap();
        let _ = stream.write_all(answer.as_bytes()).await;
        String::from_utf8_lossy(&asked[..n_bytes]).replace(&port.to_string(), "<port>")
    };
    let action = ProbeAction::HttpGet {
        host: "127.0.0.1".to_owned(),
        port: i32::from(port),
        scheme: scheme.to_owned(),
        path: path.to_owned(),
    };
    tokio::join!(serving, tried(action))
}

#[tokio::test]
async fn a_page_succeeds_from_200_to_399() {
    for (status, expected) in [
        ("200 OK", Ok("body".to_owned())),
        ("302 Found", Ok("body".to_owned())),
        ("399 Odd", Ok("body".to_owned())),
        (
            "404 Not Found",
            Err("HTTP probe failed with statuscode: 404".to_owned()),
        ),
        (
            "500 Oops",
            Err("HTTP probe failed with statuscode: 500".to_owned()),
        ),
    ] {
        assert_eq!(page(status, "", "/").await.1, expected, "{status}");
    }
    let (asked, _) = page("200 OK", "HTTP", "").await;
    insta::assert_snapshot!(asked.replace('\r', ""), @"
    GET / HTTP/1.1
    host: 127.0.0.1:<port>
    user-agent: kube-probe/tilt
    connection: close
    ");
}

#[tokio::test]
async fn a_page_over_https_is_asked_for_with_tls() {
    let (asked, outcome) = page("200 OK", "https", "/").await;
    assert!(asked.starts_with('\u{16}'), "a TLS handshake begins with 22");
    assert!(outcome.is_err(), "this one speaks no TLS");
}
