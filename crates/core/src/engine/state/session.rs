//! All that is known of a session, in one place.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::builds::Builds;
use super::candidates::Candidates;
use super::connection::Connection;
use super::cycle::RecentlyEnded;
use super::deletions::Deletions;
use super::hold::Hold;
use super::known_pods::KnownPods;
use super::lists::Lists;
use super::objects::{DeclaredWatch, Objects, WatchEvents};
use super::progress::Progress;
use super::pruning::Pruning;
use super::row::Row;
use super::rows::Rows;
use super::services::Services;
use super::streams::Streams;
use super::tiltfile::Tiltfile;
use super::timers::Timers;
use super::unclaimed::Unclaimed;
use super::wanted::Wanted;
use super::watched::Watched;
use crate::engine::config::EngineConfig;
use crate::engine::effect::{ExitOutcome, Forward, ForwardId, Server, WatchSet};
use crate::engine::event::ClusterStatus;
use crate::engine::moment::{Moment, Seq};
use crate::history::{At, Keeper, WaitReason};
use crate::model::{
    CiSettings, ClusterDescription, ContainerAddress, LiveUpdateId, ManifestName, ObjectUid, Pod, ServeId,
    SpanId, TargetId, Timestamp, UpdateSettings, Workload,
};

/// All that the engine knows.
#[derive(Debug)]
pub(crate) struct State {
    pub(crate) config: EngineConfig,
    /// When the event at hand came.
    pub(crate) now: Instant,
    /// Its number.
    pub(crate) seq: Seq,
    pub(crate) tiltfile: Tiltfile,
    pub(crate) cluster: ClusterStatus,
    pub(crate) cluster_description: Option<Arc<ClusterDescription>>,
    pub(crate) connection: Connection,
    /// Resources whose last update could not reach something.
    pub(crate) unreached: BTreeSet<ManifestName>,
    /// What was last said of a cluster that cannot be used.
    pub(crate) told_of_cluster: Option<String>,
    /// One per resource.
    pub(crate) rows: Rows,
    /// Their names in definition order.
    pub(crate) order: Vec<ManifestName>,
    /// Why updates that are due do not start.
    pub(crate) holds: BTreeMap<ManifestName, Hold>,
    /// Images that a deploy target uses directly.
    pub(crate) deployed_images: BTreeSet<TargetId>,
    pub(crate) update_settings: UpdateSettings,
    pub(crate) ci_settings: CiSettings,
    pub(crate) pruning: Pruning,
    /// Updates that have not answered yet, also those of resources that are gone.
    pub(crate) builds: Builds,
    pub(crate) last_build: u64,
    pub(crate) last_live_update: u64,
    /// Whose containers are being changed in each round.
    pub(crate) rounds: BTreeMap<LiveUpdateId, ManifestName>,
    /// The latest mark up to which all changes of files are known.
    pub(crate) caught_up: u64,
    /// What became of the updates.
    pub(crate) history: Keeper,
    /// Those that are due and that nothing holds but that others run.
    pub(crate) lined_up: BTreeMap<ManifestName, WaitReason>,
    /// What is due, and in which order it starts.
    pub(crate) candidates: Candidates,
    /// How often a user asked for an update of a resource for which none was waiting.
    pub(crate) last_asked: u64,
    /// Deletions that have not answered yet.
    pub(crate) deletions: Deletions,
    pub(crate) last_serve: u64,
    /// How many servers of resources were started.
    pub(crate) servers_started: u64,
    /// Pods of the watched namespaces, whoever they belong to.
    pub(crate) pods: KnownPods,
    /// Workloads of the watched kinds, whoever they belong to.
    pub(crate) workloads: BTreeMap<ObjectUid, Workload>,
    /// Which resources look at a workload that they did not deploy: it makes pods for what they deployed.
    pub(crate) borrowed: BTreeMap<ObjectUid, BTreeSet<ManifestName>>,
    /// When a resource has to be looked at again though nothing happens.
    pub(crate) looks: Timers<ManifestName>,
    /// Which resources deployed an object.
    pub(crate) claims: Lists<ObjectUid, ManifestName>,
    /// Resources that claim pods by labels.
    pub(crate) selecting: BTreeSet<ManifestName>,
    /// Containers of Compose services.
    pub(crate) services: Services,
    pub(crate) streams: Streams,
    /// What of the cluster is watched.
    pub(crate) watched: Watched,
    pub(crate) events: SeenEvents,
    /// The objects of the API that users made.
    pub(crate) objects: Objects,
    /// What the watch of each target saw.
    pub(crate) file_events: BTreeMap<TargetId, WatchEvents>,
    /// The watches that resources have, also of those that are switched off.
    pub(crate) declared_watches: BTreeMap<TargetId, DeclaredWatch>,
    /// What was last asked of the edge.
    pub(crate) asked: Asked,
    /// What has to be looked at again before the event at hand is done with.
    pub(crate) dirty: Dirty,
    /// The updates and loads that ended last.
    pub(crate) ended: RecentlyEnded,
    /// What the resources say about the end of a run of `ci`.
    pub(crate) progress: Progress,
    /// How `ci` ends, and since when that is clear.
    pub(crate) verdict: Option<(ExitOutcome, Instant)>,
    /// Whether `Exit` was said. Nothing follows it.
    pub(crate) exited: bool,
}

