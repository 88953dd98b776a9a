//! What a Tiltfile defines as settings, and what they hold.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::model::LocalPath;

/// What a Tiltfile did with settings so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct ConfigState {
    /// The settings that it defined, in the order of the calls.
    pub(crate) defined: Vec<Setting>,
    /// The directory from which it read them.
    pub(crate) parsed_in: Option<LocalPath>,
    /// Which resources it chose.
    pub(crate) chosen: Chosen,
}

/// Which resources a Tiltfile chose to run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Chosen {
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
pub(crate) struct Setting {
    pub(crate) name: String,
    pub(crate) kind: Kind,
    /// Whether it takes the arguments that belong to no flag.
    pub(crate) is_positional: bool,
    pub(crate) usage: String,
}

/// What a setting holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
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
pub(crate) type Values = BTreeMap<String, Value>;
