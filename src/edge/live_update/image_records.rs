//! What images were made of, kept from one session to the next: an image that differs from what is here only in files that
//! are taken into its containers in place need not be built when a session starts.
//!
//! There is one record for each image of a project, in the XDG state directory: how it was to be built, what it is called,
//! when each file of its context was changed last, and by content what of it goes into containers.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::ListParams;
use sha2::{Digest, Sha256};
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;

use super::container::{ImageContent, content_of, decode, encode, journal_of};
use crate::edge::docker::{Docker, ImageRequest, Stamp, Stamps, stamps};
use crate::edge::kube::Cluster;
use crate::k8s::labels::TEMPLATE_HASH;
use crate::model::{
    BuiltImage, DockerBuild, Ignore, IgnoreMatcher, ImageBuild, ImageRef, ImageTarget, LiveUpdate, LocalPath,
};

/// What begins a record.
const MAGIC: &str = "tilt image record 1";
/// How long the cluster is asked whether an image runs; then it is built.
const PATIENCE: Duration = Duration::from_secs(3);

/// Where the record of an image is, and what it must say for the image to be the one that is wanted.
#[derive(Clone, Debug)]
pub(in crate::edge) struct RecordPlace {
    path: PathBuf,
    /// Where the record of the image is that containers are made from.
    path_of_live: PathBuf,
    /// Stands for all that decides what the image becomes, but for the files of its context.
    definition: String,
    build: DockerBuild,
    /// The image whose live update takes in what changes.
    live: ImageTarget,
}

/// An image that an earlier session built.
#[derive(Debug)]
pub(in crate::edge) struct Older {
    pub(in crate::edge) built: BuiltImage,
    pub(in crate::edge) content: ImageContent,
    /// What changed since; all of it goes into containers.
    pub(in crate::edge) changed: Vec<LocalPath>,
}

/// What the context of a build held when that began.
pub(in crate::edge) struct Recording {
    place: RecordPlace,
    before: JoinHandle<std::io::Result<Stamps>>,
}

/// What is kept of an image.
#[derive(Debug, PartialEq)]
struct Record {
    definition: String,
    built: BuiltImage,
    stamps: Stamps,
    content: ImageContent,
}

impl RecordPlace {
    /// Returns the place for the record of an image, with whose live update takes in what changes in it; `None` where it
    /// is never found unchanged, or nothing can be kept.
    pub(in crate::edge) fn of(
        docker: &Docker,
        request: &ImageRequest<'_>,
        live: &ImageTarget,
    ) -> Option<Self> {
        let image = request.image;
        let update = live.live_update.as_ref()?;
        let ImageBuild::Docker(build) = &image.build else {
            return None;
        };
        // Where bases are pulled anew another image may come of the same files.
        if build.options.pull || update.syncs.is_empty() || update.initial_sync {
            return None;
        }
        let variables = build.build_args.iter().filter(|arg| !arg.contains('='));
        let variables: Vec<_> = variables.map(|name| docker.variable(name)).collect();
        let goes_to = (request.registry, request.platform, docker.host());
        let bases: Vec<&ImageRef> = request.bases.iter().map(|(_, built)| &built.local_ref).collect();
        let mut build = build.clone();
        build.site = None;
        let definition = format!("{build:?} {update:?} {goes_to:?} {variables:?} {bases:?}");
        let path = |image: &ImageTarget| {
            let context = match &image.build {
                ImageBuild::Docker(build) => Some(&build.context),
                ImageBuild::Custom(_) | ImageBuild::Compose(_) => None,
            };
            Some(
                docker
                    .records
                    .as_ref()?
                    .join(hash(&format!("{context:?} {}", image.id))),
            )
        };
        Some(Self {
            path: path(image)?,
            path_of_live: path(live)?,
            definition: hash(&definition),
            build,
            live: live.clone(),
        })
    }

