//! A search gives what a plain one gives: one that reads every line.

use std::sync::LazyLock;
use std::time::Duration;

use proptest::prelude::*;

use super::chunk::Source;
use super::*;
use crate::logs::{Level, LogEvent, LogLimits, LogSource, visible};
use crate::model::{ManifestName, Progress, SpanId};

const NAMES: [&str; 7] = ["web", "d\"b", "w", "ü", "a", "b", "c"];
const SPANS: [&str; 4] = ["build:1", "cmdimage:web", "pod:web:a", "pod\\"];
/// What texts are made of: what is searched for, ends of lines, and what is written or shown otherwise than it is.
const WORDS: [&str; 19] = [
    "one",
    "two",
    "K",
    "web",
    "\"f\":",
    " ",
    "\n",
    "\n",
    "\n",
    "\x1b[31m",
    "\x1b[0m",
    "\"",
    "\\",
    "\\n",
    "\t",
    "\r",
    "\u{85}",
    "\x7f",
    "\\u001b[31m",
];
const TERMS: [&str; 13] = [
    "one",
    "k",
    "ontwo",
    "web\"f\"",
    "/^one$/",
    "/e\\b/",
    "/[^o]/",
    "/\\s+two/",
    "/^/",
    "/on.*two/",
    "\\",
    "two one",
    "1b[3",
];

/// Parsed once: that takes long without optimization.
static PARSED: LazyLock<Vec<Term>> = LazyLock::new(|| {
    let parse = |term: &&str| Term::parse(term).expect("it is one");
    TERMS.iter().map(parse).collect()
});

static COLOURS: LazyLock<regex::Regex> =
    LazyLock::new(|| regex::Regex::new("\x1b\\[[0-9;:]*m").expect("an expression"));

#[derive(Debug, Clone)]
struct Said {
    span: Option<&'static str>,
    name: Option<&'static str>,
    level: Level,
    text: String,
    starts_update: bool,
    progress: bool,
}

fn said() -> impl Strategy<Value = Said> {
    let words = prop::collection::vec(prop::sample::select(&WORDS[..]), 1..9);
    let level = prop::sample::select(vec![Level::Info, Level::Info, Level::Warn, Level::Error]);
    (
        prop::option::of(prop::sample::select(&SPANS[..])),
        prop::option::of(prop::sample::select(&NAMES[..])),
        level,
        words,
        prop::bool::weighted(0.05),
        prop::bool::weighted(0.05),
    )
        .prop_map(|(span, name, level, words, starts_update, progress)| Said {
            span,
            name,
            level,
            text: words.concat(),
            starts_update,
            progress,
        })
}

fn query() -> impl Strategy<Value = LogQuery> {
    (
        prop::option::of(0..TERMS.len()),
        prop_oneof![
            3 => Just(0..0usize),
            3 => (0..NAMES.len()).prop_map(|at| at..at + 1),
            1 => Just(0..NAMES.len())
        ],
        prop::sample::select(vec![None, None, Some(Level::Warn), Some(Level::Error)]),
        prop::sample::select(vec![
            LogSource::All,
            LogSource::All,
            LogSource::Build,
            LogSource::Runtime,
        ]),
        0usize..3,
    )
        .prop_map(|(term, names, level, source, context)| {
            let mut query = LogQuery {
                term: term.map(|at| PARSED[at].clone()),
                context,
                ..LogQuery::default()
            };
            query.filter.level = level;
            query.filter.source = source;
            query.filter.resources = NAMES[names]
                .iter()
                .map(|name| ManifestName::from(*name))
                .collect();
            query
        })
}

fn store(dir: &tempfile::TempDir, all: &[Said]) -> LogStore {
    let limits = LogLimits {
        file_bytes: 3_000,
        memory_bytes: 3_000,
        ..LogLimits::default()
    };
    let store = LogStore::open_with(dir.path(), limits).expect("a log");
    for said in all {
        store.append(LogEvent {
            span: said.span.map(SpanId::from),
            manifest: said.name.map(ManifestName::from),
            level: said.level,
            text: said.text.clone(),
            starts_update: said.starts_update,
            progress: said.progress.then(|| Progress {
                id: "\"layer".to_owned(),
                must_print: true,
            }),
        });
    }
    store.close();
    store
}

/// What is shown of a line: its position, whether it is context, and whether it comes after a gap.
type Shown = (u64, bool, bool);

/// Reads every line of every chunk, and shows what is wanted.
fn plain(store: &LogStore, query: &LogQuery) -> Vec<Shown> {
    let (mut shown, mut is_gap) = (Vec::new(), false);
    for source in store.chunks().0 {
        let chunk = source.load();
        let lines: Vec<_> = (0..chunk.len()).filter_map(|at| chunk.segment(at)).collect();
        let is_own = |line: &Segment| {
            let names = &query.filter.resources;
            names.is_empty() || line.manifest.as_ref().is_some_and(|name| names.contains(name))
        };
        let is_wanted = |at: usize| {
            let line: &Segment = &lines[at];
            let has = |term: &Term| line.starts_update || term.is_in(&text(&lines, at));
            query.filter.matches(line) && query.term.as_ref().is_none_or(has)
        };
        let wanted: Vec<bool> = (0..lines.len()).map(is_wanted).collect();
        let mut is_near = vec![false; lines.len()];
        let is_part =
            query.term.is_some() || query.filter.level.is_some() || query.filter.source != LogSource::All;
        for at in (0..lines.len()).filter(|at| is_part && wanted[*at] && !lines[*at].starts_update) {
            let like = |near: &usize| is_own(&lines[*near]) && lines[*near].span == lines[at].span;
            let reach = 64 * query.context;
            let before = (at.saturating_sub(reach)..at)
                .rev()
                .filter(like)
                .take(query.context);
            let after = (at + 1..lines.len().min(at + 1 + reach))
                .filter(like)
                .take(query.context);
            before.chain(after).for_each(|near| is_near[near] = true);
        }
        for (at, line) in lines.iter().enumerate() {
            if wanted[at] || is_near[at] {
                shown.push((line.position, !wanted[at], std::mem::take(&mut is_gap)));
            } else {
                is_gap |= is_own(line);
            }
        }
    }
    shown
}

