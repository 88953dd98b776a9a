//! The images of one update: built at once where none stands on another, told one after the other.
//!
//! Each image has a lane. The first that is not finished is told as it goes, so that lines neither mix nor wait longer than
//! they must. How one image is built stands in `docker`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio_util::sync::CancellationToken;

use super::build_memos::Inputs;
use super::image_slots::ImageSlots;
use super::image_tools::ImageTools;
use super::numbered_steps::{INDENT, Steps};
use crate::clock;
use crate::edge::docker::{self, BuildError, ClusterFacts, Docker, ImageRequest, PushWish};
use crate::edge::failure::Failure;
use crate::edge::kube::Cluster;
use crate::edge::live_update::{Older, Reading, RecordPlace};
use crate::edge::stages::timed;
use crate::engine::{ImageStep, Transient};
use crate::history::{StageKind, StageTime};
use crate::logs::{Lane, LogWriter};
use crate::model::{
    BuiltImage, ImageBuild, ImageSelector, ImageTarget, LocalPath, OutputMode, Registry, TargetId,
};

/// Images that are there, with the names that Dockerfiles and objects know them by.
pub(in crate::edge) type Images = BTreeMap<TargetId, (ImageSelector, BuiltImage)>;

/// What the images that were not begun will write to, by number.
type Beginnings = BTreeMap<usize, (LogWriter, Steps)>;

/// The lanes that were not told to their end, the next one first, each with the number of its image.
type Telling = VecDeque<(usize, Lane)>;

/// What building takes.
pub(super) struct ImageBuilds<'a> {
    pub(in crate::edge) tools: &'a ImageTools,
    pub(in crate::edge) docker: Arc<Docker>,
    pub(in crate::edge) log: &'a LogWriter,
    pub(in crate::edge) cancel: &'a CancellationToken,
    /// How many images may be built at a time, in all updates together; one of this update always may.
    pub(super) max_parallel: usize,
    /// The cluster that each is brought to once it is built, and where in it containers run that are taken in place of a build.
    pub(super) cluster: Option<(&'a Cluster, &'a BTreeSet<String>)>,
}

/// What building gave, also where it failed.
#[derive(Default)]
pub(super) struct BuiltImages {
    /// Those that were built and delivered.
    pub(in crate::edge) built: Vec<(TargetId, BuiltImage)>,
    /// Those of them that an earlier session built, with what changed since.
    pub(super) older: Vec<(TargetId, Vec<LocalPath>)>,
    pub(in crate::edge) error: Option<Failure>,
    /// Whether the last lines of the log may explain the error.
    pub(super) explained_by_log: bool,
    /// How long each build and each push took.
    pub(super) stages: Vec<StageTime>,
    /// The image that the error is about.
    failed: Option<String>,
}

/// The end of one image's steps.
struct Ended<'s> {
    number: usize,
    image: &'s ImageStep,
    steps: Steps,
    log: LogWriter,
    result: Result<Delivered, BuildError>,
    stages: Vec<StageTime>,
}

/// An image that is where it is to be.
struct Delivered {
    built: BuiltImage,
    /// What changed since it was built by an earlier session.
    older: Option<Vec<LocalPath>>,
}

