//! Objects that get no pods as they are, however long one waits: what of them says so, and what to do about it.

use std::fmt;

use serde_json::Value;

/// What keeps an object from getting pods of what was deployed last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dormancy {
    /// It asks for no replicas.
    NoReplicas,
    /// A Deployment whose rollout is paused.
    Paused,
    /// A Job or CronJob that is suspended.
    Suspended,
    /// A Job that runs no pods at a time, or needs none.
    NoParallelism,
    /// Its pods are replaced only when somebody deletes them.
    OnDelete,
    /// A StatefulSet that keeps all pods as they are, by their ordinals.
    Partition,
}

impl Dormancy {
    /// Returns what keeps an object, as the API server has it, from getting pods.
    ///
    /// Rule: the Kubernetes API pages of Deployment, StatefulSet, DaemonSet, Job and CronJob.
    pub fn of(object: &Value) -> Option<Self> {
        let spec = object.get("spec")?;
        let number = |field: &str| spec.get(field).and_then(Value::as_i64);
        let flag = |field: &str| spec.get(field).and_then(Value::as_bool).unwrap_or_default();
        match object.get("kind")?.as_str()? {
            "Deployment" | "ReplicaSet" | "ReplicationController" | "StatefulSet"
                if number("replicas") == Some(0) =>
            {
                Some(Self::NoReplicas)
            }
            "Deployment" if flag("paused") => Some(Self::Paused),
            "StatefulSet" | "DaemonSet" => Self::of_update_strategy(object, spec),
            "Job" | "CronJob" if flag("suspend") => Some(Self::Suspended),
            "Job" if number("parallelism") == Some(0) || number("completions") == Some(0) => {
                Some(Self::NoParallelism)
            }
            _ => None,
        }
    }

    /// An object that is new gets pods in any case; afterwards its strategy decides.
    fn of_update_strategy(object: &Value, spec: &Value) -> Option<Self> {
        let number = |path: &str| object.pointer(path).and_then(Value::as_i64);
        let generation = number("/metadata/generation")?;
        let replaced = ["/status/updatedReplicas", "/status/updatedNumberScheduled"];
        let is_seen = number("/status/observedGeneration") == Some(generation);
        let has_new_pods = is_seen && replaced.into_iter().filter_map(number).any(|pods| pods > 0);
        if generation <= 1 || has_new_pods {
            return None;
        }
        if spec.pointer("/updateStrategy/type").and_then(Value::as_str) == Some("OnDelete") {
            return Some(Self::OnDelete);
        }
        let partition = number("/spec/updateStrategy/rollingUpdate/partition")?;
        let replicas = number("/spec/replicas").unwrap_or(1);
        (partition >= replicas && partition > 0).then_some(Self::Partition)
    }

    /// Returns what to do to get pods.
    pub fn advice(self) -> &'static str {
        match self {
            Self::NoReplicas => "set its spec.replicas",
            Self::Paused => "take out its spec.paused, or `kubectl rollout resume` it",
            Self::Suspended => "take out its spec.suspend",
            Self::NoParallelism => "set its spec.parallelism and spec.completions",
            Self::OnDelete => "delete its pods, or set its spec.updateStrategy to RollingUpdate",
            Self::Partition => "lower its spec.updateStrategy.rollingUpdate.partition",
        }
    }
}

impl fmt::Display for Dormancy {
    /// What is said of the object, such as `asks for 0 replicas`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NoReplicas => "asks for 0 replicas",
            Self::Paused => "is paused",
            Self::Suspended => "is suspended",
            Self::NoParallelism => "runs no pods: its parallelism or completions are 0",
            Self::OnDelete => "replaces its pods only when they are deleted (OnDelete)",
            Self::Partition => "keeps all its pods as they are, by its partition",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(object: &str, expected: Option<Dormancy>) {
        let object = crate::k8s::yaml::decode(object).expect("YAML");
        assert_eq!(Dormancy::of(&object), expected, "{object}");
    }

    #[test]
    fn what_gets_no_pods_is_known_by_its_own_words() {
        use Dormancy::*;
        for (object, expected) in [
            ("{kind: Deployment, spec: {replicas: 0}}", Some(NoReplicas)),
            ("{kind: StatefulSet, spec: {replicas: 0}}", Some(NoReplicas)),
            ("{kind: ReplicaSet, spec: {replicas: 0}}", Some(NoReplicas)),
            ("{kind: Deployment, spec: {replicas: 1}}", None),
            ("{kind: Deployment, spec: {}}", None),
            (
                "{kind: Deployment, spec: {replicas: 2, paused: true}}",
                Some(Paused),
            ),
            ("{kind: Job, spec: {suspend: true}}", Some(Suspended)),
            ("{kind: CronJob, spec: {suspend: true}}", Some(Suspended)),
            ("{kind: CronJob, spec: {suspend: false}}", None),
            ("{kind: Job, spec: {parallelism: 0}}", Some(NoParallelism)),
            ("{kind: Job, spec: {completions: 0}}", Some(NoParallelism)),
            ("{kind: Widget, spec: {replicas: 0}}", None),
            ("{kind: ConfigMap}", None),
        ] {
            check(object, expected);
        }
    }

    #[test]
    fn a_strategy_keeps_pods_from_being_replaced_but_not_from_being_made() {
        let daemons = |metadata: &str, status: &str| {
            format!(
                "{{kind: DaemonSet, metadata: {{generation: {metadata}}}, spec: {{updateStrategy: {{type: OnDelete}}}}, \
                 status: {{{status}}}}}"
            )
        };
        check(&daemons("1", ""), None);
        check(
            &daemons("2", "observedGeneration: 1, updatedNumberScheduled: 3"),
            Some(Dormancy::OnDelete),
        );
        check(
            &daemons("2", "observedGeneration: 2, updatedNumberScheduled: 3"),
            None,
        );
        let partition = |partition: u8| {
            format!(
                "{{kind: StatefulSet, metadata: {{generation: 2}}, spec: {{replicas: 3, updateStrategy: \
                 {{rollingUpdate: {{partition: {partition}}}}}}}}}"
            )
        };
        check(&partition(3), Some(Dormancy::Partition));
        check(&partition(2), None);
        check(&partition(0), None);
    }
}
