//! Readiness probes: tries a command, a page or a port at intervals.
//!
//! Rule: `docs/rules/local.md`, "Probes"; as Kubernetes does it for containers.

use std::time::Duration;

use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;
use tokio::time::{MissedTickBehavior, interval_at, timeout};

use super::tls;
use crate::edge::process::{ChildCommand, Environment, capture};
use crate::logs::LogWriter;
use crate::model::{LocalPath, Probe, ProbeAction};

/// How much of a page is read.
const PAGE_LIMIT: usize = 10 * 1024;

/// What a try gave: its output, or why it failed.
pub(super) type Outcome = Result<String, String>;

/// What a probe has found out about a server.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub(super) struct Readiness {
    /// Whether it counts as ready.
    pub(super) ready: bool,
    /// Why the last try failed, in a line; `None` if it did not.
    pub(super) fault: Option<String>,
}

/// How much of what a failed try said is passed on, in characters.
const FAULT_LIMIT: usize = 300;

/// Tries a probe again and again.
pub(super) struct Prober {
    probe: Probe,
    env: Environment,
    ticks: Option<tokio::time::Interval>,
    /// What the last try gave, and how many in a row gave that.
    last: Option<(bool, i32)>,
    /// Which result was told last.
    told: Option<bool>,
    found: Readiness,
}

impl Prober {
    /// Returns a prober of a server that is about to start.
    ///
    /// # Errors
    ///
    /// When no try could ever succeed: the text says why.
    pub(super) fn new(probe: Probe, env: Environment) -> Result<Self, String> {
        check(&probe.action)?;
        Ok(Self {
            probe,
            env,
            ticks: None,
            last: None,
            told: None,
            found: Readiness::default(),
        })
    }

    /// Returns once the server has become ready or unready, or fails in another way. A result is logged when it counts: a
    /// failure once there were as many in a row as the threshold says.
    pub(super) async fn next_change(&mut self, log: &LogWriter) -> Readiness {
        let (action, env) = (self.probe.action.clone(), self.env.clone());
        self.next_change_of(log, &|| attempt(&action, &env)).await
    }

    /// As `next_change`, with tries of another kind.
    pub(super) async fn next_change_of<F: Future<Output = Outcome>>(
        &mut self,
        log: &LogWriter,
        attempt: &impl Fn() -> F,
    ) -> Readiness {
        loop {
            self.wait().await;
            let limit = Duration::from_secs(positive(self.probe.timeout_secs, 1));
            let outcome = match timeout(limit, attempt()).await {
                Ok(outcome) => outcome,
                Err(_) => Err(format!("probe timed out after {}s", limit.as_secs())),
            };
            let found = self.take_in(&outcome, log);
            if found != self.found {
                self.found = found.clone();
                return found;
            }
        }
    }

    fn take_in(&mut self, outcome: &Outcome, log: &LogWriter) -> Readiness {
        let succeeded = outcome.is_ok();
        let in_a_row = match self.last {
            Some((last, count)) if last == succeeded => count.saturating_add(1),
            _ => 1,
        };
        self.last = Some((succeeded, in_a_row));
        let threshold = if succeeded {
            positive(self.probe.success_threshold, 1)
        } else {
            positive(self.probe.failure_threshold, 3)
        };
        let counts = u64::try_from(in_a_row).is_ok_and(|count| count >= threshold);
        if counts && self.told != Some(succeeded) {
            tell(log, outcome);
            self.told = Some(succeeded);
        }
        Readiness {
            ready: if counts { succeeded } else { self.found.ready },
            fault: outcome.as_ref().err().map(|error| in_a_line(error)),
        }
    }

    async fn wait(&mut self) {
        let (delay, period) = (
            Duration::from_secs(positive(self.probe.initial_delay_secs, 0)),
            Duration::from_secs(positive(self.probe.period_secs, 10)),
        );
        let ticks = self.ticks.get_or_insert_with(|| {
            let mut ticks = interval_at(tokio::time::Instant::now() + delay, period);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            ticks
        });
        ticks.tick().await;
    }
}

/// Tries once.
pub(super) async fn attempt(action: &ProbeAction, env: &Environment) -> Outcome {
    match action {
        ProbeAction::Exec { command } => run(command, env).await,
        ProbeAction::HttpGet {
            host,
            port,
            scheme,
            path,
        } => {
            let secure = scheme.eq_ignore_ascii_case("https");
            get(or(host, "localhost"), *port, secure, or(path, "/")).await
        }
        ProbeAction::TcpSocket { host, port } => {
            connect(or(host, "localhost"), *port).await.map(|_| String::new())
        }
    }
}

