//! What images that were built in this session were made of, as far as it goes into containers in place: what a container
//! has from its image need not be sent.

use std::os::unix::fs::MetadataExt;
use std::sync::{Arc, Mutex};

use super::container::{ImageContent, content_here};
use super::image_records::{RecordPlace, Recording};
use crate::clock;
use crate::model::{BuiltImage, ContainerPath, ImageRef, ImageTarget, LiveUpdate, Placement, Timestamp};

/// How coarse the times of files may be.
const TICK_MICROS: i64 = 20_000;

/// How many images of a name are remembered: containers of one before the last may still run.
const REMEMBERED: usize = 4;

/// The contents of images, by the reference that containers name, the latest last. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct ImageContents(Arc<Mutex<Vec<(ImageRef, ImageContent)>>>);

/// What an image is being made of.
pub(in crate::edge) struct Reading {
    began: Timestamp,
    content: Option<tokio::task::JoinHandle<ImageContent>>,
    record: Option<Recording>,
    /// What the images that it stands on are made of.
    beneath: Vec<ImageContent>,
}

impl ImageContents {
    /// Returns what an image was made of; nothing where that is not known.
    pub(in crate::edge) fn of(&self, image: &str) -> ImageContent {
        let image = ImageRef::parse(image);
        image.map_or_else(|_| ImageContent::default(), |image| self.find(&image))
    }

    /// Returns what an image of this machine was made of.
    pub(in crate::edge) fn of_built(&self, built: &BuiltImage) -> ImageContent {
        self.find(&built.local_ref)
    }

    fn find(&self, image: &ImageRef) -> ImageContent {
        let contents = self.0.lock().expect("no panic while it is held");
        let known = contents.iter().find(|(known, _)| known == image);
        known.map_or_else(ImageContent::default, |(_, content)| Arc::clone(content))
    }

    /// Notes what an image was made of: what nobody has changed since the build began.
    pub(in crate::edge) async fn note(&self, built: &BuiltImage, reading: Reading) {
        let Some(content) = reading.content else {
            return;
        };
        let Ok(content) = content.await else {
            return;
        };
        let began = reading.began.0 - TICK_MICROS;
        let is_older = |known: &super::container::Known| {
            let metadata = std::fs::symlink_metadata(known.local.as_path());
            metadata
                .is_ok_and(|metadata| metadata.ctime() * 1_000_000 + metadata.ctime_nsec() / 1_000 < began)
        };
        let older = content.iter().filter(|(_, known)| is_older(known));
        let own = older.map(|(place, known)| (place.clone(), known.clone()));
        let content: ImageContent = if reading.beneath.is_empty() {
            Arc::new(own.collect())
        } else {
            let beneath = reading.beneath.iter().flat_map(|content| content.iter());
            let beneath = beneath.map(|(place, known)| (place.clone(), known.clone()));
            Arc::new(beneath.chain(own).collect())
        };
        self.note_older(built, Arc::clone(&content));
        if let Some(record) = reading.record {
            record.keep(built, content, began).await;
        }
    }

    /// Notes what an image of an earlier session was made of.
    pub(in crate::edge) fn note_older(&self, built: &BuiltImage, content: ImageContent) {
        let mut contents = self.0.lock().expect("no panic while it is held");
        for image in [&built.local_ref, &built.cluster_ref] {
            contents.retain(|(known, _)| known != image);
            let is_same = |(known, _): &(ImageRef, ImageContent)| known.name() == image.name();
            let n_same = contents.iter().filter(|known| is_same(known)).count();
            if n_same >= REMEMBERED
                && let Some(oldest) = contents.iter().position(is_same)
            {
                contents.remove(oldest);
            }
            contents.push((image.clone(), Arc::clone(&content)));
        }
    }
}

impl Reading {
    /// Begins to read what goes into an image whose build begins, as far as a live update copies it: the image's own, or
    /// that of what stands on it.
    ///
    /// Nothing is read where all is copied into each new container: the image may have none of it. Where there is a place
    /// for a record, all that it is made of is noted for the next session.
    pub(in crate::edge) fn begin(
        image: &ImageTarget,
        update: Option<&LiveUpdate>,
        beneath: Vec<ImageContent>,
        record: Option<RecordPlace>,
    ) -> Self {
        let update = update.filter(|update| !update.initial_sync);
        let syncs = update.into_iter().flat_map(|update| &update.syncs);
        let own = syncs.filter(|sync| image.watched.iter().any(|path| sync.source.is_within(path)));
        let placements: Vec<Placement> = own
            .map(|sync| {
                let place = ContainerPath::new(&sync.destination);
                let into = sync.destination.ends_with('/') && !sync.source.as_path().is_dir();
                Placement {
                    container: match sync.source.as_path().file_name() {
                        Some(name) if into => place.join(name),
                        _ => place,
                    },
                    local: sync.source.clone(),
                    ignores: image.watch_ignores.clone().into(),
                }
            })
            .collect();
        let read = move || content_here(&placements).map(Arc::new).unwrap_or_default();
        Self {
            began: clock::timestamp(),
            record: record.map(Recording::begin),
            content: update.map(|_| tokio::task::spawn_blocking(read)),
            beneath,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_latest_images_of_a_name_are_remembered() {
        let contents = ImageContents::default();
        let image = |name: &str, at: usize| {
            let image = ImageRef::parse(&format!("localhost:5000/{name}:tilt-{at}")).unwrap();
            BuiltImage {
                local_ref: image.clone(),
                cluster_ref: image,
            }
        };
        let known = crate::edge::live_update::container::Known {
            local: crate::model::LocalPath::new("/src/a"),
            content: crate::edge::live_update::container::Content::Absent,
        };
        let content: ImageContent = Arc::new([(ContainerPath::new("/a"), known)].into());
        contents.note_older(&image("other", 0), Arc::clone(&content));
        for at in [0, 1, 2, 3, 4, 5, 2] {
            contents.note_older(&image("web", at), Arc::clone(&content));
        }
        let known = |name: &str, at: usize| !contents.of_built(&image(name, at)).is_empty();
        let remembered: Vec<usize> = (0..6).filter(|at| known("web", *at)).collect();
        assert_eq!(remembered, [2, 3, 4, 5]);
        assert!(known("other", 0));
    }
}
