//! What is declared for the Kubernetes objects of a resource beside the objects themselves.

use super::{Command, Ignore, Link, LocalPath, PortForward};

/// What is declared for the Kubernetes objects of a resource beside the objects themselves.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct K8sOptions {
    /// Local ports that lead to its pods.
    pub port_forwards: Vec<PortForward>,
    /// Links that a UI shows.
    pub links: Vec<Link>,
    /// How its pods are found; `None` when it was not said.
    pub discovery_strategy: Option<DiscoveryStrategy>,
    /// Where images are in objects of kinds that are not known.
    pub image_locators: Vec<ImageLocator>,
    /// Commands that deploy it, in place of objects.
    pub custom_deploy: Option<CustomDeploy>,
}

/// How the pods of a resource are found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DiscoveryStrategy {
    /// Through owners and selectors.
    Default,
    /// Through selectors alone.
    SelectorsOnly,
}

impl DiscoveryStrategy {
    /// Returns the word that Tiltfiles and result files use.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Default => "default",
            Self::SelectorsOnly => "selectors-only",
        }
    }
}

/// Which objects are meant: regular expressions as they were written, matched anywhere and without case. An empty one
/// matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct ObjectPatterns {
    /// Of `group/version`, or `version` in the core group.
    pub api_version: String,
    /// Of the kind.
    pub kind: String,
    /// Of the name.
    pub name: String,
    /// Of the namespace, `default` where none is written.
    pub namespace: String,
}

/// Where images are in the objects that match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageLocator {
    /// Which objects.
    pub objects: ObjectPatterns,
    /// The JSONPath, as kubectl writes it, to texts or, with `fields`, to maps.
    pub path: String,
    /// The keys of repository and tag in such a map.
    pub fields: Option<(String, String)>,
}

/// Commands that deploy a resource and take it away again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CustomDeploy {
    /// Deploys; prints what it deployed as YAML.
    pub apply: Command,
    /// Takes it away.
    pub delete: Command,
    /// Paths whose change deploys again.
    pub deps: Vec<LocalPath>,
    /// What is left out when watching.
    pub watch_ignores: Vec<Ignore>,
}
