//! Settings of a project: what a Tiltfile defines, and what `tilt_config.json` and the command line say.
//!
//! Rule: `docs/rules/tiltfile.md`, "config".

mod file;
mod flags;
pub(super) mod settings;

use self::settings::Values;
use super::fault::Outcome;
use super::session::Session;

/// The file beside the Tiltfile that holds settings.
const FILE_NAME: &str = "tilt_config.json";

/// Returns the settings that were given: those of the command line win over those of the file.
pub(super) fn parse(session: &Session<'_>) -> Outcome<Values> {
    let defined = session.config.borrow().defined.clone();
    let path = session.directory().join(FILE_NAME);
    session.reads(&path);
    let mut values = file::read(session, &path, &defined)?;
    values.extend(flags::parse(&session.request.args, &defined)?);
    Ok(values)
}