impl ImageBuilds<'_> {
    /// Builds and delivers images, each after the ones that it stands on, and adds them to those that are there. The
    /// first failure stops the others.
    pub(in crate::edge) async fn build(
        &self,
        to_build: &[&ImageStep],
        images: &mut Images,
        steps: &mut Steps,
    ) -> BuiltImages {
        let (mut beginnings, mut telling) = self.lanes(to_build.len(), steps);
        let stop = self.cancel.child_token();
        let mut slots = self.tools.image_slots.subscribe();
        let mut queue = Queue::new(to_build);
        let mut running = FuturesUnordered::new();
        let mut outcome = BuiltImages::default();
        loop {
            while outcome.error.is_none()
                && let n_taken = ImageSlots::n_taken(&mut slots)
                && let Some(number) = queue.next(images, n_taken, self.max_parallel)
                && let Some(image) = to_build.get(number)
                && let Some((log, steps)) = beginnings.remove(&number)
            {
                let bases = image.image.base_images.iter();
                let bases = bases.filter_map(|base| images.get(base).cloned()).collect();
                // Before the next one is looked for: that one must find it taken.
                let slot = self.tools.image_slots.take();
                let image = (*image, live(to_build, &image.image));
                let building = self.build_one(number, image, bases, log, steps, stop.clone());
                running.push(async move {
                    let ended = building.await;
                    drop(slot);
                    ended
                });
            }
            if running.is_empty() {
                break;
            }
            tokio::select! {
                () = tell_next(&mut telling) => {}
                Some(ended) = running.next() => {
                    queue.running.remove(&ended.number);
                    if ended.result.is_err() && outcome.error.is_none() {
                        stop.cancel();
                        tell_last(&mut telling, ended.number);
                    }
                    self.take_in(ended, &mut outcome, images, steps);
                }
                // Another update has built an image, or begins to.
                Ok(()) = slots.changed() => {}
            }
        }
        // What was not begun has nothing to say.
        drop(beginnings);
        while !telling.is_empty() {
            tell_next(&mut telling).await;
        }
        outcome
    }

    /// Returns what each image writes to, and what tells that.
    fn lanes(&self, n_images: usize, steps: &Steps) -> (Beginnings, Telling) {
        let lanes = (0..n_images).map(|number| {
            let (log, lane) = self.log.lane();
            let each = if self.cluster.is_some() { 2 } else { 1 };
            let steps = steps.part(log.clone(), each * number);
            ((number, (log, steps)), (number, lane))
        });
        lanes.unzip()
    }

    fn take_in(&self, ended: Ended<'_>, outcome: &mut BuiltImages, images: &mut Images, steps: &mut Steps) {
        let image = &ended.image.image;
        outcome.stages.extend(ended.stages);
        match (ended.result, &outcome.failed) {
            (Ok(Delivered { built, older }), _) => {
                outcome.built.push((image.id.clone(), built.clone()));
                outcome.older.extend(older.map(|files| (image.id.clone(), files)));
                images.insert(image.id.clone(), (image.selector.clone(), built));
            }
            (Err(error), None) => {
                outcome.error = Some(Failure {
                    text: error.to_string(),
                    transient: Transient::if_unreachable(error.is_unreachable()),
                });
                outcome.explained_by_log = error.is_explained_by_log();
                outcome.failed = Some(image.selector.image.familiar());
            }
            (Err(BuildError::Canceled), _) if self.cancel.is_cancelled() => {}
            (Err(BuildError::Canceled), Some(failed)) => {
                let log = ended.log.indented(INDENT);
                log.info(&format!("Canceled, because [{failed}] failed\n"));
            }
            (Err(error), Some(_)) => ended.log.error(&format!("{error}\n")),
        }
        steps.add(ended.steps);
    }

    /// Builds and delivers one image.
    async fn build_one<'s>(
        &self,
        number: usize,
        (image, live): (&'s ImageStep, Option<&ImageTarget>),
        bases: Vec<(ImageSelector, BuiltImage)>,
        log: LogWriter,
        mut steps: Steps,
        cancel: CancellationToken,
    ) -> Ended<'s> {
        let mut stages = Vec::new();
        let result = self
            .build_and_push((image, live), &bases, &log, (&mut steps, &mut stages), &cancel)
            .await;
        Ended {
            stages,
            number,
            image,
            steps,
            log,
            result,
        }
    }

    /// Begins to look at what an image is about to be built from.
    fn read_inputs(
        &self,
        step: &ImageStep,
        bases: &[(ImageSelector, BuiltImage)],
        registry: Option<&Registry>,
    ) -> tokio::task::JoinHandle<Inputs> {
        let (step, bases, began) = (step.clone(), bases.to_vec(), clock::timestamp());
        let (registry, platform) = (
            registry.map(|registry| registry.host.clone()),
            self.tools.platform.clone(),
        );
        tokio::task::spawn_blocking(move || {
            let registry = registry.as_deref();
            Inputs::of(&step, &bases, registry, platform.as_deref(), Some(began))
        })
    }

    async fn build_and_push(
        &self,
        (step, live): (&ImageStep, Option<&ImageTarget>),
        bases: &[(ImageSelector, BuiltImage)],
        log: &LogWriter,
        (steps, stages): (&mut Steps, &mut Vec<StageTime>),
        cancel: &CancellationToken,
    ) -> Result<Delivered, BuildError> {
        let mut facts = ClusterFacts::clone(&self.tools.facts);
        facts.registry = facts.registry.or_else(|| step.image.registry.clone());
        let how = match &step.image.build {
            ImageBuild::Docker(_) => "Dockerfile",
            ImageBuild::Custom(_) => "Custom Build",
            ImageBuild::Compose(_) => "Compose",
        };
        let name = step.image.selector.image.familiar();
        steps.begin(&format!("Building {how}: [{name}]"));
        let request = ImageRequest {
            image: &step.image,
            bases,
            registry: facts.registry.as_ref(),
            commands: &self.tools.commands,
            platform: self.tools.platform.as_deref(),
        };
        let inputs = self.read_inputs(step, bases, facts.registry.as_ref());
        let record = live.and_then(|live| RecordPlace::of(&self.docker, &request, live));
        let older = match record.clone().filter(|_| step.may_be_older).zip(self.cluster) {
            Some((place, cluster)) => {
                place
                    .find(&self.docker, cluster, step.image.watch_ignores.clone())
                    .await
            }
            None => None,
        };
        let (built, made_of) = match older {
            Some(older) => {
                log.indented(INDENT).info(&older.line());
                (Ok(older.built.clone()), MadeOf::Older(Box::new(older)))
            }
            None => {
                let update = live.and_then(|live| live.live_update.as_ref());
                let contents = &self.tools.image_contents;
                let beneath = bases.iter().map(|(_, base)| contents.of_built(base)).collect();
                let reading = Reading::begin(&step.image, update, beneath, record);
                let building = docker::build_image(&self.docker, request, log, cancel);
                let (built, stage) = timed(StageKind::Build, &*name, building).await;
                stages.push(stage);
                (built, MadeOf::Read(Box::new(reading)))
            }
        };
        steps.end();
        let mut built = built?;
        if self.cluster.is_some() {
            steps.begin(&format!("Pushing {}", built.local_ref.familiar()));
            let pushing = docker::deliver_image(&self.docker, &built, push_wish(step), &facts, log, cancel);
            let (delivered, stage) = timed(StageKind::Push, name, pushing).await;
            stages.push(stage);
            steps.end();
            built = delivered?;
        }
        let contents = &self.tools.image_contents;
        let older = match made_of {
            MadeOf::Read(reading) => {
                contents.note(&built, *reading).await;
                if let Ok(inputs) = inputs.await {
                    inputs.remember(&built);
                }
                None
            }
            MadeOf::Older(older) => {
                contents.note_older(&built, older.content);
                Some(older.changed)
            }
        };
        Ok(Delivered { built, older })
    }
}

