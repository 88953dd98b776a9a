//! What images were last built from, from session to session: so that it can be told whether building one would give what there
//! is, and if not, which files changed.
//!
//! Of files it is remembered what their inodes say: path, length, time and mode. So a file that was written anew with what it had
//! counts as changed. An image that another machine built is not known.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use etcetera::base_strategy::{BaseStrategy, Xdg};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::engine::ImageStep;
use crate::model::{BuiltImage, IgnoreMatcher, ImageBuild, ImageRef, ImageSelector, LocalPath, Timestamp};

/// How coarse the times of files may be.
const TICK_MICROS: i64 = 20_000;
/// How many files of one image are remembered one by one.
const MOST_FILES: usize = 20_000;

/// What an image was built from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::edge) struct Memo {
    /// What it was called here, and in the cluster.
    local_ref: String,
    cluster_ref: String,
    /// What it was built with, beside files.
    definition: String,
    files: BTreeMap<String, Inode>,
}

/// What is remembered of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Inode(u64, i64, u32);

/// What an image is about to be built from.
pub(in crate::edge) struct Inputs {
    place: Option<PathBuf>,
    definition: String,
    files: Option<BTreeMap<String, Inode>>,
}

/// How an image that would be built now compares with what was built last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::edge) enum Comparison {
    /// It was built from the same.
    Same(BuiltImage),
    /// It was built otherwise: in a line, and the files that changed.
    Other(String, Vec<String>),
}

impl Inputs {
    /// Returns what an image would be built from now. Reads directories. Of a build that has begun, what changed since is not
    /// taken for what it is built from.
    pub(in crate::edge) fn of(
        step: &ImageStep,
        bases: &[(ImageSelector, BuiltImage)],
        registry: Option<&str>,
        platform: Option<&str>,
        began: Option<Timestamp>,
    ) -> Self {
        let image = &step.image;
        let mut definition = Sha256::new();
        let mut add = |text: String| {
            definition.update(text.as_bytes());
            definition.update([0]);
        };
        match &image.build {
            ImageBuild::Docker(build) => {
                add(build.dockerfile_contents.clone());
                add(format!(
                    "{:?} {:?} {:?}",
                    build.build_args, build.stage, build.options
                ));
                add(format!("{:?}", build.context_ignores));
            }
            ImageBuild::Custom(build) => add(format!("{:?} {:?}", build.command, build.tag)),
            ImageBuild::Compose(build) => {
                add(format!("{:?}", build.dockerfile_contents));
                add(build.definition.to_string());
            }
        }
        for (selector, built) in bases {
            add(format!(
                "{} {}",
                selector.image.familiar(),
                built.local_ref.familiar()
            ));
        }
        add(format!("{registry:?} {platform:?}"));
        Self {
            place: place(step),
            definition: format!("{:x}", definition.finalize()),
            files: files(&image.watched, &IgnoreMatcher::new(&image.watch_ignores), began),
        }
    }

    /// Remembers that an image was built from this. That it cannot be written matters to nobody.
    pub(in crate::edge) fn remember(self, built: &BuiltImage) {
        let (Some(place), Some(files)) = (self.place, self.files) else {
            return;
        };
        let memo = Memo {
            local_ref: built.local_ref.familiar(),
            cluster_ref: built.cluster_ref.familiar(),
            definition: self.definition,
            files,
        };
        let written = serde_json::to_vec(&memo).map_err(std::io::Error::from);
        let written = written.and_then(|bytes| write(&place, &bytes));
        if let Err(error) = written {
            tracing::debug!(%error, "what an image was built from is not remembered");
        }
    }

    /// Returns how this compares with what was built last.
    pub(in crate::edge) fn compare(&self) -> Comparison {
        let memo = self.place.as_ref().and_then(|place| fs::read(place).ok());
        let memo: Option<Memo> = memo.and_then(|bytes| serde_json::from_slice(&bytes).ok());
        let Some(memo) = memo else {
            return Comparison::Other("it was not built here before".to_owned(), Vec::new());
        };
        let Some(files) = &self.files else {
            return Comparison::Other("it has too many files to compare".to_owned(), Vec::new());
        };
        let mut changed: Vec<String> = files
            .iter()
            .filter(|(path, inode)| memo.files.get(*path) != Some(inode))
            .map(|(path, _)| path.clone())
            .collect();
        let gone = memo.files.keys().filter(|path| !files.contains_key(*path));
        changed.extend(gone.cloned());
        if !changed.is_empty() {
            let why = match changed.len() {
                1 => "1 file changed since it was built".to_owned(),
                n => format!("{n} files changed since it was built"),
            };
            return Comparison::Other(why, changed);
        }
        if memo.definition != self.definition {
            return Comparison::Other(
                "how it is built, or what it is built on, changed".to_owned(),
                Vec::new(),
            );
        }
        let refs = ImageRef::parse(&memo.local_ref)
            .ok()
            .zip(ImageRef::parse(&memo.cluster_ref).ok());
        match refs {
            Some((local_ref, cluster_ref)) => Comparison::Same(BuiltImage {
                local_ref,
                cluster_ref,
            }),
            None => Comparison::Other("what was built cannot be read".to_owned(), Vec::new()),
        }
    }
}

/// Returns where the memo of an image is: one for each image of each project.
fn place(step: &ImageStep) -> Option<PathBuf> {
    let dir = Xdg::new().ok()?.state_dir()?.join("tilt").join("builds");
    let context = match &step.image.build {
        ImageBuild::Docker(build) => format!("{} {}", build.context, build.dockerfile),
        ImageBuild::Custom(build) => format!("{:?}", build.command.dir),
        ImageBuild::Compose(build) => format!("{} {}", build.project.directory, build.service),
    };
    let key = Sha256::digest(format!("{} {context}", step.image.selector.image.familiar()));
    Some(dir.join(format!("{:x}.json", key)))
}

/// Returns what the inodes of all files say that an image is made of; `None` where they are too many.
fn files(
    roots: &[LocalPath],
    ignores: &IgnoreMatcher,
    began: Option<Timestamp>,
) -> Option<BTreeMap<String, Inode>> {
    let mut files = BTreeMap::new();
    let mut left: Vec<LocalPath> = roots.to_vec();
    while let Some(path) = left.pop() {
        let Ok(metadata) = fs::symlink_metadata(path.as_path()) else {
            continue;
        };
        if metadata.is_dir() {
            if ignores.skips_directory(&path) {
                continue;
            }
            let entries = fs::read_dir(path.as_path()).into_iter().flatten().flatten();
            left.extend(entries.map(|entry| LocalPath::new(entry.path())));
        } else if !ignores.is_ignored(&path) {
            let changed = metadata.ctime() * 1_000_000 + metadata.ctime_nsec() / 1_000;
            let is_fresh = began.is_some_and(|began| changed >= began.0 - TICK_MICROS);
            let time = match is_fresh {
                true => 0,
                false => metadata.mtime() * 1_000_000_000 + metadata.mtime_nsec(),
            };
            files.insert(path.to_string(), Inode(metadata.len(), time, metadata.mode()));
            if files.len() > MOST_FILES {
                return None;
            }
        }
    }
    Some(files)
}

fn write(place: &Path, bytes: &[u8]) -> std::io::Result<()> {
    if let Some(dir) = place.parent() {
        fs::create_dir_all(dir)?;
    }
    let part = place.with_extension(format!("{}.part", std::process::id()));
    let mut options = fs::OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    std::io::Write::write_all(&mut options.open(&part)?, bytes)?;
    fs::rename(&part, place)
}
