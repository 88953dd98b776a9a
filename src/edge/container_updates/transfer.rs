//! Brings files into a container, and deletes others there.

use std::io;

use super::batch::OnDisk;
use super::exec::{Ended, Target};
use crate::model::{ContainerPath, LocalPath, SyncFailure};

/// Makes what is there what is here.
pub(super) async fn send(target: &Target, found: OnDisk) -> Result<(), SyncFailure> {
    if !found.deleted.is_empty() {
        let mut argv = vec!["rm".to_owned(), "-rf".to_owned(), "--".to_owned()];
        argv.extend(found.deleted.iter().map(|(_, there)| there.to_string()));
        check("rm", target.feed(&argv, Vec::new()).await?)?;
    }
    if found.copied.is_empty() {
        return Ok(());
    }
    let packed = tokio::task::spawn_blocking(move || pack(&found.copied)).await;
    let packed = packed.map_err(|error| SyncFailure::Other(error.to_string()))??;
    let argv = ["tar", "-C", "/", "-x", "-f", "-"].map(str::to_owned);
    check("tar", target.feed(&argv, packed).await?)
}

/// Returns files as a tar, owned by root. What is gone meanwhile is left out: its deletion is another change.
fn pack(files: &[(LocalPath, ContainerPath)]) -> Result<Vec<u8>, SyncFailure> {
    let mut tar = tar::Builder::new(Vec::new());
    tar.follow_symlinks(false);
    for (local, container) in files {
        match append(&mut tar, local, container) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                return Err(SyncFailure::Unreadable {
                    local: local.clone(),
                    error: error.to_string(),
                });
            }
            _ => {}
        }
    }
    tar.into_inner()
        .map_err(|error| SyncFailure::Other(error.to_string()))
}

fn append(tar: &mut tar::Builder<Vec<u8>>, local: &LocalPath, container: &ContainerPath) -> io::Result<()> {
    let path = local.as_path();
    let metadata = std::fs::symlink_metadata(path)?;
    let mut header = tar::Header::new_gnu();
    header.set_metadata(&metadata);
    header.set_uid(0);
    header.set_gid(0);
    let name = container.as_path();
    let name = name.strip_prefix("/").unwrap_or(name);
    if metadata.is_symlink() {
        header.set_size(0);
        return tar.append_link(&mut header, name, std::fs::read_link(path)?);
    }
    if metadata.is_dir() {
        header.set_size(0);
        return tar.append_data(&mut header, name, io::empty());
    }
    let contents = std::fs::read(path)?;
    header.set_size(contents.len() as u64);
    tar.append_data(&mut header, name, contents.as_slice())
}

fn check(program: &str, (ended, said): (Ended, String)) -> Result<(), SyncFailure> {
    let all = format!("{said} {}", ended.message).trim().to_owned();
    let says = |sign: &str| all.to_lowercase().contains(sign);
    match ended.exit_code {
        0 => Ok(()),
        126 | 127 => Err(SyncFailure::MissingProgram {
            program: program.to_owned(),
        }),
        _ if says("read-only file system") => Err(SyncFailure::ReadOnly(all)),
        _ if says("permission denied") || says("cannot open") => Err(SyncFailure::PermissionDenied(all)),
        _ if says("no space left") => Err(SyncFailure::DiskFull(all)),
        _ => Err(SyncFailure::Other(all)),
    }
}
