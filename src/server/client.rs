//! The other end: how commands talk to a session, over its API or over the endpoints of its page.

use std::sync::Arc;

use anyhow::Context;
use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::registry::Entry;

/// The API of a session.
#[derive(Debug)]
pub struct ApiClient {
    address: String,
    connector: Arc<ClientConfig>,
    token: String,
}

/// What a session answered.
#[derive(Debug)]
pub struct Answer {
    /// Whether it did what was asked.
    pub status: StatusCode,
    /// What it says.
    pub body: Bytes,
}

/// Why a request to the API failed.
#[derive(Debug, thiserror::Error)]
pub enum ApiFailure {
    /// Nobody answers there.
    #[error("The connection to the server {0} was refused - did you specify the right host or port?")]
    Refused(String),
    /// The session refused it.
    #[error("Error from server ({reason}): {message}")]
    Status {
        /// Kubernetes' word for it.
        reason: String,
        /// What it says.
        message: String,
        /// The HTTP status.
        code: u16,
        /// The kind and the name that it is about, if it is about an object.
        about: Option<(String, String)>,
    },
    /// Anything else.
    #[error("{0:#}")]
    Other(#[from] anyhow::Error),
}

impl ApiFailure {
    /// Returns it with a note of what failed before what the session says.
    #[must_use]
    pub fn in_words(mut self, what: &str) -> Self {
        if let Self::Status { message, reason, .. } = &mut self
            && reason != "Invalid"
        {
            *message = format!("{what}: {message}");
        }
        self
    }

    /// Returns it as kubectl says it.
    pub fn like_kubectl(&self) -> String {
        match self {
            Self::Status {
                reason,
                message,
                about,
                ..
            } if reason == "Invalid" => match about {
                // The message begins with the object itself.
                Some((kind, name)) => {
                    let rest = message
                        .split_once(" is invalid: ")
                        .map_or(message.as_str(), |(_, rest)| rest);
                    format!("The {kind} {name:?} is invalid: {rest}")
                }
                None => format!("The request is invalid: {message}"),
            },
            other => other.to_string(),
        }
    }

    /// Returns whether there is no such object.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { code: 404, .. })
    }
}

/// A body that is sent: its media type, and its bytes.
pub type Sent<'a> = Option<(&'a str, Vec<u8>)>;

impl ApiClient {
    /// Returns a client of a session.
    ///
    /// # Errors
    /// Its certificate cannot be read.
    pub fn of_entry(entry: &Entry) -> anyhow::Result<Self> {
        let mut roots = RootCertStore::empty();
        let certificate = CertificateDer::from_pem_slice(entry.certificate.as_bytes())
            .context("the certificate of the session cannot be read")?;
        roots
            .add(certificate)
            .context("the certificate of the session cannot be used")?;
        let config = ClientConfig::builder()
            .with_root_certificates(roots)
            .with_no_client_auth();
        Ok(Self {
            address: entry.server.trim_start_matches("https://").to_owned(),
            connector: Arc::new(config),
            token: entry.token.clone(),
        })
    }

    /// Sends a request and returns the answer as JSON.
    ///
    /// # Errors
    /// Nobody answers, or the answer is a refusal.
    pub async fn request(
        &self,
        method: Method,
        path: &str,
        accept: &str,
        sent: Sent<'_>,
    ) -> Result<Value, ApiFailure> {
        let response = self.send(method, path, accept, sent).await?;
        let status = response.status();
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(anyhow::Error::from)?
            .to_bytes();
        let value: Value = serde_json::from_slice(&body).unwrap_or_default();
        if status.is_success() {
            return Ok(value);
        }
        Err(refusal(status, &value, &body))
    }

    /// Sends a request and returns the answer as it comes: a watch.
    ///
    /// # Errors
    /// Nobody answers, or the answer is a refusal.
    pub async fn stream(&self, path: &str, accept: &str) -> Result<Incoming, ApiFailure> {
        let response = self.send(Method::GET, path, accept, None).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let body = response
            .into_body()
            .collect()
            .await
            .map_err(anyhow::Error::from)?
            .to_bytes();
        Err(refusal(
            status,
            &serde_json::from_slice(&body).unwrap_or_default(),
            &body,
        ))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        accept: &str,
        sent: Sent<'_>,
    ) -> Result<Response<Incoming>, ApiFailure> {
        let refused = |_| ApiFailure::Refused(self.address.clone());
        let stream = TcpStream::connect(&self.address).await.map_err(refused)?;
        let name = ServerName::try_from("localhost").map_err(anyhow::Error::from)?;
        let connector = TlsConnector::from(Arc::clone(&self.connector));
        let stream = connector.connect(name, stream).await.map_err(refused)?;
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, &self.address)
            .header(header::ACCEPT, accept)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token));
        let body = match sent {
            Some((media, body)) => {
                request = request.header(header::CONTENT_TYPE, media);
                body
            }
            None => Vec::new(),
        };
        let request = request.body(Full::from(body)).map_err(anyhow::Error::from)?;
        Ok(exchange(stream, request).await?)
    }
}

