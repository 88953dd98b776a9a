//! Settings of a project: what a Tiltfile defines, and what `tilt_config.json` and the command line say.
//!
//! Rule: `docs/rules/tiltfile.md`, "config".

mod file;
mod flags;

use std::collections::BTreeMap;

use serde_json::Value;

use super::fault::Outcome;
use super::session::Session;
use crate::model::LocalPath;

/// The file beside the Tiltfile that holds settings.
const FILE_NAME: &str = "tilt_config.json";

/// What a Tiltfile did with settings so far.
#[derive(Clone, Debug, Default)]
pub(super) struct ConfigState {
    /// The settings that it defined, in the order of the calls.
    pub(super) defined: Vec<Setting>,
    /// The directory from which it read them.
    pub(super) parsed_in: Option<LocalPath>,
    /// Which resources it chose.
    pub(super) chosen: Chosen,
}

/// Which resources a Tiltfile chose to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) enum Chosen {
    /// It did not choose.
    #[default]
    NotSaid,
    /// None at all.
    Nothing,
    /// These, and what they need.
    Named(Vec<String>),
}

/// A setting that a Tiltfile defines.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Setting {
    pub(super) name: String,
    pub(super) kind: Kind,
    /// Whether it takes the arguments that belong to no flag.
    pub(super) is_positional: bool,
    pub(super) usage: String,
}

/// What a setting holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// One text.
    Text,
    /// Several texts.
    TextList,
    /// Yes or no.
    Boolean,
    /// Any JSON.
    Object,
}

/// The value of a setting: text, list of texts, boolean, or what was written as JSON.
pub(super) type Values = BTreeMap<String, Value>;

/// Returns the settings that were given: those of the command line win over those of the file.
pub(super) fn parse(session: &Session<'_>) -> Outcome<Values> {
    let defined = session.config.borrow().defined.clone();
    let path = session.directory().join(FILE_NAME);
    session.reads(&path);
    let mut values = file::read(session, &path, &defined)?;
    values.extend(flags::parse(&session.request.args, &defined)?);
    Ok(values)
}
