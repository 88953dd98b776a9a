//! How clients find a session: a file in the form of a kubeconfig, with an entry for each session that runs.
//!
//! Rule: `docs/rules/api.md`, "Registry".

use std::fs::File;
use std::io::Write;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The port whose session is the default one.
const DEFAULT_PORT: u16 = 10350;

/// How long somebody on this machine may take to accept a connection.
const PATIENCE: Duration = Duration::from_millis(200);

/// A session that a client can talk to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// Its name, such as `tilt-default`.
    pub name: String,
    /// The port of its web page; `None` if its name does not tell.
    pub web_port: Option<u16>,
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

/// Returns the port of a session with this name; it has any port if that is 0.
fn port_of(name: &str) -> Option<u16> {
    match name.strip_prefix("tilt-")? {
        "default" => Some(DEFAULT_PORT),
        port => port.parse().ok().filter(|port| *port != 0),
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

/// Returns the files of the registry. As with a kubeconfig, several may be named: all are read, the first is written.
fn config_files() -> anyhow::Result<Vec<PathBuf>> {
    let given = std::env::var_os("TILT_CONFIG").unwrap_or_default();
    let mut files: Vec<PathBuf> = std::env::split_paths(&given)
        .filter(|path| !path.as_os_str().is_empty())
        .collect();
    if files.is_empty() {
        files.push(tilt_dir()?.join("config"));
    }
    Ok(files)
}

/// The entry of a session. It is taken away when this is dropped.
#[derive(Debug)]
pub(super) struct Registered {
    name: String,
    token: String,
}

/// A session that wants to be found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Newcomer<'a> {
    /// The port that it was asked for; 0 for any.
    pub(super) asked_port: u16,
    /// The port of its web page.
    pub(super) web_port: u16,
    /// The port of its API.
    pub(super) api_port: u16,
    /// The certificate of its API, as PEM.
    pub(super) certificate: &'a str,
    /// Who has it may do everything.
    pub(super) token: &'a str,
}

/// Enters a session under the port that it has. Of those that may have any port, `tilt-0` is the last one that was started.
pub(super) fn register(session: Newcomer<'_>) -> anyhow::Result<Registered> {
    let name = server_name(session.web_port);
    change(|config| {
        forget_dead(config);
        remove(config, &name);
        let cluster = json!({
            "certificate-authority-data": STANDARD.encode(session.certificate),
            "server": format!("https://127.0.0.1:{}", session.api_port),
        });
        let context = json!({"cluster": name, "user": name});
        let mut entries = vec![
            ("clusters", name.clone(), "cluster", cluster),
            ("users", name.clone(), "user", json!({"token": session.token})),
            ("contexts", name.clone(), "context", context.clone()),
        ];
        let asked = server_name(session.asked_port);
        if asked != name {
            remove(config, &asked);
            entries.push(("contexts", asked, "context", context));
        }
        for (list, name, field, value) in entries {
            if let Some(entries) = config[list].as_array_mut() {
                entries.push(json!({"name": name, field: value}));
            }
        }
        true
    })?;
    Ok(Registered {
        name,
        token: session.token.to_owned(),
    })
}

/// Takes away the entries of sessions on this machine whose port nobody listens on any more.
///
/// # Errors
/// The file cannot be read, or written.
pub fn forget_dead_sessions() -> anyhow::Result<()> {
    change(forget_dead)
}

/// Takes the dead away; returns whether there were any.
fn forget_dead(config: &mut Value) -> bool {
    let clusters = config["clusters"].as_array().into_iter().flatten();
    let dead: Vec<String> = clusters
        .filter(|cluster| cluster["cluster"]["server"].as_str().is_some_and(is_dead))
        .filter_map(|cluster| cluster["name"].as_str().map(str::to_owned))
        .collect();
    for name in &dead {
        remove(config, name);
    }
    !dead.is_empty()
}

/// Returns whether nobody listens there; who is on another machine, or slow, is not called dead.
fn is_dead(server: &str) -> bool {
    let address = server
        .strip_prefix("https://")
        .and_then(|address| address.parse().ok());
    address.is_some_and(|address: SocketAddr| {
        address.ip().is_loopback()
            && TcpStream::connect_timeout(&address, PATIENCE)
                .is_err_and(|error| error.kind() == std::io::ErrorKind::ConnectionRefused)
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
            entries.retain(|entry| entry["name"] != name && entry["context"]["cluster"] != name);
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
    let path = config_files()?.remove(0);
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
    let config = read_all()?;
    let names = config["clusters"].as_array().into_iter().flatten();
    let names = names.filter_map(|cluster| cluster["name"].as_str());
    Ok(names.filter_map(|name| entry_of(&config, name, name)).collect())
}

/// Returns the session of a port, if one is entered; 0 is the last one that was started with any port.
///
/// # Errors
/// The file cannot be read.
pub fn entry(port: u16) -> anyhow::Result<Option<Entry>> {
    let config = read_all()?;
    let Some(context) = found(&config, "contexts", &server_name(port)) else {
        return Ok(None);
    };
    let part = |field: &str| context["context"][field].as_str().unwrap_or_default();
    Ok(entry_of(&config, part("cluster"), part("user")))
}

fn entry_of(config: &Value, cluster: &str, user: &str) -> Option<Entry> {
    let (name, cluster) = (cluster, &found(config, "clusters", cluster)?["cluster"]);
    let user = &found(config, "users", user)?["user"];
    let certificate = STANDARD
        .decode(cluster["certificate-authority-data"].as_str()?)
        .ok()?;
    Some(Entry {
        name: name.to_owned(),
        web_port: port_of(name),
        server: cluster["server"].as_str()?.to_owned(),
        certificate: String::from_utf8(certificate).ok()?,
        token: user["token"].as_str()?.to_owned(),
    })
}

/// Reads all files of the registry; of two entries with a name the first is meant.
fn read_all() -> anyhow::Result<Value> {
    let files = config_files()?;
    let mut all = read(&files[0])?;
    for path in &files[1..] {
        let config = read(path)?;
        for list in ["clusters", "users", "contexts"] {
            let more = config[list].as_array().cloned().unwrap_or_default();
            if let Some(entries) = all[list].as_array_mut() {
                entries.extend(more);
            }
        }
    }
    Ok(all)
}
