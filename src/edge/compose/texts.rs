//! Texts of configs and secrets that compose writes into containers when it makes them: whether containers have them as they
//! are now. Compose does not compare them, so a container would keep the text that it was made with.

use std::collections::HashMap;
use std::sync::Mutex;

use futures::future::join_all;

use crate::edge::docker::{Docker, FileInContainer, Standing, StandingContainer};
use crate::model::{ComposeService, ComposeText};

/// What a container wrote itself is later than its making by more than this, in seconds.
const MAKING: u64 = 2;

/// What was written into the containers of services, as far as this session knows.
#[derive(Debug, Default)]
pub(super) struct Texts(Mutex<HashMap<String, Vec<ComposeText>>>);

impl Texts {
    /// Takes in that the containers of a service have its texts.
    pub(super) fn note(&self, service: &ComposeService) {
        self.known().insert(service.name.clone(), service.texts.clone());
    }

    /// Returns whether a container of a service has another text than it is to have.
    pub(super) async fn differ(
        &self,
        service: &ComposeService,
        standing: &Standing,
        docker: &Docker,
    ) -> bool {
        let mut own = standing.containers.iter();
        if let Some(known) = self.known().get(&service.name) {
            return *known != service.texts && own.any(|container| container.service == service.name);
        }
        let own = own.filter(|container| container.service == service.name);
        let pairs = own.flat_map(|container| service.texts.iter().map(move |text| (container, text)));
        let looks = pairs.map(async |(container, text)| {
            let file = docker.file_in(&container.name, &text.target).await;
            // Where the engine does not tell, compose decides.
            file.ok()
                .flatten()
                .is_some_and(|file| is_older(container, text, &file))
        });
        join_all(looks).await.contains(&true)
    }

    fn known(&self) -> std::sync::MutexGuard<'_, HashMap<String, Vec<ComposeText>>> {
        self.0.lock().expect("no panic while it is held")
    }
}

/// Returns whether a file is as compose made it, and of another text. What the container itself has made of it says nothing.
fn is_older(container: &StandingContainer, text: &ComposeText, file: &FileInContainer) -> bool {
    file.written <= container.created + MAKING && !text.is(&file.content)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::edge::docker::fake_engine::{Answer, FakeEngine};
    use crate::model::ContainerPath;

    fn service(text: &str) -> ComposeService {
        ComposeService {
            name: "web".to_owned(),
            texts: vec![ComposeText::new(
                ContainerPath::new("/etc/site.conf"),
                text.as_bytes(),
            )],
            ..ComposeService::default()
        }
    }

    fn standing() -> Standing {
        Standing {
            containers: vec![StandingContainer {
                name: "shop-web-1".to_owned(),
                service: "web".to_owned(),
                created: 1_000,
                ..StandingContainer::default()
            }],
            ..Standing::default()
        }
    }

    /// Returns an engine whose container has the text `one`, written so many seconds after it was made.
    fn engine(later: u64) -> FakeEngine {
        FakeEngine::start(move |asked| {
            assert_eq!(
                asked,
                "GET /containers/shop-web-1/archive?path=%2Fetc%2Fsite.conf"
            );
            let mut header = tar::Header::new_gnu();
            header.set_size(3);
            header.set_mtime(1_000 + later);
            header.set_entry_type(tar::EntryType::Regular);
            let mut archive = tar::Builder::new(Vec::new());
            archive
                .append_data(&mut header, "site.conf", &b"one"[..])
                .expect("it fits");
            let archive = archive.into_inner().expect("it is whole");
            Answer::Says(200, String::from_utf8(archive).expect("there are only letters"))
        })
    }

    #[tokio::test]
    async fn a_container_of_an_earlier_session_is_asked_what_it_was_made_with() {
        for (later, text, expected) in [
            (0, "one", false),
            (1, "two", true),
            // What it has written itself is not what it was made with.
            (60, "two", false),
        ] {
            let engine = engine(later);
            let differ = Texts::default()
                .differ(&service(text), &standing(), &engine.docker())
                .await;
            assert_eq!(differ, expected, "{text} after {later} s");
        }
    }

    #[tokio::test]
    async fn what_this_session_has_written_need_not_be_asked_for() {
        let engine = FakeEngine::halted();
        let texts = Texts::default();
        texts.note(&service("one"));
        let docker = engine.docker();
        assert!(!texts.differ(&service("one"), &standing(), &docker).await);
        assert!(texts.differ(&service("two"), &standing(), &docker).await);
        let nothing = Standing::default();
        assert!(!texts.differ(&service("two"), &nothing, &docker).await);
    }
}
