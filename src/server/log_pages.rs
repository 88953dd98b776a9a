//! The log as the page and `tilt logs` read it: whole or filtered, a page of it or all that comes, or as text.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::Query;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use super::api_call::stream_body;
use super::shared::State;
use crate::logs::{
    Bounds, Found, Level, LogFilter, LogPage, LogQuery, LogReader, LogSource, Segment, Term, codec,
    odd_bytes, visible,
};
use crate::model::ManifestName;

/// How long one request searches; the answer says where to go on.
const PATIENCE: Duration = Duration::from_millis(250);
/// The longest page.
const MAX_LIMIT: usize = 5000;
/// The most lines that are shown around one.
const MAX_CONTEXT: usize = 20;

/// What a request asks for.
#[derive(Debug, Default)]
struct Asked {
    from: Option<u64>,
    before: Option<u64>,
    limit: Option<usize>,
    follow: bool,
    query: LogQuery,
}

/// Reads the parameters; a name may come several times.
fn asked(given: Vec<(String, String)>) -> Result<Asked, String> {
    let mut asked = Asked::default();
    let number = |text: &str| text.parse::<u64>().map_err(|_| format!("{text:?} is no number"));
    let count = |text: &str| {
        text.parse::<usize>()
            .map_err(|_| format!("{text:?} is no number"))
    };
    for (name, value) in given {
        match name.as_str() {
            "from" => asked.from = Some(number(&value)?),
            "before" => asked.before = Some(number(&value)?),
            "limit" => asked.limit = Some(count(&value)?.clamp(1, MAX_LIMIT)),
            "context" => asked.query.context = count(&value)?.min(MAX_CONTEXT),
            "follow" => asked.follow = value == "true",
            "resource" => {
                asked
                    .query
                    .filter
                    .resources
                    .insert(ManifestName::from(value.as_str()));
            }
            "level" => {
                asked.query.filter.level = match value.as_str() {
                    "warn" => Some(Level::Warn),
                    "error" => Some(Level::Error),
                    _ => None,
                }
            }
            "source" => asked.query.filter.source = LogSource::parse(&value).unwrap_or_default(),
            "term" if !value.is_empty() => asked.query.term = Some(Term::parse(&value)?),
            _ => {}
        }
    }
    Ok(asked)
}

/// `/api/log`: with a limit a page, with what was gone through on the last line; else everything, and with `follow` what comes.
pub(super) async fn log(
    axum::extract::State(shared): State,
    Query(given): Query<Vec<(String, String)>>,
) -> Response {
    let asked = match asked(given) {
        Ok(asked) => asked,
        Err(error) => return (StatusCode::BAD_REQUEST, error).into_response(),
    };
    if let Some(limit) = asked.limit {
        let log = shared.log.clone();
        let page = tokio::task::spawn_blocking(move || {
            let bounds = Bounds {
                limit,
                patience: PATIENCE,
            };
            match asked.from {
                Some(from) => log.page_from(&asked.query, from, bounds),
                None => log.page_before(&asked.query, asked.before.unwrap_or(u64::MAX), bounds),
            }
        });
        return match page.await {
            Ok(page) => page_body(&page),
            Err(_) => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
        };
    }
    let reader = match asked.from {
        None | Some(0) => shared.log.reader(),
        Some(from) => shared.log.reader_from(from),
    };
    let (query, follow) = (asked.query, asked.follow);
    stream_body(futures::stream::unfold(reader, move |mut reader| {
        let query = query.clone();
        async move {
            let batch = next(&mut reader, follow).await?;
            let mut lines = Vec::new();
            for found in selected(&query, batch) {
                encode(&found, &mut lines)?;
            }
            Some((Bytes::from(lines), reader))
        }
    }))
}

fn selected(query: &LogQuery, batch: Vec<Arc<Segment>>) -> Vec<Found> {
    if query.is_all() {
        let whole = |segment| Found {
            segment,
            is_context: false,
            after_gap: false,
        };
        return batch.into_iter().map(whole).collect();
    }
    query.select(batch)
}

