//! The table of objects: one row for each, with what it was said to be and what it does.

use std::collections::{BTreeMap, BTreeSet};

use super::apply::{ApplyState, Orphan};
use super::cmd::CmdState;
use super::disable::Disable;
use super::ports::Ports;
use super::spec;
use crate::engine::event::ExtensionEnd;
use crate::engine::moment::Seq;
use crate::model::{ApiKind, ApiObject, ApiObjects, ObjectUid, Timestamp};
use crate::view::ObjectViews;

/// Which object.
pub(crate) type Key = (ApiKind, String);

/// The kinds whose objects have pods.
pub(crate) const WITH_PODS: [ApiKind; 2] = [ApiKind::KubernetesApply, ApiKind::KubernetesDiscovery];

/// All objects that users made.
#[derive(Debug, Default)]
pub(crate) struct Objects {
    rows: BTreeMap<Key, Object>,
    clicks: BTreeMap<String, Click>,
    /// Whether something happened since all were last looked at.
    pub(crate) is_stale: bool,
    /// Objects that went away while they were being applied.
    pub(crate) orphans: Vec<Orphan>,
    /// The watches of files whose events run something anew.
    heeded: BTreeSet<String>,
    /// Objects to which other pods may belong now.
    pub(crate) stale_pods: BTreeSet<Key>,
    /// Whose ports a PortForward shows that nobody made as an object of its own.
    pub(crate) port_owners: BTreeMap<String, Key>,
    /// Objects that may have to be shown anew.
    pub(crate) touched: BTreeSet<Key>,
    /// What is shown.
    pub(crate) shown: ObjectViews,
}

/// An object, and what it does.
#[derive(Debug)]
pub(crate) struct Object {
    pub(crate) object: ApiObject,
    /// Whether a Tiltfile registers it.
    pub(crate) is_declared: bool,
    /// How often this program wrote what users write.
    pub(crate) written: u64,
    pub(crate) disable: Disable,
    pub(crate) does: Does,
    /// The pods that belong to it, or that its ports name.
    pub(crate) pods: Vec<ObjectUid>,
    /// Its ports, or those that come with what it applies or discovers.
    pub(crate) ports: Ports,
}

/// What an object does, by its kind.
#[derive(Debug)]
pub(crate) enum Does {
    /// Nothing by itself.
    Nothing,
    /// A command.
    Cmd(Box<CmdState>),
    /// Something that is applied to the cluster.
    Apply(Box<ApplyState>),
    /// An extension that ran on its own: what became of it.
    Extension(ExtensionEnd),
    /// A toggle: what is wrong with it.
    Toggle { error: String, seen: Seq },
}

/// A click on a button.
#[derive(Clone, Debug)]
pub(crate) struct Click {
    /// When, in the order of what happens.
    pub(crate) seq: Seq,
    /// When, as the click said it.
    pub(crate) at: Timestamp,
    /// The values of the button's inputs.
    pub(crate) inputs: Vec<(String, String)>,
}

impl Objects {
    pub(crate) fn of_kind(&self, kind: ApiKind) -> impl Iterator<Item = (&str, &Object)> {
        let rows = self.rows.range((kind, String::new())..);
        rows.take_while(move |((of, _), _)| *of == kind)
            .map(|((_, name), object)| (name.as_str(), object))
    }

    pub(crate) fn names(&self, kind: ApiKind) -> Vec<String> {
        self.of_kind(kind).map(|(name, _)| name.to_owned()).collect()
    }

    pub(crate) fn get(&self, kind: ApiKind, name: &str) -> Option<&Object> {
        self.rows.get(&(kind, name.to_owned()))
    }

    /// Returns an object to change it; it will be shown anew.
    pub(crate) fn get_mut(&mut self, kind: ApiKind, name: &str) -> Option<&mut Object> {
        let key = (kind, name.to_owned());
        let row = self.rows.get_mut(&key)?;
        self.touched.insert(key);
        Some(row)
    }

    /// Notes that an object may have to be shown anew.
    pub(crate) fn touch(&mut self, kind: ApiKind, name: &str) {
        self.touched.insert((kind, name.to_owned()));
    }

    /// Notes that an object is defined otherwise than before, or no longer.
    fn redefined(&mut self, kind: ApiKind, name: &str) {
        self.is_stale = true;
        self.touch(kind, name);
        self.stale_pods.insert((kind, name.to_owned()));
    }

    /// Takes in what a user wrote.
    pub(crate) fn put(&mut self, kind: ApiKind, name: &str, object: ApiObject) {
        match self.rows.get_mut(&(kind, name.to_owned())) {
            Some(row) => row.object = object,
            None => self.insert(kind, name, object, false),
        }
        self.redefined(kind, name);
    }

