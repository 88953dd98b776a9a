//! Declared images: which references mean them, and what they are built on.

use super::{DeclaredImage, dockerfile, ignores};
use crate::diag::Diagnostic;
use crate::model::{DockerBuild, ImageBuild, ImageRef, ImageSelector, ImageTarget, TargetId};

/// All declared images, in the order of their declaration.
pub(super) struct Images {
    list: Vec<Image>,
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
    pub(super) fn new(declared: Vec<DeclaredImage>, errors: &mut Vec<Diagnostic>) -> Self {
        let names: Vec<String> = declared.iter().map(|image| image.image.name()).collect();
        let list = declared.into_iter().map(|declared| {
            let mut selector = ImageSelector::new(declared.image.clone());
            let name = declared.image.name();
            selector.exact |= names.iter().filter(|other| **other == name).count() > 1;
            Image {
                declared,
                selector,
                bases: Vec::new(),
                used: false,
            }
        });
        let mut images = Self { list: list.collect() };
        for at in 0..images.list.len() {
            images.find_bases(at, errors);
        }
        images
    }

    /// Returns the first declared image that a reference means, and marks it as used.
    pub(super) fn find(&mut self, image: &ImageRef) -> Option<usize> {
        let found = self.list.iter().position(|known| known.selector.matches(image))?;
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

    /// Returns the id of an image.
    pub(super) fn id(&self, at: usize) -> TargetId {
        TargetId::image(&self.list[at].declared.image.familiar())
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
            build: ImageBuild::Docker(DockerBuild {
                context: declared.context.clone(),
                dockerfile: declared.dockerfile.clone(),
                dockerfile_contents: declared.dockerfile_contents.clone(),
                build_args: declared.build_args.clone(),
                stage: declared.stage.clone(),
                context_ignores: ignores::of_context(declared),
            }),
            base_images,
            watched: vec![declared.context.clone()],
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
            allowed.iter().any(|text| {
                ImageRef::parse(text).is_ok_and(|suppressed| suppressed == image.declared.image)
                    || *text == image.declared.written
            })
        };
        self.list
            .iter()
            .filter(move |image| !image.used && !deliberate(image))
            .map(|image| &image.declared)
    }

    fn find_bases(&mut self, at: usize, errors: &mut Vec<Diagnostic>) {
        let declared = &self.list[at].declared;
        match dockerfile::base_images(&declared.dockerfile_contents, &declared.build_args) {
            Ok(images) => {
                let bases: Vec<usize> = images.iter().filter_map(|image| self.find(image)).collect();
                self.list[at].bases = bases;
            }
            Err(error) => errors.push(
                Diagnostic::error(error.to_string())
                    .at(declared.site.place())
                    .hint(format!("{} must have a FROM instruction", declared.dockerfile)),
            ),
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
