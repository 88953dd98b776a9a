//! Image references, as Docker reads them, and the patterns that match them.

use std::fmt;

/// A parsed image reference. `foo` is `docker.io/library/foo`; no `:latest` is ever added.
///
/// Rule: the reference grammar of the distribution project; the familiar form drops `docker.io/` and `library/`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ImageRef {
    domain: String,
    path: String,
    tag: Option<String>,
    digest: Option<String>,
}

/// Why a text is no image reference.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ImageRefError {
    /// It breaks the grammar.
    #[error("invalid reference format")]
    Format,
    /// Only the case of its letters is wrong.
    #[error("invalid reference format: repository name ({0}) must be lowercase")]
    Uppercase(String),
    /// Its name is longer than 255 characters.
    #[error("repository name must not be more than 255 characters")]
    TooLong,
}

impl ImageRef {
    /// Parses a reference such as `web`, `gcr.io/shop/web:v1` or `web@sha256:...`.
    ///
    /// # Errors
    /// When the text breaks the grammar, has capitals in its name, or a name that is too long.
    pub fn parse(text: &str) -> Result<Self, ImageRefError> {
        let (rest, digest) = match text.split_once('@') {
            Some((rest, digest)) => (rest, Some(digest)),
            None => (text, None),
        };
        let last_slash = rest.rfind('/').map_or(0, |at| at + 1);
        let (name, tag) = match rest[last_slash..].find(':') {
            Some(colon) => (&rest[..last_slash + colon], Some(&rest[last_slash + colon + 1..])),
            None => (rest, None),
        };
        let (domain, path) = match name.split_once('/') {
            Some((first, path)) if is_domain(first) => (first.to_owned(), path.to_owned()),
            Some(_) => ("docker.io".to_owned(), name.to_owned()),
            None => ("docker.io".to_owned(), format!("library/{name}")),
        };
        let domain = if domain == "index.docker.io" {
            "docker.io".to_owned()
        } else {
            domain
        };
        let path = if domain == "docker.io" && !path.contains('/') {
            format!("library/{path}")
        } else {
            path
        };
        if !domain_is_valid(&domain) {
            return Err(ImageRefError::Format);
        }
        if !path.split('/').all(component_is_valid) {
            let lower = path.to_lowercase();
            let only_case = lower != path && lower.split('/').all(component_is_valid);
            return Err(if only_case {
                ImageRefError::Uppercase(path)
            } else {
                ImageRefError::Format
            });
        }
        if !tag.is_none_or(tag_is_valid) || !digest.is_none_or(digest_is_valid) {
            return Err(ImageRefError::Format);
        }
        if domain.len() + 1 + path.len() > 255 {
            return Err(ImageRefError::TooLong);
        }
        Ok(Self {
            domain,
            path,
            tag: tag.map(str::to_owned),
            digest: digest.map(str::to_owned),
        })
    }

    /// Returns the registry host, `docker.io` where none was written.
    pub fn domain(&self) -> &str {
        &self.domain
    }

    /// Returns the path below the host, `library/foo` for a plain `foo`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// Returns the tag, if one was written.
    pub fn tag(&self) -> Option<&str> {
        self.tag.as_deref()
    }

    /// Returns the digest with its algorithm, if one was written.
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// Returns the full name without tag and digest.
    pub fn name(&self) -> String {
        format!("{}/{}", self.domain, self.path)
    }

    /// Returns what others say of this image in lower case and without its name, which may hold any word.
    pub fn said_without_name(&self, text: &str) -> String {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        let mut text = text.to_lowercase();
        for name in [self.name(), self.familiar_name(), self.path().to_owned()] {
            let (mut out, mut rest) = (String::with_capacity(text.len()), text.as_str());
            while let Some(at) = rest.find(&name) {
                let (before, from) = rest.split_at(at);
                let after = &from[name.len()..];
                let is_part = before.ends_with(is_of_name) || after.starts_with(is_of_name);
                out.push_str(before);
                if is_part {
                    out.push_str(&name);
                }
                rest = after;
            }
            out.push_str(rest);
            text = out;
        }
        text
    }

