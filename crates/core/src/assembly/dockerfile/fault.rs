//! Shows what an engine said of a build where it was written: the instruction whose step failed, or the line that it
//! could not read. `advice` says what to do about it.

use std::ops::Range;

use super::advice;
use super::case::{Case, EngineFault, Explained, Found};
use super::reader::Instruction;
use super::stages::{Step, instruction_of};
use crate::diag::{Diagnostic, Place, SourceText, nearest};
use crate::model::{DockerBuild, DockerfileText, LocalPath};

/// Returns the message with its place in the Dockerfile, or in the Tiltfile that holds its text, and what to do.
///
/// `listing` gives the names in a directory; none for what is no directory.
pub fn explain(
    fault: EngineFault<'_>,
    build: &DockerBuild,
    listing: &dyn Fn(&LocalPath) -> Vec<String>,
) -> Diagnostic {
    let case = Case::new(fault, build, listing);
    // What a command said is quoted, whatever it is.
    let found = match fault.command_failed {
        true => None,
        false => case
            .unreadable_line()
            .or_else(|| case.unknown_stage())
            .or_else(|| case.no_stage()),
    };
    let found = found.or_else(|| case.failed_step());
    let mut diagnostic = Diagnostic::error(fault.message);
    let Some(found) = found else { return diagnostic };
    match found.place {
        Found::Dockerfile(range) => diagnostic = case.show(diagnostic, range),
        Found::Target(place) => diagnostic = diagnostic.at(place),
        Found::Nowhere => {}
    }
    found.hints.into_iter().fold(diagnostic, Diagnostic::hint)
}

