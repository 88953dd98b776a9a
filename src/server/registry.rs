//! How clients find a session: a file in the form of a kubeconfig, with an entry for each session that runs.
//!
//! Rule: `docs/rules/api.md`, "Registry".

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The port whose session is the default one.
const DEFAULT_PORT: u16 = 10350;

/// A session that a client can talk to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, such as `tilt-default`.
    pub name: String,
    /// Where its API is, such as `https://127.0.0.1:40001`.
    pub server: String,
    /// The certificate of its API, as PEM.
    pub certificate: String,
    /// Who has it may do everything.
    pub token: String,
}

/// Returns the name of the session of a port.
pub fn server_name(port: u16) -> String {
    match port {
        DEFAULT_PORT => "tilt-default".to_owned(),
        port => format!("tilt-{port}"),
    }
}

/// Returns the directory of this user's sessions; it is made if it is not there.
///
/// # Errors
/// There is no home directory, or it cannot be made.
pub fn tilt_dir() -> anyhow::Result<PathBuf> {
    let given = ["TILT_DEV_DIR", "WMDAEMON_HOME", "WINDMILL_DIR"];
    let given = given
        .iter()
        .find_map(std::env::var_os)
        .filter(|dir| !dir.is_empty());
    let dir = match given {
        Some(dir) => PathBuf::from(dir),
        None => {
            let home = etcetera::home_dir().context("there is no home directory")?;
            let old = home.join(".windmill");
            if old.is_dir() { old } else { home.join(".tilt-dev") }
        }
    };
    if !dir.is_dir() {
        let mut builder = std::fs::DirBuilder::new();
        builder
            .mode(0o755)
            .create(&dir)
            .or_else(|error| if dir.is_dir() { Ok(()) } else { Err(error) })
            .with_context(|| format!("cannot make {}", dir.display()))?;
    }
    Ok(dir)
}

fn config_file() -> anyhow::Result<PathBuf> {
    let given = std::env::var_os("TILT_CONFIG").filter(|paths| !paths.is_empty());
    // As with a kubeconfig, several files may be named; the first is written.
    let first = given
        .as_ref()
        .and_then(|paths| std::env::split_paths(paths).next());
    match first {
        Some(path) => Ok(path),
        None => Ok(tilt_dir()?.join("config")),
    }
}

/// The entry of a session. It is taken away when this is dropped.
#[derive(Debug)]
pub(super) struct Registered {
    name: String,
    token: String,
}

/// Enters a session.
pub(super) fn register(name: &str, port: u16, certificate: &str, token: &str) -> anyhow::Result<Registered> {
    change(|config| {
        remove(config, name);
        let cluster = json!({
            "certificate-authority-data": STANDARD.encode(certificate),
            "server": format!("https://127.0.0.1:{port}"),
        });
        for (list, field, value) in [
            ("clusters", "cluster", cluster),
            ("users", "user", json!({"token": token})),
            ("contexts", "context", json!({"cluster": name, "user": name})),
        ] {
            if let Some(entries) = config[list].as_array_mut() {
                entries.push(json!({"name": name, field: value}));
            }
        }
        true
    })?;
    Ok(Registered {
        name: name.to_owned(),
        token: token.to_owned(),
    })
}

impl Drop for Registered {
    fn drop(&mut self) {
        let (name, token) = (&self.name, self.token.as_str());
        // Another session may have taken the name since; that one's entry stays.
        let _ = change(|config| {
            let is_ours = found(config, "users", name).is_some_and(|user| user["user"]["token"] == token);
            if is_ours {
                remove(config, name);
            }
            is_ours
        });
    }
}

fn remove(config: &mut Value, name: &str) {
    for list in ["clusters", "users", "contexts"] {
        if let Some(entries) = config[list].as_array_mut() {
            entries.retain(|entry| entry["name"] != name);
        }
    }
}

fn found<'a>(config: &'a Value, list: &str, name: &str) -> Option<&'a Value> {
    config[list]
        .as_array()?
        .iter()
        .find(|entry| entry["name"] == name)
}

/// Changes the file under its lock; `edit` says whether there is anything to write.
fn change(edit: impl FnOnce(&mut Value) -> bool) -> anyhow::Result<()> {
    let path = config_file()?;
    let _lock = lock(&path)?;
    let mut config = read(&path)?;
    if !edit(&mut config) {
        return Ok(());
    }
    let text = serde_yaml::to_string(&config).context("cannot write the registry of sessions")?;
    let new = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&new)
        .with_context(|| format!("cannot write {}", new.display()))?;
    file.write_all(text.as_bytes())?;
    std::fs::rename(&new, &path).with_context(|| format!("cannot write {}", path.display()))
}

/// Locks the file against other processes until the lock is dropped.
fn lock(path: &Path) -> anyhow::Result<File> {
    let mut name = path.as_os_str().to_owned();
    name.push(".lock");
    let file = std::fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(false)
        .mode(0o600)
        .open(&name)
        .with_context(|| format!("cannot open {}", name.display()))?;
    file.lock().context("cannot lock the registry of sessions")?;
    Ok(file)
}

fn read(path: &Path) -> anyhow::Result<Value> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(error) => return Err(error).with_context(|| format!("cannot read {}", path.display())),
    };
    let mut config: Value = serde_yaml::from_str(&text).unwrap_or_default();
    if !config.is_object() {
        config = json!({});
    }
    for (field, value) in [
        ("apiVersion", json!("v1")),
        ("kind", json!("Config")),
        ("preferences", json!({})),
        ("clusters", json!([])),
        ("users", json!([])),
        ("contexts", json!([])),
        ("current-context", json!("")),
    ] {
        if config[field].is_null() {
            config[field] = value;
        }
    }
    Ok(config)
}

/// Returns all sessions that are entered, whether they live or not.
///
/// # Errors
/// The file cannot be read.
pub fn entries() -> anyhow::Result<Vec<Entry>> {
    let path = config_file()?;
    let config = read(&path)?;
    let names = config["contexts"].as_array().into_iter().flatten();
    let entries = names.filter_map(|context| {
        let name = context["name"].as_str()?;
        let cluster = found(&config, "clusters", name)?;
        let user = found(&config, "users", name)?;
        let certificate = STANDARD
            .decode(cluster["cluster"]["certificate-authority-data"].as_str()?)
            .ok()?;
        Some(Entry {
            name: name.to_owned(),
            server: cluster["cluster"]["server"].as_str()?.to_owned(),
            certificate: String::from_utf8(certificate).ok()?,
            token: user["user"]["token"].as_str()?.to_owned(),
        })
    });
    Ok(entries.collect())
}

/// Returns the session of a port, if one is entered.
///
/// # Errors
/// The file cannot be read.
pub fn entry(port: u16) -> anyhow::Result<Option<Entry>> {
    let name = server_name(port);
    Ok(entries()?.into_iter().find(|entry| entry.name == name))
}
