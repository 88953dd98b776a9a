//! Built-ins that declare images built by Docker.

use starlark::values::Value;

use super::Builtin;
use crate::assembly::{DeclaredImage, Ignorefile};
use crate::diag::Diagnostic;
use crate::model::{ImageRef, ImageSelector, LocalPath};
use crate::tiltfile::call::{Arg, Call};
use crate::tiltfile::fault::{Fault, Outcome, io_message};
use crate::tiltfile::kinds::stringable;
use crate::tiltfile::session::Session;

pub(super) static BUILTINS: &[Builtin] = &[Builtin {
    name: "docker_build",
    signature: "ref, context, build_args={}, dockerfile=?, dockerfile_contents=?, cache=?, live_update=[], \
                match_in_env_vars=False, ignore=[], only=[], entrypoint=?, container_args=?, target='', ssh=[], \
                secret=[], network='', extra_tag=[], cache_from=[], pull=False, platform='', extra_hosts=[]",
    doc: "Declares an image that Docker builds from a Dockerfile, for every workload whose YAML names it.",
    run: docker_build,
}];

/// What this version does not do yet.
const REFUSED: &[&str] = &[
    "live_update",
    "match_in_env_vars",
    "entrypoint",
    "container_args",
    "ssh",
    "secret",
    "network",
    "extra_tag",
    "cache_from",
    "pull",
    "platform",
    "extra_hosts",
];

fn docker_build<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let session = call.session();
    let written = call.required("ref").text()?.to_owned();
    let image = ImageRef::parse(&written).map_err(|error| {
        Fault::new(format!("Argument 1 (ref): can't parse \"{written}\": {error}"))
            .at(call.required("ref").place())
    })?;
    let context = call.required("context").path(session)?;
    let build_args = match call.get("build_args") {
        Some(arg) => build_args(&arg)?,
        None => Vec::new(),
    };
    call.refuse(REFUSED)?;
    if call.get("cache").is_some() {
        let place = call.site().place();
        session.warn(
            Diagnostic::warning(
                "docker_build(cache=...) is obsolete, and currently a no-op.\n\
                 You should switch to live_update to optimize your builds.",
            )
            .at(place),
        );
    }
    let (dockerfile, dockerfile_contents) = dockerfile(call, session, &context)?;
    let ignore = call.get("ignore").map_or(Ok(Vec::new()), |arg| arg.patterns())?;
    let only = call.get("only").map_or(Ok(Vec::new()), |arg| only(&arg))?;
    let stage = match call.get("target") {
        Some(arg) => Some(arg.text()?.to_owned()).filter(|stage| !stage.is_empty()),
        None => None,
    };
    let git_roots = [&dockerfile, &context]
        .into_iter()
        .filter(|path| session.host.is_dir(&path.join(".git")))
        .cloned()
        .collect();
    let declared = DeclaredImage {
        image,
        written,
        dockerignore: dockerignore(session, &dockerfile, &context),
        context,
        dockerfile,
        dockerfile_contents,
        build_args,
        stage,
        ignore,
        only,
        git_roots,
        declared_in: session.running_file(),
        site: call.site(),
    };
    register(session, declared)?;
    Ok(Value::new_none())
}

fn register(session: &Session<'_>, declared: DeclaredImage) -> Outcome<()> {
    let mut declarations = session.declared.borrow_mut();
    let selector = ImageSelector::new(declared.image.clone());
    let earlier = declarations
        .images
        .iter()
        .find(|other| ImageSelector::new(other.image.clone()) == selector);
    if let Some(earlier) = earlier {
        return Err(Fault::new(format!(
            "Image for ref \"{}\" has already been defined",
            declared.image.familiar()
        ))
        .at(declared.site.argument("ref", 0))
        .hint(format!("it was first defined at {}", earlier.site.position())));
    }
    declarations.images.push(declared);
    Ok(())
}

/// Returns `KEY=value`, or `KEY` for an empty value, sorted by key.
fn build_args(arg: &Arg<'_>) -> Outcome<Vec<String>> {
    let pair = |(key, value): (String, String)| {
        if value.is_empty() {
            key
        } else {
            format!("{key}={value}")
        }
    };
    Ok(arg.text_map()?.into_iter().map(pair).collect())
}

/// Returns where the Dockerfile is, or would be, and its text.
fn dockerfile(
    call: &Call<'_, '_, '_, '_>,
    session: &Session<'_>,
    context: &LocalPath,
) -> Outcome<(LocalPath, String)> {
    let path = call.get("dockerfile").filter(|arg| !arg.value.is_none());
    if let Some(contents) = call.get("dockerfile_contents") {
        if path.is_some() {
            return Err(Fault::new(
                "Cannot specify both dockerfile and dockerfile_contents keyword arguments",
            )
            .at(contents.place()));
        }
        let Some(text) = stringable(contents.value) else {
            return Err(
                Fault::new("Argument (dockerfile_contents): must be string or blob.").at(contents.place()),
            );
        };
        return Ok((context.join("Dockerfile"), text));
    }
    let (file, place) = match &path {
        Some(arg) => (arg.path(session)?, arg.place()),
        None => (context.join("Dockerfile"), call.required("context").place()),
    };
    session.reads(&file);
    match session.host.read(&file) {
        Ok(bytes) => Ok((file, String::from_utf8_lossy(&bytes).into_owned())),
        Err(error) => {
            Err(Fault::new(format!("error reading dockerfile: {}", io_message(&file, &error))).at(place))
        }
    }
}

fn only(arg: &Arg<'_>) -> Outcome<Vec<String>> {
    let paths = arg.patterns()?;
    match paths.iter().find(|path| path.contains('*')) {
        Some(path) => Err(Fault::new(format!(
            "'only' does not support '*' file globs. Must be a real path: {path}"
        ))
        .at(arg.place())),
        None => Ok(paths),
    }
}

/// Returns the ignore file that holds for an image: the Dockerfile's own if there is one, else the context's.
fn dockerignore(session: &Session<'_>, dockerfile: &LocalPath, context: &LocalPath) -> Ignorefile {
    let own = LocalPath::new(format!("{dockerfile}.dockerignore"));
    let path = if session.host.exists(&own) {
        own
    } else {
        context.join(".dockerignore")
    };
    let text = session.host.read(&path).unwrap_or_default();
    Ignorefile::parse(path, &String::from_utf8_lossy(&text))
}
