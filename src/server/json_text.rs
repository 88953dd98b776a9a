//! Answers whose text is JSON already.

use axum::http::header;
use axum::response::{IntoResponse, Response};

/// Returns a text as an answer.
pub(super) fn json_text(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}
