//! Settings of a session, settings of a project, and which resources run.

use serde_json::Value;
use tilt::tiltfile::{Load, MemoryHost};

use crate::support::{check_errors, load_with, request};

fn load(code: &str, args: &[&str]) -> (Load, String) {
    let mut request = request();
    request.subcommand = "down";
    request.args = args.iter().map(|arg| (*arg).to_owned()).collect();
    load_with(&request, &MemoryHost::new(&format!("--- Tiltfile\n{code}\n")))
}

/// Returns a field of the result.
#[track_caller]
fn field(code: &str, name: &str) -> String {
    let (load, _) = load(code, &[]);
    assert_eq!(load.error_text(), None);
    let mut result: Value = serde_json::from_str(&load.result_json()).expect("the result is JSON");
    result[name].take().to_string()
}

#[test]
fn settings_are_in_the_result_and_calls_add_up() {
    for (code, name, expected) in [
        (
            "ci_settings(timeout='1h')\nci_settings(k8s_grace_period='10s', readiness_timeout='0')",
            "CISettings",
            r#"{"k8sGracePeriod":"10s","timeout":"1h0m0s","readinessTimeout":"0s"}"#,
        ),
        (
            "docker_prune_settings(max_age_mins=90, interval_hrs=2, keep_recent=0)",
            "DockerPruneSettings",
            r#"{"Enabled":true,"MaxAge":5400000000000,"NumBuilds":0,"Interval":7200000000000,"KeepRecent":0}"#,
        ),
        (
            "docker_prune_settings(True, num_builds=3)",
            "DockerPruneSettings",
            r#"{"Enabled":false,"MaxAge":21600000000000,"NumBuilds":3,"Interval":3600000000000,"KeepRecent":2}"#,
        ),
        ("analytics_settings(True)", "AnalyticsOpt", "2"),
        ("analytics_settings(False)", "AnalyticsOpt", "1"),
        ("set_team('t')", "TeamID", "\"t\""),
        (
            "version_settings(check_updates=False)\nversion_settings(constraint='>=0.37.0 <1.0.0')",
            "VersionSettings",
            r#"{"CheckUpdates":false}"#,
        ),
        (
            "watch_settings('a')\nwatch_settings(ignore=['b', 'c'])\nwatch_settings()",
            "WatchSettings",
            r#"{"Ignores":[{"LocalPath":"/src","Source":"watch_settings()","Patterns":["a"]},{"LocalPath":"/src","Source":"watch_settings()","Patterns":["b","c"]}]}"#,
        ),
        (
            "update_settings(suppress_unused_image_warnings='a', k8s_server_side_apply='auto')\n\
             update_settings(suppress_unused_image_warnings=['b'])",
            "UpdateSettings",
            r#"{"SuppressUnusedImageWarnings":["a","b"]}"#,
        ),
        (
            "experimental_telemetry_cmd(['a', 'b'], period='1m', dir='d')\nexperimental_analytics_report({'a': 'b'})",
            "TelemetrySettings",
            r#"{"Cmd":{"Argv":["a","b"],"Dir":"/src/d","Env":null,"EchoOff":false},"Workdir":"/src","Period":60000000000}"#,
        ),
        (
            "secret_settings(disable_scrub=True)\n\
             k8s_yaml(blob('{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: hidden}}'))",
            "Secrets",
            "{}",
        ),
    ] {
        assert_eq!(field(code, name), expected, "{code}");
    }
    let features = field(
        "disable_snapshots()\nenable_feature('cluster_refresh')",
        "FeatureFlags",
    );
    assert!(features.contains("\"cluster_refresh\":true") && features.contains("\"snapshots\":false"));
}

#[test]
fn settings_for_updates_reach_the_engine() {
    let code = "update_settings(max_parallel_updates=7)\nupdate_settings(k8s_upsert_timeout_secs=9, \
                max_parallel_updates=None)\nci_settings(fail_fast=True)\nci_settings(timeout='0')";
    let (load, _) = load(code, &[]);
    assert_eq!(load.update_settings.max_parallel_updates, 7);
    assert_eq!(load.update_settings.k8s_upsert_timeout.as_secs(), 9);
    assert_eq!(load.ci_settings.timeout, None);
    assert!(load.ci_settings.fail_fast, "calls add up");
}

