//! Logins for registries, from Docker's settings and its credential helpers.

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};

use super::config::{DockerConfig, Login};
use crate::edge::process::{ChildCommand, Environment, capture};
use crate::model::LocalPath;

/// The key of Docker Hub in settings and helpers.
const DOCKER_HUB: &str = "https://index.docker.io/v1/";

/// A login, in the shape of the API's `X-Registry-Auth`.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub(super) struct Credentials {
    pub(super) username: String,
    pub(super) password: String,
    #[serde(rename = "identitytoken", skip_serializing_if = "String::is_empty")]
    pub(super) identity_token: String,
    #[serde(rename = "serveraddress")]
    pub(super) server: String,
}

impl Credentials {
    /// Returns the value of an `X-Registry-Auth` header.
    pub(super) fn header(&self) -> String {
        URL_SAFE.encode(serde_json::to_vec(self).unwrap_or_default())
    }
}

/// Returns the login for a registry such as `gcr.io` or `docker.io`; an empty one where there is none.
pub(super) async fn credentials(config: &DockerConfig, registry: &str, env: &Environment) -> Credentials {
    let server = match registry {
        "docker.io" | "index.docker.io" | "registry-1.docker.io" => DOCKER_HUB,
        other => other,
    };
    let helper = match config.cred_helpers.get(server) {
        Some(helper) => helper,
        None => &config.creds_store,
    };
    let asked = match helper.as_str() {
        "" => None,
        helper => ask_helper(helper, server, env)
            .await
            .inspect_err(|err| {
                tracing::warn!(helper, server, %err, "credential helper failed");
            })
            .ok()
            .flatten(),
    };
    let found = asked.or_else(|| kept(config, server)).unwrap_or_default();
    Credentials {
        server: server.to_owned(),
        ..found
    }
}

/// Finds a login in the file itself; a key there may also be a URL.
fn kept(config: &DockerConfig, server: &str) -> Option<Credentials> {
    let host_of = |key: &str| {
        let key = key.split_once("://").map_or(key, |(_, rest)| rest);
        key.split('/').next().unwrap_or_default().to_owned()
    };
    let by_host = || {
        let wanted = host_of(server);
        config
            .auths
            .iter()
            .find(|(key, _)| host_of(key) == wanted)
            .map(|(_, login)| login)
    };
    let login = config.auths.get(server).or_else(by_host)?;
    Some(from_login(login))
}

fn from_login(login: &Login) -> Credentials {
    let decoded = STANDARD.decode(&login.auth).unwrap_or_default();
    let decoded = String::from_utf8_lossy(&decoded).into_owned();
    let (username, password) = match decoded.split_once(':') {
        Some((username, password)) => (username.to_owned(), password.trim_end_matches('\0').to_owned()),
        None => (login.username.clone(), login.password.clone()),
    };
    Credentials {
        username,
        password,
        identity_token: login.identitytoken.clone(),
        server: String::new(),
    }
}

/// Runs `docker-credential-<helper> get`. `None` when it knows no login.
///
/// Rule: the protocol of docker-credential-helpers: the server on its input, JSON on its output, the name `<token>` for
/// an identity token.
async fn ask_helper(helper: &str, server: &str, env: &Environment) -> io::Result<Option<Credentials>> {
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "PascalCase")]
    struct Answer {
        username: String,
        secret: String,
    }
    let command = ChildCommand {
        argv: vec![format!("docker-credential-{helper}"), "get".to_owned()],
        dir: LocalPath::new("/"),
        env: env.clone(),
    };
    let captured = capture(&command, Some(server.into())).await?;
    if !captured.exit.is_success() {
        return Ok(None);
    }
    let answer: Answer = serde_json::from_slice(&captured.stdout)?;
    let is_token = answer.username == "<token>";
    Ok(Some(Credentials {
        identity_token: if is_token {
            answer.secret.clone()
        } else {
            String::new()
        },
        password: if is_token { String::new() } else { answer.secret },
        username: if is_token { String::new() } else { answer.username },
        server: String::new(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_login_is_found_by_host_and_docker_hub_by_its_old_name() {
        let config: DockerConfig = serde_json::from_str(
            r#"{"auths": {"https://index.docker.io/v1/": {"auth": "dTpwOnc="}, "https://gcr.io/v2/": {"auth": "YTpi"},
                "r.io": {"identitytoken": "t"}}}"#,
        )
        .expect("settings");
        let hub = credentials(&config, "docker.io", &Environment::default()).await;
        assert_eq!((hub.username.as_str(), hub.password.as_str()), ("u", "p:w"));
        assert_eq!(hub.server, DOCKER_HUB);
        assert_eq!(
            credentials(&config, "gcr.io", &Environment::default())
                .await
                .username,
            "a"
        );
        assert_eq!(
            credentials(&config, "r.io", &Environment::default())
                .await
                .identity_token,
            "t"
        );
        let none = credentials(&config, "elsewhere.io", &Environment::default()).await;
        assert_eq!(
            (none.username.as_str(), none.server.as_str()),
            ("", "elsewhere.io")
        );
    }

    #[tokio::test]
    async fn a_helper_that_is_not_installed_means_no_login() {
        let config: DockerConfig =
            serde_json::from_str(r#"{"credsStore": "of-no-such-name"}"#).expect("settings");
        assert_eq!(
            credentials(&config, "gcr.io", &Environment::default())
                .await
                .username,
            ""
        );
    }

    #[tokio::test]
    async fn a_helper_is_asked_for_the_server() {
        use std::os::unix::fs::PermissionsExt;
        let dir = tempfile::tempdir().expect("a scratch folder");
        let program = dir.path().join("docker-credential-fake");
        let script = "#!/bin/sh\nserver=$(cat)\necho \"{\\\"Username\\\":\\\"$1\\\",\\\"Secret\\\":\\\"$server\\\"}\"\n";
        std::fs::write(&program, script).expect("a file");
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).expect("ours");
        let config: DockerConfig =
            serde_json::from_str(r#"{"credHelpers": {"gcr.io": "fake"}}"#).expect("settings");
        let mut env = Environment::default();
        env.set("PATH", format!("{}:/usr/bin:/bin", dir.path().display()));
        let found = credentials(&config, "gcr.io", &env).await;
        assert_eq!(
            (found.username.as_str(), found.password.as_str()),
            ("get", "gcr.io")
        );
    }
}
