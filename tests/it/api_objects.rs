//! The module `v1alpha1`: which objects a Tiltfile registers, and what is wrong with those that are refused.

use serde_json::{Value, json};

use tilt::tiltfile::MemoryHost;

use crate::support::{errors, load, load_with, printed, request};

/// Returns the objects of a kind that a Tiltfile registers, as its result shows them.
#[track_caller]
fn objects(tiltfile: &str, plural: &str) -> Value {
    let files = format!("--- Tiltfile\nk8s_yaml('x.yaml')\n{tiltfile}\n--- x.yaml\n{NOTHING}");
    let mut request = request();
    // A look at what is registered runs nothing.
    request.subcommand = "alpha tiltfile-result";
    let (load, _) = load_with(&request, &MemoryHost::new(&files));
    assert_eq!(load.error_text(), None);
    let result: Value = serde_json::from_str(&load.result_json()).expect("JSON");
    result["ObjectSet"][format!("tilt.dev/v1alpha1, Resource={plural}")].clone()
}

const NOTHING: &str = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\n";

#[test]
fn an_object_shows_what_was_given_and_what_it_always_has() {
    let rows = [
        (
            "cmds",
            "v1alpha1.cmd('c', {'l': '1'}, args=['make', blob('all')], start_on={'ui_buttons': ['b']})",
            json!({"c": {
                "metadata": {"name": "c", "labels": {"l": "1"}},
                "spec": {"args": ["make", "all"], "dir": "/src", "startOn": {"startAfter": null, "uiButtons": ["b"]}},
                "status": {},
            }}),
        ),
        (
            "configmaps",
            "v1alpha1.config_map('c', data={'k': 'v'}, annotations={'a': 'b'})",
            json!({"c": {"metadata": {"name": "c", "annotations": {"a": "b"}}, "data": {"k": "v"}}}),
        ),
        (
            "extensions",
            "v1alpha1.extension(name='e', args=['--x'])",
            json!({"e": {
                "metadata": {"name": "e"},
                "spec": {"repoName": "", "repoPath": "", "args": ["--x"]},
                "status": {},
            }}),
        ),
        (
            "extensionrepos",
            "v1alpha1.extension_repo(name='r', url='https://h/r', ref='v1', load_host='h', git_subpath='ext')",
            json!({"r": {
                "metadata": {"name": "r"},
                "spec": {"url": "https://h/r", "ref": "v1", "loadHost": "h", "gitSubpath": "ext"},
                "status": {"lastFetchedAt": null},
            }}),
        ),
        (
            "filewatches",
            "v1alpha1.file_watch('w', watched_paths=('a', '/b/../c'), disable_source=v1alpha1.disable_source(\
             every_config_map=[v1alpha1.config_map_disable_source('m', 'k'), {'name': 'n'}]))",
            json!({"w": {
                "metadata": {"name": "w"},
                "spec": {
                    "watchedPaths": ["/src/a", "/c"],
                    "disableSource": {"everyConfigMap": [{"name": "m", "key": "k"}, {"name": "n", "key": ""}]},
                },
                "status": {"monitorStartTime": null, "lastEventTime": null},
            }}),
        ),
        (
            "kubernetesdiscoveries",
            "v1alpha1.kubernetes_discovery('d', extra_selectors=[v1alpha1.label_selector({'a': 'b'})])",
            json!({"d": {
                "metadata": {"name": "d"},
                "spec": {"watches": null, "extraSelectors": [{"matchLabels": {"a": "b"}}], "cluster": ""},
                "status": {"monitorStartTime": null, "pods": null},
            }}),
        ),
    ];
    for (plural, tiltfile, expected) in rows {
        assert_eq!(objects(tiltfile, plural), expected, "{tiltfile}");
    }
}

#[test]
fn a_probe_takes_its_action_as_handler_or_at_the_top() {
    let expected = json!({"exec": {"command": ["true"]}, "periodSeconds": 2});
    for probe in [
        "v1alpha1.probe(handler=v1alpha1.handler(exec=v1alpha1.exec_action(['true'])), period_seconds=2)",
        "{'exec': v1alpha1.exec_action(command=['true']), 'period_seconds': 2}",
        "{'handler': {'exec': {'command': ['true']}}, 'period_seconds': 2}",
    ] {
        let cmds = objects(&format!("v1alpha1.cmd('c', readiness_probe={probe})"), "cmds");
        assert_eq!(cmds["c"]["spec"]["readinessProbe"], expected, "{probe}");
    }
}

