//! What a Tiltfile reads: files, directories, JSON, YAML, the environment, paths.

use tilt::tiltfile::MemoryHost;

use crate::support::{check, check_errors, load_with, printed, request};

/// Returns the config files of a load, relative to `/src`, without the two that are always there.
fn watched(files: &str) -> Vec<String> {
    let mut request = request();
    request.subcommand = "down";
    let (load, _) = load_with(&request, &MemoryHost::new(files));
    let paths = load.config_files.iter().map(|path| {
        let path = path.to_string();
        path.strip_prefix("/src/").unwrap_or(&path).to_owned()
    });
    paths
        .filter(|path| path != "Tiltfile" && path != ".tiltignore")
        .collect()
}

#[test]
fn what_is_read_is_watched_also_where_it_is_missing_or_the_load_fails() {
    let files = "--- Tiltfile\nread_file('a', default='x')\nread_json('b.json', default=None)\nread_yaml('c', 1)\n\
                 read_yaml_stream('d', [])\nwatch_file('e/f')\nlistdir('dir')\nlistdir('tree', recursive=True)\n\
                 os.path.exists('not-this')\nconfig.parse()\nfail('x')\n--- dir/x\n--- tree/y\n";
    assert_eq!(
        watched(files),
        ["a", "b.json", "c", "d", "e/f", "tilt_config.json", "tree"]
    );
}

#[test]
fn a_directory_is_listed_by_name_hidden_files_too() {
    let files = "--- Tiltfile\nprint(listdir('t'))\nprint(listdir('./t/', recursive=True))\nprint(listdir('none'), \
                 listdir('t/b'))\n--- t/b\n--- t/.a\n--- t/c/d/e\n--- t/c/a\n";
    assert_eq!(
        printed(files),
        "[\"/src/t/.a\", \"/src/t/b\"]\n[\"/src/t/.a\", \"/src/t/b\", \"/src/t/c/a\", \"/src/t/c/d/e\"]\n[] []\n"
    );
}

#[test]
fn json_keeps_the_kinds_of_numbers() {
    check(
        "d = decode_json('{\"i\": 3, \"f\": 3.0, \"e\": 1e3, \"n\": null, \"l\": [true, \"ü\"], \"b\": 18446744073709551615}')\n\
         print(d, type(d['f']), type(d['e']))\n",
        "{\"i\": 3, \"f\": 3.0, \"e\": 1000.0, \"n\": None, \"l\": [True, \"ü\"], \"b\": 18446744073709551615} float float\n",
    );
    check(
        "print(encode_json({'b': [1, 2.5, 3.0, None], 'a': '<&>', 'c': {}, 'd': []}) + '|')\n",
        "{\n  \"a\": \"\\u003c\\u0026\\u003e\",\n  \"b\": [\n    1,\n    2.5,\n    3,\n    null\n  ],\n  \"c\": {},\n  \"d\": \
         []\n}\n|\n",
    );
    check(
        "print(type(encode_json(1)), type(encode_yaml(1)), decode_json(blob('[1]')))\n",
        "string blob [1]\n",
    );
}

#[test]
fn yaml_follows_the_older_rules() {
    check(
        "print(decode_yaml('{a: yes, b: 0755, c: 1.0, d: 1e3, e: 2024-02-29, f: \"on\", 1: x, on: y}'))\n",
        "{\"a\": True, \"b\": 493, \"c\": 1, \"d\": 1000, \"e\": \"2024-02-29\", \"f\": \"on\", \"1\": \"x\", \"true\": True}\n",
    );
    check(
        "print(decode_yaml(''), decode_yaml('# c'), decode_yaml('---\\na: 1\\n'), decode_yaml_stream('a: 1\\n---\\n---\\n- b'))\n",
        "None None {\"a\": 1} [{\"a\": 1}, [\"b\"]]\n",
    );
    check(
        "x = [{'a': 'yes'}, [1, 2.5, None], 'text']\nprint(encode_yaml_stream(x))\n\
         print(decode_yaml_stream(encode_yaml_stream(x)) == x, str(encode_yaml_stream([])) == '')\n",
        "a: \"yes\"\n---\n- 1\n- 2.5\n- null\n---\ntext\n\nTrue True\n",
    );
}

