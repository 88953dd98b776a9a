//! Faults of a load that do not depend on each other are told together; what acts does not run once the load has failed.

use tilt::tiltfile::{MemoryHost, Ran};

use crate::support::{errors, load, load_with, request};

/// Returns the first lines of all faults: the last line of each traceback.
#[track_caller]
fn faults(files: &str) -> Vec<String> {
    let load = load(files);
    assert!(load.manifests.is_none(), "a load with faults has no resources");
    let lines = load.errors.iter().map(|error| {
        let mut lines = error.message.lines();
        let last = lines.find(|line| line.starts_with("Error"));
        last.unwrap_or(&error.message).to_owned()
    });
    lines.collect()
}

#[test]
fn declarations_that_fail_do_not_hide_each_other() {
    let found = faults(
        "--- Tiltfile\nk8s_yaml('a.yaml')\nfor port in [1, 2]:\n    k8s_resource(port)\n\
         docker_build('not a ref', '.')\nv1alpha1.ui_button('b')\nlocal_resource()\n",
    );
    let expected = [
        "Error in k8s_yaml: error reading yaml file: open /src/a.yaml: no such file or directory",
        "Error in k8s_resource: k8s_resource: for parameter workload: Value should be convertible to string",
        "Error in docker_build: Argument 1 (ref): can't parse \"not a ref\"",
        "Error in v1alpha1.ui_button: [spec.text: Required value",
        "Error in local_resource: local_resource: missing argument for name",
    ];
    assert_eq!(found.len(), expected.len(), "{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{found}");
    }
}

#[test]
fn the_fault_that_ends_the_load_comes_last() {
    let found = faults("--- Tiltfile\nk8s_yaml('a.yaml')\nx = [][1]\nk8s_yaml('b.yaml')\n");
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found[1].contains("out of range"), "{found:#?}");
}

#[test]
fn the_way_to_each_fault_is_shown() {
    let error = errors(
        "--- Tiltfile\nload('lib/Tiltfile', 'x')\ninclude('other/Tiltfile')\n--- lib/Tiltfile\nx = 1\ndef f():\n    \
         k8s_yaml('a.yaml')\nf()\n--- other/Tiltfile\nk8s_yaml('b.yaml')\n",
    );
    let first = "Traceback (most recent call last):\n  /src/Tiltfile:1:1: in <toplevel>\n  /src/lib/Tiltfile:4:2: in \
                 <toplevel>\n  /src/lib/Tiltfile:3:13: in f\nError in k8s_yaml: error reading yaml file: open \
                 /src/lib/a.yaml";
    let second = "Traceback (most recent call last):\n  /src/Tiltfile:2:8: in <toplevel>\n  <builtin>: in include\n  \
                  /src/other/Tiltfile:1:9: in <toplevel>\nError in k8s_yaml: error reading yaml file: open \
                  /src/other/b.yaml";
    assert!(error.contains(first) && error.contains(second), "{error}");
}

#[test]
fn nothing_runs_once_a_load_has_failed() {
    let tiltfile = "k8s_yaml('a.yaml')\nk8s_yaml('b.yaml')\nlocal('touch x')\nk8s_yaml('c.yaml')\n";
    let host = MemoryHost::default()
        .with_file("/src/Tiltfile", tiltfile)
        .with_command("touch x", Ran::default());
    let (load, _) = load_with(&request(), &host);
    assert_eq!(host.ran(), [""; 0]);
    assert_eq!(load.errors.len(), 2, "those before it: {:#?}", load.errors);
    let fetch = faults("--- Tiltfile\nk8s_yaml('a.yaml')\nload('ext://a', 'x')\n");
    assert_eq!(fetch.len(), 1, "{fetch:#?}");
}

#[test]
fn a_fault_that_a_loop_repeats_is_told_once_and_many_are_cut_off() {
    assert_eq!(
        faults("--- Tiltfile\nfor i in range(9):\n    k8s_yaml('a.yaml')\n").len(),
        1
    );
    let many = faults("--- Tiltfile\nfor i in range(99):\n    k8s_yaml('%d.yaml' % i)\n");
    assert_eq!(many.len(), 21);
}

