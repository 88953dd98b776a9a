//! What the engine asks for when it wants files: a directory, and which part of it, in the headers of its request.

use tonic::metadata::MetadataMap;

use crate::edge::docker::context::Wanted;
use crate::model::LocalPath;

/// Returns the name of the directory: `context` or `dockerfile`.
pub(super) fn directory(request: &MetadataMap) -> Option<String> {
    values(request, "dir-name").into_iter().next()
}

/// Returns which part of the context the engine wants. Whatever is not plain is answered with everything: that is slower,
/// never wrong.
pub(super) fn wanted(context: &LocalPath, request: &MetadataMap) -> Wanted {
    let mut paths = values(request, "followpaths");
    paths.extend(values(request, "include-patterns"));
    if paths.is_empty() {
        return Wanted::All;
    }
    let mut names = Vec::new();
    for path in paths {
        let name = path.trim_matches('/');
        let plain = !name.is_empty()
            && !name.contains(['*', '?', '[', '\\', '!'])
            && !name
                .split('/')
                .any(|part| part.starts_with('.') && part.len() <= 2);
        if !plain || leads_through_a_link(context, name) {
            return Wanted::All;
        }
        names.push(name.to_owned());
    }
    Wanted::Paths(names)
}

fn leads_through_a_link(context: &LocalPath, name: &str) -> bool {
    let mut path = context.clone();
    name.split('/').any(|part| {
        path = path.join(part);
        path.as_path().is_symlink()
    })
}

/// Returns all values of a header; newer engines encode those that are not plain.
fn values(request: &MetadataMap, key: &str) -> Vec<String> {
    let encoded = request
        .get(format!("{key}-encoded"))
        .is_some_and(|flag| flag == "1");
    let texts = request
        .get_all(key)
        .iter()
        .filter_map(|value| value.to_str().ok());
    texts
        .map(|text| {
            if encoded {
                percent_decode(text)
            } else {
                text.to_owned()
            }
        })
        .collect()
}

fn percent_decode(text: &str) -> String {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&byte, tail)) = rest.split_first() {
        let hex = tail.get(..2).and_then(|hex| std::str::from_utf8(hex).ok());
        match (byte, hex.and_then(|hex| u8::from_str_radix(hex, 16).ok())) {
            (b'%', Some(decoded)) => {
                bytes.push(decoded);
                rest = &tail[2..];
            }
            (b'+', _) => {
                bytes.push(b' ');
                rest = tail;
            }
            _ => {
                bytes.push(byte);
                rest = tail;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn metadata(pairs: &[(&'static str, &str)]) -> MetadataMap {
        let mut map = MetadataMap::new();
        for (key, value) in pairs {
            map.append(*key, value.parse().expect("a header"));
        }
        map
    }

    #[test]
    fn only_plain_paths_narrow_what_is_sent() {
        let dir = tempfile::tempdir().expect("a scratch folder");
        std::fs::create_dir(dir.path().join("real")).expect("a folder");
        std::os::unix::fs::symlink("real", dir.path().join("link")).expect("a link");
        let context = LocalPath::new(dir.path());
        let check = |pairs: &[(&'static str, &str)]| wanted(&context, &metadata(pairs));
        let paths = |names: &[&str]| Wanted::Paths(names.iter().map(|n| (*n).to_owned()).collect());
        assert_eq!(check(&[]), Wanted::All);
        assert_eq!(
            check(&[("followpaths", "real/x"), ("followpaths", "/y/")]),
            paths(&["real/x", "y"])
        );
        assert_eq!(
            check(&[("followpaths", "a%20b"), ("followpaths-encoded", "1")]),
            paths(&["a b"])
        );
        for open in [".", "*.txt", "link/x", "link", "/", "../x", "a/?"] {
            assert_eq!(
                check(&[("followpaths", "real"), ("followpaths", open)]),
                Wanted::All,
                "{open}"
            );
        }
    }
}