async fn next(reader: &mut LogReader, follow: bool) -> Option<Vec<Arc<Segment>>> {
    let batch = reader.try_next_batch();
    match (batch.is_empty(), follow) {
        (false, _) => Some(batch),
        (true, false) => None,
        (true, true) => reader.next_batch().await,
    }
}

/// Writes a piece in the form in which it is kept on disk; how it was found comes first.
fn encode(found: &Found, lines: &mut Vec<u8>) -> Option<()> {
    let kind = u8::from(found.is_context) | (u8::from(found.after_gap) << 1);
    let start = lines.len();
    codec::encode(&found.segment, lines).ok()?;
    if kind != 0 {
        let marked = format!("{{\"k\":{kind},");
        lines.splice(start..=start, marked.into_bytes());
    }
    Some(())
}

fn page_body(page: &LogPage) -> Response {
    let mut lines = Vec::new();
    for found in &page.found {
        if encode(found, &mut lines).is_none() {
            return StatusCode::INTERNAL_SERVER_ERROR.into_response();
        }
    }
    let facts = serde_json::json!({"from": page.from, "to": page.to, "more": page.more, "first": page.first});
    lines.extend(format!("{facts}\n").into_bytes());
    let text = String::from_utf8_lossy(&odd_bytes::restore(lines)).into_owned();
    ([(header::CONTENT_TYPE, "application/x-ndjson")], text).into_response()
}

/// `/api/log.txt`: the whole log of some resources, or of all, as a file that people read.
pub(super) async fn text(
    axum::extract::State(shared): State,
    Query(given): Query<Vec<(String, String)>>,
) -> Response {
    let asked = match asked(given) {
        Ok(asked) => asked,
        Err(error) => return (StatusCode::BAD_REQUEST, error).into_response(),
    };
    let filter: LogFilter = asked.query.filter;
    let names_one = filter.resources.len() == 1;
    let name = filter
        .resources
        .first()
        .filter(|_| names_one)
        .map_or("all", |name| name.as_str());
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.');
    let file: String = name
        .chars()
        .map(|letter| if is_plain(letter) { letter } else { '-' })
        .take(80)
        .collect();
    let stream = futures::stream::unfold((shared.log.reader(), true), move |(mut reader, mut is_new)| {
        let filter = filter.clone();
        async move {
            let batch = next(&mut reader, false).await?;
            let mut out = String::new();
            for segment in batch.iter().filter(|segment| filter.matches(segment)) {
                if is_new || !segment.continues {
                    let resource = segment.manifest.as_ref().map_or("", |name| name.as_str());
                    let resource = if names_one {
                        String::new()
                    } else {
                        format!("{resource:12} ┊ ")
                    };
                    out.push_str(&format!("{} {resource}", segment.time.to_micro_text()));
                }
                out.push_str(visible(segment.text.trim_end_matches('\n')).as_ref());
                is_new = segment.ends_line();
                if is_new {
                    out.push('\n');
                }
            }
            Some((
                Bytes::from(odd_bytes::restore(out.into_bytes())),
                (reader, is_new),
            ))
        }
    });
    let mut response = stream_body(stream);
    let headers = response.headers_mut();
    headers.insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    if let Ok(value) = format!("attachment; filename=\"tilt-log-{file}.txt\"").parse() {
        headers.insert(header::CONTENT_DISPOSITION, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
            .collect()
    }

    #[test]
    fn a_resource_may_be_named_several_times() {
        let asked = asked(given(&[
            ("resource", "web"),
            ("resource", "db"),
            ("limit", "9999999"),
        ]))
        .unwrap();
        assert_eq!(asked.query.filter.resources.len(), 2);
        assert_eq!(asked.limit, Some(MAX_LIMIT));
        assert!(super::asked(given(&[("from", "-1")])).is_err());
    }
}
