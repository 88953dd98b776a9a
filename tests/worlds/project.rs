//! What a made-up Tiltfile says: images, some built on others and shared, and resources that use them.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use serde_json::json;
use tilt::engine::ObjectId;
use tilt::k8s::{Entity, Origin};
use tilt::model::{
    Command, DeployTarget, DockerBuild, DockerOptions, ImageBuild, ImageRef, ImageSelector, ImageTarget,
    Injection, K8sOptions, K8sTarget, LocalPath, LocalTarget, Manifest, ManifestName, PodReadiness,
    PortForward, Probe, ProbeAction, TargetId, TriggerMode,
};

use crate::rng::Rng;

/// The images that there can be; `IMAGES[n]` is built on `BASES[n]`.
pub(crate) const IMAGES: [&str; 4] = ["base", "left", "right", "lone"];
const BASES: [Option<usize>; 4] = [None, Some(0), Some(0), None];

/// A Tiltfile, as far as the engine cares.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Project {
    pub(crate) resources: Vec<Resource>,
    /// How often the Dockerfile of each image was changed.
    pub(crate) dockerfiles: [u64; 4],
    pub(crate) is_broken: bool,
    pub(crate) max_parallel: usize,
}

/// One resource.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Resource {
    pub(crate) name: String,
    /// The images it deploys, by number.
    pub(crate) images: BTreeSet<usize>,
    /// How often its YAML was changed.
    pub(crate) yaml: u64,
    /// The config maps that it has besides its workload, by name.
    pub(crate) config_maps: BTreeSet<String>,
    pub(crate) is_job: bool,
    /// How many pods it wants: at a time, or, for a Job, that end well.
    pub(crate) replicas: u32,
    /// What it runs, if it deploys nothing.
    pub(crate) local: Option<Local>,
    pub(crate) needs: Vec<String>,
    pub(crate) trigger_mode: TriggerMode,
    pub(crate) enabled: bool,
}

/// What a local resource runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Local {
    pub(crate) updates: bool,
    pub(crate) serves: bool,
    pub(crate) has_probe: bool,
    /// Whether nothing else may run beside its updates.
    pub(crate) is_alone: bool,
}

/// The number that stands for the files of local resources, where others have an image's.
pub(crate) const LOCAL_FILES: usize = IMAGES.len();

impl Project {
    pub(crate) fn random(rng: &mut Rng) -> Self {
        let mut project = Self {
            resources: Vec::new(),
            dockerfiles: [0; 4],
            is_broken: false,
            max_parallel: 1 + rng.below(3),
        };
        for _ in 0..1 + rng.below(4) {
            project.add_resource(rng);
        }
        project
    }

    /// Changes something, as an edit of the Tiltfile or of a file that it reads would.
    pub(crate) fn change(&mut self, rng: &mut Rng) {
        let at = rng.below(self.resources.len());
        match rng.below(12) {
            0 => self.is_broken = !self.is_broken,
            1 if self.resources.len() > 1 => drop(self.resources.remove(at)),
            2 if self.resources.len() < 6 => self.add_resource(rng),
            3 => self.resources[at].yaml += 1,
            4 => self.dockerfiles[rng.below(IMAGES.len())] += 1,
            5 | 9 | 10 => self.move_config_map(rng),
            6 => self.max_parallel = 1 + rng.below(3),
            7 => self.resources[at].trigger_mode = trigger_mode(rng),
            11 => self.resources[at].enabled = rng.percent(70),
            _ if self.resources[at].local.is_some() => {}
            _ => {
                let image = rng.below(IMAGES.len());
                if !self.resources[at].images.remove(&image) {
                    self.resources[at].images.insert(image);
                }
            }
        }
    }

    fn add_resource(&mut self, rng: &mut Rng) {
        let names = ["a", "b", "c", "d", "e", "uncategorized"];
        let is_free = |name: &&&str| self.resources.iter().all(|resource| resource.name != **name);
        let free: Vec<&str> = names.iter().filter(is_free).copied().collect();
        let Some(name) = rng.pick(&free) else {
            return;
        };
        // As in a Tiltfile, nothing waits for itself in a circle: others may still need what was there before under this name.
        let others = self.resources.iter().map(|resource| resource.name.clone());
        let others: Vec<String> = others.filter(|other| !self.waits_for(other, name)).collect();
        let is_local = name != ManifestName::UNCATEGORIZED && rng.percent(25);
        let local = is_local.then(|| Local::random(rng));
        let resource = Resource {
            images: (0..IMAGES.len())
                .filter(|_| rng.percent(35) && !is_local)
                .collect(),
            yaml: 0,
            local,
            config_maps: (0..2)
                .filter(|_| rng.percent(30) && !is_local)
                .map(|n| format!("{name}-{n}"))
                .collect(),
            is_job: rng.percent(20),
            replicas: rng.pick(&[1, 1, 2, 3]).unwrap_or(1),
            needs: rng
                .pick(&others)
                .filter(|_| rng.percent(25))
                .into_iter()
                .collect(),
            trigger_mode: trigger_mode(rng),
            enabled: rng.percent(90),
            name: name.to_owned(),
        };
        let at = rng.below(self.resources.len() + 1);
        self.resources.insert(at, resource);
    }

