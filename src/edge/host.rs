//! This machine, as a Tiltfile sees it.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::sync::atomic::AtomicBool;

use super::process::{ChildCommand, Environment, run_to_end, set_own};
use crate::model::LocalPath;
use crate::tiltfile::{DirEntry, Host, HostCommand, Ran};

/// The files, the environment and the programs of this machine.
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

    fn list(&self, directory: &LocalPath) -> io::Result<Vec<DirEntry>> {
        let mut entries = Vec::new();
        for entry in std::fs::read_dir(directory)? {
            let entry = entry?;
            entries.push(DirEntry {
                name: entry.file_name().to_string_lossy().into_owned(),
                is_dir: entry.file_type()?.is_dir(),
            });
        }
        entries.sort_by(|left, right| left.name.cmp(&right.name));
        Ok(entries)
    }

    fn real_path(&self, path: &LocalPath) -> io::Result<LocalPath> {
        std::fs::canonicalize(path).map(LocalPath::new)
    }

    fn env(&self, name: &str) -> Option<String> {
        let value = Environment::inherited().get(name).map(ToOwned::to_owned);
        value.map(|value| value.to_string_lossy().into_owned())
    }

    fn environment(&self) -> BTreeMap<String, String> {
        let own = Environment::inherited();
        let variables = own.iter().map(|(name, value)| {
            (
                name.to_string_lossy().into_owned(),
                value.to_string_lossy().into_owned(),
            )
        });
        variables.collect()
    }

    fn set_env(&self, name: &str, value: Option<&str>) {
        set_own(name, value);
    }

    fn run(&self, run: &mut HostCommand<'_>, cancelled: &AtomicBool) -> io::Result<Ran> {
        let mut env = Environment::default();
        for (name, value) in &run.environment {
            env.set(name, value);
        }
        let command = ChildCommand {
            argv: run.command.argv.clone(),
            dir: match &run.command.dir {
                Some(dir) => dir.clone(),
                None => LocalPath::new(Path::new("/")),
            },
            env,
        };
        let stdin = std::mem::take(&mut run.stdin);
        let captured = run_to_end(&command, stdin, run.output, cancelled)?;
        Ok(Ran {
            failure: (!captured.exit.is_success()).then(|| captured.exit.to_string()),
            stdout: captured.stdout,
            stderr: captured.stderr,
        })
    }
}
