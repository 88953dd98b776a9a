//! What programs that are started find in their environment: whose session it is, and its cluster.

use std::io::IsTerminal;
use std::path::PathBuf;

use etcetera::base_strategy::{BaseStrategy, Xdg};

use super::colour;
use crate::edge::kube::{ClusterAccess, ContextError, FrozenKubeconfig, write_frozen};
use crate::edge::process::pin;

/// The port of the web page when none is asked for.
pub(super) const DEFAULT_PORT: u16 = 10350;
/// The host of the web page when none is asked for.
pub(super) const DEFAULT_HOST: &str = "localhost";

/// A kubeconfig that names no cluster: who gets it reaches none.
const NOWHERE: &str = "/dev/null";

/// Returns the variables of a session.
///
/// Rule: `docs/rules/local.md`, "Environment".
pub(super) fn variables(host: &str, port: u16) -> Vec<(String, String)> {
    let mut variables = vec![
        ("TILT_HOST".to_owned(), host.to_owned()),
        ("TILT_PORT".to_owned(), port.to_string()),
        ("TILT_DISABLE_ANALYTICS".to_owned(), "1".to_owned()),
    ];
    if colour::may_be_used(std::io::stdout().is_terminal()) {
        variables.push(("FORCE_COLOR".to_owned(), "1".to_owned()));
    }
    variables
}

/// Gives everything that is started from now on a kubeconfig of the session's cluster alone. Where that cannot be written,
/// or the user's cannot be understood, it gets one that leads nowhere: a command must never change a cluster that was not
/// meant. Returns the kubeconfig, whose file is there as long as that is kept, and what is to be warned of.
///
/// Rule: `docs/rules/local.md`, "Environment".
pub(super) fn pin_kubeconfig(
    port: u16,
    access: &Result<ClusterAccess, ContextError>,
) -> (Option<FrozenKubeconfig>, Option<String>) {
    match access {
        Ok(access) => match write_kubeconfig(port, access) {
            Ok(frozen) => {
                pin("KUBECONFIG", frozen.path());
                (Some(frozen), None)
            }
            Err(error) => {
                pin("KUBECONFIG", NOWHERE);
                let warning = format!(
                    "commands reach no cluster: their kubeconfig cannot be written: {error}\n\
                     hint: XDG_RUNTIME_DIR and XDG_STATE_HOME say where it goes; one of them must be writable"
                );
                (None, Some(warning))
            }
        },
        Err(ContextError::File { .. }) => {
            pin("KUBECONFIG", NOWHERE);
            (None, None)
        }
        // Commands read what we read, and find no more in it.
        Err(_) => (None, None),
    }
}

fn write_kubeconfig(port: u16, access: &ClusterAccess) -> std::io::Result<FrozenKubeconfig> {
    let xdg = Xdg::new().map_err(std::io::Error::other)?;
    let server = if port == DEFAULT_PORT {
        "tilt-default".to_owned()
    } else {
        format!("tilt-{port}")
    };
    let below = |dir: PathBuf| dir.join("tilt-dev").join(&server).join("cluster");
    let places = [xdg.runtime_dir(), xdg.state_dir()]
        .into_iter()
        .flatten()
        .map(below);
    let mut outcome = Err(std::io::Error::other("there is no directory for it"));
    for dir in places {
        outcome = write_frozen(access, &dir);
        if outcome.is_ok() {
            break;
        }
    }
    outcome
}
