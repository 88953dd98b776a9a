//! The language that Tiltfiles are written in: what Go's interpreter accepts, and what it says otherwise.

use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use tilt::logs::{LogStore, LogWriter};
use tilt::tiltfile::{MemoryHost, load_on_big_stack};

use crate::support::{check, errors, printed, request};

#[track_caller]
fn check_error(code: &str, expected: &str) {
    let text = errors(&format!("--- Tiltfile\n{code}"));
    assert!(text.contains(expected), "{text}");
}

#[test]
fn while_loops_run_at_the_top_and_in_functions() {
    check(
        "n = 0\nwhile n < 5:\n  n += 1\n  if n == 2: continue\n  if n == 4: break\n  print(n)\n",
        "1\n3\n",
    );
    check(
        "def f():\n  n = 3\n  while n: n -= 1\n  return n\nprint(f())\n",
        "0\n",
    );
}

#[test]
fn assert_and_match_are_names_like_others() {
    check(
        "def assert(ok, text): return text if not ok else 'fine'\nmatch = 1\nprint(assert(match == 2, text='no'), match)\n",
        "no 1\n",
    );
}

#[test]
fn tabs_indent() {
    check("if True:\n\tprint('a\tb')\n", "a\tb\n");
}

#[test]
fn a_builtin_can_be_used_before_its_name_is_taken_over() {
    check("print = [print('x'), 1]\n", "x\n");
}

#[test]
fn percent_formats_names_and_i() {
    check(
        "print('%(a)s-%(b)s %%' % {'a': 1, 'b': 'x'})\nprint('%i %s' % (2, [3]))\nprint(7 % 4, '%d' % 5)\n",
        "1-x %\n2 [3]\n3 5\n",
    );
    check_error(
        "x = '%s %s' % (1,)\n",
        "Error: not enough arguments for format string",
    );
    check_error(
        "x = 1 % 'a'\n",
        "/src/Tiltfile:1:7: in <toplevel>\nError: unknown binary op: int % string",
    );
}

#[test]
fn print_joins_with_a_separator_and_sorted_takes_its_key_by_position() {
    check("print('a', 1, None, sep='-')\n", "a-1-None\n");
    check(
        "print(sorted(['bb', 'a', 'c'], len), sorted({2: 0, 1: 0}, reverse=True))\n",
        "[\"a\", \"c\", \"bb\"] [2, 1]\n",
    );
    check_error("sorted([1, 'a'])\n", "sorted: string < int not implemented");
}

#[test]
fn types_have_the_names_that_scripts_compare_with() {
    check(
        "print(type(print), type(blob('')), type(os), type(lambda: 1))\n",
        "builtin_function_or_method blob module function\n",
    );
    check(
        "print(type(len), type(''.strip), type(struct()), type(module('m')), type(os.path))\n",
        "builtin_function_or_method builtin_function_or_method struct module module\n",
    );
}

#[test]
fn recursion_may_go_deep_but_not_for_ever() {
    check(
        "def f(n):\n  return 0 if n == 0 else 1 + f(n - 1)\nprint(f(3000))\n",
        "3000\n",
    );
    check_error(
        "def f():\n  return f()\nf()\n",
        "functions call each other without end",
    );
}

#[test]
fn an_endless_loop_ends_when_the_load_is_canceled() {
    let log = LogWriter::global(LogStore::in_memory());
    let host = MemoryHost::new("--- Tiltfile\nwhile True:\n  pass\n");
    let load = load_on_big_stack(&request(), &host, &log, Arc::new(AtomicBool::new(true)));
    let text = load.error_text().expect("canceled");
    assert!(text.contains("the load was canceled"), "{text}");
}

