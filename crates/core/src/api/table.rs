//! Objects as a table, for people who list them.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::Kind;
use crate::model::Timestamp;

/// A column that a kind has beside the name and the time of creation.
struct Column {
    name: &'static str,
    description: &'static str,
    cell: fn(&Value, Timestamp) -> Value,
}

/// Returns a `Table` of objects of a kind, in the order given, as they are at a moment.
///
/// Rule: `docs/rules/api.md`, "The API": the first columns are the name and the time of creation.
pub fn table(kind: &Kind, version: u64, objects: &[Arc<Value>], now: Timestamp) -> Value {
    let columns = columns(kind.name);
    let rows: Vec<Value> = objects.iter().map(|object| row(columns, object, now)).collect();
    let mut definitions = vec![
        json!({"name": "Name", "type": "string", "format": "name", "priority": 0,
               "description": "Name must be unique among the objects of its kind."}),
        json!({"name": "Created At", "type": "date", "format": "", "priority": 0,
               "description": "The time at which the object was created."}),
    ];
    definitions.extend(columns.iter().chain([&AGE]).map(|column| {
        json!({"name": column.name, "type": "string", "format": "", "priority": 0, "description": column.description})
    }));
    json!({
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {"resourceVersion": version.to_string()},
        "columnDefinitions": definitions,
        "rows": rows,
    })
}

fn row(columns: &[Column], object: &Value, now: Timestamp) -> Value {
    let metadata = &object["metadata"];
    let mut cells = vec![metadata["name"].clone(), metadata["creationTimestamp"].clone()];
    cells.extend(
        columns
            .iter()
            .chain([&AGE])
            .map(|column| (column.cell)(object, now)),
    );
    json!({
        "cells": cells,
        "object": {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": metadata},
    })
}

const AGE: Column = Column {
    name: "Age",
    description: "How long ago the object was created.",
    cell: |object, now| ago(&object["metadata"]["creationTimestamp"], now),
};

/// Returns what is worth a column of a kind.
fn columns(kind: &str) -> &'static [Column] {
    match kind {
        "UIResource" => &[
            Column {
                name: "Update",
                description: "How its last update went.",
                cell: |object, _| text(&object["status"]["updateStatus"]),
            },
            Column {
                name: "Runtime",
                description: "How what runs of it is.",
                cell: |object, _| text(&object["status"]["runtimeStatus"]),
            },
            Column {
                name: "Pod",
                description: "The pod that it is shown by.",
                cell: |object, _| text(&object["status"]["k8sResourceInfo"]["podName"]),
            },
            Column {
                name: "Updated",
                description: "How long ago it was last updated.",
                cell: |object, now| ago(&object["status"]["lastDeployTime"], now),
            },
        ],
        "Cmd" => &[
            Column {
                name: "State",
                description: "Whether it waits, runs, or ended, and how.",
                cell: |object, _| process_state(&object["status"]),
            },
            Column {
                name: "Ready",
                description: "Whether its probe says that it is ready.",
                cell: |object, _| flag(&object["status"]["ready"]),
            },
        ],
        "KubernetesDiscovery" => &[Column {
            name: "Pods",
            description: "How many of its pods are ready, of how many.",
            cell: |object, _| pods(&object["status"]["pods"]),
        }],
        "KubernetesApply" => &[
            Column {
                name: "Applied",
                description: "How long ago it was applied.",
                cell: |object, now| ago(&object["status"]["lastApplyTime"], now),
            },
            ERROR,
        ],
        "FileWatch" => &[
            Column {
                name: "Paths",
                description: "How many files and folders it watches.",
                cell: |object, _| count(&object["spec"]["watchedPaths"]),
            },
            Column {
                name: "Changed",
                description: "How long ago one of them changed.",
                cell: |object, now| ago(&object["status"]["lastEventTime"], now),
            },
        ],
        "PortForward" => &[
            Column {
                name: "Pod",
                description: "The pod that its ports lead to.",
                cell: |object, _| text(&object["spec"]["podName"]),
            },
            Column {
                name: "Ports",
                description: "Local ports, and those of the pod.",
                cell: |object, _| ports(&object["spec"]["forwards"]),
            },
        ],
        "PodLogStream" => &[Column {
            name: "Pod",
            description: "The pod whose log it is.",
            cell: |object, _| text(&object["spec"]["pod"]),
        }],
        "ImageMap" => &[Column {
            name: "Image",
            description: "The image that is deployed.",
            cell: |object, _| text(&object["status"]["image"]),
        }],
        "DockerImage" | "CmdImage" => &[Column {
            name: "State",
            description: "Whether it waits, is built, or was built.",
            cell: |object, _| image_state(&object["status"]),
        }],
        "UIButton" => &[
            Column {
                name: "Text",
                description: "What stands on it.",
                cell: |object, _| text(&object["spec"]["text"]),
            },
            Column {
                name: "Clicked",
                description: "How long ago it was last clicked.",
                cell: |object, now| ago(&object["status"]["lastClickedAt"], now),
            },
        ],
        "ConfigMap" => &[Column {
            name: "Data",
            description: "How many values it has.",
            cell: |object, _| {
                object["data"]
                    .as_object()
                    .map_or(0, serde_json::Map::len)
                    .to_string()
                    .into()
            },
        }],
        "Tiltfile" => &[
            Column {
                name: "State",
                description: "Whether it waits, is evaluated, or was evaluated.",
                cell: |object, _| tiltfile_state(&object["status"]),
            },
            Column {
                name: "Path",
                description: "The file.",
                cell: |object, _| text(&object["spec"]["path"]),
            },
        ],
        "Extension" => &[
            Column {
                name: "Repo",
                description: "The repository that it is in.",
                cell: |object, _| text(&object["spec"]["repoName"]),
            },
            Column {
                name: "Path",
                description: "Its folder there.",
                cell: |object, _| text(&object["spec"]["repoPath"]),
            },
            ERROR,
        ],
        "ExtensionRepo" => &[
            Column {
                name: "URL",
                description: "Where it comes from.",
                cell: |object, _| text(&object["spec"]["url"]),
            },
            ERROR,
        ],
        "Session" => &[
            Column {
                name: "Targets",
                description: "How many of its targets are ready or done, of how many.",
                cell: |object, _| targets(&object["status"]["targets"]),
            },
            Column {
                name: "Done",
                description: "Whether it has come to its end.",
                cell: |object, _| flag(&object["status"]["done"]),
            },
        ],
        "DockerComposeService" => &[
            Column {
                name: "State",
                description: "How its container is.",
                cell: |object, _| text(&object["status"]["containerState"]["status"]),
            },
            Column {
                name: "Container",
                description: "The name of its container.",
                cell: |object, _| text(&object["status"]["containerName"]),
            },
        ],
        "Cluster" => &[
            Column {
                name: "Context",
                description: "The context of the kubeconfig.",
                cell: |object, _| text(&object["spec"]["connection"]["kubernetes"]["context"]),
            },
            ERROR,
        ],
        _ => &[],
    }
}

