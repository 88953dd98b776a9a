//! Loads Tiltfiles that are written in one string (`--- Tiltfile`, `--- web/Dockerfile`).

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tilt::logs::{LogStore, LogWriter};
use tilt::model::LocalPath;
use tilt::tiltfile::{Load, LoadRequest, MemoryHost, load_on_big_stack};

#[path = "../common/describe.rs"]
mod describe;
pub(crate) use describe::describe;

#[path = "../common/free_port.rs"]
mod free_port;
pub(crate) use free_port::free_port;

#[path = "../common/load_request.rs"]
mod load_request;
use load_request::load_request;

/// Returns a request for `/src/Tiltfile` on a local cluster.
pub(crate) fn request() -> LoadRequest {
    load_request(LocalPath::new("/src/Tiltfile"))
}

/// Loads, and returns the result with what was logged.
pub(crate) fn load_with(request: &LoadRequest, host: &MemoryHost) -> (Load, String) {
    let store = LogStore::in_memory();
    let log = LogWriter::global(store.clone());
    let load = load_on_big_stack(request, host, &log, Arc::new(AtomicBool::new(false)));
    let segments = store.reader_from(0).try_next_batch();
    let text = segments.iter().map(|segment| segment.text.as_str()).collect();
    (load, text)
}

/// Loads files.
pub(crate) fn load(files: &str) -> Load {
    load_with(&request(), &MemoryHost::new(files)).0
}

/// Returns what a load of these files says is wrong.
#[track_caller]
pub(crate) fn errors(files: &str) -> String {
    load(files).error_text().expect("the load must fail")
}

/// Returns what a load of these files warns of.
#[track_caller]
pub(crate) fn warnings(files: &str) -> String {
    let load = load(files);
    assert_eq!(load.error_text(), None);
    let texts: Vec<String> = load.warnings.iter().map(|warning| warning.render()).collect();
    texts.join("\n\n")
}

/// Returns what a load of these files prints.
#[track_caller]
pub(crate) fn printed(files: &str) -> String {
    let mut request = request();
    request.subcommand = "down"; // needs no resources
    let (load, log) = load_with(&request, &MemoryHost::new(files));
    assert_eq!(load.error_text(), None);
    log
}

/// Returns the resources of a load, one line each: name, objects, images, readiness, and what else is set.
#[track_caller]
pub(crate) fn resources(files: &str) -> String {
    let load = load(files);
    assert_eq!(load.error_text(), None);
    let manifests = load.manifests.expect("a load without errors has manifests");
    manifests.iter().map(describe).collect::<Vec<_>>().join("\n")
}

/// Returns a Deployment as YAML.
pub(crate) fn deployment(name: &str, image: &str) -> String {
    format!(
        "apiVersion: apps/v1\nkind: Deployment\nmetadata: {{name: {name}}}\nspec:\n  template:\n    metadata: \
         {{labels: {{app: {name}}}}}\n    spec: {{containers: [{{name: c, image: {image}}}]}}\n---\n"
    )
}

/// Returns an object without pods as YAML.
pub(crate) fn object(kind: &str, name: &str) -> String {
    format!("apiVersion: v1\nkind: {kind}\nmetadata: {{name: {name}}}\n---\n")
}

/// Expects what code prints.
#[track_caller]
pub(crate) fn check(code: &str, expected: &str) {
    assert_eq!(printed(&format!("--- Tiltfile\n{code}")), expected);
}

/// Expects these words in the error of each code.
#[track_caller]
pub(crate) fn check_errors(rows: &[(&str, &str)]) {
    for (code, expected) in rows {
        let text = errors(&format!("--- Tiltfile\n{code}\n"));
        assert!(text.contains(expected), "{code}\n{text}");
    }
}
