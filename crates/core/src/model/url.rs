//! URLs in the parts that Go's `net/url` takes them into, as result files show them.

use std::fmt;

/// A URL in Go's parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Url {
    /// In lower case; empty when there is none.
    pub scheme: String,
    /// What follows the scheme where no `/` does, as in `mailto:me@example.com`.
    pub opaque: String,
    /// User and password as written, without the `@`.
    pub user: Option<String>,
    /// Host and port.
    pub host: String,
    /// Decoded.
    pub path: String,
    /// The path as written, where that is not how it would be encoded.
    pub raw_path: String,
    /// Whether the URL ends in `?`.
    pub force_query: bool,
    /// Without the `?`.
    pub raw_query: String,
    /// Decoded.
    pub fragment: String,
    /// The fragment as written, where that is not how it would be encoded.
    pub raw_fragment: String,
    /// Whether there is a path after the scheme but no `//`.
    pub omit_host: bool,
}

/// Which part of a URL is encoded.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Path,
    Fragment,
}

impl Url {
    /// Parses a URL or a relative reference.
    ///
    /// # Errors
    /// In Go's words: `parse "<text>": <why>`.
    pub fn parse(text: &str) -> Result<Self, String> {
        Self::parse_parts(text).map_err(|why| format!("parse {text:?}: {why}"))
    }

    fn parse_parts(text: &str) -> Result<Self, String> {
        if text.chars().any(|c| c.is_ascii_control()) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let mut url = Self::default();
        let (text, fragment) = text.split_once('#').unwrap_or((text, ""));
        let (scheme, rest) = split_scheme(text)?;
        url.scheme = scheme.to_ascii_lowercase();
        let rest = url.take_query(rest);
        url.take_hierarchy(rest)?;
        url.fragment = decode(fragment)?;
        if encode(&url.fragment, Part::Fragment) != fragment {
            fragment.clone_into(&mut url.raw_fragment);
        }
        Ok(url)
    }

    fn take_query<'a>(&mut self, rest: &'a str) -> &'a str {
        if let Some(before) = rest.strip_suffix('?')
            && !before.contains('?')
        {
            self.force_query = true;
            return before;
        }
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        query.clone_into(&mut self.raw_query);
        rest
    }

    fn take_hierarchy(&mut self, mut rest: &str) -> Result<(), String> {
        if !rest.starts_with('/') {
            if !self.scheme.is_empty() {
                rest.clone_into(&mut self.opaque);
                return Ok(());
            }
            if rest.split('/').next().is_some_and(|first| first.contains(':')) {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        let has_scheme = !self.scheme.is_empty();
        if let Some(authority) = rest.strip_prefix("//")
            && (has_scheme || !rest.starts_with("///"))
        {
            let end = authority.find('/').unwrap_or(authority.len());
            rest = &authority[end..];
            self.take_authority(&authority[..end])?;
        } else if has_scheme && rest.starts_with('/') {
            self.omit_host = true;
        }
        self.path = decode(rest)?;
        if encode(&self.path, Part::Path) != rest {
            rest.clone_into(&mut self.raw_path);
        }
        Ok(())
    }

    fn take_authority(&mut self, authority: &str) -> Result<(), String> {
        let host = match authority.rsplit_once('@') {
            Some((user, host)) => {
                self.user = Some(user.to_owned());
                host
            }
            None => authority,
        };
        if let Some(bad) = host
            .chars()
            .find(|c| matches!(c, ' ' | '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}'))
        {
            return Err(format!("invalid character {:?} in host name", bad.to_string()));
        }
        let port = match host.rsplit_once(']') {
            Some((_, after)) => after,
            None => host.find(':').map_or("", |at| &host[at..]),
        };
        let digits = port.strip_prefix(':').unwrap_or(port);
        if !digits.bytes().all(|b| b.is_ascii_digit()) {
            return Err(format!("invalid port {port:?} after host"));
        }
        self.host = decode(host)?;
        Ok(())
    }

    fn written_path(&self) -> String {
        if self.raw_path.is_empty() {
            encode(&self.path, Part::Path)
        } else {
            self.raw_path.clone()
        }
    }
}

impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.scheme.is_empty() {
            write!(f, "{}:", self.scheme)?;
        }
        if !self.opaque.is_empty() {
            f.write_str(&self.opaque)?;
        } else {
            let path = self.written_path();
            let has_authority = !self.host.is_empty() || self.user.is_some();
            if has_authority || (!self.scheme.is_empty() && !path.is_empty() && !self.omit_host) {
                f.write_str("//")?;
            }
            if let Some(user) = &self.user {
                write!(f, "{user}@")?;
            }
            f.write_str(&self.host)?;
            if !path.is_empty() && !path.starts_with('/') && !self.host.is_empty() {
                f.write_str("/")?;
            }
            f.write_str(&path)?;
        }
        if self.force_query || !self.raw_query.is_empty() {
            write!(f, "?{}", self.raw_query)?;
        }
        if !self.fragment.is_empty() {
            let fragment = match self.raw_fragment.as_str() {
                "" => encode(&self.fragment, Part::Fragment),
                raw => raw.to_owned(),
            };
            write!(f, "#{fragment}")?;
        }
        Ok(())
    }
}