    /// Returns whether a resource waits for another one, be it through others.
    fn waits_for(&self, start: &str, goal: &str) -> bool {
        let mut start = self.resources.iter().filter(|resource| resource.name == start);
        let mut needs = start.by_ref().flat_map(|resource| &resource.needs);
        needs.any(|need| need == goal || self.waits_for(need, goal))
    }

    /// Lets a config map go from one resource to another, or come, or go.
    fn move_config_map(&mut self, rng: &mut Rng) {
        let name = "wanderer".to_owned();
        self.resources.iter_mut().for_each(|resource| {
            resource.config_maps.remove(&name);
        });
        let at = rng.below(self.resources.len());
        if rng.percent(60) && self.resources[at].local.is_none() {
            self.resources[at].config_maps.insert(name);
        }
    }

    pub(crate) fn manifests(&self) -> Vec<Manifest> {
        self.resources
            .iter()
            .map(|resource| self.manifest(resource))
            .collect()
    }

    pub(crate) fn enabled(&self) -> BTreeSet<ManifestName> {
        let enabled = self.resources.iter().filter(|resource| resource.enabled);
        enabled
            .map(|resource| ManifestName::new(&*resource.name))
            .collect()
    }

    fn manifest(&self, resource: &Resource) -> Manifest {
        let name = ManifestName::new(&*resource.name);
        let known = |need: &&String| self.resources.iter().any(|other| other.name == **need);
        Manifest {
            images: all_images(&resource.images)
                .into_iter()
                .map(|image| self.image(image))
                .collect(),
            deploy: match resource.local {
                Some(local) => DeployTarget::Local(Box::new(resource.commands(local))),
                None => DeployTarget::K8s(K8sTarget {
                    id: TargetId::k8s(&name),
                    entities: resource.entities(),
                    images: resource.images.iter().map(|image| image_id(*image)).collect(),
                    readiness: resource.readiness(),
                    extra_pod_selectors: Vec::new(),
                    upsert_timeout: Duration::from_secs(30),
                    options: Box::new(resource.options()),
                }),
            },
            trigger_mode: resource.trigger_mode,
            resource_deps: resource
                .needs
                .iter()
                .filter(known)
                .map(ManifestName::new)
                .collect(),
            labels: BTreeSet::new(),
            name,
        }
    }

    fn image(&self, image: usize) -> ImageTarget {
        let dir = LocalPath::new(format!("/src/{}", IMAGES[image]));
        ImageTarget {
            id: image_id(image),
            selector: ImageSelector::new(ImageRef::parse(IMAGES[image]).expect("a valid reference")),
            build: ImageBuild::Docker(DockerBuild {
                context: dir.clone(),
                dockerfile: dir.join("Dockerfile"),
                dockerfile_contents: self.dockerfiles[image].to_string(),
                site: None,
                build_args: Vec::new(),
                stage: None,
                context_ignores: Vec::new(),
                options: DockerOptions::default(),
            }),
            injection: Injection::default(),
            registry: None,
            live_update: None,
            base_images: BASES[image].map(image_id).into_iter().collect(),
            watched: vec![dir],
            watch_ignores: Vec::new(),
        }
    }
}

impl Resource {
    pub(crate) fn readiness(&self) -> PodReadiness {
        match (self.name.as_str(), self.is_job) {
            (ManifestName::UNCATEGORIZED, _) => PodReadiness::Ignore,
            (_, true) => PodReadiness::Succeeded,
            (_, false) => PodReadiness::Wait,
        }
    }

    pub(crate) fn workload(&self) -> ObjectId {
        match self.is_job {
            true => object("batch/v1", "Job", &self.name),
            false => object("apps/v1", "Deployment", &self.name),
        }
    }

