//! Sending an image to its registry.

use futures::{StreamExt, pin_mut};
use hyper::Method;
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::auth::credentials;
use super::build::print;
use super::client::Docker;
use super::config::Settings;
use super::error::BuildError;
use super::http::{ApiError, body, query};
use super::stream_output::StreamOutput;
use crate::clock;
use crate::edge::stages::note;
use crate::logs::LogWriter;
use crate::model::ImageRef;

/// An image as the engine has it.
#[derive(Deserialize)]
struct LocalImage {
    #[serde(rename = "Id")]
    id: String,
    /// Under which digests it is known in registries, such as `localhost:5000/web@sha256:12ab`.
    #[serde(rename = "RepoDigests", default)]
    repo_digests: Option<Vec<String>>,
}

impl LocalImage {
    fn is(&self, digest: &str) -> bool {
        let known = self.repo_digests.iter().flatten();
        self.id == digest
            || known
                .filter_map(|known| known.split_once('@'))
                .any(|(_, known)| known == digest)
    }
}

impl Docker {
    /// Brings an image to its registry, and returns the name by which it is there; the progress of its layers goes to
    /// the log.
    ///
    /// What the registry has is not sent again. A tag that stands for other content there is left alone: the image gets
    /// another tag, which is made of its content.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses, or it is canceled.
    pub async fn push(
        &self,
        image: &ImageRef,
        log: &LogWriter,
        cancel: &CancellationToken,
    ) -> Result<ImageRef, BuildError> {
        log.info(&format!(
            "Authenticating to image repo: {}",
            image.familiar_name()
        ));
        let config = Settings { env: &self.env }
            .config()
            .map_err(|err| BuildError::new(format!("docker push: {err}")))?;
        tokio::select! {
            biased;
            () = cancel.cancelled() => Err(BuildError::Canceled),
            pushed = async {
                let login = credentials(&config, image.domain(), &self.env).await.header();
                self.bring(image, &login, log).await
            } => pushed,
        }
    }

    async fn bring(&self, image: &ImageRef, login: &str, log: &LogWriter) -> Result<ImageRef, BuildError> {
        let failed = |err: ApiError| explain(&err, image);
        let path = format!("/images/{}/json", image.familiar());
        // Its own tag is asked for first, whatever the engine says of it.
        let looks = tokio::try_join!(
            self.http.get::<LocalImage>(&path),
            self.registry_digest(image, login)
        );
        let (local, of_own_tag) = looks.map_err(failed)?;
        let mut of_own_tag = Some(of_own_tag);
        let mut taken: Vec<(ImageRef, String)> = Vec::new();
        for tag in tags(image, &local.id) {
            let name = image.with_tag(&tag);
            let found = match of_own_tag.take() {
                Some(found) => found,
                None => self.registry_digest(&name, login).await.map_err(failed)?,
            };
            if let Some(digest) = found.as_ref()
                && !local.is(digest)
                && !self.is_same(&local, &name, digest, login).await.map_err(failed)?
            {
                taken.push((name, digest.clone()));
                continue;
            }
            if name != *image {
                self.tag(&local.id, &name).await.map_err(failed)?;
            }
            if found.is_some() {
                log.info("Already there: nothing to send");
                note(|facts| facts.not_pushed = Some("the registry has it already".to_owned()));
            } else {
                log.info("Sending image data");
                self.send_image(&name, login, log).await.map_err(failed)?;
            }
            return self.best_name(name, taken, login, log).await.map_err(failed);
        }
        Err(all_taken(image, &taken))
    }

    /// Returns whether what the registry has under a tag made of our image's content is that image, though packed in
    /// another way, as an earlier engine did. Pulling an image that is here takes only its description.
    async fn is_same(
        &self,
        local: &LocalImage,
        name: &ImageRef,
        digest: &str,
        login: &str,
    ) -> Result<bool, ApiError> {
        if !name
            .tag()
            .is_some_and(|tag| contents(&local.id).iter().any(|content| content == tag))
        {
            return Ok(false);
        }
        let repository = name.familiar_name();
        let from = query([("fromImage", repository.as_str()), ("tag", digest)]);
        let request = self
            .http
            .request(Method::POST, &format!("/images/create?{from}"))
            .header("X-Registry-Auth", login);
        let request = request.body(body("")).map_err(ApiError::unreadable)?;
        // Its last message comes when it is done.
        let pulled = async { self.http.send(request).await?.text().await };
        if said(pulled.await)?.is_none() {
            return Ok(false);
        }
        let path = format!("/images/{repository}@{digest}/json");
        let there = said(self.http.get::<LocalImage>(&path).await)?;
        Ok(there.is_some_and(|there| there.id == local.id))
    }