fn split_scheme(text: &str) -> Result<(&str, &str), String> {
    for (at, c) in text.char_indices() {
        match c {
            'a'..='z' | 'A'..='Z' => {}
            '0'..='9' | '+' | '-' | '.' if at > 0 => {}
            ':' if at == 0 => return Err("missing protocol scheme".to_owned()),
            ':' => return Ok((&text[..at], &text[at + 1..])),
            _ => break,
        }
    }
    Ok(("", text))
}

fn decode(text: &str) -> Result<String, String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((first, after)) = rest.split_first() {
        if *first != b'%' {
            bytes.push(*first);
            rest = after;
            continue;
        }
        let digits = after.get(..2).and_then(|two| std::str::from_utf8(two).ok());
        let Some(byte) = digits.and_then(|two| u8::from_str_radix(two, 16).ok()) else {
            let shown = String::from_utf8_lossy(rest.get(..3).unwrap_or(rest));
            return Err(format!("invalid URL escape {shown:?}"));
        };
        bytes.push(byte);
        rest = &after[2..];
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

fn encode(text: &str, part: Part) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        let plain = match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' => true,
            b'$' | b'&' | b'+' | b',' | b'/' | b':' | b';' | b'=' | b'@' => true,
            b'?' | b'!' | b'(' | b')' | b'*' => part == Part::Fragment,
            _ => false,
        };
        if plain {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_taken_apart_and_put_together_as_in_go() {
        let url = Url::parse("HTTPS://me:pw@example.com:8443/p/a%20th?q=1&r=2#frag").expect("a URL");
        assert_eq!(
            url,
            Url {
                scheme: "https".to_owned(),
                user: Some("me:pw".to_owned()),
                host: "example.com:8443".to_owned(),
                path: "/p/a th".to_owned(),
                raw_query: "q=1&r=2".to_owned(),
                fragment: "frag".to_owned(),
                ..Url::default()
            }
        );
        assert_eq!(
            url.to_string(),
            "https://me:pw@example.com:8443/p/a%20th?q=1&r=2#frag"
        );
    }

    #[test]
    fn what_has_no_authority_is_path_or_opaque() {
        for (text, scheme, opaque, path) in [
            ("mailto:me@example.com", "mailto", "me@example.com", ""),
            ("localhost:3000", "localhost", "3000", ""),
            ("www.example.com/x", "", "", "www.example.com/x"),
            ("/just/a/path", "", "", "/just/a/path"),
            ("file:/etc", "file", "", "/etc"),
        ] {
            let url = Url::parse(text).expect(text);
            assert_eq!(
                (url.scheme.as_str(), url.opaque.as_str(), url.path.as_str()),
                (scheme, opaque, path),
                "{text}"
            );
            assert_eq!(url.to_string(), text);
        }
    }

    #[test]
    fn what_is_no_url_is_refused_in_gos_words() {
        for (text, why) in [
            ("a%zz", "parse \"a%zz\": invalid URL escape \"%zz\""),
            (
                "invalid_escape%",
                "parse \"invalid_escape%\": invalid URL escape \"%\"",
            ),
            (":x", "parse \":x\": missing protocol scheme"),
            (
                "1:2",
                "parse \"1:2\": first path segment in URL cannot contain colon",
            ),
            (
                "http://a b",
                "parse \"http://a b\": invalid character \" \" in host name",
            ),
            (
                "http://a:b/",
                "parse \"http://a:b/\": invalid port \":b\" after host",
            ),
            (
                "a\nb",
                "parse \"a\\nb\": net/url: invalid control character in URL",
            ),
        ] {
            assert_eq!(Url::parse(text), Err(why.to_owned()));
        }
    }
}
