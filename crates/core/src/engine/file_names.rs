//! Files as they are named in messages.

use crate::model::LocalPath;

/// How many changed files the first line of an update names.
const SHOWN_FILES: usize = 5;

/// Returns `1 File Changed: [a]` or `2 Files Changed: [a b]`, at most five by name.
///
/// Rule: `docs/rules/updates.md`, "Reasons".
pub(super) fn files_changed_line<'a>(
    cwd: &LocalPath,
    files: impl IntoIterator<Item = &'a LocalPath>,
) -> String {
    let files: Vec<&LocalPath> = files.into_iter().collect();
    let n_files = files.len();
    let word = if n_files == 1 { "File" } else { "Files" };
    format!("{n_files} {word} Changed: [{}]", file_names(cwd, files))
}

/// Returns the names of files, at most five of them.
pub(super) fn file_names<'a>(cwd: &LocalPath, files: impl IntoIterator<Item = &'a LocalPath>) -> String {
    let mut files = files.into_iter();
    let first = files.by_ref().take(SHOWN_FILES);
    let names = first.map(|file| file.relative_to(cwd).display().to_string());
    let mut shown = names.collect::<Vec<_>>().join(" ");
    if files.next().is_some() {
        shown.push_str(" ...");
    }
    shown
}
