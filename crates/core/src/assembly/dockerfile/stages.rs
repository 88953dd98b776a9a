//! Which instruction of a Dockerfile a step of the engine is.

use super::reader::Dockerfile;

/// The name of a step, as engines print it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step<'a> {
    /// `[2/3] RUN make`, or `[build 2/3] RUN make` where there are several stages.
    InStage {
        stage: Option<&'a str>,
        number: usize,
        of: usize,
        text: &'a str,
    },
    /// `Step 2/3 : RUN make`: the classic builder counts all instructions.
    InFile(usize),
    /// `[internal] load metadata for a:1`, or `FROM a:1`: an image that no stage is named for.
    Image(&'a str),
    /// Anything else, such as an address that is downloaded.
    Other(&'a str),
}

impl<'a> Step<'a> {
    pub(super) fn parse(name: &'a str) -> Self {
        Self::in_stage(name)
            .or_else(|| Self::in_file(name))
            .or_else(|| {
                let image = name
                    .strip_prefix("[internal] load metadata for ")
                    .or_else(|| name.strip_prefix("FROM "))?;
                Some(Self::Image(image.trim()))
            })
            .unwrap_or(Self::Other(name))
    }

    fn in_stage(name: &'a str) -> Option<Self> {
        let (place, text) = name.strip_prefix('[')?.split_once(']')?;
        let mut words = place.split_whitespace().rev();
        let (number, of) = words.next()?.split_once('/')?;
        Some(Self::InStage {
            // Builds for several platforms have the platform before it.
            stage: words.next().filter(|word| !word.contains('/')),
            number: number.parse().ok()?,
            of: of.parse().ok()?,
            text: text.trim(),
        })
    }

    fn in_file(name: &'a str) -> Option<Self> {
        let (number, _) = name.strip_prefix("Step ")?.split_once('/')?;
        Some(Self::InFile(number.parse().ok()?))
    }
}

/// One stage of a build: positions of its instructions.
#[derive(Debug)]
pub(super) struct Stage {
    /// In small letters.
    pub(super) name: Option<String>,
    from: usize,
    /// Those after `FROM` that are steps of the engine, in order.
    steps: Vec<usize>,
}

/// Returns the stages of a file in order.
pub(super) fn stages(file: &Dockerfile) -> Vec<Stage> {
    let mut stages: Vec<Stage> = Vec::new();
    for (at, instruction) in file.instructions.iter().enumerate() {
        match instruction.keyword.as_str() {
            "FROM" => stages.push(Stage {
                name: super::stage_name(instruction),
                from: at,
                steps: Vec::new(),
            }),
            "RUN" | "COPY" | "ADD" | "WORKDIR" => {
                if let Some(stage) = stages.last_mut() {
                    stage.steps.push(at);
                }
            }
            _ => {}
        }
    }
    stages
}

/// Returns the position of the instruction that a numbered step is.
///
/// It is counted from the end of its stage. What comes before the instructions of the file is its `FROM`: the base image,
/// and the instructions that it brings along (`ONBUILD`).
///
/// Rule: BuildKit, `dockerfile2llb`, `prefixCommand`.
pub(super) fn instruction_of(step: Step<'_>, file: &Dockerfile, stages: &[Stage]) -> Option<usize> {
    let (stage, number, of, text) = match step {
        Step::InStage {
            stage,
            number,
            of,
            text,
        } => (stage, number, of, text),
        Step::InFile(number) => return number.checked_sub(1).filter(|at| *at < file.instructions.len()),
        Step::Image(_) | Step::Other(_) => return None,
    };
    let stage = match stage {
        None => stages.last(),
        Some(name) => named(stages, name),
    }?;
    let after = of.checked_sub(number)?;
    let Some(at) = stage.steps.iter().rev().nth(after) else {
        return Some(stage.from);
    };
    let keyword = text.split_whitespace().next()?;
    let instruction = file.instructions.get(*at)?;
    instruction.keyword.eq_ignore_ascii_case(keyword).then_some(*at)
}

fn named<'a>(stages: &'a [Stage], name: &str) -> Option<&'a Stage> {
    let by_name = stages.iter().find(|stage| {
        stage
            .name
            .as_deref()
            .is_some_and(|known| known.eq_ignore_ascii_case(name))
    });
    by_name.or_else(|| stages.get(name.strip_prefix("stage-")?.parse::<usize>().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(file: &str, step: &str, expected: Option<&str>) {
        let file = Dockerfile::read(file);
        let stages = stages(&file);
        let found = instruction_of(Step::parse(step), &file, &stages);
        let found = found.map(|at| {
            let instruction = &file.instructions[at];
            let words: Vec<&str> = instruction.words.iter().map(|word| word.text.as_str()).collect();
            format!("{} {}", instruction.keyword, words.join(" "))
        });
        assert_eq!(found.as_deref(), expected, "{step}");
    }

    #[test]
    fn a_numbered_step_is_found_in_its_stage() {
        let one = "FROM a\nENV x=1\nRUN one\nWORKDIR /w\nRUN two\n";
        check(one, "[2/4] RUN one", Some("RUN one"));
        check(one, "[4/4] RUN two", Some("RUN two"));
        check(one, "[1/4] FROM docker.io/library/a", Some("FROM a"));
        check(one, "[3/4] RUN two", None);
        let several =
            "ARG B=base\nFROM a AS Base\nRUN one\nFROM ${B}\nRUN two\nFROM scratch AS last\nCOPY x y\n";
        check(several, "[base 2/2] RUN one", Some("RUN one"));
        check(several, "[stage-1 1/1] RUN two", Some("RUN two"));
        check(several, "[last 1/1] COPY x y", Some("COPY x y"));
        check(several, "[linux/amd64 base 2/2] RUN one", Some("RUN one"));
    }

    #[test]
    fn what_a_base_image_brings_along_is_its_from() {
        let file = "FROM a\nRUN mine\n";
        check(file, "[2/3] RUN its", Some("FROM a"));
        check(file, "[3/3] RUN mine", Some("RUN mine"));
    }

    #[test]
    fn the_classic_builder_counts_all_instructions() {
        let file = "ARG X\nFROM a\nENV x=1\nRUN one\n";
        check(file, "Step 4/5 : RUN one", Some("RUN one"));
        check(file, "Step 5/5 : LABEL x", None);
    }

    #[test]
    fn images_are_named_by_steps_of_their_own() {
        assert_eq!(
            Step::parse("[internal] load metadata for a.io/b:1"),
            Step::Image("a.io/b:1")
        );
        assert_eq!(Step::parse("FROM a.io/b:1"), Step::Image("a.io/b:1"));
        assert_eq!(Step::parse("http://x/y"), Step::Other("http://x/y"));
    }
}
