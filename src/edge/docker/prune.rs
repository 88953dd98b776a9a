//! Takes out of an engine what was built here and nobody needs any more: containers, images, build cache.
//!
//! When and what is decided by the engine of this program. Nothing is forced: the Docker engine itself refuses to remove
//! what a container uses.
//!
//! Rule: `docs/rules/images.md`, "Prune".

use std::collections::BTreeMap;
use std::time::Duration;

use hyper::Method;
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::client::{ApiVersion, Docker};
use super::http::{ApiError, body, query};
use crate::engine::{PruneRequest, PrunedImage};
use crate::logs::LogWriter;
use crate::model::{ImageRef, Registry, Timestamp, format_go_duration};

/// Every image that is built here bears it, and so do containers of the classic builder.
const LABEL: &str = "dev.tilt.gc=true";

/// The oldest API whose prunings can be limited to a label.
const OLDEST_API: ApiVersion = ApiVersion(1, 30);

/// What was removed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Pruned {
    /// How many.
    pub number: usize,
    /// How much room that made, in bytes.
    pub bytes: u64,
    /// What it was, in the engine's words: `untagged: web:tilt-1`, `deleted: sha256:…`.
    pub what: Vec<String>,
}

/// Why an engine could not be pruned.
#[derive(Debug, thiserror::Error)]
pub enum PruneError {
    /// It is too old.
    #[error(
        "[Docker Prune] Docker API version too low for Tilt to run Docker Prune:\n\t\"image | container prune with filter: \
         label\" requires API version {oldest}, but the Docker daemon API version is {found}",
        oldest = OLDEST_API,
        found = .0
    )]
    TooOld(String),
    /// It refused.
    #[error("[Docker Prune] error running docker prune: {0}")]
    Refused(String),
}

impl From<ApiError> for PruneError {
    fn from(error: ApiError) -> Self {
        Self::Refused(error.to_string())
    }
}

impl Docker {
    /// Removes what a request says, and logs what that was.
    ///
    /// `registry` is the cluster's; it is part of the names of images.
    ///
    /// # Errors
    /// When the engine is too old, or refuses for another reason than that something is in use.
    pub async fn prune(
        &self,
        request: &PruneRequest,
        registry: Option<&Registry>,
        now: Timestamp,
        log: &LogWriter,
    ) -> Result<(), PruneError> {
        if self.api < OLDEST_API {
            return Err(PruneError::TooOld(self.api.to_string()));
        }
        tell(
            "containers",
            &self.prune_containers(LABEL, request.max_age).await?,
            log,
        );
        tell("images", &self.prune_images(request, registry, now).await?, log);
        tell("caches", &self.prune_cache(request.max_age).await?, log);
        Ok(())
    }

    /// Removes containers that have stopped, bear a label and are as old as this.
    ///
    /// # Errors
    /// When the engine refuses.
    pub async fn prune_containers(&self, label: &str, max_age: Duration) -> Result<Pruned, PruneError> {
        let filters = serde_json::json!({"label": [label], "until": [format_go_duration(max_age)]});
        let report: Report = self.post("/containers/prune", &filters).await?;
        Ok(report.pruned())
    }

    /// Removes old images of those that a request names.
    ///
    /// # Errors
    /// When the engine refuses for another reason than that an image is in use.
    pub async fn prune_images(
        &self,
        request: &PruneRequest,
        registry: Option<&Registry>,
        now: Timestamp,
    ) -> Result<Pruned, PruneError> {
        let filters = serde_json::json!({"label": [LABEL]}).to_string();
        let path = format!("/images/json?{}", query([("filters", filters.as_str())]));
        let mut known = Vec::new();
        for listed in self.http.get::<Vec<Listed>>(&path).await? {
            if let Some(image) = self.inspect(&listed).await {
                known.push(image);
            }
        }
        let names: Vec<Name> = request
            .images
            .iter()
            .filter_map(|image| Name::of(image, registry))
            .collect();
        let mut pruned = Pruned::default();
        for image in to_remove(&known, &names, request, now) {
            if let Some(what) = self.remove_image(&image.id).await? {
                pruned.number += 1;
                pruned.bytes += image.size;
                pruned.what.extend(what);
            }
        }
        Ok(pruned)
    }

