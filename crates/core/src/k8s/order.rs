//! In which order objects are applied: what others need comes first.

/// The kinds that come before all others, in order.
///
/// Rule: `docs/rules/deploy.md`, "Apply".
const FIRST: [&str; 22] = [
    "Namespace",
    "ResourceQuota",
    "StorageClass",
    "CustomResourceDefinition",
    "MutatingWebhookConfiguration",
    "ServiceAccount",
    "PodSecurityPolicy",
    "Role",
    "ClusterRole",
    "RoleBinding",
    "ClusterRoleBinding",
    "PersistentVolume",
    "PersistentVolumeClaim",
    "ConfigMap",
    "Secret",
    "Service",
    "LimitRange",
    "PriorityClass",
    "Deployment",
    "StatefulSet",
    "CronJob",
    "PodDisruptionBudget",
];

/// Returns the place of a kind in the order of applying; all kinds that are not listed share the last place.
pub fn rank(kind: &str) -> usize {
    FIRST
        .iter()
        .position(|first| *first == kind)
        .unwrap_or(FIRST.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_others_need_comes_first_and_unknown_kinds_last() {
        assert!(rank("Namespace") < rank("CustomResourceDefinition"));
        assert!(rank("ConfigMap") < rank("Deployment"));
        assert_eq!(rank("Job"), rank("Orchard"));
        assert!(rank("PodDisruptionBudget") < rank("Job"));
    }
}