/// Events of the cluster, as far as they must be remembered.
#[derive(Debug, Default)]
pub(crate) struct SeenEvents {
    /// How often each that was shown had occurred, and when last.
    pub(crate) shown: BTreeMap<ObjectUid, (u32, Timestamp)>,
    /// The same, oldest first.
    pub(crate) by_age: VecDeque<ObjectUid>,
    /// Events of objects that are not known to be ours.
    pub(crate) unclaimed: Unclaimed,
}

/// The long-lived things that were last asked of the edge.
#[derive(Debug, Default)]
pub(crate) struct Asked {
    pub(crate) files: Option<WatchSet>,
    pub(crate) servers: Wanted<ServeId, Server>,
    pub(crate) forwards: Wanted<ForwardId, Forward>,
    pub(crate) containers: Wanted<ContainerAddress, String>,
}

/// What has to be looked at again.
#[derive(Debug, Default)]
pub(crate) struct Dirty {
    /// Resources whose pods or objects changed.
    pub(crate) rows: BTreeSet<ManifestName>,
    /// Resources that may want something else of the cluster watched.
    pub(crate) watches: BTreeSet<ManifestName>,
    /// Resources in whose containers something may be to be done.
    pub(crate) live: BTreeSet<ManifestName>,
    pub(crate) files: bool,
    /// Whether all of them may, and what users made.
    pub(crate) cluster: bool,
    pub(crate) services: bool,
}

impl State {
    pub(crate) fn new(config: EngineConfig) -> Self {
        Self {
            now: config.started_at,
            tiltfile: Tiltfile {
                args: config.args.clone(),
                ..Tiltfile::default()
            },
            config,
            seq: 0,
            cluster: ClusterStatus::Connecting,
            cluster_description: None,
            connection: Connection::default(),
            unreached: BTreeSet::new(),
            told_of_cluster: None,
            rows: Rows::default(),
            order: Vec::new(),
            holds: BTreeMap::new(),
            deployed_images: BTreeSet::new(),
            update_settings: UpdateSettings::default(),
            ci_settings: CiSettings::default(),
            pruning: Pruning::default(),
            builds: Builds::default(),
            last_build: 0,
            last_live_update: 0,
            rounds: BTreeMap::new(),
            caught_up: 0,
            history: Keeper::default(),
            lined_up: BTreeMap::new(),
            candidates: Candidates::default(),
            last_asked: 0,
            deletions: Deletions::default(),
            last_serve: 0,
            servers_started: 0,
            pods: KnownPods::default(),
            workloads: BTreeMap::new(),
            borrowed: BTreeMap::new(),
            looks: Timers::default(),
            claims: Lists::default(),
            selecting: BTreeSet::new(),
            services: Services::default(),
            streams: Streams::default(),
            watched: Watched::default(),
            events: SeenEvents::default(),
            objects: Objects::default(),
            file_events: BTreeMap::new(),
            declared_watches: BTreeMap::new(),
            asked: Asked::default(),
            dirty: Dirty::default(),
            ended: RecentlyEnded::default(),
            progress: Progress::default(),
            verdict: None,
            exited: false,
        }
    }

