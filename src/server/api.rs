//! The API of a session, as a Kubernetes API server would serve it.
//!
//! Rule: `docs/rules/api.md`, "The API".

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, Request};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use serde_json::{Value, json};

use super::api_call::{Options, body_of, json_body, kind_of, refusal, text};
use super::identity::is_equal;
use super::shared::{Shared, State};
use super::watch;
use crate::api::{ApiError, Kind, Part, PatchType, Reason, Store, list_body, openapi, table};
use crate::clock;
use crate::model::COMPATIBLE_VERSION;

/// The longest body of a request, in bytes.
const MAX_BODY: usize = 20 << 20;

/// Returns everything that is served on the port of the API.
pub(super) fn routes(shared: Arc<Shared>) -> Router {
    let group = "/apis/tilt.dev/v1alpha1";
    let objects = get(list).post(create).delete(delete_collection);
    let write = |part: Part, by: By| {
        move |state: State,
              path: Path<(String, String)>,
              options: Query<Options>,
              headers: HeaderMap,
              bytes: Bytes| { change(state, path, options, (headers, bytes), part, by) }
    };
    let object = get(read)
        .put(write(Part::Main, By::Replacing))
        .patch(write(Part::Main, By::Patch))
        .delete(delete);
    let status = get(read)
        .put(write(Part::Status, By::Replacing))
        .patch(write(Part::Status, By::Patch));
    Router::new()
        .route(
            "/",
            get(async || {
                json_body(&json!({"paths": ["/apis", "/healthz", "/livez", "/readyz", "/version"]}))
            }),
        )
        .route("/healthz", get(async || "ok"))
        .route("/livez", get(async || "ok"))
        .route("/readyz", get(async || "ok"))
        .route("/version", get(version))
        .route("/metrics", get(metrics))
        .route("/apis", get(groups))
        .route("/apis/tilt.dev", get(async || json_body(&openapi::group())))
        .route("/openapi/v2", get(openapi_v2))
        .route("/openapi/v3", get(openapi_index))
        .route(
            "/openapi/v3/apis/tilt.dev/v1alpha1",
            get(async || json_body(&openapi::document(openapi::Dialect::V3))),
        )
        .route(group, get(async || json_body(&openapi::resource_list())))
        .route(&format!("{group}/{{plural}}"), objects)
        .route(&format!("{group}/{{plural}}/{{name}}"), object)
        .route(&format!("{group}/{{plural}}/{{name}}/status"), status)
        .fallback(async || {
            refusal(&ApiError::new(
                Reason::NotFound,
                "the server could not find the requested resource",
            ))
        })
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state(Arc::clone(&shared), authorize))
        .with_state(shared)
}

/// Lets only those through who have the token.
async fn authorize(axum::extract::State(shared): State, request: Request, next: Next) -> Response {
    let given = request
        .headers()
        .get(header::AUTHORIZATION)
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    if given.is_some_and(|token| is_equal(token, shared.token())) {
        return next.run(request).await;
    }
    let path = request.uri().path();
    refusal(&ApiError::new(
        Reason::Forbidden,
        format!(
            "forbidden: User \"system:anonymous\" cannot {} path {path:?}: Everything is forbidden.",
            request.method().as_str().to_lowercase()
        ),
    ))
}

async fn version() -> Response {
    let numbers: Vec<&str> = COMPATIBLE_VERSION.trim_start_matches('v').split('.').collect();
    json_body(&json!({
        "major": numbers.first().copied().unwrap_or_default(),
        "minor": numbers.get(1).copied().unwrap_or_default(),
        "gitVersion": format!("v{}", COMPATIBLE_VERSION.trim_start_matches('v')),
        "platform": format!("{}/{}", std::env::consts::OS, std::env::consts::ARCH),
    }))
}