#[test]
fn times_are_kept_as_they_are_written() {
    let start = objects(
        "v1alpha1.cmd('c', start_on=v1alpha1.start_on_spec(start_after='2026-01-31T12:00:00Z'))",
        "cmds",
    );
    assert_eq!(
        start["c"]["spec"]["startOn"]["startAfter"],
        "2026-01-31T12:00:00Z"
    );
    let error = errors("--- Tiltfile\nv1alpha1.start_on_spec(start_after='noon')\n");
    assert!(error.contains("\"noon\" is no time"), "{error}");
}

#[test]
fn a_part_is_a_dict_of_what_was_given() {
    assert_eq!(
        printed("--- Tiltfile\np = v1alpha1.forward(80, name='n')\nprint(type(p), p, p['name'])\n"),
        "dict {\"local_port\": 80, \"name\": \"n\"} n\n"
    );
}

#[test]
fn the_same_object_may_be_registered_twice() {
    let cmds = objects(
        "v1alpha1.cmd('c', args=['a'])\nv1alpha1.cmd('c', args=['a'])",
        "cmds",
    );
    assert_eq!(cmds["c"]["spec"]["args"], json!(["a"]));
}

#[test]
fn objects_of_a_load_that_failed_are_known() {
    let load = load("--- Tiltfile\nv1alpha1.config_map('c')\nfail('no')\n");
    assert!(load.objects.get(tilt::model::ApiKind::ConfigMap, "c").is_some());
}

