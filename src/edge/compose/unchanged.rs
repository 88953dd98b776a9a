//! Whether the containers of a service are as its project says already, so that compose need not be called.
//!
//! Compose itself compares hashes: of what the service says, of its networks and volumes, and the id of the image. Here the
//! same is compared with what the engine shows. Where anything differs, or is not known, compose is called: it decides.

use crate::edge::docker::{Standing, StandingContainer};
use crate::model::{ComposePart, ComposePartKind, ComposeProject, ComposeService};

/// When an image is looked for elsewhere only if there is none here.
const QUIET_PULLS: [&str; 3] = ["missing", "if_not_present", "never"];

/// Returns the names of the containers of a service, if all are as wanted, and nothing else is to be done for it.
pub(super) fn as_wanted<'a>(
    project: &ComposeProject,
    service: &ComposeService,
    standing: &'a Standing,
) -> Option<Vec<&'a str>> {
    let own: Vec<&StandingContainer> = standing
        .containers
        .iter()
        .filter(|container| container.service == service.name)
        .collect();
    let image = standing.images.get(&service.image)?;
    let directory = project.directory.to_string();
    let is_as_wanted = |container: &StandingContainer| {
        container.is_running
            && container.config_hash == service.config_hash
            && container.image == *image
            && container.directory == directory
            && service
                .parts
                .iter()
                .all(|part| has_part(container, part, standing))
    };
    let pull = service.definition["pull_policy"].as_str();
    let is_known = !service.config_hash.is_empty()
        && service.definition["provider"].is_null()
        && pull.is_none_or(|policy| QUIET_PULLS.contains(&policy));
    let is_done = is_known
        && !own.is_empty()
        && own.len() == service.scale()
        && own.iter().all(|container| is_as_wanted(container))
        && !has_orphans(service, standing);
    is_done.then(|| own.iter().map(|container| container.name.as_str()).collect())
}

/// Returns whether a container uses a part, and the part is as wanted.
fn has_part(container: &StandingContainer, part: &ComposePart, standing: &Standing) -> bool {
    let (all, used) = match part.kind {
        ComposePartKind::Network => (&standing.networks, &container.networks),
        ComposePartKind::Volume => (&standing.volumes, &container.volumes),
    };
    all.get(&part.name).is_some_and(|known| {
        let id = match part.kind {
            ComposePartKind::Network => &known.id,
            ComposePartKind::Volume => &part.name,
        };
        let is_as_wanted = part.hash.as_ref().is_none_or(|hash| *hash == known.config_hash);
        is_as_wanted && used.contains(id)
    })
}

