//! Reads the kubeconfig: which cluster is meant, and how to reach it. No network.

use std::path::{Path, PathBuf};

use kube::config::{Context, Kubeconfig, KubeconfigError};

use crate::diag::nearest;
use crate::edge::kube::NO_KUBECONFIG;
use crate::k8s::{KubeContext, Product};

/// How to reach the cluster of a context.
#[derive(Clone, Debug)]
pub struct ClusterAccess {
    pub(in crate::edge::kube) kubeconfig: Kubeconfig,
    pub(in crate::edge::kube) context: KubeContext,
    origin: Origin,
}

/// Where an access was read from.
#[derive(Clone, Debug, Default)]
struct Origin {
    files: Vec<PathBuf>,
    override_context: Option<String>,
    override_namespace: Option<String>,
    home: String,
}

/// What a second look at the kubeconfig gave.
pub(super) enum Reread {
    /// A file of it is malformed, or half written.
    Unreadable,
    /// It has the context no longer.
    Gone,
    /// It names another one.
    OtherContext(String),
    /// It means the same context, which may lead elsewhere.
    Same(Box<ClusterAccess>),
}

impl ClusterAccess {
    /// Returns what the kubeconfig says about the cluster.
    pub fn context(&self) -> &KubeContext {
        &self.context
    }

    /// Returns the files that say all this, also those that do not exist.
    pub fn files(&self) -> &[PathBuf] {
        &self.origin.files
    }

    /// Reads the files again.
    pub(super) fn reread(&self) -> Reread {
        let now = match read(self.origin.clone()) {
            (_, Ok(now)) => now,
            (_, Err(ContextError::File { .. })) => return Reread::Unreadable,
            (_, Err(_)) => return Reread::Gone,
        };
        if now.context.name == self.context.name {
            Reread::Same(Box::new(now))
        } else {
            Reread::OtherContext(now.context.name)
        }
    }
}

/// Why the kubeconfig cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ContextError {
    /// A file cannot be read or understood.
    #[error("loading kubeconfig {}: {error}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        error: Box<KubeconfigError>,
    },
    /// None of the files names a context to use.
    #[error("{NO_KUBECONFIG}")]
    NoContext,
    /// The context names a cluster that is in none of the files.
    #[error(
        "the kubeconfig has no cluster \"{cluster}\", which its context \"{context}\" names\nhint: create the cluster \
         again, or pick another context with `kubectl config use-context`"
    )]
    NoSuchCluster {
        /// Which context.
        context: String,
        /// Which cluster.
        cluster: String,
    },
    /// The context that was asked for is in none of the files.
    #[error("context was not found for specified context: {name}\nhint: {hint}")]
    NoSuchContext {
        /// Which one.
        name: String,
        /// What to do about it.
        hint: String,
    },
}

/// Returns the context to use, and how to reach its cluster, or why it cannot be reached: only what needs the cluster needs
/// to know.
///
/// `env` reads environment variables: `KUBECONFIG` may name several files, of which the first that sets a value wins and
/// missing ones do not matter; without it, `$HOME/.kube/config` is read.
///
/// Rule: <https://kubernetes.io/docs/concepts/configuration/organize-cluster-access-kubeconfig/>.
pub fn read_context(
    override_context: Option<&str>,
    override_namespace: Option<&str>,
    env: &dyn Fn(&str) -> Option<String>,
) -> (KubeContext, Result<ClusterAccess, ContextError>) {
    let home = env("HOME").unwrap_or_default();
    read(Origin {
        files: kubeconfig_paths(&home, env),
        override_context: override_context.map(str::to_owned),
        override_namespace: override_namespace.map(str::to_owned),
        home,
    })
}

fn read(origin: Origin) -> (KubeContext, Result<ClusterAccess, ContextError>) {
    match find_context(&origin) {
        Err(error) => (KubeContext::default(), Err(error)),
        Ok((context, files)) if !has_cluster(&files, &context.cluster) => {
            let nowhere = KubeContext {
                product: Product::None,
                ..context.clone()
            };
            let error = ContextError::NoSuchCluster {
                context: context.name,
                cluster: context.cluster,
            };
            (nowhere, Err(error))
        }
        Ok((context, files)) => match merge(files) {
            Ok(kubeconfig) => {
                let access = ClusterAccess {
                    kubeconfig,
                    context: context.clone(),
                    origin,
                };
                (context, Ok(access))
            }
            Err(error) => (KubeContext::default(), Err(error)),
        },
    }
}

/// Returns what the context is that is meant, and what the files say.
fn find_context(origin: &Origin) -> Result<(KubeContext, Files), ContextError> {
    let files = read_files(&origin.files)?;
    let current = files.iter().find_map(|(_, file)| file.current_context.clone());
    let name = origin.override_context.clone().or(current).unwrap_or_default();
    if name.is_empty() {
        return Err(ContextError::NoContext);
    }
    let Some((file, context)) = files
        .iter()
        .find_map(|(path, file)| Some((path, find(file, &name)?)))
    else {
        return Err(no_such_context(name, &files));
    };
    let found = KubeContext {
        product: Product::detect(
            &context.cluster,
            &file.to_string_lossy(),
            &ca_file(&files, &context.cluster),
            &origin.home,
        ),
        cluster: context.cluster.clone(),
        namespace: origin
            .override_namespace
            .clone()
            .or(context.namespace.clone())
            .filter(|namespace| !namespace.is_empty())
            .unwrap_or_else(|| "default".to_owned()),
        name,
    };
    Ok((found, files))
}

