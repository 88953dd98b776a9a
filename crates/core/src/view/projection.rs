//! The view that readers hold, kept up to date: only what changed is made anew.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{ResourceView, View, project};
use crate::engine::state::State;
use crate::model::ManifestName;

/// The last view, and where each resource stands in it.
#[derive(Debug, Default)]
pub(crate) struct Projection {
    view: Arc<View>,
    places: BTreeMap<ManifestName, usize>,
}

impl Projection {
    /// Returns the view of the state as it is; the same as last time if nothing that is shown changed.
    pub(crate) fn refresh(&mut self, state: &mut State) -> Arc<View> {
        let touched = state.rows.take_touched();
        let waiting = state.rows.take_waiting_for_others();
        let objects = state.objects.shown().clone();
        let state = &*state;
        let mut changed: Vec<(usize, Arc<ResourceView>)> = Vec::new();
        if touched.all {
            self.places = state.order.iter().cloned().zip(0..).collect();
        }
        let is_waiting_only = |name: &&ManifestName| !touched.all && !touched.rows.contains(*name);
        for name in waiting.iter().filter(is_waiting_only) {
            let place = self.places.get(name);
            if let Some((at, old)) = place.and_then(|at| Some((*at, self.view.resources.get(*at)?))) {
                changed.push((at, Arc::new(project::waiting_for_others(state, old))));
            }
        }
        let names: Vec<&ManifestName> = match touched.all {
            true => state.order.iter().collect(),
            false => touched.rows.iter().collect(),
        };
        for name in names {
            let (Some(at), Some(row)) = (self.places.get(name), state.rows.get(name)) else {
                continue;
            };
            let shown = project::resource(state, name, row);
            match self.view.resources.get(*at) {
                Some(old) if **old == shown => {}
                _ => changed.push((*at, Arc::new(shown))),
            }
        }
        let (tiltfile, cluster) = (project::tiltfile(state), project::cluster(state));
        let is_same = changed.is_empty()
            && self.view.resources.len() == self.places.len()
            && self.view.tiltfile == tiltfile
            && self.view.cluster == cluster
            && self.view.cluster_description == state.cluster_description
            && self.view.objects.ptr_eq(&objects)
            && self.view.caught_up == state.caught_up
            && Arc::ptr_eq(&self.view.files, &state.tiltfile.files);
        if is_same {
            return Arc::clone(&self.view);
        }
        let mut resources = self.view.resources.clone();
        resources.truncate(self.places.len());
        for (at, shown) in changed {
            match resources.get_mut(at) {
                Some(place) => *place = shown,
                None => resources.push_back(shown),
            }
        }
        self.view = Arc::new(View {
            events: state.seq,
            tiltfile,
            cluster,
            cluster_description: state.cluster_description.clone(),
            caught_up: state.caught_up,
            files: Arc::clone(&state.tiltfile.files),
            resources,
            objects,
        });
        Arc::clone(&self.view)
    }
}
