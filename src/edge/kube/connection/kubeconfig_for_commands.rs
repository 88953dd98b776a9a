//! The kubeconfig for programs that we start: only the session's cluster, and nothing else to read.

use std::fs::File;
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use base64::Engine;
use kube::config::{Kubeconfig, NamedAuthInfo, NamedCluster, NamedContext};
use sha2::Digest as _;

use super::kubeconfig::ClusterAccess;

/// A kubeconfig that programs of this session are given. When the last of its users drops it, its file is removed.
#[derive(Debug)]
pub struct FrozenKubeconfig {
    path: PathBuf,
    /// Locked, shared, for as long as somebody uses the file.
    used: Option<File>,
}

impl FrozenKubeconfig {
    /// Returns where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for FrozenKubeconfig {
    fn drop(&mut self) {
        if let Some(dir) = self.path.parent() {
            let turn = turn(dir);
            drop(self.used.take());
            if turn.is_ok() {
                remove_unused(dir);
            }
        }
    }
}

/// Writes a kubeconfig of the session's context alone, with its overrides, into a directory. Certificates stand in it, as far as they can be read.
/// Mode 0600. Others in the directory that nobody uses any more are removed: there are credentials in them.
///
/// The name is made of the content: another run, such as a `tilt down` in another context, leaves this one's file alone.
///
/// # Errors
/// When the file cannot be written.
///
/// Rule: `docs/rules/runtime.md`, "The connection".
pub fn write_frozen(access: &ClusterAccess, dir: &Path) -> io::Result<FrozenKubeconfig> {
    let config = frozen(access);
    let text = serde_yaml::to_string(&config).map_err(io::Error::other)?;
    let digest = sha2::Sha256::digest(text.as_bytes());
    let hash: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    let path = dir.join(format!("default-{hash}.yml"));
    std::fs::create_dir_all(dir)?;
    // Not every file system has locks: then nothing is removed.
    let turn = turn(dir);
    // Readers of an earlier run must not see half a file.
    let draft = path.with_extension(format!("{}.tmp", std::process::id()));
    let mut options = std::fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&draft)?;
    file.write_all(text.as_bytes())?;
    // Whoever uses the file that is there goes on with it.
    let same = std::fs::read_to_string(&path).is_ok_and(|known| known == text);
    if same {
        std::fs::remove_file(&draft)?;
    } else {
        std::fs::rename(draft, &path)?;
    }
    let used = File::open(&path)?;
    let is_locked = used.lock_shared().is_ok();
    if turn.is_ok() && is_locked {
        remove_unused(dir);
    }
    Ok(FrozenKubeconfig {
        path,
        used: is_locked.then_some(used),
    })
}

/// Waits for the turn to change a directory, which lasts until the file is dropped.
fn turn(dir: &Path) -> io::Result<File> {
    let mut options = std::fs::OpenOptions::new();
    let lock = options
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(dir.join(".lock"))?;
    lock.lock()?;
    Ok(lock)
}

/// Removes what nobody has locked: also what a run has left that was killed.
fn remove_unused(dir: &Path) {
    for entry in std::fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let is_ours = path
            .extension()
            .is_some_and(|extension| extension == "yml" || extension == "tmp");
        if is_ours && File::open(&path).is_ok_and(|file| file.try_lock().is_ok()) {
            // Somebody else may have removed it by hand.
            let _ = std::fs::remove_file(&path);
        }
    }
}

fn frozen(access: &ClusterAccess) -> Kubeconfig {
    let (all, meant) = (&access.kubeconfig, &access.context);
    let mut context = all
        .contexts
        .iter()
        .find(|known| known.name == meant.name)
        .cloned();
    let inner = context.as_mut().and_then(|named| named.context.as_mut());
    let user = inner.and_then(|inner| {
        inner.namespace = Some(meant.namespace.clone());
        inner.user.clone()
    });
    let mut cluster = all
        .clusters
        .iter()
        .find(|known| known.name == meant.cluster)
        .cloned();
    let mut auth = all
        .auth_infos
        .iter()
        .find(|known| Some(&known.name) == user.as_ref())
        .cloned();
    flatten(cluster.as_mut(), auth.as_mut());
    Kubeconfig {
        current_context: Some(meant.name.clone()),
        contexts: Vec::<NamedContext>::from_iter(context),
        clusters: Vec::from_iter(cluster),
        auth_infos: Vec::from_iter(auth),
        kind: Some("Config".to_owned()),
        api_version: Some("v1".to_owned()),
        ..Kubeconfig::default()
    }
}

