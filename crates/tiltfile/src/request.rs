//! What is evaluated, and for whom.

use std::time::Instant;

use super::Memory;
use crate::k8s::KubeContext;
use crate::model::{ApiObjects, LocalPath};

/// What to evaluate, and for whom.
#[derive(Clone, Debug)]
pub struct LoadRequest {
    /// The Tiltfile.
    pub file: LocalPath,
    /// Arguments after the command. Unless the file reads them itself, they are names of the resources to run.
    pub args: Vec<String>,
    /// The command that was typed: `up`, `ci`, `down`, ... For `up` and `ci` a Tiltfile without resources is an error.
    pub subcommand: &'static str,
    /// The cluster that the kubeconfig means.
    pub kube: KubeContext,
    /// The host of the session's web page, where port-forwards listen unless they say otherwise.
    pub web_host: String,
    /// Whether this is the session's own Tiltfile: only that one must have resources and an allowed context.
    pub is_main: bool,
    /// What the file can know about the program that evaluates it.
    pub program: Program,
    /// What earlier loads of the session left.
    pub memory: Memory,
    /// Extensions, and their repositories, that users registered beside the Tiltfile.
    pub extensions: ApiObjects,
    /// Reads the clock, to time the calls of built-ins; `None` for not timing them.
    pub clock: Option<fn() -> Instant>,
}

/// What a Tiltfile can know about the program that evaluates it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Program {
    /// The command line, with the program's name first: `sys.argv`.
    pub argv: Vec<String>,
    /// The path of the program: `sys.executable`.
    pub executable: String,
    /// Variables for commands that do not have them, such as `TILT_PORT`.
    pub variables: Vec<(String, String)>,
}
