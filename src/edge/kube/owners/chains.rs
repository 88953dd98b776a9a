//! Who owns an object, and who owns that: chains of owners by UID, each object looked up once.
//!
//! What was found is in `cache`, also that an object is gone; how the API server is asked is in
//! `metadata_requests`. Nobody waits here but who wants to know: a look-up that hangs delays no other kind.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, OwnerReference};

use super::cache::{Cell, Known, OwnerCache};
use super::metadata_requests::{Answer, KindKey, KindRequests};
use crate::edge::kube::connection::{Cluster, OwnedMetadata, RequestError};
use crate::k8s::convert::owner;
use crate::model::{ObjectUid, Owner};

/// Of how many kinds the state of requests is kept. Beyond that it is forgotten, which costs requests and nothing else.
const MAX_KINDS: usize = 1_024;
/// How many owners a chain can have; a longer one is a circle.
const MAX_CHAIN: usize = 32;
/// Pauses, in seconds, before a look-up is tried again that failed for a reason that may pass.
const RETRIES: [f64; 8] = [0.2, 1., 2., 4., 8., 15., 30., 60.];

/// The owners of objects in a cluster. Cheap to clone.
#[derive(Clone)]
pub(in crate::edge::kube) struct Owners {
    inner: Arc<Inner>,
}

struct Inner {
    cluster: Cluster,
    cache: Mutex<OwnerCache>,
    kinds: Mutex<HashMap<KindKey, Arc<KindRequests>>>,
}

impl Owners {
    pub(in crate::edge::kube) fn new(cluster: Cluster) -> Self {
        Self {
            inner: Arc::new(Inner {
                cluster,
                cache: Mutex::default(),
                kinds: Mutex::default(),
            }),
        }
    }

    /// Remembers an object that was seen.
    pub(in crate::edge::kube) fn learn(&self, metadata: &ObjectMeta) {
        self.learn_owned(OwnedMetadata {
            uid: metadata.uid.clone().unwrap_or_default(),
            creation_timestamp: metadata.creation_timestamp.clone(),
            owner_references: metadata.owner_references.clone().unwrap_or_default(),
        });
    }

    /// Returns the chain from these references on, nearest first, if nothing has to be looked up for it. What
    /// `is_ours` says need not be looked up.
    pub(in crate::edge::kube) fn known_chain(
        &self,
        references: &[OwnerReference],
        is_ours: impl Fn(&ObjectUid) -> bool,
    ) -> Option<Vec<Owner>> {
        let mut walk = Walk::new(references);
        while let Some(uid) = walk.next_unknown() {
            let cell = self.cell(&uid);
            match cell.get() {
                Some(known) => walk.enter(known),
                None if is_ours(&uid) => walk.enter(&Known::default()),
                None => return None,
            }
        }
        Some(walk.chain)
    }

    /// Returns the chain from these references on, nearest first, as far as it can be looked up.
    pub(in crate::edge::kube) async fn chain(
        &self,
        namespace: &str,
        references: &[OwnerReference],
        is_ours: impl Fn(&ObjectUid) -> bool,
    ) -> Vec<Owner> {
        let mut walk = Walk::new(references);
        while let Some(uid) = walk.next_unknown() {
            let cell = self.cell(&uid);
            if cell.get().is_none() && is_ours(&uid) {
                walk.enter(&Known::default());
                continue;
            }
            // One look-up at a time for an object; whoever else needs it waits for the same.
            let reference = walk.current.clone();
            let known = cell.get_or_try_init(|| self.look_up(namespace, &reference)).await;
            walk.enter(known.unwrap_or(&Known::default()));
        }
        walk.chain
    }

    /// Returns how many requests were made so far.
    pub(in crate::edge::kube) fn requests_made(&self) -> u64 {
        let kinds = self.inner.kinds.lock().expect("no panic while kinds are held");
        kinds.values().map(|requests| requests.made()).sum()
    }

