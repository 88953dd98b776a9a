//! What a local resource runs on this machine.

use super::{Command, Ignore, Link, LocalPath, Probe, TargetId};

/// The commands of a local resource.
#[derive(Clone, Debug, PartialEq)]
pub struct LocalTarget {
    /// `local:<resource>`.
    pub id: TargetId,
    /// What an update runs, if anything.
    pub update_cmd: Option<Command>,
    /// What keeps running; empty for nothing.
    pub serve_cmd: Command,
    /// Files and directories whose change leads to an update, as given; `None` where none were.
    pub deps: Option<Vec<LocalPath>>,
    /// What to leave out when watching.
    pub watch_ignores: Vec<Ignore>,
    /// Whether updates run beside those of other resources.
    pub allow_parallel: bool,
    /// Links to show with the resource.
    pub links: Vec<Link>,
    /// How to find out whether what serves is ready.
    pub readiness_probe: Option<Probe>,
}
