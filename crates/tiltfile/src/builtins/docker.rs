//! Built-ins that declare images built by Docker.

use starlark::values::Value;

use super::images;
use crate::assembly::{DeclaredBuild, DeclaredDockerBuild, DeclaredImage, Ignorefile};
use crate::call::{Arg, Builtin, Call};
use crate::diag::Diagnostic;
use crate::fault::{Fault, Outcome, io_message};
use crate::kinds::stringable;
use crate::model::octets::text_of;
use crate::model::{DockerOptions, ImageRef, LocalPath};
use crate::session::Session;

pub(super) static BUILTINS: &[Builtin] = &[Builtin {
    name: "docker_build",
    signature: "ref, context, build_args={}, dockerfile=?, dockerfile_contents=?, cache=?, live_update=[], \
                match_in_env_vars=False, ignore=[], only=[], entrypoint=?, container_args=?, target='', ssh=[], \
                secret=[], network='', extra_tag=[], cache_from=[], pull=False, platform='', extra_hosts=[]",
    doc: "Declares an image that Docker builds from a Dockerfile, for every workload whose YAML names it. Args: \
          `ref` (string): the image; `context` (path): the directory that is sent; `dockerfile` (path): `Dockerfile` \
          in it if not said; `dockerfile_contents` (string or blob): its text instead; `ignore` (string or list of \
          strings): patterns as in a `.dockerignore`; `only` (string or list of strings): the paths that are sent at \
          all; `live_update` (list of steps): `initial_sync()`, `fall_back_on()`, `sync()`, `run()`; `entrypoint` \
          (command) and `container_args` (list of strings): replace the command and the arguments of the containers; \
          `match_in_env_vars` (bool): the image is looked for in values of environment variables too; `cache`: \
          ignored. `build_args` (dict of strings), `target`, `network` and `platform` (string), `ssh`, `secret`, \
          `extra_tag`, `cache_from` and `extra_hosts` (string or list of strings) and `pull` (bool) are options of \
          `docker build`.",
    run: docker_build,
}];

fn docker_build<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let session = call.session();
    let (written, image) = images::reference(call)?;
    let context = call.required("context").path(session)?;
    let build_args = match call.get("build_args") {
        Some(arg) => build_args(&arg)?,
        None => Vec::new(),
    };
    // In Tilt's order: of several faults the first one is told.
    let (dockerfile, dockerfile_contents) = dockerfile(call, session, &context)?;
    warn_of_cache(call);
    let live_update = match call.get("live_update") {
        Some(arg) => arg.live_update(session)?,
        None => None,
    };
    let ignore = call.get("ignore").map_or(Ok(Vec::new()), |arg| arg.patterns())?;
    let only = call.get("only").map_or(Ok(Vec::new()), |arg| only(&arg))?;
    let stage = match call.get("target") {
        Some(arg) => Some(arg.text()?.to_owned()).filter(|stage| !stage.is_empty()),
        None => None,
    };
    let declared = DeclaredImage {
        image,
        written,
        injection: images::injection(call)?,
        live_update,
        git_roots: images::git_roots(session, [&dockerfile, &context]),
        build: DeclaredBuild::Docker(Box::new(DeclaredDockerBuild {
            dockerignore: dockerignore(session, &dockerfile, &context),
            context,
            dockerfile,
            dockerfile_contents,
            is_inline: call.get("dockerfile_contents").is_some(),
            build_args,
            stage,
            only,
            options: options(call)?,
        })),
        ignore,
        declared_in: session.running_file(),
        site: call.site(),
    };
    images::register(session, declared)?;
    Ok(Value::new_none())
}

fn warn_of_cache(call: &Call<'_, '_, '_, '_>) {
    if call.get("cache").is_some() {
        let warning = Diagnostic::warning(
            "docker_build(cache=...) is obsolete, and currently a no-op.\n\
             You should switch to live_update to optimize your builds.",
        );
        call.session().warn(warning.at(call.site().place()));
    }
}

/// Returns what the engine is told as it is.
fn options(call: &Call<'_, '_, '_, '_>) -> Outcome<DockerOptions> {
    let texts = |name| call.get(name).map_or(Ok(Vec::new()), |arg| arg.text_or_list());
    let platform = images::option(call.get("platform"))?;
    let options = DockerOptions {
        ssh: texts("ssh")?,
        secrets: texts("secret")?,
        network: images::option(call.get("network"))?,
        pull: call.get("pull").map_or(Ok(false), |arg| arg.boolean())?,
        cache_from: texts("cache_from")?,
        platform: platform.or_else(|| {
            call.session()
                .host
                .env("DOCKER_DEFAULT_PLATFORM")
                .filter(|p| !p.is_empty())
        }),
        extra_tags: texts("extra_tag")?,
        extra_hosts: texts("extra_hosts")?,
    };
    for tag in &options.extra_tags {
        if let Err(error) = ImageRef::parse(tag) {
            let message = format!("Argument extra_tag=\"{tag}\" not a valid image reference: {error}");
            let arg = call.get("extra_tag").map(|arg| arg.place());
            return Err(Fault::new(message).at(arg.unwrap_or_else(|| call.site().place())));
        }
    }
    Ok(options)
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
        Ok(bytes) => Ok((file, text_of(&bytes))),
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

/// Returns the ignore file that holds for an image: the Dockerfile's own if there is one, else the context's. As in Tilt it is
/// not listed where there is no such context.
pub(super) fn dockerignore(
    session: &Session<'_>,
    dockerfile: &LocalPath,
    context: &LocalPath,
) -> Option<Ignorefile> {
    let own = LocalPath::new(format!("{dockerfile}.dockerignore"));
    let path = if session.host.exists(&own) {
        own
    } else {
        context.join(".dockerignore")
    };
    session.also_reads(&path);
    session
        .host
        .is_dir(context)
        .then(|| images::ignorefile(session, path))
}
