//! Traces for developers of this program, on standard error. What is secret in the log is secret in them too.

use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

use tracing_subscriber::EnvFilter;

use super::colour;
use crate::logs::{LogStore, SecretHider};

/// Knows the secrets of the session, once there is one.
static SECRETS: OnceLock<SecretHider> = OnceLock::new();

/// Writes traces from now on: with `debug` what was given up or goes another way, with `TILT_LOG` what that filter says;
/// `tilt=trace` shows all events and effects of the engine.
pub(super) fn install(debug: bool) {
    let filter = match (std::env::var("TILT_LOG"), debug) {
        (Ok(filter), _) => EnvFilter::new(filter),
        (Err(_), true) => EnvFilter::new("tilt=debug,warn"),
        (Err(_), false) => return,
    };
    tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(colour::may_be_used(io::stderr().is_terminal()))
        .with_writer(|| Traces)
        .init();
}

/// Hides the secrets of a log in traces too, as soon as they are known. There is one log in the life of this program.
pub(super) fn hide_secrets_of(log: &LogStore) {
    let _ = SECRETS.set(log.secret_hider());
}

/// Writes traces. Each comes in one call, so that no secret comes in two.
struct Traces;

impl Write for Traces {
    fn write(&mut self, trace: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(trace);
        let hidden = SECRETS.get().map(|secrets| secrets.hide(&text));
        io::stderr().write_all(hidden.as_deref().unwrap_or(&text).as_bytes())?;
        Ok(trace.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}