    /// Returns the image that an earlier session built, if it runs and all that changed since goes into its containers in
    /// place. Where none of them runs, a new one would begin with what is no longer here.
    pub(in crate::edge) async fn find(
        self,
        docker: &Docker,
        (cluster, namespaces): (&Cluster, &BTreeSet<String>),
        ignores: Vec<Ignore>,
    ) -> Option<Older> {
        let read = |path: &Path| Record::read(&fs::read_to_string(path).ok()?);
        let found = spawn_blocking(move || {
            let record = read(&self.path).filter(|record| record.definition == self.definition)?;
            let now = stamps(&self.build).ok()?;
            let update = self.live.live_update.as_ref()?;
            let then = (&self.build.context, &record.stamps);
            let changed = changed(update, &IgnoreMatcher::new(&ignores), then, &now)?;
            let runs = read(&self.path_of_live)?.built.cluster_ref;
            let older = Older {
                built: record.built,
                content: record.content,
                changed,
            };
            Some((older, runs))
        });
        let (older, runs) = found.await.ok().flatten()?;
        let is_there = docker.has_image(&older.built.local_ref).await.ok()?;
        (is_there && is_running(cluster, namespaces, &runs).await).then_some(older)
    }
}

/// Returns whether a pod that was deployed from here has a container of an image that runs.
async fn is_running(cluster: &Cluster, namespaces: &BTreeSet<String>, image: &ImageRef) -> bool {
    let ours = ListParams::default().labels(TEMPLATE_HASH);
    for namespace in namespaces {
        let pods: kube::Api<Pod> = kube::Api::namespaced(cluster.client(), namespace);
        let listed = timeout(PATIENCE, pods.list(&ours)).await;
        let pods = listed.into_iter().flatten().flat_map(|list| list.items);
        if pods.into_iter().any(|pod| has_running(&pod, image)) {
            return true;
        }
    }
    false
}

fn has_running(pod: &Pod, image: &ImageRef) -> bool {
    let containers = pod.spec.iter().flat_map(|spec| &spec.containers);
    let is_of_image = |text: &String| ImageRef::parse(text).is_ok_and(|parsed| parsed == *image);
    let of_image = containers.filter(|container| container.image.as_ref().is_some_and(is_of_image));
    let statuses = || {
        let status = pod.status.iter();
        status.flat_map(|status| status.container_statuses.iter().flatten())
    };
    let runs = |name: &str| {
        statuses().any(|status| {
            let state = status.state.as_ref();
            status.name == name && state.is_some_and(|state| state.running.is_some())
        })
    };
    pod.metadata.deletion_timestamp.is_none() && of_image.into_iter().any(|container| runs(&container.name))
}

impl Older {
    /// Returns what is said of it.
    pub(in crate::edge) fn line(&self) -> String {
        let files = match self.changed.len() {
            1 => "1 file that changed since is".to_owned(),
            n_files => format!("{n_files} files that changed since are"),
        };
        format!(
            "Not built: containers of {} are running, and {files} synced into them",
            self.built.local_ref.familiar(),
        )
    }
}

impl Recording {
    /// Begins to look at what an image is being made of.
    pub(in crate::edge) fn begin(place: RecordPlace) -> Self {
        let build = place.build.clone();
        Self {
            before: spawn_blocking(move || stamps(&build)),
            place,
        }
    }

    /// Keeps what an image was made of whose build began then, in microseconds since 1970. What may have changed
    /// meanwhile counts as changed. What cannot be kept is only built once more.
    pub(in crate::edge) async fn keep(self, built: &BuiltImage, content: ImageContent, began: i64) {
        let Ok(Ok(before)) = self.before.await else { return };
        let (place, built) = (self.place, built.clone());
        let keeping = spawn_blocking(move || {
            let after = stamps(&place.build)?;
            let text = Record {
                definition: place.definition,
                built,
                stamps: unchanged(before, &after, began),
                content,
            }
            .text();
            replace(&place.path, &text)
        });
        if let Ok(Err(error)) = keeping.await {
            tracing::debug!(%error, "the record of an image cannot be kept");
        }
    }
}