    async fn prune_cache(&self, max_age: Duration) -> Result<Pruned, PruneError> {
        let filters = serde_json::json!({"until": [format_go_duration(max_age)]});
        let report: Report = self.post("/build/prune", &filters).await?;
        Ok(report.pruned())
    }

    /// Returns what is known of an image with one tag; one with none or several is used elsewhere.
    async fn inspect(&self, listed: &Listed) -> Option<Known> {
        let tags = listed.repo_tags.as_deref().unwrap_or_default();
        let [tag] = tags else { return None };
        let path = format!("/images/{}/json", listed.id);
        let inspected: Inspected = self.http.get(&path).await.ok()?;
        Some(Known {
            id: listed.id.clone(),
            image: ImageRef::parse(tag).ok()?,
            tagged: time(&inspected.metadata.last_tag_time)?,
            size: inspected.size,
        })
    }

    /// Removes an image, with those below it that have no name. Returns what that took away; `None` if it was not free.
    async fn remove_image(&self, id: &str) -> Result<Option<Vec<String>>, ApiError> {
        let request = self
            .http
            .request(Method::DELETE, &format!("/images/{id}"))
            .body(body(""));
        let request = request.map_err(ApiError::unreadable)?;
        match self.http.send(request).await {
            Ok(reply) => {
                let removed: Vec<Removed> =
                    serde_json::from_str(&reply.text().await?).map_err(ApiError::unreadable)?;
                Ok(Some(removed.into_iter().filter_map(Removed::told).collect()))
            }
            // Something uses it, or somebody else was faster.
            Err(ApiError::Refused {
                status: 404 | 409, ..
            }) => Ok(None),
            Err(error) => Err(error),
        }
    }

    async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        filters: &serde_json::Value,
    ) -> Result<T, ApiError> {
        let filters = filters.to_string();
        let path = format!("{path}?{}", query([("filters", filters.as_str())]));
        let request = self.http.request(Method::POST, &path).body(body(""));
        let request = request.map_err(ApiError::unreadable)?;
        let text = self.http.send(request).await?.text().await?;
        serde_json::from_str(&text).map_err(ApiError::unreadable)
    }
}

