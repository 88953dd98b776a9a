//! Flags that several commands about objects have.

use anyhow::bail;

use super::super::booleans::boolean;
use super::super::say;
use super::target::escaped;

/// Which objects, by their labels.
#[derive(Debug, clap::Args)]
pub(super) struct Labels {
    /// Only objects with these labels
    #[arg(
        short = 'l',
        long,
        value_name = "LABELS",
        default_value = "",
        hide_default_value = true
    )]
    pub(super) selector: String,
}

/// Which objects, by their labels and fields.
#[derive(Debug, clap::Args)]
pub(super) struct Selectors {
    #[command(flatten)]
    pub(super) labels: Labels,
    /// Only objects with these fields: metadata.name
    #[arg(long, value_name = "FIELDS", default_value = "", hide_default_value = true)]
    pub(super) field_selector: String,
}

impl Selectors {
    /// Returns whether nothing is chosen by them.
    pub(super) fn are_empty(&self) -> bool {
        self.labels.selector.is_empty() && self.field_selector.is_empty()
    }

    /// Returns what a request for a list says of them.
    pub(super) fn query(&self) -> String {
        format!(
            "?labelSelector={}&fieldSelector={}",
            escaped(&self.labels.selector),
            escaped(&self.field_selector)
        )
    }
}

/// What is done about unknown fields.
#[derive(Debug, clap::Args)]
pub(super) struct Validation {
    /// What is done about unknown fields: strict, warn or ignore
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "strict", default_missing_value = "strict")]
    validate: String,
}

impl Validation {
    /// Returns the word that the session has for it.
    ///
    /// # Errors
    /// It is neither of the words nor on or off.
    pub(super) fn word(&self) -> anyhow::Result<&'static str> {
        Ok(match (self.validate.as_str(), boolean(&self.validate)) {
            ("strict", _) | (_, Some(true)) => "Strict",
            ("warn", _) => "Warn",
            ("ignore", _) | (_, Some(false)) => "Ignore",
            (other, None) => bail!(
                "invalid - validate option {other:?}; must be one of: strict (or true), warn, ignore (or false)"
            ),
        })
    }
}

/// Which part of an object is written.
#[derive(Debug, clap::Args)]
pub(super) struct Subresource {
    /// Write this part alone: status
    #[arg(long, value_name = "NAME", default_value = "", hide_default_value = true)]
    subresource: String,
}

impl Subresource {
    /// Returns what stands behind the path of the object.
    pub(super) fn path(&self) -> String {
        match self.subresource.as_str() {
            "" => String::new(),
            part => format!("/{part}"),
        }
    }
}

/// Whether it is only said what would be done.
#[derive(Debug, clap::Args)]
pub(super) struct DryRun {
    /// Say what would be done: none, server or client
    #[arg(long, num_args = 0..=1, require_equals = true, default_value = "none", default_missing_value = "unchanged")]
    dry_run: String,
}

/// How far a write goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dry {
    /// It is done.
    No,
    /// The session says what it would do.
    Server,
    /// Nothing is asked.
    Client,
}

impl DryRun {
    /// Returns how far a write goes. What is written in an old way is told.
    ///
    /// # Errors
    /// It is neither of the words nor on or off.
    pub(super) fn how(&self) -> anyhow::Result<Dry> {
        Ok(match (self.dry_run.as_str(), boolean(&self.dry_run)) {
            ("none", _) => Dry::No,
            ("server", _) => Dry::Server,
            ("client", _) => Dry::Client,
            ("unchanged", _) => {
                say::err("Warning: --dry-run is deprecated and can be replaced with --dry-run=client.\n");
                Dry::Client
            }
            (old, Some(is_dry)) => {
                let (new, dry) = if is_dry {
                    ("client", Dry::Client)
                } else {
                    ("none", Dry::No)
                };
                say::err(format!(
                    "Warning: --dry-run={old} is deprecated (boolean value) and can be replaced with --dry-run={new}.\n"
                ));
                dry
            }
            (other, None) => {
                bail!("Invalid dry-run value ({other}). Must be \"none\", \"server\", or \"client\".")
            }
        })
    }
}

impl Dry {
    pub(super) fn query(self) -> &'static str {
        if self == Self::Server { "&dryRun=All" } else { "" }
    }

    /// Returns what stands behind what was done.
    pub(super) fn words(self) -> &'static str {
        match self {
            Self::No => "",
            Self::Server => " (server dry run)",
            Self::Client => " (dry run)",
        }
    }
}
