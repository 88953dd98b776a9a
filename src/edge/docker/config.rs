//! Docker's own settings: which engine to use, and where logins are kept.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::endpoint::{DEFAULT_HOST, Endpoint, TlsFiles};
use crate::edge::process::Environment;

/// What we use of `config.json`.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct DockerConfig {
    pub(super) auths: BTreeMap<String, Login>,
    pub(super) creds_store: String,
    pub(super) cred_helpers: BTreeMap<String, String>,
    current_context: String,
}

/// A login that is kept in the file itself.
#[derive(Clone, Debug, Default, PartialEq, serde::Deserialize)]
#[serde(default)]
pub(super) struct Login {
    /// `user:password` in base64.
    pub(super) auth: String,
    pub(super) username: String,
    pub(super) password: String,
    pub(super) identitytoken: String,
}

/// Where Docker keeps its settings, and what the environment says about them.
pub(super) struct Settings<'a> {
    pub(super) env: &'a Environment,
}

impl Settings<'_> {
    /// Returns the directory of `config.json` and contexts: `DOCKER_CONFIG`, else `~/.docker`.
    pub(super) fn directory(&self) -> PathBuf {
        match self.var("DOCKER_CONFIG") {
            Some(directory) => PathBuf::from(directory),
            None => Path::new(&self.var("HOME").unwrap_or_default()).join(".docker"),
        }
    }

    /// Reads `config.json`; one that is not there is empty.
    pub(super) fn config(&self) -> Result<DockerConfig, String> {
        let path = self.directory().join("config.json");
        match std::fs::read(&path) {
            Ok(text) => serde_json::from_slice(&text).map_err(|err| format!("{}: {err}", path.display())),
            Err(err) if err.kind() == std::io::ErrorKind::NotFound => Ok(DockerConfig::default()),
            Err(err) => Err(format!("{}: {err}", path.display())),
        }
    }

    /// Returns the host of the engine to use, and how to reach it.
    ///
    /// Rule: the docker command: `DOCKER_HOST`, else the context that `DOCKER_CONTEXT` or the settings name, else the
    /// default socket.
    pub(super) fn engine(&self) -> Result<(String, Endpoint), String> {
        if let Some(host) = self.var("DOCKER_HOST") {
            let endpoint = Endpoint::parse(&host, self.tls()?)?;
            return Ok((host, endpoint));
        }
        let context = match self.var("DOCKER_CONTEXT") {
            Some(context) => context,
            None => self.config()?.current_context,
        };
        match context.as_str() {
            "" | "default" => {
                let endpoint = Endpoint::parse(DEFAULT_HOST, self.tls()?)?;
                Ok((DEFAULT_HOST.to_owned(), endpoint))
            }
            context => self.context(context),
        }
    }

    /// Returns the certificates that the environment asks for. They must be there, also where a socket makes no use of them.
    fn tls(&self) -> Result<Option<TlsFiles>, String> {
        if self.var("DOCKER_TLS_VERIFY").is_none() {
            return Ok(None);
        }
        let directory = self.var("DOCKER_CERT_PATH");
        let files = TlsFiles {
            directory: directory.map_or_else(|| self.directory(), PathBuf::from),
        };
        files.check()?;
        Ok(Some(files))
    }

    fn context(&self, name: &str) -> Result<(String, Endpoint), String> {
        let contexts = self.directory().join("contexts");
        let id: String = Sha256::digest(name)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let file = contexts.join("meta").join(&id).join("meta.json");
        let meta =
            std::fs::read(&file).map_err(|err| format!("context {name:?}: {}: {err}", file.display()))?;
        let meta: ContextMeta = serde_json::from_slice(&meta)
            .map_err(|err| format!("context {name:?}: {}: {err}", file.display()))?;
        let directory = contexts.join("tls").join(&id).join("docker");
        let tls = directory
            .join("ca.pem")
            .exists()
            .then_some(TlsFiles { directory });
        let endpoint = Endpoint::parse(&meta.endpoints.docker.host, tls)?;
        Ok((meta.endpoints.docker.host, endpoint))
    }

    /// An empty variable counts as not set, as for the docker command.
    fn var(&self, name: &str) -> Option<String> {
        let value = self.env.get(name)?.to_string_lossy().into_owned();
        Some(value).filter(|value| !value.is_empty())
    }
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextMeta {
    endpoints: ContextEndpoints,
}

#[derive(serde::Deserialize)]
struct ContextEndpoints {
    docker: ContextEndpoint,
}

#[derive(serde::Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ContextEndpoint {
    host: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn engine(home: &Path, vars: &[(&str, &str)]) -> Result<String, String> {
        let mut env = Environment::default();
        env.set("HOME", home);
        for (name, value) in vars {
            env.set(*name, *value);
        }
        Settings { env: &env }.engine().map(|(host, _)| host)
    }

    fn home_with_context() -> tempfile::TempDir {
        let home = tempfile::tempdir().expect("a scratch folder");
        let id: String = Sha256::digest("remote")
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        let meta = home.path().join(".docker/contexts/meta").join(id);
        std::fs::create_dir_all(&meta).expect("a folder");
        let text = r#"{"Name":"remote","Metadata":{},"Endpoints":{"docker":{"Host":"tcp://far:1","SkipTLSVerify":false}}}"#;
        std::fs::write(meta.join("meta.json"), text).expect("a file");
        std::fs::write(
            home.path().join(".docker/config.json"),
            r#"{"currentContext":"remote"}"#,
        )
        .expect("a file");
        home
    }

    #[test]
    fn docker_host_wins_over_contexts_and_the_settings_come_last() {
        let home = home_with_context();
        let home = home.path();
        let host = Ok("unix:///x.sock".to_owned());
        assert_eq!(
            engine(
                home,
                &[("DOCKER_HOST", "unix:///x.sock"), ("DOCKER_CONTEXT", "remote")]
            ),
            host
        );
        assert_eq!(
            engine(home, &[("DOCKER_CONTEXT", "default")]),
            Ok(DEFAULT_HOST.to_owned())
        );
        assert_eq!(engine(home, &[]), Ok("tcp://far:1".to_owned()));
        assert_eq!(
            engine(home, &[("DOCKER_CONFIG", "/nowhere")]),
            Ok(DEFAULT_HOST.to_owned())
        );
        let unknown = engine(home, &[("DOCKER_CONTEXT", "gone")]).expect_err("no such context");
        assert!(unknown.starts_with("context \"gone\": "), "{unknown}");
    }
}