    fn commands(&self, local: Local) -> LocalTarget {
        let command = |wanted: bool| Command {
            argv: Vec::from_iter(wanted.then(|| self.yaml.to_string())),
            ..Command::default()
        };
        LocalTarget {
            id: TargetId::local(&ManifestName::new(&*self.name)),
            update_cmd: Some(command(local.updates)).filter(|command| !command.is_empty()),
            serve_cmd: command(local.serves),
            deps: Some(vec![LocalPath::new("/src/local")]),
            watch_ignores: Vec::new(),
            allow_parallel: !local.is_alone,
            links: Vec::new(),
            readiness_probe: local.has_probe.then(probe),
        }
    }

    /// Every other resource has a port of this machine.
    fn options(&self) -> K8sOptions {
        let port = self.name.bytes().fold(8_000, |port, byte| port + u16::from(byte));
        let forward = PortForward {
            local_port: port,
            ..PortForward::default()
        };
        K8sOptions {
            port_forwards: Vec::from_iter((port % 2 == 0).then_some(forward)),
            ..K8sOptions::default()
        }
    }

    pub(crate) fn objects(&self) -> BTreeSet<ObjectId> {
        if self.local.is_some() {
            return BTreeSet::new();
        }
        let config_maps = self
            .config_maps
            .iter()
            .map(|name| object("v1", "ConfigMap", name));
        config_maps.chain([self.workload()]).collect()
    }

    fn entities(&self) -> Vec<Entity> {
        let entity = |id: ObjectId| {
            let annotations =
                json!({"revision": self.yaml.to_string(), "replicas": self.replicas.to_string()});
            let value = json!({
                "apiVersion": id.api_version, "kind": id.kind,
                "metadata": {"name": id.name, "annotations": annotations},
            });
            Entity::new(value, Origin::default())
        };
        self.objects().into_iter().map(entity).collect()
    }
}

impl Local {
    fn random(rng: &mut Rng) -> Self {
        let (updates, serves) = *[(true, true), (true, false), (false, true)]
            .get(rng.below(3))
            .expect("one of three");
        Self {
            updates,
            serves,
            has_probe: serves && rng.percent(40),
            is_alone: updates && rng.percent(60),
        }
    }
}

fn probe() -> Probe {
    Probe {
        action: ProbeAction::TcpSocket {
            host: String::new(),
            port: 80,
        },
        initial_delay_secs: 0,
        timeout_secs: 0,
        period_secs: 0,
        success_threshold: 0,
        failure_threshold: 0,
    }
}

/// Returns these images and those that they are built on, each after the ones it is built on.
pub(crate) fn all_images(direct: &BTreeSet<usize>) -> BTreeSet<usize> {
    direct
        .iter()
        .flat_map(|image| [Some(*image), BASES[*image]])
        .flatten()
        .collect()
}

pub(crate) fn image_id(image: usize) -> TargetId {
    TargetId::image(IMAGES[image])
}

/// Returns the number of an image from its target.
pub(crate) fn image_number(id: &TargetId) -> usize {
    IMAGES
        .iter()
        .position(|name| *name == id.name)
        .expect("one of our images")
}

pub(crate) fn base_of(image: usize) -> Option<usize> {
    BASES[image]
}

pub(crate) fn object(api_version: &str, kind: &str, name: &str) -> ObjectId {
    ObjectId {
        api_version: api_version.to_owned(),
        kind: kind.to_owned(),
        namespace: Some("default".to_owned()),
        name: name.to_owned(),
    }
}

pub(crate) fn trigger_mode(rng: &mut Rng) -> TriggerMode {
    let modes = [
        TriggerMode::ManualWithAutoInit,
        TriggerMode::Manual,
        TriggerMode::AutoWithManualInit,
    ];
    if rng.percent(70) {
        TriggerMode::Auto
    } else {
        modes[rng.below(3)]
    }
}

/// What an image was made of: its own files, its Dockerfile, and the image below it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Content {
    pub(crate) image: usize,
    pub(crate) files: u64,
    pub(crate) dockerfile: String,
    pub(crate) base: Option<Box<Content>>,
}

/// All contents that images were built with; the tag of an image is the place of its content here.
#[derive(Clone, Debug, Default)]
pub(crate) struct Contents(Vec<Content>, BTreeMap<Content, usize>);

impl Contents {
    pub(crate) fn tag(&mut self, content: &Content) -> String {
        let next = self.0.len();
        let at = *self.1.entry(content.clone()).or_insert(next);
        if at == next {
            self.0.push(content.clone());
        }
        format!("t{at}")
    }

    pub(crate) fn of(&self, image: &ImageRef) -> Content {
        let at = image.tag().and_then(|tag| tag[1..].parse::<usize>().ok());
        self.0[at.expect("a tag of ours")].clone()
    }
}
