use super::*;

fn vertex(name: &str, started_ms: i64, completed_ms: Option<i64>) -> Vertex {
    let mut vertex = Vertex {
        digest: format!("sha256:{name}"),
        name: name.to_owned(),
        ..Vertex::default()
    };
    let started = vertex.started.get_or_insert_default();
    (started.seconds, started.nanos) = seconds_and_nanos(started_ms);
    if let Some(ms) = completed_ms {
        let completed = vertex.completed.get_or_insert_default();
        (completed.seconds, completed.nanos) = seconds_and_nanos(ms);
    }
    vertex
}

fn seconds_and_nanos(ms: i64) -> (i64, i32) {
    (ms / 1000, i32::try_from(ms % 1000).expect("small") * 1_000_000)
}

fn log(name: &str, text: &str) -> VertexLog {
    VertexLog {
        vertex: format!("sha256:{name}"),
        msg: text.as_bytes().to_vec(),
        ..VertexLog::default()
    }
}

fn transfer(name: &str, current: i64, total: i64) -> VertexStatus {
    VertexStatus {
        vertex: format!("sha256:{name}"),
        id: "x".to_owned(),
        current,
        total,
        ..VertexStatus::default()
    }
}

fn t0() -> Instant {
    crate::clock::now()
}

fn texts(lines: &[Line]) -> Vec<&str> {
    lines.iter().map(|line| line.text.as_str()).collect()
}

fn state(vertexes: Vec<Vertex>, logs: Vec<VertexLog>, statuses: Vec<VertexStatus>) -> StatusResponse {
    StatusResponse {
        vertexes,
        logs,
        statuses,
        ..StatusResponse::default()
    }
}

/// The states that Docker 20.10 sends for a small build, recorded.
#[test]
fn a_build_prints_its_steps_once_and_their_times_when_long() {
    let mut output = BuildKitOutput::default();
    let now = t0();
    let run = "[3/3] RUN make";
    let waiting = Vertex {
        started: None,
        ..vertex(run, 0, None)
    };
    let mut cached = vertex("[2/3] COPY . .", 20, Some(20));
    cached.cached = true;
    let lines = output.update(
        now,
        &state(
            vec![
                vertex("[internal] load build definition from Dockerfile", 0, Some(20)),
                vertex(
                    "[internal] load metadata for localhost:5000/busybox:1",
                    1,
                    Some(30),
                ),
                vertex("[1/3] FROM localhost:5000/busybox:1", 0, Some(3)),
                vertex("[internal] load build context", 1, None),
                cached,
                waiting,
            ],
            vec![],
            vec![],
        ),
    );
    assert_eq!(
        texts(&lines),
        [
            "[1/3] FROM localhost:5000/busybox:1",
            "[background] read source files",
            "[2/3] COPY . . [cached]"
        ]
    );
    let lines = output.update(
        now,
        &state(
            vec![vertex("[internal] load build context", 1, Some(13))],
            vec![],
            vec![transfer("[internal] load build context", 76, 0)],
        ),
    );
    assert_eq!(texts(&lines), ["[background] read source files 76B [done: 12ms]"]);
    let lines = output.update(
        now,
        &state(vec![vertex(run, 40, None)], vec![log(run, "one\ntw")], vec![]),
    );
    assert_eq!(texts(&lines), [run, "  → one"]);
    let lines = output.update(
        now,
        &state(vec![vertex(run, 40, Some(1_275))], vec![log(run, "o")], vec![]),
    );
    assert_eq!(texts(&lines), ["  → two", "[3/3] RUN make [done: 1.235s]"]);
    assert_eq!(lines[1].progress_id.as_deref(), Some("[3/3]"));
    assert!(lines[1].must_print);
    // The same news again, and then a longer time.
    assert_eq!(
        output.update(now, &state(vec![vertex(run, 40, Some(1_275))], vec![], vec![])),
        []
    );
    let lines = output.update(now, &state(vec![vertex(run, 40, Some(2_040))], vec![], vec![]));
    assert_eq!(texts(&lines), ["[3/3] RUN make [done: 2s]"]);
}

#[test]
fn a_failed_step_is_named_after_its_output() {
    let mut output = BuildKitOutput::default();
    let run = "[2/2] RUN exit 7";
    let mut failed = vertex(run, 0, Some(500));
    failed.error = "executor failed running".to_owned();
    let lines = output.update(t0(), &state(vec![failed], vec![log(run, "broken\n")], vec![]));
    assert_eq!(texts(&lines), [run, "  → broken", "\nERROR IN: [2/2] RUN exit 7"]);
}

#[test]
fn the_step_that_failed_is_not_one_that_was_stopped_for_it() {
    let mut output = BuildKitOutput::default();
    let failed = |name: &str, why: &str| {
        let mut failed = vertex(name, 0, Some(500));
        failed.error = why.to_owned();
        failed
    };
    let stopped = failed(
        "[a 2/2] RUN make",
        "executor failed running [/bin/sh -c make]: exit code: 137: context canceled",
    );
    let own = failed(
        "[b 2/2] RUN echo context canceled; exit 1",
        "executor failed running [/bin/sh -c echo context canceled; exit 1]: exit code: 1",
    );
    output.update(t0(), &state(vec![stopped, own], vec![], vec![]));
    let expected = "[b 2/2] RUN echo context canceled; exit 1";
    assert_eq!(output.failed_step().as_deref(), Some(expected));
}

#[test]
fn a_hidden_step_shows_its_output_only_when_it_fails() {
    let mut output = BuildKitOutput::default();
    let name = "[internal] load metadata for nope";
    let lines = output.update(
        t0(),
        &state(vec![vertex(name, 0, None)], vec![log(name, "why\n")], vec![]),
    );
    assert_eq!(lines, []);
    let mut failed = vertex(name, 0, Some(500));
    failed.error = "not found".to_owned();
    let lines = output.update(t0(), &state(vec![failed], vec![], vec![]));
    assert_eq!(
        texts(&lines),
        ["\nERROR IN: [internal] load metadata for nope", "  → why"]
    );
}

#[test]
fn progress_is_shown_when_the_total_changes_or_now_and_then() {
    let mut output = BuildKitOutput::default();
    let now = t0();
    let from = "[1/1] FROM big";
    output.update(now, &state(vec![vertex(from, 0, None)], vec![], vec![]));
    let mut at = |secs: u64, current, total| {
        let lines = output.update(
            now + Duration::from_secs(secs),
            &state(vec![], vec![], vec![transfer(from, current, total)]),
        );
        lines.into_iter().map(|line| line.text).collect::<Vec<_>>()
    };
    assert_eq!(at(0, 0, 5_000_000), ["[1/1] FROM big 0B / 5MB"]);
    assert_eq!(at(1, 1_000_000, 5_000_000), [""; 0]);
    assert_eq!(at(3, 1_200_000, 5_000_000), ["[1/1] FROM big 1.2MB / 5MB"]);
    assert_eq!(at(6, 1_210_000, 5_000_000), [""; 0], "less than a hundredth");
}