    /// What cannot be read, or is gone, has no owners. Only a failure that may pass is an error.
    async fn look_up(&self, namespace: &str, reference: &OwnerReference) -> Result<Known, RequestError> {
        let key = KindKey::new(namespace, reference);
        let mut pauses = RETRIES.iter();
        loop {
            let error = match self.ask(&key, reference).await {
                Ok(known) => return Ok(known),
                Err(error) => error,
            };
            let is_refused = error
                .status()
                .is_some_and(|status| (400..500).contains(&status.code) && status.code != 429);
            if is_refused || matches!(error, RequestError::NoMatch { .. }) {
                return Ok(Known::default());
            }
            match pauses.next() {
                Some(pause) => tokio::time::sleep(Duration::from_secs_f64(*pause)).await,
                None => return Err(error),
            }
        }
    }

    async fn ask(&self, key: &KindKey, reference: &OwnerReference) -> Result<Known, RequestError> {
        let uid = ObjectUid::new(&reference.uid);
        let learn = |metadata: OwnedMetadata| self.learn_owned(metadata);
        let learnt = || self.cell(&uid).get().cloned();
        let is_learnt = || learnt().is_some();
        let requests = self.requests(key);
        let answer = requests.ask(&self.inner.cluster, key, &reference.name, &learn, &is_learnt);
        Ok(match answer.await? {
            // Another object of that name may have taken its place.
            Answer::One(found) => found
                .filter(|found| found.uid == reference.uid)
                .map(Known::from)
                .unwrap_or_default(),
            Answer::All => learnt().unwrap_or_default(),
        })
    }

    fn requests(&self, key: &KindKey) -> Arc<KindRequests> {
        let mut kinds = self.inner.kinds.lock().expect("no panic while kinds are held");
        if kinds.len() >= MAX_KINDS && !kinds.contains_key(key) {
            kinds.clear();
        }
        kinds.entry(key.clone()).or_default().clone()
    }

    fn cell(&self, uid: &ObjectUid) -> Cell {
        self.cache().cell(uid)
    }

    fn learn_owned(&self, metadata: OwnedMetadata) {
        if !metadata.uid.is_empty() {
            let uid = ObjectUid::new(&metadata.uid);
            self.cache().learn(uid, Known::from(metadata));
        }
    }

    fn cache(&self) -> std::sync::MutexGuard<'_, OwnerCache> {
        self.inner.cache.lock().expect("no panic while owners are held")
    }
}

/// A walk up the owners, all of one distance before those of the next.
struct Walk {
    chain: Vec<Owner>,
    open: VecDeque<OwnerReference>,
    seen: HashSet<String>,
    current: OwnerReference,
}

impl Walk {
    fn new(references: &[OwnerReference]) -> Self {
        Self {
            chain: Vec::new(),
            open: references.iter().cloned().collect(),
            seen: HashSet::new(),
            current: OwnerReference::default(),
        }
    }

    /// Returns the next owner, of which more has to be known.
    fn next_unknown(&mut self) -> Option<ObjectUid> {
        loop {
            let reference = self.open.pop_front()?;
            if self.chain.len() < MAX_CHAIN && self.seen.insert(reference.uid.clone()) {
                self.current = reference;
                return Some(ObjectUid::new(&self.current.uid));
            }
        }
    }

