//! What is sent to the page has the fields that `wire.txt` names, of which the page's own types are made.

use std::collections::BTreeMap;

use serde_json::Value;

use super::*;
use crate::history::{Cause, Facts, LogRange, Outcome, Stage, StageKind, UpdateKind, Wait, WaitReason};
use crate::model::{
    Container, ContainerState, DeployTarget, Level, LocalPath, LocalTarget, ObjectUid, PodPhase, Progress,
    RestartPolicy, Segment,
};

static TABLE: &str = include_str!("wire.txt");

/// The fields of each type: whether one may be missing, and its shape.
fn types() -> BTreeMap<&'static str, BTreeMap<&'static str, (bool, &'static str)>> {
    let field = |text: &'static str| {
        let (name, shape) = text.split_once(':').expect("a name and a shape");
        let bare = name.strip_suffix('?');
        (bare.unwrap_or(name), (bare.is_some(), shape))
    };
    TABLE
        .lines()
        .filter_map(|line| line.strip_prefix("type "))
        .map(|line| {
            let mut words = line.split(' ');
            (words.next().expect("a name"), words.map(field).collect())
        })
        .collect()
}

/// Finds what of a value is not as a shape says.
fn check(value: &Value, shape: &str, at: &str, wrong: &mut Vec<String>) {
    if let Some(inner) = shape.strip_prefix("[]") {
        let list = value.as_array().into_iter().flatten();
        for (n, value) in list.enumerate() {
            check(value, inner, &format!("{at}[{n}]"), wrong);
        }
    } else if let Some(inner) = shape.strip_prefix("{}") {
        for (key, value) in value.as_object().into_iter().flatten() {
            check(value, inner, &format!("{at}.{key}"), wrong);
        }
    } else if let Some(fields) = types().get(shape) {
        let Some(object) = value.as_object() else {
            return wrong.push(format!("{at} is no object"));
        };
        for (name, value) in object {
            match fields.get(name.as_str()) {
                None => wrong.push(format!("{at}.{name} is not in the table")),
                Some((true, _)) if value.is_null() => {}
                Some((_, shape)) => check(value, shape, &format!("{at}.{name}"), wrong),
            }
        }
        let missing = fields
            .iter()
            .filter(|(name, (optional, _))| !optional && !object.contains_key(**name));
        wrong.extend(missing.map(|(name, _)| format!("{at}.{name} is missing")));
    } else {
        let fits = match shape {
            "string" | "!MicroTime" => value.is_string(),
            "bool" => value.is_boolean(),
            "int32" | "int64" | "uint32" => value.is_i64() || value.is_u64(),
            // The kinds of the API have a table of their own.
            _ => true,
        };
        if !fits {
            wrong.push(format!("{at} is no {shape}: {value}"));
        }
    }
}

#[track_caller]
fn check_whole(value: &Value, shape: &str) {
    let mut wrong = Vec::new();
    check(value, shape, shape, &mut wrong);
    assert_eq!(wrong, Vec::<String>::new());
}

fn build(error: Option<&str>) -> BuildView {
    BuildView {
        span: SpanId::from("build:1"),
        reason: "Changed Files".to_owned(),
        started: Timestamp::from_secs(1),
        finished: error.map(|_| Timestamp::from_secs(2)),
        error: error.map(str::to_owned),
        explained_by_log: false,
        pid: None,
        exit: None,
    }
}

fn pod() -> Pod {
    let container = |state| Container {
        name: "main".to_owned(),
        id: String::new(),
        image: String::new(),
        ready: true,
        has_probe: false,
        restarts: 0,
        state,
        started: None,
        last_exit: None,
        ports: Vec::new(),
    };
    Pod {
        uid: ObjectUid::from("u"),
        name: "web-1".to_owned(),
        namespace: "default".to_owned(),
        node: String::new(),
        created: Timestamp::from_secs(1),
        deleting: false,
        phase: PodPhase::Running,
        restarts: RestartPolicy::Always,
        status: "Running".to_owned(),
        given_up: None,
        errors: vec!["bad".to_owned()],
        conditions: Vec::new(),
        init_containers: vec![container(ContainerState::Unknown)],
        containers: vec![container(ContainerState::Running)],
        labels: Vec::new(),
        owners: Vec::new(),
    }
}

fn wait() -> Wait {
    Wait {
        reason: WaitReason::WaitingForDep,
        on: vec!["db".to_owned()],
        from: Timestamp::from_secs(1),
        until: None,
    }
}

fn update() -> UpdateRecord {
    UpdateRecord {
        resource: ManifestName::from("db"),
        number: 1,
        kind: UpdateKind::Full,
        causes: vec![Cause::First],
        wanted: Timestamp::from_secs(1),
        started: Timestamp::from_secs(1),
        ended: None,
        waits: vec![wait()],
        stages: vec![Stage {
            kind: StageKind::Build,
            name: "web".to_owned(),
            from: Timestamp::from_secs(1),
            until: None,
            facts: Facts::default(),
            parts: Vec::new(),
        }],
        outcome: Outcome {
            result: crate::history::Result::Failed,
            reason: None,
            message: Some("no luck".to_owned()),
        },
        logs: vec![LogRange {
            span: SpanId::from("build:1"),
            from: 7,
            until: None,
        }],
    }
}

