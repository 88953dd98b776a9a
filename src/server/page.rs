//! The page itself: what `make build` made of `web/`, carried compressed in the binary. A build without it serves a page that
//! says how to get one.

use std::io::Read;

use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};

include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// A file of the page.
struct Asset {
    path: &'static str,
    media_type: &'static str,
    /// Its content, compressed with gzip.
    packed: &'static [u8],
}

/// Nothing but our own scripts and styles runs, whatever stands in logs and names; images may also be `data:`, so that the icon
/// of a button is never more than an image.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'; \
                      require-trusted-types-for 'script'; trusted-types 'none'";

/// Returns a file of the page by its path, if there is one.
pub(super) fn asset(path: &str, headers: &HeaderMap) -> Option<Response> {
    let asset = ASSETS.iter().find(|asset| asset.path == path && path != INDEX)?;
    Some(served(asset, headers, "public, max-age=31536000, immutable"))
}

const INDEX: &str = "/index.html";

/// Returns the page for whatever path: it routes by itself. `cookie` lets it talk to the session.
pub(super) fn index(headers: &HeaderMap, cookie: Option<&str>) -> Response {
    let mut response = match ASSETS.iter().find(|asset| asset.path == INDEX) {
        Some(asset) => served(asset, headers, "no-store, max-age=0"),
        None => (
            [(header::CACHE_CONTROL, "no-store, max-age=0")],
            Html(include_str!("no_page.html")),
        )
            .into_response(),
    };
    let cookie = cookie.map(|cookie| (header::SET_COOKIE, cookie));
    for (name, value) in cookie.into_iter().chain([
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::REFERRER_POLICY, "no-referrer"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (
            HeaderName::from_static("cross-origin-opener-policy"),
            "same-origin",
        ),
    ]) {
        if let Ok(value) = HeaderValue::from_str(value) {
            response.headers_mut().append(name, value);
        }
    }
    response
}

fn served(asset: &Asset, headers: &HeaderMap, cache: &'static str) -> Response {
    let accepted = headers
        .get(header::ACCEPT_ENCODING)
        .and_then(|value| value.to_str().ok());
    let facts = [
        (header::CONTENT_TYPE, asset.media_type),
        (header::CACHE_CONTROL, cache),
        (header::VARY, "accept-encoding"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    ];
    if accepted.is_some_and(|accepted| accepted.contains("gzip")) {
        return (facts, [(header::CONTENT_ENCODING, "gzip")], asset.packed).into_response();
    }
    let mut content = Vec::new();
    match flate2::read::GzDecoder::new(asset.packed).read_to_end(&mut content) {
        Ok(_) => (facts, content).into_response(),
        Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
