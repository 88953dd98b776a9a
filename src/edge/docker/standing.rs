//! What there is of a Compose project in the engine, with the labels by which compose tells whether that is as wanted.

use std::collections::{BTreeMap, BTreeSet};

use futures::future::try_join_all;
use serde::Deserialize;
use serde_json::Value;

use super::client::Docker;
use super::containers::{DIRECTORY, ONE_OFF, SERVICE, listing};
use super::http::ApiError;

const CONFIG_HASH: &str = "com.docker.compose.config-hash";
const IMAGE: &str = "com.docker.compose.image";

/// What there is of a project.
#[derive(Debug, Default)]
pub(in crate::edge) struct Standing {
    pub(in crate::edge) containers: Vec<StandingContainer>,
    /// All networks of the engine, by name.
    pub(in crate::edge) networks: BTreeMap<String, StandingPart>,
    /// All its volumes, by name.
    pub(in crate::edge) volumes: BTreeMap<String, StandingPart>,
    /// The ids of the images that were asked for, by reference.
    pub(in crate::edge) images: BTreeMap<String, String>,
}

/// A container of a service.
#[derive(Clone, Debug, Default)]
pub(in crate::edge) struct StandingContainer {
    pub(in crate::edge) name: String,
    /// When it was made, in seconds since 1970.
    pub(in crate::edge) created: u64,
    pub(in crate::edge) service: String,
    /// The directory of the project that made it.
    pub(in crate::edge) directory: String,
    /// The hash of what it was made from.
    pub(in crate::edge) config_hash: String,
    /// The id of the image that it was made from.
    pub(in crate::edge) image: String,
    pub(in crate::edge) is_running: bool,
    /// The ids of its networks.
    pub(in crate::edge) networks: BTreeSet<String>,
    /// The names of its volumes.
    pub(in crate::edge) volumes: BTreeSet<String>,
}

/// A network or a volume.
#[derive(Clone, Debug, Default)]
pub(in crate::edge) struct StandingPart {
    /// Its id; a volume has none but its name.
    pub(in crate::edge) id: String,
    /// The hash of what it was made from, if compose made it.
    pub(in crate::edge) config_hash: String,
}

impl Standing {
    /// Returns the directories of the projects of this name that have containers.
    pub(in crate::edge) fn directories(&self) -> BTreeSet<&str> {
        let directories = self
            .containers
            .iter()
            .map(|container| container.directory.as_str());
        directories.filter(|directory| !directory.is_empty()).collect()
    }
}

impl Docker {
    /// Returns what there is of a project, and which of these images.
    ///
    /// # Errors
    /// When the engine does not tell.
    pub(in crate::edge) async fn standing(
        &self,
        project: &str,
        images: BTreeSet<&str>,
    ) -> Result<Standing, ApiError> {
        let containing = listing(project);
        let containers = self.http.get::<Vec<ListedContainer>>(&containing);
        let networks = self.http.get::<Vec<ListedPart>>("/networks");
        let volumes = self.http.get::<ListedVolumes>("/volumes");
        let images = try_join_all(images.into_iter().map(async |image| {
            let id = self.image_id(image).await?;
            Ok(id.map(|id| (image.to_owned(), id)))
        }));
        let (containers, networks, volumes, images) =
            tokio::try_join!(containers, networks, volumes, images)?;
        let parts = |listed: Vec<ListedPart>| listed.into_iter().map(ListedPart::into_part).collect();
        Ok(Standing {
            containers: containers
                .into_iter()
                .filter_map(ListedContainer::into_container)
                .collect(),
            networks: parts(networks),
            volumes: parts(volumes.volumes.unwrap_or_default()),
            images: images.into_iter().flatten().collect(),
        })
    }

    /// Returns the id of an image; `None` if there is none of this name.
    async fn image_id(&self, image: &str) -> Result<Option<String>, ApiError> {
        match self.http.get::<Value>(&format!("/images/{image}/json")).await {
            Ok(shown) => Ok(shown["Id"].as_str().map(str::to_owned)),
            Err(ApiError::Refused { status: 404, .. }) => Ok(None),
            Err(error) => Err(error),
        }
    }
}

type Labels = BTreeMap<String, String>;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedContainer {
    names: Vec<String>,
    created: u64,
    labels: Labels,
    state: String,
    network_settings: Option<ListedNetworks>,
    #[serde(default)]
    mounts: Vec<ListedMount>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedNetworks {
    networks: Option<BTreeMap<String, ListedNetwork>>,
}

#[derive(Deserialize)]
struct ListedNetwork {
    #[serde(rename = "NetworkID")]
    id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedMount {
    #[serde(default)]
    name: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedVolumes {
    volumes: Option<Vec<ListedPart>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct ListedPart {
    name: String,
    #[serde(default)]
    id: String,
    labels: Option<Labels>,
}

impl ListedContainer {
    /// Returns it as a container of a service, if it is one.
    fn into_container(mut self) -> Option<StandingContainer> {
        if self.labels.get(ONE_OFF).is_some_and(|value| value == "True") {
            return None;
        }
        let service = self.labels.remove(SERVICE)?;
        let mut label = |name: &str| self.labels.remove(name).unwrap_or_default();
        let networks = self.network_settings.and_then(|settings| settings.networks);
        let name = self.names.into_iter().min_by_key(String::len)?;
        Some(StandingContainer {
            name: name.trim_start_matches('/').to_owned(),
            created: self.created,
            service,
            directory: label(DIRECTORY),
            config_hash: label(CONFIG_HASH),
            image: label(IMAGE),
            is_running: self.state == "running",
            networks: networks
                .into_iter()
                .flatten()
                .map(|(_, network)| network.id)
                .collect(),
            volumes: self.mounts.into_iter().map(|mount| mount.name).collect(),
        })
    }
}

impl ListedPart {
    fn into_part(self) -> (String, StandingPart) {
        let hash = self.labels.and_then(|mut labels| labels.remove(CONFIG_HASH));
        let part = StandingPart {
            id: self.id,
            config_hash: hash.unwrap_or_default(),
        };
        (self.name, part)
    }
}