/// Returns whose live update takes in what changes in an image: its own, or that of an image that stands on it.
fn live<'s>(steps: &[&'s ImageStep], image: &ImageTarget) -> Option<&'s ImageTarget> {
    let mut beneath = vec![&image.id];
    // Each comes after what it stands on.
    let mut above = steps.iter().filter_map(|step| {
        let stands_on_it = step.image.base_images.iter().any(|base| beneath.contains(&base));
        if stands_on_it {
            beneath.push(&step.image.id);
        }
        (stands_on_it || step.image.id == image.id).then_some(&step.image)
    });
    above.find(|image| image.live_update.is_some())
}

/// How it is known what an image is made of.
enum MadeOf {
    Read(Box<Reading>),
    Older(Box<Older>),
}

fn push_wish(step: &ImageStep) -> PushWish {
    match &step.image.build {
        ImageBuild::Custom(build) if build.output != OutputMode::LocalDocker => PushWish::DoneByBuild,
        _ if step.needs_push => PushWish::Needed,
        _ => PushWish::BaseOnly,
    }
}

/// Tells the next piece of the first lane that has not ended.
async fn tell_next(telling: &mut Telling) {
    let Some((_, lane)) = telling.front_mut() else {
        return std::future::pending().await;
    };
    if !lane.tell_next().await {
        telling.pop_front();
    }
}