/// What a line shows, without colours, with its other pieces.
fn text(lines: &[Arc<Segment>], at: usize) -> String {
    let line = &lines[at];
    let is_same = |near: &usize| lines[*near].span == line.span && lines[*near].manifest == line.manifest;
    let mut pieces = vec![line.text.clone()];
    if line.continues {
        for near in (at.saturating_sub(64)..at).rev().filter(is_same) {
            pieces.insert(0, lines[near].text.clone());
            if !lines[near].continues {
                break;
            }
        }
    }
    if !line.ends_line() {
        for near in (at + 1..lines.len().min(at + 64)).filter(is_same) {
            if !lines[near].continues {
                break;
            }
            pieces.push(lines[near].text.clone());
            if lines[near].ends_line() {
                break;
            }
        }
    }
    let text = pieces.concat();
    COLOURS
        .replace_all(&visible(text.trim_end_matches('\n')), "")
        .into_owned()
}

fn shown(found: &[Found]) -> Vec<Shown> {
    let shown = |found: &Found| (found.segment.position, found.is_context, found.after_gap);
    found.iter().map(shown).collect()
}

fn bounds(limit: usize) -> Bounds {
    Bounds {
        limit,
        patience: Duration::from_secs(60),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn it_gives_what_a_plain_one_gives(
        all in prop::collection::vec(said(), 1..300),
        queries in prop::collection::vec(query(), 1..12),
        limit in 1usize..30,
    ) {
        let dir = tempfile::tempdir().expect("a scratch folder");
        let store = store(&dir, &all);
        for query in queries {
            let expected = plain(&store, &query);
            let before = store.page_before(&query, u64::MAX, bounds(usize::MAX));
            let after = store.page_from(&query, 0, bounds(usize::MAX));
            prop_assert_eq!(&shown(&before.found)[..], &expected[..], "before, {:?}", query);
            prop_assert_eq!(&shown(&after.found)[..], &expected[..], "after, {:?}", query);
            // Page by page, what is wanted is the same; what stands around it depends on where a page ends.
            let wanted: Vec<u64> = expected.iter().filter(|(_, is_context, _)| !is_context).map(|of| of.0).collect();
            let of = |page: &LogPage| page.found.iter().filter(|of| !of.is_context).map(|of| of.segment.position).collect::<Vec<_>>();
            let (mut backwards, mut end) = (Vec::new(), u64::MAX);
            loop {
                let page = store.page_before(&query, end, bounds(limit));
                prop_assert!(page.from < end);
                backwards.splice(0..0, of(&page));
                end = page.from;
                if !page.more {
                    break;
                }
            }
            let (mut forwards, mut start) = (Vec::new(), 0);
            loop {
                let page = store.page_from(&query, start, bounds(limit));
                prop_assert!(page.to > start);
                forwards.extend(of(&page));
                start = page.to;
                if !page.more {
                    break;
                }
            }
            prop_assert_eq!(&backwards, &wanted);
            prop_assert_eq!(&forwards, &wanted);
        }
    }
}

#[test]
fn a_file_that_is_gone_or_damaged_is_passed_over() {
    let dir = tempfile::tempdir().expect("a scratch folder");
    let said = |number: usize| Said {
        span: Some("pod:web:a"),
        name: Some("web"),
        level: Level::Info,
        text: format!("line {number}\n"),
        starts_update: false,
        progress: false,
    };
    let store = store(&dir, &(0..300).map(said).collect::<Vec<_>>());
    let sources = store.chunks().0;
    let paths: Vec<_> = sources
        .iter()
        .filter_map(|source| match source {
            Source::File { file, .. } => Some(file.path.clone()),
            Source::Memory { .. } => None,
        })
        .collect();
    std::fs::remove_file(&paths[1]).expect("it is there");
    let text = std::fs::read_to_string(&paths[0]).expect("it is there");
    let torn: Vec<&str> = text
        .lines()
        .enumerate()
        .map(|(at, line)| if at == 1 { &line[..20] } else { line })
        .collect();
    std::fs::write(&paths[0], torn.join("\n") + "\n{\"p\":").expect("it can be written");
    let gone = sources[1].first()..sources[2].first();
    let query = LogQuery {
        term: Some(Term::parse("LINE").expect("it is one")),
        ..LogQuery::default()
    };
    let left: Vec<u64> = (0..300).filter(|at| *at != 1 && !gone.contains(at)).collect();
    for page in [
        store.page_before(&query, u64::MAX, bounds(1000)),
        store.page_from(&query, 0, bounds(1000)),
    ] {
        let found: Vec<u64> = page.found.iter().map(|found| found.segment.position).collect();
        assert_eq!((found, page.more), (left.clone(), false));
    }
}
