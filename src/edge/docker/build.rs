//! Building one image, and printing what the engine says meanwhile.

use std::collections::BTreeMap;
use std::io;

use bollard::models::BuildInfoAux;
use futures::{Stream, StreamExt, pin_mut};
use hyper::Method;
use tokio_util::sync::CancellationToken;

use super::auth::credentials;
use super::build_request::BuildRequest;
use super::buildkit_output::BuildKitOutput;
use super::client::Docker;
use super::config::{DockerConfig, Settings};
use super::context::{Context, ReadFault};
use super::error::{BuildError, is_corruption};
use super::http::{ApiError, Reply, body, query};
use super::output_line::Line;
use super::session::{DOCKERFILE_NAME, Offers, SecretStore, Session, SessionFiles, SshAgents};
use super::stream_output::StreamOutput;
use super::tarball::{self, ContextProgress};
use crate::assembly::dockerfile::base_images;
use crate::clock;
use crate::edge::process::Environment;
use crate::edge::stages::note;
use crate::logs::LogWriter;
use crate::model::{DockerOptions, IgnoreMatcher, ImageRef};

/// How lines of a step stand below its first line.
pub(super) const INDENT: &str = "     ";

/// Why an engine did not build an image, and in which step, if in one.
struct StepFault {
    error: ApiError,
    step: Option<String>,
}

impl From<ApiError> for StepFault {
    fn from(error: ApiError) -> Self {
        Self { error, step: None }
    }
}

/// The content of an image: `sha256:` and 64 hex digits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageId(String);

impl ImageId {
    pub(super) fn new(id: String) -> Self {
        Self(id)
    }

    /// Returns the tag that stands for this content: the same content always has the same tag.
    ///
    /// Rule: `docs/rules/images.md`, "References".
    pub fn content_tag(&self) -> String {
        let hex = self.0.strip_prefix("sha256:").unwrap_or(&self.0);
        format!("tilt-{}", hex.get(..16).unwrap_or(hex))
    }

    /// Returns the whole id.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Docker {
    /// Returns the content of an image, if the engine has it.
    ///
    /// # Errors
    /// When it does not tell.
    pub async fn content_of(&self, image: &ImageRef) -> Result<Option<ImageId>, BuildError> {
        #[derive(serde::Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Inspected {
            id: String,
        }
        let path = format!("/images/{}/json", image.familiar());
        match self.http.get::<Inspected>(&path).await {
            Ok(image) => Ok(Some(ImageId::new(image.id))),
            Err(ApiError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => {
                let message = format!("asking Docker for the image {}: {error}", image.familiar());
                Err(BuildError::by_engine(message, &error))
            }
        }
    }

