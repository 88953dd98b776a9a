//! What to do about a build that failed.

use super::case::{Case, Explained};
use super::expand::{Scope, expand};
use super::reader::{Instruction, Word};
use crate::diag::nearest;
use crate::model::{Ignore, IgnoreMatcher, ImageRef, LocalPath};

/// What a Dockerfile may say.
const INSTRUCTIONS: [&str; 18] = [
    "ADD",
    "ARG",
    "CMD",
    "COPY",
    "ENTRYPOINT",
    "ENV",
    "EXPOSE",
    "FROM",
    "HEALTHCHECK",
    "LABEL",
    "MAINTAINER",
    "ONBUILD",
    "RUN",
    "SHELL",
    "STOPSIGNAL",
    "USER",
    "VOLUME",
    "WORKDIR",
];

/// Returns what to do about a line that cannot be read.
pub(super) fn for_unreadable(reason: &str, in_heredoc: bool) -> Vec<String> {
    if in_heredoc {
        return vec![
            "this Docker engine does not read heredocs by itself: `# syntax=docker/dockerfile:1` as the first line of the \
             Dockerfile fetches a builder that does"
                .to_owned(),
        ];
    }
    let unknown = reason.strip_prefix("unknown instruction: ");
    let word = unknown.and_then(|rest| rest.split_whitespace().next());
    let near = word.and_then(|word| nearest(word, INSTRUCTIONS));
    let said = reason.contains("did you mean");
    near.filter(|_| !said)
        .map(|near| format!("did you mean {near}?"))
        .into_iter()
        .collect()
}

/// Returns what to do about a command that failed.
pub(super) fn for_run(message: &str) -> Vec<String> {
    let exit_code = message
        .rsplit_once("exit code: ")
        .or_else(|| message.rsplit_once("non-zero code: "))
        .map(|(_, code)| code.trim());
    let hint = match exit_code {
        Some("127") => "a program that it starts is not in the image",
        Some("126") => {
            "a program that it starts cannot be executed: check its permissions and its first line"
        }
        Some("137") => "it was killed, most likely because the memory did not suffice",
        Some(_) => "what it printed stands above, in the log of the build",
        None => return Vec::new(),
    };
    vec![hint.to_owned()]
}

/// Explains an image that the engine could not get.
pub(super) fn for_pull(case: &Case<'_>, wanted: &str) -> Option<Explained> {
    let wanted = ImageRef::parse(wanted).ok()?;
    let mut scope = Scope::new(&case.build.build_args);
    for instruction in &case.written.instructions {
        if instruction.keyword == "ARG" {
            super::declare(instruction, &mut scope, case.written.escape);
        }
        for (word, skip) in naming_words(instruction) {
            let text = word.text.get(skip..).unwrap_or_default();
            let name = text.split(',').next().unwrap_or_default();
            let name = expand(name, &scope, case.written.escape).unwrap_or_default();
            if ImageRef::parse(&name).is_ok_and(|image| is_same(&image, &wanted)) {
                let hints = vec![pull_hint(case, instruction, &name, &wanted)];
                return Some(Explained::at(word.source_from(skip), hints));
            }
        }
    }
    None
}

/// Returns the words that name an image, and where in them the name begins.
fn naming_words(instruction: &Instruction) -> Vec<(&Word, usize)> {
    if instruction.keyword == "FROM" {
        return super::from_word(instruction)
            .map(|word| (word, 0))
            .into_iter()
            .collect();
    }
    let flags = instruction
        .words
        .iter()
        .take_while(|word| word.text.starts_with("--"));
    let after = |word: &Word| word.text.find("from=").map(|at| at + "from=".len());
    flags.filter_map(|word| Some((word, after(word)?))).collect()
}

/// An image without a tag is its `latest`.
fn is_same(image: &ImageRef, wanted: &ImageRef) -> bool {
    let tag = |image: &ImageRef| image.tag().unwrap_or("latest").to_owned();
    image.name() == wanted.name() && tag(image) == tag(wanted)
}

