//! What `docker compose config` answers, as values.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use super::variables::{interpolated, variables as read_variables};
use crate::diag::Diagnostic;
use crate::k8s::yaml;
use crate::model::{
    ComposeCondition, ComposeDependency, ComposeMount, ComposePart, ComposePartKind, ComposePort,
    ComposeProject, ComposeService, ComposeText, ContainerPath, LocalPath, ManifestName,
};

/// The variables of a project, as far as they are asked for.
pub(super) trait ProjectVariables {
    /// Returns them as compose prints them, a line each where they have no more.
    fn printed(&self) -> &str;

    /// Returns the value of one; `None` where it has none, or one that is not known for certain.
    fn value(&self, name: &str) -> Option<String>;
}

/// A project with everything resolved.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Resolved {
    /// Its services, each after those that it needs, else by name.
    pub(crate) services: Vec<ComposeService>,
    /// How compose builds the images of services, by service.
    pub(crate) builds: HashMap<String, BuildSection>,
    /// The files that variables of containers are taken from.
    pub(crate) env_files: Vec<LocalPath>,
    /// Other files that services name.
    pub(crate) files: BTreeSet<LocalPath>,
    /// Services that are not part of it, each with the profiles that would make it one.
    pub(crate) left_out: Vec<(String, Vec<String>)>,
    /// What compose warned of.
    pub(crate) warnings: Vec<Diagnostic>,
}

/// The `build` section of a service.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct BuildSection {
    /// The directory that it starts from; `None` where that is elsewhere.
    pub(crate) context: Option<LocalPath>,
    /// The Dockerfile; `None` where it is part of the section, or elsewhere.
    pub(crate) dockerfile: Option<LocalPath>,
    /// The directories on this machine that it is made of, its context first.
    pub(crate) contexts: Vec<LocalPath>,
    /// All of it.
    pub(crate) definition: Value,
}

/// Reads what compose printed: a project as JSON, and the project before variables were put into it, where that was asked
/// for. `variables` are those that compose knows. `extended` is the project as YAML, which has also the fields whose names begin
/// with `x-`, where there may be some.
///
/// # Errors
/// When it is no project.
pub(super) fn read(
    project: &ComposeProject,
    answer: &str,
    (model, extended): (Option<&str>, Option<&str>),
    variables: &dyn ProjectVariables,
) -> Result<Resolved, String> {
    // Compose writes each `$` twice, so that its output could be its input.
    let answer: Value = serde_json::from_str(&answer.replace("$$", "$")).map_err(|why| why.to_string())?;
    let mut listed = ListedFiles::read(model, variables);
    let extended = extended.and_then(|text| yaml::decode(&text.replace("$$", "$")).ok());
    let empty = Map::new();
    let services = answer["services"].as_object().unwrap_or(&empty);
    let parts = |definition: &Value| parts(definition, &answer);
    let mut resolved = Resolved::default();
    for name in order(services) {
        let mut definition = services[name].clone();
        if let Some(build) = build(&definition["build"]) {
            resolved.builds.insert(name.clone(), build);
        }
        let is_hashed = is_hashed_as_run(&definition) && !listed.has_labels(name);
        let hash = match is_hashed {
            true => service_hash(&definition),
            false => String::new(),
        };
        let (parts, texts) = (parts(&definition), texts(&definition, &answer, variables));
        listed.add_to(name, &mut definition);
        if let Some(extended) = &extended {
            add_extensions(&mut definition, &extended["services"][name]);
        }
        let service = service(project, name, &hash, definition, services);
        resolved.services.push(ComposeService {
            parts,
            texts,
            ..service
        });
    }
    resolved.env_files = listed.env_files;
    resolved.files = listed.others;
    resolved.files.extend(resolved.env_files.iter().cloned());
    Ok(resolved)
}

