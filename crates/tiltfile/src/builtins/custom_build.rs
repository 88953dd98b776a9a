//! Built-ins about images that commands build, and about where images are pushed.

use starlark::values::Value;

use super::images;
use crate::assembly::{DeclaredBuild, DeclaredCustomBuild, DeclaredImage, Ignorefile};
use crate::call::{Arg, Builtin, Call};
use crate::fault::{Fault, Outcome};
use crate::model::{Command, ImageRef, LocalPath, OutputMode, Registry};
use crate::session::Session;
use crate::values::CustomBuildValue;

pub(super) static BUILTINS: &[Builtin] = &[
    Builtin {
        name: "custom_build",
        signature: "ref, command, deps, tag='', disable_push=False, skips_local_docker=False, live_update=[], \
                    match_in_env_vars=False, ignore=[], entrypoint=?, container_args=?, command_bat_val=?, \
                    outputs_image_ref_to=?, command_bat=?, image_deps=[], env={}, dir=?",
        doc: "Declares an image that a command builds, for every workload whose YAML names it. Args: `ref` (string): \
              the image; `command` (command): gives the image the name in `$EXPECTED_REF`; `deps` (list of paths): a \
              change of one of them builds it again; `tag` (string): the tag that the command gives it instead; \
              `outputs_image_ref_to` (path): the file into which the command writes its reference; `disable_push` \
              (bool): the command pushes; `skips_local_docker` (bool): the image is never in the local Docker \
              engine; `ignore` (string or list of strings): patterns relative to the directories among `deps`; \
              `image_deps` (list of references): images that are built before; `env` (dict of strings) and `dir` \
              (path): for the command; `command_bat`, or `command_bat_val`: used instead on Windows. `entrypoint`, \
              `container_args`, `match_in_env_vars` and `live_update` are those of `docker_build`.",
        run: custom_build,
    },
    Builtin {
        name: "default_registry",
        signature: "host, host_from_cluster='', single_name=''",
        doc: "Pushes images to a registry, and names them after it. A registry that the cluster \
              announces comes first. May be called once. Args: `host` (string): the \
              registry; `host_from_cluster` (string): the same one as the cluster reaches it; `single_name` \
              (string): one repository for all images.",
        run: default_registry,
    },
];

fn custom_build<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let session = call.session();
    let (written, image) = images::reference(call)?;
    let deps = call.required("deps").unless_none();
    let deps = deps.map(|arg| arg.paths(session)).transpose()?;
    // In Tilt's order: of several faults the first one is told.
    let live_update = match call.get("live_update") {
        Some(arg) => arg.live_update(session)?,
        None => None,
    };
    let ignore = call.get("ignore").map_or(Ok(Vec::new()), |arg| arg.patterns())?;
    let injection = images::injection(call)?;
    let command = command(call)?;
    let (output, tag, image_ref_file) = output(call)?;
    let paths = deps.as_deref().unwrap_or_default();
    let value = CustomBuildValue {
        image: image.to_string(),
    };
    let declared = DeclaredImage {
        image,
        written,
        injection,
        live_update,
        git_roots: images::git_roots(session, paths),
        build: DeclaredBuild::Custom(Box::new(DeclaredCustomBuild {
            command,
            directories: directories(session, paths),
            deps,
            image_deps: call
                .get("image_deps")
                .map_or(Ok(Vec::new()), |arg| arg.images())?,
            output,
            tag,
            image_ref_file,
        })),
        ignore,
        declared_in: session.running_file(),
        site: call.site(),
    };
    images::register(session, declared)?;
    Ok(call.heap().alloc(value))
}

fn command(call: &Call<'_, '_, '_, '_>) -> Outcome<Command> {
    let arg = call.required("command");
    let command = call
        .command("command", "dir", Some("env"))
        .map_err(|fault| fault.map_message(|why| format!("Argument 2 (command): {why}")))?;
    if command.is_empty() {
        return Err(Fault::new("Argument 2 (command) can't be empty").at(arg.place()));
    }
    Ok(command)
}

/// Returns where the command leaves the image, the tag that it gives, and the file that it writes its reference to.
fn output(call: &Call<'_, '_, '_, '_>) -> Outcome<(OutputMode, Option<String>, Option<LocalPath>)> {
    let flag = |name| call.get(name).map_or(Ok(false), |arg| arg.boolean());
    let tag = match call.get("tag") {
        Some(arg) => Some(arg.text()?.to_owned()).filter(|tag| !tag.is_empty()),
        None => None,
    };
    let mode = match (flag("skips_local_docker")?, flag("disable_push")?) {
        (true, _) => OutputMode::Remote,
        (false, true) => OutputMode::LocalDockerAndRemote,
        (false, false) => OutputMode::LocalDocker,
    };
    let file = call.get("outputs_image_ref_to");
    let path = file.as_ref().map(|arg| arg.path(call.session())).transpose()?;
    match (&tag, &file) {
        (Some(_), Some(arg)) => {
            Err(Fault::new("Cannot specify both tag= and outputs_image_ref_to=").at(arg.place()))
        }
        _ => Ok((mode, tag, path)),
    }
}

/// Returns the directories among these paths, each once, with their dockerignore files.
pub(super) fn directories(session: &Session<'_>, paths: &[LocalPath]) -> Vec<(LocalPath, Ignorefile)> {
    let mut directories: Vec<(LocalPath, Ignorefile)> = Vec::new();
    for path in paths.iter().filter(|path| session.host.is_dir(path)) {
        if !directories.iter().any(|(known, _)| known == path) {
            let file = images::ignorefile(session, path.join(".dockerignore"));
            directories.push((path.clone(), file));
        }
    }
    directories
}

fn default_registry<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let optional = |name| match call.get(name) {
        Some(arg) => arg
            .text()
            .map(|text| Some(text.to_owned()).filter(|text| !text.is_empty())),
        None => Ok(None),
    };
    let registry = Registry {
        host: call.required("host").text()?.to_owned(),
        host_from_container_runtime: optional("host_from_cluster")?,
        single_name: optional("single_name")?,
    };
    let mut declarations = call.session().declared.borrow_mut();
    if let Some((_, earlier)) = &declarations.default_registry {
        return Err(Fault::new("default registry already defined")
            .at(call.site().place())
            .hint(format!("it was defined at {}", earlier.position())));
    }
    check_host("host", &registry.host).map_err(|why| refused(&call.required("host"), &why))?;
    if let (Some(host), Some(arg)) = (
        &registry.host_from_container_runtime,
        call.get("host_from_cluster"),
    ) {
        check_host("hostFromContainerRuntime", host).map_err(|why| refused(&arg, &why))?;
    }
    declarations.default_registry = Some((registry, call.site()));
    Ok(Value::new_none())
}

fn refused(arg: &Arg<'_>, why: &str) -> Fault {
    Fault::new(format!("validating defaultRegistry: {why}"))
        .at(arg.place())
        .hint("a registry has a dot or a port in its name, as in \"localhost:5005\" or \"gcr.io/my-team\"")
}

/// Returns why a text is no host of a registry, as the original says it of this field.
fn check_host(field: &str, host: &str) -> Result<(), String> {
    if host.is_empty() {
        return Err(format!("{field}: Required value"));
    }
    let invalid = |why: &str| format!("{field}: Invalid value: {host:?}: {why}");
    let name = format!("{host}/image");
    match ImageRef::parse(&name) {
        Err(error) => Err(invalid(&error.to_string())),
        Ok(image) if image.name() != name => Err(invalid("repository name must be canonical")),
        Ok(_) => Ok(()),
    }
}
