//! Paths as text, by the rules of Go's `path/filepath`, which the functions of `os.path` follow.

/// Returns the shortest path that means the same, by its text alone; `.` for an empty one.
pub fn clean(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => match parts.last() {
                Some(&last) if last != ".." => {
                    parts.pop();
                }
                _ if rooted => {}
                _ => parts.push(".."),
            },
            _ => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".to_owned(),
        (false, false) => joined,
    }
}

/// Joins parts and cleans the result; empty parts are left out, and an absolute part does not start over.
pub fn join<'a>(parts: impl IntoIterator<Item = &'a str>) -> String {
    let parts: Vec<&str> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    if parts.is_empty() {
        return String::new();
    }
    clean(&parts.join("/"))
}

/// Returns the last part of a path; `.` for an empty one, `/` for the root.
pub fn base(path: &str) -> String {
    if path.is_empty() {
        return ".".to_owned();
    }
    match path.trim_end_matches('/') {
        "" => "/".to_owned(),
        path => path.rsplit('/').next().unwrap_or_default().to_owned(),
    }
}

/// Returns all but the last part of a path, cleaned.
pub fn dir(path: &str) -> String {
    let end = path.rfind('/').map_or(0, |at| at + 1);
    clean(&path[..end])
}

/// Returns how a path is reached from another one, by their texts; `None` when that cannot be said.
pub fn relative(base: &str, target: &str) -> Option<String> {
    let (base, target) = (clean(base), clean(target));
    if base.starts_with('/') != target.starts_with('/') {
        return None;
    }
    let parts = |path: &str| -> Vec<String> {
        let parts = path.split('/').filter(|part| !part.is_empty() && *part != ".");
        parts.map(str::to_owned).collect()
    };
    let (base, target) = (parts(&base), parts(&target));
    let shared = base
        .iter()
        .zip(&target)
        .take_while(|(left, right)| left == right)
        .count();
    if base[shared..].iter().any(|part| part == "..") {
        return None;
    }
    let up = std::iter::repeat_n("..", base.len() - shared);
    let down = target[shared..].iter().map(String::as_str);
    let way: Vec<&str> = up.chain(down).collect();
    Some(if way.is_empty() {
        ".".to_owned()
    } else {
        way.join("/")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_cleaned_by_their_text() {
        for (path, clean_path) in [
            ("", "."),
            ("a//b/./c/..", "a/b"),
            ("../../a", "../../a"),
            ("/../a/", "/a"),
            ("a/../..", ".."),
            ("/", "/"),
        ] {
            assert_eq!(clean(path), clean_path, "{path}");
        }
        assert_eq!(join(["a", "", "/b", "../c"]), "a/c");
        assert_eq!(join(["", ""]), "");
    }

    #[test]
    fn the_parts_of_a_path_are_those_of_go() {
        for (path, name, parent) in [
            ("/a/b.txt", "b.txt", "/a"),
            ("/a/b/", "b", "/a/b"),
            ("a", "a", "."),
            ("", ".", "."),
            ("/", "/", "/"),
            ("//", "/", "/"),
            ("a//b", "b", "a"),
        ] {
            assert_eq!(
                (base(path).as_str(), dir(path).as_str()),
                (name, parent),
                "{path}"
            );
        }
    }

    #[test]
    fn the_way_from_one_path_to_another() {
        assert_eq!(relative("/a/c/d", "/a/b").as_deref(), Some("../../b"));
        assert_eq!(relative("a", "a/b").as_deref(), Some("b"));
        assert_eq!(relative("/x", "/x/").as_deref(), Some("."));
        assert_eq!(relative("/x", "y"), None);
        assert_eq!(relative("../x", "y"), None);
        assert_eq!(relative(".", "y").as_deref(), Some("y"));
    }
}