/// Replaces the names of files by what is in them, as far as they can be read: whoever uses it says what is missing.
fn flatten(cluster: Option<&mut NamedCluster>, auth: Option<&mut NamedAuthInfo>) {
    fn take<T>(file: &mut Option<String>, data: &mut Option<T>, from: impl Fn(String) -> T) {
        if data.is_none() {
            *data = file.as_deref().and_then(|path| read_base64(path).ok()).map(from);
        }
        if data.is_some() {
            *file = None;
        }
    }
    if let Some(cluster) = cluster.and_then(|named| named.cluster.as_mut()) {
        let data = &mut cluster.certificate_authority_data;
        take(&mut cluster.certificate_authority, data, |data| data);
    }
    if let Some(auth) = auth.and_then(|named| named.auth_info.as_mut()) {
        let data = &mut auth.client_certificate_data;
        take(&mut auth.client_certificate, data, |data| data);
        take(&mut auth.client_key, &mut auth.client_key_data, Into::into);
    }
}

fn read_base64(path: &str) -> io::Result<String> {
    Ok(base64::engine::general_purpose::STANDARD.encode(std::fs::read(path)?))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::edge::kube::read_context;

    const TWO_CLUSTERS: &str = "
current-context: a
clusters:
- {name: a, cluster: {server: 'https://a', certificate-authority: CA}}
- {name: b, cluster: {server: 'https://b'}}
users:
- {name: me, user: {token: secret}}
contexts:
- {name: a, context: {cluster: a, user: me, namespace: n}}
- {name: b, context: {cluster: b, user: me}}
";

    #[test]
    fn only_the_context_that_is_meant_is_left_and_it_needs_no_other_file() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config");
        let ca = dir.path().join("ca.crt");
        std::fs::write(&ca, "CERT").unwrap();
        std::fs::write(&config, TWO_CLUSTERS.replace("CA", ca.to_str().unwrap())).unwrap();
        let env = |name: &str| (name == "KUBECONFIG").then(|| config.to_string_lossy().into_owned());
        let (_, access) = read_context(None, Some("other"), &env);

        let frozen = write_frozen(&access.unwrap(), &dir.path().join("deep")).unwrap();

        let env = |name: &str| (name == "KUBECONFIG").then(|| frozen.path().to_string_lossy().into_owned());
        let (context, access) = read_context(None, None, &env);
        let read = access.unwrap().kubeconfig;
        assert_eq!(
            (context.name.as_str(), context.namespace.as_str()),
            ("a", "other")
        );
        assert_eq!((read.clusters.len(), read.contexts.len()), (1, 1));
        let cluster = read.clusters[0].cluster.as_ref().unwrap();
        assert_eq!(cluster.certificate_authority_data.as_deref(), Some("Q0VSVA=="));
        let mode = std::fs::metadata(frozen.path()).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
    }

    #[test]
    fn a_certificate_that_cannot_be_read_does_not_lead_commands_elsewhere() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config");
        std::fs::write(&config, TWO_CLUSTERS.replace("CA", "/nowhere/ca.crt")).unwrap();
        let env = |name: &str| (name == "KUBECONFIG").then(|| config.to_string_lossy().into_owned());
        let (_, access) = read_context(None, None, &env);
        let frozen = write_frozen(&access.unwrap(), dir.path()).unwrap();
        let text = std::fs::read_to_string(frozen.path()).unwrap();
        assert!(text.contains("certificate-authority: /nowhere/ca.crt"), "{text}");
    }

    #[test]
    fn runs_in_different_contexts_or_namespaces_have_different_files() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config");
        std::fs::write(&config, TWO_CLUSTERS.replace(", certificate-authority: CA", "")).unwrap();
        let env = |name: &str| (name == "KUBECONFIG").then(|| config.to_string_lossy().into_owned());
        let write = |context, namespace| {
            let (_, access) = read_context(Some(context), namespace, &env);
            write_frozen(&access.unwrap(), dir.path()).unwrap()
        };
        let ours = write("a", None);
        assert_eq!(ours.path(), write("a", None).path());
        assert_ne!(ours.path(), write("b", None).path());
        assert_ne!(ours.path(), write("a", Some("other")).path());
    }

    #[test]
    fn a_file_with_credentials_stays_only_as_long_as_somebody_uses_it() {
        let dir = tempfile::tempdir().unwrap();
        let config = dir.path().join("config");
        std::fs::write(&config, TWO_CLUSTERS.replace(", certificate-authority: CA", "")).unwrap();
        let env = |name: &str| (name == "KUBECONFIG").then(|| config.to_string_lossy().into_owned());
        let places = dir.path().join("places");
        let write = |context| {
            let (_, access) = read_context(Some(context), None, &env);
            write_frozen(&access.unwrap(), &places).unwrap()
        };
        let (one, again) = (write("a"), write("a"));
        let path = one.path().to_owned();
        drop(one);
        assert!(path.exists(), "another one uses it");
        // Left by one that was killed.
        std::fs::write(places.join("default-0000.yml"), "token").unwrap();
        let other = write("b");
        assert!(!places.join("default-0000.yml").exists());
        assert!(path.exists() && other.path().exists());
        drop(again);
        assert!(!path.exists() && other.path().exists());
    }
}