const ERROR: Column = Column {
    name: "Error",
    description: "What went wrong.",
    cell: |object, _| text(&object["status"]["error"]),
};

/// What stands where there is nothing to say.
const NOTHING: &str = "<none>";

fn text(value: &Value) -> Value {
    let text = value.as_str().unwrap_or_default();
    // A row is one line.
    let line = text.lines().next().unwrap_or_default();
    if line.is_empty() {
        NOTHING.into()
    } else {
        line.into()
    }
}

fn flag(value: &Value) -> Value {
    value.as_bool().unwrap_or_default().to_string().into()
}

fn count(value: &Value) -> Value {
    value.as_array().map_or(0, Vec::len).to_string().into()
}

fn ago(time: &Value, now: Timestamp) -> Value {
    match time.as_str().and_then(Timestamp::parse) {
        Some(time) => short(now.since(time)).into(),
        None => NOTHING.into(),
    }
}

/// Returns a duration in one or two units, as kubectl shows ages.
fn short(duration: Duration) -> String {
    let seconds = duration.as_secs();
    let (minutes, hours, days) = (seconds / 60, seconds / 3_600, seconds / 86_400);
    let two = |big: u64, unit: &str, small: u64, small_unit: &str| match small {
        0 => format!("{big}{unit}"),
        small => format!("{big}{unit}{small}{small_unit}"),
    };
    match seconds {
        ..120 => format!("{seconds}s"),
        120..600 => two(minutes, "m", seconds % 60, "s"),
        600..10_800 => format!("{minutes}m"),
        10_800..28_800 => two(hours, "h", minutes % 60, "m"),
        28_800..172_800 => format!("{hours}h"),
        172_800..691_200 => two(days, "d", hours % 24, "h"),
        _ => format!("{days}d"),
    }
}

fn process_state(status: &Value) -> Value {
    if !status["running"].is_null() {
        return "running".into();
    }
    match status["terminated"]["exitCode"].as_i64() {
        Some(code) => format!("exited {code}").into(),
        None => "waiting".into(),
    }
}

/// Returns whether a text is there and says something.
fn is_said(text: &Value) -> bool {
    text.as_str().is_some_and(|text| !text.is_empty())
}

/// Returns how work is that goes on, has yet to begin, or has ended: well, or with an error.
fn work_state(going_on: (&Value, &str), ended: (&Value, &str)) -> Value {
    let ((work, is_going_on), (end, is_done)) = (going_on, ended);
    let word = match () {
        () if !work.is_null() => is_going_on,
        () if end.is_null() => "waiting",
        () if is_said(&end["error"]) => "failed",
        () => is_done,
    };
    word.into()
}

fn image_state(status: &Value) -> Value {
    work_state((&status["building"], "building"), (&status["completed"], "built"))
}

fn tiltfile_state(status: &Value) -> Value {
    work_state((&status["running"], "running"), (&status["terminated"], "loaded"))
}

