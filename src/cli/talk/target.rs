//! Which objects a command is about, as users write it: `TYPE NAME...`, `TYPE/NAME...`, `TYPE`.

use anyhow::{anyhow, bail};

use crate::api::{KINDS, Kind};
use crate::diag::nearest;

/// Kinds, and the names of objects; no names means all of the kind.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Target {
    pub(super) kind: &'static Kind,
    pub(super) names: Vec<String>,
}

/// What is said when no type is named.
const NO_TYPE: &str = "Required resource not specified.\nUse \"tilt explain <resource>\" for a detailed description of that \
                       resource (e.g. tilt explain uiresources).\nUse \"tilt api-resources\" for a complete list of supported \
                       resources.\nSee 'tilt get -h' for help and examples";

/// Reads the words of a command.
///
/// # Errors
/// An unknown kind, with the nearest one; a mix of both ways of writing.
pub(super) fn targets(words: &[String]) -> anyhow::Result<Vec<Target>> {
    let Some((first, rest)) = words.split_first() else {
        bail!(NO_TYPE);
    };
    if words.iter().any(|word| word.contains('/')) {
        let mut targets: Vec<Target> = Vec::new();
        for word in words {
            if word.matches('/').count() > 1 {
                bail!("arguments in resource/name form may not have more than one slash");
            }
            let (kind, name) = word
                .split_once('/')
                .ok_or_else(|| anyhow!("there is no need to specify a resource type as a separate argument when passing \
                    arguments in resource/name form (e.g. 'tilt get resource/<resource_name>' instead of 'tilt get resource \
                    resource/<resource_name>'"))?;
            if kind.is_empty() || name.is_empty() || kind.contains(',') {
                bail!("arguments in resource/name form must have a single resource and name");
            }
            let kind = kind_of(kind)?;
            match targets.iter_mut().find(|target| target.kind == kind) {
                Some(target) => target.names.push(name.to_owned()),
                None => targets.push(Target {
                    kind,
                    names: vec![name.to_owned()],
                }),
            }
        }
        return Ok(targets);
    }
    let kinds = first.split(',').map(|kind| {
        Ok(Target {
            kind: kind_of(kind)?,
            names: rest.to_vec(),
        })
    });
    kinds.collect()
}

fn kind_of(word: &str) -> anyhow::Result<&'static Kind> {
    Kind::meant_by(word).ok_or_else(|| {
        let known = KINDS.iter().flat_map(|kind| [kind.singular, kind.plural]);
        let hint = nearest(&word.to_lowercase(), known).map(|near| format!("\nhint: did you mean {near:?}?"));
        anyhow!(
            "the server doesn't have a resource type {word:?}{}",
            hint.unwrap_or_default()
        )
    })
}

impl Target {
    /// Returns the path of an object, or of all.
    pub(super) fn path(&self, name: Option<&str>) -> String {
        let base = format!("/apis/tilt.dev/v1alpha1/{}", self.kind.plural);
        match name {
            Some(name) => format!("{base}/{}", escaped(name)),
            None => base,
        }
    }
}

/// Writes a name as a segment of a path.
pub(in super::super) fn escaped(name: &str) -> String {
    let mut path = String::new();
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => {
                path.push(char::from(byte))
            }
            _ => path.push_str(&format!("%{byte:02X}")),
        }
    }
    path
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &[&str]) -> Result<Vec<(&'static str, Vec<String>)>, String> {
        let words: Vec<String> = words.iter().map(|&word| word.to_owned()).collect();
        let targets = targets(&words).map_err(|error| error.to_string())?;
        Ok(targets
            .into_iter()
            .map(|target| (target.kind.name, target.names))
            .collect())
    }

    #[test]
    fn objects_are_named_in_two_ways() {
        let web = || vec!["web".to_owned()];
        assert_eq!(read(&["uiresource", "web"]), Ok(vec![("UIResource", web())]));
        assert_eq!(
            read(&["uiresource/web", "cm/web"]),
            Ok(vec![("UIResource", web()), ("ConfigMap", web())])
        );
        assert_eq!(
            read(&["kd,im"]),
            Ok(vec![("KubernetesDiscovery", vec![]), ("ImageMap", vec![])])
        );
    }

    #[test]
    fn a_name_behind_a_slash_is_one_name_of_one_kind() {
        for words in ["uiresource/", "/web", "uiresource,cm/web"] {
            assert_eq!(
                read(&[words]).expect_err(words),
                "arguments in resource/name form must have a single resource and name"
            );
        }
        assert_eq!(
            read(&["uiresource/web/x"]).expect_err("two slashes"),
            "arguments in resource/name form may not have more than one slash"
        );
    }

    #[test]
    fn an_unknown_kind_is_answered_with_the_nearest() {
        let error = read(&["uiresorce"]).expect_err("there is no such kind");
        assert_eq!(
            error,
            "the server doesn't have a resource type \"uiresorce\"\nhint: did you mean \"uiresource\"?"
        );
    }

    #[test]
    fn names_become_segments_of_paths() {
        assert_eq!(escaped("(Tiltfile)"), "%28Tiltfile%29");
    }
}
