//! Names and numbers that are not interchangeable, one type for each. Copies of a name share its text: there are many.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Wraps a text as it is.
            pub fn new(text: impl AsRef<str>) -> Self {
                Self(text.as_ref().into())
            }

            /// Returns the text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.debug_tuple(stringify!($name)).field(&self.as_str()).finish()
            }
        }

        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
                to.serialize_str(&self.0)
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
                String::deserialize(from).map(Self::new)
            }
        }
    };
}

text_id! {
    /// The name of a resource, as a user sees it.
    ManifestName
}
text_id! {
    /// One source of log lines, such as `build:3` or `pod:web:web-5d4f-x2x`.
    SpanId
}
text_id! {
    /// The UID that the API server gave to an object.
    ObjectUid
}

impl ManifestName {
    /// The resource that stands for the Tiltfile itself.
    pub const TILTFILE: &'static str = "(Tiltfile)";
    /// The resource that collects objects which belong to no workload.
    pub const UNCATEGORIZED: &'static str = "uncategorized";

    /// Returns the name of the resource that stands for the Tiltfile itself.
    pub fn tiltfile() -> Self {
        Self::new(Self::TILTFILE)
    }
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub u64);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_id! {
    /// One update of one resource, counted from 1 in a session.
    BuildId
}
number_id! {
    /// One round of changes of running containers, counted from 1 in a session.
    LiveUpdateId
}

number_id! {
    /// One evaluation of the Tiltfile, counted from 1 in a session.
    LoadId
}

number_id! {
    /// One deletion of objects that are no longer wanted, counted from 1 in a session.
    DeleteId
}

number_id! {
    /// One run of the server of a local resource, counted from 1 in a session.
    ServeId
}

number_id! {
    /// One pruning of the Docker engine, counted from 1 in a session.
    PruneId
}

/// What kind of node of the build graph a target is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum TargetKind {
    /// An image that is built.
    Image,
    /// The Kubernetes objects of a resource.
    K8s,
    /// The commands of a local resource.
    Local,
    /// The service of a Compose project.
    Compose,
    /// The files that a Tiltfile read, or the kubeconfig.
    Configs,
    /// A `FileWatch` that a user made.
    Watch,
}

/// A node of the build graph, printed as `image:web`, `k8s:web`, `local:gen`, `docker-compose:db` or `configs:(Tiltfile)`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TargetId {
    /// The kind of node.
    pub kind: TargetKind,
    /// Unique within its kind.
    pub name: String,
}

impl TargetId {
    /// Returns the id of the image target for a familiar image reference.
    pub fn image(familiar: &str) -> Self {
        Self {
            kind: TargetKind::Image,
            name: sanitize_name(familiar),
        }
    }

    /// Returns the id of the deploy target of a Kubernetes resource.
    pub fn k8s(manifest: &ManifestName) -> Self {
        Self {
            kind: TargetKind::K8s,
            name: manifest.as_str().to_owned(),
        }
    }

    /// Returns the id of the commands of a local resource.
    pub fn local(manifest: &ManifestName) -> Self {
        Self {
            kind: TargetKind::Local,
            name: manifest.as_str().to_owned(),
        }
    }

    /// Returns the id of the deploy target of a Compose resource.
    pub fn compose(manifest: &ManifestName) -> Self {
        Self {
            kind: TargetKind::Compose,
            name: manifest.as_str().to_owned(),
        }
    }

    /// Returns the id of the Tiltfile's own file watch.
    pub fn configs() -> Self {
        Self {
            kind: TargetKind::Configs,
            name: ManifestName::TILTFILE.to_owned(),
        }
    }

    /// Returns the id of a `FileWatch` that a user made.
    pub fn watch(name: &str) -> Self {
        Self {
            kind: TargetKind::Watch,
            name: name.to_owned(),
        }
    }

    /// Returns the name of the `FileWatch` that shows the files of this target.
    pub fn watch_name(&self) -> String {
        match self.kind {
            TargetKind::Watch => self.name.clone(),
            _ => self.to_string(),
        }
    }

    /// Returns the target of a resource, or of the Tiltfile, whose files a `FileWatch` of this name shows.
    pub fn of_watch_name(name: &str) -> Option<Self> {
        let (kind, name) = name.split_once(':')?;
        let kind = match kind {
            "image" => TargetKind::Image,
            "k8s" => TargetKind::K8s,
            "local" => TargetKind::Local,
            "configs" => TargetKind::Configs,
            _ => return None,
        };
        let name = name.to_owned();
        Some(Self { kind, name })
    }

    /// Returns the id of the watch of the kubeconfig.
    pub fn kubeconfig() -> Self {
        Self {
            kind: TargetKind::Configs,
            name: "(kubeconfig)".to_owned(),
        }
    }
}

impl fmt::Display for TargetId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = match self.kind {
            TargetKind::Image => "image",
            TargetKind::K8s => "k8s",
            TargetKind::Local => "local",
            TargetKind::Compose => "docker-compose",
            TargetKind::Configs => "configs",
            TargetKind::Watch => "filewatch",
        };
        write!(f, "{kind}:{}", self.name)
    }
}

/// Returns a name that can be used as an API object's name: `/` and `%` become `_`; a name of more than 253 bytes is
/// cut to 244 and gets `-` and the 8 hex digits of its FNV-1a-32 hash.
///
/// Rule: the names that Tilt gives to image maps and file watches.
pub fn sanitize_name(name: &str) -> String {
    const MAX: usize = 253;
    let clean = name.replace(['/', '%'], "_");
    if clean.len() <= MAX {
        return clean;
    }
    let hash = name.bytes().fold(0x811c_9dc5_u32, |h, b| {
        (h ^ u32::from(b)).wrapping_mul(0x0100_0193)
    });
    let mut end = MAX - 9;
    while !clean.is_char_boundary(end) {
        end -= 1;
    }
    format!("{}-{hash:08x}", &clean[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slashes_and_percents_become_underscores() {
        assert_eq!(
            TargetId::image("gcr.io/foo/bar").to_string(),
            "image:gcr.io_foo_bar"
        );
        assert_eq!(sanitize_name("a%b:v1"), "a_b:v1");
    }

    #[test]
    fn a_long_name_is_cut_and_keeps_a_hash() {
        let name = sanitize_name(&"x".repeat(300));
        assert_eq!(name.len(), 253);
        assert_ne!(name, sanitize_name(&"x".repeat(301)));
    }
}
