//! Goes through several chunks at once, and hands out what was found in their order.

use std::num::NonZeroUsize;
use std::time::Instant;

use super::chunk::{Chunk, Source};
use super::gone_through::Hits;
use crate::clock;

/// So many at most: each is some megabytes in memory.
const MOST: usize = 4;

/// Lets `look` go through chunks, one after the other or some of them at once, and hands each to `take` with what was found, by its
/// place. `take` says how much is still wanted; nothing if that is all. The first is looked at alone: mostly it is enough.
pub(super) fn in_order(
    sources: &[Source],
    limit: usize,
    deadline: Instant,
    look: &(impl Fn(&Chunk, usize) -> Hits + Sync),
    mut take: impl FnMut(usize, &Chunk, &Hits) -> Option<usize>,
) {
    let most = std::thread::available_parallelism()
        .map_or(1, NonZeroUsize::get)
        .min(MOST);
    let (mut at, mut width, mut left) = (0, 1, limit);
    while at < sources.len() {
        let batch = &sources[at..sources.len().min(at + width)];
        for (chunk, hits) in looked_at(batch, left, look) {
            // Those that were looked at with it may have found enough already.
            let hits = if hits.count > left {
                look(&chunk, left)
            } else {
                hits
            };
            match take(at, &chunk, &hits) {
                Some(still) if still > 0 && clock::now() < deadline => left = still,
                _ => return,
            }
            at += 1;
        }
        width = (2 * width).min(most);
    }
}

/// Looks at all of these at once.
fn looked_at(
    sources: &[Source],
    limit: usize,
    look: &(impl Fn(&Chunk, usize) -> Hits + Sync),
) -> Vec<(Chunk, Hits)> {
    let whole = |source: &Source| {
        let chunk = source.load();
        let hits = look(&chunk, limit);
        (chunk, hits)
    };
    let Some((first, others)) = sources.split_first() else {
        return Vec::new();
    };
    std::thread::scope(|scope| {
        let threads: Vec<_> = others
            .iter()
            .map(|source| {
                let thread = std::thread::Builder::new().name("log-search".to_owned());
                // Where there are no more threads, it is done here.
                thread.spawn_scoped(scope, || whole(source)).map_err(|_| source)
            })
            .collect();
        let mut all = vec![whole(first)];
        for thread in threads {
            all.push(match thread {
                Ok(thread) => thread
                    .join()
                    .unwrap_or_else(|panic| std::panic::resume_unwind(panic)),
                Err(source) => whole(source),
            });
        }
        all
    })
}
