//! `local_resource`, `test`, `trigger_mode` and probes: what they refuse, and what they declare.

use tilt::model::{DeployTarget, LocalTarget, Manifest, TriggerMode};

use crate::support::{deployment, errors, load, printed, warnings};

#[test]
fn arguments_that_do_not_fit_are_named() {
    let rows = [
        ("local_resource()", "local_resource: missing argument for name"),
        (
            "local_resource('a/b', 'x')",
            "invalid value \"a/b\": may not contain '/'",
        ),
        ("local_resource('..', 'x')", "may not be '..'"),
        (
            "local_resource('a', None)",
            "a command must be a string or list of strings. found starlark.NoneType",
        ),
        (
            "local_resource('a', ['x', 1])",
            "a command must be a string or a list of strings: '1' is a starlark.Int",
        ),
        (
            "local_resource('a')",
            "local_resource must have a cmd and/or a serve_cmd, but both were empty",
        ),
        (
            "local_resource('a', '', serve_cmd=[])",
            "must have a cmd and/or a serve_cmd, but both were empty",
        ),
        (
            "local_resource('a', 'x', deps=1)",
            "value should be a string or List or Tuple of strings",
        ),
        (
            "local_resource('a', 'x', deps=['b', 1])",
            "unpacking list item at index 1: expected path | string",
        ),
        (
            "local_resource('a', 'x', trigger_mode=1)",
            "got int, want TriggerMode",
        ),
        (
            "local_resource('a', 'x', trigger_mode=None)",
            "got NoneType, want TriggerMode",
        ),
        (
            "local_resource('a', 'x', resource_deps='b')",
            "got string, want starlark.Sequence",
        ),
        (
            "local_resource('a', 'x', resource_deps=[1])",
            "resource_deps: '1' is a starlark.Int, not a string",
        ),
        (
            "local_resource('a', 'x', ignore=[1])",
            "ignore must be a string or a sequence of strings; found a starlark.Int",
        ),
        ("local_resource('a', 'x', auto_init=1)", "got int, want bool"),
        (
            "local_resource('a', 'x', allow_parallel=None)",
            "got NoneType, want bool",
        ),
        (
            "local_resource('a', 'x', links=[1])",
            "Want a string, a link, or a sequence of these; found 1",
        ),
        (
            "local_resource('a', 'x', labels=[1])",
            "Value should be convertible to string, but is type int",
        ),
        (
            "local_resource('a', 'x', env=['K=v'])",
            "expected dict, got *starlark.List",
        ),
        (
            "local_resource('a', 'x', env={'': 'v'})",
            "environment has empty key for value \"v\"",
        ),
        (
            "local_resource('a', serve_cmd='x', serve_env={'K': 1})",
            "value is not a string: starlark.Int (1)",
        ),
        (
            "local_resource('a', serve_cmd='x', readiness_probe='p')",
            "got starlark.String, want Probe",
        ),
        (
            "local_resource('a', 'x', dir=1)",
            "a command directory must be empty or a string",
        ),
        (
            "local_resource('a', serve_cmd='x', dir='d')",
            "local_resource: 'dir' only affects 'cmd', not 'serve_cmd'. Did you mean to use 'serve_dir' instead?",
        ),
        (
            "local_resource('a', serve_cmd='x', dir=None)",
            "local_resource: 'dir' only affects 'cmd', not 'serve_cmd'. Did you mean to use 'serve_dir' instead?",
        ),
        (
            "local_resource('a', serve_cmd='x', dir='d', serve_dir='e')",
            "local_resource: 'dir' only affects 'cmd', not 'serve_cmd'. Did you mean to use 'serve_dir' instead?",
        ),
        (
            "local_resource('a', 'x', serve_dir='d')",
            "local_resource: 'serve_dir' specified but 'serve_cmd' is empty",
        ),
        (
            "local_resource('a', 'x')\nlocal_resource('a', 'y')",
            "local_resource named \"a\" already exists",
        ),
        ("trigger_mode(1)", "got int, want TriggerMode"),
        (
            "trigger_mode(TRIGGER_MODE_AUTO)\ntrigger_mode(TRIGGER_MODE_AUTO)",
            "trigger_mode can only be called once. It was already called at /src/Tiltfile:1:13",
        ),
        (
            "probe()",
            "exactly one of exec, http_get, or tcp_socket must be specified",
        ),
        (
            "probe(exec=exec_action(['x']), tcp_socket=tcp_socket_action(1))",
            "exactly one of exec, http_get, or tcp_socket must be specified",
        ),
        (
            "probe('1', exec=exec_action(['x']))",
            "for parameter initial_delay_secs: got string, want int",
        ),
        ("probe(4294967296, exec=exec_action(['x']))", "out of range"),
        (
            "probe(http_get=tcp_socket_action(80))",
            "got probe.TCPSocketAction, want HTTPGetAction",
        ),
        ("probe(exec='x')", "got starlark.String, want ExecAction"),
        ("exec_action('x')", "'\"x\"' is a starlark.String, not a sequence"),
        ("exec_action([1])", "'1' is a starlark.Int, not a string"),
        ("http_get_action('80')", "got string, want int"),
        ("tcp_socket_action(80, host=1)", "got int, want string"),
    ];
    for (tiltfile, message) in rows {
        let text = errors(&format!("--- Tiltfile\n{tiltfile}\n"));
        assert!(text.contains(message), "{tiltfile}: {text}");
        assert!(text.contains("\n  | "), "a place is shown for {tiltfile}: {text}");
    }
}

