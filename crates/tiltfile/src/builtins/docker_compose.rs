//! The built-in that declares the services of a Compose project.
//!
//! Rule: `docs/rules/compose.md`, "Projects".

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use sha2::{Digest, Sha256};
use starlark::values::Value;
use starlark::values::dict::DictRef;

use super::docker;
use super::resources::optional_bool;
use crate::assembly::{DeclaredComposeBuild, DeclaredProject, DeclaredService, ServiceOptions};
use crate::call::{Arg, Builtin, Call};
use crate::compose::{self, BuildSection, Resolved, Unresolved};
use crate::data::plain;
use crate::diag::Diagnostic;
use crate::fault::{Fault, Outcome};
use crate::k8s::yaml;
use crate::kinds::go_type;
use crate::model::octets::{bytes_of, text_of};
use crate::model::{ComposeBuild, ComposeProject, ComposeService, ImageRef, LocalPath, ManifestName};
use crate::session::Session;
use crate::values::Blob;

/// What built-ins say that a resource was made by.
pub(super) const MAKER: &str = "dc_resource";

pub(super) static BUILTINS: &[Builtin] = &[Builtin {
    name: "docker_compose",
    signature: "configPaths, env_file=?, project_name='', profiles=[], wait=False",
    doc: "Makes a resource of each service of a Compose project. `configPaths` (path, blob, dict, or list of these) are its \
          files, each over those before it; a dict is a file's content. `env_file` (path) is read for variables in place of \
          `.env` in the project's directory, which is that of the first file; `project_name` (str) is by default made of that \
          directory's name; `profiles` (str or list of str) are the profiles whose services are part of it, by default those \
          of `$COMPOSE_PROFILES`; with `wait` (bool) a deployment waits until its container is healthy. Another call with the \
          same project's name adds files to the project. All files that the project is made of are watched, and a reload reuses \
          what they mean while none has changed.",
    run: docker_compose,
}];

fn docker_compose<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let session = call.session();
    let given = given(call)?;
    let earlier = position(session, &given.project.name);
    let mut project = match earlier {
        None => given.project,
        Some(at) => {
            let earlier = Arc::clone(&session.declared.borrow().projects[at].project);
            warn_of_directories(call, &earlier, &given.project, given.is_named);
            extended(&earlier, given.project)
        }
    };
    let resolved = compose::resolve(session, &mut project).map_err(|why| match why {
        Unresolved::Program(fault) => fault,
        Unresolved::Project(fault) => {
            let is_of_name = fault.to_string().contains("invalid project name");
            let arg = call.get("project_name").filter(|_| is_of_name);
            arg.unwrap_or_else(|| call.required("configPaths")).mark(fault)
        }
    })?;
    resolved.env_files.iter().for_each(|file| session.reads(file));
    let project = Arc::new(project);
    let mut services = Vec::new();
    for service in &resolved.services {
        let build = resolved.builds.get(&service.name);
        let build = build.map(|section| declared_build(session, &project, service, section));
        services.push(declared_service(call, &project, service, build)?);
    }
    register(call, earlier, project, services, &resolved)?;
    Ok(Value::new_none())
}

/// What a call says of its project.
struct Given {
    project: ComposeProject,
    /// Whether it says the project's name.
    is_named: bool,
}

fn given(call: &Call<'_, '_, '_, '_>) -> Outcome<Given> {
    let session = call.session();
    let paths_arg = call.required("configPaths");
    let env_file = call.get("env_file").map(|arg| arg.path(session)).transpose()?;
    let name = call.get("project_name").map_or(Ok(""), |arg| arg.text())?;
    let profiles = call.get("profiles").map(|arg| arg.text_or_list()).transpose()?;
    let wait = call.get("wait").map_or(Ok(None), |arg| optional_bool(&arg))?;
    env_file.iter().for_each(|file| session.reads(file));
    let (config_paths, directory) = config_paths(session, &paths_arg)?;
    let is_named = !name.is_empty();
    let of_directory = || {
        let directories = [&directory, &session.running_file().parent()].map(normalized);
        directories.into_iter().find(|name| !name.is_empty())
    };
    let name = match is_named {
        true => name.to_owned(),
        false => of_directory().unwrap_or_default(),
    };
    let profiles = profiles.unwrap_or_else(|| {
        let variable = session.host.env("COMPOSE_PROFILES").unwrap_or_default();
        if !variable.is_empty() {
            session.log.info(&format!(
                "Compose project \"{name}\" loading profiles from environment: {variable}"
            ));
        }
        let profiles = variable.split(',').filter(|profile| !profile.is_empty());
        profiles.map(str::to_owned).collect()
    });
    Ok(Given {
        project: ComposeProject {
            command: Vec::new(),
            name,
            directory,
            config_paths,
            env_file,
            profiles,
            wait: wait.unwrap_or_default(),
        },
        is_named,
    })
}

