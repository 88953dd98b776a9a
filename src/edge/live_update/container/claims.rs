//! Whether a container really holds what its image is taken to be made of: a Dockerfile may put something else where a step
//! of a live update copies to, such as what it compiled itself. Where it would matter, the container is asked.

use std::collections::BTreeSet;
use std::os::unix::ffi::OsStrExt;

use super::channel::Channel;
use super::commit::chunks;
use super::journal::{Claim, hex};
use super::quoting::quote_path;
use crate::model::{ContainerPath, SyncFailure};

/// Returns those of the files that are not in the container as they are said to be. One that has no program to tell is
/// believed.
///
/// # Errors
/// Where the channel breaks.
pub(super) async fn false_ones(
    channel: &mut Channel,
    claims: &[Claim],
) -> Result<Vec<ContainerPath>, SyncFailure> {
    let lengths = claims.iter().map(|(path, _)| path.as_path().as_os_str().len());
    let mut found = Vec::new();
    for chunk in chunks(lengths) {
        let claims = &claims[chunk];
        let mut script = b"if has sha256sum; then sha256sum --".to_vec();
        for (path, _) in claims {
            script.push(b' ');
            quote_path(path.as_path(), &mut script);
        }
        script.extend_from_slice(b" 2>/dev/null; else say believe; fi\n");
        let (said, marks) = channel.ask(script).await?;
        if marks.iter().any(|mark| mark == b"believe") {
            return Ok(Vec::new());
        }
        let said: BTreeSet<&[u8]> = said.split(|byte| *byte == b'\n').collect();
        let is_false = claims.iter().filter(|claim| !said.contains(&*line(claim)));
        found.extend(is_false.map(|(path, _)| path.clone()));
    }
    Ok(found)
}

/// Returns what the container says where a claim is true; of odd names it says it otherwise, then the file is sent.
fn line((path, hash): &Claim) -> Vec<u8> {
    let mut line = format!("{}  ", hex(hash)).into_bytes();
    line.extend_from_slice(path.as_path().as_os_str().as_bytes());
    line
}