    /// Returns the name as people write it, without tag and digest.
    pub fn familiar_name(&self) -> String {
        if self.domain != "docker.io" {
            return self.name();
        }
        match self.path.strip_prefix("library/") {
            Some(short) if !short.contains('/') => short.to_owned(),
            _ => self.path.clone(),
        }
    }

    /// Returns the reference as people write it, with tag and digest.
    pub fn familiar(&self) -> String {
        self.with_suffix(self.familiar_name())
    }

    /// Returns the same name with this tag and no digest.
    #[must_use]
    pub fn with_tag(&self, tag: &str) -> Self {
        Self {
            tag: Some(tag.to_owned()),
            digest: None,
            ..self.clone()
        }
    }

    /// Returns the same name with neither tag nor digest.
    #[must_use]
    pub fn without_tag(&self) -> Self {
        Self {
            tag: None,
            digest: None,
            ..self.clone()
        }
    }

    /// Returns the same name and tag with this digest.
    #[must_use]
    pub fn with_digest(&self, digest: &str) -> Self {
        Self {
            digest: Some(digest.to_owned()),
            ..self.clone()
        }
    }

    /// Returns the tag that Docker takes.
    fn meant_tag(&self) -> Option<&str> {
        let default = self.digest.is_none().then_some("latest");
        self.tag.as_deref().or(default)
    }

    fn with_suffix(&self, mut text: String) -> String {
        if let Some(tag) = &self.tag {
            text.push(':');
            text.push_str(tag);
        }
        if let Some(digest) = &self.digest {
            text.push('@');
            text.push_str(digest);
        }
        text
    }
}

/// Prints the full form, with `docker.io` and `library`.
impl fmt::Display for ImageRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.with_suffix(self.name()))
    }
}

/// Which references mean an image that we build.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ImageSelector {
    /// The reference as declared.
    pub image: ImageRef,
    /// Whether the tag must be equal too. Set for a declaration with a tag, and for every declaration of a name that
    /// is declared more than once.
    pub exact: bool,
}

impl ImageSelector {
    /// Returns the selector that a declared reference stands for: exact if it has a tag.
    pub fn new(image: ImageRef) -> Self {
        let exact = image.tag().is_some();
        Self { image, exact }
    }

    /// Returns whether `other` means this image. No tag stands for `latest`.
    pub fn matches(&self, other: &ImageRef) -> bool {
        self.image.domain == other.domain
            && self.image.path == other.path
            && (!self.exact
                || (self.image.meant_tag() == other.meant_tag() && self.image.digest == other.digest))
    }
}

fn is_domain(first: &str) -> bool {
    first.contains(['.', ':']) || first == "localhost" || first.chars().any(|c| c.is_ascii_uppercase())
}

fn domain_is_valid(domain: &str) -> bool {
    let (host, port) = match domain.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => (host, Some(port)),
        _ => (domain, None),
    };
    let port_ok = port.is_none_or(|p| !p.is_empty() && p.bytes().all(|b| b.is_ascii_digit()));
    let label_ok = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
    };
    let ipv6 = host.starts_with('[')
        && host.ends_with(']')
        && host[1..host.len() - 1]
            .bytes()
            .all(|b| b.is_ascii_hexdigit() || b == b':');
    port_ok && (ipv6 || host.split('.').all(label_ok))
}

/// One path component: lower-case letters and digits, joined by `.`, `_`, `__` or any number of `-`.
fn component_is_valid(component: &str) -> bool {
    let alnum = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = component.as_bytes();
    if bytes.is_empty() || !alnum(bytes[0]) || !alnum(bytes[bytes.len() - 1]) {
        return false;
    }
    bytes.split(|b| alnum(*b)).all(|joint| {
        joint.is_empty()
            || joint == b"."
            || joint == b"_"
            || joint == b"__"
            || joint.iter().all(|b| *b == b'-')
    })
}

