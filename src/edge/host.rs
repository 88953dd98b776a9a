//! This machine, as a Tiltfile sees it.

use std::io;

use crate::model::LocalPath;
use crate::tiltfile::Host;

/// The files and the environment of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealHost;

impl Host for RealHost {
    fn read(&self, path: &LocalPath) -> io::Result<Vec<u8>> {
        std::fs::read(path)
    }

    fn is_dir(&self, path: &LocalPath) -> bool {
        path.as_path().is_dir()
    }

    fn exists(&self, path: &LocalPath) -> bool {
        path.as_path().exists()
    }

    fn env(&self, name: &str) -> Option<String> {
        std::env::var_os(name).map(|value| value.to_string_lossy().into_owned())
    }
}
