//! Who may ask: tokens that nobody can guess.

use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::Path;

use anyhow::Context;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// Returns 64 random bytes of the system as text.
pub(super) fn random_token() -> anyhow::Result<String> {
    let mut bytes = [0; 64];
    getrandom::fill(&mut bytes).context("the system gives no random numbers")?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}

/// Returns a random UUID.
pub(super) fn random_uuid() -> anyhow::Result<String> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).context("the system gives no random numbers")?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!(
        "{}-{}-{}-{}-{}",
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..]
    ))
}

/// Returns the token that commands of this user send, from `<tilt dir>/token`; it is made if it is not there.
///
/// # Errors
/// The file can be neither read nor written.
pub fn user_token() -> anyhow::Result<String> {
    let path = super::registry::tilt_dir()?.join("token");
    if let Some(token) = read(&path) {
        return Ok(token);
    }
    let token = random_uuid()?;
    let made = std::fs::OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(&path);
    match made {
        Ok(mut file) => file
            .write_all(token.as_bytes())
            .context("cannot write the token")?,
        // Another one of this user's made it just now.
        Err(_) => return read(&path).with_context(|| format!("cannot read {}", path.display())),
    }
    Ok(token)
}

/// Reads the token. Others must not be able to: what they could read until now is closed to them.
fn read(path: &Path) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let mode = std::fs::metadata(path).ok()?.permissions().mode();
    if mode & 0o077 != 0 {
        let _ = std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600));
    }
    let token = text.trim();
    (!token.is_empty()).then(|| token.to_owned())
}

/// Returns whether two tokens are equal, in a time that does not depend on where they differ.
pub(super) fn is_equal(a: &str, b: &str) -> bool {
    let differences = a.bytes().zip(b.bytes()).fold(0, |sum, (a, b)| sum | (a ^ b));
    a.len() == b.len() && differences == 0
}
