//! What requests of the API say beside their path, and what bodies they are answered with.

use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::Value;

use super::shared::Shared;
use crate::api::{ApiError, FieldSelector, Kind, LabelSelector, Part, Reason, Selection, Write};

/// Returns the text of a header; none is an empty one.
pub(super) fn text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// What a request says beside its path.
#[derive(Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(super) struct Options {
    pub(super) watch: String,
    pub(super) resource_version: String,
    pub(super) timeout_seconds: Option<u64>,
    pub(super) send_initial_events: String,
    allow_watch_bookmarks: String,
    label_selector: String,
    field_selector: String,
    pub(super) dry_run: String,
    field_validation: String,
    pub(super) field_manager: String,
    force: String,
}

impl Options {
    /// Returns whether the client of a watch wants to know how far it has seen all.
    pub(super) fn wants_bookmarks(&self) -> bool {
        matches!(self.allow_watch_bookmarks.as_str(), "true" | "1")
    }

    pub(super) fn selection(&self) -> Result<Selection, ApiError> {
        Ok(Selection {
            labels: LabelSelector::parse(&self.label_selector)?,
            fields: FieldSelector::parse(&self.field_selector)?,
        })
    }

    pub(super) fn write<'a>(&'a self, part: Part, headers: &'a HeaderMap, shared: &Shared) -> Write<'a> {
        Write {
            manager: self.manager(headers),
            force: self.force == "true",
            part,
            strict: self.field_validation == "Strict",
            dry_run: !self.dry_run.is_empty(),
            now: shared.now(),
        }
    }

    /// Returns who writes: who the request says, else the program that sent it.
    fn manager<'a>(&'a self, headers: &'a HeaderMap) -> &'a str {
        if !self.field_manager.is_empty() {
            return &self.field_manager;
        }
        let program = text(headers, header::USER_AGENT)
            .split('/')
            .next()
            .unwrap_or_default();
        if program.is_empty() { "unknown" } else { program }
    }
}

/// Returns the kind that is served under a path.
pub(super) fn kind_of(plural: &str) -> Result<&'static Kind, ApiError> {
    let missing = || {
        ApiError::new(
            Reason::NotFound,
            "the server could not find the requested resource",
        )
    };
    Kind::of_plural(plural).ok_or_else(missing)
}

/// Reads the body of a request: JSON or YAML.
pub(super) fn body_of(bytes: &Bytes, headers: &HeaderMap) -> Result<Value, ApiError> {
    let media = text(headers, header::CONTENT_TYPE);
    if media.contains("protobuf") || media.contains("cbor") {
        return Err(ApiError::new(
            Reason::UnsupportedMediaType,
            "the body of the request was in an unknown format - accepted media types include: application/json, \
             application/yaml",
        ));
    }
    let malformed =
        |error: &dyn std::fmt::Display| ApiError::bad_request(format!("the body cannot be read: {error}"));
    if media.contains("yaml") {
        return serde_yaml::from_slice(bytes).map_err(|error| malformed(&error));
    }
    serde_json::from_slice(bytes).map_err(|error| malformed(&error))
}

/// Returns a refusal as it is sent.
pub(super) fn refusal(error: &ApiError) -> Response {
    let status = StatusCode::from_u16(error.reason.code()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    (status, json_body(&error.to_status())).into_response()
}

/// Returns a body of JSON.
pub(super) fn json_body(value: &Value) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], value.to_string()).into_response()
}

/// Returns a body that is sent as it comes.
pub(super) fn stream_body(stream: impl futures::Stream<Item = Bytes> + Send + 'static) -> Response {
    use futures::StreamExt;
    let body = Body::from_stream(stream.map(Ok::<_, std::convert::Infallible>));
    ([(header::CONTENT_TYPE, "application/json")], body).into_response()
}
