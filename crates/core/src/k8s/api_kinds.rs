//! The resources of kinds that every cluster serves, so that no round trip is spent on asking. The cluster is asked for
//! all others.

/// How the API server names and places a kind.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKind {
    /// The resource's name in addresses, such as `deployments`.
    pub plural: String,
    /// Whether its objects live in namespaces.
    pub namespaced: bool,
}

/// Kinds that every cluster serves: apiVersion, kind, plural, whether its objects live in namespaces.
const WELL_KNOWN: [(&str, &str, &str, bool); 30] = [
    ("v1", "ConfigMap", "configmaps", true),
    ("v1", "Endpoints", "endpoints", true),
    ("v1", "LimitRange", "limitranges", true),
    ("v1", "Namespace", "namespaces", false),
    ("v1", "Node", "nodes", false),
    ("v1", "PersistentVolume", "persistentvolumes", false),
    ("v1", "PersistentVolumeClaim", "persistentvolumeclaims", true),
    ("v1", "Pod", "pods", true),
    ("v1", "PodTemplate", "podtemplates", true),
    ("v1", "ReplicationController", "replicationcontrollers", true),
    ("v1", "ResourceQuota", "resourcequotas", true),
    ("v1", "Secret", "secrets", true),
    ("v1", "Service", "services", true),
    ("v1", "ServiceAccount", "serviceaccounts", true),
    ("apps/v1", "DaemonSet", "daemonsets", true),
    ("apps/v1", "Deployment", "deployments", true),
    ("apps/v1", "ReplicaSet", "replicasets", true),
    ("apps/v1", "StatefulSet", "statefulsets", true),
    ("batch/v1", "CronJob", "cronjobs", true),
    ("batch/v1", "Job", "jobs", true),
    ("networking.k8s.io/v1", "Ingress", "ingresses", true),
    ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies", true),
    ("policy/v1", "PodDisruptionBudget", "poddisruptionbudgets", true),
    (
        "rbac.authorization.k8s.io/v1",
        "ClusterRole",
        "clusterroles",
        false,
    ),
    (
        "rbac.authorization.k8s.io/v1",
        "ClusterRoleBinding",
        "clusterrolebindings",
        false,
    ),
    ("rbac.authorization.k8s.io/v1", "Role", "roles", true),
    (
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        "rolebindings",
        true,
    ),
    ("storage.k8s.io/v1", "StorageClass", "storageclasses", false),
    (
        "autoscaling/v2",
        "HorizontalPodAutoscaler",
        "horizontalpodautoscalers",
        true,
    ),
    (
        "apiextensions.k8s.io/v1",
        "CustomResourceDefinition",
        "customresourcedefinitions",
        false,
    ),
];

/// Returns the resource of a kind that every cluster serves.
pub fn well_known(api_version: &str, kind: &str) -> Option<ApiKind> {
    let is_it = |row: &&(&str, &str, &str, bool)| row.0 == api_version && row.1 == kind;
    let (_, _, plural, namespaced) = WELL_KNOWN.iter().find(is_it)?;
    Some(ApiKind {
        plural: (*plural).to_owned(),
        namespaced: *namespaced,
    })
}

/// Returns the apiVersion that objects of a kind usually have, for references that do not say it or say only a group.
pub fn usual_version(kind: &str) -> Option<&'static str> {
    WELL_KNOWN.iter().find(|row| row.1 == kind).map(|row| row.0)
}
