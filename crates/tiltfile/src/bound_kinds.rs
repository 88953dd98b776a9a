//! Parameters whose values Tilt converts while it binds them: of several faults of a call the first of these is told, in the order
//! in which the arguments are written, and before any of what the built-in itself looks at.
//!
//! Rule: `docs/rules/tiltfile.md`, "Arguments".

use super::call::Arg;
use super::fault::Outcome;
use super::kinds::{elements, type_name};
use super::session::Session;

/// What a parameter takes; each is a method of [`Arg`].
#[derive(Clone, Copy)]
pub(super) enum Kind {
    Text,
    Flag,
    Path,
    PathOrNone,
    Paths,
    TextMap,
    TextOrBlob,
    TextOrList,
    Sequence,
    Name,
    Labels,
    Links,
    TriggerMode,
    Images,
    PodReadiness,
    Discovery,
}

use Kind::{
    Discovery, Flag, Images, Labels, Links, Name, Path, PathOrNone, Paths, PodReadiness, Sequence, Text,
    TextMap, TextOrBlob, TextOrList, TriggerMode,
};

type Parameters = &'static [(&'static str, Kind)];

static DOCKER_BUILD: Parameters = &[
    ("ref", Text),
    ("context", Path),
    ("build_args", TextMap),
    ("dockerfile", PathOrNone),
    ("match_in_env_vars", Flag),
    ("container_args", Sequence),
    ("target", Text),
    ("ssh", TextOrList),
    ("secret", TextOrList),
    ("network", TextOrBlob),
    ("extra_tag", TextOrList),
    ("cache_from", TextOrList),
    ("pull", Flag),
    ("platform", TextOrBlob),
    ("extra_hosts", TextOrList),
];

static CUSTOM_BUILD: Parameters = &[
    ("ref", Text),
    ("deps", Paths),
    ("tag", Text),
    ("disable_push", Flag),
    ("skips_local_docker", Flag),
    ("match_in_env_vars", Flag),
    ("container_args", Sequence),
    ("outputs_image_ref_to", Path),
    ("image_deps", Images),
    ("env", TextMap),
];

static LOCAL_RESOURCE: Parameters = &[
    ("name", Name),
    ("deps", Paths),
    ("trigger_mode", TriggerMode),
    ("resource_deps", Sequence),
    ("auto_init", Flag),
    ("allow_parallel", Flag),
    ("links", Links),
    ("labels", Labels),
    ("env", TextMap),
    ("serve_env", TextMap),
];

static K8S_RESOURCE: Parameters = &[
    ("workload", Name),
    ("new_name", Name),
    ("trigger_mode", TriggerMode),
    ("resource_deps", Sequence),
    ("objects", Sequence),
    ("links", Links),
    ("labels", Labels),
    ("pod_readiness", PodReadiness),
    ("discovery_strategy", Discovery),
];

static K8S_CUSTOM_DEPLOY: Parameters = &[
    ("name", Text),
    ("deps", Paths),
    ("image_selector", Text),
    ("container_selector", Text),
    ("apply_env", TextMap),
    ("delete_env", TextMap),
    ("image_deps", Images),
];

/// Returns the parameters of a built-in that are looked at while they are bound.
pub(super) fn of(builtin: &str) -> Parameters {
    match builtin {
        "docker_build" => DOCKER_BUILD,
        "custom_build" => CUSTOM_BUILD,
        "local_resource" | "test" => LOCAL_RESOURCE,
        "k8s_resource" => K8S_RESOURCE,
        "k8s_custom_deploy" => K8S_CUSTOM_DEPLOY,
        _ => &[],
    }
}

impl Kind {
    /// Returns the fault of an argument that is not of this kind.
    pub(super) fn check(self, arg: &Arg<'_>, session: &Session<'_>) -> Outcome<()> {
        match self {
            Text => arg.text().map(drop),
            Flag => arg.boolean().map(drop),
            PathOrNone if arg.value.is_none() => Ok(()),
            Path | PathOrNone => arg.path(session).map(drop),
            Paths => arg.paths(session).map(drop),
            TextMap => arg.text_map().map(drop),
            TextOrBlob => arg.text_or_blob().map(drop),
            TextOrList => arg.text_or_list().map(drop),
            Sequence => match elements(arg.value, arg.heap) {
                Some(_) => Ok(()),
                None => {
                    let got = type_name(arg.value);
                    Err(arg.unfit(format!("got {got}, want starlark.Sequence")))
                }
            },
            Name => arg.segment().map(drop),
            Labels => arg.labels().map(drop),
            Links => arg.links().map(drop),
            TriggerMode => arg.on_change().map(drop),
            Images => arg.images().map(drop),
            PodReadiness => arg.pod_readiness().map(drop),
            Discovery => arg.discovery_strategy().map(drop),
        }
    }
}
