//! The endpoints of the web page, which commands use too.
//!
//! Rule: `docs/rules/api.md`, "Web access" and "Endpoints".

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{DefaultBodyLimit, Path, Query, Request};
use axum::http::{HeaderMap, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use serde::Deserialize;
use serde_json::{Value, json};

use super::identity::is_equal;
use super::json_text::json_text;
use super::questions;
use super::shared::{Shared, State};
use super::{dump, log_pages, page, view_stream};
use crate::api::{Kind, Part, Write};
use crate::engine::Event;
use crate::model::{ManifestName, TriggerMode, TriggerReason};
use crate::view::detail;

/// The longest body of a request, in bytes.
const MAX_BODY: usize = 1 << 20;

/// The cookie that a page of this session has.
const COOKIE: &str = "Tilt-Token";

/// Returns everything that is served on the port of the web page.
pub(super) fn routes(shared: Arc<Shared>) -> Router {
    let guarded = Router::new()
        .route("/api/view", any(view))
        .merge(questions::routes())
        .route("/api/snapshot/{id}", any(snapshot))
        .route("/api/dump/engine", any(dump::dump))
        .route("/api/websocket_token", any(websocket_token))
        .route("/api/log", get(log_pages::log))
        .route("/api/log.txt", get(log_pages::text))
        .route("/api/resource/{name}", get(resource))
        .route("/api/trigger", any(trigger))
        .route("/api/override/trigger_mode", any(trigger_mode))
        .route("/api/set_tiltfile_args", post(set_args).get(page))
        .route("/api/analytics", any(nothing))
        .route("/api/analytics_opt", any(nothing))
        .route("/proxy/apis/tilt.dev/v1alpha1/uibuttons/{name}", get(read_button))
        .route(
            "/proxy/apis/tilt.dev/v1alpha1/uibuttons/{name}/status",
            any(click),
        )
        .route(
            "/proxy/{*path}",
            any(async || (StatusCode::FORBIDDEN, "forbidden")),
        )
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), authorize));
    Router::new()
        .merge(guarded)
        .route("/ws/view", get(socket))
        .route("/api/login", post(log_in))
        .fallback(page)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), same_origin))
        .with_state(shared)
}

/// Refuses what another site's page asks for, and names that are not this machine's when only it is listened to: a page that
/// has its own name point here must not be taken for ours.
async fn same_origin(axum::extract::State(shared): State, request: Request, next: Next) -> Response {
    let headers = request.headers();
    if !is_own(headers, shared.facts.is_local) {
        return (StatusCode::FORBIDDEN, "cross-origin request forbidden").into_response();
    }
    next.run(request).await
}

/// Returns whether a request can come from our own page.
pub(super) fn is_own(headers: &HeaderMap, is_local: bool) -> bool {
    let host = header_text(headers, header::HOST);
    let origin = header_text(headers, header::ORIGIN);
    let origin_host = origin.split_once("://").map_or(origin, |(_, host)| host);
    let is_foreign = !origin.is_empty() && origin_host != host;
    !is_foreign && (!is_local || is_local_name(host))
}

/// Returns whether a host, with or without a port, can only mean this machine.
fn is_local_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.split(':').next().unwrap_or_default(),
    };
    let is_loopback = |ip: std::net::IpAddr| ip.is_loopback() || ip.is_unspecified();
    name.is_empty()
        || name.eq_ignore_ascii_case("localhost")
        || name.to_ascii_lowercase().ends_with(".localhost")
        || name.parse().is_ok_and(is_loopback)
}

fn header_text(headers: &HeaderMap, name: header::HeaderName) -> &str {
    headers
        .get(name)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default()
}

/// Lets only those through who have a token: in a header, or in the cookie of the page.
async fn authorize(axum::extract::State(shared): State, request: Request, next: Next) -> Response {
    if std::env::var("TILT_DISABLE_HUD_AUTH").is_ok_and(|value| value == "1") {
        return next.run(request).await;
    }
    let headers = request.headers();
    let given = headers.get("x-tilt-token").and_then(|value| value.to_str().ok());
    let allowed = match given {
        Some(token) => Some(shared.knows(token)),
        None => cookie(headers).map(|token| is_equal(token, shared.token())),
    };
    match allowed {
        Some(true) => next.run(request).await,
        Some(false) => (StatusCode::FORBIDDEN, "invalid session token").into_response(),
        None => (StatusCode::FORBIDDEN, "missing session token").into_response(),
    }
}

