//! The forms of a report, of a run in which one resource failed and another was never ready.

use super::*;
use crate::history::{Cause, Facts, Outcome, Result, Stage, UpdateKind};

fn at(millis: i64) -> Timestamp {
    Timestamp(1_700_000_000_000_000 + millis * 1_000)
}

fn stage(kind: StageKind, name: &str, from: i64, until: i64) -> Stage {
    Stage {
        kind,
        name: name.to_owned(),
        from: at(from),
        until: Some(at(until)),
        facts: Facts::default(),
        parts: Vec::new(),
    }
}

fn resource(name: &str, result: ResourceResult, reason: &str) -> ResourceReport {
    ResourceReport {
        name: name.to_owned(),
        result,
        seconds: Some(1.5),
        reason: reason.to_owned(),
        last_lines: Vec::new(),
        place: None,
        updates: Vec::new(),
    }
}

fn report() -> CiReport {
    let mut images = stage(StageKind::Images, "", 0, 900);
    images.parts.push(stage(StageKind::Build, "shop/web", 0, 800));
    images.parts.push(stage(StageKind::Push, "shop/web", 800, 900));
    let update = UpdateRecord {
        resource: "web".into(),
        number: 1,
        kind: UpdateKind::Full,
        causes: vec![Cause::First],
        wanted: at(0),
        started: at(0),
        ended: Some(at(1_500)),
        waits: Vec::new(),
        stages: vec![
            images,
            stage(StageKind::Apply, "", 900, 1_000),
            stage(StageKind::Rollout, "", 1_000, 1_500),
        ],
        outcome: Outcome {
            result: Result::Failed,
            reason: Some("CrashLoopBackOff".to_owned()),
            message: None,
        },
        logs: Vec::new(),
    };
    let failed = ResourceReport {
        last_lines: vec![
            "\u{1b}[31mpanic\u{1b}[0m: <nil> & \"more\" | ```".to_owned(),
            "exit 1\u{0}".to_owned(),
        ],
        place: Some(SourcePlace {
            file: "/src/web.yaml".to_owned(),
            line: 12,
        }),
        updates: vec![update],
        ..resource(
            "web",
            ResourceResult::Failed,
            "CrashLoopBackOff: it exited with 1",
        )
    };
    CiReport {
        version: 1,
        result: RunResult::Failed,
        message: Some("Pod web-1 in error state".to_owned()),
        started: at(0).to_micro_text(),
        seconds: 2.25,
        tiltfile: "/src/Tiltfile".to_owned(),
        resources: vec![
            resource("(Tiltfile)", ResourceResult::Ok, ""),
            failed,
            resource("db", ResourceResult::Pending, "waiting-for-dep: web"),
            resource("docs", ResourceResult::Skipped, ""),
        ],
    }
}

