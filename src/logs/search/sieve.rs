//! Tells by the bytes of many lines on disk at once which of them may be wanted; only those are looked at one by one.

use std::ops::Range;

use memchr::memmem::Finder;

use super::chunk::StoredLines;
use super::query::LogQuery;
use super::term::Term;
use crate::logs::LogSource;
use crate::logs::filter::BUILD_SPANS;
use crate::model::ManifestName;

/// With more resources than that, all lines are looked at.
const FEW: usize = 4;

/// Finds the lines that may be wanted by that which is likely to be rare.
pub(super) struct Sieve {
    pass: Pass,
    /// What lines of resources that are wanted have, if these are few.
    own: Vec<Finder<'static>>,
}

enum Pass {
    All,
    /// Those that have one of these.
    Marked(Vec<Finder<'static>>),
    /// Those whose text has it.
    Term(Term),
}

/// What lines have that begin an update or go on: they are wanted for other reasons.
const FLAGS: &str = "\"f\":";

impl Sieve {
    pub(super) fn new(query: &LogQuery) -> Self {
        let finder = |mark: String| Finder::new(mark.as_bytes()).into_owned();
        let filter = &query.filter;
        let quoted = |name: &ManifestName| serde_json::to_string(name.as_str()).unwrap_or_default();
        let named = |name: &ManifestName| finder(format!("\"m\":{}", quoted(name)));
        let own: Vec<_> = match filter.resources.len() {
            1..=FEW => filter.resources.iter().map(named).collect(),
            _ => Vec::new(),
        };
        let pass = if let Some(level) = filter.exact_level() {
            let level = format!("\"l\":{},", level as u8);
            Pass::Marked([level, FLAGS.to_owned()].map(finder).into())
        } else if let Some(term) = query.term.as_ref().filter(|term| term.stored().is_some()) {
            Pass::Term(term.clone())
        } else if filter.source == LogSource::Build {
            let spans = BUILD_SPANS.iter().map(|span| format!("\"s\":\"{span}"));
            Pass::Marked(spans.chain([FLAGS.to_owned()]).map(finder).collect())
        } else if own.is_empty() {
            Pass::All
        } else {
            Pass::Marked(own.clone())
        };
        Self { pass, own }
    }

    /// Returns whether there is a line of a resource that is wanted; nothing if that is not told by bytes.
    pub(super) fn has_own(&self, lines: &StoredLines, range: Range<usize>) -> Option<bool> {
        (!self.own.is_empty()).then(|| lines.has_any(range, &self.own))
    }

    /// Hands out the lines that may be wanted, in order.
    pub(super) fn sift(&self, lines: &StoredLines, range: Range<usize>, take: impl FnMut(usize)) {
        let first = range.start;
        // Text is searched for as it is seen.
        let uncoloured = match self.pass {
            Pass::Term(_) => lines.uncoloured(range.clone()),
            Pass::All | Pass::Marked(_) => None,
        };
        let (lines, range) = match &uncoloured {
            Some(uncoloured) => (uncoloured, 0..range.len()),
            None => (lines, range),
        };
        let mut may = vec![matches!(self.pass, Pass::All); range.len()];
        let mut mark = |at: usize| may[at - range.start] = true;
        let mut each = |finder: &Finder<'_>| {
            let find = |bytes: &[u8], from: usize| finder.find(&bytes[from..]).map(|at| from + at);
            lines.each(range.clone(), find, &mut mark);
        };
        match &self.pass {
            Pass::All => {}
            Pass::Marked(finders) => finders.iter().for_each(each),
            Pass::Term(term) => {
                each(&Finder::new(FLAGS));
                lines.each_odd(range.clone(), &mut mark);
                if let Some(regex) = term.stored() {
                    // It is within a line, so where it ends tells which.
                    let find = |bytes: &[u8], from: usize| Some(regex.shortest_match_at(bytes, from)? - 1);
                    lines.each(range.clone(), find, &mut mark);
                } else {
                    range.clone().for_each(&mut mark);
                }
            }
        }
        may.iter()
            .enumerate()
            .filter_map(|(at, may)| may.then_some(first + at))
            .for_each(take);
    }
}
