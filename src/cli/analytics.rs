//! `tilt analytics`: the user's choice about statistics, which is kept for Tilt. This program sends none.

use std::path::PathBuf;

use anyhow::Context;

use super::{exit, say};
use crate::server::tilt_dir;

/// Show or set whether statistics may be sent; this program never sends any
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Set whether statistics may be sent: in, out or default
    Opt {
        /// in, out or default
        #[arg(value_name = "CHOICE")]
        choice: Vec<String>,
    },
}

/// The words for a choice, and the one that is written down.
const CHOICES: [(&str, &str); 5] = [
    ("in", "opt-in"),
    ("opt-in", "opt-in"),
    ("out", "opt-out"),
    ("opt-out", "opt-out"),
    ("default", "default"),
];

/// Rule: `docs/rules/commands.md`, "analytics".
pub(super) fn run(args: Args) -> anyhow::Result<u8> {
    let file = choice_file()?;
    let Some(Command::Opt { choice }) = args.command else {
        let choice = std::fs::read_to_string(&file).unwrap_or_default();
        let known = CHOICES.iter().find(|(word, _)| *word == choice.trim());
        let choice = known.map_or("default", |(_, choice)| choice);
        say::data(format!(
            "analytics status : {choice}\nanalytics user id: (none: nothing is sent)\n"
        ))?;
        return Ok(exit::SUCCESS);
    };
    let [word] = choice.as_slice() else {
        anyhow::bail!("no choice given; pass it as first arg: <opt-in|opt-out|default>");
    };
    let Some((_, choice)) = CHOICES.iter().find(|(known, _)| known == word) else {
        anyhow::bail!("unknown analytics opt: {word:?}\nhint: in, out or default");
    };
    if let Some(dir) = file.parent() {
        std::fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
    }
    std::fs::write(&file, choice).with_context(|| format!("cannot write {}", file.display()))?;
    say::err(format!(
        "Tilt analytics opt set to {choice:?}; this program sends nothing in any case\n"
    ));
    Ok(exit::SUCCESS)
}

fn choice_file() -> anyhow::Result<PathBuf> {
    Ok(tilt_dir()?.join("analytics/user/choice.txt"))
}