#[test]
fn guards_end_the_load_at_once() {
    let found = faults("--- Tiltfile\nif not os.getenv('X'):\n    fail('set X')\nk8s_yaml('a.yaml')\n");
    assert_eq!(found, ["Error in fail: set X"]);
}

#[test]
fn every_undefined_name_is_told_once_in_the_order_written() {
    let found = faults(
        "--- Tiltfile\nload('lib/Tiltfile', 'x')\ndef f(y):\n    return x + y + first(1)\nprint(second)\nwhile third:\n    \
         first(2)\nk8s_yml('a')\n--- lib/Tiltfile\nx = 1\n",
    );
    assert_eq!(
        found,
        [
            "/src/Tiltfile:3:20: undefined: first",
            "/src/Tiltfile:4:7: undefined: second",
            "/src/Tiltfile:5:7: undefined: third",
            "/src/Tiltfile:7:1: undefined: k8s_yml",
        ]
    );
}

#[test]
fn a_file_that_is_loaded_tells_all_its_undefined_names() {
    let found = faults("--- Tiltfile\nload('lib/Tiltfile', 'x')\n--- lib/Tiltfile\nx = one(two)\n");
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(
        found[0].contains("/src/lib/Tiltfile:1:5: undefined: one"),
        "{found:#?}"
    );
    assert!(
        found[1].contains("/src/lib/Tiltfile:1:9: undefined: two"),
        "{found:#?}"
    );
}

#[test]
fn of_several_faults_of_one_call_that_is_told_which_tilt_finds_first() {
    let rows = [
        // What is converted while arguments are bound comes first, in the order of the call.
        (
            "docker_build('no ref!', '.', target=3)",
            "for parameter \"target\": got int, want string",
        ),
        (
            "docker_build('x', '.', pull='y', foo=1)",
            "for parameter \"pull\": got string, want bool",
        ),
        (
            "docker_build('x', '.', foo=1, pull='y')",
            "unexpected keyword argument \"foo\"",
        ),
        (
            "docker_build('x', target=3)",
            "for parameter \"target\": got int, want string",
        ),
        ("docker_build(3, 4)", "for parameter ref: got int, want string"),
        (
            "docker_build('x', '.', ssh=3, build_args=4)",
            "for parameter \"ssh\":",
        ),
        (
            "docker_build('x', '.', build_args=4, ssh=3)",
            "for parameter \"build_args\":",
        ),
        (
            "docker_build('x', '.', container_args=None, dockerfile='none')",
            "got NoneType, want starlark.Sequence",
        ),
        // Then the built-in looks at what it got.
        (
            "docker_build('no ref!', '.', ignore=3)",
            "Argument 1 (ref): can't parse",
        ),
        (
            "docker_build('x', '.', ignore=3, dockerfile='none')",
            "error reading dockerfile",
        ),
        (
            "docker_build('x', '.', only=3, live_update=3, dockerfile_contents='')",
            "live_update",
        ),
        (
            "docker_build('x', '.', only=3, ignore=4, dockerfile_contents='')",
            "ignore must be a string",
        ),
        (
            "docker_build('x', '.', entrypoint=3, only=['*'], dockerfile_contents='')",
            "'only' does not support",
        ),
        (
            "docker_build('x', '.', extra_tag='!', entrypoint=3, dockerfile_contents='')",
            "a command must be a string",
        ),
        (
            "custom_build('x', '', ['.'], ignore=3)",
            "ignore must be a string",
        ),
        (
            "custom_build('x', '', ['.'], tag='a', outputs_image_ref_to='b')",
            "can't be empty",
        ),
        ("custom_build('x', '', ['.'], tag=3)", "for parameter \"tag\""),
        (
            "local_resource('a', resource_deps=[3], auto_init=3)",
            "for parameter \"auto_init\"",
        ),
        (
            "local_resource('a/b', 3, labels=3)",
            "for parameter name: invalid value",
        ),
        ("k8s_resource(objects=3, labels=4)", "for parameter \"objects\""),
        ("k8s_resource(labels=4, objects=3)", "for parameter \"labels\""),
    ];
    for (call, expected) in rows {
        let found = faults(&format!("--- Tiltfile\n{call}\n"));
        assert!(found[0].contains(expected), "{call}: {found:#?}");
    }
}
