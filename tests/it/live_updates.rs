//! Steps of live updates: their order, what they refuse, and the checks once all is declared.

use crate::support::{deployment, errors, load, printed};

fn files(tiltfile: &str) -> String {
    format!(
        "--- Tiltfile\n{tiltfile}\nk8s_yaml('app.yaml')\n--- app.yaml\n{}--- Dockerfile\nFROM scratch\n--- src/a\n",
        deployment("web", "web")
    )
}

fn with(steps: &str) -> String {
    files(&format!(
        "docker_build('web', 'src', dockerfile_contents='FROM base', live_update={steps})"
    ))
}

#[test]
fn steps_in_the_wrong_order_and_values_that_are_no_steps_are_refused() {
    let rows = [
        (
            "['quu']",
            "live_update: 'steps' must be a list of live update steps - got value '\"quu\"' of type 'string'",
        ),
        (
            "4",
            "live_update: 'steps' must be a list of live update steps - got value '4' of type 'int'",
        ),
        (
            "[sync('src', '/a'), initial_sync()]",
            "initial_sync must appear at most once, at the start of the list",
        ),
        (
            "[initial_sync(), initial_sync()]",
            "initial_sync must appear at most once, at the start of the list",
        ),
        (
            "[sync('src', '/a'), fall_back_on('src/b')]",
            "fall_back_on steps must appear at the start of the list",
        ),
        (
            "[run('x'), fall_back_on('src/b')]",
            "fall_back_on steps must appear at the start of the list",
        ),
        (
            "[run('x'), sync('src', '/a')]",
            "all sync steps must precede all run steps",
        ),
        (
            "[restart_container(), run('x')]",
            "restart container is only valid as the last step",
        ),
        (
            "[sync('src', '/a'), restart_container(), sync('src', '/b')]",
            "restart container is only valid as the last",
        ),
        (
            "[sync('src', 'a')]",
            "live_update: spec.syncs[0]: Invalid value: \"a\": sync destination is not absolute",
        ),
        (
            "[sync('src', 'a'), sync('src', 'b')]",
            "live_update: [spec.syncs[0]: Invalid value: \"a\": sync destination",
        ),
        (
            "[initial_sync()]",
            "spec.syncs: Invalid value: null: must contain at least 1 sync or 1 exec to run on live",
        ),
        (
            "[fall_back_on('src/a')]",
            "must contain at least 1 sync or 1 exec to run on live update",
        ),
        (
            "[fall_back_on(4), run('x')]",
            "value should be a string or List or Tuple of strings, but is of type int",
        ),
        (
            "[sync(1, '/a')]",
            "for parameter local_path: got int, want string",
        ),
        (
            "[run('x', trigger=[4])]",
            "run cmd 'x' triggers contained value '4' of type 'int'. it may only contain strings",
        ),
        (
            "[run(None)]",
            "a command must be a string or list of strings. found starlark.NoneType",
        ),
        ("[run('x', echo_off=1)]", "got int, want bool"),
        ("[initial_sync(1)]", "got 1 arguments, want at most 0"),
    ];
    for (steps, message) in rows {
        let text = errors(&with(steps));
        assert!(text.contains(message), "{steps}: {text}");
    }
}

#[test]
fn what_is_synced_or_stops_an_update_must_be_watched() {
    let text = errors(&with(
        "[fall_back_on('go.mod'), sync('src/a', '/a'), sync('lib', '/lib')]",
    ));
    for message in [
        "sync step source '/src/lib' is not a child of any watched filepaths ([/src/src])",
        "fall_back_on paths '/src/go.mod' is not a child of any watched filepaths ([/src/src])",
    ] {
        assert!(text.contains(message), "{text}");
    }
    let base = "\ndocker_build('base', '.', dockerfile_contents='FROM scratch')";
    let tiltfile =
        "docker_build('web', 'src', dockerfile_contents='FROM base', live_update=[sync('lib', '/lib')])";
    assert_eq!(
        load(&files(&format!("{tiltfile}{base}"))).error_text(),
        None,
        "what a base image is made of is watched too"
    );
}

#[test]
fn a_live_update_of_a_custom_build_is_bounded_by_its_deps() {
    let text = errors(&files(
        "custom_build('web', 'x', ['src', 'b'], live_update=sync('lib', '/lib'))",
    ));
    assert!(
        text.contains(
            "sync step source '/src/lib' is not a child of any watched filepaths ([/src/src /src/b])"
        ),
        "{text}"
    );
}

#[test]
fn restarts_of_containers_are_refused_with_all_resources_named() {
    let tiltfile = files(
        "docker_build('web', 'src', dockerfile_contents='FROM a', live_update=[run('x'), restart_container()])\n\
         k8s_yaml('more.yaml')",
    );
    let text = errors(&format!("{tiltfile}--- more.yaml\n{}", deployment("api", "web")));
    assert!(
        text.contains("Found `restart_container()` LiveUpdate step in resource(s): [api, web]."),
        "{text}"
    );
    assert!(text.contains("restart_process"), "{text}");
}

