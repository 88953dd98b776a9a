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
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{any, get};
use serde::Deserialize;
use serde_json::{Value, json};

use super::identity::is_equal;
use super::shared::{Shared, State};
use super::view_stream;
use crate::api::{Kind, Part, Write};
use crate::engine::Event;
use crate::model::{ManifestName, TriggerMode, TriggerReason};

/// The longest body of a request, in bytes.
const MAX_BODY: usize = 1 << 20;

/// The cookie that a page of this session has.
const COOKIE: &str = "Tilt-Token";

/// Returns everything that is served on the port of the web page.
pub(super) fn routes(shared: Arc<Shared>) -> Router {
    let guarded = Router::new()
        .route("/api/view", any(view))
        .route("/api/snapshot/{id}", any(snapshot))
        .route("/api/dump/engine", any(dump))
        .route("/api/websocket_token", any(websocket_token))
        .route("/api/log", get(log))
        .route("/api/trigger", any(trigger))
        .route("/api/override/trigger_mode", any(trigger_mode))
        .route("/api/set_tiltfile_args", axum::routing::post(set_args).get(page))
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
        .fallback(page)
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), same_origin))
        .with_state(shared)
}

/// Refuses what another site's page asks for, and names that are not this machine's when only it is listened to: a page that
/// has its own name point here must not be taken for ours.
async fn same_origin(axum::extract::State(shared): State, request: Request, next: Next) -> Response {
    let headers = request.headers();
    let host = header_text(headers, header::HOST);
    let origin = header_text(headers, header::ORIGIN);
    let origin_host = origin.split_once("://").map_or(origin, |(_, host)| host);
    let is_foreign = !origin.is_empty() && origin_host != host;
    let is_rebound = shared.facts.is_local && !is_local_name(host);
    if is_foreign || is_rebound {
        return (StatusCode::FORBIDDEN, "cross-origin request forbidden").into_response();
    }
    next.run(request).await
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
        Some(token) => {
            let of_user = shared.user_token.as_deref();
            Some(is_equal(token, shared.token()) || of_user.is_some_and(|of_user| is_equal(token, of_user)))
        }
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
    let (view, _) = view_stream::whole(&shared);
    json_text(view_stream::text_of(&view))
}

fn json_text(text: String) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], text).into_response()
}

async fn snapshot(axum::extract::State(shared): State) -> Response {
    let (view, _) = view_stream::whole(&shared);
    let snapshot = json!({"view": view, "createdAt": shared.now().to_micro_text()});
    json_text(view_stream::text_of(&snapshot))
}

/// What the engine knows, for people who look for a fault. Secrets are hidden, and there is no token in it.
async fn dump(axum::extract::State(shared): State) -> Response {
    let view = shared.handle.view.borrow().clone();
    let text = serde_json::to_string(&*view).unwrap_or_default();
    json_text(shared.log.without_secrets(&text))
}

async fn websocket_token(axum::extract::State(shared): State) -> String {
    shared.csrf.clone()
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct LogOptions {
    /// The position of the first segment.
    from: u64,
    /// Whether to go on with what comes.
    follow: bool,
}

/// The log from a position on, a segment a line, in the form in which it is kept on disk. A slow reader costs nothing.
async fn log(axum::extract::State(shared): State, Query(options): Query<LogOptions>) -> Response {
    let reader = match options.from {
        0 => shared.log.reader(),
        from => shared.log.reader_from(from),
    };
    super::api::stream_body(futures::stream::unfold(reader, move |mut reader| async move {
        let mut batch = reader.try_next_batch();
        if batch.is_empty() {
            if !options.follow {
                return None;
            }
            batch = reader.next_batch().await?;
        }
        let mut lines = Vec::new();
        for segment in batch {
            crate::logs::codec::encode(&segment, &mut lines).ok()?;
        }
        Some((Bytes::from(lines), reader))
    }))
}

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Csrf {
    csrf: String,
}

async fn socket(
    axum::extract::State(shared): State,
    Query(given): Query<Csrf>,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !is_equal(&given.csrf, &shared.csrf) {
        return (StatusCode::FORBIDDEN, "invalid websocket token").into_response();
    }
    upgrade.on_upgrade(move |socket| view_stream::serve(shared, socket))
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
        Err(error) => super::api::refusal(&error),
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
    let body: Value = match super::api::body_of(&bytes, &headers) {
        Ok(body) => body,
        Err(error) => return super::api::refusal(&error),
    };
    let how = Write {
        part: Part::Status,
        strict: false,
        dry_run: false,
        now: shared.now(),
    };
    match shared.write(|store| store.update(kind, &name, body, how)).await {
        Ok(button) => json_text(button.to_string()),
        Err(error) => super::api::refusal(&error),
    }
}

/// The page, for whatever path: it routes by itself.
async fn page(axum::extract::State(shared): State) -> Response {
    let mut headers = HeaderMap::new();
    let set = |headers: &mut HeaderMap, name: header::HeaderName, value: &str| {
        if let Ok(value) = value.parse() {
            headers.insert(name, value);
        }
    };
    set(&mut headers, header::CACHE_CONTROL, "no-store, max-age=0");
    set(&mut headers, header::REFERRER_POLICY, "no-referrer");
    set(
        &mut headers,
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; form-action 'none'",
    );
    if shared.facts.is_local {
        let value = format!("{COOKIE}={}; Path=/; SameSite=Strict; HttpOnly", shared.token());
        set(&mut headers, header::SET_COOKIE, &value);
    }
    let view = shared.handle.view.borrow().clone();
    let rows: String = view
        .resources
        .iter()
        .map(|resource| {
            format!(
                "<tr><td>{}</td><td>{}</td><td>{}</td></tr>",
                escaped(resource.name.as_str()),
                resource.update_status.as_str(),
                resource.runtime_status.as_str()
            )
        })
        .collect();
    let html = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><title>Tilt</title><h1>Tilt</h1>\
         <p>This version has no web page yet. These are the resources of the session; load the page again to see what \
         changed.</p><table><tr><th>Resource<th>Update<th>Runtime</tr>{rows}</table></html>"
    );
    (headers, Html(html)).into_response()
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