/// Puts the lane of this image behind the others, nearest to the error that will be told, unless it is being told.
fn tell_last(telling: &mut Telling, number: usize) {
    let at = telling.iter().position(|(lane, _)| *lane == number);
    if let Some(lane) = at.filter(|at| *at > 0).and_then(|at| telling.remove(at)) {
        telling.push_back(lane);
    }
}

/// Which images are yet to be begun, and which are being built.
struct Queue<'s> {
    to_build: &'s [&'s ImageStep],
    waiting: BTreeSet<usize>,
    running: BTreeSet<usize>,
}

impl<'s> Queue<'s> {
    fn new(to_build: &'s [&'s ImageStep]) -> Self {
        Self {
            to_build,
            waiting: (0..to_build.len()).collect(),
            running: BTreeSet::new(),
        }
    }

    /// Takes out the image that can begin now: the first whose bases are there. A command of the user's may change files
    /// that others read, so it runs after what comes before it, and before what comes after it.
    fn next(&mut self, images: &Images, n_taken: usize, max_parallel: usize) -> Option<usize> {
        if !self.running.is_empty()
            && (n_taken >= max_parallel || self.running.iter().any(|at| self.is_command(*at)))
        {
            return None;
        }
        let until_command = self.waiting.iter().position(|at| self.is_command(*at));
        let candidates = match until_command {
            Some(0) if self.running.is_empty() => 1,
            Some(before) => before,
            None => self.waiting.len(),
        };
        let can_begin = |at: &&usize| !self.waits_for_base(**at, images);
        let number = self.waiting.iter().take(candidates).find(can_begin).copied()?;
        self.waiting.remove(&number);
        self.running.insert(number);
        Some(number)
    }

    fn is_command(&self, at: usize) -> bool {
        let step = self.to_build.get(at);
        step.is_some_and(|step| matches!(step.image.build, ImageBuild::Custom(_)))
    }

    fn waits_for_base(&self, at: usize, images: &Images) -> bool {
        let is_coming = |base: &TargetId| {
            self.to_build.iter().any(|step| step.image.id == *base) && !images.contains_key(base)
        };
        let step = self.to_build.get(at);
        step.is_some_and(|step| step.image.base_images.iter().any(is_coming))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::ImageAction;
    use crate::model::{
        Command, CustomBuild, DockerBuild, DockerOptions, ImageRef, ImageTarget, Injection, LocalPath,
        ManifestName, SpanId,
    };

    /// Reads `name`, `name < base base` and `name $` (a command's).
    fn step(text: &str) -> ImageStep {
        let (name, bases) = text.split_once(" < ").unwrap_or((text, ""));
        let (name, is_custom) = name.strip_suffix(" $").map_or((name, false), |name| (name, true));
        let docker = DockerBuild {
            context: LocalPath::new("/src"),
            dockerfile: LocalPath::new("/src/Dockerfile"),
            dockerfile_contents: String::new(),
            build_args: Vec::new(),
            stage: None,
            context_ignores: Vec::new(),
            options: DockerOptions::default(),
            site: None,
        };
        let custom = CustomBuild {
            command: Command::default(),
            deps: None,
            output: OutputMode::LocalDocker,
            tag: None,
            image_ref_file: None,
            live_update_only: false,
        };
        ImageStep {
            image: ImageTarget {
                id: TargetId::image(name),
                selector: ImageSelector::new(ImageRef::parse(name).unwrap()),
                build: if is_custom {
                    ImageBuild::Custom(custom)
                } else {
                    ImageBuild::Docker(docker)
                },
                injection: Injection::default(),
                registry: None,
                live_update: None,
                base_images: bases.split_whitespace().map(TargetId::image).collect(),
                watched: Vec::new(),
                watch_ignores: Vec::new(),
            },
            needs_push: true,
            action: ImageAction::Build,
            may_be_older: false,
        }
    }

    /// Checks which images begin, in order, at each point: at first, then after each of these has ended.
    #[track_caller]
    fn check(images: &[&str], max_parallel: usize, elsewhere: usize, ends: &[usize], expected: &[&[usize]]) {
        let steps: Vec<ImageStep> = images.iter().map(|text| step(text)).collect();
        let steps: Vec<&ImageStep> = steps.iter().collect();
        let mut queue = Queue::new(&steps);
        let mut there = Images::new();
        let mut begun = Vec::new();
        let begin = |queue: &mut Queue<'_>, there: &Images| {
            let mut numbers = Vec::new();
            while let Some(number) = queue.next(there, elsewhere + queue.running.len(), max_parallel) {
                numbers.push(number);
            }
            numbers
        };
        begun.push(begin(&mut queue, &there));
        for ended in ends {
            assert!(queue.running.remove(ended), "{images:?}: {ended} runs");
            let image = &steps[*ended].image;
            let reference = image.selector.image.clone();
            let built = BuiltImage {
                local_ref: reference.clone(),
                cluster_ref: reference,
            };
            there.insert(image.id.clone(), (image.selector.clone(), built));
            begun.push(begin(&mut queue, &there));
        }
        assert_eq!(begun, expected, "{images:?}");
    }

    #[test]
    fn images_begin_in_order_once_their_bases_are_there_and_a_slot_is_free() {
        check(&["a", "b"], 3, 0, &[], &[&[0, 1]]);
        check(&["a", "b", "c", "d"], 3, 0, &[1], &[&[0, 1, 2], &[3]]);
        check(&["a", "b < a", "c"], 3, 0, &[0], &[&[0, 2], &[1]]);
        check(&["a", "b < a", "c < a b"], 3, 0, &[0, 1], &[&[0], &[1], &[2]]);
    }

    #[test]
    fn a_base_that_is_not_built_now_holds_nothing() {
        check(&["b < a"], 3, 0, &[], &[&[0]]);
    }

    #[test]
    fn one_image_is_always_built_however_many_others_are() {
        check(&["a", "b"], 1, 0, &[0], &[&[0], &[1]]);
        check(&["a", "b"], 3, 5, &[0], &[&[0], &[1]]);
        check(&["a", "b", "c"], 3, 1, &[0], &[&[0, 1], &[2]]);
    }

    #[test]
    fn commands_run_alone_and_in_order() {
        check(&["a $", "b $", "c"], 3, 0, &[0, 1], &[&[0], &[1], &[2]]);
        check(
            &["a", "b", "c $", "d", "e"],
            3,
            0,
            &[1, 0, 2],
            &[&[0, 1], &[], &[2], &[3, 4]],
        );
    }

    #[tokio::test]
    async fn the_lane_of_the_failed_image_is_told_last_unless_it_is_being_told() {
        for (failed, expected) in [(1, "0\n2\n1\n"), (0, "0\n1\n2\n")] {
            let store = crate::logs::LogStore::in_memory();
            let log = LogWriter::new(store.clone(), SpanId::from("build:1"), ManifestName::from("web"));
            let mut telling = VecDeque::new();
            for number in 0..3 {
                let (writer, lane) = log.lane();
                writer.info(&number.to_string());
                telling.push_back((number, lane));
            }
            tell_last(&mut telling, failed);
            while !telling.is_empty() {
                tell_next(&mut telling).await;
            }
            let segments = store.reader().try_next_batch();
            let told: String = segments.iter().map(|segment| segment.text.as_str()).collect();
            assert_eq!(told, expected, "{failed} failed");
        }
    }
}