#[test]
fn settings_hold_also_when_the_load_fails() {
    let code = "watch_settings('a')\nset_team('t')\nenable_feature('cluster_refresh')\n\
                k8s_yaml(blob('{apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: hidden}}'))\nfail('x')";
    let (load, _) = load(code, &[]);
    assert_eq!(
        (load.session_settings.team.as_str(), load.watch_ignores.len()),
        ("t", 1)
    );
    assert_eq!(load.session_settings.features.get("cluster_refresh"), Some(&true));
    assert!(load.secrets.contains_key("hidden"));
}

#[test]
fn what_no_longer_changes_anything_is_only_a_warning() {
    for (code, expected) in [
        ("enable_feature('events')", "Obsolete feature flag: events"),
        (
            "disable_feature('update_history')",
            "Obsolete feature flag: update_history",
        ),
        (
            "experimental_metrics_settings(enabled=True)",
            "experimental_metrics_settings() is deprecated",
        ),
        (
            "update_settings(k8s_server_side_apply='false')",
            "objects are always applied by the server",
        ),
    ] {
        let (load, log) = load(code, &[]);
        assert_eq!(load.error_text(), None);
        assert!(log.contains(expected), "{log}");
    }
}

#[test]
fn wrong_settings_are_errors() {
    check_errors(&[
        (
            "update_settings(max_parallel_updates='3')",
            "update_settings: for parameter \"max_parallel_updates\": got starlark.String, want int",
        ),
        (
            "update_settings(max_parallel_updates=0)",
            "max number of parallel updates must be >= 1(got: 0)",
        ),
        (
            "update_settings(k8s_upsert_timeout_secs=-1)",
            "minimum k8s upsert timeout is 1s; got -1s",
        ),
        (
            "update_settings(k8s_server_side_apply='x')",
            "update_settings: k8s_server_side_apply must be \"true\", \"false\", or \"auto\"; got \"x\"",
        ),
        (
            "update_settings(suppress_unused_image_warnings={'a': 1})",
            "value should be a string or List or Tuple of strings, but is of type dict",
        ),
        (
            "docker_prune_settings(num_builds=1, interval_hrs=1)",
            "can't specify both 'prune every X builds' and 'prune every Y hours'; please pass only one of `num_builds` \
             and `interval_hrs`",
        ),
        ("docker_prune_settings(disable=1)", "got int, want bool"),
        ("docker_prune_settings(keep_recent='1')", "got string, want int"),
        ("ci_settings(fail_fast=1)", "got int, want bool"),
        ("ci_settings(timeout=30)", "Expected string. Got: int"),
        (
            "ci_settings(timeout='30')",
            "time: missing unit in duration \"30\"",
        ),
        ("set_team('')", "team_id cannot be empty"),
        (
            "set_team('a')\nset_team('b')",
            "team_id set multiple times (to 'a' and 'b')",
        ),
        (
            "secret_settings()",
            "secret_settings: missing argument for disable_scrub",
        ),
        ("analytics_settings('x')", "got string, want bool"),
        (
            "version_settings(constraint='>=99.0.0')",
            "you are running Tilt version 0.37.6, which doesn't match the version constraint specified in your Tiltfile: \
             '>=99.0.0'",
        ),
        (
            "version_settings(constraint='<0.1')",
            "error parsing version constraint: ",
        ),
        ("enable_feature('x')", "Unknown feature flag: x"),
        (
            "disable_feature('snapshot')",
            "Unknown feature flag: snapshot\n  |\n1 | disable_feature('snapshot')\n  |                 ^^^^^^^^^^\n\
             hint: did you mean \"snapshots\"?",
        ),
        ("experimental_telemetry_cmd('')", "cmd cannot be empty"),
        (
            "experimental_telemetry_cmd('a')\nexperimental_telemetry_cmd('b')",
            "experimental_telemetry_cmd called multiple times; already set to a",
        ),
        (
            "experimental_analytics_report([])",
            "expected dict, got *starlark.List",
        ),
        (
            "watch_settings(ignore=[1])",
            "list should contain only strings, but element \"1\" was of type int",
        ),
    ]);
}