#[test]
fn common_mistakes_are_told_in_gos_words() {
    for (code, expected) in [
        (
            "x = 'a' + 1\n",
            "Tiltfile:1:9: in <toplevel>\nError: unknown binary op: string + int",
        ),
        ("x = {'a': 1}['b']\n", "Error: key \"b\" not in dict"),
        ("x = [1][3]\n", "Error: list index 3 out of range [-1:0]"),
        (
            "for c in 'abc':\n  pass\n",
            "Tiltfile:1:1: in <toplevel>\nError: string value is not iterable",
        ),
        (
            "x = 'f'\nx()\n",
            "Tiltfile:2:2: in <toplevel>\nError: invalid call of non-function (string)",
        ),
        (
            "x = 'f'.foo\n",
            "Tiltfile:1:8: in <toplevel>\nError: string has no .foo field or method",
        ),
        ("x = 1 < 'a'\n", "Error: int < string not implemented"),
        ("x = y\ny = 1\n", "/src/Tiltfile:1:5: undefined: y"),
        (
            "def f(): return y\nf()\ny = 1\n",
            "Error: global variable y referenced before assignment",
        ),
        (
            "def f():\n  print(v)\n  v = 1\nf()\n",
            "Error: local variable v referenced before assignment",
        ),
        (
            "def f(a, b):\n  pass\nf()\n",
            "Tiltfile:3:2: in <toplevel>\n  /src/Tiltfile:1:1: in f\nError: function f missing 2 arguments (a, b)",
        ),
        (
            "def f(a):\n  pass\nf(1, 2)\n",
            "Error: function f accepts 1 positional argument (2 given)",
        ),
        (
            "def f(a):\n  pass\nf(1, b=2)\n",
            "Error: function f got an unexpected keyword argument \"b\"",
        ),
        (
            "(lambda x: x)()\n",
            "<toplevel>\nError: function lambda missing 1 argument (x)",
        ),
        (
            "x -= 1\n",
            "Error: global variable x referenced before assignment",
        ),
        ("x = 'abc'['a']\n", "Error: string index: got string, want int"),
        ("x = ()[0]\n", "Error: index 0 out of range: empty tuple"),
        (
            "x = None['a']\n",
            "Error: unhandled index operation NoneType[string]",
        ),
        ("x = [1][::0]\n", "Error: zero is not a valid slice step"),
        (
            "x = 'a'['b':]\n",
            "Error: invalid start index: got string, want int",
        ),
        (
            "x, y = [1]\n",
            "Tiltfile:1:6: in <toplevel>\nError: too few values to unpack (got 1, want 2)",
        ),
        (
            "x, y = [1, 2, 3]\n",
            "Error: too many values to unpack (got 3, want 2)",
        ),
        ("x, y = 1\n", "Error: got int in sequence assignment"),
        ("x = [] < {}\n", "Error: list < dict not implemented"),
        ("x = -'a'\n", "Error: unknown unary op: - string"),
        ("x = 1 % 0\n", "Error: integer modulo by zero"),
        (
            "x = 1 in 'a'\n",
            "Error: 'in <string>' requires string as left operand, not int",
        ),
        (
            "x = struct(abc=1).abd\n",
            "Error: struct has no .abd attribute (did you mean .abc?)",
        ),
        ("x = struct(a=1).b\n", "Error: struct has no .b attribute"),
        ("x = {[]: 1}\n", "Error: unhashable type: list"),
        ("d = {'a': 1, 'a': 2}\n", "duplicate key: \"a\""),
        (
            "try:\n  pass\n",
            "/src/Tiltfile:1:1: got illegal token, want primary expression",
        ),
        ("x = [1\n  2]\n", "/src/Tiltfile:2:4: got int literal, want ']'"),
        ("x = (\n", "want primary expression"),
        ("x = $\n", "/src/Tiltfile:1:5: unexpected input character '$'"),
        ("x = 'abc\n", "/src/Tiltfile:1:5: unexpected newline in string"),
        (
            "x = a && b\n",
            "/src/Tiltfile:1:8: got '&', want primary expression",
        ),
        (
            "for x in [1]:\npass\n",
            "/src/Tiltfile:2:5: got pass, want indent",
        ),
        (
            "x = 0777\n",
            "/src/Tiltfile:1:9: obsolete form of octal literal; use 0o777",
        ),
        (
            "x = 1 if True\n",
            "/src/Tiltfile:1:7: conditional expression without else clause",
        ),
        (
            "def f(a, a): pass\n",
            "/src/Tiltfile:1:10: duplicate parameter: a",
        ),
        (
            "print(a=1, 2)\n",
            "/src/Tiltfile:1:12: positional argument may not follow named",
        ),
        ("print() = 1\n", "/src/Tiltfile:1:1: can't assign to callexpr"),
        (
            "def f():\n  load('a', 'x')\n",
            "/src/Tiltfile:2:3: load statement within a function",
        ),
        ("break\n", "/src/Tiltfile:1:1: break not in a loop"),
    ] {
        check_error(code, expected);
    }
}

