//! `tilt logs`.
//!
//! Rule: `docs/rules/commands.md`, "logs", with its defects mended: times and levels are those of the lines, unknown names are
//! told.

use std::collections::VecDeque;
use std::sync::Arc;

use anyhow::{anyhow, bail};
use http::Method;
use http_body_util::BodyExt;
use serde_json::{Value, json};

use super::super::{exit, say};
use super::{Connect, block_on};
use crate::clock;
use crate::diag::nearest;
use crate::logs::{Level, LogFilter, LogSource, Segment, StreamPrinter, codec, odd_bytes};
use crate::model::{ManifestName, Timestamp, parse_go_duration};

/// Print the logs of resources of a running session, or of all
#[derive(Debug, clap::Args)]
pub(in super::super) struct Args {
    #[command(flatten)]
    connect: Connect,
    /// Go on with what comes
    #[arg(short, long)]
    follow: bool,
    /// Only lines of this level: warn or error
    #[arg(long, value_name = "LEVEL", default_value = "", hide_default_value = true)]
    level: String,
    /// Only lines of this source: all, build or runtime
    #[arg(long, value_name = "SOURCE", default_value = "all")]
    source: String,
    /// Only lines of this last while, such as 5m
    #[arg(long, value_name = "DURATION", allow_hyphen_values = true)]
    since: Option<String>,
    /// Only so many lines at the end of what there is; -1 is all
    #[arg(long, value_name = "N", default_value_t = -1, allow_hyphen_values = true)]
    tail: i64,
    /// Print a JSON object for each line
    #[arg(long)]
    json: bool,
    /// Resources
    #[arg(value_name = "RESOURCE")]
    resources: Vec<String>,
}

pub(in super::super) fn run(args: &Args) -> anyhow::Result<u8> {
    if args.tail < -1 {
        bail!("--tail must be -1 (no limit) or >= 0, got {}", args.tail);
    }
    let filter = filter(args)?;
    block_on(async {
        let web = args.connect.web();
        check_names(args, &web).await?;
        let mut printer = Printer::new(args, filter);
        let mut body = web
            .stream(&format!("/api/log?follow={}", args.follow && args.tail < 0))
            .await?;
        let mut rest = Vec::new();
        let mut end = 0;
        loop {
            while let Some(frame) = body.frame().await {
                let Ok(frame) = frame else { break };
                rest.extend_from_slice(&frame.into_data().unwrap_or_default());
                let mut batch = Vec::new();
                while let Some(newline) = rest.iter().position(|byte| *byte == b'\n') {
                    let line: Vec<u8> = rest.drain(..=newline).collect();
                    if let Some(segment) = codec::decode(&String::from_utf8_lossy(&line)) {
                        end = segment.position + 1;
                        batch.push(Arc::new(segment));
                    }
                }
                printer.take(&batch);
            }
            // The last lines of what there is are printed before what comes.
            let goes_on = printer.end_of_history() && args.follow;
            if !goes_on {
                break;
            }
            body = web.stream(&format!("/api/log?follow=true&from={end}")).await?;
        }
        printer.finish();
        Ok(exit::SUCCESS)
    })
}

fn filter(args: &Args) -> anyhow::Result<LogFilter> {
    let since = match &args.since {
        None => None,
        Some(text) if text.starts_with('-') => bail!("--since duration must be positive, got {text}"),
        Some(text) => {
            let ago = parse_go_duration(text)
                .map_err(|error| anyhow!("invalid argument {text:?} for \"--since\" flag: {error}"))?;
            let micros = i64::try_from(ago.as_micros()).unwrap_or(i64::MAX);
            Some(Timestamp(clock::timestamp().0.saturating_sub(micros)))
        }
    };
    Ok(LogFilter {
        level: match args.level.to_lowercase().as_str() {
            "warn" | "warning" => Some(Level::Warn),
            "error" => Some(Level::Error),
            _ => None,
        },
        source: LogSource::parse(&args.source).unwrap_or_default(),
        resources: args
            .resources
            .iter()
            .map(|name| ManifestName::from(name.as_str()))
            .collect(),
        since,
    })
}

