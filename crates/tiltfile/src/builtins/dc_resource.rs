//! The built-in that sets options of a Compose service.
//!
//! Rule: `docs/rules/compose.md`, "dc_resource".

use starlark::values::Value;

use super::docker_compose::MAKER;
use super::resources::optional_bool;
use crate::assembly::{Declarations, DeclaredProject};
use crate::call::{Builtin, Call};
use crate::diag::nearest;
use crate::fault::{Fault, Outcome};
use crate::kinds::go_type;
use crate::model::{ImageRef, ManifestName};

pub(super) static BUILTINS: &[Builtin] = &[Builtin {
    name: "dc_resource",
    signature: "name, image=?, trigger_mode=?, resource_deps=[], infer_links=?, links=[], labels=[], auto_init=?, \
                project_name='', new_name=''",
    doc: "Sets options of a service, after the `docker_compose` call that made it a resource. Several calls add up: of single \
          values the last one counts.\n\n\
          - `name` (str): the service, or what it was renamed to.\n\
          - `image` (str): the reference of the `docker_build` or `custom_build` image that it runs, where that is not what its \
          Compose file says.\n\
          - `trigger_mode`: `TRIGGER_MODE_AUTO` or `TRIGGER_MODE_MANUAL`.\n\
          - `resource_deps` (list of str): resources that must have been ready once before it starts, beside those of \
          `depends_on`.\n\
          - `infer_links` (bool): whether its published ports are links; they are unless this says `False`.\n\
          - `links`: a URL, `link()`, or a list of these.\n\
          - `labels` (str or list of str): groups in a UI.\n\
          - `auto_init` (bool): whether it starts with the session.\n\
          - `project_name` (str): which project's service is meant, where several have it.\n\
          - `new_name` (str): renames the resource; the service keeps its name.",
    run: dc_resource,
}];

fn dc_resource<'v>(call: &mut Call<'v, '_, '_, '_>) -> Outcome<Value<'v>> {
    let name_arg = call.required("name");
    let name = name_arg.text()?;
    let on_change = call.get("trigger_mode").map(|arg| arg.on_change()).transpose()?;
    let resource_deps = call.get("resource_deps");
    let resource_deps = resource_deps.map_or(Ok(Vec::new()), |arg| arg.strings())?;
    let flag = |name| call.get(name).map_or(Ok(None), |arg| optional_bool(&arg));
    let infer_links = flag("infer_links")?;
    let links = call.get("links").map_or(Ok(Vec::new()), |arg| arg.links())?;
    let labels = call.get("labels").map(|arg| arg.labels()).transpose()?;
    let auto_init = flag("auto_init")?;
    let project_name = call.get("project_name").map_or(Ok(""), |arg| arg.text())?;
    let new_name = call.get("new_name").map_or(Ok(""), |arg| arg.text())?;
    let image = image(call)?;
    if name.is_empty() {
        return Err(Fault::new("dc_resource: `name` must not be empty").at(name_arg.place()));
    }
    let site = call.site();
    let mut declared = call.session().declared.borrow_mut();
    let (project, at) = find(call, &declared, name, project_name)?;
    if !new_name.is_empty() {
        rename(call, &mut declared, (project, at), new_name)?;
    }
    let service = &mut declared.projects[project].services[at];
    let options = &mut service.options;
    options.on_change = on_change.or(options.on_change);
    options.infer_links = infer_links.or(options.infer_links);
    options.auto_init = auto_init.or(options.auto_init);
    options.image = image.or_else(|| options.image.take());
    options.links.extend(links);
    options.labels.extend(labels.unwrap_or_default());
    for dep in resource_deps {
        if !service.resource_deps.iter().any(|(known, _)| *known == dep) {
            service.resource_deps.push((dep, site.clone()));
        }
    }
    Ok(Value::new_none())
}

fn image(call: &Call<'_, '_, '_, '_>) -> Outcome<Option<ImageRef>> {
    let Some(arg) = call.get("image") else {
        return Ok(None);
    };
    let Some(text) = arg.value.unpack_str() else {
        let got = go_type(arg.value);
        return Err(Fault::new(format!("image arg must be a string; got {got}")).at(arg.place()));
    };
    let image = ImageRef::parse(text);
    let image = image.map_err(|why| Fault::new(format!("parsing {text}: {why}")).at(arg.place()))?;
    Ok(Some(image))
}

