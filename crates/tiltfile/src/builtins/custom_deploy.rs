//! The built-in that declares a resource which commands deploy.
//!
//! Rule: `docs/rules/tiltfile.md`, "Kubernetes".

use starlark::values::Value;

use super::{custom_build, images};
use crate::assembly::{DeclaredBuild, DeclaredCustomBuild, DeclaredDeploy, DeclaredImage};
use crate::call::{Arg, Builtin, Call};
use crate::fault::{Fault, Outcome};
use crate::model::{Command, CustomDeploy, Ignore, ImageRef, Injection, LiveUpdate, LocalPath, OutputMode};

pub(super) static BUILTINS: &[Builtin] = &[Builtin {
    name: "k8s_custom_deploy",
    signature: "name, apply_cmd, delete_cmd, deps, image_selector='', live_update=[], apply_dir=?, apply_env={}, \
                apply_cmd_bat=?, delete_dir=?, delete_env={}, delete_cmd_bat=?, container_selector='', image_deps=[]",
    doc: "Declares a resource that commands deploy and take away. Args: `name` (string); `apply_cmd` (command): \
          prints what it deployed as YAML; `delete_cmd` (command); `deps` (path or list of paths): deploy again when \
          they change; `apply_dir`, `delete_dir` (path), `apply_env`, `delete_env` (dict of strings): for the \
          commands; `apply_cmd_bat`, `delete_cmd_bat`: used instead on Windows; `live_update` (list of steps): needs \
          `image_selector` (string: an image's reference) or `container_selector` (string: a container's name); \
          `image_deps` (list of references): are built before and given to the commands as `TILT_IMAGE_<i>`. Other \
          options come through `k8s_resource`.",
    run: k8s_custom_deploy,
}];

fn k8s_custom_deploy<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let session = call.session();
    let name_arg = call.required("name");
    let name = name_arg.text()?.to_owned();
    if name.is_empty() {
        return Err(Fault::new("[validate] manifest missing name").at(name_arg.place()));
    }
    let deps = call.required("deps").unless_none();
    let deps = deps.map(|arg| arg.paths(session)).transpose()?;
    let live_update = call
        .get("live_update")
        .map_or(Ok(None), |arg| arg.live_update(session))?;
    let image_deps = call
        .get("image_deps")
        .map_or(Ok(Vec::new()), |arg| arg.images())?;
    let watched = deps.as_deref().unwrap_or_default();
    let deploy = CustomDeploy {
        apply: command(call, "apply_cmd", "apply_dir", "apply_env")?,
        delete: command(call, "delete_cmd", "delete_dir", "delete_env")?,
        watch_ignores: watch_ignores(live_update.as_ref(), &images::git_roots(session, watched)),
        deps: watched.to_vec(),
    };
    let live_update_image = live_update_image(call, &name, live_update, deps)?;
    let taken = session.declared.borrow().names.get(&name).copied();
    if let Some(maker) = taken {
        return Err(Fault::new(format!(
            "error making resource for {name}: {maker} named \"{name}\" already exists"
        ))
        .at(name_arg.place()));
    }
    let declared = DeclaredDeploy {
        live_update_image: live_update_image.as_ref().map(|image| image.image.clone()),
        name: name.clone(),
        deploy,
        image_deps,
        site: call.site(),
    };
    if let Some(image) = live_update_image {
        images::register(session, image)?;
    }
    let mut declarations = session.declared.borrow_mut();
    declarations.names.insert(name, "k8s_resource");
    declarations.deploys.push(declared);
    Ok(Value::new_none())
}

fn command(
    call: &Call<'_, '_, '_, '_>,
    name: &'static str,
    dir: &'static str,
    env: &'static str,
) -> Outcome<Command> {
    let command = call.command(name, dir, Some(env))?;
    if command.is_empty() {
        return Err(call
            .fault(format!("{name} cannot be empty"))
            .at(call.required(name).place()));
    }
    Ok(command)
}

/// What is changed in place does not lead to another deploy.
fn watch_ignores(live_update: Option<&LiveUpdate>, git_roots: &[LocalPath]) -> Vec<Ignore> {
    let in_place = live_update.map(|update| {
        let sources = update.syncs.iter().map(|sync| &sync.source);
        let paths = sources.chain(&update.stop_paths);
        Ignore {
            base: update.base.clone(),
            patterns: paths.map(|path| path.relative_with_dots(&update.base)).collect(),
        }
    });
    let git = git_roots.iter().map(|root| Ignore {
        base: root.join(".git"),
        patterns: Vec::new(),
    });
    in_place.into_iter().chain(git).collect()
}

/// Returns the image that stands for the containers that a live update changes: it is never built.
fn live_update_image(
    call: &Call<'_, '_, '_, '_>,
    name: &str,
    live_update: Option<LiveUpdate>,
    deps: Option<Vec<LocalPath>>,
) -> Outcome<Option<DeclaredImage>> {
    let session = call.session();
    let selector = |name| -> Outcome<Option<Arg<'_>>> {
        let Some(arg) = call.get(name) else {
            return Ok(None);
        };
        Ok((!arg.text()?.is_empty()).then_some(arg))
    };
    let (by_image, by_container) = (selector("image_selector")?, selector("container_selector")?);
    let Some(mut live_update) = live_update else {
        return Ok(None);
    };
    let image = match (by_image, by_container) {
        (Some(_), Some(arg)) => {
            return Err(call
                .fault("cannot specify more than one Live Update selector")
                .at(arg.place()));
        }
        (None, None) => {
            return Err(call
                .fault("no Live Update selector specified")
                .at(call.required("live_update").place())
                .hint("say which container is changed: image_selector='...' or container_selector='...'"));
        }
        (Some(arg), None) => ImageRef::parse(arg.text()?)
            .map_err(|why| arg.fault(format!("can't parse {:?}: {why}", arg.value.to_str())))?,
        (None, Some(arg)) => {
            live_update.container = Some(arg.text()?.to_owned());
            let tag = name.replace(|c: char| !c.is_ascii_alphanumeric() && !"_.-".contains(c), "-");
            ImageRef::parse(&format!("k8s_custom_deploy:{tag}"))
                .map_err(|why| call.fault(format!("the name cannot stand for an image: {why}")))?
        }
    };
    let watched = deps.as_deref().unwrap_or_default();
    Ok(Some(DeclaredImage {
        written: image.familiar(),
        image,
        injection: Injection::default(),
        live_update: Some(live_update),
        git_roots: images::git_roots(session, watched),
        build: DeclaredBuild::Custom(Box::new(DeclaredCustomBuild {
            command: Command {
                argv: Command::shell_argv(":"),
                ..Command::default()
            },
            directories: custom_build::directories(session, watched),
            deps,
            image_deps: Vec::new(),
            output: OutputMode::Remote,
            tag: None,
            image_ref_file: None,
        })),
        ignore: Vec::new(),
        declared_in: session.running_file(),
        site: call.site(),
    }))
}
