//! Tells failures that pass from those that stay: something could not be reached, or went away in the middle.
//!
//! Whoever fails knows which it is, and says so in its type. Text is asked only where there is nothing else: what an engine,
//! a registry or an API server said of what *they* could not reach.

use crate::engine::Transient;

/// Why an update failed, as the user reads it, and whether that passes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::edge) struct Failure {
    pub(in crate::edge) text: String,
    /// Why it passes, if it does.
    pub(in crate::edge) transient: Option<Transient>,
}

impl From<String> for Failure {
    fn from(text: String) -> Self {
        Self {
            text,
            transient: None,
        }
    }
}

impl From<Failure> for String {
    fn from(failure: Failure) -> Self {
        failure.text
    }
}

/// Returns whether another program says that it could not reach something, or that something went away.
///
/// Such texts are chains of causes, the last of which tells: what stands before it may quote anything, also what the user
/// wrote. So only the last one is looked at, and only its beginning and end.
pub(in crate::edge) fn says_unreachable(said: &str) -> bool {
    const SIGNS: [&str; 30] = [
        "apiserver not ready",
        "broken pipe",
        "cannot connect to the docker daemon",
        "client connection is closing",
        "client.timeout exceeded while awaiting headers",
        "connection closed",
        "connection refused",
        "connection reset",
        "connection reset by peer",
        "connection was not ready",
        "context canceled",
        "context deadline exceeded",
        "deadline exceeded",
        "deadline has elapsed",
        "frontend grpc server closed unexpectedly",
        "i/o timeout",
        "is the docker daemon running?",
        "network is unreachable",
        "no active session",
        "no endpoints available for service",
        "no route to host",
        "operation timed out",
        "request timed out",
        "server is shutting down",
        "server misbehaving",
        "temporary failure in name resolution",
        "tls handshake timeout",
        "transport is closing",
        "unable to handle the request",
        "unexpected eof",
    ];
    /// What follows an HTTP status in a cause of its own.
    const STATUSES: [&str; 3] = [
        "502 bad gateway",
        "503 service unavailable",
        "504 gateway timeout",
    ];
    let said = said.to_lowercase();
    let said = said.trim();
    if said.starts_with("etcdserver: ") {
        return true;
    }
    let cause = said.rsplit(": ").next().unwrap_or(said);
    let cause = cause.trim_matches(|c: char| matches!(c, '"' | '\'' | '.' | ')' | '(') || c.is_whitespace());
    // The name of a cause may be followed by details in parentheses.
    let cause = cause.rsplit(" desc = ").next().unwrap_or(cause);
    let is_sign = |sign: &str| cause.starts_with(sign) || cause.ends_with(sign);
    cause == "eof" || SIGNS.iter().chain(&STATUSES).any(|sign| is_sign(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_could_not_reach_is_known_by_the_last_cause() {
        for passing in [
            "Get \"http://localhost:5000/v2/\": dial tcp 127.0.0.1:5000: connect: connection refused",
            "unexpected EOF",
            "Put \"https://gcr.io/v2/x/blobs\": EOF",
            "rpc error: code = Canceled desc = context canceled",
            "failed to get status: rpc error: code = Unavailable desc = error reading from server: EOF",
            "connection error: desc = \"transport: Error while dialing dial unix /run/x.sock: connect: connection refused\"",
            "Head \"https://registry-1.docker.io/v2/library/x/manifests/1\": net/http: TLS handshake timeout",
            "Get \"https://gcr.io/v2/\": net/http: request canceled while waiting for connection (Client.Timeout exceeded \
             while awaiting headers)",
            "Get \"https://gcr.io/v2/\": context deadline exceeded (Client.Timeout exceeded while awaiting headers)",
            "received unexpected HTTP status: 503 Service Unavailable",
            "etcdserver: leader changed",
            "etcdserver: request timed out",
            "Internal error occurred: failed calling webhook \"x.y\": failed to call webhook: Post \
             \"https://x.y.svc:443/z?timeout=10s\": dial tcp 10.0.0.1:443: connect: no route to host",
            "Internal error occurred: failed calling webhook \"x.y\": no endpoints available for service \"x\"",
            "write tcp 10.0.0.1:1->10.0.0.2:443: write: broken pipe",
            "the server is shutting down",
            "unable to get image 'busybox': Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker \
             daemon running?",
        ] {
            assert!(says_unreachable(passing), "{passing}");
        }
    }

    #[test]
    fn what_is_quoted_says_nothing() {
        for staying in [
            "executor failed running [/bin/sh -c echo \"connection refused\"; exit 1]: exit code: 1",
            "process \"/bin/sh -c echo i/o timeout: EOF && exit 3\" did not complete successfully: exit code: 3",
            "The command '/bin/sh -c echo broken pipe; false' returned a non-zero code: 1",
            "target stage connection refused could not be found",
            "failed to reach build target eof in Dockerfile",
            "\"/connection refused.txt\" not found: not found",
            "pull access denied for eof, repository does not exist or may require 'docker login'",
            "docker.io/library/timeout:latest: not found",
            "ConfigMap \"x\" is invalid: data[a]: Invalid value: \"connection refused\": no such key",
            "admission webhook \"x\" denied the request: eof is not an allowed name",
            "deployments.apps \"geoffrey\" is invalid: spec.selector: field is immutable",
            "toomanyrequests: You have reached your pull rate limit.",
            "no such file: eofs.txt",
            "failed to solve: process \"/bin/sh -c echo Cannot connect to the Docker daemon; false\" did not complete \
             successfully: exit code: 1",
        ] {
            assert!(!says_unreachable(staying), "{staying}");
        }
    }
}