fn has_cluster(files: &Files, name: &str) -> bool {
    let mut clusters = files.iter().flat_map(|(_, file)| &file.clusters);
    clusters.any(|named| named.name == name && named.cluster.is_some())
}

fn kubeconfig_paths(home: &str, env: &dyn Fn(&str) -> Option<String>) -> Vec<PathBuf> {
    match env("KUBECONFIG").filter(|list| !list.is_empty()) {
        Some(list) => std::env::split_paths(&list)
            .filter(|path| !path.as_os_str().is_empty())
            .collect(),
        None => vec![Path::new(home).join(".kube/config")],
    }
}

type Files = Vec<(PathBuf, Kubeconfig)>;

fn read_files(paths: &[PathBuf]) -> Result<Files, ContextError> {
    let mut files = Vec::new();
    for path in paths {
        match Kubeconfig::read_from(path) {
            Ok(file) => files.push((path.clone(), file)),
            Err(KubeconfigError::ReadConfig(error, _)) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(file_error(path.clone(), error)),
        }
    }
    Ok(files)
}

fn merge(files: Files) -> Result<Kubeconfig, ContextError> {
    let mut merged = Kubeconfig::default();
    for (path, file) in files {
        merged = merged.merge(file).map_err(|error| file_error(path, error))?;
    }
    Ok(merged)
}

fn file_error(path: PathBuf, error: KubeconfigError) -> ContextError {
    ContextError::File {
        path,
        error: Box::new(error),
    }
}

fn find<'a>(file: &'a Kubeconfig, name: &str) -> Option<&'a Context> {
    file.contexts
        .iter()
        .find(|context| context.name == name)?
        .context
        .as_ref()
}

fn ca_file(files: &Files, cluster: &str) -> String {
    files
        .iter()
        .flat_map(|(_, file)| &file.clusters)
        .find(|named| named.name == cluster)
        .and_then(|named| named.cluster.as_ref()?.certificate_authority.clone())
        .unwrap_or_default()
}

fn no_such_context(name: String, files: &Files) -> ContextError {
    let known: Vec<&str> = files
        .iter()
        .flat_map(|(_, file)| &file.contexts)
        .map(|context| context.name.as_str())
        .collect();
    let hint = match nearest(&name, known.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None if known.is_empty() => "the kubeconfig has no contexts; start a cluster first".to_owned(),
        None => format!("known contexts: {}", known.join(", ")),
    };
    ContextError::NoSuchContext { name, hint }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: &str = "apiVersion: v1\nkind: Config\nclusters: [{name: kind-a, cluster: {server: 'https://a'}}]\n\
        contexts: [{name: one, context: {cluster: kind-a, user: u, namespace: shop}}]\ncurrent-context: one\n";
    const TWO: &str = "apiVersion: v1\nkind: Config\nclusters: [{name: far, cluster: {server: 'https://b'}}]\n\
        contexts: [{name: two, context: {cluster: far}}]\ncurrent-context: two\n";

    fn read(
        files: &[(&str, &str)],
        context: Option<&str>,
        namespace: Option<&str>,
    ) -> (KubeContext, Result<ClusterAccess, ContextError>) {
        let dir = tempfile::tempdir().expect("a scratch folder");
        let mut list = vec![dir.path().join("missing")];
        for (name, text) in files {
            std::fs::write(dir.path().join(name), text).expect("written");
            list.push(dir.path().join(name));
        }
        let list = std::env::join_paths(list)
            .expect("no colons")
            .into_string()
            .expect("UTF-8");
        read_context(context, namespace, &|key| {
            (key == "KUBECONFIG").then(|| list.clone())
        })
    }

    #[test]
    fn without_a_kubeconfig_there_is_no_cluster() {
        let (context, access) = read(&[], None, None);
        assert_eq!(context, KubeContext::default());
        assert!(matches!(access, Err(ContextError::NoContext)));
    }

    #[test]
    fn the_first_file_that_sets_the_current_context_wins() {
        let (context, access) = read(&[("a", ONE), ("b", TWO)], None, None);
        assert_eq!(
            (context.name.as_str(), context.namespace.as_str()),
            ("one", "shop")
        );
        assert_eq!(
            (context.cluster.as_str(), context.product),
            ("kind-a", Product::Kind)
        );
        assert_eq!(access.expect("a cluster").kubeconfig.clusters.len(), 2);
    }

    #[test]
    fn context_and_namespace_can_be_chosen() {
        let (context, _) = read(&[("a", ONE), ("b", TWO)], Some("two"), None);
        assert_eq!(
            (context.cluster.as_str(), context.namespace.as_str()),
            ("far", "default")
        );
        let (context, _) = read(&[("a", ONE)], None, Some("mine"));
        assert_eq!(context.namespace, "mine");
    }

    #[test]
    fn an_unknown_context_is_an_error_that_names_the_likely_one() {
        let (context, access) = read(&[("a", ONE)], Some("onee"), None);
        let error = access.expect_err("there is none");
        assert_eq!(context, KubeContext::default());
        assert_eq!(
            error.to_string(),
            "context was not found for specified context: onee\nhint: did you mean \"one\"?"
        );
    }

    #[test]
    fn a_context_without_its_cluster_leads_nowhere() {
        let lone = ONE.replace("name: kind-a, cluster", "name: prod, cluster");
        for config in [lone.clone(), lone.replace("cluster: kind-a,", "cluster: '',")] {
            let (context, access) = read(&[("a", &config)], None, None);
            assert_eq!((context.name.as_str(), context.product), ("one", Product::None));
            let error = access.expect_err("there is no cluster").to_string();
            assert!(error.starts_with("the kubeconfig has no cluster \""), "{error}");
        }
    }
}