#[test]
fn junit_has_a_case_for_each_stage_and_the_reason_at_the_one_that_failed() {
    insta::assert_snapshot!(junit(&report()), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="tilt ci" tests="7" failures="1" errors="1" time="2.250">
      <testsuite name="(Tiltfile)" tests="1" failures="0" errors="0" skipped="0" time="1.500" timestamp="2023-11-14T22:13:20" hostname="localhost">
        <testcase name="update" classname="(Tiltfile)" time="1.500"/>
      </testsuite>
      <testsuite name="web" tests="4" failures="1" errors="0" skipped="0" time="1.500" timestamp="2023-11-14T22:13:20" hostname="localhost">
        <testcase name="build shop/web" classname="web" time="0.800"/>
        <testcase name="push shop/web" classname="web" time="0.100"/>
        <testcase name="apply" classname="web" time="0.100"/>
        <testcase name="ready" classname="web" time="0.500">
          <failure message="CrashLoopBackOff: it exited with 1" type="CrashLoopBackOff">panic: &lt;nil&gt; &amp; &quot;more&quot; | ```
    exit 1</failure>
          <system-out>panic: &lt;nil&gt; &amp; &quot;more&quot; | ```
    exit 1</system-out>
        </testcase>
      </testsuite>
      <testsuite name="db" tests="1" failures="0" errors="1" skipped="0" time="1.500" timestamp="2023-11-14T22:13:20" hostname="localhost">
        <testcase name="update" classname="db" time="1.500">
          <error message="waiting-for-dep: web" type="waiting-for-dep"></error>
        </testcase>
      </testsuite>
      <testsuite name="docs" tests="1" failures="0" errors="0" skipped="1" time="0.000" timestamp="2023-11-14T22:13:20" hostname="localhost">
        <testcase name="update" classname="docs" time="0.000">
          <skipped message="it does not start by itself"/>
        </testcase>
      </testsuite>
    </testsuites>
    "#);
}

/// What the schema that Jenkins reads with (junit-10.xsd) says: an element, where it may be, attributes that it must have, and others.
const SCHEMA: [(&str, &str, &str, &str); 7] = [
    ("testsuites", "", "", "name time tests failures errors"),
    (
        "testsuite",
        "testsuites",
        "name tests failures errors",
        "time skipped timestamp hostname",
    ),
    ("testcase", "testsuite", "name", "time classname group"),
    ("failure", "testcase", "", "type message"),
    ("error", "testcase", "", "type message"),
    ("skipped", "testcase", "", "type message"),
    ("system-out", "testcase", "", ""),
];

#[test]
fn junit_is_as_its_schema_says() {
    let why = "context <prod> does not exist";
    let not_begun = not_begun(why, "/src/Tiltfile".to_owned(), at(0), at(20));
    let element = regex::Regex::new(r#"<(/?)([a-z-]+)((?: [a-z]+="[^"<]*")*)(/?)>"#).expect("a pattern");
    let attribute = regex::Regex::new(r#" ([a-z]+)=""#).expect("a pattern");
    for report in [report(), not_begun] {
        let xml = junit(&report);
        let body = xml.split_once('\n').expect("a first line").1;
        let mut open: Vec<String> = Vec::new();
        for found in element.captures_iter(body) {
            if &found[1] == "/" {
                assert_eq!(open.pop().as_deref(), Some(&found[2]), "{xml}");
                continue;
            }
            let known = SCHEMA.iter().find(|(name, ..)| *name == &found[2]);
            let (name, parent, needed, others) = known.unwrap_or_else(|| panic!("{} in {xml}", &found[2]));
            assert_eq!(open.last().map_or("", String::as_str), *parent, "{name} in {xml}");
            let has: Vec<String> = attribute
                .captures_iter(&found[3])
                .map(|one| one[1].to_owned())
                .collect();
            let may = |has: &String| needed.split(' ').chain(others.split(' ')).any(|may| may == has);
            assert!(has.iter().all(may), "{name} has {has:?}");
            let is_there = |needed: &str| has.iter().any(|has| has == needed);
            assert!(needed.split_whitespace().all(is_there), "{name} has only {has:?}");
            if &found[4] != "/" {
                open.push(found[2].to_owned());
            }
        }
        assert!(open.is_empty(), "{open:?} in {xml}");
        // Whatever is no element is escaped.
        let text = element.replace_all(body, "");
        assert!(!text.contains(['<', '>']), "{text}");
    }
}

#[test]
fn markdown_has_a_table_and_the_failures() {
    insta::assert_snapshot!(markdown(&report()), @r#"
    ## tilt ci failed after 2.25s

    ```text
    Pod web-1 in error state
    ```

    | Resource | Result | Time | Reason |
    | --- | --- | ---: | --- |
    | (Tiltfile) | ok | 1.50s |  |
    | web | **failed** | 1.50s | CrashLoopBackOff: it exited with 1 |
    | db | **pending** | 1.50s | waiting-for-dep: web |
    | docs | skipped | 1.50s |  |

    ### web

    `/src/web.yaml:12`

    CrashLoopBackOff: it exited with 1

    ```text
    panic: <nil> & "more" | ```
    exit 1
    ```

    ### db

    waiting-for-dep: web
    "#);
}

#[test]
fn annotations_name_file_and_line() {
    insta::assert_snapshot!(annotations(&report(), "/src"), @r#"
    ::error file=web.yaml,line=12,title=tilt ci%3A web::CrashLoopBackOff: it exited with 1%0Apanic: <nil> & "more" | ```%0Aexit 1
    ::error title=tilt ci%3A db::waiting-for-dep: web
    "#);
}

#[test]
fn a_report_can_be_read_again() {
    let text = serde_json::to_string(&report()).expect("plain values");
    let again: CiReport = serde_json::from_str(&text).expect("what was written");
    assert_eq!(again, report());
}

#[test]
fn a_run_that_could_not_begin_is_no_success_for_any_reader() {
    let why = "context \"prod\" does not exist\nhint: kubectl config get-contexts";
    let report = not_begun(why, "/src/Tiltfile".to_owned(), at(0), at(20));
    insta::assert_snapshot!(junit(&report), @r#"
    <?xml version="1.0" encoding="UTF-8"?>
    <testsuites name="tilt ci" tests="1" failures="0" errors="1" time="0.020">
      <testsuite name="tilt ci" tests="1" failures="0" errors="1" skipped="0" time="0.020" timestamp="2023-11-14T22:13:20" hostname="localhost">
        <testcase name="run" classname="tilt ci" time="0.020">
          <error message="context &quot;prod&quot; does not exist" type="failed">context &quot;prod&quot; does not exist
    hint: kubectl config get-contexts</error>
        </testcase>
      </testsuite>
    </testsuites>
    "#);
    insta::assert_snapshot!(annotations(&report, ""), @r#"::error title=tilt ci::context "prod" does not exist%0Ahint: kubectl config get-contexts"#);
    insta::assert_snapshot!(markdown(&report), @r#"
    ## tilt ci failed after 0.02s

    ```text
    context "prod" does not exist
    hint: kubectl config get-contexts
    ```
    "#);
}