/// Adds the fields that only users know, at any depth.
fn add_extensions(shown: &mut Value, said: &Value) {
    match (shown, said) {
        (Value::Object(shown), Value::Object(said)) => {
            for (name, value) in said {
                match shown.get_mut(name) {
                    Some(part) => add_extensions(part, value),
                    None if name.starts_with("x-") => drop(shown.insert(name.clone(), value.clone())),
                    None => {}
                }
            }
        }
        (Value::Array(shown), Value::Array(said)) if shown.len() == said.len() => {
            shown
                .iter_mut()
                .zip(said)
                .for_each(|(shown, said)| add_extensions(shown, said));
        }
        _ => {}
    }
}

/// The files that services name; only what is not resolved says so.
struct ListedFiles {
    services: Value,
    variables: BTreeMap<String, String>,
    /// Whether some file of variables has a format of its own. Tilt's reader does not know these, and takes the whole project as
    /// `docker compose config` prints it, where no such file is named.
    has_formats: bool,
    env_files: Vec<LocalPath>,
    others: BTreeSet<LocalPath>,
}

impl ListedFiles {
    fn read(model: Option<&str>, variables: &dyn ProjectVariables) -> Self {
        let mut model: Value = model
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_default();
        let services = model["services"].take();
        let listed = || {
            let services = services.as_object().into_iter().flatten();
            services.flat_map(|(_, service)| [&service["env_file"], &service["label_file"]])
        };
        let has_formats = listed().any(|files| {
            let mut entries = files.as_array().into_iter().flatten();
            entries.any(|entry| entry.get("format").is_some())
        });
        let has_variables = listed().any(|files| files.to_string().contains('$'));
        let variables = if has_variables {
            read_variables(variables.printed())
        } else {
            BTreeMap::new()
        };
        Self {
            services,
            variables,
            has_formats,
            env_files: Vec::new(),
            others: BTreeSet::new(),
        }
    }

    /// Returns whether a service has files of labels: their names are part of its hash, and are not told.
    fn has_labels(&self, name: &str) -> bool {
        !self.services[name]["label_file"].is_null()
    }

    /// Adds to a service which files its variables were taken from, as Tilt shows it.
    fn add_to(&mut self, name: &str, definition: &mut Value) {
        let listed = self.services[name].take();
        let path = |value: &Value| {
            let text = value.as_str().or_else(|| value["path"].as_str())?;
            Some(LocalPath::new(interpolated(text, &self.variables)?))
        };
        let entries = |value: &Value| -> Vec<Value> {
            match value {
                Value::Array(list) => list.clone(),
                Value::Null => Vec::new(),
                one => vec![one.clone()],
            }
        };
        let labels = entries(&listed["label_file"]);
        let labels: Vec<LocalPath> = labels.iter().filter_map(path).collect();
        if let Value::Object(fields) = &mut *definition
            && !labels.is_empty()
        {
            let shown: Vec<String> = labels.iter().map(ToString::to_string).collect();
            fields.insert("label_file".to_owned(), shown.into());
        }
        self.others.extend(labels);
        let mut env_files = Vec::new();
        for entry in entries(&listed["env_file"]) {
            let Some(path) = path(&entry) else {
                continue;
            };
            if self.has_formats {
                self.others.insert(path);
                continue;
            }
            let mut shown = Map::from_iter([("path".to_owned(), path.to_string().into())]);
            if entry["required"] == false {
                shown.insert("required".to_owned(), false.into());
            }
            env_files.push(Value::Object(shown));
            self.env_files.push(path);
        }
        if let Value::Object(fields) = definition
            && !env_files.is_empty()
        {
            fields.insert("env_file".to_owned(), env_files.into());
        }
    }
}

/// Compose puts the containers of other services in the place of their names before it makes the hash of a container.
fn is_hashed_as_run(definition: &Value) -> bool {
    let names_service = |key: &str| {
        definition[key]
            .as_str()
            .is_some_and(|mode| mode.starts_with("service:"))
    };
    !["network_mode", "ipc", "pid"].into_iter().any(names_service) && definition["volumes_from"].is_null()
}

