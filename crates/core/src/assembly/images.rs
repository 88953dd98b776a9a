//! Declared images: which references mean them, and what they are built on.

use std::collections::{BTreeSet, HashMap};

use super::{
    DeclaredBuild, DeclaredCustomBuild, DeclaredDockerBuild, DeclaredImage, docker_site, dockerfile, ignores,
};
use crate::diag::{Diagnostic, nearest};
use crate::model::{
    CustomBuild, DockerBuild, ImageBuild, ImageRef, ImageSelector, ImageTarget, Registry, TargetId,
};

/// All declared images, in the order of their declaration.
pub(super) struct Images {
    list: Vec<Image>,
    /// Positions of the images of each name, in order.
    by_name: HashMap<String, Vec<usize>>,
    in_env_vars: bool,
    /// Names of the images that declared ones are built on, as people write them.
    base_names: BTreeSet<String>,
    /// Where images are pushed, if the Tiltfile says so.
    registry: Option<Registry>,
}

struct Image {
    declared: DeclaredImage,
    selector: ImageSelector,
    /// Positions of the images it is built on, in the order of its Dockerfile.
    bases: Vec<usize>,
    used: bool,
}

/// Images that are built on each other; holds the full name of one of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ImageCycle(pub(super) String);

impl Images {
    /// Finds out which references mean each image, and what it is built on.
    ///
    /// A declaration with a tag matches that tag only; so do all declarations of a name that is declared twice.
    pub(super) fn new(
        declared: Vec<DeclaredImage>,
        registry: Option<Registry>,
        errors: &mut Vec<Diagnostic>,
    ) -> Self {
        let mut by_name: HashMap<String, Vec<usize>> = HashMap::new();
        for (at, image) in declared.iter().enumerate() {
            by_name.entry(image.image.name()).or_default().push(at);
        }
        let in_env_vars = declared.iter().any(|image| image.injection.match_in_env_vars);
        let list = declared.into_iter().map(|declared| {
            let mut selector = ImageSelector::new(declared.image.clone());
            let same_name = by_name.get(&declared.image.name());
            selector.exact |= same_name.is_some_and(|images| images.len() > 1);
            Image {
                declared,
                selector,
                bases: Vec::new(),
                used: false,
            }
        });
        let mut images = Self {
            list: list.collect(),
            by_name,
            in_env_vars,
            base_names: BTreeSet::new(),
            registry,
        };
        for at in 0..images.list.len() {
            images.find_bases(at, errors);
        }
        images
    }

    /// Adds an image that is used, and returns its position.
    pub(super) fn add(&mut self, declared: DeclaredImage) -> usize {
        let at = self.list.len();
        let same_name = self.by_name.entry(declared.image.name()).or_default();
        same_name.push(at);
        let mut selector = ImageSelector::new(declared.image.clone());
        if same_name.len() > 1 {
            selector.exact = true;
            same_name[..same_name.len() - 1]
                .iter()
                .for_each(|other| self.list[*other].selector.exact = true);
        }
        self.list.push(Image {
            declared,
            selector,
            bases: Vec::new(),
            used: true,
        });
        at
    }

    /// Returns the first declared image that a reference means, and marks it as used.
    pub(super) fn find(&mut self, image: &ImageRef) -> Option<usize> {
        let found = self.first(image, |_| true)?;
        self.list[found].used = true;
        Some(found)
    }

    /// Returns the first image that a reference means and that passes a test. All that it can mean have its name.
    fn first(&self, image: &ImageRef, test: impl Fn(&Image) -> bool) -> Option<usize> {
        let candidates = self.by_name.get(&image.name())?;
        let means = |at: &&usize| self.list[**at].selector.matches(image) && test(&self.list[**at]);
        candidates.iter().find(means).copied()
    }

    /// Returns whether any image is looked for in values of environment variables.
    pub(super) fn any_in_env_vars(&self) -> bool {
        self.in_env_vars
    }

    /// Returns the first image that a value of an environment variable means, and marks it as used.
    pub(super) fn find_in_env_var(&mut self, value: &ImageRef) -> Option<usize> {
        let found = self.first(value, |known| known.declared.injection.match_in_env_vars)?;
        self.list[found].used = true;
        Some(found)
    }

    /// Returns these images and all that they are built on, each once, after its bases.
    pub(super) fn with_bases(&self, direct: &[usize]) -> Result<Vec<usize>, ImageCycle> {
        let mut sorted = Vec::new();
        for at in direct {
            self.add_with_bases(*at, &mut Vec::new(), &mut sorted)?;
        }
        Ok(sorted)
    }

    /// Returns the names of the images that declared ones are built on.
    pub(super) fn base_names(&self) -> &BTreeSet<String> {
        &self.base_names
    }

    /// Returns the id of an image.
    pub(super) fn id(&self, at: usize) -> TargetId {
        TargetId::image(&self.list[at].declared.image.familiar())
    }

    /// Returns the ids of those that are built and put into objects, in the same order.
    pub(super) fn injected(&self, direct: &[usize]) -> Vec<TargetId> {
        let built = direct
            .iter()
            .filter(|at| !self.declared(**at).is_live_update_only());
        built.map(|at| self.id(*at)).collect()
    }