    /// Returns the resources in definition order.
    pub(crate) fn rows_in_order(&self) -> impl Iterator<Item = (&ManifestName, &Row)> {
        self.order.iter().filter_map(|name| self.rows.get_key_value(name))
    }

    /// Returns whether something from that time is from this session. Clusters tell times in whole seconds, so the
    /// second in which the session began counts.
    pub(crate) fn is_from_this_session(&self, time: Timestamp) -> bool {
        time >= self.config.started.floor_to_second()
    }

    /// Returns the time of day at a moment of this session.
    pub(crate) fn time_of(&self, at: Instant) -> Timestamp {
        self.clock()(at)
    }

    /// Returns a moment of this session with the time of day then.
    pub(crate) fn at(&self, moment: Instant) -> At {
        At {
            moment,
            time: self.time_of(moment),
        }
    }

    /// Returns what tells the time of day at moments of this session.
    pub(crate) fn clock(&self) -> impl Fn(Instant) -> Timestamp + use<> {
        let (started, started_at) = (self.config.started, self.config.started_at);
        move |at| {
            let micros = at.saturating_duration_since(started_at).as_micros();
            Timestamp(
                started
                    .0
                    .saturating_add(i64::try_from(micros).unwrap_or(i64::MAX)),
            )
        }
    }

    /// Returns when a time that the cluster told was, as far as its clock and ours agree; never later than now.
    pub(crate) fn moment_of(&self, time: Timestamp) -> Instant {
        let age = self.time_of(self.now).since(time);
        self.now.checked_sub(age).unwrap_or(self.now)
    }

    /// Returns the newest pod of a resource that counts.
    pub(crate) fn newest_pod<'a>(&'a self, row: &'a Row) -> Option<&'a Pod> {
        self.pod_of(row, row.runtime.newest.as_ref()?)
    }

    /// Returns the pod that shows what is wrong with a resource, or else the newest one.
    pub(crate) fn telling_pod<'a>(&'a self, row: &'a Row) -> Option<&'a Pod> {
        let culprit = row.runtime.health.culprit.as_ref();
        culprit
            .and_then(|uid| self.pod_of(row, uid))
            .or_else(|| self.newest_pod(row))
    }

    fn pod_of<'a>(&'a self, row: &'a Row, uid: &ObjectUid) -> Option<&'a Pod> {
        let live = self.pods.get(uid).map(|seen| &seen.pod);
        live.or_else(|| row.runtime.gone.get(uid))
    }

    /// Returns the place of an update behind those that users asked for before.
    pub(crate) fn next_asked(&mut self) -> u64 {
        self.last_asked += 1;
        self.last_asked
    }

    /// Notes that all that is asked of the edge has to be looked at again.
    pub(crate) fn everything_asked(&mut self) {
        (self.dirty.files, self.dirty.cluster, self.dirty.services) = (true, true, true);
        self.asked.servers.touch_all();
        self.asked.forwards.touch_all();
        self.asked.containers.touch_all();
    }

    /// Notes that all has to be looked at again that is asked of the edge for a resource.
    pub(crate) fn everything_asked_for(&mut self, name: &ManifestName) {
        (self.dirty.files, self.dirty.services) = (true, true);
        self.dirty.watches.insert(name.clone());
        self.asked.servers.touch(name);
        self.asked.forwards.touch(name);
        self.asked.containers.touch(name);
    }

    /// Returns the moment at which something begins that reads files.
    pub(crate) fn next_moment(&mut self) -> Moment {
        self.seq += 1;
        self.seq
    }

    /// Returns the span of the last load.
    pub(crate) fn tiltfile_span(&self) -> SpanId {
        SpanId::new(format!("tiltfile:(Tiltfile):{}", self.tiltfile.last_load))
    }

    /// Returns how long what is deployed may take to be ready; `None` for as long as it takes.
    pub(crate) fn readiness_limit(&self) -> Option<Duration> {
        Some(self.ci_settings.readiness_timeout).filter(|limit| !limit.is_zero())
    }

    /// Returns the last moment at which one of these file watches saw something; 0 for never.
    pub(crate) fn last_file_event(&self, watches: &[String]) -> Seq {
        let seen = self.file_events.iter();
        let of_watches = seen.filter(|(target, _)| watches.contains(&target.watch_name()));
        of_watches
            .map(|(_, events)| events.last)
            .max()
            .unwrap_or_default()
    }
}