/// Returns the files of a project, and its directory: that of the first file that is none of ours, else the Tiltfile's.
fn config_paths(session: &Session<'_>, arg: &Arg<'_>) -> Outcome<(Vec<LocalPath>, LocalPath)> {
    let given = match DictRef::from_value(arg.value) {
        Some(_) => vec![arg.value],
        None => arg.one_or_many(),
    };
    let mut paths = Vec::new();
    let mut directory = None;
    for value in given {
        if let Some(text) = inline(value, arg)? {
            paths.push(stored(session, &text).map_err(|fault| arg.mark(fault))?);
            continue;
        }
        let Some(path) = session.path(value) else {
            let got = go_type(value);
            return Err(
                Fault::new(format!("expected blob | path (string). Actual type: {got}")).at(arg.place()),
            );
        };
        session.reads(&path);
        directory.get_or_insert_with(|| path.parent());
        paths.push(path);
    }
    if paths.is_empty() {
        return Err(Fault::new("Nothing to compose").at(arg.place()));
    }
    Ok((
        paths,
        directory.unwrap_or_else(|| session.running_file().parent()),
    ))
}

/// Returns the text of a file that the Tiltfile itself gives.
fn inline(value: Value<'_>, arg: &Arg<'_>) -> Outcome<Option<String>> {
    if let Some(blob) = Blob::from_value(value) {
        return Ok(Some(blob.text.clone()));
    }
    if DictRef::from_value(value).is_none() {
        return Ok(None);
    }
    let content = plain(value).map_err(|why| Fault::new(why).at(arg.place()))?;
    Ok(Some(yaml::encode(&content)))
}

/// Keeps a text where compose can read it, also long after this load.
fn stored(session: &Session<'_>, text: &str) -> Outcome<LocalPath> {
    let content = bytes_of(text);
    let hash: String = Sha256::digest(&content)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let path = session.host.store(&format!("{hash}.yml"), &content);
    path.map_err(|why| Fault::new(format!("unable to store yaml blob: {why}")))
}

/// Returns the name that compose would give to a project in this directory.
fn normalized(directory: &LocalPath) -> String {
    let name = directory.file_name().unwrap_or_default().to_lowercase();
    let kept: String = name
        .chars()
        .filter(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || "_-".contains(*letter))
        .collect();
    kept.trim_start_matches(['_', '-']).to_owned()
}

fn position(session: &Session<'_>, name: &str) -> Option<usize> {
    let declared = session.declared.borrow();
    declared
        .projects
        .iter()
        .position(|known| known.project.name == name)
}

/// Returns a project with what another call adds to it.
fn extended(earlier: &ComposeProject, added: ComposeProject) -> ComposeProject {
    fn join<T: PartialEq + Clone>(earlier: &[T], added: Vec<T>) -> Vec<T> {
        let mut all = earlier.to_vec();
        for item in added {
            if !all.contains(&item) {
                all.push(item);
            }
        }
        all
    }
    ComposeProject {
        command: added.command,
        name: added.name,
        directory: earlier.directory.clone(),
        config_paths: join(&earlier.config_paths, added.config_paths),
        env_file: added.env_file.or_else(|| earlier.env_file.clone()),
        profiles: join(&earlier.profiles, added.profiles),
        wait: earlier.wait || added.wait,
    }
}

/// Two directories of one name make one project, which is seldom meant.
fn warn_of_directories(
    call: &Call<'_, '_, '_, '_>,
    earlier: &ComposeProject,
    added: &ComposeProject,
    is_named: bool,
) {
    if is_named || earlier.directory == added.directory {
        return;
    }
    let name = &added.name;
    let warning = Diagnostic::warning(format!(
        "docker_compose: {} is added to project \"{name}\" of {}, since both directories have the same name",
        added.directory, earlier.directory
    ));
    call.session().warn(
        warning
            .at(call.required("configPaths").place())
            .hint("give one of them another name with project_name="),
    );
}

