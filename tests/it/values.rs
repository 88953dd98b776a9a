//! Text as a sequence of bytes, and values that Tilt takes or refuses otherwise than one might think.

use tilt::tiltfile::{MemoryHost, Ran};

use crate::support::{errors, load, load_with, printed, request, warnings};

/// Returns what `print` shows of an expression.
#[track_caller]
fn shown(expression: &str) -> String {
    let log = printed(&format!("--- Tiltfile\nprint({expression})\n"));
    log.trim_end_matches('\n').to_owned()
}

#[track_caller]
fn check(rows: &[(&str, &str)]) {
    for (expression, expected) in rows {
        assert_eq!(shown(expression), *expected, "{expression}");
    }
}

#[test]
fn positions_and_lengths_in_text_are_those_of_bytes() {
    check(&[
        ("len('é日')", "5"),
        ("'é'[0] + 'é'[1] + 'é'[:]", "éé"),
        ("'aé'[1:][:1], 'aé'[-1]", "\u{fffd} \u{fffd}"),
        (
            "'日本'.find('本'), '日本'.rfind('日'), '日本'[::-1][::-1]",
            "3 0 日本",
        ),
        (
            "list('é'.elems()), list('é'.elem_ords())",
            "[\"\\xc3\", \"\\xa9\"] [195, 169]",
        ),
        (
            "list('aé'.codepoints()), list('aé'.codepoint_ords())",
            "[\"a\", \"é\"] [97, 233]",
        ),
        ("''.join(list('é'.elems())) == 'é'", "True"),
        ("hash('😀x'), ord('é'), chr(233)", "3983992 233 é"),
        (
            "'ß'.upper(), 'it\\'s'.title(), 'a\\r\\nb\\n'.splitlines()",
            "ß It'S [\"a\\r\", \"b\"]",
        ),
        (
            "'abc'.elems(), dir('')[1], hasattr('', 'elem_ords')",
            "\"abc\".elems() codepoint_ords True",
        ),
        (
            "getattr('a', 'upper'), getattr('a', 'upper')()",
            "<built-in method upper of string value> A",
        ),
        ("set(['😀'])", "set([\"😀\"])"),
    ]);
}

#[test]
fn a_newline_at_the_end_of_what_is_printed_is_kept() {
    let log = printed("--- Tiltfile\nprint('a\\n')\nprint('b')\n");
    assert!(log.contains("a\n\nb\n"), "{log}");
}

#[test]
fn bytes_are_shown_as_text_and_give_numbers() {
    check(&[
        ("str(b'dq'), b'\\xff', [b'\\xff']", "dq \u{fffd} [b\"\\xff\"]"),
        ("list(b'ab'.elems()), type(b'ab'.elems())", "[97, 98] bytes.elems"),
        ("b'ab'[-1], len(bytes('é')), '%%' % {}", "b 2 %"),
    ]);
}

