//! What the engine knows and what stands in the log, for people who look for a fault.
//!
//! Beside what is ours there is what Tilt's own command looks for in Tilt's dump: `ManifestTargets`, `ManifestDefinitionOrder`
//! and `LogStore`.

use std::collections::BTreeMap;

use axum::extract::Query;
use axum::response::Response;
use serde::Deserialize;
use serde_json::{Value, json};

use super::json_text::json_text;
use super::shared::{Shared, State};
use super::view_stream::LOG_BYTES;
use crate::logs::{Level, Segment, last_segments};
use crate::model::ManifestName;

#[derive(Debug, Default, Deserialize)]
#[serde(default)]
pub(super) struct Wanted {
    /// "false" leaves the log out.
    log: String,
}

/// Secrets are hidden, and there is no token in it.
pub(super) async fn dump(axum::extract::State(shared): State, Query(wanted): Query<Wanted>) -> Response {
    let view = shared.handle.view.borrow().clone();
    let mut dump = serde_json::to_value(&*view).unwrap_or_default();
    let names = view
        .resources
        .iter()
        .map(|resource| Value::from(resource.name.as_str()));
    dump["ManifestDefinitionOrder"] = names.collect();
    let targets = view.resources.iter().map(|resource| {
        let manifest = json!({"Name": resource.name.as_str(), "ResourceDependencies": resource.depends_on});
        (resource.name.to_string(), json!({"Manifest": manifest}))
    });
    dump["ManifestTargets"] = Value::Object(targets.collect());
    if wanted.log != "false" {
        dump["LogStore"] = log_store(&shared);
    }
    json_text(shared.log.without_secrets(&dump.to_string()))
}

/// Returns the end of the log, with everything that is known of each line.
fn log_store(shared: &Shared) -> Value {
    let segments = last_segments(&shared.log, LOG_BYTES);
    let mut spans: BTreeMap<String, (usize, usize, &str)> = BTreeMap::new();
    for (at, segment) in segments.iter().enumerate() {
        let manifest = segment.manifest.as_ref().map_or("", ManifestName::as_str);
        let span = spans.entry(span_of(segment)).or_insert((at, at, manifest));
        span.1 = at;
    }
    let spans = spans.into_iter().map(|(span, (first, last, manifest))| {
        let told = json!({"ManifestName": manifest, "FirstSegmentIndex": first, "LastSegmentIndex": last});
        (span, told)
    });
    let spans: serde_json::Map<String, Value> = spans.collect();
    json!({
        "segments": segments.iter().map(|segment| line(segment)).collect::<Vec<_>>(),
        "spans": spans,
        "len": segments.iter().map(|segment| segment.text.len()).sum::<usize>(),
        "maxLogLengthInBytes": LOG_BYTES,
        "checkpointOffset": segments.first().map_or(0, |segment| segment.position),
    })
}

fn span_of(segment: &Segment) -> String {
    segment
        .span
        .as_ref()
        .map_or_else(String::new, |span| span.as_str().to_owned())
}

fn line(segment: &Segment) -> Value {
    let (id, name, severity) = match segment.level {
        Level::Info => (1, "INFO", 300),
        Level::Verbose => (2, "VERBOSE", 200),
        Level::Debug => (3, "DEBUG", 100),
        Level::Warn => (4, "WARN", 400),
        Level::Error => (5, "ERROR", 500),
    };
    let mut fields = serde_json::Map::new();
    if let Some(progress) = &segment.progress {
        fields.insert("progressID".to_owned(), progress.id.as_str().into());
    }
    if segment.starts_update {
        fields.insert("buildEvent".to_owned(), "init".into());
    }
    json!({
        "SpanID": span_of(segment),
        "Time": segment.time.to_micro_text(),
        "Text": segment.text,
        "Level": {"id": id, "name": name, "severity": severity},
        "Fields": if fields.is_empty() { Value::Null } else { fields.into() },
        "ContinuesLine": segment.continues,
        "Anchor": segment.anchor,
    })
}