#[test]
fn what_is_wrong_with_an_object_is_said_in_full() {
    let rows = [
        (
            "v1alpha1.cmd('c', args='make')",
            "v1alpha1.cmd: for parameter \"args\": value should be a List or Tuple of strings, but is of type string",
        ),
        (
            "v1alpha1.cmd('c', args=[1])",
            "value should contain only strings, but element \"1\" was of type int",
        ),
        (
            "v1alpha1.cmd(1)",
            "v1alpha1.cmd: for parameter name: got int, want string",
        ),
        (
            "v1alpha1.cmd('c', dir=1)",
            "for parameter \"dir\": expected path | string. Actual type: starlark.Int",
        ),
        (
            "v1alpha1.cmd('c', labels=[])",
            "for parameter \"labels\": expected dict, got *starlark.List",
        ),
        (
            "v1alpha1.cmd('c', start_on=1)",
            "for parameter \"start_on\": expected dict, actual: int",
        ),
        (
            "v1alpha1.cmd('c', start_on={1: 2})",
            "for parameter \"start_on\": key must be string. Got: int",
        ),
        (
            "v1alpha1.cmd('c', arg=['a'])",
            "v1alpha1.cmd: unexpected keyword argument \"arg\" (did you mean args?)",
        ),
        (
            "v1alpha1.cmd('c', args=['a'])\nv1alpha1.cmd('c')",
            "Error in v1alpha1.cmd: cmds \"c\" already registered",
        ),
        (
            "v1alpha1.config_map('c', data={'a': 1})",
            "value is not a string: starlark.Int (1)",
        ),
        (
            "v1alpha1.exec_action('true')",
            "Error in v1alpha1.exec_action: unpacking command: value should be a List",
        ),
        (
            "v1alpha1.forward(local_port='80')",
            "Expected int, got: got string, want int",
        ),
        (
            "v1alpha1.ui_bool_input_spec(default_value=1)",
            "Expected bool, got: int",
        ),
        ("v1alpha1.http_header(name=1)", "Expected string, actual: int"),
        (
            "v1alpha1.ignore_def(base_path=1)",
            "unpacking base_path: expected path | string. Actual type: starlark.Int",
        ),
        (
            "v1alpha1.file_watch('w', ['a'])",
            "for parameter labels: expected dict, got *starlark.List",
        ),
        (
            "v1alpha1.file_watch('w', watched_paths=[])",
            "spec.watchedPaths: Required value: cannot be an empty list",
        ),
        ("v1alpha1.file_watch('w')", "spec.watchedPaths: Required value"),
        (
            "v1alpha1.file_watch('w', watched_paths=[1])",
            "unpacking list item at index 0: expected path | string",
        ),
        (
            "v1alpha1.file_watch('w', watched_paths=['a'], ignores={})",
            "for parameter \"ignores\": expected list, actual: dict",
        ),
        (
            "v1alpha1.file_watch('w', watched_paths=['a'], ignores=[1])",
            "at index 0: expected dict, actual: int",
        ),
        (
            "v1alpha1.file_watch('w', watched_paths=['a'], ignores=[{'pattern': []}])",
            "at index 0: Unexpected attribute name: pattern",
        ),
        (
            "v1alpha1.kubernetes_apply('k')",
            "spec.yaml: Required value: must specify exactly ONE of .spec.yaml or .spec.applyCmd",
        ),
        (
            "v1alpha1.kubernetes_apply('k', yaml='a', apply_cmd={})",
            "must specify exactly ONE of",
        ),
        (
            "v1alpha1.kubernetes_apply('k', yaml=blob('a'))",
            "for parameter \"yaml\": got blob, want string",
        ),
        (
            "v1alpha1.kubernetes_apply('k', yaml='a', timeout='5')",
            "time: missing unit in duration \"5\"",
        ),
        (
            "v1alpha1.kubernetes_apply('k', yaml='a', timeout=5)",
            "for parameter \"timeout\": Expected string. Got: int",
        ),
        (
            "v1alpha1.kubernetes_apply('k', yaml='a', server_side_apply=1)",
            "for parameter \"server_side_apply\": got int, want bool",
        ),
        (
            "v1alpha1.kubernetes_discovery('d')",
            "One or more watches or extraSelectors are required",
        ),
        (
            "v1alpha1.ui_button('b')",
            "[spec.text: Required value: Button text cannot be empty, spec.location.componentID: Required value: Parent component ID is required, spec.location.componentType: Required value: Parent component type is required]",
        ),
        (
            &button("icon_svg='<path>'"),
            "spec.iconSVG: Invalid value: \"<path>\": Invalid <svg> element",
        ),
        (
            &button("inputs=[{'name': 'a', 'text': {}}, {'name': 'a', 'bool': {}}]"),
            "spec.inputs[1].id: Duplicate value: ",
        ),
        (
            &button("inputs=[{'name': 'a'}]"),
            "must specify exactly one input type",
        ),
        (
            &button("inputs=[{'name': 'a', 'text': {}, 'bool': {}}]"),
            "must specify exactly one input type",
        ),
        (
            &button("inputs=[{'name': 'a', 'choice': {}}]"),
            "must specify choices if input type is choice",
        ),
        (
            "v1alpha1.extension_repo('r', url='example.com')",
            "spec.url: Invalid value: \"example.com\": URLs must start with http(s):// or file://",
        ),
        (
            "v1alpha1.extension_repo('r', url='file://r')",
            "file:// URLs must be absolute (e.g., file:///home/user/repo)",
        ),
        (
            "v1alpha1.extension_repo('r', url='file:///r', git_subpath='a')",
            "cannot use git_subpath for file:// URL extension repositories",
        ),
        ("v1alpha1.nothing()", "module has no .nothing field or method"),
    ];
    for (tiltfile, says) in rows {
        let error = errors(&format!("--- Tiltfile\n{tiltfile}\n"));
        assert!(error.contains(says), "{tiltfile}\nsays\n{error}");
    }
}

fn button(more: &str) -> String {
    format!(
        "v1alpha1.ui_button('b', text='t', location={{'component_id': 'nav', 'component_type': 'Global'}}, {more})"
    )
}

#[test]
fn the_nearest_name_and_the_right_form_are_hinted_at() {
    let rows = [
        (
            "v1alpha1.cmd('c', start_on={'ui_button': []})",
            "hint: did you mean \"ui_buttons\"?",
        ),
        (
            "v1alpha1.cmd('c', start_on={'x': []})",
            "hint: v1alpha1.start_on_spec has start_after, ui_buttons",
        ),
        (
            "v1alpha1.extension_repo('r', url='git@github.com:o/r.git')",
            "hint: write it as https://github.com/o/r;",
        ),
    ];
    for (tiltfile, hint) in rows {
        let error = errors(&format!("--- Tiltfile\n{tiltfile}\n"));
        assert!(error.contains(hint), "{tiltfile}\nsays\n{error}");
    }
}