fn cookie(headers: &HeaderMap) -> Option<&str> {
    let cookies = headers.get_all(header::COOKIE).into_iter();
    let pairs = cookies
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'));
    pairs
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(name, value)| (name == COOKIE).then_some(value))
}

async fn view(axum::extract::State(shared): State) -> Response {
    let mut view = view_stream::whole(&shared, view_stream::Log::Whole);
    shared.log.secret_hider().hide_in(&mut view);
    json_text(view_stream::text_of(&view))
}

async fn snapshot(axum::extract::State(shared): State) -> Response {
    let view = view_stream::whole(&shared, view_stream::Log::Whole);
    let mut snapshot = json!({"view": view, "createdAt": shared.now().to_micro_text()});
    shared.log.secret_hider().hide_in(&mut snapshot);
    json_text(view_stream::text_of(&snapshot))
}

async fn websocket_token(axum::extract::State(shared): State) -> String {
    shared.csrf.clone()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Csrf {
    csrf: String,
    /// "paged" is a page that reads the log by itself.
    logs: String,
}

async fn socket(
    axum::extract::State(shared): State,
    Query(given): Query<Csrf>,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !is_equal(&given.csrf, &shared.csrf) {
        return (StatusCode::FORBIDDEN, "invalid websocket token").into_response();
    }
    let log = match given.logs.as_str() {
        "paged" => view_stream::Log::Paged,
        _ => view_stream::Log::Whole,
    };
    upgrade.on_upgrade(move |socket| view_stream::serve(shared, socket, log))
}

/// Reads the body of a request that must be a POST.
fn posted<T: serde::de::DeserializeOwned>(method: &Method, bytes: &Bytes) -> Result<T, Box<Response>> {
    let bad = |text: String| Box::new((StatusCode::BAD_REQUEST, text).into_response());
    if method != Method::POST {
        return Err(bad("must be POST request".to_owned()));
    }
    serde_json::from_slice(bytes).map_err(|error| bad(format!("error parsing JSON payload: {error}")))
}

#[derive(Debug, Deserialize)]
struct Trigger {
    manifest_names: Vec<String>,
    #[serde(default)]
    build_reason: u32,
}

/// Asks for an update. Rule: `docs/rules/api.md`, "Endpoints"; `docs/rules/updates.md`, "Reasons".
async fn trigger(axum::extract::State(shared): State, method: Method, bytes: Bytes) -> Response {
    let asked: Trigger = match posted(&method, &bytes) {
        Ok(asked) => asked,
        Err(refused) => return *refused,
    };
    let [name] = asked.manifest_names.as_slice() else {
        let text = "/api/trigger currently supports exactly one manifest name, got ";
        return (
            StatusCode::BAD_REQUEST,
            format!("{text}{}", asked.manifest_names.len()),
        )
            .into_response();
    };
    let manifest = ManifestName::from(name.as_str());
    if manifest != ManifestName::tiltfile() {
        let view = shared.handle.view.borrow().clone();
        match view.resources.iter().find(|resource| resource.name == manifest) {
            None => {
                let text = format!("resource {name:?} does not exist");
                return (StatusCode::NOT_FOUND, text).into_response();
            }
            Some(resource) if !resource.enabled => {
                return format!("resource {name:?} is currently disabled").into_response();
            }
            Some(_) => {}
        }
    }
    let reason = match asked.build_reason {
        16 => TriggerReason::Web,
        32 => TriggerReason::Cli,
        64 => TriggerReason::Hud,
        _ => TriggerReason::Unknown,
    };
    let _ = shared
        .handle
        .events
        .send(Event::Triggered { manifest, reason })
        .await;
    StatusCode::OK.into_response()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Override {
    manifest_names: Vec<String>,
    trigger_mode: i64,
}

async fn trigger_mode(axum::extract::State(shared): State, method: Method, bytes: Bytes) -> Response {
    let asked: Override = match posted(&method, &bytes) {
        Ok(asked) => asked,
        Err(refused) => return *refused,
    };
    let mode = match asked.trigger_mode {
        0 => TriggerMode::Auto,
        1 => TriggerMode::ManualWithAutoInit,
        2 => TriggerMode::Manual,
        3 => TriggerMode::AutoWithManualInit,
        other => return (StatusCode::BAD_REQUEST, format!("invalid trigger mode: {other}")).into_response(),
    };
    let view = shared.handle.view.borrow().clone();
    let is_known = |name: &String| {
        view.resources
            .iter()
            .any(|resource| resource.name.as_str() == name)
    };
    if let Some(unknown) = asked.manifest_names.iter().find(|name| !is_known(name)) {
        let text = format!("no manifest found with name '{unknown}'");
        return (StatusCode::BAD_REQUEST, text).into_response();
    }
    for name in asked.manifest_names {
        let event = Event::TriggerModeOverridden {
            manifest: name.as_str().into(),
            mode,
        };
        let _ = shared.handle.events.send(event).await;
    }
    StatusCode::OK.into_response()
}

async fn set_args(axum::extract::State(shared): State, method: Method, bytes: Bytes) -> Response {
    match posted::<Vec<String>>(&method, &bytes) {
        Ok(args) => {
            let _ = shared.handle.events.send(Event::ArgsChanged(args)).await;
            StatusCode::OK.into_response()
        }
        Err(refused) => *refused,
    }
}

/// Takes what is meant for somebody far away; nothing is sent.
async fn nothing() -> StatusCode {
    StatusCode::OK
}

async fn read_button(axum::extract::State(shared): State, Path(name): Path<String>) -> Response {
    let Some(kind) = Kind::named("UIButton") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    let found = shared.store().find(kind, &name).cloned();
    match found {
        Ok(button) => json_text(button.to_string()),
        Err(error) => super::api_call::refusal(&error),
    }
}

/// A click on a button of the page.
async fn click(
    axum::extract::State(shared): State,
    Path(name): Path<String>,
    method: Method,
    headers: HeaderMap,
    bytes: Bytes,
) -> Response {
    let Some(kind) = Kind::named("UIButton") else {
        return StatusCode::NOT_FOUND.into_response();
    };
    if method != Method::PUT {
        return StatusCode::METHOD_NOT_ALLOWED.into_response();
    }
    let body: Value = match super::api_call::body_of(&bytes, &headers) {
        Ok(body) => body,
        Err(error) => return super::api_call::refusal(&error),
    };
    let how = Write {
        part: Part::Status,
        strict: false,
        dry_run: false,
        now: shared.now(),
        manager: "tilt-web",
        force: false,
    };
    match shared.write(|store| store.update(kind, &name, body, how)).await {
        Ok(button) => json_text(button.to_string()),
        Err(error) => super::api_call::refusal(&error),
    }
}

/// A file of the page, or for whatever other path the page.
async fn page(axum::extract::State(shared): State, request: Request) -> Response {
    let headers = request.headers();
    if let Some(asset) = page::asset(request.uri().path(), headers) {
        return asset;
    }
    let cookie = shared.facts.is_local.then(|| cookie_of(&shared));
    page::index(headers, cookie.as_deref())
}

fn cookie_of(shared: &Shared) -> String {
    format!("{COOKIE}={}; Path=/; SameSite=Strict; HttpOnly", shared.token())
}

/// Gives a page its cookie for a token that it was told.
async fn log_in(axum::extract::State(shared): State, token: String) -> Response {
    if !shared.knows(token.trim()) {
        return (StatusCode::UNAUTHORIZED, "this is not the token of the session").into_response();
    }
    ([(header::SET_COOKIE, cookie_of(&shared))], StatusCode::NO_CONTENT).into_response()
}

/// What is known of one resource.
async fn resource(axum::extract::State(shared): State, Path(name): Path<String>) -> Response {
    let view = shared.handle.view.borrow().clone();
    match detail(&view, &ManifestName::from(name.as_str())) {
        Some(detail) => json_text(shared.log.without_secrets(&detail.to_string())),
        None => (StatusCode::NOT_FOUND, format!("resource {name:?} does not exist")).into_response(),
    }
}