#[test]
fn what_cannot_be_read_or_converted_is_told() {
    check_errors(&[
        (
            "read_file('x')",
            "Error in read_file: open /src/x: no such file or directory",
        ),
        (
            "read_file('x', default=1)",
            "for parameter \"default\": expected starlark.String or None, got starlark.Int",
        ),
        (
            "read_file('x', default=None)",
            "open /src/x: no such file or directory",
        ),
        ("read_json('x')", "open /src/x: no such file or directory"),
        ("read_yaml('x')", "open /src/x: no such file or directory"),
        (
            "read_yaml_stream('x', default=None)",
            "read_yaml_stream: for parameter \"default\": got NoneType, want list",
        ),
        (
            "read_json(file_path='x')",
            "unexpected keyword argument \"file_path\"",
        ),
        (
            "read_json('x')\n--- x\n{\"a\"",
            "error parsing JSON from /src/x: unexpected EOF\n --> /src/x:2:1",
        ),
        ("decode_json('')", "error parsing JSON: EOF"),
        (
            "decode_json('1 2')",
            "error parsing JSON: found multiple JSON values",
        ),
        (
            "decode_json('{\"a\": x}')",
            "error parsing JSON: invalid character 'x' looking for beginning of value",
        ),
        (
            "decode_json(1)",
            "Value should be convertible to string, but is type int",
        ),
        (
            "decode_yaml('a: 1\\n---\\nb: 2')",
            "expected a yaml document but found a yaml stream (documents separated by `---`). use decode_yaml_stream \
             instead",
        ),
        (
            "read_yaml('x')\n--- x\na: 1\n---\nb: 2",
            "use read_yaml_stream instead to decode a yaml stream",
        ),
        (
            "read_yaml('x')\n--- x\na: [",
            "error parsing YAML from x: error converting YAML to JSON: yaml: ",
        ),
        (
            "decode_yaml('a: [')",
            "error parsing YAML: error converting YAML to JSON: yaml: ",
        ),
        (
            "encode_json({1: 'x'})",
            "only string keys are supported in maps. found key '1' of type int64",
        ),
        (
            "encode_yaml([blob('x')])",
            "error converting object from starlark: unable to convert from starlark value, unsupported type io.Blob",
        ),
        ("encode_json((1,))", "unsupported type starlark.Tuple"),
        ("encode_json(set())", "unsupported type *starlark.Set"),
        ("encode_json(len)", "unsupported type *starlark.Builtin"),
        ("encode_json(struct())", "unsupported type *starlarkstruct.Struct"),
        ("encode_json(1 << 70)", "is too large"),
        ("encode_json(float('inf'))", "is no number"),
        ("x = []\nx.append(x)\nencode_json(x)", "values within one another"),
        ("encode_yaml_stream('a')", "got string, want list"),
        (
            "blob(['a'])",
            "Error in blob: blob: for parameter input: got list, want string",
        ),
        ("blob('a').strip()", "blob has no .strip field or method"),
        ("x = blob('a') + 'b'", "unknown binary op: blob + string"),
        ("len(blob('a'))", "blob"),
        ("{blob('a'): 1}", "unhashable type: blob"),
        ("listdir(1)", "expected path | string. Actual type: starlark.Int"),
        (
            "watch_file(None)",
            "expected path | string. Actual type: starlark.NoneType",
        ),
        (
            "local_git_repo('x')",
            "Reading paths /src/x: stat /src/x: no such file or directory",
        ),
        (
            "local_git_repo('.')",
            "/src isn't a valid git repo: it doesn't have a .git/ directory",
        ),
    ]);
}

#[test]
fn a_git_repository_is_a_path() {
    let files = "--- Tiltfile\nr = local_git_repo('r')\nprint(r, type(r), dir(r), r.paths('a/b'), r.paths('/c'), \
                 r.paths('../x'), listdir(r))\n--- r/.git/HEAD\n--- r/f\n";
    assert_eq!(
        printed(files),
        "[git.Repo] '/src/r' git.Repo [\"paths\"] /src/r/a/b /src/r/c /src/x [\"/src/r/f\"]\n"
    );
}

