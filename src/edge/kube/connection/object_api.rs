//! Requests for objects of any kind, as plain JSON. Which resource a kind is, is known or asked for once.

use std::collections::HashMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::{OwnerReference, Time};
use kube::api::{
    DeleteParams, GetParams, ListParams, Patch, PatchParams, PostParams, Preconditions, PropagationPolicy,
};
use kube::core::{DynamicObject, DynamicResourceScope, PartialObjectMeta, Request};
use serde::Deserialize;
use serde_json::Value;

use super::cluster::Cluster;
use super::discovery::Discovery;
use super::error::{RequestError, is_not_found};
use super::identity::WritePermit;
use crate::k8s::api_kinds::{ApiKind, well_known};
use crate::k8s::owned_fields::FIELD_MANAGER;

/// One object of a known resource, present or not.
#[derive(Clone)]
pub(in crate::edge::kube) struct ObjectApi {
    cluster: Cluster,
    collection: String,
    /// Its apiVersion, such as `apps/v1`.
    pub(in crate::edge::kube) api_version: String,
    /// Its kind.
    pub(in crate::edge::kube) kind: String,
    /// Its resource, such as `deployments`.
    pub(in crate::edge::kube) plural: String,
    /// Its namespace, `None` for a cluster-wide one.
    pub(in crate::edge::kube) namespace: Option<String>,
    /// Its name.
    pub(in crate::edge::kube) name: String,
}

/// How many objects a page of a list has.
const PAGE: u32 = 500;

/// What matters of an object's metadata to find its owners.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(in crate::edge::kube) struct OwnedMetadata {
    pub(in crate::edge::kube) uid: String,
    pub(in crate::edge::kube) creation_timestamp: Option<Time>,
    pub(in crate::edge::kube) owner_references: Vec<OwnerReference>,
}

/// A page of a list.
pub(in crate::edge::kube) struct MetadataPage {
    pub(in crate::edge::kube) objects: Vec<OwnedMetadata>,
    /// What to ask for the next page with, if there is one.
    pub(in crate::edge::kube) next: Option<String>,
}

#[derive(Deserialize)]
struct MetadataOnly {
    #[serde(default)]
    metadata: OwnedMetadata,
}

#[derive(Deserialize)]
struct MetadataList {
    #[serde(default)]
    metadata: Continuation,
    /// Go writes an empty list as null.
    #[serde(default)]
    items: Option<Vec<MetadataOnly>>,
}

#[derive(Deserialize)]
struct ObjectList {
    #[serde(default)]
    metadata: Continuation,
    items: Option<Vec<Value>>,
}

#[derive(Default, Deserialize)]
struct Continuation {
    #[serde(default, rename = "continue")]
    next: Option<String>,
}

impl Cluster {
    /// Returns access to an object. Without a namespace, an object that needs one is in the context's.
    ///
    /// # Errors
    /// When the cluster does not know the kind, also after asking once more, or cannot be asked.
    pub(in crate::edge::kube) async fn object(
        &self,
        api_version: &str,
        kind: &str,
        namespace: Option<&str>,
        name: &str,
    ) -> Result<ObjectApi, RequestError> {
        let resource = match well_known(api_version, kind) {
            Some(resource) => resource,
            None => self.discover(api_version, kind).await?,
        };
        let namespace = resource
            .namespaced
            .then(|| namespace.unwrap_or(&self.context().namespace).to_owned());
        let root = if api_version.contains('/') {
            "/apis"
        } else {
            "/api"
        };
        let collection = match &namespace {
            Some(namespace) => format!("{root}/{api_version}/namespaces/{namespace}/{}", resource.plural),
            None => format!("{root}/{api_version}/{}", resource.plural),
        };
        Ok(ObjectApi {
            cluster: self.clone(),
            collection,
            api_version: api_version.to_owned(),
            kind: kind.to_owned(),
            plural: resource.plural,
            namespace,
            name: name.to_owned(),
        })
    }

    /// Returns all instances of a definition, everywhere; none where they cannot be listed.
    pub(in crate::edge::kube) async fn instances(&self, definition: &Value) -> Vec<Value> {
        let text = |path: &str| definition.pointer(path).and_then(Value::as_str);
        let versions = definition.pointer("/spec/versions").and_then(Value::as_array);
        let served = versions
            .into_iter()
            .flatten()
            .find(|version| version["served"] == true);
        let version = served.and_then(|version| version["name"].as_str());
        let (Some(group), Some(version), Some(plural)) =
            (text("/spec/group"), version, text("/spec/names/plural"))
        else {
            return Vec::new();
        };
        let api_version = format!("{group}/{version}");
        let all = ObjectApi {
            cluster: self.clone(),
            collection: format!("/apis/{api_version}/{plural}"),
            api_version: api_version.clone(),
            kind: text("/spec/names/kind").unwrap_or_default().to_owned(),
            plural: plural.to_owned(),
            namespace: None,
            name: String::new(),
        };
        let mut instances = all.list().await.unwrap_or_default();
        for instance in &mut instances {
            instance["apiVersion"] = api_version.clone().into();
            instance["kind"] = all.kind.clone().into();
        }
        instances
    }

