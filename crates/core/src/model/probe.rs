//! How to find out whether a server is ready.

/// A readiness probe. A number of 0 stands for its default: period 10 s, timeout 1 s, success 1, failure 3.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Probe {
    /// What is tried.
    pub action: ProbeAction,
    /// How long to wait before the first try, in seconds.
    pub initial_delay_secs: i32,
    /// How long a try may take, in seconds.
    pub timeout_secs: i32,
    /// How long to wait between tries, in seconds.
    pub period_secs: i32,
    /// How many tries in a row must succeed until the server counts as ready.
    pub success_threshold: i32,
    /// How many tries in a row must fail until it no longer does.
    pub failure_threshold: i32,
}

/// What a probe tries.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ProbeAction {
    /// A command, which must exit with 0.
    Exec {
        /// Program and arguments.
        command: Vec<String>,
    },
    /// A page, whose status must be from 200 to 399.
    HttpGet {
        /// Empty for `localhost`.
        host: String,
        /// The port.
        port: i32,
        /// `HTTP`, `HTTPS`, or empty for `HTTP`.
        scheme: String,
        /// Empty for `/`.
        path: String,
    },
    /// A port, which must accept a connection.
    TcpSocket {
        /// Empty for `localhost`.
        host: String,
        /// The port.
        port: i32,
    },
}
