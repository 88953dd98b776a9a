//! Sending an image to its registry.

use futures::{StreamExt, pin_mut};
use hyper::Method;
use tokio_util::sync::CancellationToken;

use super::auth::credentials;
use super::build::print;
use super::client::{Docker, START_HINT};
use super::config::Settings;
use super::error::BuildError;
use super::http::{ApiError, body, query};
use super::stream_output::StreamOutput;
use crate::edge::clock;
use crate::logs::LogWriter;
use crate::model::ImageRef;

impl Docker {
    /// Pushes an image with its tag; the progress of its layers goes to the log.
    ///
    /// # Errors
    /// When the registry cannot be reached or refuses, or it is canceled.
    pub async fn push(
        &self,
        image: &ImageRef,
        log: &LogWriter,
        cancel: &CancellationToken,
    ) -> Result<(), BuildError> {
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
                log.info("Sending image data");
                self.send_image(image, &login, log).await
            } => pushed.map_err(|err| explain(&err, image)),
        }
    }

    async fn send_image(&self, image: &ImageRef, login: &str, log: &LogWriter) -> Result<(), ApiError> {
        let tag = query([("tag", image.tag().unwrap_or("latest"))]);
        let path = format!("/images/{}/push?{tag}", image.familiar_name());
        let request = self
            .http
            .request(Method::POST, &path)
            .header("X-Registry-Auth", login)
            .body(body(""));
        let reply = self
            .http
            .send(request.map_err(|err| ApiError::Broken(err.to_string()))?)
            .await?;
        let mut output = StreamOutput::default();
        let messages = reply.messages();
        pin_mut!(messages);
        while let Some(message) = messages.next().await.transpose()? {
            print(log, output.update(clock::now(), &message));
        }
        Ok(())
    }
}

/// Says what to do where the engine only says what went wrong.
fn explain(err: &ApiError, image: &ImageRef) -> BuildError {
    let message = err.to_string();
    let registry = image.domain();
    let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    let hint = if matches!(err, ApiError::Connect(_)) {
        START_HINT.to_owned()
    } else if says(&[
        "unauthorized",
        "denied",
        "no basic auth credentials",
        "authentication required",
    ]) {
        format!(
            "log in with \"docker login {registry}\", or name a registry that you may push to with default_registry()"
        )
    } else if says(&["server gave HTTP response to HTTPS client"]) {
        format!("add {registry} to \"insecure-registries\" in the settings of the Docker engine")
    } else {
        format!("check that the registry {registry} runs and that the Docker engine at hand can reach it")
    };
    BuildError::new(format!("docker push: {message}")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refused_push_says_how_to_log_in() {
        let image = ImageRef::parse("gcr.io/shop/web:1").expect("a reference");
        let error = explain(&ApiError::Failed("denied: requested access".to_owned()), &image);
        assert_eq!(
            error.to_string(),
            "docker push: denied: requested access\nhint: log in with \"docker login gcr.io\", or name a registry that you \
             may push to with default_registry()"
        );
    }
}