    /// Builds an image; its steps go to the log as they happen.
    ///
    /// # Errors
    /// When the build fails, the context cannot be read, or it is canceled, which also stops it in the engine.
    pub async fn build(
        &self,
        request: &BuildRequest,
        log: &LogWriter,
        cancel: &CancellationToken,
    ) -> Result<ImageId, BuildError> {
        log.info(&header(request));
        let log = log.indented(INDENT);
        log.info("Building image");
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(BuildError::Canceled),
            built = self.build_with_fallback(request, &log) => built,
        }
    }

    async fn build_with_fallback(
        &self,
        request: &BuildRequest,
        log: &LogWriter,
    ) -> Result<ImageId, BuildError> {
        if let Err(err) = Context::open(&request.build.context) {
            return Err(unreadable(err.kind(), &err.to_string()));
        }
        let config = Settings { env: &self.env }.config().map_err(BuildError::new)?;
        let offers = self.offers(&request.build.options).map_err(BuildError::new)?;
        let fault = ReadFault::default();
        let mut built = if self.uses_buildkit {
            self.build_with_buildkit(request, config.clone(), fault.clone(), offers, log)
                .await
        } else {
            self.build_classic(request, &config, fault.clone(), log).await
        };
        if self.uses_buildkit && built.as_ref().is_err_and(|err| is_corruption(&err.error)) {
            log.info("Detected Buildkit corruption. Rebuilding without Buildkit");
            built = self.build_classic(request, &config, fault.clone(), log).await;
        }
        // The engine would only tell that the transfer broke off.
        built.map_err(|err| match fault.take() {
            Some((kind, fault)) => unreadable(kind, &fault),
            None => BuildError::in_build(&err.error, err.step.as_deref(), request),
        })
    }

    async fn build_with_buildkit(
        &self,
        request: &BuildRequest,
        config: DockerConfig,
        fault: ReadFault,
        offers: Offers,
        log: &LogWriter,
    ) -> Result<ImageId, StepFault> {
        let ignores = IgnoreMatcher::new(&request.build.context_ignores);
        let files = SessionFiles::new(
            request.build.context.clone(),
            ignores,
            request.dockerfile.clone(),
            fault,
            &self.sent_times,
            log.clone(),
        );
        let session = Session::open(&self.http, files, config, self.env.clone(), offers).await?;
        let mut options = self.options(request, DOCKERFILE_NAME);
        options.extend([
            ("version", "2".to_owned()),
            ("remote", "client-session".to_owned()),
            ("session", session.id.clone()),
        ]);
        let post = self
            .http
            .request(Method::POST, &build_path(&options))
            .body(body(""));
        let reply = self.http.send(post.map_err(ApiError::unreadable)?).await?;
        let image = follow(reply, log).await;
        // It must stay open until the build has ended.
        drop(session);
        image
    }

    async fn build_classic(
        &self,
        request: &BuildRequest,
        config: &DockerConfig,
        fault: ReadFault,
        log: &LogWriter,
    ) -> Result<ImageId, StepFault> {
        let name = tarball::dockerfile_name(&request.dockerfile);
        let mut options = self.options(request, &name);
        options.push(("version", "1".to_owned()));
        let logins = registry_config(config, request, &self.env).await;
        let upload = tarball::Upload {
            context: request.build.context.clone(),
            ignores: IgnoreMatcher::new(&request.build.context_ignores),
            dockerfile: request.dockerfile.clone(),
            fault,
            progress: ContextProgress::new(log.clone()),
        };
        let post = self
            .http
            .request(Method::POST, &build_path(&options))
            .header("Content-Type", "application/x-tar")
            .header("X-Registry-Config", logins)
            .body(upload.stream())
            .map_err(ApiError::unreadable)?;
        follow(self.http.send(post).await?, log).await
    }

    /// Returns the secrets and agents that a build may use.
    fn offers(&self, options: &DockerOptions) -> Result<Offers, String> {
        let is_needed = !options.secrets.is_empty() || !options.ssh.is_empty();
        if is_needed && !self.uses_buildkit {
            return Err("secret= and ssh= need BuildKit, which this Docker engine does not have or DOCKER_BUILDKIT turns off".to_owned());
        }
        Ok(Offers {
            secrets: SecretStore::new(&options.secrets, self.env.clone())?,
            ssh: SshAgents::new(&options.ssh, &self.env)?,
        })
    }

    fn options(&self, request: &BuildRequest, dockerfile: &str) -> Vec<(&'static str, String)> {
        let labels = serde_json::json!({"dev.tilt.built": "true", "dev.tilt.gc": "true"});
        let mut options = vec![
            ("dockerfile", dockerfile.to_owned()),
            ("labels", labels.to_string()),
            ("buildargs", self.build_args(&request.build.build_args)),
            ("rm", "1".to_owned()),
            ("forcerm", "1".to_owned()),
        ];
        options.extend(request.build.stage.clone().map(|stage| ("target", stage)));
        options.extend(passed_on(&request.build.options));
        options
    }

    /// A name without a value takes it from the environment; where that has none, the Dockerfile's default holds.
    fn build_args(&self, args: &[String]) -> String {
        let args: BTreeMap<&str, Option<String>> = args
            .iter()
            .map(|arg| match arg.split_once('=') {
                Some((key, value)) => (key, Some(value.to_owned())),
                None => (arg.as_str(), text_of(self.env.get(arg))),
            })
            .collect();
        serde_json::to_string(&args).unwrap_or_default()
    }
}

/// The context cannot be read.
fn unreadable(kind: io::ErrorKind, why: &str) -> BuildError {
    let error = BuildError::new(format!("reading build context: {why}"));
    match kind {
        io::ErrorKind::PermissionDenied => error.hint(
            "let this user read it, or leave it out of the image: name it in .dockerignore, or in ignore= of docker_build()",
        ),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory => {
            error.hint("check the context that docker_build() names")
        }
        _ => error,
    }
}

/// Returns the parameters for what the engine is told as it is.
fn passed_on(options: &DockerOptions) -> Vec<(&'static str, String)> {
    let mut parameters = Vec::new();
    parameters.extend(options.platform.clone().map(|platform| ("platform", platform)));
    parameters.extend(options.network.clone().map(|network| ("networkmode", network)));
    parameters.extend(options.pull.then(|| ("pull", "1".to_owned())));
    parameters.extend(options.extra_tags.iter().map(|tag| ("t", tag.clone())));
    if !options.cache_from.is_empty() {
        let images = serde_json::to_string(&options.cache_from).unwrap_or_default();
        parameters.push(("cachefrom", images));
    }
    parameters.extend(
        options
            .extra_hosts
            .iter()
            .map(|host| ("extrahosts", host.clone())),
    );
    parameters
}