#[test]
fn workloads_and_local_resources_share_their_names() {
    for (tiltfile, message) in [
        (
            "local_resource('web', 'x')\nk8s_yaml('app.yaml')",
            "local_resource named \"web\" already exists",
        ),
        (
            "local_resource('ui', 'x')\nk8s_yaml('app.yaml')\nk8s_resource('web', new_name='ui')",
            "to rename \"web\" to \"ui\": local_resource named \"ui\" already exists",
        ),
    ] {
        let text = errors(&format!(
            "--- Tiltfile\n{tiltfile}\n--- app.yaml\n{}",
            deployment("web", "web")
        ));
        assert!(text.contains(message), "{text}");
    }
}

#[test]
fn what_waits_for_itself_or_in_a_circle_is_an_error() {
    for (tiltfile, message) in [
        (
            "local_resource('a', 'x', resource_deps=['a'])",
            "resource a specified a dependency on itself",
        ),
        (
            "local_resource('a', 'x', resource_deps=['b'])\nlocal_resource('b', 'x', resource_deps=['a'])",
            "cycle detected in resource dependency graph: a -> b -> a",
        ),
    ] {
        let text = errors(&format!("--- Tiltfile\n{tiltfile}\n"));
        assert!(text.contains(message), "{text}");
    }
    let text =
        warnings("--- Tiltfile\nlocal_resource('a', 'x', resource_deps=['bb'])\nlocal_resource('b', 'x')\n");
    assert!(
        text.contains("resource a specified a dependency on unknown resource bb - dependency ignored"),
        "{text}"
    );
}

#[test]
fn what_is_not_as_meant_is_warned_of() {
    for (tiltfile, message) in [
        (
            "local_resource('a', 'x', readiness_probe=probe(tcp_socket=tcp_socket_action(80)))",
            "Ignoring readiness probe for local resource \"a\" (no serve_cmd was defined)",
        ),
        (
            "test('a', 'x')",
            "test() is deprecated and will be removed in a future release.\n\
             Change this call to use `local_resource(..., allow_parallel=True)`",
        ),
    ] {
        let text = warnings(&format!("--- Tiltfile\n{tiltfile}\n"));
        assert!(text.contains(message), "{text}");
    }
}

#[track_caller]
fn declared(tiltfile: &str) -> (Manifest, LocalTarget) {
    let load = load(&format!("--- Tiltfile\n{tiltfile}\n--- nested/.git/HEAD\n"));
    assert_eq!(load.error_text(), None);
    let manifest = load
        .manifests
        .expect("a load without errors has manifests")
        .remove(0);
    match manifest.deploy.clone() {
        DeployTarget::Local(target) => (manifest, *target),
        _ => panic!("{} is no local resource", manifest.name),
    }
}