    /// Returns the image as the engine sees it.
    pub(super) fn target(&self, at: usize) -> ImageTarget {
        let image = &self.list[at];
        let declared = &image.declared;
        let mut base_images: Vec<TargetId> = Vec::new();
        for base in image.bases.iter().map(|base| self.id(*base)) {
            if !base_images.contains(&base) {
                base_images.push(base);
            }
        }
        ImageTarget {
            id: self.id(at),
            selector: image.selector.clone(),
            build: match &declared.build {
                DeclaredBuild::Docker(build) => ImageBuild::Docker(docker_build(declared, build)),
                DeclaredBuild::Custom(build) => ImageBuild::Custom(custom_build(declared, build)),
                DeclaredBuild::Compose(build) => ImageBuild::Compose(build.build.clone()),
            },
            injection: declared.injection.clone(),
            registry: self.registry.clone().filter(|_| declared.is_named_by_registry()),
            live_update: declared.live_update.clone(),
            base_images,
            watched: declared.watched().to_vec(),
            watch_ignores: ignores::of_watch(declared),
        }
    }

    /// Returns the declaration of an image.
    pub(super) fn declared(&self, at: usize) -> &DeclaredImage {
        &self.list[at].declared
    }

    /// Returns the declarations that nothing uses, except those whose disuse is deliberate.
    pub(super) fn unused<'a>(&'a self, allowed: &'a [String]) -> impl Iterator<Item = &'a DeclaredImage> {
        let deliberate = |image: &Image| {
            let name = image.declared.image.familiar();
            allowed.iter().any(|text| *text == name || text == "*")
        };
        self.list
            .iter()
            .filter(move |image| !image.used && !deliberate(image))
            .map(|image| &image.declared)
    }

    /// Returns the fault that the images of a resource are built on each other.
    pub(super) fn cycle_fault(&self, resource: &str, direct: &[usize], cycle: &ImageCycle) -> Diagnostic {
        let image = &cycle.0;
        let error = Diagnostic::error(format!(
            "getting image build info for {resource}: Image dependency cycle: {image}"
        ));
        match direct.first() {
            Some(at) => error.at(self.declared(*at).site.argument("ref", 0)),
            None => error,
        }
    }

    fn find_bases(&mut self, at: usize, errors: &mut Vec<Diagnostic>) {
        let declared = &self.list[at].declared;
        let images = match &declared.build {
            DeclaredBuild::Docker(build) => {
                dockerfile::base_images(&build.dockerfile_contents, &build.build_args).map_err(|error| {
                    Diagnostic::error(error.to_string())
                        .at(declared.site.place())
                        .hint(format!("{} must have a FROM instruction", build.dockerfile))
                })
            }
            DeclaredBuild::Custom(build) => {
                return self.find_image_deps(at, &build.image_deps.clone(), errors);
            }
            // Compose itself finds what its images are built on.
            DeclaredBuild::Compose(_) => return,
        };
        match images {
            Ok(images) => {
                let bases: Vec<usize> = images.iter().filter_map(|image| self.find(image)).collect();
                self.base_names.extend(images.iter().map(ImageRef::familiar_name));
                self.list[at].bases = bases;
            }
            Err(error) => errors.push(error),
        }
    }

    /// Finds the images that a custom build needs; each must be declared.
    fn find_image_deps(&mut self, at: usize, deps: &[ImageRef], errors: &mut Vec<Diagnostic>) {
        let mut bases = Vec::new();
        for dep in deps {
            match self.find(dep) {
                Some(base) => bases.push(base),
                None => errors.push(self.unknown_dep(at, dep)),
            }
        }
        self.list[at].bases = bases;
    }

    fn unknown_dep(&self, at: usize, dep: &ImageRef) -> Diagnostic {
        let declared = &self.list[at].declared;
        let dep = dep.familiar();
        let error = Diagnostic::error(format!(
            "image \"{}\": image dep \"{dep}\" not found",
            declared.image.familiar()
        ))
        .at(declared.site.argument("image_deps", 14));
        let known: Vec<String> = self
            .list
            .iter()
            .map(|image| image.declared.image.familiar())
            .collect();
        match nearest(&dep, known.iter().map(String::as_str)) {
            Some(near) => error.hint(format!("did you mean \"{near}\"?")),
            None => error,
        }
    }

    fn add_with_bases(
        &self,
        at: usize,
        path: &mut Vec<usize>,
        sorted: &mut Vec<usize>,
    ) -> Result<(), ImageCycle> {
        if sorted.contains(&at) {
            return Ok(());
        }
        if path.contains(&at) {
            return Err(ImageCycle(self.list[at].declared.image.to_string()));
        }
        path.push(at);
        for base in &self.list[at].bases {
            self.add_with_bases(*base, path, sorted)?;
        }
        path.pop();
        sorted.push(at);
        Ok(())
    }
}

fn docker_build(declared: &DeclaredImage, build: &DeclaredDockerBuild) -> DockerBuild {
    DockerBuild {
        context: build.context.clone(),
        dockerfile: build.dockerfile.clone(),
        dockerfile_contents: build.dockerfile_contents.clone(),
        build_args: build.build_args.clone(),
        stage: build.stage.clone(),
        context_ignores: ignores::of_context(declared, build),
        options: build.options.clone(),
        site: Some(Box::new(docker_site::find(&declared.site, build))),
    }
}

fn custom_build(declared: &DeclaredImage, build: &DeclaredCustomBuild) -> CustomBuild {
    CustomBuild {
        command: build.command.clone(),
        deps: build.deps.clone(),
        output: build.output,
        tag: build.tag.clone(),
        image_ref_file: build.image_ref_file.clone(),
        live_update_only: declared.is_live_update_only(),
    }
}