    /// Makes the kinds of an apiVersion be asked for anew.
    pub(in crate::edge::kube) fn forget_kinds(&self, api_version: &str) {
        let mut kinds = self
            .discovery()
            .kinds
            .lock()
            .expect("no panic while kinds are held");
        kinds.remove(api_version);
    }

    async fn discover(&self, api_version: &str, kind: &str) -> Result<ApiKind, RequestError> {
        let known = |discovery: &Discovery| {
            let kinds = discovery.kinds.lock().expect("no panic while kinds are held");
            kinds.get(api_version).and_then(|kinds| kinds.get(kind)).cloned()
        };
        if let Some(found) = known(self.discovery()) {
            return Ok(found);
        }
        // Asked anew for every kind that is not known: a CRD may have been applied since.
        let kinds = self.ask_for_kinds(api_version).await?;
        let all = &self.discovery().kinds;
        all.lock()
            .expect("no panic while kinds are held")
            .insert(api_version.to_owned(), kinds);
        known(self.discovery()).ok_or_else(|| RequestError::NoMatch {
            kind: kind.to_owned(),
            api_version: api_version.to_owned(),
        })
    }

    async fn ask_for_kinds(&self, api_version: &str) -> Result<HashMap<String, ApiKind>, RequestError> {
        let list = if api_version.contains('/') {
            self.client().list_api_group_resources(api_version).await
        } else {
            self.client().list_core_api_resources(api_version).await
        };
        let list = match list {
            Ok(list) => list,
            Err(error) if is_not_found(&error) => return Ok(HashMap::new()),
            Err(error) => return Err(error.into()),
        };
        // A subresource such as `deployments/scale` has a kind too.
        let resources = list
            .resources
            .into_iter()
            .filter(|resource| !resource.name.contains('/'));
        Ok(resources
            .map(|resource| {
                let kind = ApiKind {
                    plural: resource.name,
                    namespaced: resource.namespaced,
                };
                (resource.kind, kind)
            })
            .collect())
    }
}

impl ObjectApi {
    /// Returns the object, `None` if there is none.
    pub(in crate::edge::kube) async fn get(&self) -> Result<Option<Value>, RequestError> {
        let request = self.request().get(&self.name, &GetParams::default());
        self.found(self.send(request).await)
    }

    /// Returns all objects of the kind in the namespace, or everywhere where it has none.
    pub(in crate::edge::kube) async fn list(&self) -> Result<Vec<Value>, RequestError> {
        let (mut objects, mut params) = (Vec::new(), ListParams::default().limit(PAGE));
        loop {
            let list: ObjectList = self.send(self.request().list(&params)).await?;
            objects.extend(list.items.unwrap_or_default());
            params.continue_token = list.metadata.next.filter(|next| !next.is_empty());
            if params.continue_token.is_none() {
                return Ok(objects);
            }
        }
    }

    /// Returns the object's metadata, `None` if there is none.
    pub(in crate::edge::kube) async fn get_metadata(&self) -> Result<Option<OwnedMetadata>, RequestError> {
        let request = self.request().get_metadata(&self.name, &GetParams::default());
        let answer: Result<MetadataOnly, _> = self.send(request).await;
        Ok(self.found(answer)?.map(|object| object.metadata))
    }

    /// Returns the metadata of a page of all objects of the kind in the namespace.
    pub(in crate::edge::kube) async fn list_metadata(
        &self,
        next: Option<&str>,
    ) -> Result<MetadataPage, RequestError> {
        let mut params = ListParams::default().limit(PAGE);
        params.continue_token = next.map(str::to_owned);
        let request = self.request().list_metadata(&params);
        let list: MetadataList = self.send(request).await?;
        Ok(MetadataPage {
            objects: list
                .items
                .into_iter()
                .flatten()
                .map(|object| object.metadata)
                .collect(),
            next: list.metadata.next.filter(|next| !next.is_empty()),
        })
    }

    /// Applies on the server, as manager `tilt`, taking fields from others where needed.
    pub(in crate::edge::kube) async fn apply(
        &self,
        permit: &WritePermit,
        input: &Value,
    ) -> Result<Value, RequestError> {
        permit.check().await?;
        let params = PatchParams::apply(FIELD_MANAGER).force();
        let request = self.request().patch(&self.name, &params, &Patch::Apply(input));
        Ok(self.send(request).await?)
    }

    /// Returns what applying would make of the object; nothing is written.
    pub(in crate::edge::kube) async fn apply_dry(&self, input: &Value) -> Result<Value, RequestError> {
        let params = PatchParams::apply(FIELD_MANAGER).force().dry_run();
        let request = self.request().patch(&self.name, &params, &Patch::Apply(input));
        Ok(self.send(request).await?)
    }

