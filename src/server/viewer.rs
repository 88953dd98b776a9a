//! A snapshot that is looked at: the page and the file, and nothing else.

use std::net::TcpListener;
use std::sync::Arc;

use anyhow::Context;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use super::{page, web};

/// Serves a snapshot until the process ends.
///
/// # Errors
/// The listener cannot be used.
pub async fn serve(listener: TcpListener, snapshot: String) -> anyhow::Result<()> {
    listener
        .set_nonblocking(true)
        .context("cannot listen for the page")?;
    let is_local = listener
        .local_addr()
        .is_ok_and(|address| address.ip().is_loopback());
    let listener = tokio::net::TcpListener::from_std(listener).context("cannot listen for the page")?;
    let snapshot: Arc<str> = snapshot.into();
    let file = get(async |State(text): State<Arc<str>>| {
        ([(header::CONTENT_TYPE, "application/json")], text.to_string())
    });
    let routes = Router::new()
        .route("/api/snapshot/local", file)
        .fallback(async |request: Request| served(request.uri().path(), request.headers()))
        .layer(middleware::from_fn(
            move |request: Request, next: Next| async move {
                match web::is_own(request.headers(), is_local) {
                    true => next.run(request).await,
                    false => (StatusCode::FORBIDDEN, "cross-origin request forbidden").into_response(),
                }
            },
        ))
        .with_state(snapshot);
    axum::serve(listener, routes)
        .await
        .context("the page cannot be served")
}

fn served(path: &str, headers: &HeaderMap) -> Response {
    if path.starts_with("/api/") {
        return StatusCode::NOT_FOUND.into_response();
    }
    page::asset(path, headers).unwrap_or_else(|| page::index(headers, None))
}