fn pods(pods: &Value) -> Value {
    let pods: Vec<&Value> = pods.as_array().into_iter().flatten().collect();
    let is_ready = |pod: &&&Value| {
        let containers = pod["containers"].as_array();
        containers
            .is_some_and(|all| !all.is_empty() && all.iter().all(|container| container["ready"] == true))
    };
    format!("{}/{}", pods.iter().filter(is_ready).count(), pods.len()).into()
}

fn ports(forwards: &Value) -> Value {
    let forwards = forwards.as_array().into_iter().flatten();
    let ports: Vec<String> = forwards
        .map(|forward| format!("{}:{}", forward["localPort"], forward["containerPort"]))
        .collect();
    if ports.is_empty() {
        NOTHING.into()
    } else {
        ports.join(",").into()
    }
}

fn targets(targets: &Value) -> Value {
    let targets: Vec<&Value> = targets.as_array().into_iter().flatten().collect();
    let is_well = |target: &&&Value| {
        let state = &target["state"];
        let ended = &state["terminated"];
        state["active"]["ready"] == true || (!ended.is_null() && !is_said(&ended["error"]))
    };
    format!("{}/{}", targets.iter().filter(is_well).count(), targets.len()).into()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(kind: &str, object: Value) -> Vec<(String, String)> {
        let kind = Kind::named(kind).expect("a kind");
        let now = Timestamp::parse("2027-01-15T08:03:00Z").expect("a time");
        let table = table(kind, 1, &[Arc::new(object)], now);
        let names = table["columnDefinitions"].as_array().expect("columns").iter();
        let cells = table["rows"][0]["cells"].as_array().expect("cells").iter();
        names
            .zip(cells)
            .map(|(column, cell)| {
                let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
                (text(&column["name"]), text(cell))
            })
            .collect()
    }

    #[test]
    fn the_name_and_the_time_stand_before_what_is_of_the_kind() {
        let metadata = json!({"name": "web", "creationTimestamp": "2027-01-15T08:00:00Z"});
        let status = json!({
            "updateStatus": "ok", "runtimeStatus": "pending", "k8sResourceInfo": {"podName": "web-1"},
            "lastDeployTime": "2027-01-15T08:02:00.000000Z",
        });
        let shown = shown("UIResource", json!({"metadata": metadata, "status": status}));
        let expected = [
            ("Name", "web"),
            ("Created At", "2027-01-15T08:00:00Z"),
            ("Update", "ok"),
            ("Runtime", "pending"),
            ("Pod", "web-1"),
            ("Updated", "60s"),
            ("Age", "3m"),
        ];
        assert_eq!(
            shown,
            expected.map(|(name, cell)| (name.to_owned(), cell.to_owned()))
        );
    }

    #[test]
    fn each_kind_tells_its_state_in_a_word() {
        let rows = [
            (
                "Cmd",
                json!({"status": {"running": {"pid": 1}}}),
                "State",
                "running",
            ),
            (
                "Cmd",
                json!({"status": {"terminated": {"exitCode": 3}}}),
                "State",
                "exited 3",
            ),
            ("Cmd", json!({"status": {}}), "State", "waiting"),
            (
                "FileWatch",
                json!({"spec": {"watchedPaths": ["a", "b"]}}),
                "Paths",
                "2",
            ),
            ("FileWatch", json!({}), "Changed", "<none>"),
            ("ConfigMap", json!({"data": {"a": "b"}}), "Data", "1"),
            (
                "DockerImage",
                json!({"status": {"completed": {"error": "no"}}}),
                "State",
                "failed",
            ),
            ("CmdImage", json!({"status": {"completed": {}}}), "State", "built"),
            (
                "Tiltfile",
                json!({"status": {"terminated": {}}}),
                "State",
                "loaded",
            ),
            (
                "KubernetesApply",
                json!({"status": {"error": "one\ntwo"}}),
                "Error",
                "one",
            ),
            (
                "KubernetesDiscovery",
                json!({"status": {"pods": [{"containers": [{"ready": true}]}, {"containers": []}]}}),
                "Pods",
                "1/2",
            ),
            (
                "PortForward",
                json!({"spec": {"forwards": [{"localPort": 1, "containerPort": 2}]}}),
                "Ports",
                "1:2",
            ),
            (
                "Session",
                json!({"status": {"targets": [{"state": {"active": {"ready": true}}}, {"state": {}}]}}),
                "Targets",
                "1/2",
            ),
        ];
        for (kind, object, column, cell) in rows {
            let found = shown(kind, object.clone());
            let found = found.iter().find(|(name, _)| name == column);
            assert_eq!(
                found.map(|(_, cell)| cell.as_str()),
                Some(cell),
                "{kind} {object}"
            );
        }
    }

    #[test]
    fn ages_have_one_or_two_units() {
        let rows = [
            (119, "119s"),
            (120, "2m"),
            (599, "9m59s"),
            (3_600, "60m"),
            (10_860, "3h1m"),
            (90_000, "25h"),
            (180_000, "2d2h"),
            (864_000, "10d"),
        ];
        for (seconds, text) in rows {
            assert_eq!(short(Duration::from_secs(seconds)), text);
        }
    }
}
