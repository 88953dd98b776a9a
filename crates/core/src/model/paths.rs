//! Paths on this machine, and in a container.

use std::fmt;
use std::path::{Component, Path, PathBuf};

/// Declares a kind of absolute, cleaned paths.
macro_rules! clean_path {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(PathBuf);

        impl $name {
            /// Wraps a path that is already absolute, after removing `.` and `..` by their text.
            ///
            /// A relative path is taken relative to `/`; callers resolve first, with `join`.
            pub fn new(path: impl AsRef<Path>) -> Self {
                Self(cleaned(path.as_ref()))
            }

            /// Returns `path` resolved against this directory; an absolute `path` stays what it is.
            pub fn join(&self, path: impl AsRef<Path>) -> Self {
                Self::new(self.0.join(path))
            }

            /// Returns the directory that holds this path; `/` holds itself.
            pub fn parent(&self) -> Self {
                Self(self.0.parent().unwrap_or(&self.0).to_owned())
            }

            /// Returns whether this is `dir` or lies below it.
            pub fn is_within(&self, dir: &Self) -> bool {
                self.0.starts_with(&dir.0)
            }

            /// Returns the path with its bytes, as file operations take it.
            pub fn as_path(&self) -> &Path {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.display().fmt(f)
            }
        }
    };
}

clean_path! {
    /// An absolute, cleaned path on this machine. It need not exist.
    LocalPath
}

clean_path! {
    /// An absolute, cleaned path in a container. It need not exist, and need not be UTF-8.
    ContainerPath
}

impl LocalPath {
    /// Returns this path relative to `base` where it lies within, else the whole path.
    pub fn relative_to(&self, base: &LocalPath) -> &Path {
        self.0.strip_prefix(&base.0).unwrap_or(&self.0)
    }

    /// Returns the path as seen from `base`, with `..` where it is not below it; `.` for `base` itself.
    pub fn relative_with_dots(&self, base: &Self) -> String {
        let parts = |path: &Self| -> Vec<String> {
            let parts = path.0.components();
            parts
                .map(|part| part.as_os_str().to_string_lossy().into_owned())
                .collect()
        };
        let (path, base) = (parts(self), parts(base));
        let n_common = path.iter().zip(&base).take_while(|(a, b)| a == b).count();
        let up = std::iter::repeat_n("..", base.len() - n_common);
        let down = path.iter().skip(n_common).map(String::as_str);
        let relative: Vec<&str> = up.chain(down).collect();
        if relative.is_empty() {
            ".".to_owned()
        } else {
            relative.join("/")
        }
    }

    /// Returns the last part, `None` for `/`.
    pub fn file_name(&self) -> Option<String> {
        Some(self.0.file_name()?.to_string_lossy().into_owned())
    }
}

impl AsRef<Path> for LocalPath {
    fn as_ref(&self) -> &Path {
        &self.0
    }
}

/// Returns an absolute path without `.` and `..`, which are resolved by their text.
fn cleaned(path: &Path) -> PathBuf {
    let mut clean = PathBuf::from("/");
    for part in path.components() {
        match part {
            Component::Normal(name) => clean.push(name),
            Component::ParentDir => {
                clean.pop();
            }
            Component::Prefix(_) | Component::RootDir | Component::CurDir => {}
        }
    }
    clean
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_resolved_by_text() {
        let dir = LocalPath::new("/a/./b/../c/");
        assert_eq!(dir.to_string(), "/a/c");
        assert_eq!(dir.join("../x").to_string(), "/a/x");
        assert_eq!(dir.join("/etc/hosts").to_string(), "/etc/hosts");
        for (path, relative) in [
            ("/a/c", "."),
            ("/a/c/x/y", "x/y"),
            ("/a/b", "../b"),
            ("/", "../.."),
        ] {
            assert_eq!(LocalPath::new(path).relative_with_dots(&dir), relative);
        }
        assert!(dir.join("x").is_within(&dir) && !LocalPath::new("/a/cc").is_within(&dir));
    }
}