fn service(
    project: &ComposeProject,
    name: &str,
    hash: &str,
    definition: Value,
    services: &Map<String, Value>,
) -> ComposeService {
    let text = |key: &str| definition[key].as_str().map(str::to_owned);
    let depends_on = definition["depends_on"].as_object().into_iter().flatten();
    let depends_on = depends_on.filter(|(needed, _)| services.contains_key(*needed));
    let list = |key: &str| definition[key].as_array().into_iter().flatten();
    ComposeService {
        name: name.to_owned(),
        container_name: text("container_name"),
        image: text("image").unwrap_or_else(|| format!("{}-{name}", project.name)),
        builds: definition["build"].is_object(),
        depends_on: depends_on.map(dependency).collect(),
        ports: list("ports").filter_map(port).collect(),
        mounts: list("volumes").filter_map(mount).collect(),
        has_healthcheck: has_healthcheck(&definition["healthcheck"]),
        restart: text("restart").unwrap_or_default(),
        config_hash: hash.to_owned(),
        definition,
        ..ComposeService::default()
    }
}

/// Returns the networks and volumes of the project that a service uses.
fn parts(definition: &Value, project: &Value) -> Vec<ComposePart> {
    let part = |kind: ComposePartKind, key: &str| {
        let said = match kind {
            ComposePartKind::Network => &project["networks"][key],
            ComposePartKind::Volume => &project["volumes"][key],
        };
        Some(ComposePart {
            kind,
            name: said["name"].as_str()?.to_owned(),
            hash: (said["external"] != true).then(|| part_hash(kind, said)),
        })
    };
    let networks = definition["networks"].as_object().into_iter().flat_map(Map::keys);
    let mounts = definition["volumes"].as_array().into_iter().flatten();
    let volumes = mounts
        .filter(|mount| mount["type"] == "volume")
        .filter_map(|mount| mount["source"].as_str());
    networks
        .filter_map(|key| part(ComposePartKind::Network, key))
        .chain(volumes.filter_map(|key| part(ComposePartKind::Volume, key)))
        .collect()
}

/// Returns what compose writes into the containers of a service.
///
/// Rule: `pkg/compose/secrets.go` of docker/compose, `setDefaultTarget`.
fn texts(definition: &Value, project: &Value, variables: &dyn ProjectVariables) -> Vec<ComposeText> {
    let of_kind = |key: &'static str, place: &'static str| {
        let named = definition[key].as_array().into_iter().flatten();
        named.filter_map(move |named| {
            let source = named["source"].as_str()?;
            let said = &project[key][source];
            let text = match said["environment"].as_str() {
                Some(name) => variables.value(name)?,
                None => said["content"].as_str()?.to_owned(),
            };
            let target = named["target"].as_str().unwrap_or(source);
            let target = ContainerPath::new(place).join(target);
            Some(ComposeText::new(target, text.as_bytes()))
        })
    };
    of_kind("configs", "/")
        .chain(of_kind("secrets", "/run/secrets"))
        .collect()
}

/// Returns the hash that compose makes of a network or a volume: of what it prints of it, without blanks. A volume's driver
/// is put in where none is said. (Where compose should write something otherwise, the hash fits nothing that the engine has.)
fn part_hash(kind: ComposePartKind, said: &Value) -> String {
    let mut fields: Vec<(&String, &Value)> = said.as_object().into_iter().flatten().collect();
    let (driver, local) = ("driver".to_owned(), Value::from("local"));
    if kind == ComposePartKind::Volume && said["driver"].is_null() {
        let at = usize::from(fields.first().is_some_and(|(key, _)| *key == "name"));
        fields.insert(at, (&driver, &local));
    }
    hash_of(fields)
}

/// Returns the hash that compose makes of a service: of what it prints of it, without blanks and what does not matter to a
/// container. (The same as above holds.)
///
/// Rule: `pkg/compose/hash.go` of docker/compose, `ServiceHash`.
fn service_hash(definition: &Value) -> String {
    const OF_NO_MATTER: [&str; 5] = ["build", "pull_policy", "scale", "depends_on", "profiles"];
    let mut deploy = definition["deploy"].clone();
    if let Value::Object(fields) = &mut deploy {
        fields.shift_remove("replicas");
    }
    let fields = definition.as_object().into_iter().flatten();
    let fields = fields.filter(|(key, _)| !OF_NO_MATTER.contains(&key.as_str()));
    hash_of(fields.map(|(key, value)| (key, if key == "deploy" { &deploy } else { value })))
}

