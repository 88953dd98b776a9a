//! The images that a Dockerfile is built on: finding them, and putting others in their place.
//!
//! Reads only what is needed for that, and tolerates the rest: what is wrong with a Dockerfile is for the Docker engine
//! to say. `reader` cuts the text into instructions, `expand` substitutes variables. `fault` shows what the engine said
//! where it was written; `stages` tells which instruction a step of the engine is, `advice` what to do.

mod advice;
mod case;
mod expand;
mod fault;
mod reader;
mod stages;

use std::collections::BTreeSet;
use std::ops::Range;

use expand::{Scope, expand};
use reader::{Dockerfile, Instruction, Word};

pub use case::EngineFault;
pub use fault::explain;

use crate::model::{ImageRef, ImageSelector};

/// Why images cannot be found or put into a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DockerfileError {
    /// It holds nothing but comments. (An empty one is left to the engine.)
    #[error("dockerfile.ParseAST: file with no instructions")]
    NoInstructions,
    /// The Dockerfile depended on this image when it was loaded, but does not name it.
    #[error("Could not inject image \"{0}\" into Dockerfile")]
    NotFound(String),
}

/// One place that names an image.
struct BaseImage {
    image: ImageRef,
    span: Range<usize>,
}

/// Returns the images of each `FROM`, each `COPY --from=` and each `RUN --mount=from=`, in file order, each place once.
///
/// Defaults of `ARG` in the file are overridden by build arguments of the form `KEY=value`. Names of stages are no
/// images, and what does not parse as an image reference is left out.
///
/// # Errors
/// When the Dockerfile holds only comments.
///
/// Rule: `docs/rules/images.md`, "The graph" and "Base images in Dockerfiles", `docs/rules/assembly.md`, "References of images".
pub fn base_images(contents: &str, build_args: &[String]) -> Result<Vec<ImageRef>, DockerfileError> {
    let found = find(contents, build_args)?;
    Ok(found.into_iter().map(|base| base.image).collect())
}

/// Returns the Dockerfile with each image that a selector matches replaced, and everything else byte for byte.
///
/// # Errors
/// When the Dockerfile holds only comments, or one of the images was not found anywhere.
pub fn replace_base_images(
    contents: &str,
    build_args: &[String],
    bases: &[(ImageSelector, ImageRef)],
) -> Result<String, DockerfileError> {
    let mut out = String::with_capacity(contents.len());
    let mut missing: Vec<&ImageSelector> = bases.iter().map(|(selector, _)| selector).collect();
    let mut copied = 0;
    for base in find(contents, build_args)? {
        let Some((selector, image)) = bases.iter().find(|(selector, _)| selector.matches(&base.image)) else {
            continue;
        };
        missing.retain(|other| *other != selector);
        out.push_str(&contents[copied..base.span.start]);
        out.push_str(&image.familiar());
        copied = base.span.end;
    }
    out.push_str(&contents[copied..]);
    match missing.first() {
        Some(selector) => Err(DockerfileError::NotFound(selector.image.familiar())),
        None => Ok(out),
    }
}

fn find(contents: &str, build_args: &[String]) -> Result<Vec<BaseImage>, DockerfileError> {
    let file = Dockerfile::read(contents);
    if file.instructions.is_empty() && !contents.is_empty() {
        return Err(DockerfileError::NoInstructions);
    }
    let mut scope = Scope::new(build_args);
    let mut stages = BTreeSet::new();
    let mut found = Vec::new();
    for instruction in &file.instructions {
        match instruction.keyword.as_str() {
            "ARG" => declare(instruction, &mut scope, file.escape),
            "FROM" => found.extend(from(instruction, &scope, &mut stages, file.escape)),
            "COPY" => found.extend(copy_from(instruction, &scope, &stages, file.escape)),
            "RUN" => found.extend(mounts_from(instruction, &scope, &stages, file.escape)),
            _ => {}
        }
    }
    Ok(found)
}

/// `ARG KEY=default ...`
fn declare(instruction: &Instruction, scope: &mut Scope, escape: char) {
    for word in &instruction.words {
        if let Some((key, default)) = word.text.split_once('=') {
            let default = expand(default, scope, escape).unwrap_or_default();
            scope.declare(key, default);
        }
    }
}

/// `FROM [--platform=...] image [AS stage]`
fn from(
    instruction: &Instruction,
    scope: &Scope,
    stages: &mut BTreeSet<String>,
    escape: char,
) -> Option<BaseImage> {
    let base = base_image(from_word(instruction)?, 0, scope, stages, escape);
    stages.extend(stage_name(instruction));
    base
}

fn from_words(instruction: &Instruction) -> impl Iterator<Item = &Word> {
    instruction
        .words
        .iter()
        .skip_while(|word| word.text.starts_with("--"))
}

/// Returns the word of a `FROM` that names its image.
fn from_word(instruction: &Instruction) -> Option<&Word> {
    from_words(instruction).next()
}

/// Returns the name that a `FROM` gives its stage, in small letters.
fn stage_name(instruction: &Instruction) -> Option<String> {
    let mut words = from_words(instruction).skip(1);
    words.next().filter(|word| word.text.eq_ignore_ascii_case("as"))?;
    Some(words.next()?.text.to_lowercase())
}

/// `COPY [--flag ...] --from=image ...`
fn copy_from(
    instruction: &Instruction,
    scope: &Scope,
    stages: &BTreeSet<String>,
    escape: char,
) -> Option<BaseImage> {
    const FLAG: &str = "--from=";
    let mut flags = instruction
        .words
        .iter()
        .take_while(|word| word.text.starts_with("--"));
    let flag = flags.find(|word| word.text.starts_with(FLAG))?;
    base_image(flag, FLAG.len(), scope, stages, escape)
}

/// `RUN --mount=type=bind,from=image,... ...`
fn mounts_from(
    instruction: &Instruction,
    scope: &Scope,
    stages: &BTreeSet<String>,
    escape: char,
) -> Vec<BaseImage> {
    const FLAG: &str = "--mount=";
    const KEY: &str = "from=";
    let flags = instruction
        .words
        .iter()
        .take_while(|word| word.text.starts_with("--"));
    let mut found = Vec::new();
    for word in flags.filter(|word| word.text.starts_with(FLAG)) {
        let mut start = FLAG.len();
        for option in word.text[FLAG.len()..].split(',') {
            let end = start + option.len();
            let is_from = option
                .get(..KEY.len())
                .is_some_and(|key| key.eq_ignore_ascii_case(KEY));
            // The engine takes no variables here.
            if is_from && !option.contains('$') {
                found.extend(image_within(word, start + KEY.len()..end, scope, stages, escape));
            }
            start = end + 1;
        }
    }
    found
}

/// Reads the image that a word names from its byte `skip` on.
fn base_image(
    word: &Word,
    skip: usize,
    scope: &Scope,
    stages: &BTreeSet<String>,
    escape: char,
) -> Option<BaseImage> {
    image_within(word, skip..word.text.len(), scope, stages, escape)
}

/// Reads the image that these bytes of a word name.
fn image_within(
    word: &Word,
    part: Range<usize>,
    scope: &Scope,
    stages: &BTreeSet<String>,
    escape: char,
) -> Option<BaseImage> {
    let name = expand(&word.text[part.clone()], scope, escape)?;
    let is_stage = stages.contains(&name.to_lowercase()) || name.bytes().all(|b| b.is_ascii_digit());
    if is_stage || name == "scratch" {
        return None;
    }
    Some(BaseImage {
        image: ImageRef::parse(&name).ok()?,
        span: word.source(part),
    })
}

#[cfg(test)]
mod tests;