fn pull_hint(case: &Case<'_>, instruction: &Instruction, name: &str, image: &ImageRef) -> String {
    let stages: Vec<&str> = case
        .stages
        .iter()
        .filter_map(|stage| stage.name.as_deref())
        .collect();
    let near = nearest(name, stages.iter().copied());
    if let Some(near) = near.filter(|_| instruction.keyword != "FROM") {
        return format!("no stage is called {name:?}, so it is taken for an image; did you mean {near:?}?");
    }
    let registry = image.domain();
    let message = image.said_without_name(case.message);
    let says = |texts: &[&str]| texts.iter().any(|text| message.contains(text));
    if says(&["toomanyrequests", "too many requests", "rate limit"]) {
        return format!(
            "wait, or log in with \"docker login {registry}\": it takes only so many requests from one address or login"
        );
    }
    if says(&[
        "no basic auth credentials",
        "denied",
        "unauthorized",
        "authorization",
    ]) {
        return "log in to the registry with \"docker login\", or check the name".to_owned();
    }
    if says(&[
        "500 internal server error",
        "502 bad gateway",
        "503 service unavailable",
        "504 gateway",
    ]) {
        return format!("the registry {registry} has a problem of its own: wait, or look at its state");
    }
    if says(&[
        "dial tcp",
        "no such host",
        "i/o timeout",
        "connection refused",
        "deadline exceeded",
    ]) {
        return format!(
            "the Docker engine has no image {name:?}, and cannot reach the registry {registry} to pull it; an image of \
             this project is built first if a docker_build() or custom_build() has its name"
        );
    }
    format!("the registry {registry} has no such image: check its name and its tag")
}

/// Explains a `COPY` or `ADD` that failed.
pub(super) fn for_copy(case: &Case<'_>, instruction: &Instruction) -> Explained {
    let whole = case.first_line(instruction);
    let Some(missing) = missing_file(case.message) else {
        return Explained::at(whole, Vec::new());
    };
    let flags = instruction
        .words
        .iter()
        .take_while(|word| word.text.starts_with("--"));
    let from = flags.filter_map(|word| word.text.strip_prefix("--from=")).last();
    let source = instruction.words.iter().find(|word| names(&word.text, missing));
    let place = source.map_or(whole, |word| word.source_from(0));
    let hint = match from {
        Some(from) => format!("it is looked for in {from:?}, not in the build context"),
        None => context_hint(case, missing.trim_start_matches('/')),
    };
    Explained::at(place, vec![hint])
}

/// Returns the file that an engine did not find.
fn missing_file(message: &str) -> Option<&str> {
    if let Some((_, rest)) = message.split_once("stat ")
        && let Some((path, _)) = rest.split_once(": file does not exist")
    {
        return Some(path);
    }
    let (path, reason) = message.split_once('"')?.1.split_once('"')?;
    reason
        .trim_start_matches(':')
        .trim()
        .starts_with("not found")
        .then_some(path)
}

/// Returns whether a word of a `COPY`, in JSON or not, names this path.
fn names(word: &str, path: &str) -> bool {
    let word = word.trim_matches(['[', ']', ',', '"', '\'']);
    let plain = |path: &str| LocalPath::new("/").join(path.trim_start_matches('/'));
    !word.is_empty() && plain(word) == plain(path)
}

/// Says whether a file is not in the context, or left out of it, and by what.
fn context_hint(case: &Case<'_>, missing: &str) -> String {
    let context = &case.build.context;
    let path = context.join(missing);
    let (dir, name) = (path.parent(), path.file_name().unwrap_or_default().to_owned());
    let siblings = (case.listing)(&dir);
    if siblings.contains(&name) {
        return match excluded_by(case, &path) {
            Some(by) => format!("{missing:?} is there, but left out of the build context by {by}"),
            None => format!("{missing:?} is there now: it came while the image was built"),
        };
    }
    let near = nearest(&name, siblings.iter().map(String::as_str));
    let near = near.map(|near| {
        format!(
            "; did you mean {:?}?",
            dir.join(near).relative_to(context).to_string_lossy()
        )
    });
    format!(
        "there is no {missing:?} in the build context {context}{}",
        near.unwrap_or_default()
    )
}

/// Returns what keeps a file out of the context.
fn excluded_by(case: &Case<'_>, path: &LocalPath) -> Option<String> {
    let ignores = &case.build.context_ignores;
    let at = ignores
        .iter()
        .position(|ignore| IgnoreMatcher::new(std::slice::from_ref(ignore)).is_ignored(path))?;
    let ignore = ignores.get(at)?;
    let site = case.build.site.as_ref();
    let dockerignore = site.and_then(|site| site.dockerignore.as_ref());
    Some(match dockerignore {
        _ if ignore.patterns.is_empty() && ignore.base.file_name().as_deref() == Some(".git") => {
            "a rule for all images: .git is never sent".to_owned()
        }
        _ if ignore.patterns.is_empty() => "a rule for all images: the Tiltfile is never sent".to_owned(),
        Some(file) if at + 1 == ignores.len() => file.to_string(),
        _ if is_only(ignore) => "only= of docker_build()".to_owned(),
        _ => "ignore= of docker_build()".to_owned(),
    })
}

fn is_only(ignore: &Ignore) -> bool {
    let mut patterns = ignore.patterns.iter();
    patterns.next().is_some_and(|first| first == "**") && patterns.all(|pattern| pattern.starts_with('!'))
}
