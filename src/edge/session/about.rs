//! What a session is about.

use crate::edge::kube::ClusterAccess;
use crate::edge::local::CommandVariables;
use crate::engine::Mode;
use crate::k8s::labels::Ownership;
use crate::logs::LogStore;
use crate::model::LocalPath;
use crate::tiltfile::LoadRequest;

/// What a session is about.
pub struct Session {
    /// Whether to stay or to end by itself.
    pub mode: Mode,
    /// The Tiltfile and its arguments.
    pub request: LoadRequest,
    /// How to reach the cluster, or why it cannot be reached: said once something needs it.
    pub access: Result<ClusterAccess, String>,
    /// Who deploys.
    pub ownership: Ownership,
    /// What commands find in their environment.
    pub commands: CommandVariables,
    /// Where output goes.
    pub log: LogStore,
    /// Whether local ports are opened at all.
    pub forwards_ports: bool,
    /// Whether running containers are changed in place.
    pub updates_containers: bool,
    /// Whether output may have colour.
    pub has_colour: bool,
    /// The directory that paths in messages are relative to.
    pub cwd: LocalPath,
}