#[test]
fn each_command_has_its_own_directory_and_environment() {
    let (_, target) = declared(
        "local_resource('a', 'x', serve_cmd=['y'], dir='nested', env={'B': '2', 'A': '1'}, serve_env={'C': '3'})",
    );
    let update = target.update_cmd.unwrap();
    assert_eq!(update.dir.unwrap().to_string(), "/src/nested");
    assert_eq!(update.env, ["A=1", "B=2"]);
    assert_eq!(target.serve_cmd.dir.unwrap().to_string(), "/src");
    assert_eq!(target.serve_cmd.env, ["C=3"]);
}

#[test]
fn commands_for_windows_are_not_run_here() {
    let (_, target) = declared(
        "local_resource('a', cmd='x', cmd_bat='never', serve_cmd=['y', 'z'], serve_cmd_bat='never')",
    );
    assert_eq!(target.update_cmd.unwrap().argv, ["sh", "-c", "x"]);
    assert_eq!(target.serve_cmd.argv, ["y", "z"]);
}

#[test]
fn what_has_no_command_to_wait_for_and_tests_run_beside_others() {
    for (tiltfile, expected) in [
        ("local_resource('a', 'x')", false),
        ("local_resource('a', 'x', allow_parallel=True)", true),
        ("local_resource('a', serve_cmd='x')", true),
        ("test('a', 'x')", true),
        ("test('a', 'x', allow_parallel=False)", false),
    ] {
        assert_eq!(declared(tiltfile).1.allow_parallel, expected, "{tiltfile}");
    }
}

#[test]
fn repositories_and_patterns_are_left_out_of_the_watch() {
    let (_, target) = declared("local_resource('a', 'x', deps=['nested', 'nested', 'b'], ignore=['*.o'])");
    let shown: Vec<(String, usize)> = target
        .watch_ignores
        .iter()
        .map(|ignore| (ignore.base.to_string(), ignore.patterns.len()))
        .collect();
    assert_eq!(
        shown,
        [("/src/nested/.git".to_owned(), 0), ("/src".to_owned(), 1)]
    );
    assert_eq!(target.deps.map(|deps| deps.len()), Some(3), "duplicates are kept");
}

#[test]
fn the_mode_is_that_of_the_call_or_that_of_the_tiltfile() {
    for (arguments, expected) in [
        ("", TriggerMode::ManualWithAutoInit),
        (", auto_init=False", TriggerMode::Manual),
        (", trigger_mode=TRIGGER_MODE_AUTO", TriggerMode::Auto),
        (
            ", trigger_mode=TRIGGER_MODE_AUTO, auto_init=False",
            TriggerMode::AutoWithManualInit,
        ),
    ] {
        let tiltfile = format!("local_resource('a', 'x'{arguments})\ntrigger_mode(TRIGGER_MODE_MANUAL)");
        assert_eq!(declared(&tiltfile).0.trigger_mode, expected, "{arguments}");
    }
}

#[test]
fn a_probe_and_its_action_can_be_looked_at() {
    let out = printed(
        "--- Tiltfile\np = probe(period_secs=5, http_get=http_get_action(80, scheme='https', path='/x'))\n\
         print(type(p), p.period_secs, p.exec, type(p.http_get), p.http_get.port, p.http_get.scheme, p.http_get.host)\n\
         print(exec_action(['a', 'b']).command, tcp_socket_action(1, 'h').host, dir(p.http_get))\n",
    );
    assert_eq!(
        out,
        "Probe 5 None HTTPGetAction 80 HTTPS \n[\"a\", \"b\"] h [\"host\", \"path\", \"port\", \"scheme\"]\n"
    );
}

#[test]
fn trigger_modes_are_shown_by_their_names() {
    let out =
        printed("--- Tiltfile\nprint(TRIGGER_MODE_AUTO, TRIGGER_MODE_MANUAL, type(TRIGGER_MODE_AUTO))\n");
    assert_eq!(out, "TRIGGER_MODE_AUTO TRIGGER_MODE_MANUAL TriggerMode\n");
}