/// Returns the positions of a project and of its service.
fn find(
    call: &Call<'_, '_, '_, '_>,
    declared: &Declarations,
    name: &str,
    project_name: &str,
) -> Outcome<(usize, usize)> {
    let is_meant =
        |project: &DeclaredProject| project_name.is_empty() || project.project.name == project_name;
    let projects = || {
        declared
            .projects
            .iter()
            .enumerate()
            .filter(|(_, project)| is_meant(project))
    };
    let services = projects().flat_map(|(project, declared)| {
        let services = declared.services.iter().enumerate();
        services.map(move |(at, service)| ((project, at), service))
    });
    let found: Vec<(usize, usize)> = services
        .filter(|(_, service)| service.name == name)
        .map(|(at, _)| at)
        .collect();
    match &found[..] {
        [one] => Ok(*one),
        [] => Err(unknown(
            call,
            declared,
            projects().map(|(_, project)| project).collect(),
            name,
            project_name,
        )),
        _ => {
            let names: Vec<&str> = projects()
                .map(|(_, project)| project.project.name.as_str())
                .collect();
            Err(Fault::new(format!(
                "found multiple resources named \"{name}\", please specify which one with project_name= argument"
            ))
            .at(call.required("name").place())
            .hint(format!("the projects are: {}", names.join(", "))))
        }
    }
}

fn unknown(
    call: &Call<'_, '_, '_, '_>,
    declared: &Declarations,
    projects: Vec<&DeclaredProject>,
    name: &str,
    project_name: &str,
) -> Fault {
    let known = || {
        projects
            .iter()
            .flat_map(|project| &project.services)
            .map(|service| service.name.as_str())
    };
    let listed: Vec<&str> = known().collect();
    let fault = Fault::new(format!(
        "no Docker Compose service found with name \"{name}\". Found these instead:\n\t{}",
        listed.join("; ")
    ))
    .at(call.required("name").place());
    let left_out = projects
        .iter()
        .flat_map(|project| &project.left_out)
        .find(|(service, _)| service == name);
    let renamed = projects
        .iter()
        .flat_map(|project| &project.services)
        .find(|service| service.service.name == name);
    if declared.projects.is_empty() {
        return fault.hint("dc_resource() comes after the docker_compose() call that has the service");
    }
    if projects.is_empty() {
        let names = || {
            declared
                .projects
                .iter()
                .map(|project| project.project.name.as_str())
        };
        let all: Vec<&str> = names().collect();
        return match nearest(project_name, names()) {
            Some(near) => fault.hint(format!(
                "there is no project \"{project_name}\"; did you mean \"{near}\"?"
            )),
            None => fault.hint(format!(
                "there is no project \"{project_name}\"; the projects are: {}",
                all.join(", ")
            )),
        };
    }
    if let Some((_, profiles)) = left_out {
        return fault.hint(format!(
            "it is a service of the profile \"{}\": docker_compose(..., profiles=[...]) makes it part of the project",
            profiles.join("\" or \"")
        ));
    }
    if let Some(renamed) = renamed {
        return fault.hint(format!("it was renamed to \"{}\"", renamed.name));
    }
    match nearest(name, known()) {
        Some(near) => fault.hint(format!("did you mean \"{near}\"?")),
        None => fault,
    }
}

/// Renames the resource of a service, and what depends on it follows.
fn rename(
    call: &Call<'_, '_, '_, '_>,
    declared: &mut Declarations,
    (project, at): (usize, usize),
    new_name: &str,
) -> Outcome<()> {
    if let Some(maker) = declared.names.get(new_name) {
        let fault = Fault::new(format!("{maker} named \"{new_name}\" already exists"));
        return Err(match call.get("new_name") {
            Some(arg) => fault.at(arg.place()),
            None => fault,
        });
    }
    declared.names.insert(new_name.to_owned(), MAKER);
    let services = &mut declared.projects[project].services;
    let old_name = std::mem::replace(&mut services[at].name, new_name.to_owned());
    let service = services[at].service.name.clone();
    for other in services.iter_mut() {
        let needed = other
            .service
            .depends_on
            .iter_mut()
            .find(|needed| needed.service == service);
        if let Some(needed) = needed {
            needed.resource = ManifestName::new(new_name);
            let deps = other.resource_deps.iter_mut().filter(|(dep, _)| *dep == old_name);
            deps.for_each(|(dep, _)| new_name.clone_into(dep));
        }
    }
    declared.names.remove(&old_name);
    Ok(())
}
