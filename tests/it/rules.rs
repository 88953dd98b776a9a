//! What the code says of a rule can be looked up: the page is there, with the heading that is named.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

fn sources(dir: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).expect("the folder can be read") {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            sources(&path, into);
        } else if path.extension().is_some_and(|end| end == "rs") {
            into.push(path);
        }
    }
}

/// The headings of each page, by its name.
fn headings(dir: &Path) -> BTreeMap<String, Vec<String>> {
    let pages = std::fs::read_dir(dir).expect("the pages");
    let pages = pages.map(|page| page.expect("a page").path());
    let read = |page: PathBuf| {
        let text = std::fs::read_to_string(&page).expect("the page can be read");
        let headings = text.lines().filter_map(|line| line.strip_prefix("## "));
        let name = page.file_name().expect("a name").to_string_lossy().into_owned();
        (name, headings.map(str::to_owned).collect())
    };
    pages.map(read).collect()
}

/// Returns the pages that a text names, each with the headings that follow it: `docs/rules/x.md`, "A", "B" and "C".
fn citations(text: &str) -> Vec<(String, Vec<String>)> {
    let after = text.split("`docs/rules/").skip(1);
    let cited = after.filter_map(|after| {
        let (page, mut rest) = after.split_once('`')?;
        let mut named = Vec::new();
        while let Some(quoted) = [", \"", " and \""]
            .iter()
            .find_map(|sign| rest.strip_prefix(sign))
        {
            let (heading, further) = quoted.split_once('"')?;
            named.push(heading.to_owned());
            rest = further;
        }
        Some((page.to_owned(), named))
    });
    cited.collect()
}

#[test]
fn each_rule_that_the_code_names_is_on_its_page() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = headings(&root.join("docs/rules"));
    let mut files = Vec::new();
    for dir in ["src", "crates"] {
        sources(&root.join(dir), &mut files);
    }
    let mut missing = Vec::new();
    for file in files {
        let text = std::fs::read_to_string(&file).expect("the source can be read");
        for (page, named) in citations(&text) {
            let known = pages.get(&page).map(Vec::as_slice).unwrap_or_default();
            let unknown = named.iter().filter(|heading| !known.contains(heading));
            missing.extend(unknown.map(|heading| format!("{}: {page}, {heading:?}", file.display())));
            if named.is_empty() {
                missing.push(format!("{}: {page} without a heading", file.display()));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}