async fn run(command: &[String], env: &Environment) -> Outcome {
    let command = ChildCommand {
        argv: command.to_vec(),
        #[allow(
            clippy::disallowed_methods,
            reason = "a probe runs where this program was started"
        )]
        dir: LocalPath::new(std::env::current_dir().unwrap_or_else(|_| "/".into())),
        env: env.clone(),
    };
    let captured = capture(&command, None)
        .await
        .map_err(|error| command.not_started(&error).to_string())?;
    let mut output = captured.stdout;
    output.extend(captured.stderr);
    let output = String::from_utf8_lossy(&output).into_owned();
    if captured.exit.is_success() {
        Ok(output)
    } else if output.trim().is_empty() {
        Err(captured.exit.to_string())
    } else {
        Err(output)
    }
}

fn in_a_line(error: &str) -> String {
    let line = error.lines().find(|line| !line.trim().is_empty());
    line.unwrap_or_default()
        .trim()
        .chars()
        .take(FAULT_LIMIT)
        .collect()
}

fn check(action: &ProbeAction) -> Result<(), String> {
    match action {
        ProbeAction::Exec { command } if command.is_empty() => Err("the command is empty".to_owned()),
        ProbeAction::HttpGet { port, .. } | ProbeAction::TcpSocket { port, .. }
            if !(1..=i32::from(u16::MAX)).contains(port) =>
        {
            Err(format!("port {port} is out of range: ports are from 1 to 65535"))
        }
        _ => Ok(()),
    }
}

/// Returns a number, or what stands for one that is not given.
fn positive(number: i32, default: u64) -> u64 {
    u64::try_from(number).ok().filter(|n| *n > 0).unwrap_or(default)
}

fn or<'a>(text: &'a str, default: &'a str) -> &'a str {
    if text.is_empty() { default } else { text }
}

fn tell(log: &LogWriter, outcome: &Outcome) {
    let (word, text) = match outcome {
        Ok(text) => ("success", text),
        Err(text) => ("failure", text),
    };
    let lines = text
        .trim_end()
        .lines()
        .map(|line| format!("[readiness probe: {word}] {line}"));
    let text = lines.collect::<Vec<_>>().join("\n");
    match outcome {
        // What has nothing to say is well.
        Ok(_) if text.is_empty() => {}
        Ok(_) => log.info(&text),
        Err(_) if text.is_empty() => log.warn(&format!("[readiness probe: {word}]")),
        Err(_) => log.warn(&text),
    }
}

async fn connect(host: &str, port: i32) -> Result<TcpStream, String> {
    let port = u16::try_from(port).map_err(|_| format!("{port} is no port"))?;
    let stream = TcpStream::connect((host, port)).await;
    stream.map_err(|error| format!("dial tcp {host}:{port}: {error}"))
}

/// Gets a page; its status must be from 200 to 399. The server's certificate is not checked, as in Kubernetes.
async fn get(host: &str, port: i32, secure: bool, path: &str) -> Outcome {
    let stream = connect(host, port).await?;
    let words = |error: hyper::Error| error.to_string();
    if secure {
        let stream = tls::connect(host, stream)
            .await
            .map_err(|error| error.to_string())?;
        let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(words)?;
        return request(sender, connection, host, port, path).await;
    }
    let (sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(words)?;
    request(sender, connection, host, port, path).await
}

async fn request(
    mut sender: hyper::client::conn::http1::SendRequest<Empty<&'static [u8]>>,
    connection: impl Future<Output = Result<(), hyper::Error>>,
    host: &str,
    port: i32,
    path: &str,
) -> Outcome {
    let slash = if path.starts_with('/') { "" } else { "/" };
    let request = http::Request::get(format!("{slash}{path}"))
        .header(http::header::HOST, format!("{host}:{port}"))
        .header(http::header::USER_AGENT, "kube-probe/tilt")
        .header(http::header::CONNECTION, "close")
        .body(Empty::new())
        .map_err(|error| error.to_string())?;
    let exchange = async {
        let answer = sender
            .send_request(request)
            .await
            .map_err(|error| error.to_string())?;
        let status = answer.status();
        if !(200..400).contains(&status.as_u16()) {
            return Err(format!("HTTP probe failed with statuscode: {}", status.as_u16()));
        }
        let page = Limited::new(answer.into_body(), PAGE_LIMIT).collect().await;
        let page = page.map(http_body_util::Collected::to_bytes).unwrap_or_default();
        Ok(String::from_utf8_lossy(&page).into_owned())
    };
    tokio::select! {
        biased;
        outcome = exchange => outcome,
        Err(error) = connection => Err(error.to_string()),
    }
}
