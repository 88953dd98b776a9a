//! What `docker_build` and `custom_build` have in common.

use crate::assembly::{DeclaredImage, Ignorefile};
use crate::call::{Arg, Call};
use crate::fault::{Fault, Outcome};
use crate::model::{ImageRef, Injection, LocalPath};
use crate::session::Session;

/// Returns the reference that the call is about, as written and parsed.
pub(super) fn reference(call: &Call<'_, '_, '_, '_>) -> Outcome<(String, ImageRef)> {
    let arg = call.required("ref");
    let written = arg.text()?.to_owned();
    let image = ImageRef::parse(&written).map_err(|error| {
        Fault::new(format!("Argument 1 (ref): can't parse \"{written}\": {error}")).at(arg.place())
    })?;
    Ok((written, image))
}

/// Returns how the image is put into objects: `match_in_env_vars`, `entrypoint` and `container_args`.
pub(super) fn injection(call: &Call<'_, '_, '_, '_>) -> Outcome<Injection> {
    let match_in_env_vars = call
        .get("match_in_env_vars")
        .map_or(Ok(false), |arg| arg.boolean())?;
    let command = call.get("entrypoint").map(|arg| arg.argv()).transpose()?;
    let args = call.get("container_args").map(|arg| {
        arg.strings().map_err(|fault| {
            fault.map_message(|why| {
                let bad_element = format!("{}: container_args: ", call.builtin.name);
                match why.strip_prefix(&bad_element) {
                    Some(why) => format!("Argument 'container_args': {why}"),
                    None => why.to_owned(),
                }
            })
        })
    });
    Ok(Injection {
        match_in_env_vars,
        command: command.filter(|argv| !argv.is_empty()),
        args: args.transpose()?,
    })
}

/// Returns which of these paths are roots of git repositories, each once.
pub(super) fn git_roots<'p>(
    session: &Session<'_>,
    paths: impl IntoIterator<Item = &'p LocalPath>,
) -> Vec<LocalPath> {
    let mut roots: Vec<LocalPath> = Vec::new();
    for path in paths {
        if session.host.is_dir(&path.join(".git")) && !roots.contains(path) {
            roots.push(path.clone());
        }
    }
    roots
}

/// Reads an ignore file; one that is not there has no patterns.
pub(super) fn ignorefile(session: &Session<'_>, path: LocalPath) -> Ignorefile {
    let text = session.host.read(&path).unwrap_or_default();
    Ignorefile::parse(path, &String::from_utf8_lossy(&text))
}

/// Returns an optional text that may be a blob; empty is none.
pub(super) fn option(arg: Option<Arg<'_>>) -> Outcome<Option<String>> {
    let text = arg.map(|arg| arg.text_or_blob()).transpose()?;
    Ok(text.filter(|text| !text.is_empty()))
}

/// Declares an image; its reference must be new.
pub(super) fn register(session: &Session<'_>, declared: DeclaredImage) -> Outcome<()> {
    let mut declarations = session.declared.borrow_mut();
    let key = declared.image.to_string();
    let next = declarations.images.len();
    let at = *declarations.image_positions.entry(key).or_insert(next);
    match declarations.images.get(at) {
        Some(earlier) => Err(Fault::new(format!(
            "Image for ref \"{}\" has already been defined",
            declared.image.familiar()
        ))
        .at(declared.site.argument("ref", 0))
        .hint(format!("it was first defined at {}", earlier.site.position()))),
        None => {
            declarations.images.push(declared);
            Ok(())
        }
    }
}