#[test]
fn literals_are_read_as_go_reads_them() {
    check(&[(r#"r"\"dq\"", r'\n'"#, r#"\"dq\" \n"#)]);
    let refused = |literal: &str| errors(&format!("--- Tiltfile\nx = {literal}\n"));
    assert!(refused(r"'\x85'").contains("non-ASCII hex escape \\x85"));
    assert!(refused(r"'\d'").contains("Tiltfile:1:5: invalid escape sequence \\d"));
}

#[test]
fn a_failing_method_is_told_by_its_own_name() {
    let text = errors("--- Tiltfile\nx = 'a'\ny = x.index('b')\n");
    assert!(
        text.contains("/src/Tiltfile:2:12: in <toplevel>\nError in index: index: substring not found"),
        "{text}"
    );
    let text = errors("--- Tiltfile\nx = 'é'[7]\n");
    assert!(
        text.contains("/src/Tiltfile:1:8: in <toplevel>\nError: string index 7 out of range [-2:1]"),
        "{text}"
    );
    let text = errors("--- Tiltfile\nx = [1].find\n");
    assert!(text.contains("list has no .find field or method"), "{text}");
    let text = errors("--- Tiltfile\nx = '{:>5}'.format('a')\n");
    assert!(
        text.contains("format spec features not supported in replacement fields: >5"),
        "{text}"
    );
}

#[test]
fn bytes_that_are_no_utf_8_go_through_a_tiltfile_unchanged() {
    let host = MemoryHost::new(
        "--- Tiltfile\nout = local('give', quiet=True)\nos.putenv('RAW', str(out))\nlocal('take', stdin=out)\n\
         local_resource('r', ['echo', os.getenv('RAW')])\n",
    );
    let ran = |stdout: &[u8]| Ran {
        stdout: stdout.to_vec(),
        ..Ran::default()
    };
    let host = host
        .with_command("give", ran(b"caf\xe9"))
        .with_command("take", ran(b""));
    let (load, _) = load_with(&request(), &host);
    assert_eq!(load.error_text(), None);
    assert_eq!(host.stdin(), [b"".to_vec(), b"caf\xe9".to_vec()]);
    let mut result = Vec::new();
    load.write_result_json(&mut result).unwrap();
    assert!(String::from_utf8(result).unwrap().contains("caf\u{fffd}"));
}

#[test]
fn yaml_and_json_with_other_bytes_are_refused_at_their_place() {
    let host = |call: &str| {
        MemoryHost::new(&format!("--- Tiltfile\n{call}\n"))
            .with_file("/src/x", b"a: 1\nb: caf\xe9\n".to_vec())
    };
    for call in ["k8s_yaml('x')", "read_yaml('x')", "k8s_yaml(read_file('x'))"] {
        let text = load_with(&request(), &host(call))
            .0
            .error_text()
            .unwrap_or_default();
        assert!(text.contains("yaml: line 2: invalid UTF-8 octet"), "{text}");
        assert!(text.contains("x:2:7"), "{text}");
    }
    let text = load_with(&request(), &host("read_json('x')"))
        .0
        .error_text()
        .unwrap_or_default();
    assert!(
        text.contains("error parsing JSON from /src/x: invalid UTF-8 octet"),
        "{text}"
    );
}

#[test]
fn names_that_no_variable_can_have_are_ignored_and_nul_bytes_refused() {
    let log = printed(
        "--- Tiltfile\nos.putenv('', 'x')\nos.putenv('A=B', 'x')\nos.environ[''] = 'x'\nos.unsetenv('')\nprint('' in os.environ)\n",
    );
    assert!(log.contains("False"), "{log}");
    let text = errors("--- Tiltfile\nos.putenv('A', 'x\\0y')\n");
    assert!(
        text.contains("setenv: invalid argument") && text.contains("^^^^^^"),
        "{text}"
    );
}

#[test]
fn characters_that_cannot_be_seen_are_named() {
    for (character, named) in [('\u{feff}', "\\ufeff"), ('\u{a0}', "\\u00a0"), ('\u{c}', "\\f")] {
        let text = errors(&format!("--- Tiltfile\n{character}x = 1\n"));
        assert!(
            text.contains(&format!("unexpected input character '{named}'")),
            "{text}"
        );
    }
}

#[test]
fn trigger_modes_can_be_keys() {
    check(&[(
        "{TRIGGER_MODE_AUTO: 1, TRIGGER_MODE_MANUAL: 2}[TRIGGER_MODE_MANUAL], TRIGGER_MODE_AUTO == TRIGGER_MODE_AUTO",
        "2 True",
    )]);
}

#[test]
fn enabled_resources_must_be_texts() {
    let text = errors("--- Tiltfile\nconfig.set_enabled_resources([1])\n");
    assert!(
        text.contains("resources must be a list of string: '1' is a starlark.Int, not a string"),
        "{text}"
    );
}

#[test]
fn a_yaml_file_is_named_as_it_was_written_and_the_parser_once() {
    let text = errors("--- Tiltfile\nread_yaml('x')\n--- x\na: b: c\n");
    assert!(
        text.contains(
            "error parsing YAML from x: error converting YAML to JSON: yaml: line 1: mapping values are not allowed in this context"
        ),
        "{text}"
    );
    let text = errors("--- Tiltfile\nread_yaml('x')\n--- x\na: .inf\n");
    assert!(
        text.contains("json: unsupported value: +Inf") && text.contains("put it in quotes"),
        "{text}"
    );
}

#[test]
fn a_name_that_yaml_takes_for_a_boolean_gets_a_hint() {
    let text =
        errors("--- Tiltfile\nk8s_yaml('x')\n--- x\napiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: y\n");
    assert!(
        text.contains("booleans in YAML: put the text in quotes"),
        "{text}"
    );
}

#[test]
fn a_version_that_is_not_met_is_told_beside_a_name_that_is_missing() {
    let text = errors("--- Tiltfile\nversion_settings(constraint='>=9.0.0')\nnew_builtin()\n");
    assert!(text.contains("doesn't match the version constraint"), "{text}");
    assert!(text.contains("undefined: new_builtin"), "{text}");
}

#[test]
fn a_setting_that_takes_arguments_without_a_flag_says_so() {
    let mut request = request();
    request.args = vec!["--to-run".to_owned(), "a".to_owned()];
    let host =
        MemoryHost::new("--- Tiltfile\nconfig.define_string_list('to-run', args=True)\nconfig.parse()\n");
    let text = load_with(&request, &host).0.error_text().unwrap_or_default();
    assert!(text.contains("unknown flag: --to-run"), "{text}");
    assert!(text.contains("leave out --to-run"), "{text}");
}

#[test]
fn patterns_in_deps_are_warned_of() {
    let text = warnings("--- Tiltfile\nlocal_resource('r', 'true', deps=['src/**/*.go'])\n");
    assert!(text.contains("patterns are not expanded here"), "{text}");
    assert!(text.contains("deps=['/src/src']"), "{text}");
}

#[test]
fn server_side_apply_is_shown_as_it_was_asked_for() {
    let result = |argument: &str| {
        let load = load(&format!(
            "--- Tiltfile\nk8s_yaml('x')\nupdate_settings(k8s_server_side_apply='{argument}')\n--- x\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: a}}\n"
        ));
        let mut result = Vec::new();
        load.write_result_json(&mut result).unwrap();
        String::from_utf8(result)
            .unwrap()
            .contains("\"serverSideApply\": true")
    };
    assert!(result("true"));
    assert!(!result("auto"));
}

#[test]
fn what_no_cluster_takes_is_told_when_it_is_read() {
    let text = warnings(
        "--- Tiltfile\nk8s_yaml('x')\n--- x\napiVersion: extensions/v1beta1\nkind: Ingress\nmetadata: {name: a}\n---\n\
         apiVersion: batch/v1\nkind: Job\nmetadata:\n  generateName: gen-\n",
    );
    assert!(
        text.contains("Kubernetes 1.22 and later have no Ingress of extensions/v1beta1")
            && text.contains("/src/x:1:"),
        "{text}"
    );
    assert!(text.contains("write apiVersion: networking.k8s.io/v1"), "{text}");
    assert!(
        text.contains("Job has no name") && text.contains("/src/x:8:"),
        "{text}"
    );
}

#[test]
fn items_of_a_typed_list_are_what_is_deployed() {
    let mut load = load(
        "--- Tiltfile\nk8s_yaml('x')\n--- x\napiVersion: v1\nkind: ConfigMapList\nitems:\n- metadata: {name: a, uid: u}\n",
    );
    let manifests = load.take_deployable_manifests().unwrap();
    let objects = &manifests[0].deploy.k8s().unwrap().entities;
    assert_eq!(objects.len(), 1);
    assert_eq!((objects[0].kind(), objects[0].name()), ("ConfigMap", "a"));
    assert_eq!(objects[0].get(&["metadata", "uid"]), None);
}
