//! What a file is to a project, in words for people.

use super::file::{FileAnswer, NoUpdate, Save};
use super::text::{Look, rule, tell};

/// Returns what a file is to a project.
pub fn why_file(answer: &FileAnswer, look: &Look) -> String {
    let mut out = format!("{}\n", look.bold(&look.path(&answer.file)));
    if answer.reloads {
        tell(
            &mut out,
            "Tiltfile",
            "the Tiltfile reads it: saving it evaluates the Tiltfile again",
        );
    }
    for used in &answer.uses {
        out.push_str(&format!("  {}\n", look.bold(&used.resource)));
        tell(&mut out, "because", &rule(&used.rule, &used.target, look));
        for line in saves(&used.save, &used.resource) {
            tell(&mut out, "on save", &line);
        }
    }
    for ignored in &answer.ignored {
        out.push_str(&format!("  {}\n", look.bold(&ignored.resource)));
        let pattern = ignored
            .pattern
            .as_ref()
            .map_or_else(String::new, |pattern| format!(" {pattern:?} in"));
        let by = look.path(&ignored.by);
        tell(&mut out, "left out", &format!("by{pattern} {by}"));
    }
    if !answer.reloads && answer.uses.is_empty() {
        let why = match answer.ignored.is_empty() {
            true => "no resource watches it: saving it does nothing",
            false => "saving it does nothing",
        };
        tell(&mut out, "on save", why);
    }
    out
}

fn saves(save: &Save, resource: &str) -> Vec<String> {
    match save {
        Save::Sync { commands, restart } => {
            let mut lines = vec!["it is copied into the running containers".to_owned()];
            lines.extend(commands.iter().map(|command| format!("then, there: {command}")));
            lines.extend(restart.then(|| "then the containers are restarted".to_owned()));
            lines
        }
        Save::Build { images } => vec![format!("full build and deploy of {}", images.join(", "))],
        Save::Command { command } => vec![format!("runs: {}", command.lines().next().unwrap_or_default())],
        Save::Nothing {
            why: NoUpdate::Disabled,
        } => vec![format!("nothing: it is switched off (`tilt enable {resource}`)")],
        Save::Nothing {
            why: NoUpdate::Manual,
        } => vec![format!(
            "nothing until it is asked for (`tilt trigger {resource}`)"
        )],
    }
}
