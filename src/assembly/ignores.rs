//! What is left out of an image's build context and of the watch on it.
//!
//! Rule: `reference/tiltfile-api.md` 3.11.

use super::DeclaredImage;
use crate::model::{Ignore, LocalPath};

/// Returns what is not sent to the engine: the declaring file, `.git`, `ignore=`, what `only=` leaves out, and the
/// dockerignore file's patterns.
pub(super) fn of_context(image: &DeclaredImage) -> Vec<Ignore> {
    let whole = |base: LocalPath| Ignore {
        base,
        patterns: Vec::new(),
    };
    let below = |patterns: Vec<String>| {
        (!patterns.is_empty()).then(|| Ignore {
            base: image.context.clone(),
            patterns,
        })
    };
    let mut ignores = vec![whole(image.declared_in.clone())];
    ignores.extend(image.git_roots.iter().map(|root| whole(root.join(".git"))));
    ignores.extend(below(image.ignore.clone()));
    ignores.extend(below(only_patterns(&image.only)));
    ignores.extend(image.dockerignore.ignore_below(&image.context));
    ignores
}

/// Returns what is not watched: the same, and the Dockerfile, which is watched as a part of the configuration.
pub(super) fn of_watch(image: &DeclaredImage) -> Vec<Ignore> {
    let mut ignores = of_context(image);
    ignores.push(Ignore {
        base: image.dockerfile.clone(),
        patterns: Vec::new(),
    });
    ignores
}

/// Everything is left out but these paths.
fn only_patterns(only: &[String]) -> Vec<String> {
    if only.is_empty() {
        return Vec::new();
    }
    let everything = std::iter::once("**".to_owned());
    everything
        .chain(only.iter().map(|path| format!("!{path}")))
        .collect()
}