#[test]
fn steps_that_nothing_uses_are_told_with_their_places() {
    let text = errors(&files(
        "sync('a', '/a')\nrun(['x', 'y z'], trigger=['p', 'q'])\nfall_back_on(['f', 'g'])\nrestart_container()\n\
         initial_sync()",
    ));
    let expected = "found 5 live_update steps that were created but not used in a live_update:\n\
        /src/Tiltfile:1:5: value 'sync step: '/src/a'->'/a'' of type 'live_update_sync_step'\n\
        \t/src/Tiltfile:2:4: value 'run step: \"x \\\"y z\\\"\" (triggers: p; q)' of type 'live_update_run_step'\n\
        \t/src/Tiltfile:3:13: value 'fall_back_on step: [/src/f /src/g]' of type 'live_update_fall_back_on_step'\n\
        \t/src/Tiltfile:4:18: value 'restart_container step' of type 'live_update_restart_container_step'\n\
        \t/src/Tiltfile:5:13: value 'initial_sync step' of type 'live_update_initial_sync_step'\n";
    assert!(text.contains(expected), "{text}");
}

#[test]
fn steps_of_one_place_count_as_one() {
    let tiltfile = "steps = [sync('src/' + name, '/' + name) for name in ['a', 'b']]\n\
                    docker_build('web', 'src', dockerfile_contents='FROM a', live_update=steps[:1])";
    assert_eq!(load(&files(tiltfile)).error_text(), None, "as in Tilt");
}

#[test]
fn a_step_has_a_type_and_a_text() {
    let out = printed(&files(
        "docker_build('web', 'src', dockerfile_contents='FROM a', live_update=[sync('src', '/a')])\n\
         s = sync('src', '/b')\nprint(type(s), s)\ndocker_build('b', 'src', dockerfile_contents='FROM a', live_update=s)",
    ));
    assert!(
        out.contains("live_update_sync_step sync step: '/src/src'->'/b'"),
        "{out}"
    );
}

#[test]
fn no_steps_are_no_live_update() {
    for none in ["[]", "None", "()"] {
        let load = load(&with(none));
        assert_eq!(load.error_text(), None);
        let manifests = load.manifests.unwrap();
        assert_eq!(manifests[0].images[0].live_update, None, "{none}");
    }
}

#[test]
fn what_is_wrong_with_steps_is_shown_where_it_is() {
    let build = |steps: &str| {
        files(&format!(
            "docker_build(\n    'web', 'src', dockerfile_contents='FROM base',\n    live_update={steps})"
        ))
    };
    insta::assert_snapshot!(errors(&build("[sync('lib', '/lib')]")), @r#"
    sync step source '/src/lib' is not a child of any watched filepaths ([/src/src])
     --> /src/Tiltfile:3:17
      |
    3 |     live_update=[sync('lib', '/lib')])
      |                 ^^^^^^^^^^^^^^^^^^^^^
    hint: only the build context, or deps of a custom build, and those of base images are watched
    "#);
    insta::assert_snapshot!(errors(&build("[run('x'), sync('src', '/src')]")), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:1:13: in <toplevel>
    Error in docker_build: live_update: all sync steps must precede all run steps
     --> /src/Tiltfile:3:17
      |
    3 |     live_update=[run('x'), sync('src', '/src')])
      |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(errors(&build("[sync('src', 'app')]")), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:1:13: in <toplevel>
    Error in docker_build: live_update: spec.syncs[0]: Invalid value: "app": sync destination is not absolute
     --> /src/Tiltfile:3:17
      |
    3 |     live_update=[sync('src', 'app')])
      |                 ^^^^^^^^^^^^^^^^^^^^
    "#);
    insta::assert_snapshot!(errors(&build("[sync('src', '/src'), restart_container()]")), @r#"
    Found `restart_container()` LiveUpdate step in resource(s): [web]. `restart_container()` has been deprecated for k8s resources. We recommend the restart_process extension: https://github.com/tilt-dev/tilt-extensions/tree/master/restart_process. For more information, see https://docs.tilt.dev/live_update_reference.html#restarting-your-process
     --> /src/Tiltfile:3:17
      |
    3 |     live_update=[sync('src', '/src'), restart_container()])
      |                 ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
    "#);
    let custom = "k8s_custom_deploy('kite', 'fly', 'land', deps=['src'], live_update=[sync('src', '/src')])";
    insta::assert_snapshot!(errors(&files(&format!("docker_build('web', 'src')\n{custom}"))), @r#"
    Traceback (most recent call last):
      /src/Tiltfile:1:13: in <toplevel>
    Error in docker_build: error reading dockerfile: open /src/src/Dockerfile: no such file or directory
      |
    1 | docker_build('web', 'src')
      |                     ^^^^^

    Traceback (most recent call last):
      /src/Tiltfile:2:18: in <toplevel>
    Error in k8s_custom_deploy: k8s_custom_deploy: no Live Update selector specified
      |
    2 | k8s_custom_deploy('kite', 'fly', 'land', deps=['src'], live_update=[sync('src', '/src')])
      |                                                                    ^^^^^^^^^^^^^^^^^^^^^
    hint: say which container is changed: image_selector='...' or container_selector='...'
    "#);
}
