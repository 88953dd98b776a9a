//! Requests to a Docker engine: one connection each, so that dropping a reply stops what the engine does for it.

use std::io;

use bollard::models::BuildInfo;
use bytes::Bytes;
use futures::Stream;
use http_body_util::{BodyExt, Full, combinators::UnsyncBoxBody};
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use serde::de::DeserializeOwned;

pub(in crate::edge) use super::abort_on_drop::AbortOnDrop;
pub(in crate::edge) use super::api_error::ApiError;
use super::endpoint::Endpoint;
use super::patience::{Patience, Watch};

/// What is sent with a request.
pub(super) type Body = UnsyncBoxBody<Bytes, io::Error>;

/// Speaks with one engine.
#[derive(Clone, Debug)]
pub(super) struct Http {
    pub(super) endpoint: Endpoint,
    /// Such as `/v1.41`; empty for what the engine prefers.
    pub(super) version_prefix: String,
    pub(super) patience: Patience,
}

/// An answer; the connection ends with it.
pub(super) struct Reply {
    response: Response<Incoming>,
    watch: Watch,
    _connection: AbortOnDrop,
}

/// Returns a body of bytes that are at hand.
pub(super) fn body(bytes: impl Into<Bytes>) -> Body {
    Full::new(bytes.into())
        .map_err(|never| match never {})
        .boxed_unsync()
}

impl Http {
    /// Returns a request for a path below the API's version.
    pub(super) fn request(&self, method: Method, path: &str) -> hyper::http::request::Builder {
        Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.version_prefix))
            .header("Host", "docker")
    }

    /// Sends a request; a status of failure is an error. It ends when the engine does not answer anybody any more.
    pub(super) async fn send(&self, request: Request<Body>) -> Result<Reply, ApiError> {
        let watch = self.watch();
        let (response, connection) = watch.over(self.exchange(request)).await?;
        let reply = Reply {
            response,
            watch,
            _connection: connection,
        };
        let status = reply.response.status();
        if status.is_success() || status == StatusCode::SWITCHING_PROTOCOLS {
            return Ok(reply);
        }
        let text = reply.text().await?;
        Err(ApiError::Refused {
            status: status.as_u16(),
            message: refusal(&text).unwrap_or_else(|| format!("status {status}")),
        })
    }

    pub(super) async fn exchange(
        &self,
        request: Request<Body>,
    ) -> Result<(Response<Incoming>, AbortOnDrop), ApiError> {
        let io = self.endpoint.dial().await.map_err(ApiError::Connect)?;
        let (mut sender, connection) = http1::handshake(TokioIo::new(io)).await.map_err(broken)?;
        let connection = AbortOnDrop(tokio::spawn(async move {
            // What breaks here also breaks the reply, where it is reported.
            let _ = connection.with_upgrades().await;
        }));
        let response = sender.send_request(request).await.map_err(broken)?;
        Ok((response, connection))
    }

    /// Asks for a JSON value.
    pub(super) async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, ApiError> {
        let request = self.request(Method::GET, path).body(body(""));
        let text = self.ask(request.map_err(ApiError::unreadable)?).await?;
        serde_json::from_str(&text).map_err(ApiError::unreadable)
    }

    /// Asks for what the engine knows by itself, or does at once.
    pub(super) async fn ask(&self, request: Request<Body>) -> Result<String, ApiError> {
        let asking = async { self.send(request).await?.text().await };
        let limit = self.patience.question;
        let answer = tokio::time::timeout(limit, asking).await;
        answer.unwrap_or_else(|_| {
            Err(ApiError::Silent {
                host: self.endpoint.to_string(),
                after: limit,
            })
        })
    }
}

impl Http {
    /// Begins to look whether the engine is still there.
    pub(super) fn watch(&self) -> Watch {
        let http = self.clone();
        let silence = async move { http.until_silent().await };
        Watch::begin(self.endpoint.to_string(), self.patience.silence, silence)
    }

    /// Returns once the engine does not say any more that it is there.
    async fn until_silent(&self) {
        loop {
            tokio::time::sleep(self.patience.pause).await;
            let answered = tokio::time::timeout(self.patience.silence, self.until_it_answers());
            if answered.await.is_err() {
                return;
            }
        }
    }

    async fn until_it_answers(&self) {
        while self.ping().await.is_err() {
            tokio::time::sleep(self.patience.pause).await;
        }
    }

    async fn ping(&self) -> Result<(), ApiError> {
        let request = self.request(Method::GET, "/_ping").body(body(""));
        // Whatever it says, it is there.
        self.exchange(request.map_err(ApiError::unreadable)?)
            .await
            .map(drop)
    }
}

