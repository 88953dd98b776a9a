//! Links and port-forwards: what a user can open for a resource.

use super::Url;

/// A link that a UI shows for a resource.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// Where it leads.
    pub url: Url,
    /// What is shown in its place; empty to show the URL.
    pub name: String,
}

impl Link {
    /// Parses a URL. One without a scheme gets `http`.
    ///
    /// # Errors
    /// In Go's words.
    pub fn parse(url: &str, name: &str) -> Result<Self, String> {
        if url.is_empty() {
            return Err("url empty".to_owned());
        }
        let mut parsed = Url::parse(url)?;
        if parsed.scheme.is_empty() {
            parsed.scheme = "http".to_owned();
        }
        Ok(Self {
            url: parsed,
            name: name.to_owned(),
        })
    }
}

/// A local port that leads to a port of a resource's pod.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct PortForward {
    /// The port on this machine.
    pub local_port: u16,
    /// The port in the pod; 0 to take the first that a container names, else the local one.
    pub container_port: u16,
    /// The address to listen on; `None` for the host of the session's web page.
    pub host: Option<String>,
    /// What a UI shows in place of the URL.
    pub name: String,
    /// What is added to the URL, without a leading `/`.
    pub path: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_without_a_scheme_is_http_and_an_empty_one_is_none() {
        let shown = |text: &str| Link::parse(text, "").map(|link| link.url.to_string());
        assert_eq!(shown("www.example.com").as_deref(), Ok("http://www.example.com"));
        assert_eq!(shown("ws://x").as_deref(), Ok("ws://x"));
        assert_eq!(shown(""), Err("url empty".to_owned()));
    }
}