/// Returns the SHA-256 of fields as Go writes them as JSON.
fn hash_of<'a>(fields: impl IntoIterator<Item = (&'a String, &'a Value)>) -> String {
    let fields = fields
        .into_iter()
        .map(|(key, value)| format!("{}:{value}", Value::from(key.as_str())));
    let mut text = format!("{{{}}}", fields.collect::<Vec<_>>().join(","));
    for (letter, written) in [
        ('<', "\\u003c"),
        ('>', "\\u003e"),
        ('&', "\\u0026"),
        ('\u{2028}', "\\u2028"),
        ('\u{2029}', "\\u2029"),
    ] {
        if text.contains(letter) {
            text = text.replace(letter, written);
        }
    }
    let hash = Sha256::digest(text);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn dependency((name, said): (&String, &Value)) -> ComposeDependency {
    let condition = said["condition"].as_str().and_then(ComposeCondition::parse);
    ComposeDependency {
        service: name.clone(),
        resource: ManifestName::new(name.as_str()),
        condition: condition.unwrap_or_default(),
        restart: said["restart"] == true,
        required: said["required"] != false,
    }
}

fn port(port: &Value) -> Option<ComposePort> {
    let number = |value: &Value| match value {
        Value::String(text) => text.parse().ok(),
        value => value.as_u64().and_then(|number| u16::try_from(number).ok()),
    };
    Some(ComposePort {
        container_port: number(&port["target"])?,
        host_port: number(&port["published"]).filter(|port| *port != 0),
        host_ip: port["host_ip"].as_str().map(str::to_owned),
        protocol: port["protocol"].as_str().unwrap_or("tcp").to_owned(),
    })
}

fn mount(mount: &Value) -> Option<ComposeMount> {
    Some(ComposeMount {
        kind: mount["type"].as_str().unwrap_or("volume").to_owned(),
        source: mount["source"].as_str().map(str::to_owned),
        target: ContainerPath::new(mount["target"].as_str()?),
        read_only: mount["read_only"] == true,
    })
}

/// Only what the file says is known: an image may have a check of its own.
fn has_healthcheck(check: &Value) -> bool {
    let is_none = check["test"][0] == "NONE" || check["disable"] == true;
    check["test"].is_array() && !is_none
}

fn build(section: &Value) -> Option<BuildSection> {
    // Only what is on this machine comes as an absolute path.
    let local = |value: &Value| {
        value
            .as_str()
            .filter(|path| path.starts_with('/'))
            .map(LocalPath::new)
    };
    let context = section.as_object().map(|_| local(&section["context"]))?;
    let is_inline = section["dockerfile_inline"].is_string();
    let dockerfile = section["dockerfile"].as_str().unwrap_or("Dockerfile");
    let contexts = section["additional_contexts"].as_object().into_iter().flatten();
    Some(BuildSection {
        dockerfile: context
            .as_ref()
            .filter(|_| !is_inline)
            .map(|context| context.join(dockerfile)),
        contexts: context
            .iter()
            .cloned()
            .chain(contexts.filter_map(|(_, path)| local(path)))
            .collect(),
        context,
        definition: section.clone(),
    })
}

/// Returns the names of services, each after those that it needs, else by name.
fn order(services: &Map<String, Value>) -> Vec<&String> {
    fn add<'a>(
        name: &'a String,
        services: &'a Map<String, Value>,
        seen: &mut BTreeSet<&'a str>,
        sorted: &mut Vec<&'a String>,
    ) {
        if !seen.insert(name) {
            return;
        }
        for needed in services[name]["depends_on"]
            .as_object()
            .into_iter()
            .flat_map(Map::keys)
        {
            if let Some((needed, _)) = services.get_key_value(needed) {
                add(needed, services, seen, sorted);
            }
        }
        sorted.push(name);
    }
    let mut sorted = Vec::new();
    let mut seen = BTreeSet::new();
    services
        .keys()
        .for_each(|name| add(name, services, &mut seen, &mut sorted));
    sorted
}
