//! What others may try with the ports of a session: each is refused, and the session goes on.
#![allow(clippy::disallowed_methods, reason = "these tests run a program")]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::sessions::Session;
use crate::support::free_port;

/// A session, and the port of its web page.
struct Attacked {
    session: Session,
    port: u16,
}

impl Attacked {
    fn new() -> Self {
        let port = free_port();
        let session = Session::start_with(
            &[("Tiltfile", "local_resource('web', 'true')\n")],
            &[("TILT_PORT", &port.to_string())],
        );
        Self { session, port }
    }

    /// Sends bytes to the port of the page; returns what is answered until the connection is closed.
    fn send(&self, sent: &[u8]) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it listens");
        stream
            .set_read_timeout(Some(Duration::from_secs(60)))
            .expect("a limit");
        let _ = stream.write_all(sent);
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }

    /// Asks for a path with more header lines.
    fn get(&self, path: &str, headers: &[&str]) -> String {
        let host = format!("Host: localhost:{}", self.port);
        let host = match headers.iter().any(|line| line.starts_with("Host:")) {
            true => String::new(),
            false => format!("{host}\r\n"),
        };
        let more: String = headers.iter().map(|line| format!("{line}\r\n")).collect();
        self.send(format!("GET {path} HTTP/1.1\r\n{host}{more}Connection: close\r\n\r\n").as_bytes())
    }

    /// Returns the cookie that the page sets.
    fn cookie(&self) -> String {
        let page = self.get("/", &[]);
        let cookie = page
            .lines()
            .find_map(|line| line.strip_prefix("set-cookie: "))
            .expect("the page sets a cookie");
        cookie.split(';').next().unwrap_or_default().to_owned()
    }

    #[track_caller]
    fn lives(&self) {
        let page = self.get("/", &[]);
        assert!(page.starts_with("HTTP/1.1 200"), "{page}");
        let port = self.port.to_string();
        let args = ["get", "session", "Tiltfile", "-o", "name", "--port", &port];
        self.session.tilt(&args).status(0);
    }
}

#[track_caller]
fn refused(answer: &str, status: u16) {
    assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{answer}");
}

#[test]
fn only_who_has_the_token_gets_anything_and_only_from_here() {
    let session = Attacked::new();
    let cookie = format!("Cookie: {}", session.cookie());
    refused(&session.get("/api/view", &[&cookie]), 200);
    refused(&session.get("/api/view", &[]), 403);
    refused(&session.get("/api/view", &["Cookie: Tilt-Token=old"]), 403);
    refused(&session.get("/api/view", &["X-Tilt-Token: old", &cookie]), 403);
    // A token in an address ends in logs and in the headers of other sites: it is none.
    let token = session.cookie().replace("Tilt-Token=", "");
    refused(&session.get(&format!("/api/view?token={token}"), &[]), 403);
    // A name of somebody else's that leads here.
    refused(&session.get("/api/view", &[&cookie, "Host: evil.example"]), 403);
    refused(&session.get("/", &["Host: evil.example:80"]), 403);
    refused(
        &session.get("/api/view", &[&cookie, "Origin: http://evil.example"]),
        403,
    );
    refused(&session.get("/api/view", &[&cookie, "Origin: null"]), 403);
    let upgrade = [
        cookie.as_str(),
        "Upgrade: websocket",
        "Sec-WebSocket-Version: 13",
        "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
    ];
    for path in [
        "/ws/view",
        "/ws/view?csrf=",
        "/ws/view?csrf=00000000-0000-0000-0000-000000000000",
    ] {
        let answer = session.get(path, &[&upgrade[..], &["Connection: Upgrade"]].concat());
        assert!(
            !answer.starts_with("HTTP/1.1 101") && !answer.starts_with("HTTP/1.1 2"),
            "{answer}"
        );
    }
    session.lives();
}

#[test]
fn no_path_leads_out_of_what_is_served() {
    let session = Attacked::new();
    let cookie = format!("Cookie: {}", session.cookie());
    for path in [
        "/static/../../../../etc/passwd",
        "/static/..%2f..%2f..%2fetc%2fpasswd",
        "/..%5c..%5cetc%5cpasswd",
        "//etc/passwd",
        "/proxy/apis/tilt.dev/v1alpha1/uibuttons/..%2f..%2fcmds",
        "/proxy/apis/tilt.dev/v1alpha1/cmds",
        "/proxy/../api/view",
    ] {
        let answer = session.get(path, &[&cookie]);
        assert!(
            !answer.contains("root:") && !answer.contains("\"items\""),
            "{path}: {answer}"
        );
    }
    refused(
        &session.get("/proxy/apis/tilt.dev/v1alpha1/cmds", &[&cookie]),
        403,
    );
    session.lives();
}

#[test]
fn what_is_too_large_is_refused() {
    let session = Attacked::new();
    let cookie = session.cookie();
    let head = format!(
        "POST /api/trigger HTTP/1.1\r\nHost: localhost\r\nCookie: {cookie}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        64 << 20
    );
    let mut sent = head.into_bytes();
    sent.resize(sent.len() + (4 << 20), b' ');
    let answer = session.send(&sent);
    // It may hang up before all is sent.
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 413"),
        "{answer}"
    );
    let mut head = b"GET / HTTP/1.1\r\nHost: localhost\r\nX-Long: ".to_vec();
    head.resize(1 << 20, b'x');
    let answer = session.send(&head);
    assert!(
        answer.is_empty() || answer.starts_with("HTTP/1.1 431"),
        "{answer}"
    );
    session.lives();
}

#[test]
fn many_open_connections_cost_nobody_else_anything_once_they_are_gone() {
    let session = Attacked::new();
    let open: Vec<TcpStream> = (0..2_000)
        .map_while(|_| TcpStream::connect(("127.0.0.1", session.port)).ok())
        .collect();
    assert!(open.len() > 400, "{} connections could be opened", open.len());
    drop(open);
    // The session hears of each end in turn.
    let came_back = (0..100_000).any(|_| session.get("/", &[]).starts_with("HTTP/1.1 200"));
    assert!(came_back);
    session.lives();
}

#[test]
fn arbitrary_bytes_on_either_port_harm_nobody() {
    let session = Attacked::new();
    let config =
        std::fs::read_to_string(session.session.folder.path(".tilt-dev/config")).expect("the registry");
    let api = config
        .lines()
        .find_map(|line| line.trim().strip_prefix("server: https://"))
        .expect("the API is registered")
        .to_owned();
    let mut runner = TestRunner::new(Config {
        cases: 64,
        failure_persistence: None,
        ..Config::default()
    });
    let bytes = proptest::collection::vec(any::<u8>(), 0..2_000);
    let outcome = runner.run(&(bytes, any::<bool>()), |(bytes, is_frame)| {
        let sent = match is_frame {
            true => [
                b"GET /api/view HTTP/1.1\r\nHost: localhost\r\n".as_slice(),
                &bytes,
            ]
            .concat(),
            false => bytes,
        };
        session.send(&sent);
        if let Ok(mut stream) = TcpStream::connect(&api) {
            let _ = stream.write_all(&sent);
        }
        Ok(())
    });
    outcome.expect("no bytes are special");
    session.lives();
}
