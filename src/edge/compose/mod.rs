//! Services of Docker Compose. The `docker compose` command makes their containers (`up`, with `command`); what these do, and
//! what they print, is asked of the Docker engine itself (`watch`, `logs`), and so is what needs no file of the project
//! (`containers`). Where all is as wanted already, compose is not called (`unchanged`); what it does not see itself is whether
//! containers hold what the files say (`texts`). `taken_port` says who has a port.
//!
//! The update of a service, which begins with its images, is `update`'s.

mod command;
mod containers;
mod frames;
mod logs;
mod taken_port;
mod texts;
mod unchanged;
mod up;
mod watch;

pub use command::down;
pub(in crate::edge) use command::{ComposeCall, ComposeFault};
pub(in crate::edge) use containers::{remove, restart};
pub(in crate::edge) use logs::ContainerLogs;
pub(in crate::edge) use taken_port::hint as taken_port_hint;
pub(in crate::edge) use up::Ups;
pub(in crate::edge) use watch::ServiceWatch;
