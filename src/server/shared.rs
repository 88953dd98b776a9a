//! What all requests have in common: the objects, the way to the session, its log, and who may ask.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;

use super::identity::is_equal;
use crate::api::{ApiError, Change, SessionFacts, Store, Wish, wishes};
use crate::clock;
use crate::edge::session::Handle;
use crate::engine::Event;
use crate::logs::{LogStore, LogWriter};
use crate::model::{ManifestName, SpanId};

/// What all requests have in common.
pub(super) struct Shared {
    store: Mutex<Store>,
    version: watch::Sender<u64>,
    pub(super) handle: Handle,
    pub(super) log: LogStore,
    pub(super) facts: SessionFacts,
    /// Who has it may do everything.
    token: String,
    /// Who has it may open the web socket.
    pub(super) csrf: String,
    /// The token of this user's sessions, in a file that only they can read.
    pub(super) user_token: Option<String>,
}

impl Shared {
    pub(super) fn new(handle: Handle, log: LogStore, facts: SessionFacts) -> anyhow::Result<Self> {
        Ok(Self {
            store: Mutex::default(),
            version: watch::Sender::new(0),
            handle,
            log,
            facts,
            token: super::identity::random_token()?,
            csrf: super::identity::random_uuid()?,
            user_token: super::identity::user_token().ok(),
        })
    }

    /// Returns the token of this session.
    pub(super) fn token(&self) -> &str {
        &self.token
    }

    /// Returns whether a token is that of this session or of its user.
    pub(super) fn knows(&self, token: &str) -> bool {
        let of_user = self.user_token.as_deref();
        is_equal(token, &self.token) || of_user.is_some_and(|of_user| is_equal(token, of_user))
    }

    /// Returns the objects, to read them. The lock is held only for that: never across an await.
    pub(super) fn store(&self) -> MutexGuard<'_, Store> {
        self.store.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns what tells of new versions.
    pub(super) fn versions(&self) -> watch::Receiver<u64> {
        self.version.subscribe()
    }

    /// Changes objects without asking for anything: they show what is so already.
    pub(super) fn show<T>(&self, write: impl FnOnce(&mut Store) -> T) -> T {
        let (result, version) = {
            let mut store = self.store();
            let result = write(&mut store);
            (result, store.version())
        };
        self.announce(version);
        result
    }

    /// Changes objects for a client, and passes on what that asks for.
    pub(super) async fn write<T>(
        &self,
        write: impl FnOnce(&mut Store) -> Result<T, ApiError>,
    ) -> Result<T, ApiError> {
        let (result, version, changes) = {
            let mut store = self.store();
            let before = store.version();
            let result = write(&mut store);
            (result, store.version(), store.all_changes_since(before))
        };
        self.announce(version);
        for change in changes {
            self.pass_on(&change).await;
        }
        result
    }

    async fn pass_on(&self, change: &Change) {
        for event in wishes(change).into_iter().filter_map(|wish| self.event(wish)) {
            let _ = self.handle.events.send(event).await;
        }
    }

    fn event(&self, wish: Wish) -> Option<Event> {
        Some(match wish {
            Wish::Enable(manifest, enabled) => Event::EnablementChanged { manifest, enabled },
            Wish::Args(args) => Event::ArgsChanged(args),
            Wish::Stop(manifest) => Event::CancelRequested(self.running_span(&manifest)?),
            Wish::Object(kind, name, object) => Event::ObjectWritten {
                kind,
                name,
                object: object.map(Box::new),
            },
            Wish::Click { button, at, inputs } => Event::ButtonClicked { button, at, inputs },
        })
    }

    /// Returns where the lines of what runs for a resource are.
    fn running_span(&self, manifest: &ManifestName) -> Option<SpanId> {
        let view = self.handle.view.borrow();
        if *manifest == ManifestName::tiltfile() {
            return view.tiltfile.span.clone();
        }
        let resource = view
            .resources
            .iter()
            .find(|resource| resource.name == *manifest)?;
        resource.building.as_ref().map(|build| build.span.clone())
    }

    fn announce(&self, version: u64) {
        self.version.send_if_modified(|known| {
            let is_new = *known < version;
            *known = version.max(*known);
            is_new
        });
    }

    /// Says something in the log that belongs to no resource.
    pub(super) fn warn(&self, text: &str) {
        LogWriter::global(self.log.clone()).warn(text);
    }

    /// Returns the time of day.
    pub(super) fn now(&self) -> crate::model::Timestamp {
        clock::timestamp()
    }
}

/// A handler's state.
pub(super) type State = axum::extract::State<Arc<Shared>>;
