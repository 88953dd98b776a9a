//! Tells failures that pass from those that stay: something could not be reached, or went away in the middle.

/// Returns whether an update failed because an API server, a Docker engine or a registry could not be reached.
///
/// Those who fail pass on text of others (engines, registries, API servers that speak of webhooks), so it is the text
/// that tells.
pub(super) fn is_unreachable(error: &str) -> bool {
    const SIGNS: [&str; 24] = [
        "apiserver not ready",
        "broken pipe",
        "client error (connect)",
        "connection closed",
        "connection refused",
        "connection reset",
        "connection was not ready",
        "context canceled",
        "context deadline exceeded",
        "deadline has elapsed",
        "eof",
        "etcdserver: ",
        "error trying to connect",
        "hint: start docker,",
        "i/o timeout",
        "incomplete message",
        "no active session",
        "no answer within",
        "no route to host",
        "operation timed out",
        "server is shutting down",
        "tls handshake timeout",
        "transport is closing",
        "unable to handle the request",
    ];
    let error = error.to_lowercase();
    let words = |sign: &str| match sign {
        // A short one must stand by itself.
        "eof" => error
            .split(|c: char| !c.is_alphanumeric())
            .any(|word| word == sign),
        sign => error.contains(sign),
    };
    SIGNS.iter().any(|sign| words(sign))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_passes_is_told_from_what_stays() {
        for passing in [
            "client error (Connect): tcp connect error: Connection refused (os error 111)",
            "docker push: Get \"http://localhost:5000/v2/\": dial tcp 127.0.0.1:5000: connect: connection refused",
            "ImageBuild: unexpected EOF",
            "ImageBuild: No such file or directory (os error 2)\nhint: start Docker, or set DOCKER_HOST",
            "ImageBuild: rpc error: code = Canceled desc = context canceled",
        ] {
            assert!(is_unreachable(passing), "{passing}");
        }
        for staying in [
            "ImageBuild: executor failed running [/bin/sh -c exit 1]: exit code: 1",
            "deployments.apps \"geoffrey\" is invalid: spec.selector: field is immutable",
            "build canceled",
            "no such file: eofs.txt",
        ] {
            assert!(!is_unreachable(staying), "{staying}");
        }
    }
}
