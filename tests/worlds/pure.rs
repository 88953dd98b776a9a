//! The core decides and does nothing: its sources hold no word that would let it act. Its manifest keeps runtimes and
//! clients out; this keeps out what the standard library has.

use std::path::{Path, PathBuf};

/// What the core may not use: each would wait, look outside, read a clock, or print.
const FORBIDDEN: [&str; 14] = [
    "async ",
    ".await",
    "Instant::now",
    "SystemTime",
    "std::fs",
    "std::env",
    "std::net",
    "std::process",
    "std::thread",
    "std::io",
    "std::{",
    "println!",
    "eprintln!",
    "dbg!",
];

/// Returns the sources below a folder.
pub(crate) fn sources(dir: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(dir).expect("the folder can be read");
    let mut files = Vec::new();
    for entry in entries {
        let path = entry.expect("the entry can be read").path();
        if path.is_dir() {
            files.extend(sources(&path));
        } else if path.extension().is_some_and(|end| end == "rs") {
            files.push(path);
        }
    }
    files
}

/// Returns the forbidden words of a source, outside comments and tests, with their lines.
fn violations(source: &str) -> Vec<(usize, &'static str)> {
    let mut found = Vec::new();
    let mut lines = source.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        if line.starts_with("#[cfg(test)]") {
            // Only the item that follows is a test; what stands after it is code again.
            let ends = |line: &str| line == "}" || (line.ends_with(';') && !line.starts_with(' '));
            lines.by_ref().find(|(_, line)| ends(line));
            continue;
        }
        let code = line.split("//").next().unwrap_or_default();
        found.extend(
            FORBIDDEN
                .iter()
                .filter(|word| says(code, word))
                .map(|word| (at + 1, *word)),
        );
    }
    found
}

/// Returns whether a line holds a word as a whole: `.await`, but not `.awaits`.
fn says(code: &str, word: &str) -> bool {
    let is_letter = |c: char| c.is_alphanumeric() || c == '_';
    let goes_on = |at: usize| word.ends_with(is_letter) && code[at + word.len()..].starts_with(is_letter);
    code.match_indices(word).any(|(at, _)| !goes_on(at))
}

#[test]
fn the_core_holds_nothing_that_acts() {
    let files = sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("crates/core/src"));
    assert!(files.len() > 30, "the folders moved: only {} files", files.len());
    let is_test = |file: &Path| {
        let name = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        name == "tests"
            || name.ends_with("_tests")
            || name == "testing"
            || file.iter().any(|part| part == "tests")
    };
    for file in files.iter().filter(|file| !is_test(file)) {
        let source = std::fs::read_to_string(file).expect("the file can be read");
        let found = violations(&source);
        assert!(found.is_empty(), "{} acts: {found:?}", file.display());
    }
}

#[test]
fn a_source_that_acts_is_found() {
    assert_eq!(violations("fn f() {\n    println!(\"x\");\n}"), [(2, "println!")]);
    assert_eq!(violations("async fn f() {}"), [(1, "async ")]);
    assert_eq!(violations("use std::{fs, io};"), [(1, "std::{")]);
    let test = "#[cfg(test)]\nmod tests {\n    use std::fs;\n}\nfn f() {\n    dbg!(1);\n}";
    assert_eq!(violations(test), [(6, "dbg!")]);
    assert_eq!(
        violations("// println!\n#[cfg(test)]\nmod tests { use std::fs; }"),
        []
    );
}
