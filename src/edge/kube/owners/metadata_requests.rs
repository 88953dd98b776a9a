//! Asks the API server for the metadata of objects, one by one or all of a kind at once.
//!
//! The first objects of a kind are asked for alone. As soon as another one is wanted meanwhile, or once a list would
//! have cost less, all objects of the kind are listed, for whoever waits: what others do in a shared namespace costs a few
//! requests per kind, not one per object.

use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use tokio::sync::{Mutex, Semaphore};

use crate::clock;
use crate::edge::kube::connection::{Cluster, ObjectApi, OwnedMetadata, RequestError};
use crate::k8s::api_kinds::usual_version;

/// How long one answer may take.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(10);
/// How many objects are listed at most. A kind with more is asked for one by one.
const MAX_LISTED: usize = 10_000;
/// How many objects of a kind are asked for alone before all are listed; twice the pages of the last list are added, so
/// that lists pay also where others make new objects all the time.
const ALONE: u64 = 2;
/// How many objects of a kind are asked for at a time, where they cannot be listed.
const PARALLEL: usize = 8;
/// Pauses before a kind that the cluster does not know is asked for again: it may just have been defined.
const UNKNOWN_KIND_PAUSES: [Duration; 3] = [
    Duration::from_millis(200),
    Duration::from_secs(1),
    Duration::from_secs(3),
];
/// For how long it is then left alone.
const UNKNOWN_KIND_REST: Duration = Duration::from_secs(30);

/// What objects of one kind and namespace have in common.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct KindKey {
    pub(in crate::edge::kube) api_version: String,
    pub(in crate::edge::kube) kind: String,
    pub(in crate::edge::kube) namespace: String,
}

impl KindKey {
    /// Returns where to look for what a reference names. An incomplete apiVersion, such as `extensions`, is completed.
    pub(in crate::edge::kube) fn new(namespace: &str, reference: &OwnerReference) -> Self {
        let given = reference.api_version.as_str();
        let is_complete = given == "v1" || given.contains('/');
        let usual = usual_version(&reference.kind).filter(|_| !is_complete);
        Self {
            api_version: usual.unwrap_or(given).to_owned(),
            kind: reference.kind.clone(),
            namespace: namespace.to_owned(),
        }
    }
}

/// The requests for objects of one kind in one namespace.
pub(super) struct KindRequests {
    /// How many ask just now.
    asking: AtomicUsize,
    /// The number of the last list that has begun, and of the last one that is complete.
    last_begun: AtomicU64,
    last_complete: AtomicU64,
    /// Held while a list is received.
    listing: Mutex<()>,
    /// Set when the kind cannot be listed: it is forbidden, or there are too many.
    no_lists: AtomicBool,
    /// Until when it is taken for certain that the cluster does not know the kind.
    unknown_until: Mutex<Option<Instant>>,
    slots: Semaphore,
    made: AtomicU64,
    /// How many objects were asked for alone since the last list, and how many requests that list took.
    alone: AtomicU64,
    pages: AtomicU64,
}

impl Default for KindRequests {
    fn default() -> Self {
        Self {
            asking: AtomicUsize::new(0),
            last_begun: AtomicU64::new(0),
            last_complete: AtomicU64::new(0),
            listing: Mutex::default(),
            no_lists: AtomicBool::new(false),
            unknown_until: Mutex::default(),
            slots: Semaphore::new(PARALLEL),
            made: AtomicU64::new(0),
            alone: AtomicU64::new(0),
            pages: AtomicU64::new(0),
        }
    }
}

/// What became of the wish for one object's metadata.
pub(in crate::edge::kube) enum Answer {
    /// It was asked for alone; `None` if it is gone.
    One(Option<OwnedMetadata>),
    /// All of its kind were listed, after the wish: what is not among them is gone.
    All,
}

/// Takes in what a list brings.
pub(super) type Learn<'a> = &'a (dyn Fn(OwnedMetadata) + Send + Sync);

/// One wish, while it is pursued.
struct Asking<'a>(&'a AtomicUsize);

