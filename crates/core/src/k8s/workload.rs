//! Workloads as the API server has them, turned into our own values: how many pods each wants, and how far it is.

use std::time::Duration;

use serde_json::Value;

use crate::model::{JobState, ObjectUid, PodCounts, Timestamp, Workload, WorkloadKind, WorkloadState};

/// Returns what an object says of itself as a workload; `None` if it is none, or says nothing of what it wants, as one of
/// which a command printed only the name.
pub fn workload(object: &Value) -> Option<Workload> {
    let text = |path: &str| object.pointer(path).and_then(Value::as_str).unwrap_or_default();
    let kind = WorkloadKind::of(text("/apiVersion"), text("/kind"))?;
    object.get("spec")?;
    let owners = object
        .pointer("/metadata/ownerReferences")
        .and_then(Value::as_array);
    let owners = owners
        .into_iter()
        .flatten()
        .filter_map(|owner| owner["uid"].as_str());
    let seconds = number(object, "/spec/minReadySeconds").unwrap_or_default();
    Some(Workload {
        uid: ObjectUid::new(text("/metadata/uid")),
        kind,
        namespace: text("/metadata/namespace").to_owned(),
        name: text("/metadata/name").to_owned(),
        created: created(text("/metadata/creationTimestamp")),
        generation: number(object, "/metadata/generation").unwrap_or_default(),
        owners: owners.map(ObjectUid::new).collect(),
        min_ready: Duration::from_secs(u64::try_from(seconds).unwrap_or_default()),
        state: match kind {
            WorkloadKind::Job => WorkloadState::Job(job(object)),
            _ => WorkloadState::Pods(counts(kind, object)),
        },
        trouble: trouble(object),
    })
}

/// Returns why a Job has failed for good, in a word; `None` if it has not, or is no Job.
pub fn failed_job(object: &Value) -> Option<String> {
    match workload(object)?.state {
        WorkloadState::Job(JobState::Failed { reason, .. }) => Some(reason),
        _ => None,
    }
}

fn number(object: &Value, path: &str) -> Option<i64> {
    object.pointer(path).and_then(Value::as_i64)
}

fn created(text: &str) -> Timestamp {
    let time = text.parse::<k8s_openapi::jiff::Timestamp>();
    time.map_or(Timestamp::default(), |time| Timestamp(time.as_microsecond()))
}

/// Rule: the Kubernetes API page of Job.
fn job(object: &Value) -> JobState {
    if let Some(condition) = true_condition(object, "Failed") {
        let text = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
        return JobState::Failed {
            reason: text("reason"),
            message: text("message"),
        };
    }
    if true_condition(object, "Complete").is_some() {
        return JobState::Complete;
    }
    if object.pointer("/spec/suspend").and_then(Value::as_bool) == Some(true) {
        return JobState::Suspended;
    }
    let parallel = number(object, "/spec/parallelism").unwrap_or(1);
    let succeeded = number(object, "/status/succeeded").unwrap_or_default();
    let left = number(object, "/spec/completions").map(|completions| completions - succeeded);
    let wanted = left.unwrap_or(parallel).min(parallel);
    JobState::Running {
        wanted: u32::try_from(wanted).unwrap_or_default(),
    }
}

/// Rule: the Kubernetes API pages of the kinds; when it is rolled out, as `kubectl rollout status` says it.
fn counts(kind: WorkloadKind, object: &Value) -> PodCounts {
    let status = |field: &str| number(object, &format!("/status/{field}")).unwrap_or_default();
    let generation = number(object, "/metadata/generation").unwrap_or_default();
    let is_observed = status("observedGeneration") >= generation;
    let replicas = number(object, "/spec/replicas").unwrap_or(1);
    let strategy = object
        .pointer("/spec/updateStrategy/type")
        .and_then(Value::as_str);
    let by_hand = strategy == Some("OnDelete") && generation > 1;
    // Of what is replaced only by hand, what was replaced counts.
    let replaced = |all: i64, updated: i64| {
        if by_hand {
            updated.clamp(all.min(1), all)
        } else {
            all
        }
    };
    let (wanted, rolled_out) = match kind {
        WorkloadKind::Deployment => {
            let all_new =
                status("updatedReplicas") >= replicas && status("replicas") <= status("updatedReplicas");
            (Some(replicas), all_new && status("readyReplicas") >= replicas)
        }
        WorkloadKind::StatefulSet => {
            let partition =
                number(object, "/spec/updateStrategy/rollingUpdate/partition").unwrap_or_default();
            let kept = if generation > 1 {
                partition.min(replicas)
            } else {
                0
            };
            let updated = status("updatedReplicas");
            let wanted = replaced(replicas - kept, updated);
            (
                Some(wanted),
                updated >= wanted && status("readyReplicas") >= replicas,
            )
        }
        WorkloadKind::DaemonSet => {
            let (desired, updated) = (status("desiredNumberScheduled"), status("updatedNumberScheduled"));
            let wanted = replaced(desired, updated);
            let all = updated >= wanted && status("numberReady") >= desired;
            (is_observed.then_some(wanted), all)
        }
        WorkloadKind::ReplicaSet | WorkloadKind::ReplicationController | WorkloadKind::Job => {
            (Some(replicas), status("readyReplicas") >= replicas)
        }
    };
    PodCounts {
        wanted: wanted.map(|wanted| u32::try_from(wanted).unwrap_or_default()),
        is_rolled_out: is_observed && rolled_out,
    }
}

fn trouble(object: &Value) -> Option<String> {
    let failure = true_condition(object, "ReplicaFailure")?;
    let text = |field: &str| failure[field].as_str().unwrap_or_default().trim();
    Some(format!("{}: {}", text("reason"), text("message")))
}