fn tag_is_valid(tag: &str) -> bool {
    let word = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
    tag.len() <= 128
        && tag.bytes().next().is_some_and(word)
        && tag.bytes().all(|b| word(b) || b == b'.' || b == b'-')
}

fn digest_is_valid(digest: &str) -> bool {
    digest.split_once(':').is_some_and(|(algorithm, hex)| {
        !algorithm.is_empty()
            && algorithm
                .bytes()
                .all(|b| b.is_ascii_alphanumeric() || b"+._-".contains(&b))
            && hex.len() >= 32
            && hex.bytes().all(|b| b.is_ascii_hexdigit())
            && (algorithm != "sha256" || hex.len() == 64)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, full: &str, familiar: &str) {
        let image = ImageRef::parse(text).expect(text);
        assert_eq!(
            (image.to_string().as_str(), image.familiar().as_str()),
            (full, familiar)
        );
    }

    #[test]
    fn what_is_said_of_an_image_is_told_from_its_name() {
        for (image, said, rest) in [
            (
                "acme/denied:1",
                "pull access denied for acme/denied, x",
                "pull access denied for , x",
            ),
            ("a", "unauthorized: a is private", "unauthorized:  is private"),
            (
                "gcr.io/eof/auth",
                "Get \"https://gcr.io/v2/eof/auth/manifests\": EOF",
                "get \"https://gcr.io/v2//manifests\": eof",
            ),
        ] {
            let image = ImageRef::parse(image).expect("a reference");
            assert_eq!(image.said_without_name(said), rest, "{said}");
        }
    }

    #[test]
    fn short_names_are_completed_and_shortened_as_docker_does() {
        check("foo", "docker.io/library/foo", "foo");
        check("a/b:1", "docker.io/a/b:1", "a/b:1");
        check("docker.io/foo", "docker.io/library/foo", "foo");
        check("index.docker.io/library/foo", "docker.io/library/foo", "foo");
        check("localhost/x", "localhost/x", "localhost/x");
        check("localhost:5000/x:t", "localhost:5000/x:t", "localhost:5000/x:t");
        check("gcr.io/foo/bar", "gcr.io/foo/bar", "gcr.io/foo/bar");
        check("[::1]:5000/x", "[::1]:5000/x", "[::1]:5000/x");
        let digest = format!("x@sha256:{}", "0".repeat(64));
        check(&digest, &format!("docker.io/library/{digest}"), &digest);
    }

    #[test]
    fn what_breaks_the_grammar_is_refused() {
        for text in [
            "",
            ":",
            "a b",
            "a//b",
            "/a",
            "a:",
            "a@sha256:1",
            "a___b",
            "-a",
            "a:-t",
            "a/b:c d",
            "x@y",
        ] {
            assert_eq!(ImageRef::parse(text), Err(ImageRefError::Format), "{text:?}");
        }
        assert_eq!(
            ImageRef::parse("a/B"),
            Err(ImageRefError::Uppercase("a/B".to_owned()))
        );
        assert_eq!(
            ImageRef::parse(&format!("a/{}", "b".repeat(255))),
            Err(ImageRefError::TooLong)
        );
    }

    #[test]
    fn a_selector_without_a_tag_matches_any_tag_and_one_with_a_tag_only_that() {
        let image = |text: &str| ImageRef::parse(text).expect(text);
        let any = ImageSelector::new(image("gcr.io/a"));
        assert!(any.matches(&image("gcr.io/a:1")) && !any.matches(&image("gcr.io/b")));
        let one = ImageSelector::new(image("gcr.io/a:1"));
        assert!(one.matches(&image("gcr.io/a:1")) && !one.matches(&image("gcr.io/a")));
        let latest = ImageSelector {
            exact: true,
            ..ImageSelector::new(image("gcr.io/a"))
        };
        assert!(latest.matches(&image("gcr.io/a:latest")) && latest.matches(&image("gcr.io/a")));
        assert!(!latest.matches(&image("gcr.io/a:1")));
    }
}