#[test]
fn paths_follow_gos_rules() {
    check(
        "p = os.path\nprint(p.join('a', 'b', '../c'), p.join('a', '/b'), repr(p.join()), p.join('', 'x', ''), \
         p.join('a', ignored=1))\n\
         print(p.basename('/a/b/'), p.basename(''), p.dirname('a'), p.dirname('/a/b/'), p.abspath('x/../y'), \
         p.abspath('/x/../y'))\n\
         print(p.relpath('/src/a'), p.relpath('/a/b', '/a/c/d'), p.relpath('a/b', 'a'), p.relpath('x'), \
         p.exists('Tiltfile'), p.exists('no'), p.realpath('Tiltfile'))\n",
        "a/c a/b \"\" x a\nb . . /a/b /src/y /x/../y\na ../../b b x True False /src/Tiltfile\n",
    );
    check_errors(&[
        (
            "os.path.join('a', 1)",
            "os.path.join() only accepts strings. Argument #1: 1",
        ),
        (
            "os.path.realpath('no/x')",
            "lstat /src/no/x: no such file or directory",
        ),
        (
            "os.path.relpath('a', '../b')",
            "Rel: can't make a relative to ../b",
        ),
        ("os.path.basename(None)", "got NoneType, want string"),
        ("os.getcwd(1)", "os.getcwd: got 1 arguments, want at most 0"),
    ]);
}

#[test]
fn the_environment_can_be_read_and_changed_in_every_way() {
    check(
        "os.putenv('A', '1')\nos.environ['B'] = '2'\nos.environ.update({'C': '3'}, D='4')\nos.environ.update([('E', '5')])\n\
         e = os.environ\nprint(e['A'], e.get('B'), e.get('X'), e.get('X', 0), 'C' in e, len(e), e.keys(), e.items()[0])\n\
         print(e.pop('A'), e.pop('A', None), e.setdefault('B', 'x'), e.setdefault('F', '6'), e.values(), [k for k in e])\n\
         os.unsetenv('B')\nprint(os.getenv('B'), e.popitem(), type(e), e)\ne.clear()\nprint(len(e))\n",
        "1 2 None 0 True 5 [\"A\", \"B\", \"C\", \"D\", \"E\"] (\"A\", \"1\")\n\
         1 None 2 6 [\"2\", \"3\", \"4\", \"5\", \"6\"] [\"B\", \"C\", \"D\", \"E\", \"F\"]\n\
         None (\"C\", \"3\") environ environ({\"D\": \"4\", \"E\": \"5\", \"F\": \"6\"})\n0\n",
    );
    check_errors(&[
        ("os.environ['X']", "key \"X\" not in environ"),
        ("os.environ['X'] = 1", "putenv() value must be a string, not int"),
        ("os.environ.pop('X')", "missing key: \"X\""),
        (
            "os.environ.update([1])",
            "update: int is no pair of name and value",
        ),
        ("os.putenv('a', '\\0')", "setenv: invalid argument"),
        ("os.environ['a'] = '\\0'", "setenv: invalid argument"),
        (
            "os.putenv('a', 1)",
            "Value should be convertible to string, but is type int",
        ),
    ]);
}

#[test]
fn the_program_tells_about_itself() {
    let mut request = request();
    request.subcommand = "down";
    request.program.argv = ["tilt", "down"].map(str::to_owned).to_vec();
    request.program.executable = "/bin/tilt".to_owned();
    let files = "--- Tiltfile\ninclude('lib/x')\nprint(sys.argv, sys.executable, dir(sys))\n--- lib/x\n\
                 print(config.main_path, config.main_dir, config.tilt_subcommand, os.name)\n";
    let (_, log) = load_with(&request, &MemoryHost::new(files));
    assert_eq!(
        log,
        "/src/Tiltfile /src down posix\n[\"tilt\", \"down\"] /bin/tilt [\"argv\", \"executable\"]\n"
    );
}

#[test]
fn words_are_quoted_for_a_shell() {
    check(
        "q = shlex.quote\nprint(q('a_1.x/@%+=:,-'), q(''), q('a b'), q(\"it's\"), q('ü'), q('~'))\n",
        "a_1.x/@%+=:,- '' 'a b' 'it'\"'\"'s' 'ü' '~'\n",
    );
    check_errors(&[("shlex.quote(1)", "got int, want string")]);
}