/// Writes what was removed, if anything was; with `--debug` each thing.
fn tell(what: &str, pruned: &Pruned, log: &LogWriter) {
    if pruned.number > 0 {
        let (number, size) = (pruned.number, size(pruned.bytes));
        log.info(&format!(
            "[Docker Prune] removed {number} {what}, reclaimed {size}"
        ));
    }
    if tracing::enabled!(tracing::Level::DEBUG) {
        for one in &pruned.what {
            log.info(&format!("\t- {one}"));
        }
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Report {
    containers_deleted: Option<Vec<String>>,
    caches_deleted: Option<Vec<String>>,
    space_reclaimed: u64,
}

impl Report {
    fn pruned(&self) -> Pruned {
        let deleted = self.containers_deleted.as_ref().or(self.caches_deleted.as_ref());
        let what = deleted.cloned().unwrap_or_default();
        Pruned {
            number: what.len(),
            bytes: self.space_reclaimed,
            what,
        }
    }
}

/// What the removal of an image took away.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Removed {
    untagged: Option<String>,
    deleted: Option<String>,
}

impl Removed {
    fn told(self) -> Option<String> {
        let deleted = self.deleted.map(|id| format!("deleted: {id}"));
        deleted.or_else(|| self.untagged.map(|name| format!("untagged: {name}")))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Listed {
    id: String,
    repo_tags: Option<Vec<String>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Inspected {
    size: u64,
    metadata: Metadata,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Metadata {
    last_tag_time: String,
}

/// An image that an engine has.
#[derive(Clone, Debug)]
struct Known {
    id: String,
    image: ImageRef,
    tagged: Timestamp,
    size: u64,
}

/// What the images of one declaration are called.
struct Name {
    image: ImageRef,
    /// What their tags begin with, where all images share a repository.
    tag_prefix: String,
}

impl Name {
    fn of(image: &PrunedImage, registry: Option<&Registry>) -> Option<Self> {
        let declared = &image.selector.image;
        match registry.or(image.registry.as_ref()) {
            None => Some(Self {
                image: declared.without_tag(),
                tag_prefix: String::new(),
            }),
            Some(registry) => Some(Self {
                image: registry.rewrite(declared).ok()?.0,
                tag_prefix: registry.tag(declared, ""),
            }),
        }
    }

    fn means(&self, image: &ImageRef) -> bool {
        let tag = image.tag().unwrap_or_default();
        image.name() == self.image.name() && tag.starts_with(&self.tag_prefix)
    }
}

/// Returns the images that may go: old, ours, not in use, and not among the newest of their name.
fn to_remove<'a>(
    known: &'a [Known],
    names: &[Name],
    request: &PruneRequest,
    now: Timestamp,
) -> Vec<&'a Known> {
    let max_age = i64::try_from(request.max_age.as_micros()).unwrap_or(i64::MAX);
    let mut by_name: BTreeMap<usize, Vec<&Known>> = BTreeMap::new();
    for image in known
        .iter()
        .filter(|image| now.0.saturating_sub(image.tagged.0) >= max_age)
    {
        if let Some(at) = names.iter().position(|name| name.means(&image.image)) {
            by_name.entry(at).or_default().push(image);
        }
    }
    let mut out = Vec::new();
    for mut images in by_name.into_values() {
        images.sort_by_key(|image| std::cmp::Reverse(image.tagged));
        out.extend(images.into_iter().skip(request.keep_recent));
    }
    out.retain(|image| !request.in_use.contains(&image.image.familiar()));
    out
}

fn time(text: &str) -> Option<Timestamp> {
    let time: k8s_openapi::jiff::Timestamp = text.parse().ok()?;
    Some(Timestamp(time.as_microsecond()))
}

/// Returns a number of bytes as in `1.2 MB`.
fn size(bytes: u64) -> String {
    const UNITS: [&str; 7] = ["B", "kB", "MB", "GB", "TB", "PB", "EB"];
    let mut rest = bytes as f64;
    let mut unit = 0;
    while rest >= 1000.0 && unit + 1 < UNITS.len() {
        rest /= 1000.0;
        unit += 1;
    }
    let digits = usize::from(unit > 0 && rest < 9.95);
    format!("{rest:.digits$} {}", UNITS[unit])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::logs::LogStore;
    use crate::model::{ImageSelector, PruneId};

    const HOUR: i64 = 3600;

    fn known(reference: &str, hours_ago: i64) -> Known {
        Known {
            id: reference.to_owned(),
            image: ImageRef::parse(reference).expect("a reference"),
            tagged: Timestamp::from_secs((1_000 - hours_ago) * HOUR),
            size: 1,
        }
    }

    fn request(images: &[&str], keep_recent: usize) -> PruneRequest {
        let image = |name: &&str| PrunedImage {
            selector: ImageSelector::new(ImageRef::parse(name).expect("a reference")),
            registry: None,
        };
        PruneRequest {
            prune: PruneId(1),
            max_age: Duration::from_secs(6 * 3600),
            keep_recent,
            images: images.iter().map(image).collect(),
            in_use: ["r.io/web:tilt-used".to_owned()].into_iter().collect(),
        }
    }

    #[track_caller]
    fn check(request: &PruneRequest, registry: &Registry, images: &[Known], expected: &[&str]) {
        let names = request.images.iter().map(|image| Name::of(image, Some(registry)));
        let names: Vec<Name> = names.map(|name| name.expect("a name")).collect();
        let gone = to_remove(images, &names, request, Timestamp::from_secs(1_000 * HOUR));
        let gone: Vec<&str> = gone.iter().map(|image| image.id.as_str()).collect();
        assert_eq!(gone, expected);
    }

    fn registry(single_name: Option<&str>) -> Registry {
        Registry {
            host: "r.io".to_owned(),
            host_from_container_runtime: None,
            single_name: single_name.map(str::to_owned),
        }
    }

    #[test]
    fn old_images_of_ours_go_but_the_newest_of_them_and_those_in_use_stay() {
        let images = [
            known("r.io/web:tilt-1", 9),
            known("r.io/web:tilt-2", 8),
            known("r.io/web:tilt-3", 7),
            known("r.io/web:tilt-new", 5),
            known("r.io/web:tilt-used", 30),
            known("r.io/api:tilt-1", 6),
            known("r.io/other:1", 100),
            known("web:1", 100),
        ];
        check(
            &request(&["web", "api:dev"], 2),
            &registry(None),
            &images,
            &["r.io/web:tilt-1"],
        );
        check(
            &request(&["web", "api:dev"], 0),
            &registry(None),
            &images,
            &[
                "r.io/web:tilt-3",
                "r.io/web:tilt-2",
                "r.io/web:tilt-1",
                "r.io/api:tilt-1",
            ],
        );
    }

    #[test]
    fn images_that_share_a_repository_are_told_apart_by_their_tags() {
        let images = [
            known("r.io/all:web-tilt-1", 9),
            known("r.io/all:web-tilt-2", 8),
            known("r.io/all:api-tilt-1", 9),
        ];
        check(
            &request(&["web"], 1),
            &registry(Some("all")),
            &images,
            &["r.io/all:web-tilt-1"],
        );
    }

    #[test]
    fn sizes_are_shown_in_units_of_a_thousand() {
        let shown = [0, 999, 1_000, 9_940, 9_960, 82_854_982, 5_000_000_000_000].map(size);
        assert_eq!(
            shown,
            ["0 B", "999 B", "1.0 kB", "9.9 kB", "10 kB", "83 MB", "5.0 TB"]
        );
    }

    #[test]
    fn an_image_that_was_never_tagged_here_is_old() {
        assert!(time("0001-01-01T00:00:00Z").expect("a time") < Timestamp(0));
        assert_eq!(time("1970-01-01T01:00:01.5+01:00"), Some(Timestamp(1_500_000)));
    }

    #[test]
    fn what_was_removed_is_told_and_nothing_is_no_news() {
        let store = LogStore::in_memory();
        let log = LogWriter::global(store.clone());
        for (what, number, bytes) in [("containers", 2, 0), ("images", 3, 1_500_000), ("caches", 0, 7)] {
            let pruned = Pruned {
                number,
                bytes,
                what: Vec::new(),
            };
            tell(what, &pruned, &log);
        }
        let segments = store.reader().try_next_batch();
        let said: String = segments.iter().map(|segment| segment.text.as_str()).collect();
        let faults = [
            PruneError::TooOld("1.29".to_owned()),
            PruneError::Refused("a prune operation is already running".to_owned()),
        ];
        insta::assert_snapshot!(format!("{said}{}\n{}", faults[0], faults[1]), @r#"
        [Docker Prune] removed 2 containers, reclaimed 0 B
        [Docker Prune] removed 3 images, reclaimed 1.5 MB
        [Docker Prune] Docker API version too low for Tilt to run Docker Prune:
        	"image | container prune with filter: label" requires API version 1.30, but the Docker daemon API version is 1.29
        [Docker Prune] error running docker prune: a prune operation is already running
        "#);
    }
}
