//! Which resources the cluster has.

use std::collections::HashMap;
use std::sync::Mutex;

use crate::k8s::api_kinds::ApiKind;

/// Kinds that the cluster was asked for, by apiVersion.
#[derive(Default)]
pub(super) struct Discovery {
    pub(super) kinds: Mutex<HashMap<String, HashMap<String, ApiKind>>>,
}