/// Prometheus' text format.
async fn metrics(axum::extract::State(shared): State) -> Response {
    let events = shared.handle.view.borrow().events;
    let version = shared.store().version();
    let text = format!(
        "# HELP tilt_engine_events_total Events that the engine handled.\n# TYPE tilt_engine_events_total counter\n\
         tilt_engine_events_total {events}\n# HELP tilt_api_changes_total Changes of objects of the API.\n\
         # TYPE tilt_api_changes_total counter\ntilt_api_changes_total {version}\n"
    );
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

async fn groups(headers: HeaderMap) -> Response {
    let accept = text(&headers, header::ACCEPT);
    if accept.contains("as=APIGroupDiscoveryList") {
        let version = if accept.contains("v=v2;") { "v2" } else { "v2beta1" };
        let body = openapi::aggregated(version);
        let media = format!("application/json;g=apidiscovery.k8s.io;v={version};as=APIGroupDiscoveryList");
        return ([(header::CONTENT_TYPE, media)], body.to_string()).into_response();
    }
    json_body(&openapi::group_list())
}

async fn openapi_v2(headers: HeaderMap) -> Response {
    if text(&headers, header::ACCEPT).contains("proto-openapi") {
        let media = "application/com.github.proto-openapi.spec.v2.v1.0+protobuf";
        return ([(header::CONTENT_TYPE, media)], openapi::document_as_protobuf()).into_response();
    }
    json_body(&openapi::document(openapi::Dialect::V2))
}

async fn openapi_index() -> Response {
    json_body(&json!({"paths": {
        "apis/tilt.dev/v1alpha1": {"serverRelativeURL": "/openapi/v3/apis/tilt.dev/v1alpha1"},
    }}))
}
/// What a request is answered with.
type Answer = Result<Response, Refused>;

/// A request that is refused.
struct Refused(ApiError);

impl From<ApiError> for Refused {
    fn from(error: ApiError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Refused {
    fn into_response(self) -> Response {
        refusal(&self.0)
    }
}

/// Answers with objects, or with a table of them if that is wanted.
fn shown_list(headers: &HeaderMap, kind: &'static Kind, version: u64, objects: &[Arc<Value>]) -> Response {
    if wants_table(headers) {
        return json_body(&table(kind, version, objects, clock::timestamp()));
    }
    json_body(&list_body(kind, version, objects))
}

/// Answers with an object, or with a table if that is wanted.
fn shown(headers: &HeaderMap, status: StatusCode, object: &Arc<Value>) -> Response {
    let kind = object["kind"].as_str().and_then(Kind::named);
    if let Some(kind) = kind.filter(|_| wants_table(headers)) {
        let version = object["metadata"]["resourceVersion"]
            .as_str()
            .and_then(|text| text.parse().ok());
        let objects = std::slice::from_ref(object);
        let body = table(kind, version.unwrap_or_default(), objects, clock::timestamp());
        return (status, json_body(&body)).into_response();
    }
    (status, json_body(object)).into_response()
}

pub(super) fn wants_table(headers: &HeaderMap) -> bool {
    text(headers, header::ACCEPT).contains("as=Table")
}

async fn list(
    axum::extract::State(shared): State,
    Path(plural): Path<String>,
    Query(options): Query<Options>,
    headers: HeaderMap,
) -> Answer {
    let (kind, selection) = (kind_of(&plural)?, options.selection()?);
    if matches!(options.watch.as_str(), "true" | "1") {
        return Ok(watch::watch(
            shared,
            kind,
            selection,
            &options,
            wants_table(&headers),
        ));
    }
    let (version, objects) = {
        let store = shared.store();
        (store.version(), store.list(kind, &selection))
    };
    Ok(shown_list(&headers, kind, version, &objects))
}

async fn create(
    axum::extract::State(shared): State,
    Path(plural): Path<String>,
    Query(options): Query<Options>,
    headers: HeaderMap,
    bytes: Bytes,
) -> Answer {
    let kind = kind_of(&plural)?;
    let how = options.write(Part::Main, &headers, &shared);
    let body = body_of(&bytes, &headers)?;
    let created = shared.write(|store| store.create(kind, body, how)).await?;
    Ok(shown(&headers, StatusCode::CREATED, &created))
}

async fn delete_collection(
    axum::extract::State(shared): State,
    Path(plural): Path<String>,
    Query(options): Query<Options>,
    headers: HeaderMap,
) -> Answer {
    let (kind, selection) = (kind_of(&plural)?, options.selection()?);
    let (version, objects) = shared
        .write(|store| {
            let objects = store.list(kind, &selection);
            for object in &objects {
                let name = object["metadata"]["name"].as_str().unwrap_or_default();
                store.delete(kind, name, None, !options.dry_run.is_empty())?;
            }
            Ok((store.version(), objects))
        })
        .await?;
    Ok(shown_list(&headers, kind, version, &objects))
}

async fn read(
    axum::extract::State(shared): State,
    Path((plural, name)): Path<(String, String)>,
    headers: HeaderMap,
) -> Answer {
    let found = shared.store().find(kind_of(&plural)?, &name).cloned()?;
    Ok(shown(&headers, StatusCode::OK, &found))
}

/// How an object is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum By {
    /// The body is what it is from now on.
    Replacing,
    /// The body is a patch.
    Patch,
}

async fn change(
    axum::extract::State(shared): State,
    Path((plural, name)): Path<(String, String)>,
    Query(options): Query<Options>,
    (headers, bytes): (HeaderMap, Bytes),
    part: Part,
    by: By,
) -> Answer {
    let kind = kind_of(&plural)?;
    if part == Part::Status && !kind.has_status {
        return Err(ApiError::not_found(kind, &name).into());
    }
    let mut how = options.write(part, &headers, &shared);
    let media = text(&headers, header::CONTENT_TYPE)
        .split(';')
        .next()
        .unwrap_or_default()
        .to_owned();
    if PatchType::of_media_type(&media) == Some(PatchType::Apply) {
        // Who applies has to say who it is.
        how.manager = &options.field_manager;
    }
    let existed = shared.store().get(kind, &name).is_some();
    let write = |store: &mut Store| {
        let body = body_of(&bytes, &headers)?;
        if by == By::Replacing {
            return store.update(kind, &name, body, how);
        }
        let patch_type = PatchType::of_media_type(&media).ok_or_else(|| {
            ApiError::new(
                Reason::UnsupportedMediaType,
                format!("the patch type {media:?} is not supported"),
            )
        })?;
        store.patch(kind, &name, (patch_type, body), how)
    };
    let changed = shared.write(write).await?;
    let status = if existed {
        StatusCode::OK
    } else {
        StatusCode::CREATED
    };
    Ok(shown(&headers, status, &changed))
}

async fn delete(
    axum::extract::State(shared): State,
    Path((plural, name)): Path<(String, String)>,
    Query(options): Query<Options>,
    bytes: Bytes,
) -> Answer {
    let kind = kind_of(&plural)?;
    let wanted: Value = serde_json::from_slice(&bytes).unwrap_or_default();
    let uid = wanted["preconditions"]["uid"].as_str();
    let is_dry =
        !options.dry_run.is_empty() || wanted["dryRun"].as_array().is_some_and(|dry| !dry.is_empty());
    let deleted = shared
        .write(|store| store.delete(kind, &name, uid, is_dry))
        .await?;
    Ok(json_body(&json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {
            "name": name,
            "group": crate::api::GROUP,
            "kind": kind.plural,
            "uid": deleted["metadata"]["uid"],
        },
    })))
}
