//! `tilt completion`.

use clap_complete::Shell;

use super::{exit, say};

/// Print a completion script for a shell
///
/// For bash: `source <(tilt completion bash)`.
#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// The shell: bash, zsh, fish, powershell or elvish
    shell: Shell,
}

pub(super) fn run(args: Args) -> anyhow::Result<u8> {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut super::command(), "tilt", &mut script);
    say::data(script)?;
    Ok(exit::SUCCESS)
}