fn declared_service(
    call: &Call<'_, '_, '_, '_>,
    project: &ComposeProject,
    service: &ComposeService,
    build: Option<DeclaredComposeBuild>,
) -> Outcome<DeclaredService> {
    let name = &service.name;
    let image = match service.definition["image"].as_str() {
        Some(image) => image.to_owned(),
        None => format!("{}_{name}", project.name),
    };
    let image = ImageRef::parse(&image).map_err(|why| {
        Fault::new(format!(
            "getting service {name}: Error parsing image name \"{image}\": {why}"
        ))
        .at(call.required("configPaths").place())
    })?;
    let deps: BTreeSet<&str> = service
        .depends_on
        .iter()
        .map(|needed| needed.service.as_str())
        .collect();
    Ok(DeclaredService {
        name: name.clone(),
        service: service.clone(),
        image,
        build,
        options: ServiceOptions::default(),
        resource_deps: deps
            .into_iter()
            .map(|dep| (dep.to_owned(), call.site()))
            .collect(),
        site: call.site(),
    })
}

/// Reads what a `build` section refers to.
fn declared_build(
    session: &Session<'_>,
    project: &Arc<ComposeProject>,
    service: &ComposeService,
    section: &BuildSection,
) -> DeclaredComposeBuild {
    let contents = section.dockerfile.as_ref().and_then(|file| {
        session.also_reads(file);
        session.host.read(file).ok()
    });
    let context = section.context.as_ref();
    let dockerfile = section
        .dockerfile
        .clone()
        .or_else(|| Some(context?.join("Dockerfile")));
    let dockerignore = dockerfile.as_ref().zip(context);
    DeclaredComposeBuild {
        dockerignore: dockerignore
            .and_then(|(dockerfile, context)| docker::dockerignore(session, dockerfile, context)),
        contexts: section.contexts.clone(),
        build: ComposeBuild {
            project: Arc::clone(project),
            service: service.name.clone(),
            context: section.context.clone(),
            dockerfile: section.dockerfile.clone(),
            dockerfile_contents: contents.map(|bytes| text_of(&bytes)),
            mounted: service
                .mounts
                .iter()
                .map(|mount| mount.source.clone().unwrap_or_default())
                .collect(),
            definition: section.definition.clone(),
        },
    }
}

/// Declares the services of a project. What was said about those that it had before stays said.
fn register(
    call: &Call<'_, '_, '_, '_>,
    earlier: Option<usize>,
    project: Arc<ComposeProject>,
    mut services: Vec<DeclaredService>,
    resolved: &Resolved,
) -> Outcome<()> {
    let mut declared = call.session().declared.borrow_mut();
    let had = earlier
        .map(|at| declared.projects[at].services.clone())
        .unwrap_or_default();
    for service in &had {
        declared.names.remove(&service.name);
    }
    let had: HashMap<&str, &DeclaredService> =
        had.iter().map(|had| (had.service.name.as_str(), had)).collect();
    let new_name = |service: &str| {
        had.get(service)
            .map_or_else(|| service.to_owned(), |had| had.name.clone())
    };
    for service in &mut services {
        let mut deps: BTreeSet<String> = BTreeSet::new();
        for needed in &mut service.service.depends_on {
            let resource = new_name(&needed.service);
            deps.insert(resource.clone());
            needed.resource = ManifestName::new(resource);
        }
        let mut deps: Vec<_> = deps.into_iter().map(|dep| (dep, call.site())).collect();
        service.name = new_name(&service.service.name);
        if let Some(had) = had.get(service.service.name.as_str()) {
            service.options = had.options.clone();
            let said = had.resource_deps.iter();
            deps.extend(
                said.filter(|(dep, _)| !deps.iter().any(|(known, _)| known == dep))
                    .cloned()
                    .collect::<Vec<_>>(),
            );
            deps.sort_by(|(a, _), (b, _)| a.cmp(b));
        }
        service.resource_deps = deps;
    }
    for service in &services {
        if let Some(maker) = declared.names.get(&service.name) {
            let fault = Fault::new(format!("{maker} named \"{}\" already exists", service.name));
            let fault = fault.at(call.required("configPaths").place());
            return Err(match *maker {
                MAKER => fault.hint("two projects have this service: rename one with dc_resource(..., project_name=, new_name=) between the calls"),
                _ => fault,
            });
        }
        declared.names.insert(service.name.clone(), MAKER);
    }
    let new = DeclaredProject {
        project,
        services,
        left_out: resolved.left_out.clone(),
        site: call.site(),
    };
    match earlier {
        Some(at) => declared.projects[at] = new,
        None => declared.projects.push(new),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_is_named_as_compose_names_it() {
        for (directory, name) in [
            ("/src/My Shop", "myshop"),
            ("/src/_a.b-c", "ab-c"),
            ("/src/-1", "1"),
            ("/", ""),
            ("/src/ümlaut", "mlaut"),
        ] {
            assert_eq!(normalized(&LocalPath::new(directory)), name);
        }
    }
}
