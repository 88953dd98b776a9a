//! Reads long streams of YAML on all processors: what a document holds does not depend on the others.

use std::ops::Range;
use std::panic::resume_unwind;
use std::thread::{Builder, Scope, ScopedJoinHandle, available_parallelism, scope};

use crate::k8s::yaml::{Documents, Stream, YamlFault};

/// How many documents are worth a thread.
const WORTH: usize = 50;

/// The stack of a thread that reads: as deep as lists and mappings may be nested.
const STACK_BYTES: usize = 16 << 20;

/// Reads the objects of a stream. `source` names it in their origins.
///
/// # Errors
/// As for [`yaml::read`](crate::k8s::yaml::read).
pub(super) fn read_stream(text: &str, source: &str) -> Result<Stream, YamlFault> {
    let documents = Documents::of(text, source)?;
    let n_processors = available_parallelism().map_or(1, usize::from);
    read_in_parts(&documents, n_processors.min(documents.len() / WORTH).max(1))
}

fn read_in_parts(documents: &Documents<'_>, n_parts: usize) -> Result<Stream, YamlFault> {
    let each = documents.len().div_ceil(n_parts);
    let part = |at: usize| (each * at).min(documents.len())..(each * (at + 1)).min(documents.len());
    scope(|scope| {
        let others: Vec<Part<'_>> = (1..n_parts).map(|at| begin(scope, documents, part(at))).collect();
        let mut whole = documents.read(part(0))?;
        for other in others {
            whole.append(other.end(documents)?);
        }
        Ok(whole)
    })
}

/// A part of a stream that is read.
enum Part<'scope> {
    OnThread(ScopedJoinHandle<'scope, Result<Stream, YamlFault>>),
    /// There was no thread for it.
    Left(Range<usize>),
}

fn begin<'scope, 'env>(
    scope: &'scope Scope<'scope, 'env>,
    documents: &'env Documents<'_>,
    part: Range<usize>,
) -> Part<'scope> {
    let which = part.clone();
    let read = move || documents.read(which);
    match Builder::new().stack_size(STACK_BYTES).spawn_scoped(scope, read) {
        Ok(thread) => Part::OnThread(thread),
        Err(_) => Part::Left(part),
    }
}

impl Part<'_> {
    fn end(self, documents: &Documents<'_>) -> Result<Stream, YamlFault> {
        match self {
            Self::OnThread(thread) => thread.join().unwrap_or_else(|panic| resume_unwind(panic)),
            Self::Left(part) => documents.read(part),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::k8s::yaml;

    fn stream(n: usize, broken: &[usize]) -> String {
        let document = |at: usize| match broken.contains(&at) {
            true => format!("kind: ConfigMap\napiVersion: v1\nmetadata: {{name: n{at}}}\ndata: [{at}\n"),
            false => format!("kind: ConfigMap\napiVersion: v1\nmetadata: {{name: n{at}}}\nodd: {at}\n"),
        };
        let documents: Vec<String> = (0..n).map(document).collect();
        documents.join("---\n")
    }

    #[test]
    fn parts_make_what_the_whole_makes() {
        for n_documents in [0, 1, 2, 7, 100] {
            let text = stream(n_documents, &[]);
            let whole = yaml::read(&text, "test").expect("it is well");
            let documents = Documents::of(&text, "test").expect("it is text");
            for n_parts in [1, 2, 3, 16] {
                let read = read_in_parts(&documents, n_parts).expect("it is well");
                assert_eq!(read.entities, whole.entities, "{n_documents} in {n_parts}");
                assert_eq!(read.dropped, whole.dropped, "{n_documents} in {n_parts}");
            }
        }
    }

    #[test]
    fn the_first_fault_is_told_whichever_part_finds_one_first() {
        let text = stream(100, &[40, 90]);
        let fault = yaml::read(&text, "test").expect_err("it is broken");
        let documents = Documents::of(&text, "test").expect("it is text");
        for n_parts in [1, 2, 3, 16] {
            let found = read_in_parts(&documents, n_parts).expect_err("it is broken");
            assert_eq!(found, fault, "in {n_parts}");
        }
    }
}