#[test]
fn a_setting_comes_from_the_file_or_the_command_line() {
    let code = "config.define_string('town')\nconfig.define_string('river')\nconfig.define_string_list('roads')\n\
                config.define_bool('walls')\nconfig.define_object('mayor')\nconfig.define_string('unset')\n\
                cfg = config.parse()\nprint(cfg, config.parse() == cfg)\n--- tilt_config.json\n\
                {\"town\": \"a\", \"river\": \"b\", \"roads\": [\"c\"], \"mayor\": {\"n\": 1}}";
    let (load, log) = load(code, &["--town", "x", "--roads=y", "--roads=z", "--walls"]);
    assert_eq!(load.error_text(), None);
    assert_eq!(
        log,
        "{\"town\": \"x\", \"river\": \"b\", \"roads\": [\"y\", \"z\"], \"walls\": True, \"mayor\": {\"n\": 1.0}} True\n"
    );
}

#[test]
fn settings_that_are_wrongly_defined_are_errors() {
    check_errors(&[
        ("config.define_string('')", "'name' is required"),
        ("config.define_string()", "missing argument for name"),
        (
            "config.define_string('a')\nconfig.define_bool('a')",
            "a defined multiple times",
        ),
        (
            "config.define_string('a', args=True)\nconfig.define_string_list('b', args=True)",
            "both b and a are defined as positional args",
        ),
        (
            "config.parse()\nconfig.define_object('a')",
            "config.define_object cannot be called after config.parse is called",
        ),
        (
            "config.parse()\ninclude('sub/x')\n--- sub/x\nconfig.parse()",
            "config.parse can only be called from one Tiltfile working directory per run. It was called from /src and \
             /src/sub",
        ),
        (
            "config.parse()\n--- tilt_config.json\n{\"a\": 1}",
            "/src/tilt_config.json specified unknown setting name 'a'\n --> /src/tilt_config.json:1:2",
        ),
        (
            "config.parse()\n--- tilt_config.json\n{",
            "error parsing json from /src/tilt_config.json: ",
        ),
        (
            "config.set_enabled_resources('a')",
            "got string, want starlark.Sequence",
        ),
    ]);
    let (failed, _) = load("config.parse()", &["a"]);
    let text = failed.error_text().expect("positional arguments need a setting");
    assert!(text.contains("See https://docs.tilt.dev/tiltfile_config.html#positional-arguments"));
    let (parsed, _) = load("include('sub/x')\n--- sub/x\nconfig.parse()", &[]);
    assert_eq!(parsed.error_text(), None);
}

#[test]
fn the_tiltfile_or_the_arguments_choose_what_runs() {
    const RESOURCES: &str = "local_resource('a', 'true')\nlocal_resource('b', 'true', resource_deps=['a'])\n\
                             local_resource('c', 'true')\n";
    let enabled = |code: &str, args: &[&str]| {
        let (load, _) = load(&format!("{RESOURCES}{code}"), args);
        assert_eq!(load.error_text(), None);
        let names: Vec<&str> = load.enabled.iter().map(|name| name.as_str()).collect();
        names.join(" ")
    };
    for (code, args, expected) in [
        ("", &[][..], "a b c"),
        ("", &["b"], "a b"),
        ("config.set_enabled_resources(['c'])", &["b"], "c"),
        ("config.set_enabled_resources([])", &["b"], "a b"),
        ("config.clear_enabled_resources()", &["b"], ""),
        (
            "config.clear_enabled_resources()\nconfig.set_enabled_resources(('b',))",
            &[],
            "a b",
        ),
        (
            "config.set_enabled_resources(['b'])\nconfig.clear_enabled_resources()",
            &[],
            "",
        ),
        (
            "config.define_string_list('x', args=True)\nconfig.parse()",
            &["b"],
            "a b c",
        ),
    ] {
        assert_eq!(enabled(code, args), expected, "{code} {args:?}");
    }
    let (load, _) = load(
        &format!("{RESOURCES}config.set_enabled_resources(['a', 'd'])"),
        &[],
    );
    let text = load.error_text().expect("d is unknown");
    assert!(
        text.starts_with(
            "You specified some resources that could not be found: \"d\"\nIs this a typo? Existing resources in Tiltfile: \
             \"b\", \"c\""
        ),
        "{text}"
    );
}