    /// Merges into the object.
    pub(in crate::edge::kube) async fn merge(
        &self,
        permit: &WritePermit,
        patch: &Value,
    ) -> Result<Value, RequestError> {
        permit.check().await?;
        let params = PatchParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PatchParams::default()
        };
        let request = self.request().patch(&self.name, &params, &Patch::Merge(patch));
        Ok(self.send(request).await?)
    }

    /// Replaces the object as a whole, or creates it.
    pub(in crate::edge::kube) async fn replace_or_create(
        &self,
        permit: &WritePermit,
        input: &Value,
    ) -> Result<Value, RequestError> {
        permit.check().await?;
        let params = PostParams {
            field_manager: Some(FIELD_MANAGER.to_owned()),
            ..PostParams::default()
        };
        let request = match self.get().await? {
            Some(live) => {
                let mut input = input.clone();
                input["metadata"]["resourceVersion"] = live["metadata"]["resourceVersion"].clone();
                self.request()
                    .replace(&self.name, &params, input.to_string().into_bytes())
            }
            None => self.request().create(&params, input.to_string().into_bytes()),
        };
        Ok(self.send(request).await?)
    }

    /// Asks what the server would say of a new object of this name; nothing is written.
    ///
    /// # Errors
    /// With why it would be refused. That there is an object of the name already is no reason.
    pub(in crate::edge::kube) async fn try_anew(&self, input: &Value) -> Result<(), RequestError> {
        let params = PostParams {
            dry_run: true,
            field_manager: Some(FIELD_MANAGER.to_owned()),
        };
        let request = self.request().create(&params, input.to_string().into_bytes());
        match self.send::<Value>(request).await.map_err(RequestError::from) {
            Err(error) if !error.is_conflict() => Err(error),
            _ => Ok(()),
        }
    }

    /// Asks for the object to be deleted, what it owns in the background. With a UID only if it still has that one.
    /// Returns it if it is still there then: somebody has to clean up, or it takes a while to end.
    pub(in crate::edge::kube) async fn delete(
        &self,
        permit: &WritePermit,
        uid: Option<&str>,
    ) -> Result<Option<Value>, RequestError> {
        permit.check().await?;
        let params = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            preconditions: uid.map(|uid| Preconditions {
                uid: Some(uid.to_owned()),
                resource_version: None,
            }),
            ..DeleteParams::default()
        };
        let request = self.request().delete(&self.name, &params);
        let answer: Result<Value, _> = self.send(request).await;
        let answer = self.found(answer)?;
        Ok(answer.filter(|object| object.pointer("/metadata/deletionTimestamp").is_some()))
    }

    /// Returns the object's resource as kube's watches want it.
    pub(in crate::edge::kube) fn dynamic(&self) -> kube::Api<DynamicObject> {
        self.api()
    }

    /// As `dynamic`, but of each object only the metadata is asked for.
    pub(in crate::edge::kube) fn metadata(&self) -> kube::Api<PartialObjectMeta<DynamicObject>> {
        self.api()
    }

    fn api<K>(&self) -> kube::Api<K>
    where
        K: kube::Resource<DynamicType = kube::core::ApiResource, Scope = DynamicResourceScope>,
    {
        let (group, version) = self
            .api_version
            .split_once('/')
            .unwrap_or(("", &self.api_version));
        let resource = kube::core::ApiResource {
            group: group.to_owned(),
            version: version.to_owned(),
            api_version: self.api_version.clone(),
            kind: self.kind.clone(),
            plural: self.plural.clone(),
        };
        match &self.namespace {
            Some(namespace) => kube::Api::namespaced_with(self.cluster.client(), namespace, &resource),
            None => kube::Api::all_with(self.cluster.client(), &resource),
        }
    }

    async fn send<T: serde::de::DeserializeOwned>(
        &self,
        request: Result<http::Request<Vec<u8>>, kube::core::request::Error>,
    ) -> kube::Result<T> {
        self.cluster
            .send(request.map_err(kube::Error::BuildRequest)?)
            .await
    }

    fn request(&self) -> Request {
        Request::new(&self.collection)
    }

    fn found<T>(&self, answer: kube::Result<T>) -> Result<Option<T>, RequestError> {
        match answer {
            Ok(value) => Ok(Some(value)),
            Err(error) if is_not_found(&error) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_list_of_nothing_may_be_written_as_null() {
        for list in [
            json!({"metadata": {}, "items": null}),
            json!({"items": []}),
            json!({"metadata": {"continue": ""}}),
        ] {
            let read: MetadataList = serde_json::from_value(list.clone()).unwrap();
            assert!(read.items.unwrap_or_default().is_empty(), "{list}");
        }
    }
}
