//! The kinds that are served, and their names.
//!
//! Rule: `docs/rules/api.md`, "Kinds".

/// The group of all kinds.
pub const GROUP: &str = "tilt.dev";

/// The only version of the group.
pub const VERSION: &str = "v1alpha1";

/// What can be done with the objects of each kind.
pub const VERBS: [&str; 8] = [
    "create",
    "delete",
    "deletecollection",
    "get",
    "list",
    "patch",
    "update",
    "watch",
];

/// A kind of objects.
#[derive(Debug, PartialEq, Eq)]
pub struct Kind {
    /// Its name, such as `UIResource`.
    pub name: &'static str,
    /// Its name in paths, such as `uiresources`.
    pub plural: &'static str,
    /// The same for one object.
    pub singular: &'static str,
    /// Shorter names for people.
    pub short: &'static [&'static str],
    /// Whether its objects have a status, served under a path of its own.
    pub has_status: bool,
}

/// All kinds, in the order in which they are listed.
pub static KINDS: [Kind; 22] = [
    kind("Cluster", "clusters", "cluster", &[]),
    kind("CmdImage", "cmdimages", "cmdimage", &[]),
    kind("Cmd", "cmds", "cmd", &[]),
    Kind {
        has_status: false,
        ..kind("ConfigMap", "configmaps", "configmap", &["cm"])
    },
    kind(
        "DockerComposeLogStream",
        "dockercomposelogstreams",
        "dockercomposelogstream",
        &["dclog", "dcls"],
    ),
    kind(
        "DockerComposeService",
        "dockercomposeservices",
        "dockercomposeservice",
        &["dc"],
    ),
    kind("DockerImage", "dockerimages", "dockerimage", &[]),
    kind(
        "ExtensionRepo",
        "extensionrepos",
        "extensionrepo",
        &["repo", "extrepo"],
    ),
    kind("Extension", "extensions", "extension", &["ext"]),
    kind("FileWatch", "filewatches", "filewatch", &["fw"]),
    kind("ImageMap", "imagemaps", "imagemap", &["im"]),
    kind(
        "KubernetesApply",
        "kubernetesapplys",
        "kubernetesapply",
        &["ka", "kapp"],
    ),
    kind(
        "KubernetesDiscovery",
        "kubernetesdiscoveries",
        "kubernetesdiscovery",
        &["kd", "kdisco"],
    ),
    kind("LiveUpdate", "liveupdates", "liveupdate", &[]),
    kind("PodLogStream", "podlogstreams", "podlogstream", &["pls"]),
    kind("PortForward", "portforwards", "portforward", &["pf"]),
    kind("Session", "sessions", "session", &[]),
    kind("Tiltfile", "tiltfiles", "tiltfile", &[]),
    kind("ToggleButton", "togglebuttons", "togglebutton", &[]),
    kind("UIButton", "uibuttons", "uibutton", &[]),
    kind("UIResource", "uiresources", "uiresource", &[]),
    kind("UISession", "uisessions", "uisession", &[]),
];

const fn kind(
    name: &'static str,
    plural: &'static str,
    singular: &'static str,
    short: &'static [&'static str],
) -> Kind {
    Kind {
        name,
        plural,
        singular,
        short,
        has_status: true,
    }
}

impl Kind {
    /// Returns the kind of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.name == name)
    }

    /// Returns the kind whose objects are served under this path.
    pub fn of_plural(plural: &str) -> Option<&'static Self> {
        KINDS.iter().find(|kind| kind.plural == plural)
    }

    /// Returns the kind that a user means: plural, singular, short name or kind, in any case, with or without the group
    /// and the version.
    pub fn meant_by(word: &str) -> Option<&'static Self> {
        let word = word.to_lowercase();
        let (name, group) = word.split_once('.').unwrap_or((&word, GROUP));
        let is_group = group == GROUP
            || group
                .strip_prefix(VERSION)
                .is_some_and(|rest| rest == ".tilt.dev");
        let is_it = |kind: &&Self| {
            kind.plural == name
                || kind.singular == name
                || kind.short.contains(&name)
                || kind.name.eq_ignore_ascii_case(name)
        };
        KINDS.iter().find(is_it).filter(|_| is_group)
    }

    /// Returns `tilt.dev/v1alpha1`.
    pub fn api_version() -> String {
        format!("{GROUP}/{VERSION}")
    }
}