fn true_condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    let conditions = object.pointer("/status/conditions")?.as_array()?;
    conditions
        .iter()
        .find(|condition| condition["type"] == kind && condition["status"] == "True")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(kind: &str, metadata: &str, spec: &str, status: &str) -> Workload {
        let api_version = if kind == "Job" { "batch/v1" } else { "apps/v1" };
        let text = format!(
            "{{apiVersion: {api_version}, kind: {kind}, metadata: {{name: x, uid: u, {metadata}}}, \
             spec: {{{spec}}}, status: {{{status}}}}}"
        );
        workload(&crate::k8s::yaml::decode(&text).expect("YAML")).expect("a workload")
    }

    #[test]
    fn a_job_is_what_its_conditions_say() {
        let condition = |kind: &str, status: &str| {
            format!("conditions: [{{type: {kind}, status: '{status}', reason: R, message: m}}]")
        };
        let failed = || JobState::Failed {
            reason: "R".to_owned(),
            message: "m".to_owned(),
        };
        for (spec, status, expected) in [
            ("", String::new(), JobState::Running { wanted: 1 }),
            ("", condition("Complete", "True"), JobState::Complete),
            (
                "",
                condition("Complete", "False"),
                JobState::Running { wanted: 1 },
            ),
            (
                "",
                condition("SuccessCriteriaMet", "True"),
                JobState::Running { wanted: 1 },
            ),
            ("", condition("Failed", "True"), failed()),
            ("suspend: true", String::new(), JobState::Suspended),
            ("suspend: true", condition("Failed", "True"), failed()),
            (
                "completions: 5, parallelism: 3",
                "succeeded: 1".to_owned(),
                JobState::Running { wanted: 3 },
            ),
            (
                "completions: 5, parallelism: 3",
                "succeeded: 4, failed: 1".to_owned(),
                JobState::Running { wanted: 1 },
            ),
        ] {
            let job = read("Job", "generation: 1", spec, &status);
            assert_eq!(job.state, WorkloadState::Job(expected), "{spec} {status}");
        }
    }

    #[test]
    fn a_workload_says_how_many_pods_it_wants_and_whether_it_has_them() {
        for (kind, generation, spec, status, expected) in [
            ("Deployment", 1, "", "", (Some(1), false)),
            (
                "Deployment",
                2,
                "replicas: 3",
                "observedGeneration: 2, replicas: 3, updatedReplicas: 3, readyReplicas: 3",
                (Some(3), true),
            ),
            (
                "Deployment",
                3,
                "replicas: 3",
                "observedGeneration: 2, replicas: 3, updatedReplicas: 3, readyReplicas: 3",
                (Some(3), false),
            ),
            (
                "Deployment",
                2,
                "replicas: 3",
                "observedGeneration: 2, replicas: 4, updatedReplicas: 3, readyReplicas: 4",
                (Some(3), false),
            ),
            (
                "StatefulSet",
                2,
                "replicas: 3, updateStrategy: {rollingUpdate: {partition: 2}}",
                "observedGeneration: 2, updatedReplicas: 1, readyReplicas: 3",
                (Some(1), true),
            ),
            (
                "StatefulSet",
                1,
                "replicas: 3, updateStrategy: {rollingUpdate: {partition: 2}}",
                "observedGeneration: 1, updatedReplicas: 3, readyReplicas: 1",
                (Some(3), false),
            ),
            (
                "DaemonSet",
                2,
                "updateStrategy: {type: OnDelete}",
                "observedGeneration: 2, desiredNumberScheduled: 4, updatedNumberScheduled: 2, numberReady: 4",
                (Some(2), true),
            ),
            ("DaemonSet", 1, "", "", (None, false)),
            (
                "DaemonSet",
                1,
                "",
                "observedGeneration: 1, desiredNumberScheduled: 2, updatedNumberScheduled: 2, numberReady: 1",
                (Some(2), false),
            ),
            (
                "ReplicaSet",
                1,
                "replicas: 2",
                "observedGeneration: 1, readyReplicas: 2",
                (Some(2), true),
            ),
        ] {
            let read = read(kind, &format!("generation: {generation}"), spec, status);
            let expected = PodCounts {
                wanted: expected.0,
                is_rolled_out: expected.1,
            };
            assert_eq!(
                read.state,
                WorkloadState::Pods(expected),
                "{kind} {spec} {status}"
            );
        }
    }

    #[test]
    fn what_keeps_a_workload_from_its_pods_and_how_long_they_must_be_ready_is_read() {
        let read = read(
            "Deployment",
            "generation: 4, creationTimestamp: '1970-01-01T00:00:07Z', ownerReferences: [{uid: owner}]",
            "minReadySeconds: 5",
            "conditions: [{type: ReplicaFailure, status: 'True', reason: FailedCreate, message: no room}]",
        );
        assert_eq!(read.trouble.as_deref(), Some("FailedCreate: no room"));
        assert_eq!((read.min_ready, read.generation), (Duration::from_secs(5), 4));
        assert_eq!(read.created, Timestamp::from_secs(7));
        assert_eq!(read.owners, ["owner".into()]);
        assert_eq!(read.to_string(), "Deployment/x");
    }

    #[test]
    fn what_has_a_like_name_in_another_group_is_none() {
        for (api_version, kind) in [
            ("batch.volcano.sh/v1alpha1", "Job"),
            ("v1", "Deployment"),
            ("v1", "Pod"),
        ] {
            let object = serde_json::json!({"apiVersion": api_version, "kind": kind, "spec": {}});
            assert_eq!(workload(&object), None, "{api_version} {kind}");
        }
    }
}
