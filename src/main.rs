//! Parses the command line, runs the command, and turns its outcome into an exit status.

use std::process::ExitCode;

fn main() -> ExitCode {
    // kube and bollard would each choose a provider of their own; two in one process make rustls refuse to start.
    let _ = rustls::crypto::ring::default_provider().install_default();
    ExitCode::from(tilt::cli::run(std::env::args_os()))
}