    fn enter(&mut self, known: &Known) {
        self.chain.push(Owner {
            created: known.created,
            ..owner(&self.current)
        });
        self.open.extend(known.owners.iter().cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Timestamp;

    fn reference(uid: &str) -> OwnerReference {
        OwnerReference {
            uid: uid.to_owned(),
            ..OwnerReference::default()
        }
    }

    fn owners_of(uids: &[&str]) -> Known {
        Known {
            created: Some(Timestamp::from_secs(1)),
            owners: uids.iter().map(|uid| reference(uid)).collect(),
        }
    }

    #[test]
    fn a_walk_goes_up_by_distance_and_ends_in_a_circle() {
        let mut walk = Walk::new(&[reference("a"), reference("b")]);
        let known = HashMap::from([
            ("a", owners_of(&["c"])),
            ("b", owners_of(&["c", "d"])),
            ("c", owners_of(&["a"])),
            ("d", owners_of(&[])),
        ]);
        while let Some(uid) = walk.next_unknown() {
            walk.enter(&known[uid.as_str()]);
        }
        let chain: Vec<&str> = walk.chain.iter().map(|owner| owner.uid.as_str()).collect();
        assert_eq!(chain, ["a", "b", "c", "d"]);
    }
}

#[cfg(test)]
mod look_ups {
    use std::collections::BTreeSet;

    use futures::future::join_all;
    use serde_json::{Value, json};

    use super::*;
    use crate::edge::kube::fake_api::{FakeApi, Reply};

    fn config_map(n: usize) -> OwnerReference {
        OwnerReference {
            api_version: "v1".to_owned(),
            kind: "ConfigMap".to_owned(),
            name: format!("c{n}"),
            uid: format!("uid-{n}"),
            ..OwnerReference::default()
        }
    }

    fn metadata(n: usize, owners: &Value) -> Value {
        json!({"metadata": {"name": format!("c{n}"), "uid": format!("uid-{n}"), "ownerReferences": owners,
            "creationTimestamp": "2026-01-01T00:00:00Z"}})
    }

    fn list(ns: impl Iterator<Item = usize>) -> Reply {
        let items: Vec<Value> = ns.map(|n| metadata(n, &json!([]))).collect();
        Reply::Json(json!({"metadata": {}, "items": items}))
    }

    fn number(path: &str) -> usize {
        path.rsplit("/c")
            .next()
            .and_then(|n| n.parse().ok())
            .expect("a config map")
    }

    fn is_list(path: &str) -> bool {
        path.contains("configmaps?")
    }

    fn strangers(_: &ObjectUid) -> bool {
        false
    }

    #[tokio::test]
    async fn two_thousand_strangers_cost_a_handful_of_requests_and_asking_again_none() {
        let api = FakeApi::start(|path| match is_list(path) {
            true => list(0..2_000),
            false => Reply::Json(metadata(number(path), &json!([]))),
        })
        .await;
        let owners = Owners::new(api.cluster());
        for _ in 0..2 {
            let references: Vec<_> = (0..2_000).map(|n| [config_map(n)]).collect();
            let chains = references
                .iter()
                .map(|reference| owners.chain("ns", reference, strangers));
            assert!(join_all(chains).await.iter().all(|chain| chain.len() == 1));
            assert!(api.asked().len() <= 3, "{:?}", api.asked());
            assert_eq!(owners.requests_made(), api.asked().len() as u64);
        }
    }

    #[tokio::test]
    async fn strangers_that_come_one_after_the_other_cost_as_little() {
        let api = FakeApi::start(|path| match is_list(path) {
            true => list(0..1_000),
            false => Reply::Json(metadata(number(path), &json!([]))),
        })
        .await;
        let owners = Owners::new(api.cluster());
        for n in 0..1_000 {
            owners.chain("ns", &[config_map(n)], strangers).await;
        }
        assert!(api.asked().len() <= 3, "{:?}", api.asked());
        // Those that are made after a list are asked for alone, and listed only now and then.
        let before = api.asked().len();
        for n in 1_000..1_100 {
            owners.chain("ns", &[config_map(n)], strangers).await;
        }
        assert!(api.asked().len() - before <= 150, "{:?}", api.asked());
    }

    #[tokio::test]
    async fn many_questions_about_one_object_are_one_request_also_when_it_is_gone() {
        let api = FakeApi::start(|_| Reply::Fails(404, "not found")).await;
        let owners = Owners::new(api.cluster());
        let reference = [config_map(1)];
        for _ in 0..2 {
            join_all((0..100).map(|_| owners.chain("ns", &reference, strangers))).await;
        }
        assert_eq!(api.asked(), ["/api/v1/namespaces/ns/configmaps/c1"]);
    }

    #[tokio::test]
    async fn an_object_that_a_list_lacks_is_gone_unless_it_was_wanted_after_the_list_began() {
        let api = FakeApi::start(|path| match is_list(path) {
            true => list(10..20),
            false => Reply::Json(metadata(number(path), &json!([]))),
        })
        .await;
        let owners = Owners::new(api.cluster());
        let references: Vec<_> = (0..10).map(|n| [config_map(n)]).collect();
        join_all(
            references
                .iter()
                .map(|reference| owners.chain("ns", reference, strangers)),
        )
        .await;
        // One alone, one list for the second, one list for those that came meanwhile.
        assert_eq!(api.asked().len(), 3, "{:?}", api.asked());
    }

    #[tokio::test]
    async fn a_look_up_that_hangs_delays_no_other() {
        let api = FakeApi::start(|path| match (is_list(path), path.contains("/c1")) {
            (true, _) => list(2..5),
            (false, true) => Reply::Never,
            (false, false) => Reply::Json(metadata(number(path), &json!([]))),
        })
        .await;
        let owners = Owners::new(api.cluster());
        let hanging = [config_map(1)];
        let mut hanging = Box::pin(owners.chain("ns", &hanging, strangers));
        assert!(futures::poll!(hanging.as_mut()).is_pending());
        for n in 2..5 {
            assert_eq!(owners.chain("ns", &[config_map(n)], strangers).await.len(), 1);
        }
        assert!(futures::poll!(hanging.as_mut()).is_pending());
    }

    #[tokio::test]
    async fn where_nothing_can_be_listed_objects_are_asked_for_one_by_one() {
        let api = FakeApi::start(|path| match is_list(path) {
            true => Reply::Fails(403, "forbidden"),
            false => Reply::Json(metadata(number(path), &json!([]))),
        })
        .await;
        let owners = Owners::new(api.cluster());
        let references: Vec<_> = (0..20).map(|n| [config_map(n)]).collect();
        join_all(
            references
                .iter()
                .map(|reference| owners.chain("ns", reference, strangers)),
        )
        .await;
        let asked = api.asked();
        let lists = asked.iter().filter(|path| is_list(path)).count();
        let objects: BTreeSet<&String> = asked.iter().filter(|path| !is_list(path)).collect();
        assert_eq!((lists, objects.len(), asked.len()), (1, 20, 21));
    }

    #[tokio::test]
    async fn a_chain_goes_through_any_kind_and_stops_at_what_is_ours() {
        let robot =
            json!([{"apiVersion": "toys.example.com/v1", "kind": "Robot", "name": "r", "uid": "robot"}]);
        let plan = json!([{"apiVersion": "toys.example.com/v1", "kind": "Plan", "name": "p", "uid": "plan"}]);
        let api = FakeApi::start(move |path| {
            let kind = |kind: &str, plural: &str, namespaced: bool| {
                json!({"kind": kind, "name": plural, "namespaced": namespaced, "singularName": "", "verbs": []})
            };
            Reply::Json(match path {
                "/apis/toys.example.com/v1" => json!({"kind": "APIResourceList", "groupVersion": "toys.example.com/v1",
                    "resources": [kind("Robot", "robots", true), kind("Plan", "plans", false)]}),
                "/api/v1/namespaces/ns/configmaps/c1" => metadata(1, &robot),
                "/apis/toys.example.com/v1/namespaces/ns/robots/r" => {
                    json!({"metadata": {"uid": "robot", "ownerReferences": plan}})
                }
                _ => return Reply::Fails(404, "not found"),
            })
        })
        .await;
        let owners = Owners::new(api.cluster());
        let is_ours = |uid: &ObjectUid| uid.as_str() == "plan";
        let chain = owners.chain("ns", &[config_map(1)], is_ours).await;
        let uids: Vec<&str> = chain.iter().map(|owner| owner.uid.as_str()).collect();
        assert_eq!(uids, ["uid-1", "robot", "plan"]);
        assert!(
            !api.asked().iter().any(|path| path.contains("plans")),
            "{:?}",
            api.asked()
        );
    }

    #[tokio::test]
    async fn an_incomplete_version_is_completed() {
        let api = FakeApi::start(|_| Reply::Fails(404, "not found")).await;
        let owners = Owners::new(api.cluster());
        let reference = OwnerReference {
            api_version: "extensions".to_owned(),
            kind: "ReplicaSet".to_owned(),
            name: "web-1".to_owned(),
            uid: "u".to_owned(),
            ..OwnerReference::default()
        };
        owners.chain("ns", &[reference], strangers).await;
        assert_eq!(api.asked(), ["/apis/apps/v1/namespaces/ns/replicasets/web-1"]);
    }
}
