//! The offer to write a first Tiltfile.
//!
//! Rule: `docs/rules/sessions.md`, "The first Tiltfile".

use std::io::BufRead;

use anyhow::Context;
use tokio_util::sync::CancellationToken;

use super::{colour, say};
use crate::model::LocalPath;

const STARTER: &str = include_str!("starter.Tiltfile");

/// What a user answers.
enum Answer {
    Write,
    Leave,
    End,
}

/// Offers to write a Tiltfile where there is none, if somebody is there to be asked. Returns whether to start.
///
/// # Errors
/// The Tiltfile is a directory, or it cannot be written.
pub(super) async fn offer(tiltfile: &LocalPath, stop: &CancellationToken) -> anyhow::Result<bool> {
    let path = tiltfile.as_path();
    anyhow::ensure!(
        !path.is_dir(),
        "could not open Tiltfile at {tiltfile}: target is a directory"
    );
    if !say::is_to_somebody() || path.exists() {
        return Ok(true);
    }
    let yellow = colour::may_be_used(true);
    let (on, off) = if yellow { ("\x1b[33m", "\x1b[0m") } else { ("", "") };
    say::out(&format!(
        "{on}No Tiltfile found at {tiltfile}{off}\n\nA Tiltfile says how your project is built and run. One with examples of all that is \
         needed most can be written for you.\n\n"
    ));
    // The thread that reads cannot be called off; it ends with the program.
    let (sender, answer) = tokio::sync::oneshot::channel();
    std::thread::Builder::new()
        .name("answer".to_owned())
        .spawn(move || drop(sender.send(ask())))?;
    let answer = tokio::select! {
        answer = answer => answer.unwrap_or(Answer::End),
        () = stop.cancelled() => Answer::End,
    };
    match answer {
        Answer::Write => {
            std::fs::write(path, STARTER).with_context(|| format!("cannot write {tiltfile}"))?;
            say::out(&format!("Wrote {tiltfile}: edit it, and save.\n\n"));
            Ok(true)
        }
        Answer::Leave => {
            say::out("Starting Tilt...\n\n");
            Ok(true)
        }
        Answer::End => {
            say::out("\n");
            Ok(false)
        }
    }
}

fn ask() -> Answer {
    loop {
        say::out("Create a starter Tiltfile? (y/n) ");
        let mut line = String::new();
        match std::io::stdin().lock().read_line(&mut line) {
            Ok(0) | Err(_) => return Answer::End,
            Ok(_) => {}
        }
        match line.trim_start().chars().next() {
            Some('y' | 'Y') => return Answer::Write,
            Some('n' | 'N') => return Answer::Leave,
            _ => {}
        }
    }
}
