//! Which containers a live update changes.
//!
//! Rule: `docs/rules/live-update.md`, "Which containers". Init containers, and with them sidecars, are never changed.

use std::collections::BTreeSet;

use crate::engine::state::{Row, State};
use crate::engine::{deploy, pod_claims, services};
use crate::model::{Container, ImageRef, ImageTarget, LiveUpdate, Pod, TargetId};

/// The containers that a live update can change.
pub(super) enum Selected<'a> {
    /// Nothing is known of any container yet.
    NoContainer,
    /// There are containers, but none of them is meant.
    Unmatched(&'a Pod),
    These(Vec<(&'a Pod, &'a Container)>),
}

/// Returns the images of a resource whose containers are changed in place: those that are deployed, or never built.
pub(super) fn live_images(row: &Row) -> impl Iterator<Item = (&ImageTarget, &LiveUpdate)> {
    let deployed = deploy::of(row).images();
    let is_live = |image: &&ImageTarget| deployed.contains(&image.id) || image.is_live_update_only();
    let images = row.images().iter().filter(move |image| is_live(image));
    images.filter_map(|image| {
        let update = image.live_update.as_ref()?;
        let is_empty = update.syncs.is_empty() && update.execs.is_empty();
        (!is_empty).then_some((image, update))
    })
}

/// Returns whether what changed in an image since it was built could be taken into containers without asking, so that it
/// need not be built: whether that holds for each file is seen where files are looked at.
pub(in crate::engine) fn takes_what_changed(row: &Row, image: &ImageTarget) -> bool {
    let deployed = row.k8s().map_or(&[][..], |k8s| &k8s.images);
    let deployed = row.images().iter().filter(|other| deployed.contains(&other.id));
    let mut made_of_it = deployed.filter(|other| sources(row, other).contains(&image.id));
    let (Some(only), None) = (made_of_it.next(), made_of_it.next()) else {
        return false;
    };
    let copies = |update: &LiveUpdate| !update.syncs.is_empty() && !update.initial_sync;
    row.manifest.trigger_mode.auto_on_change()
        && live_images(row).any(|(live, update)| live.id == only.id && copies(update))
}

/// Returns the images whose files an image has: its own, and those of all that it is built on.
pub(super) fn sources<'a>(row: &'a Row, image: &'a ImageTarget) -> BTreeSet<&'a TargetId> {
    let mut sources = BTreeSet::new();
    let mut left = vec![image];
    while let Some(image) = left.pop() {
        if sources.insert(&image.id) {
            let bases = row.images().iter();
            left.extend(bases.filter(|other| image.base_images.contains(&other.id)));
        }
    }
    sources
}

/// Returns the containers of the pods that count and that a live update means.
pub(super) fn select<'a>(
    state: &'a State,
    row: &'a Row,
    image: &ImageTarget,
    update: &LiveUpdate,
) -> Selected<'a> {
    let pods = match row.compose() {
        Some(compose) => services::as_pods(state, compose),
        None => pod_claims::counting(state, row),
    };
    let pods: Vec<&Pod> = pods.into_iter().filter(|pod| !pod.deleting).collect();
    let deployed = row
        .target(&image.id)
        .and_then(|target| target.result.as_ref())
        .map_or_else(|| image.selector.image.name(), |built| built.cluster_ref.name());
    let is_meant = |container: &Container| match &update.container {
        Some(name) => container.name == *name,
        // All that a service runs is its one image.
        None if row.compose().is_some() => true,
        None => ImageRef::parse(&container.image).is_ok_and(|image| image.name() == deployed),
    };
    let all = pods
        .iter()
        .flat_map(|pod| pod.containers.iter().map(move |container| (*pod, container)));
    let meant: Vec<(&Pod, &Container)> = all.filter(|(_, container)| is_meant(container)).collect();
    if !meant.is_empty() {
        return Selected::These(meant);
    }
    match pods.iter().find(|pod| !pod.containers.is_empty()) {
        Some(pod) => Selected::Unmatched(pod),
        None => Selected::NoContainer,
    }
}
