//! What a resource is made of: plain values with names, no behaviour that needs the outside world.
//!
//! Start with [`Manifest`]: the assembled definition of one resource. It holds image targets and one deploy target;
//! [`TargetId`] names them in logs, file watches and the engine's state.

mod api;
mod backoff;
mod cluster_description;
mod cluster_event;
mod command;
mod compose;
mod docker_build_site;
mod duration;
mod entity;
mod float;
pub mod go_path;
mod ids;
mod ignore;
mod image_ref;
mod k8s_options;
mod link;
mod live_update;
mod local;
mod log_event;
mod log_segment;
mod manifest;
pub mod octets;
mod paths;
mod pod;
mod pod_trouble;
mod probe;
mod quoted;
mod registry;
mod service_container;
mod session_settings;
mod settings;
mod source_place;
mod status;
mod sync;
mod target;
mod time;
mod trigger;
mod trouble;
mod url;
mod version;
mod workload;

pub use api::{ApiKind, ApiObject, ApiObjects};
pub use backoff::Backoff;
pub use cluster_description::ClusterDescription;
pub use cluster_event::ClusterEvent;
pub use command::Command;
pub use compose::{
    ComposeBuild, ComposeCondition, ComposeDependency, ComposeMount, ComposePart, ComposePartKind,
    ComposePort, ComposeProject, ComposeService, ComposeTarget, ComposeText, compose_was_killed,
};
pub use docker_build_site::{DockerBuildSite, DockerfileText};
pub use duration::{format_go_duration, parse_go_duration};
pub use entity::{Entity, Origin};
pub use float::format_go_float;
pub use ids::{
    BuildId, DeleteId, LiveUpdateId, LoadId, ManifestName, ObjectUid, PruneId, ServeId, SpanId, TargetId,
    TargetKind, sanitize_name,
};
pub use ignore::{Ignore, IgnoreMatcher, deciding, escaped_pattern};
pub use image_ref::{ImageRef, ImageRefError, ImageSelector};
pub use k8s_options::{CustomDeploy, DiscoveryStrategy, ImageLocator, K8sOptions, ObjectPatterns};
pub use link::{Link, PortForward};
pub use live_update::{Exec, LiveUpdate, Sync};
pub use local::LocalTarget;
pub use log_event::{Level, LogEvent, Progress};
pub use log_segment::Segment;
pub use manifest::{Manifest, OnChange, TriggerMode};
pub use paths::{ContainerPath, LocalPath};
pub use pod::{
    Container, ContainerExit, ContainerState, IGNORED_CONTAINERS, Owner, Pod, PodCondition, PodPhase,
    RestartPolicy,
};

pub use probe::{Probe, ProbeAction};
pub use quoted::write_quoted;
pub use registry::{BuiltImage, Registry};
pub use service_container::{Health, PortBinding, ServiceContainer, ServiceId, ServiceState};
pub use session_settings::{
    DockerPrune, FEATURES, OBSOLETE_FEATURES, SessionSettings, ShownSettings, Telemetry,
};
pub use settings::{CiSettings, UpdateSettings};
pub use source_place::SourcePlace;
pub use status::{RuntimeStatus, UpdateStatus};
pub use sync::{
    Batch, BatchRun, ContainerAddress, InPlace, Placement, Remedy, SentFile, SyncFailure, SyncTimes, Synced,
};
pub use target::{
    CustomBuild, DeployTarget, DockerBuild, DockerOptions, ImageBuild, ImageTarget, Injection, K8sTarget,
    OutputMode, PodReadiness,
};
pub use time::Timestamp;
pub use trigger::TriggerReason;
pub use trouble::PodTrouble;
pub use url::Url;
pub use version::{COMPATIBLE_VERSION, VersionConstraint};
pub use workload::{JobState, PodCounts, Workload, WorkloadKind, WorkloadState};