/// Returns stamps in which everything has another one that changed since the build began.
fn unchanged(before: Stamps, after: &Stamps, began_micros: i64) -> Stamps {
    let unknown = || Stamp {
        what: "?".to_owned(),
        changed_nanos: 0,
    };
    let is_known = |name: &Path, stamp: &Stamp| {
        after.get(name) == Some(stamp) && stamp.changed_nanos / 1_000 < began_micros
    };
    let new = after.keys().filter(|name| !before.contains_key(*name));
    let mut stamps: Stamps = new.map(|name| (name.clone(), unknown())).collect();
    for (name, stamp) in before {
        let stamp = if is_known(&name, &stamp) { stamp } else { unknown() };
        stamps.insert(name, stamp);
    }
    stamps
}

/// Returns what changed in a context; `None` where not all of that is taken into containers.
fn changed(
    update: &LiveUpdate,
    ignores: &IgnoreMatcher,
    (context, then): (&LocalPath, &Stamps),
    now: &Stamps,
) -> Option<Vec<LocalPath>> {
    let names = then
        .keys()
        .chain(now.keys().filter(|name| !then.contains_key(*name)));
    let mut changed = Vec::new();
    for name in names {
        let (then, now) = (then.get(name), now.get(name));
        if then == now {
            continue;
        }
        let path = context.join(name);
        let is_synced = update.syncs.iter().any(|sync| path.is_within(&sync.source));
        let stops = update.stop_paths.iter().any(|stop| path.is_within(stop));
        if !is_synced || stops || ignores.is_ignored(&path) {
            return None;
        }
        // What is in a directory says enough, and an empty one goes with what is next to it.
        let is_dir = |stamp: Option<&Stamp>| stamp.is_none_or(|stamp| stamp.what.starts_with('d'));
        if !(is_dir(then) && is_dir(now)) {
            changed.push(path);
        }
    }
    (!changed.is_empty()).then_some(changed)
}

impl Record {
    fn text(&self) -> String {
        let BuiltImage {
            local_ref,
            cluster_ref,
        } = &self.built;
        let mut text = format!(
            "{MAGIC}\n{}\n{}\n{}\n",
            self.definition,
            local_ref.familiar(),
            cluster_ref.familiar()
        );
        for (name, stamp) in &self.stamps {
            text.push_str(&format!(
                "{} {} {}\n",
                encode(name),
                stamp.what,
                stamp.changed_nanos
            ));
        }
        text.push('\n');
        text.push_str(&journal_of(&self.content));
        text
    }

    fn read(text: &str) -> Option<Self> {
        let (head, journal) = text.split_once("\n\n")?;
        let mut lines = head.lines();
        lines.next().filter(|magic| *magic == MAGIC)?;
        let definition = lines.next()?.to_owned();
        let mut reference = || ImageRef::parse(lines.next()?).ok();
        let built = BuiltImage {
            local_ref: reference()?,
            cluster_ref: reference()?,
        };
        let stamp = |line: &str| {
            let mut words = line.split(' ');
            let name = decode(words.next()?)?;
            let what = words.next()?.to_owned();
            let changed_nanos = words.next()?.parse().ok()?;
            Some((name, Stamp { what, changed_nanos }))
        };
        Some(Self {
            definition,
            built,
            stamps: lines.map(stamp).collect::<Option<_>>()?,
            content: content_of(journal),
        })
    }
}