impl Drop for Asking<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl KindRequests {
    /// Asks for an object. `learn` takes what a list brings; `is_learnt` says whether that was the object.
    ///
    /// # Errors
    /// When the cluster does not know the kind, refuses, or is not reached.
    pub(in crate::edge::kube) async fn ask(
        &self,
        cluster: &Cluster,
        key: &KindKey,
        name: &str,
        learn: Learn<'_>,
        is_learnt: &(dyn Fn() -> bool + Send + Sync),
    ) -> Result<Answer, RequestError> {
        let others = self.asking.fetch_add(1, Ordering::Relaxed);
        let _asking = Asking(&self.asking);
        let begun_before = self.last_begun.load(Ordering::Relaxed);
        let object = self.object(cluster, key, name).await?;
        if others > 0 || self.would_a_list_pay() {
            let _listing = self.listing.lock().await;
            if is_learnt() || self.last_complete.load(Ordering::Relaxed) > begun_before {
                return Ok(Answer::All);
            }
            if !self.no_lists.load(Ordering::Relaxed) && self.list(&object, learn).await {
                return Ok(Answer::All);
            }
        }
        let _slot = self.slots.acquire().await;
        self.alone.fetch_add(1, Ordering::Relaxed);
        Ok(Answer::One(self.request(object.get_metadata()).await?))
    }

    fn would_a_list_pay(&self) -> bool {
        self.alone.load(Ordering::Relaxed) >= ALONE + 2 * self.pages.load(Ordering::Relaxed)
    }

    /// Lists all objects of the kind; returns whether that can be relied on.
    async fn list(&self, object: &ObjectApi, learn: Learn<'_>) -> bool {
        let this = self.last_begun.fetch_add(1, Ordering::Relaxed) + 1;
        let (mut next, mut listed, mut pages) = (None, 0, 0);
        loop {
            let page = match self.request(object.list_metadata(next.as_deref())).await {
                Ok(page) => page,
                Err(error) => {
                    let status = error.status();
                    let is_refused = status.is_some_and(|status| (400..=406).contains(&status.code));
                    self.no_lists.fetch_or(is_refused, Ordering::Relaxed);
                    return false;
                }
            };
            (listed, pages) = (listed + page.objects.len(), pages + 1);
            page.objects.into_iter().for_each(learn);
            next = page.next;
            if next.is_none() {
                self.last_complete.store(this, Ordering::Relaxed);
                self.alone.store(0, Ordering::Relaxed);
                self.pages.store(pages, Ordering::Relaxed);
                return true;
            }
            if listed >= MAX_LISTED {
                self.no_lists.store(true, Ordering::Relaxed);
                return false;
            }
        }
    }

    /// Returns how many requests were made so far.
    pub(in crate::edge::kube) fn made(&self) -> u64 {
        self.made.load(Ordering::Relaxed)
    }

    async fn request<T>(
        &self,
        request: impl Future<Output = Result<T, RequestError>>,
    ) -> Result<T, RequestError> {
        self.made.fetch_add(1, Ordering::Relaxed);
        in_time(request).await
    }

    /// Returns access to an object. A kind that is not known is asked for a few times, then not for a while.
    async fn object(&self, cluster: &Cluster, key: &KindKey, name: &str) -> Result<ObjectApi, RequestError> {
        let mut unknown_until = self.unknown_until.lock().await;
        let mut pauses = UNKNOWN_KIND_PAUSES.iter();
        loop {
            let no_match = || RequestError::NoMatch {
                kind: key.kind.clone(),
                api_version: key.api_version.clone(),
            };
            if key.api_version.is_empty() || unknown_until.is_some_and(|until| clock::now() < until) {
                return Err(no_match());
            }
            let object = cluster.object(&key.api_version, &key.kind, Some(&key.namespace), name);
            match in_time(object).await {
                Err(RequestError::NoMatch { .. }) => match pauses.next() {
                    Some(pause) => tokio::time::sleep(*pause).await,
                    None => *unknown_until = Some(clock::now() + UNKNOWN_KIND_REST),
                },
                other => return other,
            }
        }
    }
}

/// Returns the answer to a request, or that there is none in time.
async fn in_time<T>(request: impl Future<Output = Result<T, RequestError>>) -> Result<T, RequestError> {
    tokio::time::timeout(ANSWER_TIMEOUT, request)
        .await
        .unwrap_or(Err(RequestError::TimedOut(ANSWER_TIMEOUT)))
}