impl Case<'_> {
    /// `dockerfile parse error on line 3: ...`; old engines leave out the `on`.
    fn unreadable_line(&self) -> Option<Explained> {
        let (_, rest) = self.message.split_once("dockerfile parse error")?;
        let (line, reason) = rest
            .trim_start()
            .trim_start_matches("on ")
            .strip_prefix("line ")?
            .split_once(':')?;
        let line: usize = line.parse().ok()?;
        let lines =
            |text: &SourceText, span: &Range<usize>| (text.position(span.start).0, text.position(span.end).0);
        let at = self.sent.instructions.iter().position(|instruction| {
            let (first, last) = lines(&self.sent_text, &instruction.span);
            (first..=last).contains(&line)
        })?;
        let instruction = self.written.instructions.get(at)?;
        let (first_sent, _) = lines(&self.sent_text, &self.sent.instructions.get(at)?.span);
        let (first, _) = lines(&self.text, &instruction.span);
        let hints = advice::for_unreadable(reason.trim(), line > first_sent);
        let range = if line > first_sent {
            self.line(first + line - first_sent)
        } else {
            unreadable_part(reason, instruction)
        };
        Some(Explained::at(range, hints))
    }

    /// `target stage x could not be found`, or as older engines say it, `failed to reach build target x in Dockerfile`.
    fn unknown_stage(&self) -> Option<Explained> {
        let wanted = self.build.stage.as_deref()?;
        let is_it = self.message.contains("target stage") || self.message.contains("build target");
        let names: Vec<&str> = self
            .stages
            .iter()
            .filter_map(|stage| stage.name.as_deref())
            .collect();
        let hint = match nearest(wanted, names.iter().copied()) {
            _ if names.is_empty() => {
                "the stages of the Dockerfile have no names: `FROM image AS name` gives one".to_owned()
            }
            Some(near) => format!("did you mean {near:?}?"),
            None => format!("the Dockerfile has these stages: {}", names.join(", ")),
        };
        is_it.then(|| Explained {
            place: match &self.build.site {
                Some(site) => Found::Target(site.target.clone()),
                None => Found::Nowhere,
            },
            hints: vec![hint],
        })
    }

    fn no_stage(&self) -> Option<Explained> {
        let is_it = self.message.ends_with("no build stage in current context")
            || self.message.ends_with("the Dockerfile cannot be empty");
        let first = self.written.instructions.first();
        is_it.then(|| Explained {
            place: first.map_or(Found::Nowhere, |first| Found::Dockerfile(self.first_line(first))),
            hints: vec!["a Dockerfile begins with `FROM image`; only `ARG` may stand before it".to_owned()],
        })
    }

    fn failed_step(&self) -> Option<Explained> {
        let step = Step::parse(self.step?);
        match step {
            Step::Image(image) => advice::for_pull(self, image),
            Step::Other(text) => {
                let mut words = self
                    .written
                    .instructions
                    .iter()
                    .flat_map(|instruction| &instruction.words);
                let word = words.find(|word| word.text == text)?;
                Some(Explained::at(word.source_from(0), Vec::new()))
            }
            _ => {
                let at = instruction_of(step, &self.sent, &self.stages)?;
                let instruction = self.written.instructions.get(at)?;
                Some(match instruction.keyword.as_str() {
                    "COPY" | "ADD" => advice::for_copy(self, instruction),
                    "RUN" => Explained::at(self.first_line(instruction), advice::for_run(self.message)),
                    _ => Explained::at(self.first_line(instruction), Vec::new()),
                })
            }
        }
    }

    /// Returns the first line of an instruction, without the sign that it goes on.
    pub(super) fn first_line(&self, instruction: &Instruction) -> Range<usize> {
        let start = instruction.span.start;
        let text = self.text.text().get(instruction.span.clone()).unwrap_or_default();
        let line = text.lines().next().unwrap_or_default().trim_end();
        let line = line.strip_suffix(self.written.escape).map_or(line, str::trim_end);
        start..start + line.len()
    }

    /// Returns the bytes of a line without the blanks around it.
    fn line(&self, number: usize) -> Range<usize> {
        let text = self.text.text();
        let start: usize = text.split_inclusive('\n').take(number - 1).map(str::len).sum();
        let line = self.text.line(number);
        let indent = line.len() - line.trim_start().len();
        start + indent..start + line.trim_end().len().max(indent)
    }

    /// Adds the place: that in the Tiltfile where the Dockerfile's text stands there.
    fn show(&self, diagnostic: Diagnostic, range: Range<usize>) -> Diagnostic {
        let place = self.text.place(range);
        match self.build.site.as_ref().map(|site| &site.text) {
            None | Some(DockerfileText::File) => diagnostic.at(place),
            Some(DockerfileText::Literal(first)) => diagnostic.at(below(first, place)),
            Some(DockerfileText::Computed(argument)) => {
                let line = place.source_line.trim().to_owned();
                diagnostic
                    .at(argument.clone())
                    .hint(format!("it is line {} of the Dockerfile: {line}", place.line))
            }
        }
    }
}

/// Returns what of an instruction cannot be read: a flag, the keyword, or all of it.
fn unreadable_part(reason: &str, instruction: &Instruction) -> Range<usize> {
    let start = instruction.span.start;
    if reason.to_lowercase().contains("unknown instruction") {
        return start..start + instruction.keyword.len();
    }
    let flag = reason
        .rsplit_once("nknown flag: ")
        .map(|(_, flag)| format!("--{}", flag.trim()));
    let is_it = |text: &str| flag.as_deref().is_some_and(|flag| text.starts_with(flag));
    let word = instruction.words.iter().find(|word| is_it(&word.text));
    let last = || instruction.words.last().map(|word| word.source_from(0).end);
    match word {
        Some(word) => word.source_from(0),
        None => start..last().unwrap_or(start + instruction.keyword.len()),
    }
}

/// Returns a place in a text that begins at another place.
fn below(first: &Place, place: Place) -> Place {
    let file = first.file.clone();
    if place.line > 1 {
        return Place {
            file,
            line: first.line + place.line - 1,
            ..place
        };
    }
    Place {
        file,
        line: first.line,
        column: first.column + place.column - 1,
        width: place.width,
        source_line: first.source_line.clone(),
    }
}

#[cfg(test)]
#[path = "fault_tests.rs"]
mod tests;