fn hash(text: &str) -> String {
    let hash = Sha256::digest(text);
    hash.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Writes a file beside its place and renames it, so that nobody reads part of it.
fn replace(path: &Path, text: &str) -> std::io::Result<()> {
    let dir = path.parent().unwrap_or(path);
    fs::DirBuilder::new().recursive(true).mode(0o700).create(dir)?;
    let beside = path.with_extension(format!("{}", std::process::id()));
    let mut options = fs::OpenOptions::new();
    let mut file = options
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(&beside)?;
    file.write_all(text.as_bytes())?;
    fs::rename(&beside, path)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::edge::live_update::container::{Content, Known};
    use crate::model::{ContainerPath, Sync};

    /// Returns what changed in a context of which `/src/code` is copied.
    fn found(context: &str, then: &Stamps, now: &Stamps) -> Option<String> {
        let update = LiveUpdate {
            base: LocalPath::new("/src"),
            initial_sync: false,
            stop_paths: vec![LocalPath::new("/src/code/go.mod")],
            syncs: vec![Sync {
                source: LocalPath::new("/src/code"),
                destination: "/code".to_owned(),
            }],
            execs: Vec::new(),
            restart: false,
            container: None,
        };
        let ignores = IgnoreMatcher::new(&[Ignore {
            base: LocalPath::new("/src"),
            patterns: vec!["**/*.log".to_owned()],
        }]);
        let changed = changed(&update, &ignores, (&LocalPath::new(context), then), now)?;
        let changed: Vec<String> = changed.iter().map(ToString::to_string).collect();
        Some(changed.join(" "))
    }

    /// Reads `name what time` of each entry.
    fn stamps(text: &str) -> Stamps {
        let entries = text.split(", ").filter(|entry| !entry.is_empty());
        let stamp = |entry: &str| {
            let mut words = entry.split(' ').map(str::to_owned);
            let (name, what) = (words.next().unwrap(), words.next().unwrap());
            let changed_nanos = words.next().map_or(0, |time| time.parse().unwrap());
            (PathBuf::from(name), Stamp { what, changed_nanos })
        };
        entries.map(stamp).collect()
    }

    #[test]
    fn an_image_will_do_if_all_that_changed_goes_into_containers() {
        let then =
            "Dockerfile f644:9 1, code d755, code/a f644:1 1, code/go.mod f644:1 1, code/x.log f644:1 1";
        for (now, expected) in [
            (then, None),
            (
                &then.replace("code/a f644:1 1", "code/a f644:2 2"),
                Some("/src/code/a"),
            ),
            (&then.replace("code/a f644:1 1, ", ""), Some("/src/code/a")),
            (&then.replace("code/a", "code/b"), Some("/src/code/a /src/code/b")),
            (
                &format!("{then}, code/d d755, code/d/e f644:1 1"),
                Some("/src/code/d/e"),
            ),
            (
                &then.replace("code/go.mod f644:1 1", "code/go.mod f644:1 2"),
                None,
            ),
            (&then.replace("code/x.log f644:1 1", "code/x.log f644:1 2"), None),
            (&then.replace("Dockerfile f644:9 1", "Dockerfile f644:9 2"), None),
            (&format!("{then}, other f644:1 1"), None),
        ] {
            let found = found("/src", &stamps(then), &stamps(now));
            assert_eq!(found.as_deref(), expected, "{now}");
        }
    }

    #[test]
    fn what_changes_while_an_image_is_built_counts_as_changed() {
        let before = stamps("a f644:1 1000, b f644:1 1000, c f644:1 9000, gone f644:1 1000");
        let after = stamps("a f644:1 1000, b f644:2 9000, c f644:1 9000, new f644:1 9000");
        let kept = unchanged(before, &after, 9);
        assert_eq!(
            found("/src/code", &kept, &after).as_deref(),
            Some("/src/code/b /src/code/c /src/code/gone /src/code/new")
        );
    }

    #[test]
    fn a_record_is_read_as_it_was_written() {
        let content = Known {
            local: LocalPath::new("/src/code/a b"),
            content: Content::Link(PathBuf::from("x y")),
        };
        let record = Record {
            definition: hash("x"),
            built: BuiltImage {
                local_ref: ImageRef::parse("localhost:5000/web:tilt-1").unwrap(),
                cluster_ref: ImageRef::parse("registry:5000/web:tilt-1").unwrap(),
            },
            stamps: stamps("a%20b f644:1 7, c d755"),
            content: Arc::new([(ContainerPath::new("/code/a b"), content)].into()),
        };
        assert_eq!(Record::read(&record.text()), Some(record));
        assert_eq!(Record::read("something else\n\n"), None);
    }
}
