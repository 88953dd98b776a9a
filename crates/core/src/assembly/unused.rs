//! The warning about an image that nothing uses.
//!
//! Rule: `docs/rules/assembly.md`, "Unused images".

use std::collections::BTreeSet;

use super::compose::Services;
use super::images::Images;
use super::resources::Grouping;
use crate::diag::Diagnostic;

/// How many similar names are suggested.
const MAX_SUGGESTIONS: usize = 3;

/// Returns a warning about the first image that nothing uses.
pub(super) fn warning(
    images: &Images,
    grouping: &Grouping,
    services: &Services,
    allowed: &[String],
) -> Option<Diagnostic> {
    let unused = images.unused(allowed).next()?;
    let message = if grouping.objects.is_empty() && services.is_empty() {
        "We could not find any deployment instructions, e.g. `k8s_yaml` or `docker_compose`.\n\
         Skipping all image builds until we know how to deploy them."
            .to_owned()
    } else if grouping.resources.is_empty() && services.is_empty() {
        "No Kubernetes configs with images found.\n\
         If you are using CRDs, add k8s_kind() to tell Tilt how to find images.\n\
         https://docs.tilt.dev/api.html#api.k8s_kind"
            .to_owned()
    } else {
        let name = unused.image.familiar();
        let kind = if services.is_empty() {
            "Kubernetes"
        } else {
            "Docker Compose"
        };
        let deployed = grouping.deployed_images.iter().cloned();
        let known: BTreeSet<String> = deployed
            .chain(services.image_names())
            .chain(images.base_names().iter().cloned())
            .collect();
        format!(
            "Image not used in any {kind} config:\n    ✕ {name}\n{}Skipping this image build\n\
             If this is deliberate, suppress this warning with: \
             update_settings(suppress_unused_image_warnings=[\"{name}\"])",
            suggestions(&name, &known)
        )
    };
    Some(Diagnostic::warning(message).at(unused.site.argument("ref", 0)))
}

fn suggestions(name: &str, deployed: &BTreeSet<String>) -> String {
    let similar = most_similar(name, deployed);
    if similar.is_empty() {
        return String::new();
    }
    let lines: String = similar.iter().map(|name| format!("    - {name}\n")).collect();
    format!("Did you mean…\n{lines}")
}

/// Returns the names that share the most pieces of two, three and four letters with a name.
fn most_similar<'a>(name: &str, known: &'a BTreeSet<String>) -> Vec<&'a str> {
    let wanted = pieces(name);
    let mut scored: Vec<(usize, &str)> = known
        .iter()
        .map(|other| (pieces(other).intersection(&wanted).count(), other.as_str()))
        .filter(|(score, _)| *score > 0)
        .collect();
    scored.sort_by_key(|(score, _)| std::cmp::Reverse(*score));
    scored
        .into_iter()
        .take(MAX_SUGGESTIONS)
        .map(|(_, name)| name)
        .collect()
}

fn pieces(name: &str) -> BTreeSet<String> {
    let letters: Vec<char> = name.to_lowercase().chars().collect();
    (2..=4)
        .flat_map(|size| letters.windows(size).map(|piece| piece.iter().collect()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_most_similar_names_come_first_and_strangers_not_at_all() {
        let known = ["gcr.io/foo", "gcr.io/other", "zzz"].map(str::to_owned).into();
        assert_eq!(
            most_similar("gcr.io/fooo", &known),
            ["gcr.io/foo", "gcr.io/other"]
        );
    }
}
