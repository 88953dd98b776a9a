//! The TLS of the API's port: a certificate made for this session, which clients find in the registry.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use rustls::ServerConfig;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Mutex, Semaphore, mpsc};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::edge::lasting;
use crate::logs::LogWriter;

/// How long a client may take to shake hands.
const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(10);

/// How many connections that shook hands may wait to be served.
const WAITING: usize = 64;

/// How many connections may be shaking hands; others are let go.
const SHAKING: usize = 200;

/// Returns what accepts connections, and the certificate as PEM.
pub(super) fn make() -> anyhow::Result<(TlsAcceptor, String)> {
    let names = vec!["localhost".to_owned(), "127.0.0.1".to_owned()];
    let made = rcgen::generate_simple_self_signed(names)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(made.signing_key.serialize_der()));
    let mut config = ServerConfig::builder()
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .context("the certificate does not fit its key")?;
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok((TlsAcceptor::from(Arc::new(config)), made.cert.pem()))
}

/// Accepts TLS connections; a client that does not shake hands holds up no other one.
pub(super) struct Listener {
    accepted: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: std::io::Result<SocketAddr>,
    accepting: tokio::task::JoinHandle<()>,
}

impl Listener {
    pub(super) fn new(listener: TcpListener, acceptor: TlsAcceptor, log: LogWriter) -> Self {
        let (sender, accepted) = mpsc::channel(WAITING);
        let address = listener.local_addr();
        let listener = Arc::new(Mutex::new(listener));
        let accepting = tokio::spawn(async move {
            let begin = || accept_all(Arc::clone(&listener), acceptor.clone(), sender.clone());
            lasting("the port of the API", &log, begin).await;
        });
        Self {
            accepted,
            address,
            accepting,
        }
    }
}

async fn accept_all(
    listener: Arc<Mutex<TcpListener>>,
    acceptor: TlsAcceptor,
    sender: mpsc::Sender<(TlsStream<TcpStream>, SocketAddr)>,
) {
    // Nobody else waits for it: a task that died has let go of it.
    let mut listener = listener.lock().await;
    let places = Arc::new(Semaphore::new(SHAKING));
    loop {
        let (stream, address) = axum::serve::Listener::accept(&mut *listener).await;
        let (acceptor, sender) = (acceptor.clone(), sender.clone());
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            continue;
        };
        tokio::spawn(async move {
            let _place = place;
            let shaken = tokio::time::timeout(HANDSHAKE_TIMEOUT, acceptor.accept(stream)).await;
            if let Ok(Ok(stream)) = shaken {
                let _ = sender.send((stream, address)).await;
            }
        });
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.accepting.abort();
    }
}

impl axum::serve::Listener for Listener {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.accepted.recv().await {
            Some(accepted) => accepted,
            // The task that accepts has no end of its own.
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> std::io::Result<Self::Addr> {
        match &self.address {
            Ok(address) => Ok(*address),
            Err(error) => Err(error.kind().into()),
        }
    }
}