    /// Returns the name to use of an image that is in the registry now: an earlier choice after all, if that one turns out
    /// to stand for the same.
    async fn best_name(
        &self,
        name: ImageRef,
        taken: Vec<(ImageRef, String)>,
        login: &str,
        log: &LogWriter,
    ) -> Result<ImageRef, ApiError> {
        let Some((first, _)) = taken.first().cloned() else {
            return Ok(name);
        };
        // Only the registry knows the digest of an image that another engine has pushed.
        let digest = self.registry_digest(&name, login).await?;
        if let Some((same, _)) = taken
            .into_iter()
            .find(|(_, other)| digest.as_ref() == Some(other))
        {
            return Ok(same);
        }
        log.info(&format!(
            "{} has other content in the registry and stays as it is: this image is {}",
            first.familiar(),
            name.familiar()
        ));
        Ok(name)
    }

    /// Returns the digest that a name stands for in its registry. `None` where it stands for nothing, and where the
    /// registry does not let us look: then pushing tells why.
    async fn registry_digest(&self, name: &ImageRef, login: &str) -> Result<Option<String>, ApiError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "PascalCase")]
        struct Answer {
            descriptor: Descriptor,
        }
        #[derive(Deserialize)]
        struct Descriptor {
            digest: String,
        }
        let path = format!("/distribution/{}/json", name.familiar());
        let request = self
            .http
            .request(Method::GET, &path)
            .header("X-Registry-Auth", login);
        let request = request.body(body("")).map_err(ApiError::unreadable)?;
        let text = said(self.http.ask(request).await)?;
        let answer = text.and_then(|text| serde_json::from_str::<Answer>(&text).ok());
        Ok(answer.map(|answer| answer.descriptor.digest))
    }

    async fn send_image(&self, image: &ImageRef, login: &str, log: &LogWriter) -> Result<(), ApiError> {
        let tag = query([("tag", image.tag().unwrap_or("latest"))]);
        let path = format!("/images/{}/push?{tag}", image.familiar_name());
        let request = self
            .http
            .request(Method::POST, &path)
            .header("X-Registry-Auth", login)
            .body(body(""));
        let reply = self.http.send(request.map_err(ApiError::unreadable)?).await?;
        let mut output = StreamOutput::default();
        let messages = reply.messages();
        pin_mut!(messages);
        while let Some(message) = messages.next().await.transpose()? {
            print(log, output.update(clock::now(), &message));
        }
        note(|facts| facts.pushed_bytes = Some(output.pushed_bytes()));
        Ok(())
    }
}

/// Returns what the engine or the registry said, `None` where they refused; an engine that is away says nothing.
fn said<T>(answer: Result<T, ApiError>) -> Result<Option<T>, ApiError> {
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(error) if error.hint().is_some() => Err(error),
        Err(_) => Ok(None),
    }
}

/// Returns the tags to try: the image's own, then two that are made of its content, the longer one last.
fn tags(image: &ImageRef, id: &str) -> Vec<String> {
    let mut tags = vec![image.tag().unwrap_or("latest").to_owned()];
    for tag in contents(id) {
        if !tags.contains(&tag) {
            tags.push(tag);
        }
    }
    tags
}

/// Returns the tags that are made of an image's content.
fn contents(id: &str) -> [String; 2] {
    let hex = id.strip_prefix("sha256:").unwrap_or(id);
    [16, 32].map(|length| format!("tilt-{}", hex.get(..length).unwrap_or(hex)))
}

fn all_taken(image: &ImageRef, taken: &[(ImageRef, String)]) -> BuildError {
    let names: Vec<String> = taken.iter().map(|(name, _)| name.familiar()).collect();
    let repository = image.familiar_name();
    BuildError::new(format!(
        "docker push: the registry has other content under every name for this image: {}",
        names.join(", ")
    ))
    .hint(format!(
        "somebody has pushed other images under these names; delete them from {repository}, or name another registry with \
         default_registry()"
    ))
}

/// Says what to do where the engine only says what went wrong.
fn explain(err: &ApiError, image: &ImageRef) -> BuildError {
    let error = BuildError::by_engine(format!("docker push: {err}"), err);
    match err.hint() {
        Some(_) => error,
        None => error.hint(advice(err, image)),
    }
}