fn refusal(status: StatusCode, value: &Value, body: &Bytes) -> ApiFailure {
    let text = |field: &str| value[field].as_str().map(str::to_owned);
    ApiFailure::Status {
        reason: text("reason").unwrap_or_else(|| status.canonical_reason().unwrap_or_default().to_owned()),
        message: text("message").unwrap_or_else(|| String::from_utf8_lossy(body).into_owned()),
        code: status.as_u16(),
        about: {
            let of = |field: &str| value["details"][field].as_str().map(str::to_owned);
            of("kind").zip(of("name"))
        },
    }
}

/// How often an answer may say that what is asked for is elsewhere.
const REDIRECTS: usize = 5;

/// Returns the text that is at an address, `http://` or `https://`.
///
/// # Errors
/// It cannot be reached, or answers with a refusal.
pub async fn download(url: &str) -> anyhow::Result<String> {
    let mut url = url.to_owned();
    for _ in 0..=REDIRECTS {
        let uri: http::Uri = url.parse().context("it is no URL")?;
        let host = uri.host().context("it names no host")?.to_owned();
        let is_tls = uri.scheme_str() == Some("https");
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let request = Request::builder()
            .uri(path)
            .header(
                header::HOST,
                uri.authority()
                    .map_or(host.as_str(), |authority| authority.as_str()),
            )
            .body(Full::from(Vec::new()))?;
        let stream = TcpStream::connect((host.trim_matches(['[', ']']), port)).await?;
        let response = if is_tls {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            let config = ClientConfig::builder()
                .with_root_certificates(roots)
                .with_no_client_auth();
            let stream = TlsConnector::from(Arc::new(config))
                .connect(ServerName::try_from(host)?, stream)
                .await?;
            exchange(stream, request).await?
        } else {
            exchange(stream, request).await?
        };
        let status = response.status();
        if status.is_redirection() {
            let next = response
                .headers()
                .get(header::LOCATION)
                .and_then(|next| next.to_str().ok());
            let next = next.context("it is elsewhere, but does not say where")?;
            url = match next.starts_with('/') {
                true => format!(
                    "{}://{}{next}",
                    if is_tls { "https" } else { "http" },
                    uri.authority().map_or("", |at| at.as_str())
                ),
                false => next.to_owned(),
            };
            continue;
        }
        anyhow::ensure!(status.is_success(), "server reported {status}");
        let body = response.into_body().collect().await?.to_bytes();
        return Ok(String::from_utf8(body.to_vec())?);
    }
    anyhow::bail!("it is always elsewhere")
}

async fn exchange(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> anyhow::Result<Response<Incoming>> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    Ok(sender.send_request(request).await?)
}

/// The endpoints of a session's page.
#[derive(Clone, Debug)]
pub struct WebClient {
    /// Its host.
    pub host: String,
    /// Its port.
    pub port: u16,
}

impl WebClient {
    /// Sends a request and returns the answer.
    ///
    /// # Errors
    /// Nobody answers. The message is that of Tilt.
    pub async fn request(&self, method: Method, path: &str, body: Vec<u8>) -> anyhow::Result<Answer> {
        let url = format!("http://{}:{}{path}", self.host, self.port);
        let response = self
            .send(method, path, body)
            .await
            .with_context(|| format!("Could not connect to Tilt at {url}"))?;
        Ok(Answer {
            status: response.status(),
            body: response.into_body().collect().await?.to_bytes(),
        })
    }

    /// Sends a request and returns the answer as it comes.
    ///
    /// # Errors
    /// Nobody answers, or the answer is a refusal.
    pub async fn stream(&self, path: &str) -> anyhow::Result<Incoming> {
        let url = format!("http://{}:{}{path}", self.host, self.port);
        let response = self
            .send(Method::GET, path, Vec::new())
            .await
            .with_context(|| format!("Could not connect to Tilt at {url}"))?;
        let status = response.status();
        if status.is_success() {
            return Ok(response.into_body());
        }
        let body = response.into_body().collect().await?.to_bytes();
        anyhow::bail!(
            "Request to {url} failed with status \"{status}\": {}",
            String::from_utf8_lossy(&body)
        )
    }

    async fn send(&self, method: Method, path: &str, body: Vec<u8>) -> anyhow::Result<Response<Incoming>> {
        let address = (self.host.as_str(), self.port);
        let stream = TcpStream::connect(address).await?;
        let host = format!("{}:{}", self.host, self.port);
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, host);
        if !body.is_empty() {
            request = request.header(header::CONTENT_TYPE, "application/json");
        }
        if let Ok(token) = super::user_token() {
            request = request.header("X-Tilt-Token", token);
        }
        exchange(stream, request.body(Full::from(body))?).await
    }
}