/// Returns whether there are containers of services that are in no file: compose removes them.
fn has_orphans(service: &ComposeService, standing: &Standing) -> bool {
    let mut services = standing.containers.iter().map(|container| &container.service);
    services.any(|name| !service.siblings.contains(name))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::sync::Arc;

    use serde_json::json;

    use super::*;
    use crate::edge::docker::StandingPart;
    use crate::model::LocalPath;

    fn project() -> ComposeProject {
        ComposeProject {
            command: Vec::new(),
            name: "shop".to_owned(),
            directory: LocalPath::new("/src"),
            config_paths: Vec::new(),
            env_file: None,
            profiles: Vec::new(),
            wait: false,
        }
    }

    fn service() -> ComposeService {
        let part = |kind, name: &str, hash: Option<&str>| ComposePart {
            kind,
            name: name.to_owned(),
            hash: hash.map(str::to_owned),
        };
        ComposeService {
            name: "web".to_owned(),
            image: "nginx".to_owned(),
            config_hash: "c1".to_owned(),
            parts: vec![
                part(ComposePartKind::Network, "shop_default", Some("n1")),
                part(ComposePartKind::Network, "outer", None),
                part(ComposePartKind::Volume, "shop_data", Some("v1")),
            ],
            siblings: Arc::new(["web", "db"].map(str::to_owned).into()),
            ..ComposeService::default()
        }
    }

    fn standing() -> Standing {
        let part = |id: &str, hash: &str| StandingPart {
            id: id.to_owned(),
            config_hash: hash.to_owned(),
        };
        let set =
            |names: &[&str]| -> BTreeSet<String> { names.iter().map(|name| (*name).to_owned()).collect() };
        let web = StandingContainer {
            name: "shop-web-1".to_owned(),
            created: 0,
            service: "web".to_owned(),
            directory: "/src".to_owned(),
            config_hash: "c1".to_owned(),
            image: "sha256:i1".to_owned(),
            is_running: true,
            networks: set(&["id1", "id2"]),
            volumes: set(&["shop_data"]),
        };
        let db = StandingContainer {
            service: "db".to_owned(),
            is_running: false,
            ..web.clone()
        };
        Standing {
            containers: vec![web, db],
            networks: [("shop_default", part("id1", "n1")), ("outer", part("id2", ""))]
                .map(|(name, part)| (name.to_owned(), part))
                .into(),
            volumes: [("shop_data".to_owned(), part("", "v1"))].into(),
            images: [("nginx".to_owned(), "sha256:i1".to_owned())].into(),
        }
    }

    fn is_done(service: &ComposeService, standing: &Standing) -> bool {
        as_wanted(&project(), service, standing).is_some()
    }

    #[test]
    fn containers_that_are_as_wanted_are_left_alone() {
        let standing = standing();
        assert_eq!(
            as_wanted(&project(), &service(), &standing),
            Some(vec!["shop-web-1"])
        );
    }

    #[test]
    fn whatever_differs_is_left_to_compose() {
        type Row = (&'static str, fn(&mut ComposeService), fn(&mut Standing));
        let rows: [Row; 17] = [
            (
                "another configuration",
                |service| service.config_hash = "c2".to_owned(),
                |_| {},
            ),
            (
                "an unknown one",
                |service| service.config_hash = String::new(),
                |_| {},
            ),
            (
                "both unknown",
                |service| service.config_hash = String::new(),
                |now| now.containers[0].config_hash = String::new(),
            ),
            (
                "another scale",
                |service| service.definition = json!({"scale": 2}),
                |_| {},
            ),
            ("no container", |_| {}, |now| drop(now.containers.remove(0))),
            (
                "it is to have none",
                |service| service.definition = json!({"deploy": {"replicas": 0}}),
                |now| drop(now.containers.remove(0)),
            ),
            ("it has ended", |_| {}, |now| now.containers[0].is_running = false),
            (
                "another image of the name",
                |_| {},
                |now| drop(now.images.insert("nginx".to_owned(), "sha256:i2".to_owned())),
            ),
            ("no such image", |_| {}, |now| now.images.clear()),
            (
                "images are to be pulled",
                |service| service.definition = json!({"pull_policy": "always"}),
                |_| {},
            ),
            (
                "another network",
                |_| {},
                |now| now.containers[0].networks.clear(),
            ),
            (
                "a network that changed",
                |service| service.parts[0].hash = Some("n2".to_owned()),
                |_| {},
            ),
            (
                "no outer network",
                |_| {},
                |now| drop(now.networks.remove("outer")),
            ),
            (
                "a volume that changed",
                |service| service.parts[2].hash = Some("v2".to_owned()),
                |_| {},
            ),
            ("another volume", |_| {}, |now| now.containers[0].volumes.clear()),
            (
                "another checkout",
                |_| {},
                |now| now.containers[0].directory = "/other".to_owned(),
            ),
            (
                "an orphan",
                |_| {},
                |now| now.containers[1].service = "gone".to_owned(),
            ),
        ];
        for (what, change_service, change_standing) in rows {
            let (mut service, mut standing) = (service(), standing());
            change_service(&mut service);
            change_standing(&mut standing);
            assert!(!is_done(&service, &standing), "{what}");
        }
    }
}