impl Reply {
    /// Reads all of it.
    pub(super) async fn text(self) -> Result<String, ApiError> {
        let body = self.response.into_body();
        let all = async { body.collect().await.map_err(broken) };
        let bytes = self.watch.over(all).await?.to_bytes();
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    /// Takes over the connection after the engine agreed to it.
    pub(super) async fn upgrade(self) -> Result<(hyper::upgrade::Upgraded, AbortOnDrop), ApiError> {
        let upgrading = async { hyper::upgrade::on(self.response).await.map_err(broken) };
        let upgraded = self.watch.over(upgrading).await?;
        Ok((upgraded, self._connection))
    }

    /// Returns the next bytes; `None` at the end.
    async fn next_piece(&mut self) -> Result<Option<Bytes>, ApiError> {
        let body = self.response.body_mut();
        let frame = async { body.frame().await.transpose().map_err(broken) };
        let frame = self.watch.over(frame).await?;
        Ok(frame.map(|frame| frame.into_data().unwrap_or_default()))
    }

    /// Returns the messages of a build or a push, one per line. A message that reports a failure is an error.
    pub(super) fn messages(self) -> impl Stream<Item = Result<BuildInfo, ApiError>> + Send {
        self.json_lines(checked)
    }

    /// Returns values that come one per line, each as it is read. One of a kind that is not known is left out.
    pub(super) fn json_lines<T, U>(
        self,
        read: fn(T) -> Result<U, ApiError>,
    ) -> impl Stream<Item = Result<U, ApiError>> + Send + use<T, U>
    where
        T: DeserializeOwned + 'static,
        U: 'static,
    {
        let state = (self, Vec::new(), false);
        futures::stream::unfold(state, move |(mut reply, mut buffer, mut ended)| async move {
            loop {
                match next_line(&mut buffer, ended) {
                    Some(line) => {
                        let Ok(value) = serde_json::from_slice::<T>(&line) else {
                            continue;
                        };
                        return Some((read(value), (reply, buffer, ended)));
                    }
                    None if ended => return None,
                    None => match reply.next_piece().await {
                        Ok(Some(piece)) => buffer.extend_from_slice(&piece),
                        Ok(None) => ended = true,
                        Err(err) => return Some((Err(err), (reply, Vec::new(), true))),
                    },
                }
            }
        })
    }

    /// Returns the bytes as they come.
    pub(super) fn pieces(self) -> impl Stream<Item = Result<Bytes, ApiError>> + Send + use<> {
        futures::stream::unfold(Some(self), |reply| async move {
            let mut reply = reply?;
            match reply.next_piece().await {
                Ok(Some(piece)) => Some((Ok(piece), Some(reply))),
                Ok(None) => None,
                Err(err) => Some((Err(err), None)),
            }
        })
    }
}

/// Takes a line out of the buffer; the rest counts as one when nothing will follow.
fn next_line(buffer: &mut Vec<u8>, ended: bool) -> Option<Vec<u8>> {
    loop {
        let end = match buffer.iter().position(|b| *b == b'\n') {
            Some(newline) => newline + 1,
            None if ended && !buffer.is_empty() => buffer.len(),
            None => return None,
        };
        let line: Vec<u8> = buffer.drain(..end).collect();
        if !line.trim_ascii().is_empty() {
            return Some(line);
        }
    }
}

fn checked(info: BuildInfo) -> Result<BuildInfo, ApiError> {
    match info
        .error_detail
        .as_ref()
        .and_then(|detail| detail.message.clone())
    {
        Some(message) => Err(ApiError::Failed(message)),
        None => Ok(info),
    }
}

/// Reads `{"message": "..."}`.
fn refusal(text: &str) -> Option<String> {
    #[derive(serde::Deserialize)]
    struct Refusal {
        message: String,
    }
    match serde_json::from_str::<Refusal>(text) {
        Ok(refusal) => Some(refusal.message),
        Err(_) => Some(text.trim().to_owned()).filter(|text| !text.is_empty()),
    }
}

fn broken(err: impl std::error::Error) -> ApiError {
    // The outer error of a chain often says nothing.
    let mut text = err.to_string();
    let mut source = err.source();
    while let Some(err) = source {
        text.push_str(": ");
        text.push_str(&err.to_string());
        source = err.source();
    }
    ApiError::Broken(text)
}

/// Returns a query string such as `a=1&b=x%20y`.
pub(super) fn query<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> String {
    let pairs: Vec<String> = pairs
        .into_iter()
        .map(|(key, value)| format!("{key}={}", percent_encode(value)))
        .collect();
    pairs.join("&")
}

fn percent_encode(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => out.push(char::from(byte)),
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_cut_wherever_the_pieces_end() {
        let mut buffer = b"{\"a\":1}\r\n\r\n{\"b\"".to_vec();
        assert_eq!(
            next_line(&mut buffer, false).as_deref(),
            Some(&b"{\"a\":1}\r\n"[..])
        );
        assert_eq!(next_line(&mut buffer, false), None);
        buffer.extend_from_slice(b":2}");
        assert_eq!(next_line(&mut buffer, true).as_deref(), Some(&b"{\"b\":2}"[..]));
        assert_eq!(next_line(&mut buffer, true), None);
    }

    #[test]
    fn values_of_a_query_are_encoded() {
        assert_eq!(
            query([("t", "a/b:1"), ("x", "{ü}")]),
            "t=a%2Fb%3A1&x=%7B%C3%BC%7D"
        );
    }
}