async fn check_names(args: &Args, web: &crate::server::client::WebClient) -> anyhow::Result<()> {
    if args.resources.is_empty() {
        return Ok(());
    }
    let answer = web
        .request(Method::GET, "/api/dump/engine?log=false", Vec::new())
        .await?;
    let view: Value = serde_json::from_slice(&answer.body).unwrap_or_default();
    let resources = view["resources"].as_array().into_iter().flatten();
    let mut known: Vec<String> = resources
        .filter_map(|resource| resource["name"].as_str().map(str::to_owned))
        .collect();
    known.push(ManifestName::TILTFILE.to_owned());
    for name in &args.resources {
        if !known.contains(name) {
            let hint = nearest(name, known.iter().map(String::as_str));
            let hint = hint
                .map(|near| format!("\nhint: did you mean {near:?}?"))
                .unwrap_or_default();
            // It may come yet, and scripts count on the exit status of Tilt.
            say::err(format!("Warning: no such resource {name:?}{hint}\n"));
        }
    }
    Ok(())
}

/// Prints segments as text or as JSON.
struct Printer {
    filter: LogFilter,
    text: StreamPrinter,
    is_json: bool,
    /// The last lines of what there is, while more may come before what is to be printed.
    held: Option<(usize, VecDeque<Arc<Segment>>)>,
}

impl Printer {
    fn new(args: &Args, filter: LogFilter) -> Self {
        Self {
            text: StreamPrinter::new(filter.clone()),
            filter,
            is_json: args.json,
            held: usize::try_from(args.tail)
                .ok()
                .map(|lines| (lines, VecDeque::new())),
        }
    }

    fn take(&mut self, segments: &[Arc<Segment>]) {
        let Some((lines, held)) = &mut self.held else {
            return self.print(segments);
        };
        let wanted = segments.iter().filter(|segment| self.filter.matches(segment));
        for segment in wanted {
            held.push_back(Arc::clone(segment));
            while held.iter().filter(|segment| !segment.continues).count() > *lines {
                held.pop_front();
                while held.front().is_some_and(|segment| segment.continues) {
                    held.pop_front();
                }
            }
        }
    }

    /// Prints what was held back; returns whether anything was to be held back at all.
    fn end_of_history(&mut self) -> bool {
        match self.held.take() {
            Some((_, held)) => {
                let held: Vec<_> = held.into();
                self.print(&held);
                true
            }
            None => false,
        }
    }

    fn print(&mut self, segments: &[Arc<Segment>]) {
        let mut out = Vec::new();
        if self.is_json {
            for segment in segments.iter().filter(|segment| self.filter.matches(segment)) {
                out.extend(format!("{}\n", json_line(segment)).into_bytes());
            }
            out = odd_bytes::restore(out);
        } else {
            self.text.print(clock::now(), segments, &mut out);
        }
        say::out_bytes(&out);
    }

    fn finish(&mut self) {
        let mut out = Vec::new();
        self.text.finish(&mut out);
        say::out_bytes(&out);
    }
}

fn json_line(segment: &Segment) -> Value {
    let span = segment.span.as_ref().map_or("", |span| span.as_str());
    let is_build = span.starts_with("build:") || span.starts_with("cmdimage:");
    json!({
        "time": segment.time.to_text(),
        "resource": segment.manifest.as_ref().map_or("", |manifest| manifest.as_str()),
        "level": match segment.level {
            Level::Debug => "debug",
            Level::Verbose => "verbose",
            Level::Info => "info",
            Level::Warn => "warn",
            Level::Error => "error",
        },
        "message": segment.text.trim_end_matches('\n'),
        "spanID": span,
        "progressID": segment.progress.as_ref().map_or("", |progress| progress.id.as_str()),
        "buildEvent": if segment.starts_update { "init" } else { "" },
        "source": if is_build { "build" } else { "runtime" },
    })
}
