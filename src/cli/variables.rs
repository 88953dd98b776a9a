//! What programs that a session starts find in their environment: whose session it is, and its cluster.

use std::io::IsTerminal;
use std::path::PathBuf;

use etcetera::base_strategy::{BaseStrategy, Xdg};

use super::session;
use crate::edge::kube::{ClusterAccess, FrozenKubeconfig, write_frozen};
use crate::logs::LogWriter;

/// The port of the web page when none is asked for.
pub(super) const DEFAULT_PORT: u16 = 10350;

/// Returns the variables of a session, with the kubeconfig that they name: its file is there as long as that is kept. One
/// that cannot be written is said in the log.
///
/// Rule: `reference/cli-and-ui.md`, "nested `tilt` calls"; `reference/engine.md` 6.2.
pub(super) fn variables(
    (host, port): (&str, u16),
    access: Option<&ClusterAccess>,
    log: &LogWriter,
) -> (Vec<(String, String)>, Option<FrozenKubeconfig>) {
    let mut kubeconfig = None;
    let mut variables = vec![
        ("TILT_HOST".to_owned(), host.to_owned()),
        ("TILT_PORT".to_owned(), port.to_string()),
        ("TILT_DISABLE_ANALYTICS".to_owned(), "1".to_owned()),
    ];
    if session::colour(std::io::stdout().is_terminal()) {
        variables.push(("FORCE_COLOR".to_owned(), "1".to_owned()));
    }
    if let Some(access) = access {
        match write_kubeconfig(port, access) {
            Ok(frozen) => {
                let path = frozen.path().to_string_lossy().into_owned();
                variables.push(("KUBECONFIG".to_owned(), path));
                kubeconfig = Some(frozen);
            }
            Err(error) => log.warn(&format!("commands get no kubeconfig of this session: {error}")),
        }
    }
    (variables, kubeconfig)
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