    /// Takes in what a Tiltfile registered.
    pub(crate) fn declare(&mut self, kind: ApiKind, name: &str, object: ApiObject) {
        let Some(row) = self.rows.get_mut(&(kind, name.to_owned())) else {
            self.insert(kind, name, object, true);
            return self.redefined(kind, name);
        };
        // What a user registered through the API takes part in the load, and stays theirs.
        if !row.is_declared && matches!(kind, ApiKind::Extension | ApiKind::ExtensionRepo) {
            return;
        }
        row.is_declared = true;
        if row.object != object {
            row.object = object;
            row.written += 1;
            self.redefined(kind, name);
        }
    }

    /// Changes what users write of an object.
    pub(crate) fn write(&mut self, kind: ApiKind, name: &str, change: impl FnOnce(&mut ApiObject)) {
        if let Some(row) = self.rows.get_mut(&(kind, name.to_owned())) {
            change(&mut row.object);
            row.written += 1;
        }
        self.redefined(kind, name);
    }

    fn insert(&mut self, kind: ApiKind, name: &str, object: ApiObject, is_declared: bool) {
        let does = match kind {
            ApiKind::Cmd => Does::Cmd(Box::default()),
            ApiKind::KubernetesApply => Does::Apply(Box::default()),
            ApiKind::ToggleButton => Does::Toggle {
                error: String::new(),
                seen: 0,
            },
            _ => Does::Nothing,
        };
        let object = Object {
            object,
            is_declared,
            written: u64::from(is_declared),
            disable: Disable::default(),
            does,
            pods: Vec::new(),
            ports: Ports::default(),
        };
        self.rows.insert((kind, name.to_owned()), object);
    }

    pub(crate) fn remove(&mut self, kind: ApiKind, name: &str) -> Option<Object> {
        self.redefined(kind, name);
        self.rows.remove(&(kind, name.to_owned()))
    }

    /// Returns the PortForward that shows the ports that come with an object.
    pub(crate) fn shown_ports(&self, key: &Key) -> Option<&str> {
        let mut owners = self.port_owners.iter();
        owners
            .find(|(_, owner)| *owner == key)
            .map(|(shown, _)| shown.as_str())
    }

    /// Returns the objects that a Tiltfile registered before, and that are not among these.
    pub(crate) fn no_longer_in(&self, declared: &ApiObjects) -> Vec<Key> {
        let rows = self.rows.iter();
        let gone = rows.filter(|((kind, name), row)| row.is_declared && declared.get(*kind, name).is_none());
        gone.map(|(key, _)| key.clone()).collect()
    }

    /// Finds out anew which watches of files run something anew.
    pub(crate) fn note_heeded(&mut self) {
        let runs = [ApiKind::Cmd, ApiKind::KubernetesApply];
        let rows = runs.into_iter().flat_map(|kind| self.of_kind(kind));
        let names = rows.flat_map(|(_, row)| {
            let restart_on = spec::field(&row.object.spec, "restartOn");
            spec::texts(&restart_on["fileWatches"])
        });
        self.heeded = names.collect();
    }

    /// Returns whether the events of a watch of files run something anew.
    pub(crate) fn heeds(&self, watch: &str) -> bool {
        self.heeded.contains(watch)
    }

    /// Notes a click, unless it is older than the last one of that button.
    pub(crate) fn clicked(&mut self, button: &str, click: Click) {
        let is_news = self.clicks.get(button).is_none_or(|last| last.at < click.at);
        if is_news {
            self.is_stale = true;
            self.clicks.insert(button.to_owned(), click);
        }
    }

    pub(crate) fn click(&self, button: &str) -> Option<&Click> {
        self.clicks.get(button)
    }

    /// Returns what readers were last shown.
    pub(crate) fn shown(&self) -> &ObjectViews {
        &self.shown
    }

    /// Returns the extensions and their repositories that users registered through the API.
    pub(crate) fn own_extensions(&self) -> ApiObjects {
        let mut objects = ApiObjects::default();
        for kind in [ApiKind::Extension, ApiKind::ExtensionRepo] {
            for (name, row) in self.of_kind(kind).filter(|(_, row)| !row.is_declared) {
                objects.insert(kind, name, row.object.clone());
            }
        }
        objects
    }

    /// Returns the last moment at which one of these buttons was clicked, and that click.
    pub(crate) fn last_click(&self, buttons: &[String]) -> Option<&Click> {
        let clicks = buttons.iter().filter_map(|button| self.click(button));
        clicks.max_by_key(|click| click.seq)
    }
}
