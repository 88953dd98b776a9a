//! Pages of the log: what is wanted is found, in memory and on disk, whichever way it is gone through.

use super::*;

const PLENTY: Duration = Duration::from_secs(60);

fn bounds(limit: usize) -> Bounds {
    Bounds {
        limit,
        patience: PLENTY,
    }
}

fn term(text: &str) -> LogQuery {
    LogQuery {
        term: Some(Term::parse(&format!("/{text}/")).unwrap()),
        ..LogQuery::default()
    }
}

fn positions(page: &LogPage) -> Vec<u64> {
    page.found.iter().map(|found| found.segment.position).collect()
}

/// A log of lines of two resources; most of it is in files.
fn on_disk(dir: &tempfile::TempDir, lines: u64) -> LogStore {
    let limits = LogLimits {
        file_bytes: 20_000,
        memory_bytes: 20_000,
        ..LogLimits::default()
    };
    let store = LogStore::open_with(dir.path(), limits).unwrap();
    for n in 0..lines {
        let name = if n % 2 == 0 { "web" } else { "db" };
        store.append(from(
            &format!("pod:{name}:a"),
            name,
            &format!("line \"{n}\" of {name}\n"),
        ));
    }
    store.close();
    store
}

#[test]
fn pages_before_one_another_are_the_whole_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(&dir, 1000);
    let (mut before, mut all) = (u64::MAX, Vec::new());
    loop {
        let page = store.page_before(&LogQuery::default(), before, bounds(90));
        all.splice(0..0, positions(&page));
        before = page.from;
        if !page.more {
            break;
        }
    }
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
}

#[test]
fn pages_after_one_another_are_the_whole_log() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(&dir, 1000);
    let (mut from, mut all) = (0, Vec::new());
    loop {
        let page = store.page_from(&LogQuery::default(), from, bounds(90));
        all.extend(positions(&page));
        from = page.to;
        if !page.more {
            break;
        }
    }
    assert_eq!(all, (0..1000).collect::<Vec<_>>());
}

#[test]
fn a_search_gives_the_same_from_either_end() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(&dir, 1000);
    let mut query = term(r#"LINE "\d*5" OF DB$"#);
    query.filter.resources = [ManifestName::from("db")].into();
    let back = store.page_before(&query, u64::MAX, bounds(5000));
    let on = store.page_from(&query, 0, bounds(5000));
    assert_eq!(positions(&back), (0..100).map(|n| n * 10 + 5).collect::<Vec<_>>());
    assert_eq!(positions(&back), positions(&on));
    assert_eq!((back.from, back.more, on.to, on.more), (0, false, 1000, false));
}

#[test]
fn a_page_is_full_before_the_search_ends() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(&dir, 1000);
    let page = store.page_before(&term("of web"), u64::MAX, bounds(3));
    assert_eq!((positions(&page), page.more), (vec![994, 996, 998], true));
    let earlier = store.page_before(&term("of web"), page.from, bounds(2));
    assert_eq!(positions(&earlier), [990, 992]);
}

#[test]
fn lines_around_are_of_the_same_source_and_gaps_are_told() {
    let store = LogStore::in_memory();
    for n in 0..20 {
        store.append(from(
            if n % 2 == 0 { "a" } else { "b" },
            "web",
            &format!("line {n}\n"),
        ));
    }
    let query = LogQuery {
        context: 1,
        ..term("line 10$")
    };
    let page = store.page_before(&query, u64::MAX, bounds(10));
    let shown: Vec<_> = page
        .found
        .iter()
        .map(|found| (found.segment.position, found.is_context, found.after_gap))
        .collect();
    assert_eq!(shown, [(8, true, true), (10, false, true), (12, true, true)]);
}

#[test]
fn a_term_is_found_across_pieces_and_colours() {
    let store = LogStore::in_memory();
    store.append(from("a", "web", "one tw"));
    store.append(from("b", "web", "other\n"));
    store.append(from("a", "web", "o three\n"));
    store.append(from("a", "web", "o\u{1b}[31mn\u{1b}[0me two\n"));
    let page = store.page_before(&term("one two"), u64::MAX, bounds(10));
    assert_eq!(positions(&page), [0, 2, 3]);
}

#[test]
fn the_beginning_of_an_update_is_always_shown() {
    let store = LogStore::in_memory();
    store.append(LogEvent {
        starts_update: true,
        ..from("build:1", "web", "Initial Build\n")
    });
    store.append(from("build:1", "web", "STEP 1\n"));
    let mut query = LogQuery::default();
    query.filter.level = Some(Level::Error);
    assert_eq!(positions(&store.page_before(&query, u64::MAX, bounds(10))), [0]);
}

#[test]
fn a_search_whose_time_is_up_says_where_to_go_on() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(&dir, 1000);
    let hasty = Bounds {
        limit: 10,
        patience: Duration::ZERO,
    };
    let (mut before, mut rounds, mut found) = (u64::MAX, 0, Vec::new());
    loop {
        let page = store.page_before(&term("\"7\""), before, hasty);
        found.extend(positions(&page));
        assert!(page.from < before, "each round gets on");
        (before, rounds) = (page.from, rounds + 1);
        if !page.more {
            break;
        }
    }
    assert_eq!(found, [7]);
    assert!(rounds > 1);
}

#[test]
fn the_last_segments_come_from_the_end() {
    let dir = tempfile::tempdir().unwrap();
    let store = on_disk(&dir, 1000);
    let last = last_segments(&store, 1000);
    assert_eq!(last.last().unwrap().position, 999);
    let bytes: usize = last.iter().map(|segment| segment.text.len()).sum();
    assert!((950..=1000).contains(&bytes), "{bytes}");
}