#[test]
fn arguments_of_builtins_are_checked_in_tilts_words() {
    for (code, expected) in [
        ("len()\n", "Error in len: len: got 0 arguments, want 1"),
        ("len(x=1)\n", "Error in len: len: unexpected keyword arguments"),
        ("str()\n", "Error in str: str: got 0 arguments, want exactly 1"),
        (
            "type(x=1)\n",
            "Error in type: type does not accept keyword arguments",
        ),
        (
            "range('a')\n",
            "Error in range: range: for parameter 1: got string, want int",
        ),
        ("int('x')\n", "Error in int: int: invalid literal with base 10: x"),
        (
            "list(1)\n",
            "Error in list: list: for parameter 1: got int, want iterable",
        ),
        ("max(1, 'a')\n", "Error in max: max: string > int not implemented"),
        (
            "sorted([1, 'a'])\n",
            "Error in sorted: string < int not implemented",
        ),
        (
            "[].pop()\n",
            "Error in pop: pop: index -1 out of range: empty list",
        ),
        ("{}.pop('a')\n", "Error in pop: pop: missing key"),
        ("[1].index(2)\n", "Error in index: index: value not in list"),
        (
            "os.getenv(1)\n",
            "os.getenv: for parameter key: Value should be convertible to string, but is type int",
        ),
        (
            "os.path.exists(1)\n",
            "os.path.exists: for parameter path: got int, want string",
        ),
        (
            "exec_action('x')\n",
            "exec_action: for parameter command: '\"x\"' is a starlark.String, not a sequence",
        ),
        (
            "run('true', trigger=1)\n",
            "Error in run: run cmd 'true' triggers contained value '1' of type 'int'. it may only contain strings",
        ),
        ("'a'.upper(1)\n", "Error in upper: upper: got 1 arguments, want 0"),
        (
            "'a'.replace('a')\n",
            "Error in replace: replace: got 1 arguments, want at least 2",
        ),
        ("fail()\n", "Error in fail: fail: missing argument for msg"),
        (
            "fail(1)\n",
            "Error in fail: fail: for parameter msg: got int, want string",
        ),
        (
            "fail(msg=None)\n",
            "fail: for parameter \"msg\": got NoneType, want string",
        ),
        ("blob('a', 'b')\n", "blob: got 2 arguments, want at most 1"),
        (
            "blob(inputs='a')\n",
            "blob: unexpected keyword argument \"inputs\" (did you mean input?)",
        ),
        (
            "blob('a', input='a')\n",
            "blob: got multiple values for keyword argument \"input\"",
        ),
        (
            "k8s_resource(new_name=None)\n",
            "for parameter \"new_name\": Value should be convertible to string, but is type",
        ),
        (
            "k8s_resource('a/b')\n",
            "for parameter workload: invalid value \"a/b\": may not contain '/'",
        ),
        (
            "k8s_resource('a', resource_deps='b')\n",
            "for parameter \"resource_deps\": got string, want starlark.Sequence",
        ),
        (
            "k8s_resource('a', resource_deps=[1])\n",
            "k8s_resource: resource_deps: '1' is a starlark.Int, not a string",
        ),
        (
            "k8s_resource('a', labels='?x')\n",
            "Invalid label \"?x\": name part must consist of",
        ),
        (
            "k8s_resource('a', pod_readiness='w')\n",
            "Invalid value. Allowed: {ignore, wait}. Got: w",
        ),
        (
            "k8s_resource('')\n",
            "Resource name missing. Must give a name for an existing resource",
        ),
        (
            "k8s_resource(new_name='a')\n",
            "k8s_resource doesn't specify a workload or any objects",
        ),
        (
            "read_file(None)\n",
            "expected path | string. Actual type: starlark.NoneType",
        ),
        (
            "docker_build('A b', '.')\n",
            "Argument 1 (ref): can't parse \"A b\": invalid reference format",
        ),
        (
            "docker_build('a', '.', [])\n",
            "for parameter build_args: expected dict, got *starlark.List",
        ),
        (
            "docker_build('a', '.', dockerfile_contents='FROM b', ignore=[127])\n",
            "ignore must be a string or a sequence of strings; found a starlark.Int",
        ),
        (
            "docker_build('a', '.', dockerfile_contents='FROM b', only='a/*')\n",
            "'only' does not support '*' file globs. Must be a real path: a/*",
        ),
    ] {
        check_error(code, expected);
    }
}

#[test]
fn files_see_their_own_path_and_directory() {
    let files = "--- Tiltfile\nload('lib/Tiltfile', 'here')\nprint(__name__, __file__, os.getcwd(), here())\n\
                 --- lib/Tiltfile\nprint(__name__, __file__, os.getcwd())\ndef here():\n  return os.getcwd()\n";
    assert_eq!(
        printed(files),
        "Tiltfile /src/lib/Tiltfile /src/lib\n__main__ /src/Tiltfile /src /src\n"
    );
}

#[test]
fn a_file_runs_once_however_it_is_asked_for() {
    let files = "--- Tiltfile\nload('./a', 'x')\ninclude('a')\nload('b', 'y')\nprint(x, y)\n\
                 --- a\nprint('a')\nx = 1\n--- b\nload('a', 'x')\ny = x + 1\n";
    assert_eq!(printed(files), "a\n1 2\n");
}

#[test]
fn the_environment_is_the_hosts() {
    let host = MemoryHost::new(
        "--- Tiltfile\nprint(os.getenv('A'), os.getenv('B'), os.getenv('B', 'd'), os.name)\n",
    );
    let mut request = request();
    request.subcommand = "down";
    let (_, log) = crate::support::load_with(&request, &host.with_env("A", "1"));
    assert_eq!(log, "1 None d posix\n");
}
