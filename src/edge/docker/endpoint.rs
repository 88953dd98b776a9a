//! Where a Docker engine listens, and opening a connection to it.

use std::fmt;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, InvalidDnsNameError, PrivateKeyDer, ServerName};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, UnixStream};

/// The socket that an engine listens on where nothing else is said.
pub(super) const DEFAULT_HOST: &str = "unix:///var/run/docker.sock";

/// Where an engine listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Endpoint {
    Unix(PathBuf),
    Tcp {
        /// `host:port`.
        address: String,
        /// Certificates, when the connection is encrypted.
        tls: Option<TlsFiles>,
    },
}

/// The certificates of an encrypted connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct TlsFiles {
    /// Holds `ca.pem`, `cert.pem` and `key.pem`.
    pub(super) directory: PathBuf,
}

/// A connection to an engine.
pub(super) trait Connection: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Connection for T {}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unix(path) => write!(f, "unix://{}", path.display()),
            Self::Tcp { address, .. } => write!(f, "tcp://{address}"),
        }
    }
}

impl Endpoint {
    /// Reads a host as in `DOCKER_HOST`: `unix:///path`, `tcp://host:port`, `http://`, `https://`.
    ///
    /// # Errors
    /// The reason, for a scheme that is not known.
    pub(super) fn parse(host: &str, tls: Option<TlsFiles>) -> Result<Self, String> {
        let (scheme, rest) = host.split_once("://").unwrap_or(("tcp", host));
        let address = |default_port: u16| {
            let authority = rest.split('/').next().unwrap_or_default();
            let has_port = authority
                .rsplit_once(':')
                .is_some_and(|(_, port)| port.parse::<u16>().is_ok());
            if has_port {
                authority.to_owned()
            } else {
                format!("{authority}:{default_port}")
            }
        };
        match scheme {
            "unix" => Ok(Self::Unix(PathBuf::from(rest))),
            "tcp" | "http" | "https" => Ok(Self::Tcp {
                address: address(if tls.is_some() { 2376 } else { 2375 }),
                tls,
            }),
            _ => Err(format!(
                "unable to parse docker host {host:?}: scheme {scheme:?} is not supported"
            )),
        }
    }

    /// Opens a connection.
    pub(super) async fn dial(&self) -> io::Result<Box<dyn Connection>> {
        match self {
            Self::Unix(path) => Ok(Box::new(UnixStream::connect(path).await?)),
            Self::Tcp { address, tls } => {
                let stream = TcpStream::connect(address).await?;
                stream.set_nodelay(true)?;
                let Some(files) = tls else {
                    return Ok(Box::new(stream));
                };
                let name = server_name(address).map_err(io::Error::other)?;
                let connector = tokio_rustls::TlsConnector::from(Arc::new(files.client_config()?));
                Ok(Box::new(connector.connect(name, stream).await?))
            }
        }
    }
}

/// Returns the name that a server's certificate must have; an address of IPv6 has brackets only before a port.
fn server_name(address: &str) -> Result<ServerName<'static>, InvalidDnsNameError> {
    let host = address.rsplit_once(':').map_or(address, |(host, _)| host);
    let plain = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    ServerName::try_from(plain.unwrap_or(host).to_owned())
}

impl TlsFiles {
    /// Checks that the files are there.
    ///
    /// # Errors
    /// The first one that is not, as the docker command says it.
    pub(super) fn check(&self) -> Result<(), String> {
        for name in ["ca.pem", "cert.pem", "key.pem"] {
            let path = self.directory.join(name);
            std::fs::File::open(&path).map_err(|error| {
                let why = match error.kind() {
                    io::ErrorKind::NotFound => "no such file or directory".to_owned(),
                    io::ErrorKind::PermissionDenied => "permission denied".to_owned(),
                    _ => error.to_string(),
                };
                format!(
                    "unable to resolve docker endpoint: open {}: {why}",
                    path.display()
                )
            })?;
        }
        Ok(())
    }

    fn client_config(&self) -> io::Result<rustls::ClientConfig> {
        let mut roots = rustls::RootCertStore::empty();
        for certificate in self.certificates("ca.pem")? {
            roots.add(certificate).map_err(io::Error::other)?;
        }
        let key_file = self.directory.join("key.pem");
        let key = PrivateKeyDer::from_pem_file(&key_file).map_err(|err| named(&key_file, &err))?;
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(io::Error::other)?
            .with_root_certificates(roots)
            .with_client_auth_cert(self.certificates("cert.pem")?, key)
            .map_err(io::Error::other)
    }

    fn certificates(&self, file: &str) -> io::Result<Vec<CertificateDer<'static>>> {
        let path = self.directory.join(file);
        let certificates = CertificateDer::pem_file_iter(&path).map_err(|err| named(&path, &err))?;
        certificates
            .collect::<Result<_, _>>()
            .map_err(|err| named(&path, &err))
    }
}

fn named(path: &Path, err: &dyn std::fmt::Display) -> io::Error {
    io::Error::other(format!("{}: {err}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_for_a_name_or_an_address_without_brackets() {
        for (address, name) in [
            ("[::1]:2376", "::1"),
            ("1.2.3.4:2376", "1.2.3.4"),
            ("box:2376", "box"),
        ] {
            let found = server_name(address).expect(address);
            assert_eq!(found.to_str(), name);
        }
    }

    #[test]
    fn a_host_may_be_a_socket_or_an_address_with_or_without_port() {
        let tcp = |address: &str| {
            Ok(Endpoint::Tcp {
                address: address.to_owned(),
                tls: None,
            })
        };
        assert_eq!(
            Endpoint::parse("unix:///run/d.sock", None),
            Ok(Endpoint::Unix(PathBuf::from("/run/d.sock")))
        );
        assert_eq!(Endpoint::parse("tcp://1.2.3.4:99/x", None), tcp("1.2.3.4:99"));
        assert_eq!(Endpoint::parse("tcp://box", None), tcp("box:2375"));
        assert_eq!(Endpoint::parse("box:1", None), tcp("box:1"));
        assert!(Endpoint::parse("ssh://me@box", None).is_err());
    }
}
