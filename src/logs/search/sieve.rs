//! Tells by the bytes of a line on disk that it cannot be wanted, before it is read. What the bytes do not tell is left to
//! whoever reads the line.

use memchr::memmem::Finder;

use super::query::LogQuery;
use crate::logs::Level;

/// Tells by their bytes lines that cannot be wanted.
pub(super) struct Sieve {
    resources: Vec<Finder<'static>>,
    level: Option<Finder<'static>>,
    flags: Finder<'static>,
    text: Finder<'static>,
    term: Option<regex::bytes::Regex>,
}

/// What is known of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// Of another resource.
    Foreign,
    /// Of a resource that is wanted, but not wanted itself.
    Skipped,
    Wanted,
}

impl Sieve {
    pub(super) fn new(query: &LogQuery) -> Self {
        let named = |name: &crate::model::ManifestName| {
            let name = serde_json::to_string(name.as_str()).unwrap_or_default();
            Finder::new(format!("\"m\":{name}").as_bytes()).into_owned()
        };
        let level = query.filter.level.filter(|level| *level >= Level::Warn);
        Self {
            resources: query.filter.resources.iter().map(named).collect(),
            level: level.map(|level| Finder::new(format!("\"l\":{},", level as u8).as_bytes()).into_owned()),
            flags: Finder::new(b"\"f\":"),
            text: Finder::new(b"\"x\":\""),
            term: query.term.as_ref().and_then(|term| {
                let mut same = regex::bytes::RegexBuilder::new(term.as_str());
                same.case_insensitive(true).build().ok()
            }),
        }
    }

    /// Returns what the bytes of a line tell, if they tell it.
    pub(super) fn verdict(&self, raw: &[u8]) -> Option<Verdict> {
        let has = |needle: &Finder<'_>| needle.find(raw).is_some();
        if !self.resources.is_empty() && !self.resources.iter().any(has) {
            return Some(Verdict::Foreign);
        }
        // What has flags (it begins an update, or goes on) is looked at itself.
        if has(&self.flags) {
            return None;
        }
        if self.level.as_ref().is_some_and(|level| !has(level)) {
            return Some(Verdict::Skipped);
        }
        let term = self.term.as_ref()?;
        let text = self.text.find(raw).map(|at| &raw[at + 5..])?;
        let text = text.strip_suffix(b"\\n\"}")?;
        if memchr::memchr(b'\\', text).is_some() {
            return None;
        }
        (!term.is_match(text)).then_some(Verdict::Skipped)
    }
}