fn text_of(value: Option<&std::ffi::OsStr>) -> Option<String> {
    value.map(|value| value.to_string_lossy().into_owned())
}

fn build_path(options: &[(&'static str, String)]) -> String {
    format!(
        "/build?{}",
        query(options.iter().map(|(key, value)| (*key, value.as_str())))
    )
}

/// Returns the text before the build's output: the Dockerfile as it is built.
fn header(request: &BuildRequest) -> String {
    let platform = request
        .build
        .options
        .platform
        .as_ref()
        .map(|p| format!(" for platform {p}"))
        .unwrap_or_default();
    let mut out = format!("Building Dockerfile{platform}:\n");
    for line in request.dockerfile.split_inclusive('\n') {
        out.push_str("  ");
        out.push_str(line);
    }
    out.push_str("\n\n");
    out
}

/// Returns the logins for the images that the Dockerfile names; the classic builder must be told beforehand.
async fn registry_config(config: &DockerConfig, request: &BuildRequest, env: &Environment) -> String {
    let mut logins = BTreeMap::new();
    for image in base_images(&request.dockerfile, &request.build.build_args).unwrap_or_default() {
        let login = credentials(config, image.domain(), env).await;
        if !login.username.is_empty() || !login.identity_token.is_empty() {
            logins.insert(login.server.clone(), login);
        }
    }
    base64::Engine::encode(
        &base64::engine::general_purpose::URL_SAFE,
        serde_json::to_vec(&logins).unwrap_or_default(),
    )
}

/// Prints the messages of a build and returns the image it made.
async fn follow(reply: Reply, log: &LogWriter) -> Result<ImageId, StepFault> {
    let mut steps = BuildKitOutput::default();
    let mut last_step = None;
    let mut stream = StreamOutput::default();
    let mut image = None;
    let messages = reply.messages();
    pin_mut!(messages);
    loop {
        let message = match next(&mut messages).await {
            Ok(Some(message)) => message,
            Ok(None) => break,
            Err(error) => {
                note(|facts| steps.tell(facts));
                let step = steps.failed_step().or(last_step);
                return Err(StepFault { error, step });
            }
        };
        match &message.aux {
            Some(BuildInfoAux::BuildKit(state)) => print(log, steps.update(clock::now(), state)),
            Some(BuildInfoAux::Default(made)) => image = made.id.clone().or(image),
            None => {
                let text = message.stream.as_deref().unwrap_or_default();
                image = announced_image(text).or(image);
                last_step = announced_step(text).or(last_step);
                print(log, stream.update(clock::now(), &message));
            }
        }
    }
    print(log, stream.finish());
    note(|facts| steps.tell(facts));
    let missing = || ApiError::Unreadable("the engine did not say which image it built".to_owned());
    Ok(image.map(ImageId).ok_or_else(missing)?)
}

async fn next<T, E>(messages: &mut (impl Stream<Item = Result<T, E>> + Unpin)) -> Result<Option<T>, E> {
    messages.next().await.transpose()
}

/// Reads `Successfully built <id>` or a line that is an id, as old engines end a build.
fn announced_image(text: &str) -> Option<String> {
    let text = text.trim();
    let id = text
        .strip_prefix("Successfully built ")
        .or_else(|| text.starts_with("sha256:").then_some(text))?;
    Some(id.to_owned())
}

/// Reads `Step 2/3 : RUN make`, as the classic builder begins a step.
fn announced_step(text: &str) -> Option<String> {
    text.starts_with("Step ").then(|| text.trim().to_owned())
}

/// Writes lines to the log.
pub(super) fn print(log: &LogWriter, lines: Vec<Line>) {
    for line in lines {
        match line.progress_id {
            Some(id) => log.progress(&id, line.must_print, &line.text),
            None => log.info(&line.text),
        }
    }
}

#[cfg(test)]
pub(super) fn request_for_test(dockerfile: &str) -> BuildRequest {
    use crate::model::{DockerBuild, LocalPath};
    BuildRequest {
        build: DockerBuild {
            context: LocalPath::new("/src"),
            dockerfile: LocalPath::new("/src/Dockerfile"),
            dockerfile_contents: dockerfile.to_owned(),
            build_args: Vec::new(),
            stage: None,
            context_ignores: Vec::new(),
            options: DockerOptions::default(),
            site: None,
        },
        dockerfile: dockerfile.to_owned(),
    }
}

#[cfg(test)]
#[path = "build_tests.rs"]
mod tests;