/// Returns what to do about what a registry said.
fn advice(err: &ApiError, image: &ImageRef) -> String {
    let (registry, repository) = (image.domain(), image.familiar_name());
    let message = image.said_without_name(&err.to_string());
    let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    if says(&["toomanyrequests", "too many requests", "rate limit"]) {
        format!(
            "wait, or log in with \"docker login {registry}\": it takes only so many requests from one address or login"
        )
    } else if says(&["immutable", "cannot be overwritten"]) {
        format!("{repository} does not let tags be written again: allow it there, or delete the tag")
    } else if says(&[
        "name unknown",
        "name_unknown",
        "does not exist in the registry",
        "repository not found",
    ]) {
        format!(
            "the registry does not make a repository by itself: create {repository} there, or name another registry with \
             default_registry()"
        )
    } else if says(&["quota", "storage limit", "insufficient storage", "no space left"]) {
        format!("there is no room for it in {registry}: delete images there, or ask for more")
    } else if says(&["413", "request entity too large"]) {
        format!(
            "what stands before {registry} takes only small requests: raise its limit (nginx: client_max_body_size 0)"
        )
    } else if says(&[
        "unauthorized",
        "denied",
        "no basic auth credentials",
        "authentication required",
        "authorization failed",
        "insufficient_scope",
        "incorrect username or password",
        "forbidden",
    ]) {
        format!(
            "log in with \"docker login {registry}\", or name a registry that you may push to with default_registry()"
        )
    } else if says(&["server gave http response to https client"]) {
        format!("add {registry} to \"insecure-registries\" in the settings of the Docker engine")
    } else if says(&["x509: ", "certificate signed by unknown authority"]) {
        format!(
            "the Docker engine does not trust {registry}: put its certificate into /etc/docker/certs.d/{registry}/ca.crt there"
        )
    } else {
        format!("check that the registry {registry} runs and that the Docker engine at hand can reach it")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_has_its_own_tag_and_two_of_its_content() {
        let id = "sha256:5e8cbbe5a941d50fe4fa4acfab362f480263bc4a2fce5707dd127baef9865c19";
        let tags = |image| tags(&ImageRef::parse(image).expect("a reference"), id);
        let of_content = ["tilt-5e8cbbe5a941d50f", "tilt-5e8cbbe5a941d50fe4fa4acfab362f48"];
        assert_eq!(tags("gcr.io/web:tilt-5e8cbbe5a941d50f"), of_content);
        assert_eq!(tags("gcr.io/web:dev"), [&["dev"], &of_content[..]].concat());
    }

    #[test]
    fn an_image_without_a_free_name_says_which_are_taken_and_what_to_do() {
        let image = |name| ImageRef::parse(name).expect("a reference");
        let taken = ["gcr.io/web:tilt-1", "gcr.io/web:tilt-12"].map(|name| (image(name), String::new()));
        insta::assert_snapshot!(all_taken(&image("gcr.io/web:tilt-1"), &taken), @r"
        docker push: the registry has other content under every name for this image: gcr.io/web:tilt-1, gcr.io/web:tilt-12
        hint: somebody has pushed other images under these names; delete them from gcr.io/web, or name another registry with default_registry()
        ");
    }

    #[test]
    fn a_refused_push_says_how_to_log_in() {
        let image = ImageRef::parse("gcr.io/shop/web:1").expect("a reference");
        let error = explain(&ApiError::Failed("denied: requested access".to_owned()), &image);
        assert_eq!(
            error.to_string(),
            "docker push: denied: requested access\nhint: log in with \"docker login gcr.io\", or name a registry that you \
             may push to with default_registry()"
        );
        assert!(!error.is_unreachable());
    }

    #[test]
    fn what_a_registry_says_has_its_advice_whatever_the_image_is_called() {
        let advice = |image: &str, said: &str| {
            let image = ImageRef::parse(image).expect("a reference");
            advice(&ApiError::Failed(said.to_owned()), &image)
        };
        for (said, advised) in [
            (
                "toomanyrequests: You have reached your pull rate limit.",
                "log in with \"docker login docker.io\"",
            ),
            (
                "denied: requested access to the resource is denied",
                "log in with",
            ),
            ("unauthorized: incorrect username or password", "log in with"),
            (
                "server message: insufficient_scope: authorization failed",
                "log in with",
            ),
            (
                "name unknown: The repository with name 'shop/web' does not exist in the registry with id '1'",
                "create shop/web there",
            ),
            (
                "tag invalid: The image tag 'tilt-1' already exists in the 'shop/web' repository and cannot be overwritten \
                 because the repository is immutable.",
                "does not let tags be written again",
            ),
            (
                "error parsing HTTP 413 response body: <html>413 Request Entity Too Large</html>",
                "client_max_body_size",
            ),
            (
                "Get \"https://x/v2/\": x509: certificate signed by unknown authority",
                "certs.d",
            ),
            ("denied: quota exceeded", "there is no room"),
        ] {
            let found = advice("shop/web:tilt-1", said);
            assert!(found.contains(advised), "{said}: {found}");
        }
        let refused = "Get \"https://gcr.io/v2/denied/authorization\": dial tcp 1.2.3.4:443: connect: connection refused";
        let found = advice("gcr.io/denied/authorization:1", refused);
        assert!(
            found.starts_with("check that the registry gcr.io runs"),
            "{found}"
        );
    }
}
