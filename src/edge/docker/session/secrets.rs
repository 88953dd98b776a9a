//! Secrets that a build may ask for, as `docker build --secret` names them: `id=pw,env=PW`, `id=key,src=key.txt`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::Arc;

use bollard::moby::buildkit::secrets::v1::secrets_server::Secrets;
use bollard::moby::buildkit::secrets::v1::{GetSecretRequest, GetSecretResponse};
use tonic::{Request, Response, Status};

use crate::edge::process::Environment;

/// The largest secret that the engine takes.
const MAX_BYTES: usize = 500 * 1024;

/// The secrets of one build.
#[derive(Clone, Debug)]
pub(in crate::edge::docker) struct SecretStore {
    sources: HashMap<String, Source>,
    env: Arc<Environment>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Source {
    File(PathBuf),
    Variable(String),
}

impl SecretStore {
    /// Reads specifications. Paths are relative to the directory in which this program was started.
    ///
    /// # Errors
    /// When one cannot be understood, with its text.
    ///
    /// Rule: `parseSecret` of buildx.
    pub(in crate::edge::docker) fn new(specs: &[String], env: Arc<Environment>) -> Result<Self, String> {
        let mut sources = HashMap::new();
        for spec in specs {
            let (id, source) = parse(spec, &env).map_err(|why| format!("invalid secret {spec:?}: {why}"))?;
            sources.insert(id, source);
        }
        Ok(Self { sources, env })
    }
}

fn parse(spec: &str, env: &Environment) -> Result<(String, Source), String> {
    let (mut id, mut path, mut variable, mut is_variable) = ("", "", "", false);
    for field in spec.split(',') {
        let (key, value) = field
            .split_once('=')
            .ok_or_else(|| format!("{field:?} must be a key=value pair"))?;
        match key.to_lowercase().as_str() {
            "type" if value == "file" => {}
            "type" if value == "env" => is_variable = true,
            "type" => return Err(format!("unsupported secret type {value:?}")),
            "id" => id = value,
            "source" | "src" => path = value,
            "env" => variable = value,
            _ => return Err(format!("unexpected key {key:?}")),
        }
    }
    if is_variable && variable.is_empty() {
        (variable, path) = (path, "");
    }
    if id.is_empty() {
        return Err("it has no id".to_owned());
    }
    let source = match (variable, path) {
        ("", "") if env.get(id).is_some() => Source::Variable(id.to_owned()),
        ("", "") => Source::File(PathBuf::from(id)),
        ("", path) => Source::File(PathBuf::from(path)),
        (variable, _) => Source::Variable(variable.to_owned()),
    };
    Ok((id.to_owned(), source))
}

#[tonic::async_trait]
impl Secrets for SecretStore {
    async fn get_secret(
        &self,
        request: Request<GetSecretRequest>,
    ) -> Result<Response<GetSecretResponse>, Status> {
        let id = &request.get_ref().id;
        let missing = || Status::not_found(format!("secret {id} not found"));
        let data = match self.sources.get(id).ok_or_else(missing)? {
            Source::Variable(name) => {
                let value = self.env.get(name).ok_or_else(missing)?;
                std::os::unix::ffi::OsStrExt::as_bytes(value).to_vec()
            }
            Source::File(path) => tokio::fs::read(path).await.map_err(|err| {
                Status::not_found(format!("secret {id}: cannot read {}: {err}", path.display()))
            })?,
        };
        if data.len() > MAX_BYTES {
            return Err(Status::invalid_argument(format!(
                "secret {id} is larger than {MAX_BYTES} bytes"
            )));
        }
        Ok(Response::new(GetSecretResponse { data }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_a_file_or_a_variable() {
        let mut env = Environment::default();
        env.set("SET", "x");
        let file = |path: &str| Source::File(PathBuf::from(path));
        let variable = |name: &str| Source::Variable(name.to_owned());
        for (spec, id, source) in [
            ("id=a,src=k.txt", "a", file("k.txt")),
            ("id=a,source=k.txt,type=file", "a", file("k.txt")),
            ("id=a,env=PW", "a", variable("PW")),
            ("type=env,id=a,src=PW", "a", variable("PW")),
            ("id=SET", "SET", variable("SET")),
            ("id=unset", "unset", file("unset")),
        ] {
            assert_eq!(parse(spec, &env), Ok((id.to_owned(), source)), "{spec}");
        }
        for (spec, why) in [
            ("key", "must be a key=value pair"),
            ("src=k", "no id"),
            ("id=a,type=x", "unsupported secret type"),
            ("id=a,x=y", "unexpected key"),
        ] {
            let error = parse(spec, &env).expect_err(spec);
            assert!(error.contains(why), "{spec}: {error}");
        }
    }
}