fn definition(name: &str) -> Manifest {
    let name = ManifestName::from(name);
    Manifest {
        deploy: DeployTarget::Local(Box::new(LocalTarget {
            id: TargetId::local(&name),
            update_cmd: None,
            serve_cmd: Command::default(),
            deps: None,
            watch_ignores: Vec::new(),
            allow_parallel: false,
            links: Vec::new(),
            readiness_probe: None,
        })),
        name,
        images: Vec::new(),
        trigger_mode: TriggerMode::Auto,
        resource_deps: Vec::new(),
        labels: BTreeSet::new(),
    }
}

fn resource(name: &str, depends_on: &[&str]) -> Arc<ResourceView> {
    Arc::new(ResourceView {
        name: ManifestName::from(name),
        labels: BTreeSet::new(),
        definition: Definition(Arc::new(definition(name))),
        images: Vec::new(),
        applied: Vec::new(),
        depends_on: depends_on.iter().map(|name| ManifestName::from(*name)).collect(),
        targets: vec![format!("k8s:{name}")],
        enabled: true,
        switched: Timestamp::from_secs(1),
        update_status: UpdateStatus::Ok,
        runtime_status: RuntimeStatus::Ok,
        trigger_mode: TriggerMode::Auto,
        queued: false,
        has_pending_changes: false,
        hold: None,
        circle: None,
        led_by: BTreeSet::new(),
        stuck: None,
        building: Some(build(None)),
        history: vec![build(Some("no luck"))],
        pod: None,
        objects: vec!["web:deployment".to_owned()],
        pods: vec![pod()],
        culprit: None,
        unwell: Some("0 of 1 pods are ready".to_owned()),
        no_pod: None,
        service: None,
        server: Some(ServerView {
            span: SpanId::from("localserve:1"),
            number: 1,
            command: Command::default(),
            status: None,
            began: Timestamp::from_secs(1),
            ended: None,
            pid: Some(7),
            ready: true,
            fault: None,
        }),
        links: Vec::new(),
        forwards: vec![ForwardView {
            url: "http://localhost:1/".to_owned(),
            name: String::new(),
            pod: None,
            container_port: 1,
            is_healthy: false,
            error: Some("no pod".to_owned()),
        }],
        going_on: vec![update()],
        ended: Arc::default(),
        waiting: Some(Waits::of_a_test(WaitReason::WaitingForDep, "db")),
        place: None,
        first_started: Some(Timestamp::from_secs(1)),
        first_ready: None,
        ever_ready: false,
        making: Making::default(),
    })
}

fn view() -> View {
    View {
        resources: [resource("db", &[]), resource("web", &["db"])]
            .into_iter()
            .collect(),
        ..View::default()
    }
}

#[test]
fn the_details_of_a_resource_are_what_the_table_says() {
    let found = detail(&view(), &ManifestName::from("db")).expect("there is one");
    check_whole(&found, "page.Detail");
    assert_eq!(found["dependents"], serde_json::json!(["web"]));
    assert!(detail(&view(), &ManifestName::from("nobody")).is_none());
}

#[test]
fn what_an_update_waits_for_is_told_as_the_objects_that_tilt_names() {
    let rows = [
        ("waiting-for-dep", "db", serde_json::json!(["UIResource", "db"])),
        (
            "waiting-for-cluster",
            "default",
            serde_json::json!(["Cluster", "default"]),
        ),
        (
            "building-component",
            "image:shop",
            serde_json::json!(["ImageMap", "shop"]),
        ),
        ("building-component", "k8s:shop", serde_json::json!([null, null])),
        (
            "waiting-for-deletion",
            "Pod/web",
            serde_json::json!([null, "Pod/web"]),
        ),
    ];
    for (reason, on, told) in rows {
        let mut row = ResourceView::clone(&resource("web", &[]));
        let on = vec![on.to_owned()];
        row.hold = Some(HoldView { reason, on });
        let first = &ui_resource(1, &row)["status"]["waiting"]["on"][0];
        assert_eq!(
            serde_json::json!([first["kind"], first["name"]]),
            told,
            "{reason}"
        );
    }
}

#[test]
fn the_history_of_a_resource_is_what_the_table_says() {
    let found = history_of(&view(), &ManifestName::from("db")).expect("there is one");
    check_whole(&serde_json::to_value(found).expect("it is JSON"), "page.History");
}

#[test]
fn a_snapshot_is_what_the_table_says() {
    let segment = Arc::new(Segment {
        position: 0,
        pieces: 0,
        time: Timestamp::from_secs(1),
        span: Some(SpanId::from("build:1")),
        manifest: Some(ManifestName::from("web")),
        level: Level::Error,
        text: "no luck\n".to_owned(),
        continues: false,
        anchor: true,
        starts_update: true,
        progress: Some(Progress {
            id: "layer".to_owned(),
            must_print: true,
        }),
    });
    let facts = SnapshotFacts {
        created: Timestamp::from_secs(3),
        tiltfile: LocalPath::new("/src/Tiltfile"),
    };
    check_whole(&snapshot(&view(), &[segment], &facts), "page.Snapshot");
}
