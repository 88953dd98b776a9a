//! Versions of the API that today's clusters no longer have, with those that took their place.

/// Kinds by group and version: what replaced them, and the release of Kubernetes that removed them.
const REPLACED: &[(&str, &[&str], &str, &str)] = &[
    (
        "extensions/v1beta1",
        &["DaemonSet", "Deployment", "ReplicaSet"],
        "apps/v1",
        "1.16",
    ),
    (
        "extensions/v1beta1",
        &["NetworkPolicy"],
        "networking.k8s.io/v1",
        "1.16",
    ),
    ("extensions/v1beta1", &["Ingress"], "networking.k8s.io/v1", "1.22"),
    (
        "apps/v1beta1",
        &["ControllerRevision", "Deployment", "StatefulSet"],
        "apps/v1",
        "1.16",
    ),
    (
        "apps/v1beta2",
        &[
            "ControllerRevision",
            "DaemonSet",
            "Deployment",
            "ReplicaSet",
            "StatefulSet",
        ],
        "apps/v1",
        "1.16",
    ),
    (
        "networking.k8s.io/v1beta1",
        &["Ingress", "IngressClass"],
        "networking.k8s.io/v1",
        "1.22",
    ),
    (
        "rbac.authorization.k8s.io/v1beta1",
        &["ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"],
        "rbac.authorization.k8s.io/v1",
        "1.22",
    ),
    (
        "apiextensions.k8s.io/v1beta1",
        &["CustomResourceDefinition"],
        "apiextensions.k8s.io/v1",
        "1.22",
    ),
    (
        "admissionregistration.k8s.io/v1beta1",
        &["MutatingWebhookConfiguration", "ValidatingWebhookConfiguration"],
        "admissionregistration.k8s.io/v1",
        "1.22",
    ),
    (
        "apiregistration.k8s.io/v1beta1",
        &["APIService"],
        "apiregistration.k8s.io/v1",
        "1.22",
    ),
    (
        "certificates.k8s.io/v1beta1",
        &["CertificateSigningRequest"],
        "certificates.k8s.io/v1",
        "1.22",
    ),
    (
        "coordination.k8s.io/v1beta1",
        &["Lease"],
        "coordination.k8s.io/v1",
        "1.22",
    ),
    (
        "scheduling.k8s.io/v1beta1",
        &["PriorityClass"],
        "scheduling.k8s.io/v1",
        "1.22",
    ),
    (
        "storage.k8s.io/v1beta1",
        &["CSIDriver", "CSINode", "StorageClass", "VolumeAttachment"],
        "storage.k8s.io/v1",
        "1.22",
    ),
    ("batch/v1beta1", &["CronJob"], "batch/v1", "1.25"),
    ("batch/v2alpha1", &["CronJob"], "batch/v1", "1.21"),
    (
        "discovery.k8s.io/v1beta1",
        &["EndpointSlice"],
        "discovery.k8s.io/v1",
        "1.25",
    ),
    ("events.k8s.io/v1beta1", &["Event"], "events.k8s.io/v1", "1.25"),
    ("node.k8s.io/v1beta1", &["RuntimeClass"], "node.k8s.io/v1", "1.25"),
    ("policy/v1beta1", &["PodDisruptionBudget"], "policy/v1", "1.25"),
    (
        "autoscaling/v2beta1",
        &["HorizontalPodAutoscaler"],
        "autoscaling/v2",
        "1.25",
    ),
    (
        "autoscaling/v2beta2",
        &["HorizontalPodAutoscaler"],
        "autoscaling/v2",
        "1.26",
    ),
];

/// Returns what replaced a kind of an old version, and the release of Kubernetes that removed it.
pub(super) fn replaced(version: &str, kind: &str) -> Option<(&'static str, &'static str)> {
    let known = REPLACED
        .iter()
        .find(|(old, kinds, ..)| *old == version && kinds.contains(&kind));
    known.map(|(_, _, new, release)| (*new, *release))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn old_versions_lead_to_new_ones_and_new_ones_nowhere() {
        assert_eq!(
            replaced("extensions/v1beta1", "Deployment"),
            Some(("apps/v1", "1.16"))
        );
        assert_eq!(replaced("apps/v1", "Deployment"), None);
        for (_, kinds, new, _) in REPLACED {
            assert!(kinds.iter().all(|kind| replaced(new, kind).is_none()), "{new}");
        }
    }
}
